"""The key of a study: which image is what. It is kept from readers, and opens their answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import pydantic

from i2ibench.errors import DataError
from i2ibench.evaluation.scores import Better
from i2ibench.files import json_text, read_json, sha256_json, write_text
from i2ibench.settings import explain

SCHEMA: Final = 1
Kind = Literal["rating", "preference"]
# A method's label, or None for the real image.
Maker = str | None


class _Part(pydantic.BaseModel):
    # PSNR is infinite where a prediction is its target; JSON holds that as a text.
    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=True, ser_json_inf_nan="strings"
    )


class Rating(_Part):
    """One image, whose level is read and which is taken for real or generated.

    Attributes:
        pair: whose target or prediction is shown.
        maker: which of them.
        repeats: the id of the item that this one shows again, for self-agreement.
    """

    kind: Literal["rating"] = "rating"
    pair: str
    maker: Maker
    repeats: str | None = None


class Preference(_Part):
    """Two images of one pair, beside its source, of which one is preferred.

    Attributes:
        pair: whose images are shown.
        left, right: what makes them; None for the target.
        repeats: the id of the item whose images this one shows again, sides exchanged.
    """

    kind: Literal["preference"] = "preference"
    pair: str
    left: Maker
    right: Maker
    repeats: str | None = None


Item = Rating | Preference


class PairFacts(_Part):
    """What is known of a pair: its level, and the slide or patient it comes from."""

    group: str | None = None
    cluster: str | None = None


class StudyData(_Part):
    """The pairs that the study draws from, as the methods' records name them."""

    name: str
    split: str
    direction: str
    group_name: str | None = None
    manifest_sha256: str | None = None
    clusters_unknown: bool = False


class MetricFacts(_Part):
    """A metric with its values: of each method, and of each pair that the study shows."""

    better: Better | None
    signature: str = ""
    methods: dict[str, float | None]
    pairs: dict[str, dict[str, float | None]] = pydantic.Field(default_factory=dict)


class Key(_Part):
    """Everything that ``import`` needs beside the answers.

    Attributes:
        schema_: of this form.
        study: hash of the page's items and of every image; answers carry it.
        seed: of the draw.
        dataset: what was drawn from.
        levels: in their order; empty where pairs have no level and none is asked for.
        methods: SHA-256 of each method's predictions as shown, by label.
        pairs: by id.
        items: by id.
        metrics: by name.
        page: what the page holds of the items.
        files: SHA-256 of each image by its name in the page's folder.
        notes: what was left out or drawn otherwise than asked.
    """

    schema_: Literal[1] = pydantic.Field(default=1, alias="schema")
    study: str
    seed: int
    dataset: StudyData
    levels: tuple[str, ...]
    methods: dict[str, str]
    pairs: dict[str, PairFacts]
    items: dict[str, Item]
    metrics: dict[str, MetricFacts]
    page: dict[str, Any]
    files: dict[str, str]
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the key as it is written, sealed by the hash of its content."""
        content = self.model_dump(mode="json", by_alias=True)
        return json_text({**content, "sha256": sha256_json(content)})


def study_id(page: dict[str, Any], files: dict[str, str]) -> str:
    """Return what binds key, page and answers: the hash of the items and of all images."""
    return sha256_json({"page": page, "files": files})


def write_key(path: Path, key: Key) -> None:
    """Write a key atomically."""
    write_text(path, key.text())


def read_key(path: Path) -> Key:
    """Read a key.

    Raises:
        DataError: no key, a newer one, or one that was edited.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not {"study", "items"} <= content.keys():
        raise DataError(
            f"{path}: not the key of a study; give the .key.json that study export wrote"
        )
    if isinstance(content.get("schema"), int) and content["schema"] > SCHEMA:
        raise DataError(
            f"{path}: schema {content['schema']} is newer than this i2ibench (schema {SCHEMA}); "
            "update with: pip install -U i2ibench"
        )
    stated = content.pop("sha256", None)
    try:
        key = Key.model_validate(content)
    except pydantic.ValidationError as error:
        raise DataError(f"{path}: not the key of a study: {explain(error)}") from None
    if stated != sha256_json(content) or key.study != study_id(key.page, key.files):
        raise DataError(f"{path}: edited after it was written; restore it")
    _check_names(key, path)
    return key


def _check_names(key: Key, path: Path) -> None:
    for name, item in key.items.items():
        makers = (item.maker,) if isinstance(item, Rating) else (item.left, item.right)
        known = item.pair in key.pairs and all(m is None or m in key.methods for m in makers)
        if not known or (item.repeats is not None and item.repeats not in key.items):
            raise DataError(f"{path}: item {name} names what the key does not hold; restore it")
