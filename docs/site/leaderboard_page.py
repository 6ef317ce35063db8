"""The page of the reference results, as `mirbench leaderboard --format html` makes it, beside the pages of the site."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_COMMAND = ("leaderboard", "--reference", "--format", "html", "--runs", "runs", "--output", "leaderboard.html")


def _write(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        command = [sys.executable, "-m", "mirbench", *_COMMAND]
        subprocess.run(command, cwd=Path(app.outdir), check=True, stdout=subprocess.DEVNULL)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write it once everything else is there."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
