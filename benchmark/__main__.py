"""The command line from outside: the script `mirbench`, and ``python -m mirbench``."""

import sys


def main() -> None:
    """Import the command line and run it; a library that it is made of itself may be broken, too."""
    try:
        from mirbench.cli import main as command
    except Exception as error:
        from mirbench.installation import broken

        if not (said := broken(error)):
            raise
        print(f"mirbench: {said}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # nothing is begun yet
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
