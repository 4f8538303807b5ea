"""A board shows and ranks what the protocol says, whether or not it knows the protocol's file."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from factories import evaluation, pair_scores, result

from i2ibench.leaderboard.board import read_board, render_page
from i2ibench.leaderboard.entries import add_entry
from i2ibench.leaderboard.exports import csv_board
from i2ibench.leaderboard.placement import rank_track
from i2ibench.results.record_files import parse_result


def scores(offset):
    draw = np.random.default_rng(3)
    noise = draw.normal(0, 0.1, 20)
    return pair_scores({"psnr": 20 - offset + noise, "lpips-own": 0.5 - offset / 10 + noise / 99})


@pytest.fixture
def board(tmp_path):
    """A function that builds the board of two closed forms: b wins by lpips-own, a by PSNR."""

    def build(**protocol):
        for model, offset in (("a", 0.0), ("b", 1.0)):
            table = scores(offset)
            made = result(table, model)
            of_protocol = replace(evaluation(table), protocol="own-1", **protocol)
            made = result(table, model, evaluation=of_protocol)
            metrics = {
                name: record.model_copy(update={"better": "lower"})
                if name == "lpips-own"
                else record
                for name, record in made.metrics.items()
            }
            made = made.model_copy(update={"metrics": metrics})
            add_entry(tmp_path, made, pair_scores=table)
        return read_board(tmp_path, "drawn")

    return build


def places(board):
    lines = csv.DictReader(io.StringIO(csv_board(board)))
    return {(line["method"], line["metric"]): line["rank_best"] for line in lines}


def order(board):
    return [placed.row.label for placed in rank_track(board.tracks[0]).rows]


def test_without_a_word_of_the_protocol_the_usual_six_rank(board):
    found = places(board())
    assert found["a", "psnr"] == "1"
    assert found["b", "lpips-own"] == ""


def test_a_protocol_that_nobody_registered_ranks_by_its_own_columns(board):
    shown = board(main=("lpips-own", "psnr"), ranked=("lpips-own",))
    found = places(shown)
    assert found["b", "lpips-own"] == "1"
    assert found["a", "psnr"] == ""
    assert order(shown) == ["b", "a"]
    page = render_page(shown)
    header = page[page.index("| method") :].splitlines()[0]
    assert header.index("LPIPS-own") < header.index("PSNR")
    assert "Ranked, each by itself: LPIPS-own." in page


def test_every_main_column_with_a_direction_ranks_by_default(board):
    found = places(board(main=("lpips-own", "psnr")))
    assert (found["a", "psnr"], found["b", "psnr"]) == ("1", "2")
    assert (found["a", "lpips-own"], found["b", "lpips-own"]) == ("2", "1")


def test_the_first_of_the_ranked_is_the_endpoint_that_orders_rows(board):
    shown = board(main=("lpips-own", "psnr"), ranked=("psnr", "lpips-own"))
    assert order(shown) == ["a", "b"]


def test_a_protocol_that_ranks_nothing_ranks_nobody(board):
    shown = board(main=("lpips-own",), ranked=())
    assert set(places(shown).values()) == {""}
    assert "Ranked, each" not in render_page(shown)


def test_a_record_says_its_columns_only_where_they_are_its_protocols_own(tmp_path):
    table = scores(0.0)
    assert set(result(table).to_json()["protocol"]) == {"id", "sha256"}
    own = replace(evaluation(table), main=("psnr",), ranked=())
    written = result(table, evaluation=own).to_json()
    assert (written["protocol"]["main"], written["protocol"]["ranked"]) == (["psnr"], [])
    read = parse_result(written, tmp_path)
    assert (read.protocol.main, read.protocol.ranked) == (("psnr",), ())
    assert read.to_json() == written


def test_an_entry_that_claims_other_columns_for_a_protocol_decides_nothing_of_the_others(
    board, tmp_path
):
    shown = board(main=("lpips-own", "psnr"), ranked=("lpips-own",))
    [entry, *_] = shown.entries
    claimed = entry.result.protocol.model_copy(update={"ranked": ("psnr",)})
    other = entry.result.model_copy(
        update={"protocol": claimed, "model": entry.result.model.model_copy(update={"name": "c"})}
    )
    add_entry(tmp_path, other, pair_scores=entry.pair_scores)
    again = read_board(tmp_path, "drawn")
    assert [len(track.rows) for track in again.tracks] == [2, 1]
    assert places(again)["b", "lpips-own"] == "1"
