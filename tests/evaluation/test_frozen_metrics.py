"""What the metrics of a frozen protocol compute is frozen: settings, definitions and values.

A protocol's hash holds the names of its metrics and not what they do. ``frozen_metrics.json``
holds that: for every metric of i2ibench its signature, its default settings and its values on one
seeded set. After a change that is meant, and has raised ``version``, write it anew, with the
folder of real weights as argument:

    PYTHONPATH=tests:benchmarks python tests/evaluation/test_frozen_metrics.py ../shared/weights
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import stained, write_rgb
from seeded_weights import write_inception, write_trunks

from i2ibench import registry
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.evaluation.scores import Evaluation
from i2ibench.metrics import manifold
from i2ibench.metrics.interface import build_metric

GOLDEN = Path(__file__).with_name("frozen_metrics.json")
OURS = [n for n in registry.metrics.names() if registry.metrics.entry(n).provider == "i2ibench"]
TRUE_WEIGHTS = "lpips-squeeze"  # the one whose weights are at hand; the others' are drawn
LEVELS = ("0", "1+", "2+", "3+")
PAIRS = 16
# Rounding of float64 sums, and of float32 networks, on other processors.
EXACT, NETWORK = 1e-6, 1e-3
MEND = (
    "a change of a metric's settings or numbers needs a new `version` of the metric, one of a "
    "protocol's choice a new protocol id; see the head of this file"
)


def _draw(folder: Path, split: str, count: int) -> tuple[PairedDataset, dict[str, Path]]:
    """Draw pairs whose predictions are shifted, paler and uneven, and whose levels overlap."""
    random = np.random.default_rng([1, *split.encode()])
    pairs, predictions = [], {}
    for index in range(count):
        level = index % 4
        pair_id = f"{index:05d}_{split}"
        scene = stained(random, 0.1 + 0.05 * level + random.uniform(0, 0.1), 240)
        target = scene[16 : 16 + 176, 16 : 16 + 200]
        dy, dx = random.integers(-12, 13, 2)
        moved = scene[16 - dy :, 16 - dx :][:176, :200].astype(float)
        # Light that falls from one side moves the shift of least error, not that of the phase.
        ramp = np.linspace(0, 60, 200)[None, :, None] * (index % 2)
        noisy = 40 + 0.8 * moved - ramp + random.normal(0, 6, moved.shape)
        ref = ImageRef(write_rgb(folder / split / f"{pair_id}.png", target))
        made = np.rint(noisy).clip(0, 255).astype(np.uint8)
        predictions[pair_id] = write_rgb(folder / f"{split}-made" / f"{pair_id}.png", made)
        pairs.append(ImagePair(pair_id, ref, ref, LEVELS[level]))
    dataset = PairedDataset(
        "frozen", split, tuple(pairs), root=folder, group_name="HER2", group_order=LEVELS
    )
    return dataset, predictions


def _values(folder: Path, names: list[str], weights: Path) -> dict[str, dict[str, float]]:
    """Return all numbers of an evaluation by metric: overall, by group, interval, details."""
    dataset, predictions = _draw(folder, "test", PAIRS)
    training, _ = _draw(folder, "train", 24)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("I2IBENCH_WEIGHTS", str(weights))
        patch.setenv("I2IBENCH_CACHE", str(folder / "cache"))
        patch.setattr(manifold, "FEWEST_PAIRS", 1)
        found = evaluate(
            dataset,
            predictions,
            protocol=load_protocol("stain-1"),
            metrics=names,
            device="cpu",
            training_targets=training,
            allow_unverified_weights=True,
            use_cache=False,
        )
    return {name: _numbers_of(found, name) for name in names}


def _numbers_of(found: Evaluation, name: str) -> dict[str, float]:
    value = found.metrics[name]
    everything = {
        "value": value.value,
        "ci95": value.ci95,
        "group": {group: scores.metrics[name].value for group, scores in found.groups.items()},
        "details": found.details.get(name),
    }
    return dict(_flat(everything))


def _flat(node: Any, place: str = "") -> Iterator[tuple[str, float]]:
    parts = enumerate(node) if isinstance(node, (list, tuple)) else None
    parts = node.items() if isinstance(node, Mapping) else parts
    if parts is not None:
        for key, part in parts:
            yield from _flat(part, f"{place} {key}".strip())
    elif node is not None and not isinstance(node, str):
        yield place, node


def _definition(name: str) -> dict[str, Any]:
    metric = build_metric(name)
    return {
        "signature": str(metric.signature()),
        "settings": metric.settings.model_dump(),
        "unit": metric.unit,
        "better": metric.better,
    }


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def values(tmp_path_factory, seeded_inception) -> dict[str, dict[str, float]]:
    folder = tmp_path_factory.mktemp("frozen")
    write_trunks(folder)
    (folder / seeded_inception.name).symlink_to(seeded_inception)
    return _values(folder, [name for name in OURS if name != TRUE_WEIGHTS], folder)


def test_every_metric_is_frozen_here(golden):
    assert sorted(golden) == sorted(OURS), MEND


@pytest.mark.parametrize("name", OURS)
def test_definitions_and_default_settings_are_frozen(golden, name):
    frozen = {key: golden[name][key] for key in ("signature", "settings", "unit", "better")}
    assert _definition(name) == frozen, MEND


@pytest.mark.parametrize("name", [name for name in OURS if name != TRUE_WEIGHTS])
def test_values_are_frozen(golden, values, name):
    _compare(name, values[name], golden[name]["values"])


def test_values_of_true_weights_are_frozen(golden, shared, tmp_path):
    found = _values(tmp_path, [TRUE_WEIGHTS], shared / "weights")
    _compare(TRUE_WEIGHTS, found[TRUE_WEIGHTS], golden[TRUE_WEIGHTS]["values"])


def _compare(name: str, found: Mapping[str, float], frozen: dict[str, Any]) -> None:
    assert "value" in found
    tolerance = NETWORK if build_metric(name).weights else EXACT
    assert found == pytest.approx(frozen, rel=tolerance, abs=1e-9), f"{name}: {MEND}"


def write(weights: Path) -> None:
    """Write what is computed now as the golden values."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_trunks(folder)
        write_inception(folder)
        found = _values(folder, [name for name in OURS if name != TRUE_WEIGHTS], folder)
        found |= _values(folder, [TRUE_WEIGHTS], weights)
    content = {name: {**_definition(name), "values": found[name]} for name in OURS}
    GOLDEN.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
