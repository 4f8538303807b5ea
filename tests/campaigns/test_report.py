"""The report of a campaign, from records with known numbers."""

from __future__ import annotations

import factories
import numpy as np
import pytest
from conftest import DrawnFolder
from factories import pair_scores, result
from scipy import stats

import i2ibench
from i2ibench.errors import DataError, UsageError
from i2ibench.files import write_json, write_text
from i2ibench.web.report_page import Section, write_report_page

CAMPAIGN = """
name = "known"
datasets = ["drawn"]
models = ["pyramid", "varpyramid", "copy"]
protocols = ["i2i-1"]
seeds = [0, 1, 2, 3, 4]
[set]
images = { crop = 24 }
"model.generator" = "resnet_6blocks"
"model.ngf" = 2
"model.ndf" = 2
[[vary]]
model = "varpyramid"
"model.variance_weight" = [25.0]
"""
ENDPOINT = """
[endpoint]
metric = "psnr"
group = "3+"
secondary = ["ssim"]
compare = [
    [{ model = "varpyramid", "model.variance_weight" = 25.0 }, { model = "pyramid" }],
    ["varpyramid", "pyramid"],
]
"""
GROUPS = ["0", "1+", "2+", "3+"] * 4
# Mean of each cell; a seed moves all cells alike, and each a little by itself.
LEADS = {"pyramid": 0.0, "varpyramid": 1.0, "varpyramid, variance_weight 25.0": 2.0, "copy": -3.0}


def cell_of(run) -> str:
    return f"{run.model}, {run.variation}" if run.varied else run.model


def scores_of(run) -> np.ndarray:
    """Return the PSNR of each pair of a run."""
    cell = cell_of(run)
    own = np.random.default_rng([run.options.seed, *cell.encode()])
    of_seed = np.random.default_rng(run.options.seed).normal()
    of_pair = np.random.default_rng(9).normal(size=len(GROUPS))
    return 20 + LEADS[cell] + of_seed + 0.1 * own.normal() + of_pair + 0.1 * own.normal(size=16)


def finish(run) -> None:
    """Write what a finished run leaves, with known scores."""
    psnr = scores_of(run)
    scores = pair_scores({"psnr": psnr, "ssim": psnr / 50}, groups=GROUPS)
    trained = run.model != "copy"
    config = dict(run.experiment["model"]["config"])
    model = {"name": run.model, "parameters": 9 * trained, "config": config}
    record = result(
        scores,
        {**model, "checkpoint_sha256": "c" * 64 if trained else None},
        seed=run.options.seed,
        training={"epochs": 2, "batch_size": 4, "steps": 30} if trained else {},
        cost={"train_seconds": 1800.0, "translate_seconds": 8.0, "peak_memory_mb": 2048.0},
        environment={"torch_threads": 2, "device": "cpu", "cpu": "a machine"},
    )
    folder = run.folder
    write_json(folder.result, record.to_json())
    folder.scores.parent.mkdir(parents=True, exist_ok=True)
    scores.to_csv(folder.scores, index=False)
    write_json(folder.predictions / "manifest.json", {})
    if trained:
        write_text(
            folder.curves, "step,epoch,learning_rate,seconds,L1\n1,0,0.1,0.5,3\n2,0,0.1,1,2\n"
        )


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Open the campaign of a text."""
    monkeypatch.chdir(tmp_path)
    DrawnFolder(tmp_path / "drawn").draw("train", 2).draw("test", 2)

    def read(text: str = CAMPAIGN + ENDPOINT) -> i2ibench.campaigns.campaign.Campaign:
        (tmp_path / "known.toml").write_text(text)
        return i2ibench.campaign("known.toml", device="cpu")

    return read


def section(report, beginning: str) -> Section:
    [found] = [each for each in report.sections if each.title.startswith(beginning)]
    return found


def endpoint_values(campaign, cell: str) -> np.ndarray:
    rows = [n for n, group in enumerate(GROUPS) if group == "3+"]
    runs = [
        r for r in campaign.runs if (f"{r.model}, {r.variation}" if r.varied else r.model) == cell
    ]
    return np.array([scores_of(run)[rows].mean() for run in runs])


def test_the_endpoint_stands_first_with_the_paired_test_over_seeds(opened):
    campaign = opened()
    for run in campaign.runs:
        finish(run)
    report = campaign.report()
    first = report.sections[0]
    assert first.title == "Endpoint"
    varied, usual = first.rows
    judged = stats.ttest_rel(
        endpoint_values(campaign, "varpyramid, variance_weight 25.0"),
        endpoint_values(campaign, "pyramid"),
    )
    low, high = judged.confidence_interval(0.95)
    assert varied[0][0] == "varpyramid (variance_weight 25.0) less pyramid"
    assert varied[4][0] == f"[{low:.2f}, {high:.2f}]"
    assert varied[5][0] == "< 0.001" and judged.pvalue < 0.001
    assert varied[7] == ("5", "5 higher")
    assert float(usual[3][0]) == pytest.approx(1.0, abs=0.3)
    assert not [note for note in first.notes if "Not complete" in note]
    # Beside it a difference and its interval, and no test.
    beside = section(report, "Beside the endpoint")
    assert {row[1][0] for row in beside.rows} == {"ssim"}
    assert {row[6][0] for row in beside.rows} == {"–"} and beside.rows[0][5][0].startswith("[")


def test_methods_are_ranked_over_seeds_and_images(opened):
    campaign = opened()
    for run in campaign.runs:
        finish(run)
    table = section(campaign.report(), "Methods on drawn, i2i-1")
    column = table.header.index("PSNR ↑")
    # A seed moves a method by ten times what it moves a paired difference.
    assert table.rows[0][column][1].endswith("#1-2") and "±" in table.rows[0][column][1]
    assert table.rows[-1][0][0] == "copy"
    assert [row[1][0] for row in table.rows] == ["5", "5", "5", "1"]


def test_what_is_varied_is_compared_with_the_usual_settings(opened):
    campaign = opened()
    for run in campaign.runs:
        finish(run)
    table = section(campaign.report(), "What is varied: varpyramid")
    psnr = next(row for row in table.rows if row[1][0] == "PSNR ↑")
    assert psnr[0][0] == "variance_weight 25.0"
    assert float(psnr[4][0]) == pytest.approx(1.0, abs=0.3)
    assert psnr[4][1].count(",") == 4  # each seed's own difference


def test_cost_stands_beside_quality(opened):
    campaign = opened()
    for run in campaign.runs:
        finish(run)
    report = campaign.report()
    table = section(report, "Cost beside quality")
    trained = next(row for row in table.rows if row[0][0] == "pyramid")
    assert [cell[0] for cell in trained[1:5]] == ["120", "1 core h", "0.5", "2.0 GiB"]
    assert any("15 core h" in note for note in table.notes)  # of three cells with five seeds
    [curves] = [each for each in report.sections if each.charts]
    assert "<svg" in curves.charts[0].drawn[0]


def test_few_seeds_are_said_and_carry_no_test(opened):
    campaign = opened()
    for run in campaign.runs:
        if run.options.seed < 2 and not run.varied:
            finish(run)
    report = campaign.report()
    first = report.sections[0]
    varied, usual = first.rows
    assert varied[7][0] == "0" and usual[7][0] == "2"
    assert [cell[0] for cell in usual[4:7]] == ["–", "–", "–"]
    notes = " ".join(first.notes)
    assert "2 of its 5 planned seeds" in notes and "fewer than 3 seeds" in notes
    assert "What is varied" not in " ".join(each.title for each in report.sections)
    missing = section(report, "Not finished")
    assert len(missing.rows) == len(campaign.runs) - 5
    assert report.lines[0] == "5 of 16 runs finished."


def test_page_and_markdown_say_the_same_and_escape_what_they_say(opened, tmp_path):
    campaign = opened()
    for run in campaign.runs:
        finish(run)
    report = campaign.report()
    page, text = report.write(tmp_path / "told", campaign.name)
    for title in (each.title for each in report.sections if each.rows):
        assert f"<h2>{title}</h2>" in page.read_text(encoding="utf-8")
        assert f"## {title.replace('_', chr(92) + '_')}" in text.read_text(encoding="utf-8")
    hostile = "<script>alert(1)</script>"
    cell = Section(hostile, (hostile,), (hostile,), (((hostile, hostile),),))
    write_report_page(tmp_path / "hostile.html", hostile, [hostile], [cell])
    assert "<script>" not in (tmp_path / "hostile.html").read_text(encoding="utf-8")
    assert "@media print" in page.read_text(encoding="utf-8")


def test_without_a_finished_run_there_is_no_report(opened):
    with pytest.raises(DataError, match=r"(?s)no run is finished.*campaign run"):
        opened().report()


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        (
            'metric = "psnr"\ncompare = [["pyramid", "pyramdi"]]',
            "did you mean 'copy'|unknown model",
        ),
        ('metric = "psnrr"\ncompare = [["pyramid", "copy"]]', "psnrr.*psnr"),
        ('metric = "psnr"\ncompare = []', "compare"),
        ('metric = "psnr"\ncompar = []', "compar"),
        ('metric = "psnr"\ncompare = [["pyramid"]]', "compare"),
        ('metric = "psnr"\ncompare = [[{model = "copy", "colour.x" = 1}, "copy"]]', "section"),
    ],
)
def test_a_wrong_endpoint_is_refused_with_the_file(opened, endpoint, words):
    with pytest.raises(UsageError, match=rf"known\.toml.*({words})"):
        opened(f"{CAMPAIGN}\n[endpoint]\n{endpoint}\n")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('group = "3+"', 'group = "4+"', r"group 4\+; groups are 0, 1\+, 2\+, 3\+"),
        ('variance_weight" = 25.0', 'variance_weight" = 26.0', "no run of varpyramid"),
        ('secondary = ["ssim"]', 'secondary = ["fid"]', "fid is not in the records"),
        ("[endpoint]", '[endpoint]\nprotocol = "i2i-2"', "no run by i2i-2"),
        ("[endpoint]", '[endpoint]\ndataset = "other"', "no run on other"),
    ],
)
def test_an_endpoint_that_the_runs_do_not_have_is_told(opened, before, after, words):
    assert before in ENDPOINT
    campaign = opened(CAMPAIGN + ENDPOINT.replace(before, after))
    for run in campaign.runs:
        finish(run)
    with pytest.raises(UsageError, match=words):
        campaign.report()


def test_values_of_two_definitions_are_not_compared(opened, monkeypatch):
    campaign = opened()
    for run in campaign.runs:
        version = 2 if run.options.seed == 3 else 1
        signature = f"psnr|rgb|range:255|mean:image|v:{version}"
        monkeypatch.setitem(factories.SIGNATURES, "psnr", signature)
        finish(run)
    with pytest.raises(DataError, match=r"psnr of .* several definitions"):
        campaign.report()


def test_the_shipped_campaign_names_its_endpoint():
    from pathlib import Path

    from i2ibench.campaigns.campaign_file import read_campaign

    root = Path(__file__).resolve().parents[2]
    endpoint = read_campaign(root / "campaigns" / "variance-penalty.toml").endpoint
    assert (endpoint.metric, endpoint.group) == ("distance-ratio", "3+")
    assert [str(side) for side in endpoint.compare[1]] == [
        "varpyramid",
        "pyramid (pyramid_weights [45.0, 25.0, 25.0, 25.0])",
    ]
