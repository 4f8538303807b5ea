"""One run of a campaign as an executor gets it: a text, for a process anywhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from i2ibench.campaigns.planned_runs import PlannedRun
from i2ibench.executors import Work
from i2ibench.runs.folder import RunFolder
from i2ibench.runs.options import Options

# Imported by the process that makes the run.
WORKER = "i2ibench.campaigns.worker"


@dataclass(frozen=True)
class Task:
    """A run to be made.

    Attributes:
        options: of ``run``.
        folder: of the run; where the options lead to another, data or code have changed.
        attempt: of this start of the campaign; the first is 1.
    """

    options: Options
    folder: RunFolder
    attempt: int

    def to_text(self) -> str:
        """Return it as JSON."""
        folder = str(self.folder.path)
        content = {"options": _plain(self.options), "folder": folder, "attempt": self.attempt}
        return json.dumps(content)

    @classmethod
    def from_text(cls, text: str) -> Task:
        """Return the task of ``to_text``."""
        content = json.loads(text)
        folder = RunFolder(Path(content["folder"]))
        return cls(Options(**content["options"]), folder, content["attempt"])


def work_of(run: PlannedRun, attempt: int, memory_mb: float | None = None) -> Work:
    """Return what an executor is given to make a run, with the most memory it is known to hold."""
    folder = run.folder
    if folder is None:
        raise ValueError(f"{run.title} cannot start")
    text = Task(run.options, folder, attempt).to_text()
    return Work(run.id, WORKER, (text,), folder.log, memory_mb)


def command(options: Options) -> list[str]:
    """Return the words of the command that makes a run with these options, and no other."""
    words = ["i2ibench", "run"]
    # What it is comes first.
    for each in sorted(fields(Options), key=lambda field: field.name not in ("model", "dataset")):
        value = getattr(options, each.name)
        default = each.default if each.default is not MISSING else None
        if each.name == "settings":
            for key, setting in value.items():
                words += ["--set", f"{key}={toml_value(setting)}"]
        elif isinstance(value, bool):
            if value != default:
                words.append(_flag(each.name) if value else f"--no-{_flag(each.name)[2:]}")
        elif value is not None and value != default:
            words += [_flag(each.name), str(value)]
    return words


def command_line(options: Options) -> str:
    """Return the command as a shell takes it."""
    return shlex.join(command(options))


def on_one_gpu(options: Options) -> Options:
    """Return options for a process that sees one GPU: there it is the first."""
    return replace(options, device=options.device.partition(":")[0])


def toml_value(value: Any) -> str:
    """Return a setting as ``--set`` reads it: in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(key)} = {toml_value(v)}" for key, v in value.items())
        return f"{{{inner}}}"
    return json.dumps(str(value), ensure_ascii=False)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _plain(options: Options) -> dict[str, Any]:
    """Return options as JSON values."""
    values = {each.name: getattr(options, each.name) for each in fields(options)}
    plain = {name: str(v) if isinstance(v, Path) else v for name, v in values.items()}
    return {**plain, "settings": dict(options.settings)}
