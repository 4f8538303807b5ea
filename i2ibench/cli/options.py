"""Options of the command line, made from the tables in ``runs``.

``takes_options_of`` gives a verb every option of a Python function; the names below it are options
that several verbs share one by one. Help, limits and panels stand in the tables alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from i2ibench.cli.completion import completer
from i2ibench.errors import UsageError
from i2ibench.runs.option_fields import WHAT, WHERE, Shown
from i2ibench.runs.options import Options, SharedOptions

_BY_NAME = inspect.Parameter.KEYWORD_ONLY


def takes_options_of(
    function: Callable[..., Any], table: type[SharedOptions]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the options that ``function`` takes as keywords.

    The decorated verb's first parameter receives them as one ``table``; its other parameters stay
    options and arguments of its own.
    """
    known = {each.name: each for each in fields(table)}
    types = get_type_hints(table)
    taken = [known[name] for name in inspect.signature(function).parameters if name in known]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(verb, include_extras=True)
        own = list(inspect.signature(verb).parameters.values())[1:]

        @wraps(verb)
        def command(**given: Any) -> None:
            asked = {each.name: given.pop(each.name) for each in taken}
            verb(table(**_as_in_python(asked)), **given)

        parameters = [_parameter(each, types[each.name]) for each in taken]
        parameters += [each.replace(annotation=hints[each.name], kind=_BY_NAME) for each in own]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorate


def option(name: str, table: type[SharedOptions] = Options) -> Any:
    """Return the ``typer.Option`` of one field of a table."""
    return _typer_option(next(each for each in fields(table) if each.name == name))


def parse_settings(settings: list[str] | None) -> dict[str, Any]:
    """Turn ``["training.epochs=5"]`` into ``{"training.epochs": 5}``; values are read as TOML."""
    from i2ibench.registry import tomllib

    parsed: dict[str, Any] = {}
    for setting in settings or []:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {setting}: write KEY=VALUE, e.g. --set training.epochs=5")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):  # also of too many digits or brackets
            value = text  # a bare word is a string
        parsed[key.strip()] = value
    return parsed


def _parameter(field: Field[Any], declared: Any) -> inspect.Parameter:
    shown: Shown = field.metadata["option"]
    typed = declared if shown.typed is None else shown.typed
    default: Any = inspect.Parameter.empty
    if field.default is not MISSING:
        default = field.default
    elif field.default_factory is not MISSING:
        default = None  # nothing given
    if get_origin(typed) is list and isinstance(default, str):
        default = [default]
    return inspect.Parameter(
        field.name,
        _BY_NAME,
        default=default,
        annotation=Annotated[typed, _typer_option(field)],
    )


def _typer_option(field: Field[Any]) -> Any:
    shown: Shown = field.metadata["option"]
    flag = shown.flag or f"--{field.name.replace('_', '-')}"
    smallest, largest = shown.limits
    return typer.Option(
        flag,
        *([shown.short] if shown.short else []),
        help=shown.help,
        rich_help_panel=shown.panel,
        metavar=shown.metavar,
        min=smallest,
        max=largest,
        autocompletion=completer(shown.values),
    )


def _as_in_python(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed in the form that a table takes."""
    taken = dict(asked)
    if "settings" in taken:
        taken["settings"] = parse_settings(taken["settings"])
    return taken


# The type of each stands here once more, because annotations must; a test compares them.
Board = Annotated[Path, option("board")]
DataRoot = Annotated[Path | None, option("data_root")]
Device = Annotated[str, option("device")]
Direction = Annotated[str | None, option("direction")]
Output = Annotated[Path, option("output")]
Limit = Annotated[int | None, option("limit")]
Settings = Annotated[list[str] | None, option("settings")]
WithoutPictures = Annotated[bool, option("without_pictures")]
UnverifiedWeights = Annotated[bool, option("allow_unverified_weights")]
# Not of a table: what a record says, where nothing is given.
RecordedDataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        help="Data set, name or path; default: the recorded name.",
        rich_help_panel=WHAT,
        autocompletion=completer("datasets"),
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON on stdout.")]
RecordedTargets = Annotated[
    Path | None,
    typer.Option(
        "--targets", help="Folder of targets, instead of a data set.", rich_help_panel=WHAT
    ),
]
StoredPredictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        help="Folder of the predictions; default: beside the result.",
        rich_help_panel=WHERE,
    ),
]
