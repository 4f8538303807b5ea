"""What a pass over a part of the pairs found, as a file that another machine can merge.

A zip file of raw little-endian arrays, stored as they are, and ``header.json``: the version of the
form, what was evaluated, and of each array its type, shape and SHA-256. No pickle, and nothing that
grows: it is checked before anything of it is used.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from i2ibench.errors import DataError
from i2ibench.evaluation.accumulate import Accumulation
from i2ibench.evaluation.metric_choice import ChosenMetrics
from i2ibench.evaluation.pair_values import PairValues
from i2ibench.files import atomic_path, json_text, sha256_json
from i2ibench.metrics.packed import ROWS, ArrayBlocks, Packed
from i2ibench.reading import parse_json, reading
from i2ibench.tensor_files import check_tensor_file

VERSION = 1
_WHAT = "a part of an evaluation"
_REMEDY = "evaluate this shard again"
_HEADER = "header.json"
_DTYPES = frozenset({"<f2", "<f4", "<f8", "|u1", "<u2", "<u4", "<u8", "|i1", "<i2", "<i4", "<i8"})


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself.

    Attributes:
        path: its file.
        shard: its number from 1, and how many there are.
        question: hash of what is evaluated; parts of one evaluation share it.
        images: hash of the images of its pairs.
        seconds: that it took.
        content: the rest of the header.
    """

    path: Path
    shard: tuple[int, int]
    question: str
    images: str
    seconds: float
    content: Mapping[str, Any]


def write_part(
    path: Path,
    accumulations: Sequence[Accumulation],
    chosen: Sequence[ChosenMetrics],
    *,
    shard: tuple[int, int],
    question: str,
    images: str,
    seconds: float,
) -> None:
    """Write the accumulations of one shard, one a set of predictions, whole or not at all."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        writer = _Writer(archive)
        sets = [_packed(writer, *each) for each in zip(accumulations, chosen, strict=True)]
        header = {
            "format": "i2ibench part",
            "version": VERSION,
            "shard": list(shard),
            "question": question,
            "images": images,
            "seconds": seconds,
            "sets": sets,
            "arrays": writer.arrays,
        }
        header["sha256"] = sha256_json(header)
        archive.writestr(_HEADER, json_text(header))


def read_head(path: Path) -> PartHead:
    """Return what a part says of itself, after its bytes were checked.

    Raises:
        DataError: it is damaged, of another version, or no part at all.
    """
    check_tensor_file(path, _WHAT)
    with reading(path, _WHAT, remedy=_REMEDY), zipfile.ZipFile(path) as archive:
        header = parse_json(archive.read(_HEADER).decode("utf-8"))
        if header["format"] != "i2ibench part":
            raise ValueError("another format")
        if header["version"] != VERSION:
            raise DataError(
                f"{path}: a part of version {header['version']}; this i2ibench reads {VERSION}; "
                "evaluate all shards with one version"
            )
        if header.pop("sha256") != sha256_json(header):
            raise ValueError("its header was changed")
        number, count = header["shard"]
        if not 1 <= number <= count:
            raise ValueError(f"shard {number} of {count}")
        return PartHead(
            path,
            (number, count),
            str(header["question"]),
            str(header["images"]),
            float(header["seconds"]),
            header,
        )


def read_part(head: PartHead, chosen: Sequence[ChosenMetrics]) -> list[Accumulation]:
    """Return the accumulations of a part; its arrays are compared with their hashes."""
    with reading(head.path, _WHAT, remedy=_REMEDY), zipfile.ZipFile(head.path) as archive:
        arrays = _Reader(head, archive)
        sets = zip(head.content["sets"], chosen, strict=True)
        return [_accumulation(arrays, packed, by) for packed, by in sets]


def part_ids(head: PartHead) -> list[str]:
    """Return the ids of a part's pairs."""
    ids: list[str] = head.content["sets"][0]["ids"]
    return ids


class _Writer:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.arrays: list[dict[str, Any]] = []

    def add(self, array: ArrayBlocks) -> int:
        """Write an array; return its number."""
        number, digest = len(self.arrays), hashlib.sha256()
        with self._archive.open(str(number), "w", force_zip64=True) as member:
            for block in array.blocks():
                little = block.astype(block.dtype.newbyteorder("<"), copy=False)
                content = np.ascontiguousarray(little).tobytes()
                digest.update(content)
                member.write(content)
        dtype = np.dtype(array.dtype).newbyteorder("<").str
        self.arrays.append(
            {"dtype": dtype, "shape": list(array.shape), "sha256": digest.hexdigest()}
        )
        return number


class _Reader:
    def __init__(self, head: PartHead, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = head.path, archive
        self._said = head.content["arrays"]

    def array(self, number: int) -> ArrayBlocks:
        """Return an array; its size is checked here, its hash while it is read."""
        said = self._said[number]
        dtype, shape = str(said["dtype"]), tuple(map(int, said["shape"]))
        if dtype not in _DTYPES or not shape or min(shape) < 0:
            raise ValueError(f"array {number} of type {dtype} and shape {shape}")
        row = np.dtype(dtype).itemsize * int(np.prod(shape[1:], dtype=object))
        if self._archive.getinfo(str(number)).file_size != row * shape[0]:
            raise ValueError(f"array {number} has not the size that the header says")

        def blocks() -> Iterator[npt.NDArray[Any]]:
            digest = hashlib.sha256()
            with self._archive.open(str(number)) as member:
                for start in range(0, shape[0], ROWS):
                    rows = min(ROWS, shape[0] - start)
                    content = member.read(rows * row)
                    digest.update(content)
                    yield np.frombuffer(content, dtype).reshape(rows, *shape[1:]).copy()
            if digest.hexdigest() != said["sha256"]:
                raise ValueError(f"array {number} is not the one that was written")

        return ArrayBlocks(dtype, shape, blocks)


def _packed(writer: _Writer, found: Accumulation, chosen: ChosenMetrics) -> dict[str, Any]:
    scores = found.scores
    columns = {
        name: writer.add(ArrayBlocks.of(np.frombuffer(column, np.float64)))
        for name, column in scores.columns.items()
    }
    states: dict[str, list[dict[str, Any]]] = {}
    for key, metric in chosen.state_owners().items():
        states[key] = []
        for group, state in found.states[key].items():
            packed = metric.pack(state)
            arrays = {name: writer.add(each) for name, each in packed.arrays.items()}
            states[key].append({"group": group, "facts": packed.facts, "arrays": arrays})
    counts = [[group, count] for group, count in found.counts.items()]
    return {"ids": scores.ids, "columns": columns, "counts": counts, "states": states}


def _accumulation(
    reader: _Reader, packed: Mapping[str, Any], chosen: ChosenMetrics
) -> Accumulation:
    names = [metric.name for metric in chosen.pair_metrics]
    scores, ids = PairValues(names), packed["ids"]
    scores.ids = list(map(str, ids))
    for name in names:
        column = reader.array(packed["columns"][name]).whole()
        if column.shape != (len(ids),) or column.dtype != np.float64:
            raise ValueError(f"{name} has not one value for each pair")
        scores.columns[name].frombytes(column.tobytes())
    found = Accumulation(scores, counts={group: int(n) for group, n in packed["counts"]})
    for key, metric in chosen.state_owners().items():
        states = found.states[key] = {}
        for each in packed["states"][key]:
            arrays = {name: reader.array(number) for name, number in each["arrays"].items()}
            states[each["group"]] = metric.unpack(Packed(each["facts"], arrays))
    return found
