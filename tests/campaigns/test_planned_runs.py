"""A campaign lists the runs that ``run`` makes, under the same ids, each once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import DrawnFolder
from factories import TINY

import i2ibench
from i2ibench.campaigns import scripts
from i2ibench.campaigns.budget import split_epochs
from i2ibench.campaigns.run_task import Task, command, toml_value
from i2ibench.campaigns.step_times import StepTime, step_key
from i2ibench.cli.options import parse_settings
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.registry import tomllib
from i2ibench.results.origin import run_id
from i2ibench.results.record_files import read_result
from i2ibench.runs.folder import run_folder
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve
from i2ibench.training.recipe import TrainingSettings

ROOT = Path(__file__).resolve().parents[2]
NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 3, 1)
    def forward(self, x):
        return torch.tanh(self.layer(x))
"""


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Open a campaign of these lines on eight drawn pairs, in the folder of the file."""
    monkeypatch.chdir(tmp_path)
    DrawnFolder(tmp_path / "small").draw("train", 8).draw("test", 4)

    def open_campaign(*lines, **places):
        Path("net.py").write_text(NET)
        tiny = "".join(f'"{key}" = {toml_value(value)}\n' for key, value in TINY.items())
        text = ['name = "mine"', 'datasets = ["small"]', *lines]
        Path("mine.toml").write_text("\n".join(text).replace("TINY", tiny))
        return i2ibench.campaign("mine.toml", device="cpu", **places)

    return open_campaign


def by_hand(words):
    """Return the id of the run that a command makes."""
    given = {"settings": [], "model": "", "dataset": ""}
    words = iter(words[2:])
    for flag in words:
        name = flag.removeprefix("--").replace("-", "_")
        given["settings"].append(next(words)) if name == "set" else given.update(
            {name: next(words)}
        )
    given["settings"] = parse_settings(given["settings"])
    given["seed"] = int(given.get("seed", 0))
    if "validation_fraction" in given:
        given["validation_fraction"] = float(given["validation_fraction"])
    options = Options(**given)
    return run_folder(options.output, resolve(options).experiment).path.name


def test_each_command_makes_the_run_of_its_id(opened):
    campaign = opened(
        'models = ["copy", "pyramid", "net.py:Net"]',
        "seeds = [0, 3]",
        'protocols = ["i2i-2", "stain-2"]',
        'keep_best = "ssim"',
        "validation_fraction = 0.25",
        "[set]\nTINY",
        '[[vary]]\nmodel = "pyramid"\n"model.ngf" = [3]\n"model.dropout" = [true, false]',
    )
    lines = list(scripts.commands(campaign.runs))
    assert len(lines) == len(campaign.runs) == len({run.id for run in campaign.runs}) == 18
    ids = [by_hand(shlex.split(line)) for line in lines]
    assert sorted(ids) == sorted(run.id for run in campaign.runs)
    # What is stopped early has the first seed of everything; each as in the list otherwise.
    first = [run.id for run in campaign.runs if run.options.seed == 0]
    later = [run.id for run in campaign.runs if run.options.seed == 3]
    assert ids == first + later
    assert not Path("runs").exists()


def test_a_run_is_the_same_with_and_without_a_campaign_and_on_its_way_to_a_process(opened):
    run = opened('models = ["pyramid"]', "seeds = [2]", "[set]\nTINY").runs[0]
    options = Options(model="pyramid", dataset="small", seed=2, settings=TINY, device="cpu")
    assert run.id == run_folder(Path("runs"), resolve(options).experiment).path.name
    task = Task.from_text(Task(run.options, run.folder, 1).to_text())
    assert task.options == run.options and task.folder == run.folder


def test_a_value_of_a_grid_that_is_the_usual_one_is_one_run_and_told(opened):
    campaign = opened(
        'models = ["varpyramid"]',
        "[set]\nTINY",
        '[[vary]]\nmodel = "varpyramid"\n"model.variance_weight" = [25, 100]',
    )
    assert [run.variation for run in campaign.runs] == ["", "variance_weight 25"]
    [remark] = campaign.planned.remarks
    assert "variance_weight 100 is the same run" in remark


def test_where_nothing_is_random_the_first_seed_stands_for_all_and_it_is_told(opened):
    campaign = opened(
        'models = ["copy", "macenko", "pyramid"]',
        "seeds = [4, 5]",
        'protocols = ["i2i-2", "bci-2022-1024-2"]',
        "[set]\nTINY\nimages.test_scale = 'native'",
    )
    seeds = [(run.model, run.options.seed) for run in campaign.runs[:4]]
    assert seeds == [("copy", 4), ("macenko", 4), ("pyramid", 4), ("pyramid", 5)]
    assert any("copy, macenko" in remark for remark in campaign.planned.remarks)


def test_a_setting_reaches_the_models_that_have_it_and_one_that_none_has_is_refused(opened):
    campaign = opened('models = ["copy", "pyramid"]', "[set]\nTINY")
    assert "model.ngf" not in campaign.runs[0].options.settings
    assert campaign.runs[1].options.settings["model.ngf"] == 2
    assert any("model.ngf" in said and "copy" in said for said in campaign.planned.remarks)
    with pytest.raises(UsageError, match=r"mine\.toml: set: .*did you mean model\.ngf"):
        _ = opened('models = ["copy", "pyramid"]', '[set]\n"model.ngff" = 3').runs


def test_a_data_set_that_is_absent_blocks_its_runs_alone(opened):
    campaign = opened('models = ["copy"]', '[[also]]\ndatasets = ["bci"]')
    assert [state.kind for state in campaign.states()] == ["new", "blocked"]
    assert "'bci' is not on this machine" in campaign.states()[1].reason
    assert isinstance(campaign.runs[1].fault, MissingError)


def test_runs_of_one_training_stand_in_one_element_of_an_array(opened):
    campaign = opened(
        'models = ["copy", "pyramid"]',
        "seeds = [0, 1]",
        'protocols = ["i2i-2", "stain-2"]',
        "[set]\nTINY",
    )
    script = scripts.slurm_script(campaign.name, campaign.runs, campaign.estimates())
    assert "--array=0-3" in script  # twice copy, and two trainings
    element = script.partition("\n1)\n")[2].partition(";;")[0]
    assert "--protocol i2i-2" in element and "--protocol stain-2" in element
    for run in campaign.runs:
        assert script.count(shlex.join(command(run.options))) == 1


def test_equal_images_are_epochs_of_the_recipe(opened):
    campaign = opened(
        'models = ["copy", "pyramid", "varpyramid"]',
        "[budget]\ntrack = 'equal-images'\nimages = 50",
        "[set]\n'model.generator' = 'resnet_6blocks'\n'model.ngf' = 2\nimages.crop = 24",
        "training.batch_size = 3",
    )
    found = {run.model: dict(run.options.settings) for run in campaign.runs}
    assert "training.epochs" not in found["copy"]
    # 50 images are 6.25 epochs of 8 pairs; varpyramid drops the batch that is not full.
    sums = {}
    for model in ("pyramid", "varpyramid"):
        sums[model] = found[model]["training.epochs"] + found[model]["training.decay_epochs"]
    assert sums == {"pyramid": 6, "varpyramid": 8}
    assert [by_hand(command(run.options)) for run in campaign.runs] == [
        run.id for run in campaign.runs
    ]
    assert any("48 images" in remark for remark in campaign.planned.remarks)


def test_equal_time_follows_measured_steps_and_waits_for_them(opened):
    lines = [
        'models = ["copy", "pyramid"]',
        "[budget]\ntrack = 'equal-time'\nminutes = 2",
        "[set]\n'model.generator' = 'resnet_6blocks'\n'model.ngf' = 2\nimages.crop = 24",
        "training.batch_size = 4",
    ]
    campaign = opened(*lines)
    assert [state.kind for state in campaign.states()] == ["new", "blocked"]
    assert "--estimate" in campaign.states()[1].reason
    plan = resolve(campaign.runs[1].options)
    campaign.times.add(step_key(plan), StepTime(what="pyramid", seconds=0.5, steps=9))
    settings = opened(*lines).runs[1].options.settings
    # 240 steps, two an epoch.
    assert settings["training.epochs"] + settings["training.decay_epochs"] == 120


@pytest.mark.parametrize(
    ("epochs", "own", "parts"),
    [(10, (100, 100), (5, 5)), (7, (150, 50), (5, 2)), (3, (10, 0), (3, 0)), (1, (0, 5), (0, 1))],
)
def test_epochs_keep_the_proportion_of_the_recipe(epochs, own, parts):
    settings = TrainingSettings(epochs=own[0], decay_epochs=own[1])
    assert split_epochs(epochs, settings) == parts


def test_damaged_times_are_one_line(opened):
    place = Path("runs/campaigns/mine.times.json")
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"schema": 1, "times": {"a": {"what": "x", "seconds": -1}}}))
    with pytest.raises(DataError, match=r"mine\.times\.json.*delete"):
        _ = opened('models = ["copy"]').runs


@pytest.mark.parametrize("value", [True, 3, 0.25, 1e-5, "a b'\"", [1, "x"], {"a": [True]}])
def test_a_setting_is_written_as_set_reads_it(value):
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value
    assert parse_settings([f"model.x={toml_value(value)}"]) == {"model.x": value}


def draw_facades(root):
    """All pairs that the card of facades states, each the same picture beside itself."""
    import cv2
    import numpy as np

    picture = cv2.imencode(".jpg", np.full((256, 512, 3), 128, np.uint8))[1].tobytes()
    for split, pairs in (("train", 400), ("test", 106)):
        (root / split).mkdir(parents=True)
        for number in range(pairs):
            (root / split / f"{number}.jpg").write_bytes(picture)


def draw_slides(root):
    """A few pairs: which of them a drawn set has, tests of data pin."""
    DrawnFolder(root).draw("train", 4, size=128).draw("test", 4, size=128)


@pytest.mark.parametrize(
    ("names", "draws"),
    [
        (["synthetic-board"], {"synthetic": draw_slides, "synthetic-64": draw_slides}),
        (["facades-board", "facades-board-bf16"], {"facades": draw_facades}),
    ],
)
def test_shipped_campaigns_make_the_shipped_boards(tmp_path, names, draws):
    shipped = {}
    for dataset, draw in draws.items():
        draw(tmp_path / dataset)
        for path in (ROOT / "leaderboards" / dataset).glob("*.json"):
            entry = read_result(path)
            experiment = entry.experiment
            shipped[dataset, entry.model.name, entry.seed, entry.protocol.id] = experiment
            assert run_id(experiment) == entry.run_id
    files = [ROOT / "campaigns" / f"{name}.toml" for name in names]
    planned = [i2ibench.campaign(each, device="cpu", data_root=tmp_path) for each in files]
    runs = [run for campaign in planned for run in campaign.runs]
    found = {(run.dataset, run.model, run.options.seed, run.protocol): run for run in runs}
    assert shipped.keys() == found.keys() and len(runs) == len(found)
    for key, run in found.items():
        data = shipped[key]["dataset"]
        assert run.experiment["dataset"].keys() == data.keys()
        assert run_id({**run.experiment, "dataset": data}) == run_id(shipped[key])
