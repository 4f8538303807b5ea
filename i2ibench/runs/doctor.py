"""What this machine offers: devices, precision, weights, data sets, space, decoding speed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from i2ibench import provenance, registry
from i2ibench.data.dataset import Dataset
from i2ibench.data.describe import list_datasets
from i2ibench.data.throughput import decode_throughput
from i2ibench.errors import UsageError
from i2ibench.files import cache_folder
from i2ibench.metrics.card import weights_state
from i2ibench.metrics.networks.known_weights import catalogue
from i2ibench.runtime import cpu_has_bf16

_LITTLE_SPACE = 10 << 30
# lpips and torch-fidelity fail with a torchvision that was built for another torch.
_JUDGES = ("scikit-image", "lpips", "torch-fidelity", "torchvision")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: ``ok``, ``note`` where something is missing or slow, or ``fault``."""

    subject: str
    state: Literal["ok", "note", "fault"]
    detail: str


def examine(dataset: Dataset | None = None) -> list[Check]:
    """Look at everything a run depends on; with ``dataset`` also at its decoding speed."""
    findings = [
        *_packages(),
        _judges(),
        _device(),
        _precision(),
        *_weights(),
        _datasets(),
        _space(),
    ]
    if dataset is not None:
        findings.append(_decoding(dataset))
    return findings


def _packages() -> list[Check]:
    packages = provenance.environment()["packages"]
    found = packages.items() if isinstance(packages, dict) else ()
    versions = ", ".join(
        f"{name} {version}" for name, version in found if version and name not in _JUDGES
    )
    broken = []
    for kind in (registry.models, registry.metrics, registry.weights):
        for name in kind.names():
            try:
                kind.get(name)
            except UsageError as error:
                broken.append(Check(f"{kind.kind} {name}", "note", str(error)))
    return [Check("packages", "ok", versions), *broken]


def _judges() -> Check:
    versions = {name: provenance.package_version(name) for name in _JUDGES}
    found = ", ".join(f"{name} {version or 'not installed'}" for name, version in versions.items())
    detail = f"{found}: what verify --reference compares with"
    return Check("judges", "ok" if all(versions.values()) else "note", detail)


def _device() -> Check:
    if torch.cuda.is_available():
        names = ", ".join(
            torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
        )
        return Check("device", "ok", f"{names} (CUDA {torch.version.cuda})")
    threads = torch.get_num_threads()
    return Check("device", "note", f"no CUDA device; the CPU runs with {threads} threads")


def _precision() -> Check:
    on_gpu = torch.cuda.is_available()
    has_bf16 = torch.cuda.is_bf16_supported() if on_gpu else cpu_has_bf16()
    if has_bf16:
        return Check("bf16", "ok", "in hardware")
    return Check("bf16", "note", "not in hardware: --precision bf16 is slower than fp32 here")


def _weights() -> list[Check]:
    findings = []
    for name in catalogue():
        state = weights_state(name)
        kind: Literal["ok", "note"] = "ok" if state == "verified" else "note"
        findings.append(Check(f"weights {name}", kind, state))
    return findings


def _datasets() -> Check:
    here = [entry["name"] for entry in list_datasets() if Path(entry["place"]).is_absolute()]
    if not here:
        return Check("data sets", "note", "none here yet; synthetic is drawn on first use")
    return Check("data sets", "ok", ", ".join(here))


def _space() -> Check:
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    state: Literal["ok", "note"] = "ok" if free > _LITTLE_SPACE else "note"
    return Check("cache", state, f"{folder}, {free / (1 << 30):.0f} GiB free")


def _decoding(dataset: Dataset) -> Check:
    pairs = dataset.split("test")
    speed = decode_throughput(pairs)
    return Check("decoding", "ok", f"{speed:.1f} pairs a second and process from {pairs.name}")
