"""Readers of studies whose errors are known, and keys to try them on without any image."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.studies.draw import Design, draw_items
from i2ibench.studies.key import (
    Key,
    MetricFacts,
    PairFacts,
    Preference,
    Rating,
    StudyData,
    study_id,
)

LEVELS = ("0", "1+", "2+", "3+")
NOWHERE = ImageRef(Path("nowhere.png"))


def pairs_of(level: str, count: int, per_cluster: int = 1) -> list[ImagePair]:
    """Return pairs of a level; so many are of one slide."""
    return [
        ImagePair(f"{level}-{i}", NOWHERE, NOWHERE, level, f"{level}-slide{i // per_cluster}")
        for i in range(count)
    ]


def drawn_key(methods: tuple[str, ...], design: Design, pairs: int = 24) -> Key:
    """Return the key of a study of drawn pairs; ``psnr`` is better the later a method is listed."""
    by_level = {level: pairs_of(level, pairs) for level in LEVELS}
    drawn = draw_items(by_level, [None, *methods], design, "secret")
    every = [pair for found in by_level.values() for pair in found]
    noise = np.random.default_rng(0)
    scores = {
        method: {pair.id: 20.0 + 3 * place + float(noise.normal(0, 1)) for pair in every}
        for place, method in enumerate(methods)
    }
    psnr = MetricFacts(
        better="higher",
        methods={name: float(np.mean([*values.values()])) for name, values in scores.items()},
        pairs=scores,
    )
    # A metric that says the contrary.
    worse = {m: {p: -value for p, value in found.items()} for m, found in scores.items()}
    upside_down = MetricFacts(
        better="higher", methods={m: -value for m, value in psnr.methods.items()}, pairs=worse
    )
    page: dict[str, Any] = {"levels": list(LEVELS)}
    return Key(
        study=study_id(page, {}),
        seed=design.seed,
        dataset=StudyData(name="drawn", split="test", direction="AtoB", group_name="HER2"),
        levels=LEVELS,
        methods=dict.fromkeys(methods, "0" * 64),
        pairs={pair.id: PairFacts(group=pair.group, cluster=pair.cluster) for pair in every},
        items=drawn.items,
        metrics={"psnr": psnr, "upside-down": upside_down},
        page=page,
        files={},
    )


def scripted(
    key: Key,
    reader: str,
    *,
    read: Callable[[str, Rating, str], str | None],
    real: Callable[[str, Rating], bool],
    choice: Callable[[str, Preference], str],
) -> dict[str, Any]:
    """Return the file of a reader who answers as told; each is given the item and its name."""
    answers: dict[str, dict[str, Any]] = {}
    for place, (name, item) in enumerate(sorted(key.items.items())):
        said: dict[str, Any] = {"place": place, "seconds": 2.0}
        if isinstance(item, Rating):
            said["level"] = read(name, item, key.pairs[item.pair].group or "")
            said["real"] = real(name, item)
        else:
            said["choice"] = choice(name, item)
        answers[name] = said
    return file_of(key.study, reader, answers)


def file_of(study: str, reader: str, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page saves."""
    return {
        "format": "i2ibench study answers",
        "schema": 1,
        "study": study,
        "reader": reader,
        "started": "2026-11-29T12:00:00Z",
        "saved": "2026-11-29T13:00:00Z",
        "complete": True,
        "answers": dict(answers),
    }


def saved(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write a reader's file."""
    path = folder / f"{content['reader']}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def shifted(level: str, by: int) -> str:
    """Return the level that lies so many higher, within those that there are."""
    return LEVELS[min(max(LEVELS.index(level) + by, 0), len(LEVELS) - 1)]
