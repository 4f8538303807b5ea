"""From facts to findings: what makes a number wrong, and what a user should know."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from i2ibench.data.audit.duplicates import Twins
from i2ibench.data.audit.findings import Finding, Severity
from i2ibench.data.audit.measure import ImageFacts, PairFacts
from i2ibench.data.audit.offsets import CONFIDENT
from i2ibench.data.cards import Card
from i2ibench.data.headers import FORMAT_OF_SUFFIX

# Standard deviation in grey levels below which a tile shows nothing.
_BLANK_SPREAD = 2.5
# Offsets from here on, in pixels, blur what a pixelwise loss learns.
_NOTABLE_SHIFT = 4.0
# A drift is told when it is large (in standard deviations) and not chance (in standard errors).
_DRIFT_SIZE, _DRIFT_ERRORS = 0.5, 4.0

Show = Callable[[Path], str]


def check_sizes(pairs: Sequence[PairFacts], card: Card, show: Show) -> Iterator[Finding]:
    """Sizes within a pair, between pairs, and against the card."""
    for facts in pairs:
        if facts.source.size != facts.target.size:
            yield Finding(
                "sizes",
                "error",
                f"{show(facts.target.path)} is {_size(facts.target.size)} px but its source "
                f"{show(facts.source.path)} is {_size(facts.source.size)}",
                (show(facts.source.path), show(facts.target.path)),
            )
    sizes = Counter(facts.source.size for facts in pairs)
    if len(sizes) > 1:
        usual = sizes.most_common(1)[0][0]
        others = [facts.source.path for facts in pairs if facts.source.size != usual]
        listed = ", ".join(f"{_size(size)} ({count})" for size, count in sizes.most_common(4))
        yield _about("sizes", "warning", f"images of several sizes: {listed}", others, show)
    elif sizes and card.size is not None and card.size not in sizes:
        found = next(iter(sizes))
        yield Finding(
            "sizes", "warning", f"images are {_size(found)} px, the card says {_size(card.size)}"
        )


def check_files(pairs: Sequence[PairFacts], show: Show) -> Iterator[Finding]:
    """Decoded format against suffix, and colour modes that a rule converts."""
    wrong: dict[tuple[str, str], list[Path]] = {}
    modes: dict[str, list[Path]] = {}
    for image in _images(pairs):
        suffix = image.path.suffix.lower()
        if FORMAT_OF_SUFFIX.get(suffix) != image.header.format:
            wrong.setdefault((image.header.format, suffix), []).append(image.path)
        mode = image.header.mode if image.header.bits <= 8 else f"{image.header.bits}-bit"
        if image.header.orientation != 1:
            mode = "EXIF-rotated"
        if mode != "RGB":
            modes.setdefault(mode, []).append(image.path)
    for (content, suffix), paths in wrong.items():
        yield _about(
            "format", "warning", f"files with {content} content under {suffix}", paths, show
        )
    for mode, paths in modes.items():
        yield _about(
            "mode", "warning", f"{mode} images, read as 8-bit RGB by the stated rule", paths, show
        )


def check_content(pairs: Sequence[PairFacts], show: Show) -> Iterator[Finding]:
    """Blank tiles, and pairs whose target is a copy of their source."""
    blank = [image.path for image in _images(pairs) if image.spread < _BLANK_SPREAD]
    if blank:
        yield _about("blank", "warning", "blank tiles", blank, show)
    for facts in pairs:
        if facts.source.pixels == facts.target.pixels and facts.source.spread >= _BLANK_SPREAD:
            yield Finding(
                "copies",
                "error",
                f"{show(facts.target.path)} is the same picture as its source",
                (show(facts.source.path), show(facts.target.path)),
            )


def check_counts(pairs: Sequence[PairFacts], card: Card) -> Iterator[Finding]:
    """Pairs and groups by split against the card."""
    for split, declared in card.splits.items():
        here = [facts for facts in pairs if facts.split == split]
        if not here or not declared.certain:
            continue
        if declared.pairs is not None and declared.pairs != len(here):
            yield Finding(
                "counts",
                "warning",
                f"split {split} holds {len(here)} pairs, the card says {declared.pairs}",
            )
        found = Counter(facts.pair.group for facts in here)
        for group, expected in declared.groups.items():
            if found[group] != expected:
                yield Finding(
                    "counts",
                    "warning",
                    f"group {group} of split {split} holds {found[group]} pairs, the card says "
                    f"{expected}",
                )


def check_clusters(pairs: Sequence[PairFacts], name: str, show: Show) -> Iterator[Finding]:
    """Slides or patients with pairs in several splits."""
    splits: dict[str, set[str]] = {}
    for facts in pairs:
        if facts.pair.cluster is not None:
            splits.setdefault(facts.pair.cluster, set()).add(facts.split)
    for cluster, found in splits.items():
        if len(found) > 1:
            files = [facts.source.path for facts in pairs if facts.pair.cluster == cluster]
            yield _about(
                "clusters",
                "warning",
                f"{name} {cluster} has pairs in {' and '.join(sorted(found))}",
                files,
                show,
            )


def check_twins(twins: Sequence[Twins], show: Show) -> Iterator[Finding]:
    """Exact and perceptual duplicates; an exact one across splits is a leak."""
    for twin in twins:
        (first_split, first), (second_split, second) = twin.first, twin.second
        how = "the same pixels as" if twin.exact else "nearly the same picture as"
        where = f" ({second_split} and {first_split})" if twin.across_splits else ""
        yield Finding(
            "duplicates",
            "error" if twin.exact and twin.across_splits else "warning",
            f"{show(second.path)} has {how} {show(first.path)}{where}"
            if twin.exact
            else f"{show(second.path)} is {how} {show(first.path)}{where}",
            (show(first.path), show(second.path)),
        )


def check_alignment(pairs: Sequence[PairFacts], show: Show) -> Iterator[Finding]:
    """Pairs whose target is displaced, by split, the worst named."""
    for split, here in _by_split(pairs).items():
        shifted = [
            facts
            for facts in here
            if facts.shift is not None
            and facts.shift.confidence >= CONFIDENT
            and facts.shift.length >= _NOTABLE_SHIFT
        ]
        if shifted:
            shifted.sort(key=_shift_length, reverse=True)
            lengths = [_shift_length(facts) for facts in shifted]
            yield _about(
                "alignment",
                "warning",
                f"targets of split {split} seem displaced by {_NOTABLE_SHIFT:.0f} px or more, "
                f"median {float(np.median(lengths)):.0f} px, largest {lengths[0]:.0f} px",
                [facts.target.path for facts in shifted],
                show,
            )


def check_drift(pairs: Sequence[PairFacts]) -> Iterator[Finding]:
    """Colours that differ between splits by more than chance."""
    splits = list(_by_split(pairs).items())
    for index, (first_split, first) in enumerate(splits):
        for second_split, second in splits[index + 1 :]:
            for side in ("source", "target"):
                drift = max((_drift(first, second, side, channel) for channel in range(3)), key=abs)
                if abs(drift) > _DRIFT_SIZE:
                    yield Finding(
                        "drift",
                        "warning",
                        f"{side} colours of {second_split} differ from those of {first_split} by "
                        f"{abs(drift):.1f} standard deviations",
                    )


def _drift(
    first: Sequence[PairFacts], second: Sequence[PairFacts], side: str, channel: int
) -> float:
    """Return the standardised difference of mean colour, or 0 where chance can explain it."""
    a, b = (_cluster_means(pairs, side, channel) for pairs in (first, second))
    if len(a) < 2 or len(b) < 2:
        return 0.0
    pooled = math.sqrt((float(np.var(a, ddof=1)) + float(np.var(b, ddof=1))) / 2)
    error = math.sqrt(float(np.var(a, ddof=1)) / len(a) + float(np.var(b, ddof=1)) / len(b))
    difference = float(np.mean(b) - np.mean(a))
    if abs(difference) < _DRIFT_ERRORS * error or pooled == 0:
        return 0.0
    return difference / pooled


def _cluster_means(pairs: Sequence[PairFacts], side: str, channel: int) -> list[float]:
    """Return one mean a cluster, since its pairs are not independent; one a pair without them."""
    values: dict[str, list[float]] = {}
    for facts in pairs:
        key = facts.pair.cluster or facts.pair.id
        values.setdefault(key, []).append(getattr(facts, side).mean[channel])
    return [float(np.mean(each)) for each in values.values()]


def describe_split(pairs: Sequence[PairFacts]) -> dict[str, object]:
    """Return the facts of one split for the report."""
    clusters = {facts.pair.cluster for facts in pairs if facts.pair.cluster is not None}
    groups = Counter(facts.pair.group for facts in pairs if facts.pair.group is not None)
    return {
        "pairs": len(pairs),
        "groups": dict(sorted(groups.items())),
        "clusters": len(clusters),
        "sizes": {
            _size(size): n for size, n in Counter(facts.source.size for facts in pairs).items()
        },
        "formats": dict(Counter(image.header.format for image in _images(pairs))),
        "alignment": _alignment(pairs),
        "colour": {side: _colour(pairs, side) for side in ("source", "target")},
    }


def _alignment(pairs: Sequence[PairFacts]) -> dict[str, float | int | None]:
    lengths = [
        facts.shift.length
        for facts in pairs
        if facts.shift is not None and facts.shift.confidence >= CONFIDENT
    ]
    quantiles = np.percentile(lengths, [50, 95, 100]) if lengths else [None] * 3
    named = zip(("median_px", "p95_px", "largest_px"), quantiles, strict=True)
    return {
        "estimated": len(lengths),
        **{key: None if value is None else round(float(value), 2) for key, value in named},
    }


def _colour(pairs: Sequence[PairFacts], side: str) -> Mapping[str, list[float]]:
    means = np.array([getattr(facts, side).mean for facts in pairs])
    return {
        "mean_rgb": [round(float(value), 1) for value in means.mean(axis=0)],
        "sd_rgb": [round(float(value), 1) for value in means.std(axis=0)],
    }


def _images(pairs: Sequence[PairFacts]) -> list[ImageFacts]:
    return [image for facts in pairs for image in (facts.source, facts.target)]


def _by_split(pairs: Sequence[PairFacts]) -> dict[str, list[PairFacts]]:
    found: dict[str, list[PairFacts]] = {}
    for facts in pairs:
        found.setdefault(facts.split, []).append(facts)
    return found


def _shift_length(facts: PairFacts) -> float:
    return facts.shift.length if facts.shift is not None else 0.0


def _about(check: str, severity: Severity, what: str, paths: Sequence[Path], show: Show) -> Finding:
    unique = list(dict.fromkeys(show(path) for path in paths))
    more = f" and {len(unique) - 3} more" if len(unique) > 3 else ""
    message = f"{len(unique)} {what}: {', '.join(unique[:3])}{more}"
    return Finding(check, severity, message, tuple(unique))


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
