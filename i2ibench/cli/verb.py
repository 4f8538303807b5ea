"""The class of every verb: help in which no name is cut, and no option that is given twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# Headings of --help in this order; panels of the options' own stand between.
_FIRST, _LAST = "Arguments", "Other options"


class Verb(TyperCommand):
    """A verb of the command line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; refuse an option that takes one value and has two."""
        if not ctx.resilient_parsing:
            _refuse_twice(self, ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options below the headings of their panels."""
        write_options(self, ctx, formatter)


class VerbGroup(TyperGroup):
    """A verb that has verbs of its own."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb; an unknown one is refused with the nearest names."""
        found = self.find(ctx, cmd_name)
        # Options that are unknown here pass through this method too.
        if found is None and not ctx.resilient_parsing and not cmd_name.startswith("-"):
            from i2ibench.registry import unknown_name

            ctx.fail(unknown_name("verb", cmd_name, self.list_commands(ctx)))
        return found

    def find(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb, or None where it is unknown."""
        return super().get_command(ctx, cmd_name)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, then every verb with its summary."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write every verb with the first paragraph of its help, however long."""
        rows = [(heading(name), self.summary(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section(heading("Commands")):
            formatter.write_dl(rows)

    def summary(self, ctx: Any, name: str) -> str:
        """Return the first paragraph of the help of a verb."""
        return first_paragraph(getattr(self.get_command(ctx, name), "help", None))


def verb_group(help: str) -> typer.Typer:
    """Return an empty verb for verbs of its own."""
    return typer.Typer(
        cls=VerbGroup,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        help=help,
    )


def write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Write the parameters of a command by panel; a long name has a line of its own."""
    sections: dict[str, list[tuple[str, str]]] = {_FIRST: []}
    last: list[tuple[str, str]] = []
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        is_argument = parameter.param_type_name == "argument"
        panel = _FIRST if is_argument else getattr(parameter, "rich_help_panel", None)
        rows = sections.setdefault(panel, []) if panel else last
        # typer 0.15 escapes its brackets for rich, also where rich does not print them.
        rows.append((heading(record[0]), record[1].replace("\\[", "[")))
    for title, rows in [*sections.items(), (_LAST, last)]:
        if rows:
            with formatter.section(heading(title)):
                formatter.write_dl(rows)


def heading(text: str) -> str:
    """Return text in bold for a terminal; a pipe sees it plain."""
    return typer.style(text, bold=True)


def first_paragraph(text: str | None) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())


def _refuse_twice(command: Any, ctx: Any, args: list[str]) -> None:
    _, _, order = command.make_parser(ctx).parse_args(args=list(args))
    times = Counter(id(parameter) for parameter in order)
    for parameter in order:
        takes_one = parameter.param_type_name == "option" and not parameter.multiple
        # A switch that can only be turned on says the same when it is said twice.
        is_switch = getattr(parameter, "is_flag", False) and not parameter.secondary_opts
        if times[id(parameter)] > 1 and takes_one and not is_switch:
            ctx.fail(f"{parameter.opts[0]} is given {times[id(parameter)]} times; give it once")
