"""Translation keeps every pixel's promise: sizes, tiles, rounding, resume, an unchanged model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError, UsageError
from i2ibench.models.interface import ModelConfig, TranslationModel, build_model
from i2ibench.models.policy import InferencePolicy
from i2ibench.translation.manifest import Manifest, read_manifest
from i2ibench.translation.tiling import Tiling, choose_tiling, translate_tiled
from i2ibench.translation.translate import inference_mode, translate
from i2ibench.translation.translate_image import quantize, translate_image

POLICY = InferencePolicy()
BATCH = InferencePolicy(normalization="batch", dropout=True, quantization="truncate", seed=1)


def trained(name="pyramid", **config):
    """A model with statistics that differ from those of a fresh one."""
    model = build_model(name, {"ngf": 4, "ndf": 4, **config})
    model.initialize(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


def manifest(**changes):
    base = {
        "model": "copy",
        "checkpoint_sha256": None,
        "protocol": "i2i-1",
        "preparation": {},
        "inference": POLICY,
        "precision": "fp32",
    }
    return Manifest(**{**base, **changes})


@pytest.mark.parametrize("height, width", [(256, 256), (257, 300), (90, 61), (3, 5)])
@pytest.mark.parametrize("name", ["pix2pix", "pyramid"])
def test_any_image_size_comes_back_as_it_went_in(name, height, width):
    model = trained(name)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    with inference_mode(model, POLICY):
        assert translate_image(model, image, policy=POLICY).shape == image.shape


@pytest.mark.parametrize("height, width, tile", [(480, 600, 256), (404, 256, 240), (700, 212, 200)])
def test_tiles_equal_the_whole_image(height, width, tile):
    model = trained()
    images = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with inference_mode(model, POLICY):
        whole = model.translate(images)
        tiling = Tiling(tile, model.tile_overlap, exact=True)
        strips = list(translate_tiled(model.translate, images, tiling, 4))
    assert [first for first, _ in strips] == list(
        np.cumsum([0] + [strip.shape[2] for _, strip in strips[:-1]])
    )
    tiled = torch.cat([strip for _, strip in strips], dim=2)
    assert tiled.shape == whole.shape
    assert float((tiled - whole).abs().max()) < 1e-6


@pytest.mark.parametrize("length", [64, 65, 100, 127, 333])
@pytest.mark.parametrize("exact", [True, False])
def test_weights_of_tiles_sum_to_one(length, exact):
    images = torch.rand(1, 3, length, length)
    tiling = Tiling(64, 16, exact)
    strips = translate_tiled(lambda tile: tile, images, tiling, 1)
    assert torch.allclose(torch.cat([s for _, s in strips], dim=2), images, atol=1e-6)


def test_batch_statistics_are_never_tiled():
    with pytest.raises(UsageError, match="batch statistics"):
        choose_tiling(trained(), BATCH, 4096, 4096, None)
    assert choose_tiling(trained(), BATCH, 4096, 4096, 0) is None
    assert choose_tiling(trained(), POLICY, 4096, 4096, None) == Tiling(1024, 84, True)


def test_a_tile_smaller_than_its_margins_is_refused():
    with pytest.raises(UsageError, match="larger than 168"):
        Tiling(168, 84, exact=True)


def test_rounding_and_truncation():
    grey = torch.linspace(-1, 1, 511).expand(3, 1, 511)
    exact = (grey[0, 0].double().numpy() + 1) * 127.5
    rounded = quantize(grey, POLICY)[0, :, 0]
    truncated = quantize(grey, BATCH)[0, :, 0]
    assert np.abs(rounded - exact).max() <= 0.5 + 1e-4
    assert (truncated <= exact + 1e-4).all() and (exact - truncated).mean() > 0.2


def test_the_official_policy_uses_batch_statistics_and_changes_no_state():
    model = trained(dropout=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with inference_mode(model, BATCH):
        official = translate_image(model, image, policy=POLICY)
    with inference_mode(model, POLICY):
        sane = translate_image(model, image, policy=POLICY)
    model.train()
    with torch.no_grad():
        tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
        expected = quantize(model.translate(tensor)[0], POLICY)
    model.eval()
    assert np.abs(official.astype(int) - expected).max() <= 1
    assert np.abs(official.astype(int) - sane).max() > 1
    after = {k: v for k, v in before.items() if k.endswith(("running_mean", "weight"))}
    fresh = trained(dropout=False).state_dict()
    assert all(torch.equal(fresh[name], value) for name, value in after.items())


def test_predictions_are_complete_hashed_and_resumed(drawn, tmp_path):
    data = open_dataset(str(drawn.draw("test", 6).root), "test")
    folder = tmp_path / "predictions"
    calls = []

    def stop(done, total):
        calls.append(done)
        if done == 3:
            raise KeyboardInterrupt

    model = build_model("copy")
    with pytest.raises(KeyboardInterrupt):
        translate(model, data, folder, manifest(), progress=stop)
    assert not read_manifest(folder).complete
    first = (folder / f"{data[0].id}.png").stat().st_mtime_ns
    done = translate(model, data, folder, manifest())
    assert (folder / f"{data[0].id}.png").stat().st_mtime_ns == first
    assert read_manifest(folder) == done and done.complete
    assert sorted(done.files) == [pair.id for pair in data]
    for pair in data:
        copied = read_image(ImageRef(folder / f"{pair.id}.png"))
        assert np.array_equal(copied, read_image(pair.source))


def test_a_finished_folder_keeps_its_manifest_when_it_is_asked_for_again(drawn, tmp_path):
    dataset = open_dataset(drawn.draw("test", 2).root)
    translate(trained(), dataset, tmp_path, manifest())
    before = (tmp_path / "manifest.json").read_bytes()
    translate(trained(), dataset, tmp_path, manifest())
    assert (tmp_path / "manifest.json").read_bytes() == before, "seconds included"


def test_predictions_of_another_origin_are_replaced(drawn, tmp_path):
    data = open_dataset(str(drawn.draw("test", 2).root), "test")
    folder = tmp_path / "predictions"
    translate(build_model("copy"), data, folder, manifest())
    first = (folder / f"{data[0].id}.png").stat().st_mtime_ns
    translate(build_model("copy"), data, folder, manifest(checkpoint_sha256="another"))
    assert (folder / f"{data[0].id}.png").stat().st_mtime_ns != first


def test_images_of_unknown_origin_are_not_overwritten(drawn, tmp_path):
    data = open_dataset(str(drawn.draw("test", 2).root), "test")
    folder = tmp_path / "predictions"
    folder.mkdir()
    (folder / f"{data[0].id}.png").write_bytes(b"mine")
    with pytest.raises(DataError, match="manifest"):
        translate(build_model("copy"), data, folder, manifest())
    assert (folder / f"{data[0].id}.png").read_bytes() == b"mine"


def test_an_oracle_reads_the_target(drawn, tmp_path):
    data = open_dataset(str(drawn.draw("test", 1).root), "test")
    translate(build_model("blurred-target"), data, tmp_path, manifest(model="blurred-target"))
    made = read_image(ImageRef(tmp_path / f"{data[0].id}.png")).astype(int)
    target, source = (read_image(ref).astype(int) for ref in (data[0].target, data[0].source))
    assert np.abs(made - target).mean() < np.abs(made - source).mean()


def test_output_that_is_not_finite_is_an_error(drawn, tmp_path):
    data = open_dataset(str(drawn.draw("test", 1).root), "test")
    model = trained()
    next(model.generator.parameters()).data.fill_(float("nan"))
    with pytest.raises(DataError, match=data[0].id):
        translate(model, data, tmp_path, manifest(model="pyramid"))


class Shading(TranslationModel):
    """Not equivariant: darkens towards the lower right corner."""

    def translate(self, source):
        rows = torch.linspace(0, 0.5, source.shape[2])[:, None]
        columns = torch.linspace(0, 0.3, source.shape[3])
        return (source - rows - columns).clamp(-1, 1)


class Speckled(TranslationModel):
    """Drops half of the pixels of a grey image; the rest doubles."""

    def __init__(self, config):
        super().__init__(config)
        self.dropout = torch.nn.Dropout2d(0.5)

    def translate(self, source):
        return self.dropout(source.reshape(1, -1, 1, 1)).view_as(source)


SYMMETRIES = {
    "flips": [lambda x: x, np.flipud, np.fliplr, lambda x: np.flipud(np.fliplr(x))],
    "dihedral": [
        lambda x, k=k, m=m: np.rot90(m(x), k) for k in range(4) for m in (np.array, np.fliplr)
    ],
}
UNDO = {
    "flips": SYMMETRIES["flips"],
    "dihedral": [
        lambda x, k=k, m=m: m(np.rot90(x, -k)) for k in range(4) for m in (np.array, np.fliplr)
    ],
}


@pytest.mark.parametrize("augmentation", SYMMETRIES)
def test_augmentation_is_the_mean_over_the_symmetries(augmentation):
    image = np.random.default_rng(3).integers(0, 256, (90, 70, 3), np.uint8)
    model = Shading(ModelConfig())

    def predicted(seen):
        batch = torch.from_numpy(seen.copy()).permute(2, 0, 1)[None].double() / 127.5 - 1
        return model.translate(batch)[0].permute(1, 2, 0).numpy()

    both = zip(SYMMETRIES[augmentation], UNDO[augmentation], strict=True)
    mean = np.mean([undo(predicted(turn(image))) for turn, undo in both], axis=0)
    found = translate_image(model, image, policy=InferencePolicy(augmentation=augmentation))
    assert np.abs(found - (mean + 1) * 127.5).max() < 0.5 + 1e-3


def test_augmented_tiles_equal_the_augmented_whole():
    model = trained()
    image = np.random.default_rng(6).integers(0, 256, (256, 400, 3), np.uint8)
    policy = InferencePolicy(augmentation="dihedral")
    with inference_mode(model, policy):
        whole, tiled = (translate_image(model, image, policy=policy, tile=t) for t in (0, 240))
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert (whole != tiled).mean() < 1e-3


def test_an_equivariant_model_gains_nothing_from_augmentation():
    model = build_model("copy")
    image = np.random.default_rng(4).integers(0, 256, (31, 20, 3), np.uint8)
    for augmentation in ("flips", "dihedral"):
        policy = InferencePolicy(augmentation=augmentation)
        assert (translate_image(model, image, policy=policy) == image).all()


def test_a_mean_of_stochastic_passes_varies_less_than_one_pass():
    model = Speckled(ModelConfig())
    image = np.full((64, 64, 3), 160, np.uint8)

    def spread(samples):
        policy = InferencePolicy(dropout=True, seed=0, samples=samples)
        found = []
        with inference_mode(model, policy):
            for seed in range(6):
                torch.manual_seed(seed)
                found.append(translate_image(model, image, policy=policy).astype(float))
        return np.std(found, axis=0).mean()

    # Independent passes: a quarter of one pass's deviation for sixteen of them.
    assert spread(16) == pytest.approx(spread(1) / 4, rel=0.25)


def test_samples_without_randomness_are_refused():
    with pytest.raises(ValueError, match="dropout and a seed"):
        InferencePolicy(samples=4)


def test_policies_older_than_augmentation_keep_their_content():
    assert set(InferencePolicy().model_dump()) == {
        "normalization",
        "dropout",
        "quantization",
        "seed",
    }
    averaged = InferencePolicy(augmentation="flips")
    assert InferencePolicy(**averaged.model_dump()) == averaged


def test_a_generator_of_one_channel_makes_grey_whole_and_in_tiles():
    class Grey(TranslationModel):
        tile_overlap = 0

        def translate(self, source):
            return source.mean(1, keepdim=True)

    source = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    mean = (source.astype(np.float32) / 127.5 - 1).mean(2, keepdims=True)
    expected = np.rint((mean + 1) * 127.5).repeat(3, 2)
    for tile in (0, 16):
        made = translate_image(Grey(ModelConfig()), source, policy=InferencePolicy(), tile=tile)
        assert np.abs(made - expected).max() <= 1
        assert (made == made[:, :, :1]).all()


def test_another_number_of_channels_is_told_with_what_is_expected():
    class Two(TranslationModel):
        def translate(self, source):
            return source[:, :2]

    with pytest.raises(DataError, match=r"makes 3 channels, or 1 of grey"):
        translate_image(Two(ModelConfig()), np.zeros((8, 8, 3), np.uint8), policy=InferencePolicy())
