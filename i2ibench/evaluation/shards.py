"""One evaluation in several shards: which pairs each has, and how their parts become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from i2ibench.data.content_hash import file_hashes, manifest_sha256
from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.accumulate import Accumulation
from i2ibench.evaluation.metric_choice import ChosenMetrics
from i2ibench.evaluation.part_files import PartHead, part_ids, read_head, read_part
from i2ibench.files import sha256_json, visible_files

SUFFIX = ".part"


class Shard(NamedTuple):
    """A share of the pairs: ``number`` from 1 to ``total``."""

    number: int
    total: int

    @classmethod
    def of(cls, text: str) -> Shard:
        """Return the shard that ``"2/8"`` means."""
        number, slash, count = text.partition("/")
        if slash and number.strip().isdecimal() and count.strip().isdecimal():
            shard = cls(int(number), int(count))
            if 1 <= shard.number <= shard.total:
                return shard
        raise UsageError(f"shard {text!r}: write NUMBER/COUNT from 1, e.g. 2/8")

    def pairs_of(self, dataset: PairedDataset) -> PairedDataset:
        """Return the data set with this shard's pairs: neighbours, in their order."""
        bounds = [len(dataset) * each // self.total for each in (self.number - 1, self.number)]
        if bounds[0] == bounds[1]:
            raise UsageError(
                f"{self.total} shards of {len(dataset)} pairs: shard {self.number} has none; "
                "choose fewer"
            )
        return replace(dataset, pairs=dataset.pairs[slice(*bounds)])

    @property
    def file_name(self) -> str:
        """The name of its part."""
        return f"shard-{self.number}-of-{self.total}{SUFFIX}"


def question_of(
    dataset: PairedDataset,
    protocols: Sequence[str],
    chosen: Sequence[ChosenMetrics],
) -> str:
    """Return the hash of what is evaluated: pairs, rules and the definition of every metric."""
    return sha256_json(
        {
            "pairs": [[pair.id, pair.group, pair.cluster] for pair in dataset],
            "order": list(dataset.group_order),
            "direction": dataset.direction,
            "protocols": list(protocols),
            "metrics": [
                {
                    name: by.unavailable.get(name) or str(metric.signature())
                    for name, metric in by.metrics.items()
                }
                for by in chosen
            ],
        }
    )


def images_of(dataset: PairedDataset, predictions: Sequence[Mapping[str, Path]]) -> str:
    """Return the hash of the images of these pairs and of all their predictions."""
    files = [[each[pair.id] for pair in dataset] for each in predictions]
    hashes = file_hashes({path for each in files for path in each})
    return sha256_json(
        [manifest_sha256(dataset), [[hashes[path] for path in each] for each in files]]
    )


def heads_in(folder: Path) -> list[PartHead]:
    """Return the parts in a folder, each checked.

    Raises:
        DataError: there is none, or one is damaged.
    """
    files = visible_files(folder, {SUFFIX})
    if not files:
        raise DataError(f"{folder}: holds no part of an evaluation (*{SUFFIX}); see --shard")
    return [read_head(path) for path in files]


def check_parts(
    folder: Path,
    heads: Sequence[PartHead],
    question: str,
    dataset: PairedDataset,
    predictions: Sequence[Mapping[str, Path]],
) -> None:
    """Check that the parts are those of this evaluation, each once, and all of them.

    Raises:
        DataError: the first that is not, by name.
    """
    count = heads[0].shard[1]
    seen: dict[int, Path] = {}
    for head in heads:
        number, of = head.shard
        if head.question != question:
            raise DataError(
                f"{head.path}: is a part of another evaluation (other pairs, protocol, metrics or "
                "weights); remove it, or evaluate this shard again"
            )
        if of != count:
            raise DataError(f"{head.path}: is one of {of} parts, {heads[0].path.name} of {count}")
        if number in seen:
            raise DataError(
                f"{head.path}: is shard {number} of {count}, as {seen[number].name} is; remove one"
            )
        seen[number] = head.path
    missing = [number for number in range(1, count + 1) if number not in seen]
    if missing:
        listed = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise DataError(
            f"{folder}: lacks shard {listed} of {count}; evaluate with --shard "
            f"{missing[0]}/{count} --output {folder}"
        )
    for head in heads:
        own = Shard(*head.shard).pairs_of(dataset)
        if part_ids(head) != [pair.id for pair in own]:
            raise DataError(f"{head.path}: holds other pairs than shard {head.shard[0]} has")
        if head.images != images_of(own, predictions):
            raise DataError(
                f"{head.path}: was made of other images than those here; evaluate this shard again"
            )


def merged_parts(heads: Sequence[PartHead], chosen: Sequence[ChosenMetrics]) -> list[Accumulation]:
    """Return the accumulations of all parts, one a set of predictions."""
    in_order = sorted(heads, key=lambda head: head.shard)
    read = [read_part(head, chosen) for head in in_order]
    return [
        reduce(lambda one, other, by=by: one.merge(other, by), each)  # type: ignore[misc]
        for each, by in zip(zip(*read, strict=True), chosen, strict=True)
    ]
