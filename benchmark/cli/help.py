"""Commands and their help: options in the panels that typer's ``rich_help_panel`` names, examples at the end."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from mirbench.errors import BadInput

__all__ = ["Command", "Group", "said"]


_FIRST = ("Arguments", "Options")


def said(title: str, lines: Sequence[str]) -> str:
    """Lines for the end of a help text, which stay as they are."""
    return "\n".join(("\b", f"{_bold(title)}:", *(f"  {line}" for line in lines)))


class Command(TyperCommand):
    """A command whose options stand in panels."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option with nothing behind it, as a variable of the shell that is not set leaves it."""
        known = {name for param in self.get_params(ctx) if not getattr(param, "is_flag", True) for name in param.opts}
        for option, value in itertools.pairwise([*args, "more"]):
            name, equals, rest = option.partition("=")
            if name in known and not ctx.resilient_parsing and (value == "" if not equals else rest == ""):
                raise BadInput(f"{name}: nothing is given for it; say what is meant, or leave it out")
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words after its name: what may be left out is in brackets."""
        arguments = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        names = [str(param.metavar) for param in arguments]
        pairs = zip(names, arguments, strict=True)
        return ["[OPTIONS]", *(name if param.required else f"[{name}]" for name, param in pairs)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what it takes."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write its examples, flush left as the headings are."""
        _write_end(self.epilog, formatter)


class Group(TyperGroup):
    """A command of commands, which stand in panels, each on one line."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options."""
        panels = defaultdict(list)
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            panels[command.rich_help_panel or "Commands"].append((name, command))
        width = max(len(name) for held in panels.values() for name, _ in held)
        for title, held in panels.items():
            with formatter.section(_bold(title)):
                for name, command in held:
                    said = command.short_help or (command.help or "").partition("\n")[0]
                    formatter.write(f"  {_name(name)}{' ' * (width - len(name))}  {said}\n")
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write its examples."""
        _write_end(self.epilog, formatter)


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    panels = defaultdict(list)
    for param in command.get_params(ctx):
        if record := param.get_help_record(ctx):
            name, text = record
            if param.param_type_name == "argument":  # without the type that typer has for it, and what usage says
                name, text = str(param.metavar), text.replace("  [required]", "")
            title = getattr(param, "rich_help_panel", None)
            usual = _FIRST[param.param_type_name != "argument"]
            panels[title or usual].append((_name(name), text))
    for title in sorted(panels, key=lambda title: title not in _FIRST):
        with formatter.section(_bold(title)):
            formatter.write_dl(panels[title])


def _write_end(text: str | None, formatter: Any) -> None:
    if text:
        formatter.write_paragraph()
        formatter.write_text(text)


def _bold(text: str) -> str:
    return typer.style(text, bold=True)


def _name(text: str) -> str:
    return typer.style(text, fg="cyan")
