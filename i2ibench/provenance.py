"""Where a number comes from: versions, hardware, source state, time and memory."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from i2ibench import registry
from i2ibench.errors import UsageError
from i2ibench.plugin_code import code_sha256
from i2ibench.runtime import torch_if_loaded

# The packages whose version can change a value or a file.
_PACKAGES = (
    "i2ibench",
    "torch",
    "lightning-fabric",
    "torch-fidelity",
    "lpips",
    "scikit-image",
    "opencv-python-headless",
    "numpy",
    "scipy",
    "pandas",
)


def environment() -> dict[str, object]:
    """Return versions, platform, processor, threads, device and source state as JSON values."""
    found: dict[str, object] = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cpu_count": os.cpu_count(),
        "packages": {name: package_version(name) for name in _PACKAGES},
        "source": source_state(),
        "command": command(),
    }
    torch = torch_if_loaded()
    if torch is not None:
        found["torch_threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            found["gpu"] = torch.cuda.get_device_name()
            found["cuda"] = torch.version.cuda
    return found


def command() -> list[str] | None:
    """Return the command line of this process, or None where i2ibench is used as a library.

    Of absolute paths only the last part is kept: a published record is no place for the folders
    of somebody's machine.
    """
    program, *arguments = sys.argv
    if "i2ibench" not in {Path(program).stem, Path(program).parent.name}:
        return None
    return ["i2ibench", *(_without_folder(argument) for argument in arguments)]


def package_version(name: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def plugins_used(model: str | None, metrics: Iterable[str]) -> list[dict[str, object]]:
    """Return of the model and the metrics those from other packages, and what code they were.

    Kind, name, package (or file), its version, and the SHA-256 of its code, see ``plugin_code``: a
    version alone does not tell what was edited. Names that are not registered are passed over.
    """
    asked = [(registry.models, name) for name in ([model] if model else [])]
    asked += [(registry.metrics, name) for name in metrics]
    found: list[dict[str, object]] = []
    hashes: dict[str, str | None] = {}  # of packages, which often bring several
    for known, name in asked:
        try:
            entry = known.entry(name)
        except UsageError:
            continue
        if registry.is_ours(entry):
            continue
        package = entry.target.partition(":")[0].partition(".")[0] or f"{known.kind} {name}"
        if package not in hashes:
            hashes[package] = code_sha256(known, entry)
        found.append(
            {
                "kind": known.kind,
                "name": name,
                "package": entry.provider,
                "version": package_version(entry.provider),
                "sha256": hashes[package],
            }
        )
    return found


def source_state() -> dict[str, object] | None:
    """Return the git commit of an editable install and whether it has changes, else None."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": dirty}


def now() -> str:
    """Return the time in UTC as ISO 8601 to the second; ``SOURCE_DATE_EPOCH`` overrides it."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(float(epoch) if epoch else time.time(), timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Stopwatch:
    """Wall-clock ``seconds`` of a block, filled when the block ends."""

    seconds: float = 0.0


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Measure the wall-clock time of a block."""
    watch = Stopwatch()
    start = time.perf_counter()
    try:
        yield watch
    finally:
        watch.seconds = time.perf_counter() - start


def peak_memory_mb() -> float | None:
    """Return this process's peak resident memory in MiB, or None where the platform is silent."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _without_folder(argument: str) -> str:
    name, equals, value = argument.rpartition("=")
    path = Path(value)
    return f"{name}{equals}{path.name}" if path.is_absolute() else argument


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
