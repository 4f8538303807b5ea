"""The machines of a Ray cluster: what they have, and whether work may be put on them.

A run is files: a machine that sees other files than the driver, or computes with other versions,
would do another run, or one that nobody finds. So each is asked before anything starts.
"""

from __future__ import annotations

import contextlib
import platform
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from i2ibench.errors import UsageError
from i2ibench.provenance import package_version
from i2ibench.wording import count

# What another machine has written may be seen later, through a network's file system.
_LATE_SECONDS = 15.0
_LOOK_SECONDS = 0.25
# A machine that is asked may have to start a process of Ray first.
_ANSWER_SECONDS = 120.0


class Machines:
    """Those machines of a connected cluster that have CPUs.

    Args:
        ray: the module, connected.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def __str__(self) -> str:
        alive = self._alive()
        cpus = int(sum(each["Resources"]["CPU"] for each in alive))
        gpus = f" and {count(self.gpus, 'GPU')}" if self.gpus else ""
        return f"{count(len(alive), 'machine')} with {count(cpus, 'CPU')}{gpus}"

    @property
    def gpus(self) -> int:
        """How many GPUs they have together."""
        return int(sum(each["Resources"].get("GPU", 0) for each in self._alive()))

    def share(self, gpus: int) -> int:
        """Return the CPUs of one piece of work: the least that a machine has, or has a GPU."""
        if not gpus:
            return int(min(each["Resources"]["CPU"] for each in self._alive()))
        have = [each["Resources"] for each in self._alive() if each["Resources"].get("GPU")]
        return max(1, int(min(each["CPU"] // each["GPU"] for each in have)))

    def places(self, cpus: int, gpus: int, memory_gb: float | None) -> int:
        """Return how many pieces of work find room at a time."""
        wanted = {"CPU": cpus, "GPU": gpus, "memory": (memory_gb or 0) * (1 << 30)}
        return sum(
            min(
                int(each["Resources"].get(what, 0) // much) for what, much in wanted.items() if much
            )
            for each in self._alive()
        )

    def check(self, storage: Path, remedy: str) -> dict[str, str]:
        """Ask every machine for its versions, and whether it shares a folder with this one.

        Each reads a file that is written here, and writes one that is read here.

        Args:
            storage: the folder.
            remedy: what gives another.

        Returns:
            The versions, which are everywhere the same.

        Raises:
            UsageError: a machine without i2ibench or of other versions, that does not share the
                folder or the working directory, or that does not answer.
        """
        machines = self._alive()
        if not machines:
            raise UsageError("the Ray cluster has no machine with a CPU; add one: ray start")
        storage.mkdir(parents=True, exist_ok=True)
        token = secrets.token_hex(8)
        asked = storage / f".shared-{token}"
        asked.write_text(token)
        try:
            self._compare(machines, asked, token, remedy)
        finally:
            for path in storage.glob(f"{asked.name}*"):
                path.unlink(missing_ok=True)
        return versions()

    def _compare(
        self, machines: list[dict[str, Any]], asked: Path, token: str, remedy: str
    ) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        look = self._ray.remote(num_cpus=0, max_retries=0)(_looker())
        answers = {}
        for each in machines:
            affinity = NodeAffinitySchedulingStrategy(each["NodeID"], soft=False)
            placed = look.options(scheduling_strategy=affinity)
            answers[each["NodeID"]] = placed.remote(str(asked), each["NodeID"], str(Path.cwd()))
        for each in machines:
            name = f"{each['NodeManagerHostname']} ({each['NodeManagerAddress']})"
            try:
                found = self._ray.get(answers[each["NodeID"]], timeout=_ANSWER_SECONDS)
            except self._ray.exceptions.RayError as error:
                if each["NodeID"] not in {node["NodeID"] for node in self._alive()}:
                    continue  # it has left the cluster meanwhile
                line = str(error).strip().splitlines()[-1]
                raise UsageError(f"machine {name} of the Ray cluster: {line}") from None
            back = Path(f"{asked}.{each['NodeID']}")
            if fault := _fault(found, back, token, remedy):
                raise UsageError(f"machine {name} of the Ray cluster {fault}")

    def _alive(self) -> list[dict[str, Any]]:
        nodes = [each for each in self._ray.nodes() if each["Alive"]]
        return [each for each in nodes if each["Resources"].get("CPU", 0) >= 1]


def versions() -> dict[str, str]:
    """Return what must be the same on all machines; of torch the build, CPU or CUDA, may differ."""
    torch = package_version("torch") or "none"
    return {
        "i2ibench": package_version("i2ibench") or "none",
        "torch": torch.partition("+")[0],
        "Python": ".".join(platform.python_version_tuple()[:2]),
    }


def unfit(folder: str, wanted: Mapping[str, str]) -> str:
    """Return why no work may be done on this machine; empty where it may."""
    found = versions()
    for name, version in wanted.items():
        if found[name] != version:
            return _other_version(name, found[name], version)
    return "" if Path(folder).is_dir() else _no_folder(folder)


def _fault(found: Mapping[str, Any], back: Path, token: str, remedy: str) -> str:
    """Return what is wrong with a machine's answer; empty where nothing is."""
    for name, version in versions().items():
        if found["versions"].get(name) != version:
            return _other_version(name, found["versions"].get(name) or "none", version)
    if found["read"] != token:
        return f"does not see what is written to {back.parent}; {remedy}"
    if not found["folder"]:
        return _no_folder(str(Path.cwd()))
    with contextlib.suppress(OSError):
        for _ in range(int(_LATE_SECONDS / _LOOK_SECONDS)):
            if back.exists() and back.read_text() == token:
                return ""
            threading.Event().wait(_LOOK_SECONDS)
    return (
        f"writes to {back.parent} what is not seen here ({found['error'] or 'another folder'}); "
        f"{remedy}"
    )


def _other_version(name: str, found: str, wanted: str) -> str:
    have = f"has no {name}" if found == "none" else f"has {name} {found}"
    return f"{have} where {wanted} is here, so that numbers may differ; install {wanted} there"


def _no_folder(folder: str) -> str:
    return f"has no folder {folder}; start in a folder that all machines share"


def _looker() -> Callable[[str, str, str], dict[str, Any]]:
    """Return the question to a machine: a function that Ray sends whole, for it may lack ours."""
    seconds, pause = _LATE_SECONDS, _LOOK_SECONDS

    def look(asked: str, machine: str, folder: str) -> dict[str, Any]:
        import importlib.metadata
        import os
        import platform
        import time

        def version(name: str) -> str:
            try:
                return importlib.metadata.version(name).partition("+")[0]
            except importlib.metadata.PackageNotFoundError:
                return "none"

        read, error = "", ""
        for _ in range(int(seconds / pause)):
            try:
                with open(asked, encoding="ascii") as file:  # noqa: PTH123
                    read = file.read()
                break
            except OSError:
                time.sleep(pause)
        if read:
            try:
                with open(f"{asked}.{machine}", "w", encoding="ascii") as file:  # noqa: PTH123
                    file.write(read)
            except OSError as refused:
                error = str(refused)
        return {
            "read": read,
            "error": error,
            "folder": os.path.isdir(folder),  # noqa: PTH112
            "versions": {
                "i2ibench": version("i2ibench"),
                "torch": version("torch"),
                "Python": ".".join(platform.python_version_tuple()[:2]),
            },
        }

    return look
