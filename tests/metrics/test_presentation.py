"""How tables show a metric: as it says itself, as papers call it, or by the parts of its name."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from factories import pair_scores, register_metric

from i2ibench import registry
from i2ibench.metrics.interface import PairMetric, registered_metric
from i2ibench.metrics.presentation import (
    column_title,
    direction,
    metric_title,
    number,
    only_reported,
    table_order,
)
from i2ibench.results.evaluation_intervals import score_intervals

OURS = [n for n in registry.metrics.names() if registry.metrics.entry(n).provider == "i2ibench"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("psnr", "PSNR"),
        ("lpips-squeeze", "LPIPS-squeeze"),
        ("dab-od-error", "dab-od-error"),
        ("delta-e76", "ΔE (1976)"),
        ("lpips-of-a-plugin", "LPIPS-of-a-plugin"),
        ("swd-", "swd-"),
        ("unheard-of", "unheard-of"),
    ],
)
def test_titles(name, title):
    assert metric_title(name) == title


def test_a_metric_of_a_paper_has_its_direction_and_an_unknown_one_none():
    assert (direction("mse"), direction("dab-correlation")) == ("lower", "higher")
    assert (direction("dab-pred-mean"), direction("unheard-of")) == (None, None)
    assert column_title("dab-correlation", direction("dab-correlation")) == "DAB correlation ↑"


def test_what_is_computed_here_is_not_declared_a_second_time():
    assert not set(only_reported()) & set(registry.metrics.names())


@pytest.mark.parametrize("name", OURS)
def test_registered_metrics_say_their_own(name):
    metric = registered_metric(name)
    assert (direction(name), metric_title(name)) == (metric.better, metric.title or name)


def test_positions_are_apart_so_that_every_table_has_one_order():
    positions = [registered_metric(name).position for name in OURS]
    assert len(set(positions)) == len(positions)


def test_metrics_of_a_protocol_come_first_and_unknown_ones_last_by_name():
    names = ["zeta", "alpha", "kid", "psnr", "shift"]
    assert sorted(names, key=table_order) == ["psnr", "kid", "shift", "alpha", "zeta"]
    first = ("zeta", "kid")
    assert sorted(names, key=lambda name: table_order(name, first))[:2] == ["zeta", "kid"]


def test_a_plugins_title_and_digits_are_its_own_and_not_those_of_its_base(monkeypatch):
    class Masked(registered_metric("psnr")):
        name = "masked"

    class Named(Masked):
        name = "named"
        title = "Named, dB"
        digits = 5

    for metric in (Masked, Named):
        register_metric(monkeypatch, metric.name, metric)
    assert (metric_title("masked"), number(20.12345, "masked")) == ("masked", "20.12")
    assert (metric_title("named"), number(20.12345, "named")) == ("Named, dB", "20.12345")


def test_the_digits_of_an_unknown_metric_are_those_of_its_family():
    assert (number(0.5, "ssim-of-a-plugin"), number(0.5, "unheard-of")) == ("0.5000", "0.5000")
    assert (number(20.1234, "ssim-of-a-plugin"), number(20.1234, "unheard")) == ("20.1234", "20.12")


@pytest.mark.parametrize(
    "facts", [{"digits": -1}, {"digits": "2"}, {"title": "two\nlines"}, {"position": "first"}]
)
def test_what_no_table_can_show_is_refused_when_the_metric_is_defined(facts):
    with pytest.raises(ValueError, match=next(iter(facts))):
        type("Odd", (PairMetric,), {"name": "odd", **facts})


def test_a_broken_plugin_spoils_no_title_and_is_told(tmp_path, monkeypatch):
    info = tmp_path / "flawed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flawed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[i2ibench.metrics]\nodd = flawed_metrics:Odd\n")
    (tmp_path / "flawed_metrics.py").write_text("import not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    fresh = registry.Registry("metric", "i2ibench.metrics")
    monkeypatch.setattr(registry, "metrics", fresh)
    with pytest.warns(UserWarning, match="'odd' of flawed cannot be loaded"):
        assert metric_title("odd") == "odd"
    with pytest.warns(UserWarning, match="'odd' of flawed cannot be loaded"):
        assert (number(0.25, "odd"), direction("odd")) == ("0.2500", None)
    scores = pair_scores({"odd": np.arange(40.0)}, ["0", "3+"] * 20)
    with pytest.warns(UserWarning, match="'odd' of flawed cannot be loaded"):
        assert score_intervals(scores).macro["odd"][0] == 19.5, "nor a board with its numbers"
    assert metric_title("psnr") == "PSNR"


def test_looking_metrics_up_loads_no_torch():
    code = (
        "import sys; from i2ibench import registry; "
        "from i2ibench.metrics.presentation import column_title, direction; "
        "print([column_title(n, direction(n)) for n in registry.metrics.names()]); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "LPIPS ↓" in done.stdout
