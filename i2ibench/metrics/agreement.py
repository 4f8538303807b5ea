"""Group agreement: would a reader of the stain give a prediction its real group (HER2 level)?

The reader is a transparent classifier: linear discriminant analysis with equal priors on six
numbers of an image's DAB density histogram, fitted on real training targets. Its score on the real
test targets is the ceiling that stands beside every value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench.metrics.by_pair import ByPair, KeyedSetMetric
from i2ibench.metrics.interface import (
    Agreement,
    Context,
    Metric,
    MetricSettings,
    PairImages,
    PairMetric,
    Score,
    Signature,
    TrainingTarget,
    Unavailable,
)
from i2ibench.metrics.stain import BIN_WIDTH, BINS, DECONVOLUTION, Stain, stain_of, stains_of
from i2ibench.seeds import derive_seed
from i2ibench.statistics.agreement import confusion, quadratic_kappa

Float64 = npt.NDArray[np.float64]

_QUANTILES = (0.5, 0.9, 0.99)
_POSITIVE = 0.2
# Added to the pooled covariance, relative to its mean variance: constant features must not blow up.
_SHRINKAGE = 1e-3


class AgreementSettings(MetricSettings):
    """Settings: the most training targets that are read of each group, drawn by id, from 2."""

    # One target of each group would leave no deviation within the groups to fit.
    per_group: int = pydantic.Field(default=200, ge=2)


@dataclass(frozen=True, slots=True)
class Classifier:
    """Linear discriminant functions ``features @ weights + offsets``; the largest wins.

    Attributes:
        groups: from lowest to highest.
        weights: (features, groups).
        offsets: (groups,).
        fitted_on: training targets by group.
    """

    groups: tuple[str, ...]
    weights: Float64
    offsets: Float64
    fitted_on: dict[str, int]

    def classify(self, features: Float64) -> npt.NDArray[np.intp]:
        """Return the index of the group of each row of features (n, 6)."""
        return np.asarray(np.argmax(features @ self.weights + self.offsets, axis=1))


# What people reach, to be held beside any agreement with HER2 levels.
_PEOPLE = {
    "HER2": "people differ, too: 18 specialised pathologists agreed overall on 28.8 % of 170 "
    "biopsies in four categories, with a Fleiss kappa of 0.49 within 0 (Robbins et al., Modern "
    "Pathology 2023); 16 experts all agreed on 6 % of 50 slides (Zaakouk et al., The Breast 2023)"
}

# Features of prediction and target, and the true group.
Reading = tuple[Float64, Float64, "str | None"]


class _ReadsGroups(Metric):
    """What all metrics of the reader share: one classifier."""

    version = 2
    Settings = AgreementSettings

    def prepare(self, context: Context) -> None:
        """Fit the classifier, or share the one that another metric has fitted."""
        key = f"agreement/{self.settings.per_group}"
        if key not in context.shared:
            context.shared[key] = fit_classifier(context, self.settings.per_group)
        self._classifier: Classifier = context.shared[key]

    def signature(self) -> Signature:
        """Return ``NAME|classifier:lda|features:dab6|deconvolution:skimage-hed|...``."""
        return self._signature(
            ("classifier", "lda"),
            ("features", "dab6"),
            *DECONVOLUTION,
            ("priors", "equal"),
            ("fitted", f"train-{self.settings.per_group}-a-group"),
        )


class GroupRead(_ReadsGroups, PairMetric):
    """Number of the group that the classifier reads from the prediction, from 0 for the lowest.

    A description of each prediction without a direction: what ``group-accuracy``, ``group-kappa``
    and ``group-error`` rest on. The groups' names stand in the details of ``group-accuracy``.
    """

    name = "group-read"
    range = (0.0, math.inf)
    title = "level read"
    version = 1
    position = 374
    better: ClassVar[Literal["higher", "lower"] | None] = None
    digits = 2

    def score_pair(self, pair: PairImages) -> float:
        """Return the number of the group, 0 to the number of groups less 1."""
        prediction, _ = pair.once(stains_of)
        return float(self._classifier.classify(stain_features(prediction)[None])[0])


class GroupError(GroupRead):
    """Levels between the group read from the prediction and the true one, mean over pairs.

    ``|read - true|`` in levels: 0 at the right level, 1 at a neighbouring one; the mean absolute
    error of the reader. Undefined where a pair has no group, or one without training targets.
    Groups must have an order. On HER2 levels people differ too: see ``group-accuracy``.
    """

    name = "group-error"
    range = (0.0, math.inf)
    title = "level error"
    version = 1
    beside: ClassVar[Mapping[str, str]] = _PEOPLE
    position = 372
    better = "lower"
    digits = 3
    undefined_means = "pairs have no group, or one without training targets"

    def prepare(self, context: Context) -> None:
        """Fit the classifier, or share it.

        Raises:
            Unavailable: also where the groups have no order.
        """
        super().prepare(context)
        if not {*self._classifier.groups} <= {*context.group_order}:
            raise Unavailable("needs groups with an order, and these have none")

    def score_pair(self, pair: PairImages) -> float:
        """Return the number of levels, or NaN."""
        groups = self._classifier.groups
        if pair.group not in groups:
            return math.nan
        return abs(super().score_pair(pair) - groups.index(pair.group))


class GroupAccuracy(_ReadsGroups, KeyedSetMetric[Reading]):
    """Share of predictions that a classifier of real DAB staining puts into their true group.

    For HER2 the share of predictions read at the right level. The classifier never sees a
    prediction or a test image while it is fitted; its own accuracy on the real test targets is the
    ceiling. Of HER2 levels, what people reach: 18 specialised pathologists had an overall agreement
    of 28.8 % on 170 biopsies in four categories (Robbins et al., Modern Pathology 2023), and 16 UK
    experts all agreed on 6 % of 50 slides (Zaakouk et al., The Breast 2023).
    """

    name = "group-accuracy"
    trap = "Means nothing without its ceiling, the same reader on real targets."
    range = (0.0, 1.0)
    beside: ClassVar[Mapping[str, str]] = _PEOPLE
    position = 360
    better = "higher"
    agreement: ClassVar[Agreement | None] = Agreement("group-read", "group-error", "accuracy")

    def state_key(self) -> str:
        """Return the key that both agreement metrics share."""
        return f"agreement/{self.settings.per_group}"

    def describe(self, pair: PairImages) -> Reading:
        """Return the features of prediction and target, and the group."""
        prediction, target = pair.once(stains_of)
        return stain_features(prediction), stain_features(target), pair.group

    def compute(self, state: ByPair[Reading]) -> Score:
        """Return the agreement of predictions with true groups; pairs without one are left out."""
        groups = self._classifier.groups
        labels = state.column(2)[:]
        rows = np.array([label is not None for label in labels], dtype=bool)
        unknown = sorted({str(label) for label in labels[rows]} - set(groups))
        if not rows.any() or unknown:
            reason = (
                f"no training targets of group {unknown[0]}" if unknown else "no pair has a group"
            )
            return Score(None, unavailable=reason)
        truth = np.array([groups.index(str(label)) for label in labels[rows]])
        read = [self._classifier.classify(state.column(side)[:][rows]) for side in (0, 1)]
        value, ceiling = (self._agreement(truth, found, len(groups)) for found in read)
        if value is None or ceiling is None:
            return Score(None, unavailable=f"{self.name} needs pairs of at least 2 groups")
        return Score(
            value,
            notes=(f"ceiling {ceiling:.3f}: real test targets",),
            details={
                "ceiling": ceiling,
                "groups": list(groups),
                "confusion": confusion(truth, read[0], len(groups)).tolist(),
                "ceiling_confusion": confusion(truth, read[1], len(groups)).tolist(),
                "fitted_on": self._classifier.fitted_on,
            },
        )

    def _agreement(
        self, truth: npt.NDArray[np.intp], found: npt.NDArray[np.intp], groups: int
    ) -> float | None:
        return float((truth == found).mean())


class GroupKappa(GroupAccuracy):
    """Quadratic-weighted kappa between true groups and those read from predictions.

    As ``group-accuracy``, corrected for chance, and a neighbouring level costs less than a distant
    one. Cohen, Psychological Bulletin 1968. Groups must have an order. Of 18 specialised
    pathologists the Fleiss kappa within HER2 level 0 was 0.49 (Robbins et al. 2023).
    """

    name = "group-kappa"
    trap = "Means nothing without its ceiling, the same reader on real targets."
    range = (-1.0, 1.0)
    position = 370
    agreement: ClassVar[Agreement | None] = Agreement(
        "group-read", "group-error", "quadratic-kappa"
    )

    def signature(self) -> Signature:
        """Return the definition of ``group-accuracy`` with ``disagreement:quadratic``."""
        return GroupAccuracy.signature(self).with_setting("disagreement", "quadratic")

    def _agreement(
        self, truth: npt.NDArray[np.intp], found: npt.NDArray[np.intp], groups: int
    ) -> float | None:
        return quadratic_kappa(truth, found, groups)


def fit_classifier(context: Context, per_group: int) -> Classifier:
    """Fit the classifier on at most ``per_group`` training targets of each group.

    Raises:
        Unavailable: there are no training targets, or fewer than two groups of at least two.
    """
    by_group: dict[str, list[TrainingTarget]] = {}
    for target in context.training_targets or ():
        if target.group is not None:
            by_group.setdefault(target.group, []).append(target)
    if not by_group:
        raise Unavailable("needs the real training targets with their groups")
    small = sorted(group for group, targets in by_group.items() if len(targets) < 2)
    if small or len(by_group) < 2:
        which = f"group {small[0]} has 1" if small else "there is 1 group"
        raise Unavailable(f"needs 2 groups of at least 2 training targets; {which}")
    order = {group: place for place, group in enumerate(context.group_order)}
    groups = tuple(sorted(by_group, key=lambda group: (order.get(group, len(order)), group)))
    chosen = {group: _drawn(by_group[group], per_group) for group in groups}
    with ThreadPoolExecutor(context.workers) as pool:
        features = {
            group: np.stack([*pool.map(lambda t: stain_features(stain_of(t.read())), targets)])
            for group, targets in chosen.items()
        }
    return discriminant([features[group] for group in groups], groups)


def discriminant(samples: Sequence[Float64], groups: tuple[str, ...]) -> Classifier:
    """Return the linear discriminant functions of samples (n, features), one array a group.

    Pooled within-group covariance, equal priors: a rare level counts as much as a frequent one.
    """
    means = np.stack([sample.mean(axis=0) for sample in samples])
    centred = np.concatenate([s - m for s, m in zip(samples, means, strict=True)])
    covariance = centred.T @ centred / max(1, len(centred) - len(groups))
    mean_variance = float(np.trace(covariance)) / len(covariance)
    covariance += np.eye(len(covariance)) * max(_SHRINKAGE * mean_variance, 1e-12)
    weights = np.linalg.solve(covariance, means.T)
    offsets = -0.5 * np.einsum("gf,fg->g", means, weights)
    fitted_on = {group: len(s) for group, s in zip(groups, samples, strict=True)}
    return Classifier(groups, weights, offsets, fitted_on)


def stain_features(stain: Stain) -> Float64:
    """Return mean, deviation, median, 90 and 99 % quantiles and positive area of DAB density."""
    centres = (np.arange(BINS) + 0.5) * BIN_WIDTH
    share = stain.histogram / stain.pixels
    mean = float(share @ centres)
    deviation = float(np.sqrt(share @ (centres - mean) ** 2))
    quantiles = centres[np.searchsorted(np.cumsum(share), _QUANTILES).clip(max=BINS - 1)]
    return np.array([stain.mean, deviation, *quantiles, stain.positive_area(_POSITIVE)])


def _drawn(targets: list[TrainingTarget], count: int) -> list[TrainingTarget]:
    """Return at most ``count`` targets, the same ones whatever their order."""
    return sorted(targets, key=lambda t: derive_seed(0, "agreement", t.id))[:count]
