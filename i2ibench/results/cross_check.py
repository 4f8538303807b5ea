"""Recorded values beside those of the packages that the field trusts, on the stored predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from i2ibench.data.images import read_image
from i2ibench.errors import I2IBenchError, MissingError, UsageError, VerificationError
from i2ibench.evaluation.predictions import check_images
from i2ibench.metrics.interface import Context
from i2ibench.metrics.networks.weights import WeightsFile
from i2ibench.metrics.signature import Signature
from i2ibench.results.differences import Discrepancy
from i2ibench.results.pair_scores import pair_scores_beside, read_pair_scores
from i2ibench.results.record import MetricRecord
from i2ibench.results.reference import (
    REFERENCES,
    PairReference,
    Subsets,
    UInt8Image,
    check_importable,
    pair_reference,
    set_references,
)
from i2ibench.results.reference_comparison import (
    MetricCrossCheck,
    comparable,
    compare_pairs,
    compare_value,
    same_weights,
    without_reference,
)
from i2ibench.results.stored_result import StoredResult, open_stored
from i2ibench.runtime import exact_torch, resolve_device

# scikit-image and lpips take seconds for a pair of 1024 pixels.
DEFAULT_SAMPLE = 32

_SET_METRICS = ("fid", "kid")


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """A result beside the values of the reference packages.

    Attributes:
        path: of the result.
        metrics: one element a metric that a package knows.
        findings: what is no longer as it was when the result was written.
        pairs: of the data set.
        sample: ids of the pairs that metrics per pair were compared on, in their order.
    """

    path: Path
    metrics: tuple[MetricCrossCheck, ...]
    findings: tuple[Discrepancy, ...]
    pairs: int
    sample: tuple[str, ...]

    @property
    def checked(self) -> list[str]:
        """Names of the metrics that a package confirms."""
        return [m.metric for m in self.metrics if m.unchecked is None and m.refuted is None]

    def error(self) -> I2IBenchError | None:
        """Return what stands against the result, or None."""
        refuted = [m.metric for m in self.metrics if m.refuted is not None]
        if refuted:
            return VerificationError(
                f"{self.path}: {', '.join(refuted)} not as the reference packages compute "
                f"{'it' if len(refuted) == 1 else 'them'}; find what changed with: "
                f"i2ibench verify {self.path}"
            )
        if self.findings:
            first = self.findings[0]
            return VerificationError(
                f"{self.path}: {first.subject}: {first.detail}; what is recorded was computed from "
                "something else"
            )
        return None


def cross_check(
    path: Path,
    *,
    dataset: str | None = None,
    targets: Path | None = None,
    data_root: Path | None = None,
    predictions: Path | None = None,
    protocol: str | None = None,
    device: str = "auto",
    allow_unverified_weights: bool = False,
    sample: int | None = DEFAULT_SAMPLE,
    progress: Callable[[int, int], None] | None = None,
) -> CrossCheck:
    """Let scikit-image, lpips and torch-fidelity compute what a result records.

    PSNR, both SSIMs and LPIPS are compared pair by pair with the stored scores on ``sample`` pairs,
    evenly spaced over the data set; FID and KID over all pairs, which they are not defined without.

    Args:
        path: a run folder, its ``result.json``, or an entry of a board.
        dataset: as in ``verify``, with the four arguments after it.
        targets: a folder of targets.
        data_root: folder that holds the data set.
        predictions: their folder.
        protocol: a TOML file.
        device: where networks run.
        allow_unverified_weights: accept metric weights of unknown hash.
        sample: how many pairs; None for all.
        progress: called with the images read and all images to read.

    Raises:
        DataError, MissingError: as ``verify``.
        UsageError: ``sample`` is below 1.
    """
    if sample is not None and sample < 1:
        raise UsageError(f"sample must be at least 1 pair, not {sample}")
    stored = open_stored(
        path,
        dataset=dataset,
        targets=targets,
        data_root=data_root,
        predictions=predictions,
        protocol=protocol,
    )
    sizes = check_images(stored.pairs, stored.predictions, stored.protocol.preparation)
    ids = [pair.id for pair in stored.pairs]
    chosen = ids if sample is None else _evenly_spaced(ids, sample)
    scores, problems = _stored_scores(stored, ids)
    context = Context(
        device=resolve_device(device), allow_unverified_weights=allow_unverified_weights
    )
    of_pairs: dict[str, PairReference] = {}
    of_sets: dict[str, WeightsFile] = {}
    rows: dict[str, MetricCrossCheck] = {}
    for name in REFERENCES:
        try:
            record = comparable(name, stored.result)
            check_importable(name)
            weights = same_weights(name, record, context)
            if name in _SET_METRICS:
                of_sets[name] = weights[0]
                continue
            if name not in scores and len(chosen) < len(ids):
                raise MissingError(
                    f"no scores per pair are stored, and its value is of {len(ids)} pairs; "
                    "compare them all with --sample 0"
                )
            of_pairs[name] = pair_reference(name, weights, context.device)
        except MissingError as error:
            rows[name] = without_reference(name, str(error))
    images = 2 * (len(chosen) * bool(of_pairs) + len(ids) * bool(of_sets))
    reader = _Reader(stored, images, progress)
    metrics = stored.result.metrics
    with exact_torch():
        for name, values in _values_of_pairs(of_pairs, reader, chosen).items():
            rows[name] = compare_pairs(name, metrics[name], chosen, values, scores.get(name))
        one_size = len(set(sizes.values())) == 1
        try:
            found = _values_of_sets(of_sets, metrics, reader, ids, context.device, one_size)
            for name, value in found.items():
                rows[name] = compare_value(name, metrics[name].value, value, len(ids))
        except MissingError as error:
            rows.update({name: without_reference(name, str(error)) for name in of_sets})
    return CrossCheck(
        path=stored.path,
        metrics=tuple(rows[name] for name in REFERENCES),
        findings=(*stored.findings, *problems),
        pairs=len(ids),
        sample=tuple(chosen),
    )


def _evenly_spaced(ids: Sequence[str], count: int) -> list[str]:
    if count >= len(ids):
        return list(ids)
    return [ids[place] for place in np.linspace(0, len(ids) - 1, count).round().astype(int)]


def _stored_scores(
    stored: StoredResult, ids: Sequence[str]
) -> tuple[dict[str, dict[str, float]], list[Discrepancy]]:
    """Return the stored scores by metric and pair id, and what speaks against the table."""
    file = pair_scores_beside(stored.path)
    if file is None:
        return {}, []
    table = read_pair_scores(file)
    if sorted(table["id"]) != sorted(ids):
        return {}, [Discrepancy(file.name, "holds other pairs than the data set")]
    scores = {
        name: dict(zip(table["id"], table[name].tolist(), strict=True))
        for name in REFERENCES
        if name in table.columns
    }
    return scores, []


class _Reader:
    """Reads predictions and prepared targets by pair id, and tells how far it is."""

    def __init__(
        self, stored: StoredResult, images: int, progress: Callable[[int, int], None] | None
    ) -> None:
        self._predictions = stored.predictions
        self._pairs = {pair.id: pair for pair in stored.pairs}
        self._preparation = stored.protocol.preparation
        self._images, self._progress, self._read = images, progress, 0

    def prediction(self, pair_id: str) -> UInt8Image:
        predicted = self._pairs[pair_id].prediction(self._predictions[pair_id])
        return self._told(read_image(predicted))

    def target(self, pair_id: str) -> UInt8Image:
        target = read_image(self._pairs[pair_id].target)
        return self._told(self._preparation.apply_target(target))

    def _told(self, image: UInt8Image) -> UInt8Image:
        self._read += 1
        if self._progress is not None:
            # torch-fidelity reads its first image twice, to see what it gets.
            self._progress(min(self._read, self._images), self._images)
        return image


def _values_of_pairs(
    references: Mapping[str, PairReference], reader: _Reader, ids: Sequence[str]
) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {name: [] for name in references}
    for pair_id in ids if references else ():
        prediction, target = reader.prediction(pair_id), reader.target(pair_id)
        for name, value_of in references.items():
            values[name].append(value_of(prediction, target))
    return values


def _values_of_sets(
    weights: Mapping[str, WeightsFile],
    metrics: Mapping[str, MetricRecord],
    reader: _Reader,
    ids: Sequence[str],
    device: str,
    one_size: bool,
) -> dict[str, float]:
    if not weights:
        return {}
    kid = None
    if "kid" in weights:
        drawn = dict(Signature.parse(metrics["kid"].signature).settings)
        size, count, seed = (drawn.get(key) for key in ("subset", "subsets", "seed"))
        kid = Subsets(int(size or len(ids)), int(count or 1), int(seed or 0))
    return set_references(
        {"prediction": reader.prediction, "target": reader.target},
        sorted(ids),  # the order in which our KID numbers pairs
        next(iter(weights.values())),
        device,
        of_one_size=one_size,
        fid="fid" in weights,
        kid=kid,
    )
