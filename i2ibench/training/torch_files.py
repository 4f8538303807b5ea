"""Files that torch.save wrote, read without executing them, and what other files look like."""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from i2ibench.errors import DataError
from i2ibench.reading import open_regular, reading
from i2ibench.tensor_files import check_tensor_file

# How files begin that are handed over as checkpoints by mistake.
_BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer; run: git lfs pull"),
    (b"<", "a web page or XML; the download failed, or its address leads to a page"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"\x89HDF", "an HDF5 file, perhaps Keras weights"),
    (b"{", "a JSON file"),
)


def read_tensors(path: Path) -> Any:
    """Return what ``torch.save`` wrote to ``path``, on the CPU; nothing in it is executed.

    Raises ``DataError`` with what the file looks like when it cannot be read.
    """
    # A damaged stream can make the unpickler raise anything, struct.error and IndexError included.
    with reading(path, "a readable checkpoint", remedy="copy or download it again"):
        with open_regular(path) as file:
            beginning = file.read(64)
        if reason := _not_torch(path, beginning):
            raise DataError(f"{path}: not a checkpoint but {reason}")
        check_tensor_file(path)
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise DataError(f"{path}: {_refused_pickle(str(error))}") from None


def _not_torch(path: Path, beginning: bytes) -> str | None:
    if not beginning:
        return "an empty file"
    for start, meaning in _BEGINNINGS:
        if beginning.lstrip().startswith(start):
            return meaning
    # An eight-byte length before a JSON header.
    if beginning[8:9] == b"{":
        return "a safetensors file; official checkpoints are written by torch.save"
    if not beginning.startswith(b"PK"):
        # Before torch 1.6 a checkpoint was a bare pickle.
        return None if beginning.startswith(b"\x80") else "a file that torch.save did not write"
    # The table of contents stands at the end of a zip file.
    if not zipfile.is_zipfile(path):
        return "a truncated torch file; copy or download it again"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any("/code/" in name for name in names):
        return "a TorchScript program; save the network's state_dict instead"
    if not any(name.endswith("data.pkl") for name in names):
        return f"a zip archive of other files ({', '.join(names[:3])})"
    return None


def _refused_pickle(message: str) -> str:
    found = re.search(r"GLOBAL ([\w.]+)", message)
    if found:
        return (
            f"holds Python objects ({found.group(1)}), which are never loaded; save the network's "
            "state_dict alone: torch.save(net.state_dict(), file)"
        )
    # torch's own message recommends to load the file with all checks off; ours never does.
    detail = re.search(r"WeightsUnpickler error: ([^\n]+)", message)
    return f"damaged, or no checkpoint ({detail.group(1).strip() if detail else 'bad pickle'})"
