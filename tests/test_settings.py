"""Settings outlive new fields, and say in one line what they refuse."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from i2ibench import registry
from i2ibench.data.loading import ImageSettings
from i2ibench.data.preparation import Preparation
from i2ibench.data.synthetic.drawing import SyntheticOptions
from i2ibench.evaluation.protocol import MetricChoice, Protocol
from i2ibench.metrics.interface import MetricSettings, registered_metric
from i2ibench.models.interface import ModelConfig, registered_model
from i2ibench.models.policy import InferencePolicy
from i2ibench.settings import Settings, explain
from i2ibench.training.recipe import Recipe, TrainingSettings
from i2ibench.translation.manifest import Manifest

REQUIRED: dict[type[Settings], dict[str, Any]] = {
    Protocol: {"id": "own-1", "title": "own", "metrics": [{"name": "psnr"}]},
    MetricChoice: {"name": "psnr"},
    Manifest: {
        "model": "copy",
        "checkpoint_sha256": None,
        "protocol": "i2i-1",
        "preparation": {},
        "inference": {},
        "precision": "fp32",
    },
}
HASHED = [
    *(ImageSettings, InferencePolicy, Manifest, MetricChoice, MetricSettings, ModelConfig),
    *(Preparation, Protocol, Recipe, SyntheticOptions, TrainingSettings),
    *dict.fromkeys(registered_metric(name).Settings for name in registry.metrics.names()),
    *dict.fromkeys(registered_model(name).Config for name in registry.models.names()),
]


@pytest.mark.parametrize("settings", HASHED, ids=lambda settings: settings.__name__)
@hypothesis_settings(deadline=None, max_examples=20)  # classes are made, and machines differ
@given(value=st.integers())
def test_a_later_field_changes_no_old_id(settings: type[Settings], value: int) -> None:
    class Grown(settings):  # type: ignore[misc, valid-type]
        added_later: ClassVar[frozenset[str]] = frozenset({"grown", "listed"})
        grown: int = 7
        listed: list[int] = pydantic.Field(default_factory=list)

    given_keys = REQUIRED.get(settings, {})
    old = settings(**given_keys).model_dump(mode="json")
    assert Grown(**given_keys).model_dump(mode="json") == old
    assert Grown(**given_keys, grown=7, listed=[]).model_dump(mode="json") == old
    grown = Grown(**given_keys, grown=value).model_dump(mode="json")
    assert (grown == old) == (value == 7)
    assert settings(**{k: v for k, v in grown.items() if k != "grown"}) == settings(**given_keys)


def test_fields_of_a_plugins_subclass_join_those_of_its_bases() -> None:
    class Base(Settings):
        added_later: ClassVar[frozenset[str]] = frozenset({"second"})
        first: int = 1
        second: int = 2

    class Plugin(Base):
        added_later: ClassVar[frozenset[str]] = frozenset({"third"})
        third: int = 3

    assert Plugin().model_dump() == {"first": 1}
    assert Plugin(second=5).model_dump() == {"first": 1, "second": 5}


def test_settings_within_settings_leave_their_later_fields_out_too() -> None:
    class Inner(Settings):
        added_later: ClassVar[frozenset[str]] = frozenset({"new"})
        new: int = 0

    class Outer(Settings):
        inner: Inner = Inner()
        many: tuple[Inner, ...] = (Inner(), Inner(new=1))

    assert Outer().model_dump() == {"inner": {}, "many": ({}, {"new": 1})}


@pytest.mark.parametrize("name", ["absent", "required"])
def test_only_a_field_with_a_default_can_have_been_added_later(name: str) -> None:
    with pytest.raises(TypeError, match=name):

        class _(Settings):
            added_later: ClassVar[frozenset[str]] = frozenset({name})
            required: int


class _Left(Settings):
    kind: Literal["left"] = "left"
    width: int = 1


class _Right(Settings):
    kind: Literal["right"] = "right"
    height: int = 1


class _Whole(Settings):
    title: str
    parts: tuple[_Left | _Right, ...] = ()
    table: dict[str, _Left] = pydantic.Field(default_factory=dict)
    one: _Left | None = None
    count: int = pydantic.Field(default=1, ge=1)

    @pydantic.field_validator("title")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value:
            raise ValueError("must not be empty")
        return value


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"titel": "a"}, "unknown whole's key 'titel'; did you mean title?"),
        ({"title": "a", "one": {"widht": 2}}, "unknown key of [one] 'widht'; did you mean width?"),
        (
            {"title": "a", "table": {"x": {"widht": 2}}},
            "unknown key of [table.x] 'widht'; did you mean width?",
        ),
        ({"title": ""}, "title = '': must not be empty"),
        ({"title": "a", "count": 0}, "count = 0: Input should be greater than or equal to 1"),
        ({}, "title: Field required"),
    ],
)
def test_a_refusal_is_one_line_with_key_value_and_remedy(content: Any, line: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        _Whole(**content)
    assert explain(caught.value, _Whole, kind="whole's key") == line


def test_a_long_value_is_cut() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        _Whole(title="a", count="b" * 1000)
    assert len(explain(caught.value, _Whole)) < 200
