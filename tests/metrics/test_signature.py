"""A signature prints and parses through one class, without loss."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from i2ibench import registry
from i2ibench.errors import DataError
from i2ibench.metrics.interface import build_metric
from i2ibench.metrics.signature import Signature

WORDS = st.text(
    st.characters(blacklist_characters="|:", blacklist_categories=("Z", "C")), min_size=1
)
SETTINGS = st.dictionaries(WORDS.filter(lambda w: w != "v"), WORDS | st.just(""), max_size=5)


@given(name=WORDS, settings=SETTINGS, version=st.integers(0, 999))
def test_what_is_printed_parses_to_the_same(name, settings, version):
    signature = Signature(name, tuple(settings.items()), version)
    assert Signature.parse(str(signature)) == signature


def test_psnr_prints_as_the_design_says():
    assert str(build_metric("psnr").signature()) == "psnr|rgb|range:255|mean:image|v:1"


@pytest.mark.parametrize("name", registry.metrics.names())
def test_every_metric_has_a_signature_that_parses_and_begins_with_its_name(name):
    signature = build_metric(name).signature()
    assert signature.name == name
    assert Signature.parse(str(signature)) == signature


def test_no_two_metrics_share_a_signature():
    printed = [str(build_metric(name).signature()) for name in registry.metrics.names()]
    assert len(set(printed)) == len(printed)


@pytest.mark.parametrize("name", registry.metrics.names())
def test_what_a_docstring_says_of_a_signature_stands_in_it_in_that_order(name):
    metric = build_metric(name)
    own = vars(type(metric)).get("signature")
    printed = iter(str(metric.signature()).split("|"))
    quoted = re.findall(r"``([^`]*:[^`]*)``", own.__doc__) if own is not None else []
    for part in "|".join(quoted).split("|"):
        if part and not part.endswith("..."):
            assert part in printed, "the rest of the signature holds it"


@pytest.mark.parametrize(
    "text",
    [
        *("", "psnr", "psnr|rgb", "psnr|v:x", "psnr|range:|v:1", "|v:1", "psnr|a|a|v:1"),
        *("psnr|v:01", "psnr|v:00", "psnr|v:-1", "psnr|v:+1", "psnr|v:1_0", "psnr|v:1\n"),
        *("psnr|v:\u0661", "psnr|v:" + "9" * 5000),
        *("psnr|a\nb|v:1", "psnr|a:b\n|v:1", "ps\rnr|v:1", "psnr|a\u2028b|v:1", "a\tb|v:1"),
    ],
)
def test_what_is_no_signature_is_refused_in_one_line(text):
    with pytest.raises(DataError) as caught:
        Signature.parse(text)
    assert len(str(caught.value).splitlines()) == 1


@given(
    setting=st.text(st.sampled_from("av|: \n\u2028")),
    version=st.text(st.sampled_from("01-\u0661"), min_size=1, max_size=3),
)
def test_what_parses_prints_as_the_same_single_line(setting, version):
    text = f"psnr|a{setting}|v:{version}"
    try:
        signature = Signature.parse(text)
    except DataError:
        return
    assert str(signature) == text
    assert text.splitlines() == [text]


@pytest.mark.parametrize("version", [-1, 10**9, True, 1.0])
def test_a_version_that_would_not_parse_is_refused(version):
    with pytest.raises(DataError, match="is no whole number from 0"):
        Signature("psnr", (), version)


def test_a_changed_setting_keeps_its_place():
    signature = Signature("kid", (("subset", "10"), ("seed", "1")))
    assert str(signature.with_setting("subset", 20)) == "kid|subset:20|seed:1|v:1"
