"""One fault of a model, and where in its author's code it stands."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.errors import I2IBenchError, is_out_of_memory, named
from i2ibench.models.foreign.plain_module import PlainModule
from i2ibench.models.interface import TranslationModel


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a model does against the contract.

    Attributes:
        check: a word, e.g. ``"shape"``.
        text: one line: class and method, the line of its code, what is wrong, why it matters.
        stops: whether numbers would be wrong or the run fail; else it is only said.
        error: what was raised, where something was.
    """

    check: str
    text: str
    stops: bool = True
    error: BaseException | None = None


def failure(model: TranslationModel, method: str, error: BaseException) -> Finding:
    """Return the finding that a method raised; exhausted memory is raised, being no fault.

    Raises:
        Exception: ``error``, where memory ran out.
    """
    if is_out_of_memory(error):
        raise error
    if isinstance(error, I2IBenchError):
        return Finding("error", str(error), error=error)
    place = _place_of(model, error) or named_place(model, method)
    return Finding("error", f"{place} failed: {named(error)}", error=error)


def named_place(model: TranslationModel, method: str) -> str:
    """Return where a method's code stands, e.g. ``Net.translate (net.py:12)``."""
    kind, name = _author_class(model), method
    if isinstance(model, PlainModule) and method != "__init__":
        name = "forward"
    function = inspect.unwrap(getattr(kind, name, kind))
    code = getattr(function, "__code__", None)
    if code is None or _is_inherited_from_us(kind, name):
        return f"{kind.__name__}{_line_of_class(kind)}"
    return f"{kind.__name__}.{name} ({Path(code.co_filename).name}:{code.co_firstlineno})"


def _author_class(model: TranslationModel) -> type:
    found: type = getattr(model, "module_class", type(model))
    return found


def _is_inherited_from_us(kind: type, name: str) -> bool:
    owner: Callable[..., Any] = getattr(kind, name)
    return str(getattr(owner, "__module__", "")).startswith(("i2ibench.models.interface", "torch."))


def _line_of_class(kind: type) -> str:
    try:
        file = inspect.getsourcefile(kind)
        return f" ({Path(file).name}:{inspect.getsourcelines(kind)[1]})" if file else ""
    except (OSError, TypeError):  # made in a notebook, or of compiled code
        return ""


def _place_of(model: TranslationModel, error: BaseException) -> str | None:
    """Return the last line of the author's own code on the way to an error."""
    kind = _author_class(model)
    package = kind.__module__.partition(".")[0]
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        module = str(frame.f_globals.get("__name__", ""))
        if module == kind.__module__ or module.partition(".")[0] == package != "i2ibench":
            code = frame.f_code
            return f"{kind.__name__}.{code.co_name} ({Path(code.co_filename).name}:{line})"
    return None
