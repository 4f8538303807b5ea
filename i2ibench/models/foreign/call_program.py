"""Calling a program that may fail, hang, or leave processes behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from i2ibench.errors import PluginError, UsageError

_LAST_BYTES = 4096
_LONGEST = 200
# How long a program may take to end by itself when it is asked to.
_GRACE_SECONDS = 5.0


def call_program(
    command: Sequence[str],
    *,
    what: str,
    folder: Path,
    log: Path,
    seconds: float,
    environment: Mapping[str, str],
) -> None:
    """Run a command to its end in a process group of its own; its output goes to ``log``.

    Nothing of the group is left running, however it ends.

    Args:
        command: program and arguments; no shell reads them.
        what: names it in messages, e.g. ``"the translation of mymethod"``.
        folder: where it runs.
        log: receives its output and errors.
        seconds: after which it is stopped.
        environment: all that it sees.

    Raises:
        UsageError: it cannot be started.
        PluginError: it failed, or took too long; names the log and its last line.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, _terminated_like_interrupted():
        try:
            process = subprocess.Popen(
                [*command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise UsageError(f"{what}: cannot start {command[0]}: {error}") from None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise PluginError(
                f"{what} did not end within {seconds / 3600:g} h and was stopped; {_told(log)}"
            ) from None
        finally:
            _end(process)
    if code != 0:
        how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
        raise PluginError(f"{what} {how}; {_told(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End everything in the group of a process, and return when it has ended."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    _signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    # A killed process may write for a moment longer, into folders that are read or removed next.
    end = time.monotonic() + _GRACE_SECONDS
    while _is_running(process.pid) and time.monotonic() < end:
        time.sleep(0.005)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.kill()


def _is_running(group: int) -> bool:
    """Whether a process of a group runs; one that ended and was not reaped yet does not."""
    try:
        os.killpg(group, 0)
    except (AttributeError, ProcessLookupError, PermissionError):  # Windows; none; not ours
        return False
    members = [found for found in map(_state_and_group, Path("/proc").glob("[0-9]*/stat")) if found]
    return not members or any(each == group and state not in "ZX" for state, each in members)


def _state_and_group(stat: Path) -> tuple[str, int] | None:
    """Read a process' state and group from ``/proc``; None if it ended meanwhile."""
    try:
        # The name before them stands in parentheses and may hold anything.
        state, _, group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return None
    return state, int(group)


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end the program too, which has a session of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _told(log: Path) -> str:
    """Return the last line of a log and where it lies."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    last = next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")
    last = "".join(sign for sign in last if sign.isprintable())[:_LONGEST]
    return f"its last words: {last!r}, all in {log}" if last else f"it said nothing into {log}"
