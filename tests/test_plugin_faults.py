"""A plugin that fails in its own code is named in one line, with the way to its traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from plugin_source import LEARNER

from i2ibench import registry
from i2ibench.cli.app import run_app
from i2ibench.explain import explain

MODEL = '''
import torch
from i2ibench import TranslationModel

class Bias(TranslationModel):
    """Fail."""
    def __init__(self, config):
        super().__init__(config)
        {construct}
    def translate(self, source):
        {translate}
'''
MODEL += LEARNER

METRIC = '''
from i2ibench.metrics.interface import PairMetric, Score
from i2ibench.metrics.by_pair import KeyedSetMetric

class Mean(PairMetric):
    """Fail on a pair."""
    name = "mean"
    better = "lower"
    def prepare(self, context):
        {prepare}
    def signature(self):
        {signature}
    def score_pair(self, pair):
        {score_pair}

class Spread(KeyedSetMetric):
    """Fail on the set."""
    name = "spread"
    better = None
    def signature(self):
        return self._signature()
    def describe(self, pair):
        return 1.0
    def compute(self, state):
        {compute}
'''
FINE = {
    "construct": "pass",
    "translate": "return source",
    "losses": "return {}",
    "prepare": "pass",
    "signature": "return self._signature()",
    "score_pair": "return 1.0",
    "compute": "return Score(1.0)",
}


@pytest.fixture
def plug(tmp_path, monkeypatch):
    """A function that installs the package ``plug``; keywords put a fault into its code."""
    site = tmp_path / "site"

    def install(models: str = MODEL, metrics: str = METRIC, **faults: str) -> None:
        info = site / "plug-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[i2ibench.models]\nbias = plug.models:Bias\nlearner = plug.models:Learner\n"
            "[i2ibench.metrics]\nmean = plug.metrics:Mean\nspread = plug.metrics:Spread\n"
            "[i2ibench.datasets]\nward = plug.cards\n"
        )
        (site / "plug/cards").mkdir(parents=True)
        for package in ("plug", "plug/cards"):
            (site / package / "__init__.py").touch()
        (site / "plug/cards/ward.toml").write_text(faults.pop("card", 'title = "ward"\n'))
        filled = {**FINE, **faults}
        (site / "plug/models.py").write_text(models.format(**filled))
        (site / "plug/metrics.py").write_text(metrics.format(**filled))
        monkeypatch.syspath_prepend(str(site))
        for name in [name for name in sys.modules if name.split(".")[0] == "plug"]:
            monkeypatch.delitem(sys.modules, name)
        for kind in ("models", "metrics"):
            fresh = registry.Registry(kind.removesuffix("s"), f"i2ibench.{kind}")
            monkeypatch.setattr(registry, kind, fresh)
        cards = registry.Registry("data set", "i2ibench.datasets", registry.read_card)
        monkeypatch.setattr(registry, "datasets", cards)

    return install


@pytest.fixture
def lines(drawn, tmp_path):
    """The command lines of a run and of an evaluation."""
    drawn.draw("train", 4).draw("test", 4)
    data, runs = str(drawn.root), str(tmp_path / "runs")
    return {
        "run": ["run", "--dataset", data, "--output", runs, "--board", str(tmp_path / "boards")],
        "evaluate": ["evaluate", str(drawn.root / "HE/test"), "--dataset", data],
    }


def one_line(capsys, arguments: list[str]) -> tuple[int, str]:
    code = run_app(arguments)
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err and err.count("error:") == 1, err
    return code, " ".join(err.split("error:")[1].split())


def words_of(message: str, *words: str) -> None:
    for word in words:
        assert word in message, (word, message)


@pytest.mark.parametrize(
    ("model", "fault", "words"),
    [
        (
            "bias",
            {"translate": "return source + None"},
            ["Bias.translate (models.py:11) failed: TypeError", "line 11, in translate"],
        ),
        ("bias", {"construct": "{}['key']"}, ["KeyError: 'key'", "in __init__"]),
        ("learner", {"losses": "raise ValueError('two\\n  lines')"}, ["ValueError: two lines"]),
        ("learner", {"losses": "open('nowhere.pth')"}, ["FileNotFoundError", "in losses"]),
    ],
)
def test_a_model_that_raises_is_named_with_its_place(plug, lines, capsys, model, fault, words):
    plug(**{key: text.replace("{}", "dict()") for key, text in fault.items()})
    small = ["--set", "training.epochs=1", "--set", "images.crop=24"] if model == "learner" else []
    code, message = one_line(capsys, [*lines["run"], "--model", model, *small])
    words_of(message, *words, f"model '{model}' of plug", "models.py, line", "--debug")
    assert code == 1


def test_debug_shows_the_plugins_traceback(plug, lines, capsys):
    plug(translate="return source + None")
    assert run_app([*lines["run"], "--model", "bias", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and "return source + None" in err


@pytest.mark.parametrize(
    ("metric", "fault", "words"),
    [
        ("mean", {"score_pair": "return pair.labels['x']"}, ["on pair", "AttributeError"]),
        ("mean", {"score_pair": "raise KeyError('x')"}, ["on pair", "KeyError: 'x'"]),
        ("mean", {"prepare": "import not_there"}, ["ModuleNotFoundError", "in prepare"]),
        ("spread", {"compute": "return Score(1 / 0)"}, ["ZeroDivisionError", "in compute"]),
    ],
)
def test_a_metric_that_raises_is_named_with_its_place(plug, lines, capsys, metric, fault, words):
    plug(**fault)
    code, message = one_line(capsys, [*lines["evaluate"], "--metrics", metric])
    words_of(message, *words, f"metric '{metric}' of plug", "metrics.py, line", "--debug")
    assert code == 1


@pytest.mark.parametrize("more", [[], ["i2i-1"], ["--json"]])
def test_a_signature_that_fails_is_named_on_a_protocols_card(plug, tmp_path, capsys, more):
    plug(signature="return 1 / 0")
    own = tmp_path / "own.toml"
    own.write_text('id = "own-1"\ntitle = "own"\n[[metrics]]\nname = "mean"\n')
    code, message = one_line(capsys, ["protocols", str(own), *more])
    words_of(message, "ZeroDivisionError", "in signature", "metric 'mean' of plug", "--debug")
    assert code == 1


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import not_there", ["ModuleNotFoundError: No module named 'not_there'"]),
        ("def :", ["SyntaxError"]),
        ("import sys; sys.exit(3)", ["SystemExit: 3"]),
        ("Bias = len", ["no subclass of i2ibench.TranslationModel"]),
    ],
)
def test_a_model_that_cannot_be_loaded_is_wrong_usage_and_spoils_no_listing(
    plug, lines, capsys, source, words
):
    plug(models=source)
    for line in ([*lines["run"], "--model", "bias"], ["models", "bias"]):
        code, message = one_line(capsys, line)
        words_of(message, *words, "model 'bias' of plug", "plug.models:Bias")
        assert code == 2
    assert run_app(["models"]) == 0
    assert "pyramid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Mean = len", ["metric 'mean' of plug", "no subclass of PairMetric or SetMetric"]),
        ("class Mean: pass", ["metric 'mean' of plug", "no subclass of PairMetric or SetMetric"]),
    ],
)
def test_an_entry_that_is_no_metric_is_wrong_usage(plug, lines, capsys, source, words):
    plug(metrics=source)
    for line in ([*lines["evaluate"], "--metrics", "mean"], ["metrics", "mean"]):
        code, message = one_line(capsys, line)
        words_of(message, *words)
        assert code == 2


def test_a_value_that_is_no_number_is_told_with_its_pair(plug, lines, capsys):
    plug(score_pair="return None")
    code, message = one_line(capsys, [*lines["evaluate"], "--metrics", "mean"])
    words_of(message, "metric mean gave NoneType and no number on pair 0000")
    assert code == 3


def test_a_prediction_that_is_none_is_refused(plug, lines, capsys):
    plug(translate="pass")
    code, message = one_line(capsys, [*lines["run"], "--model", "bias"])
    assert (code, "Bias.translate (models.py:10) returned NoneType" in message) == (1, True)


@pytest.mark.parametrize(
    ("card", "words"),
    [("title = ", "no readable ward.toml"), ("splits = 3\n", "card of data set 'ward': ")],
)
def test_a_bad_card_of_a_plugin_is_told_and_spoils_no_listing(plug, capsys, card, words):
    plug(card=card)
    code, message = one_line(capsys, ["run", "--model", "copy", "--dataset", "ward"])
    assert (code, words in message) == (2, True)
    assert run_app(["datasets"]) == 0
    out, err = capsys.readouterr()
    err = " ".join(err.split())
    assert "facades" in out and "warning:" in err and words in err


def test_a_fault_of_our_own_keeps_its_traceback(plug):
    plug()
    try:
        Path(3)  # type: ignore[arg-type]
    except TypeError as error:
        assert explain(error) is None


MEMORY = "raise RuntimeError('more than one element refers to a single memory location')"


@pytest.mark.parametrize(
    ("words", "fault", "plugin"),
    [
        (["--model", "bias"], "construct", "model 'bias' of plug"),
        (["--model", "bias"], "translate", "model 'bias' of plug"),
        (["--model", "learner"], "losses", "model 'learner' of plug"),
        (["--metrics", "mean"], "prepare", "metric 'mean' of plug"),
        (["--metrics", "mean"], "score_pair", "metric 'mean' of plug"),
        (["--metrics", "spread"], "compute", "metric 'spread' of plug"),
    ],
)
def test_a_plugin_that_speaks_of_memory_is_told_as_the_plugins(
    plug, lines, capsys, words, fault, plugin
):
    plug(**{fault: MEMORY})
    verb = lines["run" if words[0] == "--model" else "evaluate"]
    small = ["--set", "training.epochs=1", "--set", "images.crop=24"] if fault == "losses" else []
    code, message = one_line(capsys, [*verb, *words, *small])
    words_of(message, "refers to a single memory location", plugin, ".py, line")
    assert "out of memory" not in message and code == 1
