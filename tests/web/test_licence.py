"""What pages say of data whose images may not be published."""

from __future__ import annotations

from pathlib import Path

import factories
import numpy as np
import pytest

from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import PairedDataset
from i2ibench.web.licence import kept_private, licence_of
from i2ibench.web.run_page import write_run_page

TERMS = "no <b>pictures</b> elsewhere"


def _registered(monkeypatch: pytest.MonkeyPatch, publishable: bool | None) -> None:
    said = {} if publishable is None else {"publishable": publishable}
    card = {"title": "drawn", "licence": TERMS, **said}
    factories.register_dataset(monkeypatch, "drawn", card)


@pytest.fixture
def pairs(drawn) -> PairedDataset:
    return open_dataset(str(drawn.draw("test", 4).root), "test")


def _page(folder: Path, pairs: PairedDataset, **more) -> str:
    predictions = {}
    for pair in pairs:
        predictions[pair.id] = folder / f"predictions/{pair.id}.png"
        write_png(predictions[pair.id], read_image(pair.target))
    scores = factories.pair_scores({"psnr": np.arange(4.0)}, [pair.group for pair in pairs])
    scores["id"] = [pair.id for pair in pairs]
    result = factories.result(scores, "net")
    assert result.dataset.name == "drawn"
    return write_run_page(folder / "page", result, pairs, predictions, scores, **more).read_text()


def test_a_page_of_private_images_says_so_first_and_how_to_mend_it(
    pairs, tmp_path, monkeypatch
) -> None:
    _registered(monkeypatch, publishable=False)
    first = _page(tmp_path, pairs).split("<section")[0]
    assert "Not for publication" in first
    assert "i2ibench report RUN --without-pictures" in first
    assert "no &lt;b&gt;pictures" in first
    assert "Not for publication" not in _page(tmp_path, pairs, with_pictures=False)


@pytest.mark.parametrize("publishable", [True, None])
def test_others_are_only_told_their_terms(publishable, pairs, tmp_path, monkeypatch) -> None:
    _registered(monkeypatch, publishable)
    page = _page(tmp_path, pairs)
    assert "Not for publication" not in page
    assert "no &lt;b&gt;pictures" in page
    assert ("--without-pictures" in page) == (publishable is None)


def test_cards_say_which_images_may_be_published() -> None:
    for name in ("bci", "bci-challenge", "mist-her2", "maps", "edges2handbags"):
        assert licence_of(name).publishable is False, name
        assert name in kept_private(name)
    assert licence_of("synthetic-64").publishable is True
    assert kept_private("synthetic-64") == kept_private("of nobody") == ""
    assert not licence_of("of nobody")


def test_a_part_of_a_data_set_has_its_terms() -> None:
    assert licence_of("own-bci").publishable is False
    assert "of bci, which these data may be a part of" in kept_private("own-bci")
    assert not licence_of("own-of-nobody")
