"""Protocols are frozen: any change of what decides a number needs a new version."""

from __future__ import annotations

import pytest

from i2ibench import registry
from i2ibench.errors import UsageError
from i2ibench.evaluation.protocol import Protocol, load_protocol
from i2ibench.evaluation.protocol_comparison import protocol_facts
from i2ibench.metrics.interface import build_metric

# A hash changes only with a new id (i2i-2, ...): published numbers stand under the old one.
FROZEN = {
    "bci-2022": "df94f668ebfbb4ad11865962df79051b6b804514ddf355406292d553d7124983",
    "bci-2022-1024": "f9bff022371fba7f056148dd341aefcb981ad3cfcd23df59dbc94eba95dd88d1",
    "bci-2022-1024-2": "2ea344944e8084357b0760ce7e806aec779ce7396b4b4af212ef73fd86d482ae",
    "bci-2022-2": "99f938ec13cc33e3af13fa7009da11b54dcf5161c112ff251b4d96013cfcf54e",
    "i2i-1": "f273f8853e3ef023ef0b595c910dea153bb6e68ecdca74e56fb2b993bb3e27df",
    "i2i-1-flips": "eed5c6ee3ed008f5216b053223ecd1fc198edf210c7af5a07d07cc90779be361",
    "i2i-1-mean8": "1785294127553b5e7d1dd08b76ec00e914ed8a008834a4db9d1cfdc0fc2afeec",
    "i2i-2": "f998dd79b053b8877a01c72dadacdb62b16bc826acef49b2e735317ad7581fa2",
    "stain-2": "eba0e4af814c55615d4799447b5ae664e2c77809c4ce53d7a72f1b0ba5a35f16",
    "stain-1": "45b483b8a75fff15ac28e538552fef8b708478427902ab7ac950e2722fcc29fa",
}


@pytest.mark.parametrize("name", FROZEN)
def test_shipped_protocols_are_frozen(name):
    assert load_protocol(name).sha256 == FROZEN[name]


def test_every_shipped_protocol_is_frozen_here():
    shipped = {
        n for n in registry.protocols.names() if registry.protocols.entry(n).provider == "i2ibench"
    }
    assert shipped == set(FROZEN)


@pytest.mark.parametrize("name", FROZEN)
def test_every_metric_of_a_protocol_exists_and_takes_its_settings(name):
    protocol = load_protocol(name)
    for choice in protocol.metrics:
        assert build_metric(choice.name, choice.settings).name == choice.name


@pytest.mark.parametrize("name", ["i2i-2", "stain-2"])
def test_what_decides_is_said_beforehand_and_fid_never_ranks(name):
    protocol = load_protocol(name)
    assert protocol.endpoints is not None
    assert "fid" in protocol.endpoints.guardrails
    assert not {"fid", "kid", "kid-marginal", "swd"} & {*protocol.ranked_metrics}
    assert {"psnr", "ssim", "lpips", "fid"} <= {*protocol.main_metrics}
    assert "kid" not in protocol.metric_names


def test_the_stain_decides_and_psnr_guards():
    endpoints = load_protocol("stain-2").endpoints
    assert endpoints.primary == ("dab-dice-tolerant", "group-error")
    assert endpoints.primary_mean == "groups"
    assert {"psnr", "ssim", "dab-tnr"} <= {*endpoints.guardrails}


def test_the_sane_protocol_avoids_every_trap_of_the_official_path():
    sane, official = load_protocol("i2i-1"), load_protocol("bci-2022")
    assert sane.preparation.is_native
    assert (sane.inference.normalization, sane.inference.dropout) == ("running", False)
    assert sane.inference.quantization == "round"
    assert official.preparation.size(1024, 1024) == (256, 256)
    assert (official.inference.normalization, official.inference.dropout) == ("batch", True)
    assert official.inference.quantization == "truncate"
    assert official.inference.seed is not None, "what is random has a recorded seed"
    native = load_protocol("bci-2022-1024")
    assert native.preparation.is_native
    assert native.inference == official.inference


@pytest.mark.parametrize("name", ["bci-2022", "bci-2022-1024"])
def test_the_newer_official_path_differs_in_targets_kid_and_ranking_alone(name):
    older, newer = load_protocol(name), load_protocol(f"{name}-2")
    assert newer.inference == older.inference
    converted = {"target_conversion": "official-float"}
    assert newer.preparation == older.preparation.model_copy(update=converted)
    renamed = ["kid-marginal" if metric == "kid" else metric for metric in older.metric_names]
    assert newer.metric_names == renamed
    assert "swd" not in newer.main_metrics
    assert not {"fid", "kid", "swd"} & {*newer.ranked_metrics}
    assert "targets" in protocol_facts(newer)["images"]


def test_the_hash_sees_settings_and_not_wording():
    protocol = load_protocol("i2i-1")
    reworded = protocol.model_copy(update={"title": "other", "description": "words"})
    assert Protocol(**reworded.model_dump()).sha256 == protocol.sha256
    content = protocol.model_dump()
    content["inference"]["quantization"] = "truncate"
    assert Protocol(**content).sha256 != protocol.sha256
    content = protocol.model_dump()
    content["metrics"][0]["settings"] = {"x": 1}
    assert Protocol(**content).sha256 != protocol.sha256


def test_a_protocol_of_ones_own_comes_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('id = "mine-1"\ntitle = "t"\n[[metrics]]\nname = "psnr"\n', encoding="utf-8")
    assert load_protocol(path).metric_names == ["psnr"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('id = "a-1"\ntitle = "t"\nmetrics = []\n', "metrics"),
        ('id = "a-1"\ntitle = "t"\ninferense = {}\n[[metrics]]\nname = "psnr"\n', "inference"),
        ('id = "a-1"\ntitle = "t"\n' + '[[metrics]]\nname = "psnr"\n' * 2, "listed twice"),
        ('id = "i2i-1"\ntitle = "t"\n[[metrics]]\nname = "psnr"\n', "choose another id"),
        ("id = \n", "not valid TOML"),
    ],
)
def test_a_bad_protocol_is_one_line_that_says_why(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        load_protocol(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_protocol_is_suggested():
    with pytest.raises(UsageError, match="did you mean i2i-1"):
        load_protocol("i2i1")


def test_the_card_tells_what_is_fixed():
    facts = protocol_facts(load_protocol("bci-2022"))
    assert facts["images"] == "bicubic to width 320, centre 256 x 256"
    assert (facts["dropout"], facts["seed"], facts["quantisation"]) == ("active", "0", "truncate")


OWN = (
    'id = "own-1"\ntitle = "t"\n{columns}[[metrics]]\nname = "shift"\n[[metrics]]\nname = "ssim"\n'
)


def own(tmp_path, columns):
    path = tmp_path / "own.toml"
    path.write_text(OWN.format(columns=columns), encoding="utf-8")
    return path


def test_the_usual_main_columns_are_those_that_the_protocol_has(tmp_path):
    protocol = load_protocol(own(tmp_path, ""))
    assert (protocol.main_metrics, protocol.ranked_metrics) == (["ssim"], ["ssim"])


def test_a_protocol_names_its_main_columns_and_those_that_have_a_direction_rank(tmp_path):
    plain = load_protocol(own(tmp_path, ""))
    protocol = load_protocol(own(tmp_path, 'main = ["shift", "ssim"]\n'))
    assert protocol.main_metrics == ["shift", "ssim"]
    assert protocol.ranked_metrics == ["ssim"], "a shift describes"
    assert protocol.sha256 != plain.sha256
    unranked = load_protocol(own(tmp_path, 'main = ["shift", "ssim"]\nranked = []\n'))
    assert unranked.ranked_metrics == []
    assert unranked.sha256 != protocol.sha256
    facts = protocol_facts(protocol)
    assert (facts["main columns"], facts["ranked"]) == ("shift, ssim", "ssim")


def test_a_part_of_a_protocol_with_columns_of_its_own_can_be_scored(tmp_path):
    protocol = load_protocol(own(tmp_path, 'main = ["shift", "ssim"]\n'))
    assert protocol.only(["ssim"]).metric_names == ["ssim"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ('main = ["sim"]', ["main: ", "'sim'", "did you mean ssim"]),
        ('main = ["psnr"]', ["main: ", "'psnr'", "shift, ssim"]),
        ('main = ["ssim", "ssim"]', ["listed twice"]),
        ("main = []", ["main"]),
        ('ranked = ["psnr"]', ["ranked: ", "'psnr'", "ssim"]),
        ('main = ["shift"]\nranked = ["ssim"]', ["ranked: ", "'ssim'", "shift"]),
        ('main = ["shift"]\nranked = ["shift"]', ["ranked: shift has no direction"]),
    ],
)
def test_columns_that_are_no_metrics_of_the_protocol_are_wrong_usage(tmp_path, columns, words):
    with pytest.raises(UsageError) as caught:
        load_protocol(own(tmp_path, f"{columns}\n"))
    message = str(caught.value)
    assert "own.toml" in message and "\n" not in message
    for word in words:
        assert word in message, (word, message)


ENDPOINTS = '[endpoints]\nprimary = ["ssim"]\nguardrails = ["shift"]\n'


def test_endpoints_say_what_ranks_and_stand_in_the_hash(tmp_path):
    plain = load_protocol(own(tmp_path, ""))
    path = tmp_path / "said.toml"
    text = OWN.format(columns="")
    path.write_text(text + ENDPOINTS, encoding="utf-8")
    said = load_protocol(path)
    assert said.ranked_metrics == ["ssim"]
    assert said.endpoints is not None
    assert said.endpoints.primary_mean == "pairs"
    assert said.sha256 != plain.sha256
    assert said.only(["shift"]).metric_names == ["shift"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("guardrails", "secondary"), "shift"),  # no main metric
        (('["shift"]', '["ssim"]'), "two roles"),
        (('["shift"]', '["shfit"]'), "did you mean shift"),
        (('["ssim"]', "[]"), "primary"),
        (("guardrails = ", "margins = {ssim = 0}\nguardrails = "), "margins"),
    ],
)
def test_endpoints_that_cannot_be_are_one_line(tmp_path, change, message):
    path = tmp_path / "bad.toml"
    text = OWN.format(columns="") + ENDPOINTS.replace(*change)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        load_protocol(path)
    assert "\n" not in str(caught.value)


def test_endpoints_and_a_list_of_ranked_metrics_exclude_each_other(tmp_path):
    path = tmp_path / "both.toml"
    text = OWN.format(columns='ranked = ["ssim"]\n') + ENDPOINTS
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="leave it out"):
        load_protocol(path)
