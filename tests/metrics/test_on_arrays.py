"""Every metric is a function of arrays and tensors, and gives what boards show."""

from __future__ import annotations

import ast
import doctest
import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import register_metric, stained, write_rgb
from seeded_weights import write_trunks

import i2ibench
from i2ibench import registry
from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.errors import MissingError, UsageError
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.metrics import manifold
from i2ibench.metrics.interface import Context, PairMetric, Signature, TrainingTarget

# Weights that nothing here draws.
SQUEEZE = Path(__file__).resolve().parents[3] / "shared" / "weights" / "lpips-squeeze"
OURS = [n for n in registry.metrics.names() if registry.metrics.entry(n).provider == "i2ibench"]
LEVELS = ("0", "1+", "2+", "3+")


def draw(folder: Path, split: str, count: int) -> tuple[PairedDataset, dict[str, Path]]:
    """Draw targets of four levels, and predictions that are noisier."""
    random = np.random.default_rng([3, *split.encode()])
    pairs, predictions = [], {}
    for index in range(count):
        target = stained(random, 0.1 + 0.1 * (index % 4) + random.uniform(0, 0.1), 176)
        made = np.clip(target + random.normal(4, 9, target.shape), 0, 255).astype(np.uint8)
        pair_id = f"case {index:03d}"
        ref = ImageRef(write_rgb(folder / split / f"{pair_id}.png", target))
        predictions[pair_id] = write_rgb(folder / f"{split}-made" / f"{pair_id}.png", made)
        pairs.append(ImagePair(pair_id, ref, ref, LEVELS[index % 4]))
    dataset = PairedDataset(
        "arrays", split, tuple(pairs), root=folder, group_name="HER2", group_order=LEVELS
    )
    return dataset, predictions


def values_on_arrays(names, dataset, predictions, training) -> dict[str, object]:
    """Return what the functions find in the decoded images of a data set."""
    arrays = (
        np.stack([read_image(ImageRef(predictions[pair.id])) for pair in dataset]),
        np.stack([read_image(pair.target) for pair in dataset]),
    )
    targets = [
        TrainingTarget(pair.id, pair.group, lambda ref=pair.target: read_image(ref))
        for pair in training
    ]
    context = Context(
        allow_unverified_weights=True, training_targets=targets, group_order=LEVELS, workers=2
    )
    of_pairs = {"groups": [pair.group for pair in dataset], "ids": [pair.id for pair in dataset]}
    found = {}
    for name in names:
        function = getattr(i2ibench.metrics, name.replace("-", "_"))
        found[name] = function(*arrays, context=context, **of_pairs)
    return found


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory, seeded_inception):
    """The values of every metric by ``evaluate`` and by its function, on the same pairs."""
    folder = tmp_path_factory.mktemp("arrays")
    dataset, predictions = draw(folder, "test", 4)
    training, _ = draw(folder, "train", 8)
    write_trunks(folder)
    (folder / seeded_inception.name).symlink_to(seeded_inception)
    names = list(OURS)
    if SQUEEZE.is_dir():
        for file in SQUEEZE.iterdir():
            (folder / file.name).symlink_to(file)
    else:
        names.remove("lpips-squeeze")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("I2IBENCH_WEIGHTS", str(folder))
        patch.setenv("I2IBENCH_CACHE", str(folder / "cache"))
        patch.setattr(manifold, "FEWEST_PAIRS", 1)
        patch.setattr("i2ibench.metrics.on_arrays._networks", {})
        evaluation = evaluate(
            dataset,
            predictions,
            protocol=load_protocol("stain-1"),
            metrics=names,
            device="cpu",
            training_targets=training,
            allow_unverified_weights=True,
            use_cache=False,
        )
        return evaluation, values_on_arrays(names, dataset, predictions, training)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OURS)
def test_every_function_gives_the_values_of_a_board(both_ways, name):
    evaluation, found = both_ways
    if name not in found:
        pytest.skip("the folder ../shared with its weights is absent")
    if name in evaluation.pair_columns.metrics:
        np.testing.assert_array_equal(found[name], evaluation.pair_columns.metrics[name])
    else:
        assert found[name] == evaluation.metrics[name].value


def test_bytes_and_floats_of_either_library_give_one_value():
    random = np.random.default_rng(0)
    target = random.integers(0, 256, (2, 24, 20, 3), dtype=np.uint8)
    prediction = np.roll(target, 1, axis=1)
    expected = i2ibench.metrics.psnr(prediction, target)

    def first(images: np.ndarray) -> np.ndarray:
        return np.moveaxis(images, -1, 1)

    forms = {
        (0, 1): lambda images: torch.from_numpy(first(images) / np.float32(255)),
        (-1, 1): lambda images: (
            torch.from_numpy(first(images)).float() / 127.5 - 1
        ).requires_grad_(),
        (0, 255): lambda images: first(images).astype(np.float64),
        (0, 1 + 1e-9): lambda images: first(images) / 255,
        None: torch.from_numpy,
    }
    for value_range, form in forms.items():
        found = i2ibench.metrics.psnr(form(prediction), form(target), value_range=value_range)
        np.testing.assert_array_equal(found, expected)
    mixed = i2ibench.metrics.psnr(first(prediction) / 255, target, value_range=(0, 1))
    np.testing.assert_array_equal(mixed, expected)
    one = i2ibench.metrics.psnr(prediction[1], target[1])
    assert isinstance(one, float)
    assert one == expected[1]


def test_floats_are_rounded_as_translation_rounds_them():
    from i2ibench.models.policy import InferencePolicy
    from i2ibench.translation.translate_image import quantize

    images = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(1)) * 2 - 1
    on_a_board = quantize(images, InferencePolicy())
    assert i2ibench.metrics.mae(images.numpy(), images.numpy(), value_range=(-1, 1)) == 0
    other = np.moveaxis(on_a_board, -1, 0).astype(np.float32)
    from i2ibench.metrics.array_images import pixels

    ours, _ = pixels(images, (-1, 1), "prediction")
    np.testing.assert_array_equal(ours[0], on_a_board)
    np.testing.assert_array_equal(pixels(other, (0, 255), "target")[0][0], on_a_board)


BYTES = np.zeros((8, 8, 3), np.uint8)
FLOATS = np.linspace(0, 1, 192, dtype=np.float32).reshape(3, 8, 8)


@pytest.mark.parametrize(
    ("images", "value_range", "remedy"),
    [
        (FLOATS, None, r"value_range=\(0, 1\)"),
        (FLOATS * 255, (0, 1), "give the range"),
        (FLOATS, (0, 255), r"value_range=\(0, 1\)"),
        (FLOATS - 0.5, (0, 1), "give the range"),
        (FLOATS * np.nan, (0, 1), "NaN"),
        (FLOATS + np.inf, (0, 1), "give the range"),
        (FLOATS, (1, 0), "does not rise"),
        (FLOATS, (0, np.inf), "does not rise"),
        (FLOATS, 1, "two numbers"),
        (np.moveaxis(FLOATS, 0, -1), (0, 1), "channels first"),
        (FLOATS[0], (0, 1), "RGB"),
        (FLOATS[:, :0], (0, 1), "no pixel"),
        (BYTES, (0, 1), "uint8"),
        (np.moveaxis(BYTES, -1, 0), None, "channels last"),
        (torch.zeros(2, 3, 8, 9, dtype=torch.uint8), None, "channels last"),
        (BYTES[..., 0], None, "RGB"),
        (np.zeros((8, 8, 4), np.uint8), None, "RGB"),
        (BYTES.astype(np.uint16), None, "uint16"),
        (BYTES.astype(np.int64), (0, 255), "int64"),
        (BYTES > 0, None, "bool"),
        ([[1, 2], [3, 4]], None, "numpy.asarray"),
        ("prediction.png", None, "numpy.asarray"),
        (None, None, "numpy.asarray"),
    ],
)
def test_what_is_no_image_is_refused_with_its_remedy(images, value_range, remedy):
    with pytest.raises(UsageError, match=remedy) as told:
        i2ibench.metrics.psnr(images, images, value_range=value_range)
    assert str(told.value).startswith(("psnr: prediction", "value_range"))
    assert "\n" not in str(told.value)


def test_values_that_never_use_the_lower_half_of_their_range_are_told():
    with pytest.warns(UserWarning, match=r"is it \(0, 1\)"):
        i2ibench.metrics.mae(FLOATS, FLOATS, value_range=(-1, 1))


def test_pairs_that_do_not_match_are_refused():
    batch = np.zeros((2, 8, 8, 3), np.uint8)
    for prediction, target, more in (
        (batch, batch[:1], {}),
        (batch[:, :4], batch, {}),
        (batch, batch, {"groups": ["0"]}),
        (batch, batch, {"ids": ["a", "a"]}),
        (batch, batch, {"window": 3}),
    ):
        with pytest.raises(UsageError, match="psnr"):
            i2ibench.metrics.psnr(prediction, target, **more)


def test_a_metric_without_its_weights_says_how_to_fetch_them(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    images = np.zeros((2, 64, 64, 3), np.uint8)
    with pytest.raises(MissingError, match="weights fetch inception-fid"):
        i2ibench.metrics.fid(images, images)


def test_a_metric_says_why_it_has_no_value():
    images = np.zeros((1, 64, 64, 3), np.uint8)
    with pytest.raises(MissingError, match="at least 2 pairs"):
        i2ibench.metrics.variance_gap(images, images)
    assert i2ibench.metrics.score_arrays("variance-gap", images, images).value is None
    with pytest.raises(MissingError, match="training targets"):
        i2ibench.metrics.group_kappa(images, images, groups=["0"])
    with pytest.raises(MissingError, match="at least"):
        i2ibench.metrics.ms_ssim(images, images)


def test_a_metric_of_this_process_has_its_function_and_keeps_nothing(monkeypatch):
    class Count(PairMetric):
        """How often this very metric was asked."""

        name = "times-asked"
        better = None
        asked = 0

        def signature(self) -> Signature:
            return self._signature()

        def score_pair(self, pair):
            self.asked += 1
            return self.asked

    register_metric(monkeypatch, "times-asked", Count)
    assert [i2ibench.metrics.times_asked(BYTES, BYTES) for _ in range(2)] == [1, 1]
    assert "times_asked" in dir(i2ibench.metrics)
    with pytest.raises(AttributeError, match="times_asked"):
        _ = i2ibench.metrics.times_askde


def test_functions_are_whole_typed_and_hidden_by_no_module():
    folder = Path(i2ibench.metrics.__file__).parent
    names = {name.replace("-", "_") for name in OURS}
    modules = {path.stem for path in folder.iterdir()} - {"__init__", "__pycache__"}
    assert not names & modules
    [declared] = [
        {
            node.target.id: node.annotation.id
            for node in block.body
            if isinstance(node, ast.AnnAssign)
        }
        for block in ast.parse((folder / "__init__.py").read_text()).body
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
    ]
    kinds = {True: "PairFunction", False: "SetFunction"}
    assert declared == {
        name.replace("-", "_"): kinds[issubclass(registry.metrics.get(name), PairMetric)]
        for name in OURS
    }
    importlib.import_module("i2ibench.metrics.deep_structure")  # which sets names of the package

    assert callable(i2ibench.metrics.dists)
    kept = pickle.dumps(i2ibench.metrics.psnr)
    assert pickle.loads(kept) is i2ibench.metrics.psnr  # noqa: S301


def test_a_pixel_metric_loads_neither_torch_nor_pandas():
    code = (
        "import sys, numpy, i2ibench\n"
        "images = numpy.zeros((2, 8, 8, 3), numpy.uint8)\n"
        "i2ibench.metrics.psnr(images, images), i2ibench.metrics.ssim(images, images)\n"
        "print({'torch', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_its_documentation_is_true():
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(i2ibench.metrics, optionflags=flags) == (0, 7)
