"""A model's card says what each setting means, also where only a docstring does."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from pydantic import Field

from i2ibench import registry
from i2ibench.cli.app import run_app
from i2ibench.models.card import model_card
from i2ibench.models.interface import ModelConfig, TranslationModel

SHIPPED = [
    name for name in registry.models.names() if registry.is_ours(registry.models.entry(name))
]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_setting_of_a_shipped_method_has_a_meaning(name: str) -> None:
    meanings = {key: each["description"] for key, each in model_card(name)["settings"].items()}
    assert [key for key, meaning in meanings.items() if len(meaning) < 8] == []
    assert "``" not in "".join(meanings.values())


class BaseConfig(ModelConfig):
    """Settings of a base.

    Attributes:
        width: channels of the base.
        depth: layers, of which there are
            several.
    """

    width: int = 1
    depth: int = 2


class OwnConfig(BaseConfig):
    """Settings.

    Attributes:
        width: channels, ``N`` of them (a power: of two).

    Raises:
        plain: is no setting.
    """

    plain: int = 3
    told: int = Field(4, description="said by the field")


@dataclass
class DataclassConfig:
    """Settings.

    Attributes:
        width: channels of a dataclass.
    """

    width: int = 1


def meanings(config_class: type, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    class Model(TranslationModel):
        Config = config_class

    monkeypatch.setattr(registry.models, "_added", {})
    registry.models.register("of-a-card", Model)
    settings = model_card("of-a-card")["settings"]
    return {key: each["description"] for key, each in settings.items()}


def test_a_class_speaks_before_its_bases_and_a_field_before_its_class(monkeypatch) -> None:
    assert meanings(OwnConfig, monkeypatch) == {
        "width": "channels, N of them (a power: of two).",
        "depth": "layers, of which there are several.",
        "plain": "",
        "told": "said by the field",
    }
    assert meanings(DataclassConfig, monkeypatch) == {"width": "channels of a dataclass."}


def test_a_card_tells_what_a_method_needs_and_how_it_draws(capsys) -> None:
    def shown(*arguments: str) -> str:
        assert run_app(["models", *arguments]) == 0
        return " ".join(capsys.readouterr().out.split())

    assert "smallest batch 2" in shown("asp-variance")
    assert "stochastic yes" in shown("bbdm") and "stochastic no" in shown("cut")
    assert "arxiv.org/abs/1703.10593" in shown("cyclegan")
    assert "an oracle" in shown("blurred-target") and "Settings" not in shown("copy")
    assert json.loads(shown("bbdm", "--json"))["stochastic"] is True


def test_the_list_says_in_a_line_from_which_paper_a_method_is_and_what_it_needs() -> None:
    lines = {name: registry.models.summary(name) for name in SHIPPED}
    trained = [name for name in SHIPPED if model_card(name)["trainable"]]
    assert [name for name in trained if "arXiv:" not in lines[name]] == []
    assert all(len(line) <= 100 and line.endswith(".") for line in lines.values())
    for name, words in {
        "bbdm": "diffusers", "pix2pixhd": "weights vgg19", "cyclegan": "unpaired",
        "cut": "unpaired", "fastcut": "unpaired",
    }.items():  # fmt: skip
        assert words in lines[name]
    assert [name for name in SHIPPED if "stochastic" in lines[name]] == ["bbdm"]
