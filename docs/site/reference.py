"""Pages of the documentation that are made from the code: verbs, functions, metrics, protocols."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
from collections.abc import Iterator

import i2ibench
from i2ibench import registry
from i2ibench.cli.app import VERBS, _load, run_app

# Of what the command line prints here, in characters.
WIDTH = "80"
_LEAD = """Everything below is an attribute of `i2ibench`. Every metric is a function too, \
`i2ibench.metrics.NAME(prediction, target)`, see [Metrics](../metrics.md#on-arrays-and-tensors)."""


def command_line() -> str:
    """Return the page of every verb, with its help as it is printed."""
    parts = ["# The command line", "", "What `--help` prints, verb by verb.", ""]
    for verb in VERBS:
        for words in (verb, *(f"{verb} {name}" for name in _own_verbs(verb))):
            parts += [f"## i2ibench {words}", "", *_fence(_printed([*words.split(), "--help"]))]
    return "\n".join(parts)


def cards(verb: str, title: str, lead: str) -> str:
    """Return the page of all registered names of a kind: what ``i2ibench VERB NAME`` prints."""
    names = sorted(getattr(registry, verb).names())
    parts = [f"# {title}", "", lead, ""]
    for name in names:
        parts += [f"## {name}", "", *_fence(_printed([verb, name]))]
    return "\n".join(parts)


def python_interface() -> str:
    """Return the page of every public name, with its signature and docstring."""
    parts = ["# Python", "", _LEAD, ""]
    for name in i2ibench.__all__:
        found = getattr(i2ibench, name)
        if name in {"__version__", "metrics"}:
            continue
        parts += [f"## {name}", ""]
        with contextlib.suppress(TypeError, ValueError):
            parts += _fence(_signature(name, found), "python")
        parts += [*_markdown(inspect.getdoc(found) or ""), ""]
    return "\n".join(parts)


def _own_verbs(verb: str) -> list[str]:
    commands = getattr(_load(verb), "registered_commands", [])
    return [each.name or each.callback.__name__.replace("_", "-") for each in commands]


def _printed(arguments: list[str]) -> str:
    os.environ["COLUMNS"] = WIDTH
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()):
        code = run_app(arguments)
    if code:
        raise RuntimeError(f"i2ibench {' '.join(arguments)} ended with {code}")
    return told.getvalue().strip("\n")


def _fence(text: str, language: str = "text") -> list[str]:
    return [f"````{language}", text, "````", ""]


def _signature(name: str, found: object) -> str:
    signature = inspect.signature(found)  # type: ignore[arg-type]
    shown = [re.sub(r": '([^']*)'", r": \1", str(each)) for each in signature.parameters.values()]
    if len(f"{name}({', '.join(shown)})") <= int(WIDTH):
        return f"{name}({', '.join(shown)})"
    if any(each.kind is each.KEYWORD_ONLY for each in signature.parameters.values()):
        kinds = [each.kind for each in signature.parameters.values()]
        shown.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    return "\n".join([f"{name}(", *(f"    {each}," for each in shown), ")"])


def _markdown(text: str) -> Iterator[str]:
    """Yield a docstring as Markdown: examples as code, attributes and arguments as lists."""
    in_example = in_list = False
    for line in text.splitlines():
        is_example = line.startswith((">>>", "..."))
        if in_example and not line.strip():
            yield from ("```", "")
            in_example = False
            continue
        if is_example and not in_example:
            yield from ("", "```pycon")
            in_example = True
        heading = re.fullmatch(r"(Args|Attributes|Raises|Returns|Yields):", line)
        item = re.fullmatch(r"    (\*{0,2}\w+): (.*)", line)
        if in_example:
            yield line
        elif heading:
            yield from ("", f"**{heading[1]}**", "")
            in_list = True
        elif in_list and item:
            yield f"- `{item[1]}`: {_plain(item[2])}"
        else:
            yield _plain(line if line.startswith("    ") and not in_list else line.strip())
    if in_example:
        yield "```"


def _plain(line: str) -> str:
    return line.replace("``", "`").removesuffix("::")
