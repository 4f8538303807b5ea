"""Where work runs: on the machines of a Ray cluster, by their CPUs, GPUs and memory.

A piece of work is a process of its own there as it is here, started and watched by a task of Ray.
It ends with that task: where Ray's process, the machine's Ray or the driver ends, it is told to put
its work in order first. Ray itself starts nothing again; whoever gave the work decides.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from i2ibench.errors import MissingError, UsageError
from i2ibench.executors import GRACE_SECONDS, Ended, Work, threads_of
from i2ibench.files import cache_folder
from i2ibench.processes import end_group, start_helper
from i2ibench.ray_machines import Machines
from i2ibench.runtime import usable_cores
from i2ibench.wording import count

if TYPE_CHECKING:
    import ray

# The exit code where a machine is at fault: it does not fit, or its Ray has ended.
UNFIT = 78
# A machine that joins is seen after at most as long.
_LOOK_SECONDS = 10.0
# A process of Ray that is told to end would kill those that it started; ours save their work first.
_LEFT_ALONE = {"env_vars": {"RAY_kill_child_processes_on_worker_exit": "false"}}
_CONNECT_SECONDS = 20.0
# Of a cluster of our own: nothing large goes through Ray's memory.
_STORE_BYTES = 128 << 20


class RayCluster:
    """Places on the machines of a Ray cluster, for whoever leaves the ``with`` block to end it.

    Args:
        address: of the cluster's head, e.g. ``10.0.0.1:6379``; by default that of ``RAY_ADDRESS``,
            else the cluster that runs on this machine, else one of this machine alone is started.
        storage: a folder that every machine must share with this one.
        jobs: pieces of work at a time; by default as many as the machines have room for.
        threads: CPUs of each; by default those of the smallest machine, shared among its GPUs.
        gpu: whether each takes a GPU, where the cluster has any.
        memory_gb: of each, in GiB; by default what is known of the work, else none is asked for.
        remedy: what gives another folder than ``storage``, for whom a machine does not see it.

    Raises:
        MissingError: Ray is not installed.
        UsageError: no cluster there, or one whose machines do not fit: see ``Machines.check``.
    """

    def __init__(
        self,
        address: str | None,
        storage: Path,
        *,
        jobs: int | None = None,
        threads: int | None = None,
        gpu: bool = True,
        memory_gb: float | None = None,
        remedy: str = "put --output where all share it",
    ) -> None:
        self._ray = _imported()
        self._own = _connect(self._ray, address)
        try:
            self._machines = Machines(self._ray)
            self._versions = self._machines.check(storage.resolve(), remedy)
            self.gpus = 1 if gpu and self._machines.gpus else 0
            self.threads = threads or self._machines.share(self.gpus)
        except BaseException:
            self.close()
            raise
        self.jobs = jobs
        self._memory_gb = memory_gb
        self._running: dict[str, ray.ObjectRef[int]] = {}
        self._task = self._ray.remote(max_retries=0, retry_exceptions=False)(_work)

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __str__(self) -> str:
        each = [count(self.threads, "CPU")]
        if self.gpus:
            each.append("1 GPU")
        if self._memory_gb is not None:
            each.append(f"{self._memory_gb:g} GiB")
        return f"Ray on {self._machines}; {', '.join(each)} a run"

    @property
    def free(self) -> int:
        """How many pieces of work the machines have room for now, beside those that run.

        One where nothing runs, so that a cluster that grows by demand sees some.
        """
        places = self.jobs or self._machines.places(self.threads, self.gpus, self._memory_gb)
        return max(1, places) - len(self._running)

    def start(self, work: Work) -> None:
        """Give a piece of work to Ray, which starts it on a machine that has room."""
        work.log.parent.mkdir(parents=True, exist_ok=True)
        memory = work.memory_mb if self._memory_gb is None else self._memory_gb * 1024
        placed = self._task.options(
            name=work.name,
            num_cpus=self.threads,
            num_gpus=self.gpus,
            runtime_env=_LEFT_ALONE,
            **({"memory": int(memory * (1 << 20))} if memory else {}),
        )
        self._running[work.name] = placed.remote(
            work.module,
            work.arguments,
            str(work.log.resolve()),
            str(Path.cwd()),
            {**threads_of(self.threads), **_own_variables()},
            self._versions,
        )

    def ended(self, patience: float) -> list[Ended]:
        """Return what has ended; wait up to ``patience`` seconds for the first."""
        if not self._running:
            threading.Event().wait(patience)
            return []
        given = [*self._running.values()]
        self._ray.wait(given, timeout=min(patience, _LOOK_SECONDS))
        done, _ = self._ray.wait(given, num_returns=len(given), timeout=0)
        names = [name for name, task in self._running.items() if task in done]
        return [self._end(name, self._running.pop(name)) for name in names]

    def stop(self) -> None:
        """Ask all that runs to put its work in order and end, and wait until it has.

        A second Ctrl-C meanwhile kills what still runs.
        """
        try:
            for task in self._running.values():
                self._ray.cancel(task, force=False)
            rounds = int(GRACE_SECONDS / _LOOK_SECONDS) + 1
            while self._running and rounds:
                rounds -= not self.ended(_LOOK_SECONDS)
        finally:
            for task in self._running.values():
                self._ray.cancel(task, force=True)

    def close(self) -> None:
        """Leave the cluster; one of our own ends."""
        if self._own:
            self._ray.shutdown()

    def _end(self, name: str, task: ray.ObjectRef[int]) -> Ended:
        errors = self._ray.exceptions
        try:
            code, reason = self._ray.get(task)
        except errors.TaskCancelledError:
            return Ended(name, 130)
        except errors.OutOfMemoryError:
            line = "its machine ran out of memory, and Ray ended it; ask for more by --memory"
            return Ended(name, -signal.SIGKILL, line)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.LocalRayletDiedError):
            line = "its machine, or the process of Ray that watched it, has gone"
            return Ended(name, -signal.SIGKILL, line, lost=True)
        except errors.RayError as error:
            line = str(error).strip().splitlines()[-1]
            return Ended(name, 1, f"Ray could not run it: {line}")
        return Ended(name, code, reason, lost=code == UNFIT)


def _imported() -> Any:
    """Return Ray, told to send nothing about its use."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Whoever asks for no GPU gets none; Ray's warning of it would stand in every log.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise MissingError(
            "--on ray needs the package ray; run: pip install 'i2ibench[ray]'"
        ) from None
    return ray


def _connect(ray: Any, address: str | None) -> bool:
    """Connect to a cluster, or start one of this machine; return whether it is ours to leave."""
    if ray.is_initialized():
        return False
    if address is not None and "://" in address:
        raise UsageError(
            f"--address {address}: start it on a machine of the cluster and give the address of "
            "its head, e.g. 10.0.0.1:6379, for the runs must be seen from here"
        )
    address = address or os.environ.get("RAY_ADDRESS")
    if address:
        _check_somebody_listens(address)
    told: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    with _nothing_importable_here(), _kept_handlers():
        try:
            ray.init(address=address or "auto", **told)
        except (ConnectionError, RuntimeError, ValueError) as error:
            if address:
                line = str(error).strip().splitlines()[0]
                raise UsageError(f"no Ray cluster at {address}: {line}") from None
            own = {"num_cpus": usable_cores(), "object_store_memory": _STORE_BYTES}
            ray.init(address="local", include_dashboard=False, **own, **told)
    return True


def _check_somebody_listens(address: str) -> None:
    """Refuse an address where nothing is: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if address in ("auto", "local"):  # as RAY_ADDRESS may be
        return
    if not host or not port.isdecimal():
        raise UsageError(f"Ray address {address}: write HOST:PORT, e.g. 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"no Ray cluster at {address}: {error}; ray start --head says its address"
        ) from None


@contextlib.contextmanager
def _nothing_importable_here() -> Iterator[None]:
    """Work in an empty folder: Ray lets its processes import from where a driver connects."""
    here, empty = Path.cwd(), cache_folder() / "empty"
    empty.mkdir(parents=True, exist_ok=True)
    os.chdir(empty)
    try:
        yield
    finally:
        os.chdir(here)


@contextlib.contextmanager
def _kept_handlers() -> Iterator[None]:
    """Keep what SIGTERM does here, which Ray changes where it starts a cluster."""
    former = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, former)


def _own_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("I2IBENCH_")}


def _work(
    module: str,
    arguments: Sequence[str],
    log: str,
    folder: str,
    environment: Mapping[str, str],
    versions: Mapping[str, str],
) -> tuple[int, str]:
    """Do a piece of work on this machine: the task of Ray. Return its exit code, or why not."""
    from i2ibench.ray_machines import unfit

    if fault := unfit(folder, versions):
        return UNFIT, fault
    os.chdir(folder)
    with Path(log).open("ab") as output:
        process = start_helper(
            module, arguments, grace=GRACE_SECONDS, environment=environment, output=output
        )
    try:
        if (code := _waited(process)) is not None:
            return code, ""
        _ended(process)
        return UNFIT, "the Ray of its machine has ended"
    except KeyboardInterrupt:  # Ray has been asked to cancel it
        return _ended(process), ""
    finally:
        if process.stdin is not None:
            process.stdin.close()  # whatever ends this task, the process is told


def _waited(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for a process and return its exit code; None where the Ray of this machine ends first.

    Ray lets a task that works outlive it; but its other machines count this one as lost.
    """
    machine = os.getppid()
    while os.getppid() == machine:
        # In short waits: a cancellation is no signal, and wakes none.
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(1.0)
    return None


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Ask a process to put its work in order and end; return its exit code."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(GRACE_SECONDS)
    end_group(process)
    return process.wait()
