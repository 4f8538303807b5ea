"""Processes of ours: they import nothing from the working directory and end with their parent.

A folder that somebody downloaded may hold a ``numpy.py``; whoever works in it runs none of it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

# Isolated (-I), Python looks at neither the working directory nor PYTHON* variables.
_ISOLATED = "-I"
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from i2ibench.processes import _run_helper; "
    "_run_helper(sys.argv[2], float(sys.argv[3]), sys.argv[4:])"
)


def start_helper(
    module: str,
    arguments: Sequence[str],
    *,
    grace: float = 0.0,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``main(arguments)`` of ``module`` in a process that ends when this one does.

    Not multiprocessing: its spawned children import the caller's main module again, which breaks
    scripts without a __main__ guard.

    Args:
        module: to import.
        arguments: of its ``main``.
        grace: seconds in which it may put its work in order when this process has ended: it gets
            SIGTERM first. It then leads a session of its own, so that Ctrl-C in a terminal does
            not reach it past this process.
        environment: variables beside those of this process.
        output: what it and its libraries print goes there; by default where this process prints.
    """
    utf8 = ["-X", "utf8"] if sys.flags.utf8_mode else []
    command = [sys.executable, _ISOLATED, *utf8, "-c", _START, json.dumps(import_path()), module]
    # Its standard input ends with this process, however that ends.
    return subprocess.Popen(
        [*command, str(grace), *arguments],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output if output is None else subprocess.STDOUT,
        env=None if environment is None else {**os.environ, **environment},
        start_new_session=grace > 0,
    )


def import_path() -> list[str]:
    """Return where this process imports from, less the working directory.

    Where i2ibench itself lies there, in a checkout say, it stands last and hides nothing.
    """
    kept = [entry for entry in sys.path if not _is_working_directory(entry)]
    home = str(Path(__file__).resolve().parents[1])
    return kept if home in kept else [*kept, home]


def put_working_directory_last() -> None:
    """Let nothing in the working directory stand for a module of Python or of a package.

    An empty entry in PYTHONPATH, as of ``PYTHONPATH=$PYTHONPATH:/elsewhere``, puts it first.
    """
    here = [entry for entry in sys.path if _is_working_directory(entry)]
    sys.path[:] = [entry for entry in sys.path if entry not in here] + here


@contextlib.contextmanager
def isolated_workers() -> Iterator[None]:
    """Let processes that multiprocessing starts meanwhile import nothing of the working directory.

    They are started by ``python -c``, which puts it first, before they are told where this process
    imports from.
    """
    from multiprocessing import util

    former = util._args_from_interpreter_flags  # type: ignore[attr-defined]
    util._args_from_interpreter_flags = lambda: [_ISOLATED, *former()]  # type: ignore[attr-defined]
    try:
        yield
    finally:
        util._args_from_interpreter_flags = former  # type: ignore[attr-defined]


def interrupt_on_termination() -> None:
    """Let SIGTERM and SIGHUP end this program as Ctrl-C does: what is half-written is removed.

    A signal that is ignored (``nohup``) or has a handler already stays as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _is_working_directory(entry: str) -> bool:
    try:
        return Path(entry).resolve() == Path.cwd().resolve()
    except OSError:  # it was removed
        return not entry


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started with a grace, and all that it started, at once."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _run_helper(module: str, grace: float, arguments: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends this process
    threading.Thread(target=_end_with_parent, args=(grace,), daemon=True).start()
    importlib.import_module(module).main(arguments)


def _end_with_parent(grace: float) -> None:
    # Not sys.stdin: a thread that waits in it would keep the interpreter from its end.
    while os.read(0, 1):
        pass
    if grace:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(grace)
        if hasattr(os, "killpg"):  # with all that it started; it leads their session
            os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
