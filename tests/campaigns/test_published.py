"""What docs/variance-penalty.md says follows from the records that lie beside its campaign."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "campaigns" / "variance-penalty" / "synthetic-64"
PAGE = ROOT / "docs" / "variance-penalty.md"
NONE, MATCHED = (25.0, 25.0, 25.0, 25.0), (45.0, 25.0, 25.0, 25.0)


@pytest.fixture(scope="module")
def ratios():
    """The endpoint of every record, by arm and seed."""
    found: dict[str, dict[int, float]] = {"penalty": {}, "none": {}, "matched": {}}
    for path in sorted(RECORDS.glob("*/*/result.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        weights = tuple(record["model"]["config"]["pyramid_weights"])
        arm = {NONE: "none", MATCHED: "matched"}[weights]
        arm = "penalty" if record["model"]["name"] == "varpyramid" else arm
        found[arm][record["seed"]] = record["groups"]["3+"]["metrics"]["distance-ratio"]["value"]
    return found


@pytest.mark.parametrize("against", ["none", "matched"])
def test_the_endpoint_of_the_variance_penalty_is_that_of_its_records(ratios, against):
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("### Endpoint") : text.index("### Beside the endpoint")]
    rows = [line for line in section.splitlines() if line.startswith("| varpyramid")]
    row = rows[["none", "matched"].index(against)].strip("|").split("|")
    row = [cell.split("<br>")[0].strip() for cell in row]
    seeds = sorted(ratios["penalty"].keys() & ratios[against].keys())
    assert row[-1] == str(len(seeds)) == "8"
    first, second = (np.array([ratios[arm][s] for s in seeds]) for arm in ("penalty", against))
    assert float(row[3]) == pytest.approx((first - second).mean(), abs=5e-4)
    test = ttest_rel(first, second)
    assert float(row[5]) == pytest.approx(test.pvalue, abs=5e-4)
    shown = [float(each) for each in row[4].strip("[]").split(",")]
    assert shown == pytest.approx([*test.confidence_interval(0.95)], abs=5e-4)
