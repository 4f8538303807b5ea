"""The file of a campaign is read strictly, and what is wrong is one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

import i2ibench
from i2ibench.campaigns.campaign_file import parse_campaign, read_campaign
from i2ibench.campaigns.cells import Places, cells
from i2ibench.errors import UsageError

LEAST = {"name": "mine", "datasets": ["synthetic"], "models": ["copy", "pyramid"]}
SHIPPED = Path(__file__).resolve().parents[2] / "campaigns"


def options(**content):
    parsed = parse_campaign({**LEAST, **content}, "mine.toml")
    return list(cells(parsed, Path("folder"), Places()))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"modles": []}, "did you mean models"),
        ({"version": 2}, "version = 2.*reads version 1"),
        ({"models": []}, "models"),
        ({"seeds": [0, -1]}, "seeds"),
        ({"seeds": ["0"]}, "seeds"),
        ({"seeds": [1, 1]}, "1 stands twice"),
        ({"models": ["copy", "copy"]}, "'copy' stands twice"),
        ({"name": "a/b"}, "cannot be the name of a file"),
        ({"precision": "fp16"}, "precision"),
        ({"set": {"epochs": 3}}, "epochs.*training.epochs"),
        ({"set": {"trainig.epochs": 3}}, "did you mean training"),
        ({"vary": [{"model": "pyramid"}]}, "a key to vary"),
        ({"vary": [{"model.ngf": [1]}]}, "model or by models"),
        ({"vary": [{"model": "pyramid", "model.ngf": 16}]}, r"list of values, e\.g\. \[16\]"),
        ({"vary": [{"model": "pyramit", "model.ngf": [16]}]}, "did you mean pyramid"),
        ({"vary": [{"model": "pyramid", "ngf": [16]}]}, "ngf"),
        ({"also": [{"modls": ["copy"]}]}, r"key of \[also.0\].*did you mean models"),
        ({"budget": "equal-image"}, "equal-images"),
        ({"budget": "equal-images"}, "images = "),
        ({"budget": {"track": "equal-time", "images": 3}}, "images is not of equal-time"),
        (
            {"budget": {"track": "equal-time", "minutes": 3}, "set": {"training.epochs": 1}},
            "training.epochs is what equal-time decides",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_remedy(content, said):
    with pytest.raises(UsageError, match=rf"^mine\.toml: .*{said}") as error:
        parse_campaign({**LEAST, **content}, "mine.toml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('models = ["pyramit"]', "did you mean pyramid"),
        ('models = ["net.py:Net"]', r"net\.py: no such file"),
        ('datasets = ["sinthetic"]', "did you mean synthetic"),
        ('datasets = ["data/mine"]', "data/mine: no such folder"),
        ('protocols = ["stain-22"]', "did you mean stain-2"),
    ],
)
def test_an_unknown_name_is_told_before_anything_is_opened(tmp_path, line, said):
    content = {"models": 'models = ["copy"]', "datasets": 'datasets = ["synthetic"]'}
    content[line.partition(" ")[0]] = line
    file = tmp_path / "mine.toml"
    file.write_text("\n".join(['name = "mine"', *content.values()]))
    with pytest.raises(UsageError, match=rf"mine\.toml: .*{said}"):
        read_campaign(file)


def test_paths_are_relative_to_the_file(tmp_path):
    for name in ("net.py", "mine.toml"):
        (tmp_path / name).write_text("")
    (tmp_path / "data").mkdir()
    file = tmp_path / "campaign.toml"
    file.write_text(
        'name = "mine"\ndatasets = ["data"]\nmodels = ["net.py:Net"]\nprotocols = ["mine.toml"]'
    )
    [cell] = cells(read_campaign(file), tmp_path, Places())
    assert cell.options.model == f"{tmp_path}/net.py:Net"
    assert cell.options.dataset == f"{tmp_path}/data"
    assert cell.options.protocol == f"{tmp_path}/mine.toml"


def test_a_grid_is_added_to_the_usual_settings_of_its_model():
    table = {"model": "pyramid", "model.ngf": [1, 2], "training.batch_size": [3, 4]}
    found = [cell for cell in options(vary=[table]) if cell.options.model == "pyramid"]
    assert [dict(cell.varied) for cell in found] == [
        {},
        {"model.ngf": 1, "training.batch_size": 3},
        {"model.ngf": 1, "training.batch_size": 4},
        {"model.ngf": 2, "training.batch_size": 3},
        {"model.ngf": 2, "training.batch_size": 4},
    ]


def test_settings_are_written_with_or_without_quotes():
    quoted = options(set={"training.epochs": 3, "images.crop": 8})
    tables = options(set={"training": {"epochs": 3}, "images": {"crop": 8}})
    assert quoted == tables
    assert quoted[0].options.settings == {"training.epochs": 3, "images.crop": 8}


def test_further_runs_take_what_they_leave_out_from_the_top():
    further = {"models": ["reinhard"], "set": {"training.epochs": 9}}
    found = options(seeds=[1, 2], set={"training.batch_size": 2}, also=[further])
    assert [cell.options.model for cell in found] == ["copy", "pyramid", "reinhard"]
    assert found[2].seeds == (1, 2)
    assert found[2].options.settings == {"training.batch_size": 2, "training.epochs": 9}


def test_options_of_run_have_the_same_name_and_form_here():
    found = options(keep_best="ssim", validation_fraction=0.1, limit=3, tile=0, direction="BtoA")
    wanted = i2ibench.Options(
        model="copy",
        dataset="synthetic",
        keep_best="ssim",
        validation_fraction=0.1,
        limit=3,
        tile=0,
        direction="BtoA",
    )
    assert found[0].options == wanted


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_campaigns_name_what_is_there(file):
    content = read_campaign(file)
    assert content.name == file.stem
    assert content.precision != "auto", "a run's id would depend on the machine"
