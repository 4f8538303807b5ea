"""Where work runs: here, in processes that end with this one (``ray_cluster`` is another place).

An executor starts pieces of work in free places and says which have ended, and how. What a piece
of work did is read from the files it wrote; nothing comes back through the executor.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from i2ibench.errors import UsageError
from i2ibench.processes import end_group, start_helper
from i2ibench.runtime import usable_cores
from i2ibench.wording import count

# How long a process may take to put its work in order: a step of a large network, a checkpoint.
GRACE_SECONDS = 60.0
# Each library that computes with threads has a variable of its own.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work: ``main(arguments)`` of a module, in a process of its own.

    Attributes:
        name: by which its end is told.
        module: that is imported.
        arguments: of its ``main``.
        log: what it prints is appended to this file.
        memory_mb: the most that it is known to hold, in MiB; None where nothing is known.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    log: Path
    memory_mb: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A piece of work that has ended.

    Attributes:
        name: of the work.
        code: its exit code, or the signal that killed it as a negative number.
        reason: in words, where the place knows more than the code says.
        lost: whether the place is at fault, not the work: it can be done in another.
    """

    name: str
    code: int
    reason: str = ""
    lost: bool = False


class Executor(Protocol):
    """What a campaign asks of a place where work runs."""

    @property
    def threads(self) -> int:
        """How many threads a piece of work computes with."""
        ...

    @property
    def free(self) -> int:
        """How many pieces of work could be started now."""
        ...

    def start(self, work: Work) -> None:
        """Start a piece of work; there must be a free place."""
        ...

    def ended(self, patience: float) -> list[Ended]:
        """Return what has ended; wait up to ``patience`` seconds for the first."""
        ...

    def stop(self) -> None:
        """Ask all that runs to put its work in order and end, and wait until it has."""
        ...


class ProcessesHere:
    """Processes on this machine, one a place; a place has its threads and at most one GPU.

    Args:
        jobs: how many run at a time; by default one a GPU, or one where there are none.
        threads: of each; by default ``$OMP_NUM_THREADS``, or the cores of this process, shared out.
        gpus: the names that ``CUDA_VISIBLE_DEVICES`` takes, one a place; none for a CPU.

    Raises:
        UsageError: more jobs than GPUs.
    """

    def __init__(
        self, jobs: int | None = None, threads: int | None = None, gpus: Sequence[str] = ()
    ) -> None:
        self.jobs = jobs or max(1, len(gpus))
        if gpus and self.jobs > len(gpus):
            raise UsageError(
                f"--jobs {self.jobs}: a GPU takes one run, and here are {len(gpus)}; use "
                f"--jobs {len(gpus)}, or --device cpu"
            )
        said = os.environ.get(_THREADS[0], "")
        asked = int(said) if said.isascii() and said.isdecimal() else 0
        self.threads = threads or asked or max(1, usable_cores() // self.jobs)
        self._gpus = [*gpus] or [""] * self.jobs
        self._places = list(range(self.jobs))
        self._running: dict[str, tuple[int, subprocess.Popen[bytes]]] = {}
        self._ends: queue.Queue[Ended] = queue.Queue()

    def __str__(self) -> str:
        processes = "1 process" if self.jobs == 1 else f"{self.jobs} processes"
        gpus = f", {count(min(self.jobs, len(self._gpus)), 'GPU')}" if self._gpus[0] else ""
        return f"{processes}, {count(self.threads, 'thread')} each{gpus}"

    @property
    def free(self) -> int:
        """How many pieces of work could be started now."""
        return len(self._places)

    def start(self, work: Work) -> None:
        """Start a piece of work in a free place."""
        place = self._places.pop(0)
        try:
            work.log.parent.mkdir(parents=True, exist_ok=True)
            with work.log.open("ab") as output:
                process = start_helper(
                    work.module,
                    work.arguments,
                    grace=GRACE_SECONDS,
                    environment=self._environment(place),
                    output=output,
                )
        except BaseException:
            self._places.insert(0, place)
            raise
        self._running[work.name] = place, process
        threading.Thread(target=self._wait, args=(work.name, process), daemon=True).start()

    def ended(self, patience: float) -> list[Ended]:
        """Return what has ended; wait up to ``patience`` seconds for the first."""
        found: list[Ended] = []
        try:
            found.append(self._ends.get(timeout=patience))
            while True:
                found.append(self._ends.get_nowait())
        except queue.Empty:
            pass
        for end in found:
            place, process = self._running.pop(end.name)
            self._places = sorted([*self._places, place])
            if process.stdin is not None:
                process.stdin.close()
        return found

    def stop(self) -> None:
        """Send all SIGTERM and wait until they have ended; what takes too long is killed.

        A second Ctrl-C meanwhile kills what still runs.
        """
        processes = [process for _, process in self._running.values()]
        try:
            for process in processes:
                process.terminate()
            while self._running and self.ended(GRACE_SECONDS):
                pass
        finally:
            for process in processes:
                if process.poll() is None:
                    end_group(process)
                    process.wait()

    def _wait(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self._ends.put(Ended(name, process.wait()))

    def _environment(self, place: int) -> dict[str, str]:
        gpu = self._gpus[place]
        return {**threads_of(self.threads), **({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {})}


def threads_of(threads: int) -> dict[str, str]:
    """Return the environment in which libraries compute with so many threads."""
    return dict.fromkeys(_THREADS, str(threads))


def gpus_here(device: str) -> tuple[str, ...]:
    """Return the GPUs that ``device`` (``auto``, ``cpu``, ``cuda``, ``cuda:N``) leaves to be used.

    Their names are those that ``CUDA_VISIBLE_DEVICES`` takes.
    """
    if device == "cpu":
        return ()
    import torch

    if not torch.cuda.is_available():
        return ()
    said = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    visible = [name.strip() for name in said.split(",") if name.strip()]
    visible = visible or [str(number) for number in range(torch.cuda.device_count())]
    _, _, number = device.partition(":")
    return (visible[int(number)],) if number else tuple(visible)
