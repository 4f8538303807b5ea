"""An ONNX file as a model: what the graph says is taken from it, what it leaves open is asked."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from i2ibench import registry
from i2ibench.errors import DataError, I2IBenchError, MissingError, UsageError
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.interface import build_model
from i2ibench.models.policy import InferencePolicy
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve
from i2ibench.runs.run import run
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.translate_image import translate_image

onnx = pytest.importorskip("onnx", reason="the extra i2ibench[onnx] is not installed")
pytest.importorskip("onnxruntime", reason="the extra i2ibench[onnx] is not installed")

# A mean of neighbours, so that its values stay in the range of its input.
WEIGHT = (np.random.default_rng(0).random((3, 3, 3, 3)) * 2 / 27).astype(np.float32)
FLOAT, UINT8, HALF = 1, 2, 10


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))


@pytest.fixture
def write(tmp_path):
    """A function that writes a network of one convolution, or what else is asked."""

    def make(
        shape=(1, 3, "H", "W"),
        nodes=None,
        kinds=(FLOAT, FLOAT),
        outputs=("out",),
        outside=False,
        metadata=None,
        name="net.onnx",
    ):
        helper = onnx.helper
        conv = helper.make_node("Conv", ["in", "weight"], ["out"], pads=[1, 1, 1, 1])
        graph = helper.make_graph(
            nodes or [conv],
            "net",
            [helper.make_tensor_value_info("in", kinds[0], shape)],
            [helper.make_tensor_value_info(each, kinds[1], None) for each in outputs],
            [onnx.numpy_helper.from_array(WEIGHT, "weight")],
        )
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        helper.set_model_props(model, metadata or {})
        if outside:
            onnx.save(
                model,
                str(tmp_path / name),
                save_as_external_data=True,
                location="net.data",
                size_threshold=0,
            )
        else:
            onnx.save(model, str(tmp_path / name))
        return tmp_path / name

    return make


def node(kind, given, made, **attributes):
    return onnx.helper.make_node(kind, given, made, **attributes)


def translated(name, image, **settings):
    model = build_model(name, settings)
    with inference_mode(model, InferencePolicy()):
        return translate_image(model, image, policy=InferencePolicy())


IMAGE = np.random.default_rng(1).integers(0, 256, (16, 24, 3), np.uint8)


@pytest.mark.parametrize(("value_range", "low", "high"), [("-1..1", -1, 1), ("0..1", 0, 1)])
def test_values_are_those_of_the_network_on_its_own_range(write, value_range, low, high):
    name = open_method(str(write())).name
    assert (name, build_model(name, {"range": value_range}).parameter_count()) == ("net", 81)
    made = translated(name, IMAGE, range=value_range)
    source = torch.from_numpy(IMAGE / 255.0 * (high - low) + low).permute(2, 0, 1)[None]
    expected = torch.nn.functional.conv2d(source, torch.from_numpy(WEIGHT).double(), padding=1)
    levels = (expected[0] - low) / (high - low) * 255
    levels = levels.clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.abs(made - levels).max() <= 0.501


def test_a_range_is_asked_for_where_nothing_says_it(write, tmp_path):
    file = write()
    with pytest.raises(UsageError, match=r"--set model.range=-1\.\.1 .*net\.toml"):
        build_model(open_method(str(file)).name)
    # The file's own metadata say it.
    said = write(metadata={"i2ibench.range": "0..1"}, name="said.onnx")
    build_model(open_method(str(said)).name)
    wrong = write(metadata={"range": "0..2"}, name="wrong.onnx")
    with pytest.raises(UsageError, match="which range"):
        build_model(open_method(str(wrong)).name)


def test_bytes_need_no_range_and_channels_may_come_last(write):
    same = [node("Identity", ["in"], ["out"])]
    name = open_method(str(write((1, "H", "W", 3), same, (UINT8, UINT8)))).name
    assert np.array_equal(translated(name, IMAGE), IMAGE)
    half = [node("Identity", ["in"], ["out"])]
    name = open_method(str(write((1, 3, "H", "W"), half, (HALF, HALF), name="half.onnx"))).name
    assert np.abs(translated(name, IMAGE, range="0..1").astype(int) - IMAGE).max() <= 1
    # Of bytes that go in nothing follows for floats that come out.
    cast = [node("Cast", ["in"], ["out"], to=FLOAT)]
    name = open_method(str(write((1, 3, "H", "W"), cast, (UINT8, FLOAT), name="cast.onnx"))).name
    with pytest.raises(UsageError, match=r"model.output_range="):
        build_model(name)
    assert np.array_equal(translated(name, IMAGE, output_range="0..255"), IMAGE)


def test_another_range_than_declared_is_found_in_the_values(write):
    name = open_method(str(write(nodes=[node("Identity", ["in"], ["out"])]))).name
    for taken, made in (("0..255", "0..1"), ("0..1", "0..255"), ("-1..1", "0..1")):
        with pytest.raises(DataError, match=r"made values from .* --set model.output_range"):
            translated(name, IMAGE, range=taken, output_range=made)


TWO = [node("Identity", ["in"], ["out"]), node("Neg", ["in"], ["mask"])] if onnx else []
SMALLER = [node("MaxPool", ["in"], ["out"], kernel_shape=[2, 2], strides=[2, 2])] if onnx else []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": (4, 3, "H", "W")}, "takes 4 images at once"),
        ({"shape": (1, 3, 32, 32)}, "takes images of 32 x 32 alone, not of 24 x 16"),
        ({"shape": (1, 3, 16, 3)}, "--set model.layout=NCHW or NHWC"),
        ({"shape": ("N", "C", "H", "W")}, "--set model.layout=NCHW or NHWC"),
        ({"shape": (1, 1, "H", 1), "nodes": SMALLER}, "takes 3 channels"),
        ({"nodes": TWO, "outputs": ("out", "mask")}, "--set model.output=NAME, one of out, mask"),
        ({"nodes": SMALLER}, "made (1, 3, 8, 12)"),
        ({"kinds": (6, 6), "nodes": [] or None}, "onnxruntime cannot run it"),
    ],
)
def test_what_a_graph_cannot_mean_is_one_line(write, changes, words):
    name = open_method(str(write(**changes))).name
    with pytest.raises(I2IBenchError) as error:
        translated(name, IMAGE, range="-1..1")
    assert words in str(error.value) and "\n" not in str(error.value)
    assert "net" in str(error.value)


def test_of_several_outputs_the_named_one_is_the_prediction(write):
    name = open_method(str(write(nodes=TWO, outputs=("out", "mask")))).name
    assert np.array_equal(translated(name, IMAGE, range="-1..1", output="mask"), 255 - IMAGE)


def test_what_is_no_onnx_file_or_lacks_its_weights_is_told(write, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"\x00not a model")
    with pytest.raises(UsageError, match="not an ONNX file"):
        open_method(str(tmp_path / "bad.onnx"))
    with pytest.raises(UsageError, match="no such file"):
        open_method(str(tmp_path / "absent.onnx"))
    file = write(outside=True)
    assert (tmp_path / "net.data").exists()
    open_method(str(file))
    first = registry.models.entry("net").sha256
    content = bytearray((tmp_path / "net.data").read_bytes())
    content[0] ^= 1
    (tmp_path / "net.data").write_bytes(bytes(content))
    open_method(str(file))
    assert registry.models.entry("net").sha256 != first
    (tmp_path / "net.data").unlink()
    with pytest.raises(UsageError, match=r"net\.data, which is not beside it"):
        open_method(str(file))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line_with_the_remedy(write, monkeypatch, package):
    file = write()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError, match=r"pip install 'i2ibench\[onnx\]'"):
        open_method(str(file))


def test_a_file_reaches_the_board_with_the_range_beside_it(write, drawn, tmp_path):
    drawn.draw("test", 2)
    file = write()
    (tmp_path / "net.toml").write_text(
        '[model]\nrange = "-1..1"\n[method]\ntitle = "A net"\nsaw_test_targets = false\n'
    )
    options = Options(
        model=str(file),
        dataset=str(drawn.root),
        protocol="i2i-1",
        device="cpu",
        output=tmp_path / "runs",
        board=tmp_path / "boards",
    )
    done = run(options)
    assert done.result.model.parameters == 81 and done.result.metrics["psnr"].value > 3
    assert "A net" in done.board.read_text() and "one set of weights" in done.board.read_text()
    assert resolve(replace(options, protocol="i2i-1-flips")).protocol.id == "i2i-1-flips"
    with pytest.raises(UsageError, match="cannot be told"):
        resolve(replace(options, protocol="bci-2022"))
    other = resolve(replace(options, settings={"model.range": "0..1"}))
    assert other.folder.path != done.folder
