"""The command that begins a plugin: a file that runs as it is, with its test."""

from __future__ import annotations

import keyword
import string
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.options import one_of
from mirbench.errors import BadInput
from mirbench.names import confusable, is_device, wrong_name
from mirbench.plain_text import printable, say

if TYPE_CHECKING:
    from mirbench.taken_names import Kind

KINDS = ("method", "source", "task", "encoder")


def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="method, source, task or encoder.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is to be called, as my-method.")],
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where to write it.")] = Path(),
) -> None:
    """Write a plugin that runs as it is, and its test, to be changed into yours."""
    one_of("new", kind, KINDS)
    module = _module(kind, name)
    paths = {folder / f"{module}.py": kind, folder / f"test_{module}.py": f"{kind}_test"}
    if not folder.is_dir():
        raise BadInput(f"--folder {folder}: no such folder")
    if there := [str(path) for path in paths if path.exists() or path.is_symlink()]:
        raise BadInput(f"{' and '.join(there)} there already; nothing is written over: give another name or --folder")
    words = {
        "name": name,
        "module": module,
        "file": f"{module}.py",
        "class_name": "".join(word[:1].upper() + word[1:] for word in module.split("_")),
        "constant": module.upper(),
        "variable": module.upper(),
    }
    templates = files("mirbench.cli") / "templates"
    for path, template in paths.items():
        text = string.Template((templates / f"{template}.txt").read_text(encoding="utf-8")).substitute(words)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    file, test = paths
    say(f"Wrote {file} and {test}. Next:")
    say(f"  mirbench check {file}")
    say(f"  {_run(kind, name, file)}")
    say(f"  pytest {test}{'' if find_spec('pytest') else '   # needs pytest: pip install pytest'}")


def _module(kind: str, name: str) -> str:
    """The name of a plugin's file, from that of what it holds.

    Raises
    ------
    BadInput
        If nothing can be called so, or something of mirbench's own is.
    """
    from mirbench.registry import taken

    of: Kind = "source" if kind == "encoder" else kind  # type: ignore[assignment]
    said = printable(ascii(name), 80)
    if fault := wrong_name(name, of) or confusable(name) or taken(of, name):
        raise BadInput(f"new {kind} {said}: it {fault}; give it another name, as my-{kind}")
    module = name.replace("-", "_").lower()
    if not module.isascii() or not module.isidentifier() or keyword.iskeyword(module) or is_device(module):
        raise BadInput(
            f"new {kind} {said}: its file cannot be called so; letters, digits and hyphens are needed, a letter first, "
            f"as in my-{kind}"
        )
    return module


def _run(kind: str, name: str, file: Path) -> str:
    if kind == "method":
        return f"mirbench run --plugin {file} --task gtzan-demo --method {name} --source nano"
    if kind == "task":
        return f"mirbench run --plugin {file} --task {name} --method probe-linear --source nano --data ROOT"
    weights = " --weights DIR" if kind == "source" else ""
    return f"mirbench run --plugin {file} --task gtzan-demo --method probe-linear --source {name}{weights}"
