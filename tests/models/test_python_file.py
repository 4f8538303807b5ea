"""A model in a file that its path names: loaded with what lies beside it, and nothing else."""

from __future__ import annotations

import sys

import pytest
import torch

from i2ibench import registry
from i2ibench.errors import PluginError, UsageError
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.foreign.plain_module import PlainModule
from i2ibench.models.interface import PairBatch, build_model, registered_model

PLAIN = '''
import torch
from torch import nn

class Net(nn.Module):
    """One convolution."""
    def __init__(self, width: int = 4, scale=0.5, activation=nn.ReLU, *, bias=True):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=bias), activation(), nn.Conv2d(width, 3, 1)
        )
        self.scale = scale
    def forward(self, source):
        return self.layers(source) * self.scale
'''


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))


@pytest.fixture
def write(tmp_path):
    def make(text: str, name: str = "net.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return make


def opened(file, name="Net"):
    return open_method(f"{file}:{name}")


def test_a_plain_module_is_taken_as_a_model_trained_by_l1_and_that_is_said(write):
    method = opened(write(PLAIN))
    assert (method.name, "nn.Module" in method.remark, "L1" in method.remark) == ("Net", True, True)
    model = build_model("Net", {"width": 2, "bias": False})
    assert isinstance(model, PlainModule) and type(model).__name__ == "Net"
    assert model.parameter_count() == 3 * 2 * 9 + 2 * 3 + 3
    batch = PairBatch(torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.25))
    [phase] = model.training_phases(batch)
    [loss] = phase.losses().values()
    assert torch.equal(loss, (model.translate(batch.source) - 0.25).abs().mean())
    assert [*model.optimizers()] == ["network"]
    # Keywords of its constructor are settings; others are refused with the nearest name.
    with pytest.raises(UsageError, match="did you mean width"):
        build_model("Net", {"widht": 2})
    with pytest.raises(UsageError, match="width = 'wide'"):
        build_model("Net", {"width": "wide"})


def test_a_class_of_the_interface_is_taken_as_it_is(write):
    text = "from i2ibench import TranslationModel\nclass Same(TranslationModel):\n"
    method = open_method(
        str(write(text + "    def translate(self, source):\n        return source"))
    )
    assert (method.name, method.remark) == ("Same", "")
    assert not issubclass(registered_model("Same"), PlainModule)


def test_files_beside_it_are_imported_and_the_working_directory_is_not(
    write, tmp_path, monkeypatch
):
    write(
        "from lane_a import WIDTH\n" + PLAIN.replace("width: int = 4", "width=WIDTH"), "at/net.py"
    )
    write("from .lane_deep import WIDTH\n", "at/lane_a/__init__.py")
    write("WIDTH = 7\n", "at/lane_a/lane_deep.py")
    write("WIDTH = 9\n", "lane_a.py")
    monkeypatch.chdir(tmp_path)
    opened(tmp_path / "at/net.py")
    assert build_model("Net").config.width == 7
    write("raise RuntimeError('of the working directory')\n", "lane_b.py")
    write("import lane_b\n" + PLAIN, "at/other.py")
    with pytest.raises(UsageError, match=r"other\.py:1: cannot be loaded: ModuleNotFound"):
        opened(tmp_path / "at/other.py")


@pytest.mark.parametrize("edited", ["net.py", "lane_c.py"])
def test_an_edited_file_is_loaded_anew_in_the_same_process(write, edited, monkeypatch):
    monkeypatch.delitem(sys.modules, "lane_c", raising=False)
    file = write("from lane_c import WIDTH\n" + PLAIN.replace("int = 4", "int = 1 + WIDTH"))
    write("WIDTH = 3\n", "lane_c.py")
    opened(file)
    first = registry.models.entry("Net").sha256
    assert opened(file).name == "Net" and registry.models.entry("Net").sha256 == first
    # Of equal size and within the same second, so that a stale cache would be taken.
    text = (file.parent / edited).read_text()
    write(text.replace("1 + WIDTH", "4 + WIDTH").replace("WIDTH = 3", "WIDTH = 6"), edited)
    opened(file)
    assert build_model("Net").config.width == 7
    assert registry.models.entry("Net").sha256 != first
    assert not (file.parent / "__pycache__").exists()


def test_a_name_that_means_another_module_already_is_refused(write):
    write("WIDTH = 3\n", "one/lane_d.py")
    write("WIDTH = 4\n", "two/lane_d.py")
    for folder in ("one", "two"):
        write("import lane_d\n" + PLAIN, f"{folder}/net.py")
    opened(write("", "one/lane_d_marker.py").with_name("net.py"))
    with pytest.raises(UsageError, match="lane_d from beside it, but this process has imported"):
        opened(write("", "two/marker.py").with_name("net.py"))


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (PLAIN, "Nett", ["unknown class 'Nett'", "did you mean Net"]),
        (PLAIN + "\nthing = 3\n", "thing", ["thing is no model", "torch.nn.Module"]),
        ("def (", "Net", ["net.py:1", "SyntaxError"]),
        ("x = 1\nimport not_there_at_all\n", "Net", ["net.py:2", "not_there_at_all"]),
        ("raise SystemExit(3)", "Net", ["net.py:1", "SystemExit"]),
        ("from torch import nn\nclass Net(nn.Module):\n    pass\n", "Net", ["forward(source)"]),
        (PLAIN.replace("class Net(", "class copy("), "copy", ["already provided by i2ibench"]),
    ],
)
def test_what_cannot_be_a_model_is_told_with_file_and_line(write, text, name, words):
    with pytest.raises(UsageError) as error:
        opened(write(text), name)
    assert all(word in str(error.value) for word in words), error.value


def test_a_file_of_several_models_or_none_asks_for_the_class(write):
    with pytest.raises(UsageError, match=r"net\.py:Net or net\.py:Other"):
        open_method(str(write(PLAIN + "\nclass Other(Net):\n    pass\n")))
    with pytest.raises(UsageError, match="defines no torch"):
        open_method(str(write("x = 1\n")))
    with pytest.raises(UsageError, match="no such file"):
        open_method("nowhere/net.py:Net")


@pytest.mark.parametrize("channels", [1, 6])
def test_an_output_of_another_shape_is_refused_in_the_first_step(write, channels):
    opened(write(PLAIN.replace("nn.Conv2d(width, 3, 1)", f"nn.Conv2d(width, {channels}, 1)")))
    batch = PairBatch(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    with pytest.raises(PluginError, match=rf"Net.forward made \(1, {channels}, 8, 8\)"):
        next(build_model("Net").training_phases(batch))


@pytest.mark.parametrize("ending", [".detach()", ".round().to(torch.uint8)"])
def test_an_output_without_gradient_is_refused_in_the_first_step(write, ending):
    text = PLAIN.replace("return self", "return (self")
    opened(write(text.replace("* self.scale", f"* self.scale){ending}")))
    batch = PairBatch(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    with pytest.raises(PluginError, match=r"Net\.forward returned torch\.\w+ that no parameter"):
        next(build_model("Net").training_phases(batch))


def test_what_a_class_of_the_interface_does_not_define_is_told_by_name(write):
    opened(write("from i2ibench import TrainableModel\nclass Net(TrainableModel):\n    pass\n"))
    model = build_model("Net")
    for call in (model.optimizers, lambda: model.training_phases(None), lambda: model.translate(0)):
        with pytest.raises(PluginError, match="class Net does not define"):
            call()


def test_a_module_name_means_installed_packages_alone(write, tmp_path, monkeypatch):
    write(PLAIN, "lane_e.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with pytest.raises(UsageError, match=r"no installed package .* lane_e\.py:Net"):
        open_method("lane_e:Net")
    method = open_method("i2ibench.models.closed_form:CopySource")
    assert registry.models.entry(method.name).provider == "i2ibench"
    assert sys.path[0] == ""


def test_weights_that_authors_saved_are_loaded_or_told_what_does_not_fit(write):
    opened(write(PLAIN))
    model, other = build_model("Net"), build_model("Net")
    assert isinstance(model, PlainModule) and isinstance(other, PlainModule)
    state = {f"module.{key}": value for key, value in model.network.state_dict().items()}
    other.load_own_state({"epoch": 3, "state_dict": state})
    assert torch.equal(other.network.layers[0].weight, model.network.layers[0].weight)
    with pytest.raises(ValueError, match=r"lacks layers\.0\.bias, as 1 in all"):
        other.load_own_state({k: v for k, v in state.items() if "0.bias" not in k})
    with pytest.raises(ValueError, match="size mismatch"):
        other.load_own_state({k: v[:2] for k, v in state.items()})
