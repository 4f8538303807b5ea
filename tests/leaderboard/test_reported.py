"""Reported results: every number as its source has it, apart, never mixed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories import pair_scores, result

from i2ibench.errors import DataError
from i2ibench.leaderboard.board import build_board, check_board, read_board
from i2ibench.leaderboard.entries import add_entry, add_file
from i2ibench.leaderboard.exports import board_lines
from i2ibench.leaderboard.reported import (
    published_datasets,
    published_entries,
    reported_groups,
    reported_methods,
)
from i2ibench.leaderboard.reported_table import level_rows, reported_rows


@pytest.fixture(scope="module")
def bci(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_board(tmp_path_factory.mktemp("boards"), "bci").read_text()


@pytest.mark.parametrize("file", ["bci.csv", "mist.csv"])
def test_every_row_of_the_literature_is_there_as_printed(shared: Path, file: str) -> None:
    for row in pd.read_csv(shared / "reported" / file).to_dict("records"):
        numbers = {m: row[m] for m in ("psnr", "ssim", "fid", "lpips") if not pd.isna(row[m])}
        if not pd.isna(row["kid_x1000"]):
            numbers["kid"] = pytest.approx(row["kid_x1000"] / 1000)
        matching = [
            entry
            for entry in published_entries(row["dataset"])
            if entry.method == row["method"]
            and entry.source == row["source"]
            and entry.protocol == row["protocol"]
            and entry.metrics == numbers
        ]
        assert len(matching) == 1, row
        group = None if pd.isna(row["comparable_group"]) else row["comparable_group"]
        assert matching[0].comparable_group == group


def test_every_row_of_the_results_site_is_there(shared: Path) -> None:
    table = pd.read_csv(shared / "reported" / "virtual_staining_benchmark.csv")
    found = 0
    for dataset, rows in table.groupby("dataset"):
        entries = {
            (entry.method, entry.trained_on): entry
            for entry in published_entries(str(dataset))
            if entry.comparable_group == "virtual-staining-benchmark"
        }
        for row in rows.to_dict("records"):
            entry = entries[row["method"], row["trained_on"]]
            for name in ("psnr", "ssim", "lpips", "mae", "delta_e76", "dab_correlation"):
                assert entry.metrics[name.replace("_", "-")] == row[name]
            assert (entry.pairs, entry.training_hours) == (row["tiles"], row["training_hours"])
            found += 1
    assert found == 100


def test_published_scores_per_pair_are_the_sources(shared: Path) -> None:
    source = pd.read_csv(shared / "reported" / "bcistainer_per_pair.csv", dtype={"level": str})
    methods = {method.label: method.scores for method in reported_methods("bcistainer")}
    assert set(methods) == set(source["method"])
    for name, rows in source.groupby("method"):
        assert (methods[str(name)]["psnr"].to_numpy() == rows["psnr"].to_numpy()).all()
        assert (methods[str(name)]["group"].to_numpy() == rows["level"].to_numpy()).all()


def test_level_tables_agree_with_the_published_averages(shared: Path, tmp_path: Path) -> None:
    table = pd.read_csv(shared / "reported" / "bci_per_level.csv", dtype={"level": str})
    group = next(g for g in reported_groups("bci", tmp_path) if g.id == "bcistainer")
    levels = level_rows(group)
    for row in table.to_dict("records"):
        pairs, rows = levels[row["level"]]
        assert pairs == row["pairs"]
        cells = next(found.cells for found in rows if found.method == row["method"])
        assert cells["psnr"].value == pytest.approx(row["psnr"], abs=0.0051)
        assert cells["ssim"].value == pytest.approx(row["ssim"], abs=0.001)


def test_the_discrepancy_of_exp4_is_shown(bci: str) -> None:
    assert "PSNR 22.5447 but 22.5107 by its scores per pair" in bci
    row = next(line for line in bci.splitlines() if line.startswith("| BCIStainer exp4<"))
    assert "own scores: 22.51" in row


def test_a_label_conditioned_method_is_marked(bci: str) -> None:
    row = next(line for line in bci.splitlines() if line.startswith("| UNIStainNet"))
    mark = row.split("<sup>")[1].split(",")[0]
    assert f"<sup>{mark}</sup> Told the HER2 level of each source" in bci


def test_the_disagreement_of_psnr_and_lpips_is_told(bci: str) -> None:
    assert "better PSNR goes with worse LPIPS (Spearman +0.21)" in bci


def test_rows_without_a_known_protocol_are_never_ranked(tmp_path: Path) -> None:
    alone = next(group for group in reported_groups("bci", tmp_path) if group.id is None)
    assert all(cell.claim is None for row in reported_rows(alone) for cell in row.cells.values())


def test_fid_is_never_ranked(tmp_path: Path) -> None:
    lines = [line for line in board_lines(read_board(tmp_path, "bci")) if line["metric"] == "fid"]
    assert len(lines) >= 5
    assert not any("rank" in line for line in lines)


def test_published_scores_per_pair_are_one_set_of_weights_each(tmp_path: Path) -> None:
    group = next(g for g in reported_groups("bci", tmp_path) if g.id == "bcistainer")
    found = {row.method: row.cell("psnr") for row in reported_rows(group)}
    assert all(cell.rank is None and not cell.is_best for cell in found.values())
    assert found["BCIStainer exp2 + TTA"].claim == (7, 0, 7)
    # These two cannot be told apart, so neither counts for the other.
    pair = [found[f"BCIStainer exp{number} + TTA"].claim for number in (3, 4)]
    assert all(claim.better + claim.worse < claim.of for claim in pair)
    intervals = [row.cells["psnr"] for row in reported_rows(group)]
    assert all(cell.ci95[0] < cell.mean < cell.ci95[1] for cell in intervals)


def test_measured_rows_stand_apart_with_their_difference(tmp_path: Path) -> None:
    scores = pair_scores({"psnr": np.random.default_rng(0).normal(21, 3, 40)})
    dataset = {"name": "bci", "split": "test", "pairs": 40, "manifest_sha256": "c" * 64}
    made = result(scores, {"name": "pyramid", "checkpoint_sha256": None}, dataset=dataset)
    add_entry(tmp_path, made, pair_scores=scores)
    page = build_board(tmp_path, "bci").read_text()
    measured, reported = page.split("## Reported in the literature")
    assert "| pyramid |" in measured
    assert "pyramid pix2pix" not in measured
    difference = scores["psnr"].mean() - 21.15
    assert f"| pyramid pix2pix | arXiv:2506.18371v2 abstract | {difference:+.2f} |" in reported


def test_a_reported_file_can_be_added_and_is_checked(tmp_path: Path) -> None:
    content = {
        "schema": 1,
        "status": "reported",
        "dataset": "drawn",
        "entries": [{"method": "theirs", "metrics": {"psnr": 20.5}, "source": "a paper"}],
    }
    file = tmp_path / "paper.json"
    file.write_text(json.dumps(content))
    add_file(tmp_path / "boards", file)
    page = build_board(tmp_path / "boards", "drawn").read_text()
    assert "| theirs" in page
    assert "a paper" in page
    check_board(tmp_path / "boards", "drawn")
    content["entries"][0]["metrics"]["psnr"] = "high"
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"paper\.json: not reported entries: entries\.0\.metrics"):
        add_file(tmp_path / "boards", file, overwrite=True)


@pytest.mark.parametrize("dataset", published_datasets())
def test_every_published_data_set_has_a_board(tmp_path: Path, dataset: str) -> None:
    page = build_board(tmp_path, dataset).read_text()
    assert "## Reported in the literature" in page
    assert "No entries yet" in page
