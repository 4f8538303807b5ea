"""Settings that make no metric are refused at the door, in one line that says what would do."""

from __future__ import annotations

import cv2
import numpy as np
import pydantic
import pytest
from factories import register_metric
from skimage.color import rgb2hed

from i2ibench.cli.app import run_app
from i2ibench.errors import UsageError
from i2ibench.metrics.alignment import AlignmentSettings, PSNRAligned
from i2ibench.metrics.interface import MetricSettings, PairMetric, build_metric
from i2ibench.metrics.stain import DABAreaError, StainSettings

AT_LEAST_1 = "greater than or equal to 1"


@pytest.mark.parametrize(
    ("metric", "settings", "message"),
    [
        ("dab-area-error", {"positive": -0.1}, "greater than or equal to 0.005"),
        ("dab-area-error", {"positive": 0}, "greater than or equal to 0.005"),
        ("dab-area-error", {"positive": 5}, "less than or equal to 3.835"),
        ("dab-area-error", {"positive": float("nan")}, "positive = nan"),
        ("dab-area-error", {"positive": 0.2023}, "the nearest are 0.2 and 0.205"),
        ("dab-dice-tolerant", {"radius": -1}, "greater than or equal to 0"),
        ("dab-dice-tolerant", {"radius": 101}, "less than or equal to 100"),
        ("kid", {"subset": 0}, "greater than or equal to 2"),
        ("kid", {"subset": 1}, "greater than or equal to 2"),
        ("kid", {"subsets": 0}, AT_LEAST_1),
        ("kid", {"seed": -1}, "greater than or equal to 0"),
        ("kid", {"seed": 2**32}, "less than 4294967296"),
        ("precision", {"neighbour": 0}, AT_LEAST_1),
        ("recall", {"neighbour": -1}, AT_LEAST_1),
        ("swd", {"patches": 0}, AT_LEAST_1),
        ("swd", {"kept": 0}, AT_LEAST_1),
        ("swd", {"directions": 0}, AT_LEAST_1),
        ("psnr-aligned", {"radius": -1}, "greater than or equal to 0"),
        ("ssim-aligned", {"radius": 1.5}, "valid integer"),
        ("group-accuracy", {"per_group": 1}, "greater than or equal to 2"),
        ("group-kappa", {"per_group": 0}, "greater than or equal to 2"),
    ],
)
def test_what_no_definition_holds_for_is_refused_by_name(metric, settings, message):
    with pytest.raises(UsageError) as caught:
        build_metric(metric, settings)
    ((key, value),) = settings.items()
    assert str(caught.value).startswith(f"metric {metric}: {key} = {value!r}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("metric", "settings"),
    [
        ("dab-area-error", {"positive": 0.005}),
        ("dab-area-error", {"positive": 3.835}),
        ("dab-dice-tolerant", {"radius": 0}),
        ("dab-dice-tolerant", {"radius": 100}),
        ("kid", {"subset": 2, "subsets": 1, "seed": 0}),
        ("precision", {"neighbour": 1}),
        ("swd", {"patches": 1, "kept": 1, "directions": 1}),
        ("psnr-aligned", {"radius": 0}),
        ("group-accuracy", {"per_group": 2}),
    ],
)
def test_the_ends_of_each_range_are_taken(metric, settings):
    assert build_metric(metric, settings).settings.model_dump().items() >= settings.items()


def test_every_threshold_on_the_grid_is_the_one_that_is_signed(make_pair):
    pair = make_pair(24, 24)
    images = (np.maximum(image, 1) for image in (pair.prediction, pair.target))
    densities = [rgb2hed(image)[:, :, 2] * 6 for image in images]
    for step in (1, 7, 20, 41, 100):
        metric = DABAreaError(StainSettings(positive=step * 0.005))
        signed = f"{step / 200:g}"
        assert f"|positive:{signed}|" in str(metric.signature())
        shares = [(density >= float(signed) - 1e-9).mean() for density in densities]
        assert metric.score_pair(pair) == pytest.approx(abs(shares[0] - shares[1]), abs=1e-12)


def test_a_sum_of_decimals_is_on_the_grid_it_was_meant_for():
    assert StainSettings(positive=0.1 + 0.2).positive == 0.3


def test_a_radius_beyond_half_the_side_searches_no_further(make_pair):
    pair = make_pair(20, 20)
    far, half = (PSNRAligned(AlignmentSettings(radius=r)) for r in (500, 10))
    assert far.score_pair(pair) == half.score_pair(pair)


class _Ranged(PairMetric):
    """A metric of a plugin whose settings depend on each other."""

    name = "ranged"
    better = "higher"

    class Settings(MetricSettings):
        low: int = 0
        high: int

        @pydantic.model_validator(mode="after")
        def _ordered(self):
            if self.low >= self.high:
                raise ValueError("low must be below high")
            return self


def test_a_rule_over_several_settings_is_told_in_its_own_words(monkeypatch):
    register_metric(monkeypatch, "ranged", _Ranged)
    for settings, message in (
        ({"low": 2, "high": 1}, "metric ranged: low must be below high"),
        ({}, "metric ranged: high: Field required"),
    ):
        with pytest.raises(UsageError) as caught:
            build_metric("ranged", settings)
        assert str(caught.value) == message


def test_a_protocol_with_a_bad_setting_is_one_line_of_the_command(capsys, tmp_path):
    for folder, grey in (("real", 90), ("made", 120)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "1.png"), np.full((16, 16, 3), grey, np.uint8))
    own = tmp_path / "own.toml"
    own.write_text(
        'id = "own-1"\ntitle = "own"\n[[metrics]]\nname = "dab-area-error"\n'
        "settings = { positive = 0.2023 }\n",
        encoding="utf-8",
    )
    code = run_app(
        ["evaluate", f"{tmp_path}/made", "--targets", f"{tmp_path}/real", "--protocol", str(own)]
    )
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: metric dab-area-error: positive = 0.2023: must be a multiple of 0.005; the nearest "
        "are 0.2 and 0.205"
    ]
