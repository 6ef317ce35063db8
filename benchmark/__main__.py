"""``python -m mirbench``: the command line."""

from mirbench.cli import main

if __name__ == "__main__":
    main()
