"""One evaluation: right values that depend on nothing they should not, and failures told."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.metrics.stain_masks import dab_mask

I2I = load_protocol("i2i-1")
LIGHT = ["psnr", "mae", "ssim", "ssim-gaussian", "swd", "psnr-aligned", "shift"]
LIGHT += ["variance-gap", "variance-ratio", "distance-ratio", "dab-od-error", "dab-iod-correlation"]


def _values(evaluation):
    return {name: value.value for name, value in evaluation.metrics.items()}


def _images(pair, predictions):
    return read_image(ImageRef(predictions[pair.id])), read_image(pair.target)


def test_values_are_the_means_of_what_scikit_image_gives(draw):
    dataset, predictions = draw()
    found = evaluate(dataset, predictions, protocol=I2I, metrics=["psnr", "ssim"])
    images = [_images(pair, predictions) for pair in dataset]
    psnr = [peak_signal_noise_ratio(t, p) for p, t in images]
    ssim = [structural_similarity(p, t, channel_axis=2) for p, t in images]
    assert found.metrics["psnr"].value == pytest.approx(np.mean(psnr), abs=1e-10)
    assert found.metrics["ssim"].value == pytest.approx(np.mean(ssim), abs=1e-10)
    assert found.pair_scores["id"].tolist() == [pair.id for pair in dataset]
    assert found.pair_scores["psnr"].tolist() == pytest.approx(psnr, abs=1e-10)
    assert [*found.groups] == ["0", "1+", "2+", "3+"]
    assert found.groups["3+"].n == 2
    assert found.groups["3+"].metrics["psnr"].value == pytest.approx(np.mean(psnr[3::4]), abs=1e-10)
    levels = [np.mean(psnr[i::4]) for i in range(4)]
    assert found.macro["psnr"].value == pytest.approx(np.mean(levels), abs=1e-10)
    assert found.macro["psnr"].signature == "psnr|rgb|range:255|mean:image|macro:group|v:1"
    assert (found.protocol, found.protocol_sha256) == ("i2i-1", I2I.sha256)


def test_published_predictions_of_bci_are_scored_per_level(shared):
    from i2ibench.data.dataset import open_dataset

    folder = shared / "data" / "bci_thumbnails"
    dataset = open_dataset(str(folder), "test")
    predictions = find_predictions(folder / "published_predictions" / "test", dataset)
    found = evaluate(dataset, predictions, protocol=I2I, metrics=["psnr", "ssim", "swd"])
    assert {group: scores.n for group, scores in found.groups.items()} == {
        "0": 1, "1+": 4, "2+": 11, "3+": 8,
    }  # fmt: skip
    images = [_images(pair, predictions) for pair in dataset]
    expected = np.mean([peak_signal_noise_ratio(t, p) for p, t in images])
    assert found.metrics["psnr"].value == pytest.approx(expected, abs=1e-10)


def test_protocol_metrics_without_weights_say_how_to_get_them(draw):
    dataset, predictions = draw(4)
    found = evaluate(dataset, predictions, protocol=I2I)
    assert found.metrics["fid"].value is None
    assert found.metrics["fid"].unavailable == (
        "weights inception-fid not found; run: i2ibench weights fetch inception-fid"
    )
    assert found.metrics["swd"].value is not None, "a distribution metric always exists"
    assert [*found.metrics] == I2I.metric_names


def test_a_metric_asked_for_by_name_is_an_error_instead(draw):
    dataset, predictions = draw(4)
    with pytest.raises(MissingError, match="lpips: weights lpips-alex not found"):
        evaluate(dataset, predictions, protocol=I2I, metrics=["lpips"])
    with pytest.raises(MissingError, match="ms-ssim: needs images of at least 176 pixels"):
        evaluate(dataset, predictions, protocol=I2I, metrics=["ms-ssim"])
    single = replace(dataset, pairs=dataset.pairs[:1])
    with pytest.warns(UserWarning, match="distance-ratio .*at least 2 pairs"):
        found = evaluate(single, predictions, protocol=I2I, metrics=["distance-ratio"])
    assert "at least 2 pairs" in found.metrics["distance-ratio"].unavailable
    with pytest.raises(UsageError, match="did you mean"):
        evaluate(dataset, predictions, protocol=I2I, metrics=["sim"])


def test_order_workers_batches_and_cache_change_nothing(draw, networks):
    dataset, predictions = draw(5)
    names = [*LIGHT, "lpips-squeeze", "fid", "kid", "kid-marginal"]
    options = {"protocol": I2I, "metrics": names, "allow_unverified_weights": True}
    first = evaluate(dataset, predictions, workers=1, **options)
    assert "weights:unverified-" in first.metrics["fid"].signature
    shuffled = [*dataset.pairs]
    random.Random(0).shuffle(shuffled)
    others = [
        evaluate(dataset, predictions, workers=3, **options),  # targets from the cache
        evaluate(replace(dataset, pairs=tuple(shuffled)), predictions, workers=2, **options),
        evaluate(dataset, predictions, workers=2, use_cache=False, **options),
    ]
    for other in others:
        assert _values(other) == pytest.approx(_values(first), abs=1e-9, rel=1e-9)
        for group, scores in first.groups.items():
            for name, value in scores.metrics.items():
                again = other.groups[group].metrics[name]
                if value.value is None:
                    assert again.unavailable == value.unavailable
                else:
                    assert again.value == pytest.approx(value.value, abs=1e-9), (group, name)


def test_pairs_without_a_positive_target_are_undefined_from_images_to_means(draw):
    dataset, predictions = draw(size=64)
    found = evaluate(dataset, predictions, protocol=I2I, metrics=["dab-dice", "dab-tnr"])
    dice, value = found.pair_scores["dab-dice"], found.metrics["dab-dice"]
    masks = [dab_mask(_images(pair, predictions)[1]) for pair in dataset]
    assert dice.notna().tolist() == [bool(mask.any()) for mask in masks]
    assert 0 < dice.notna().sum() < len(dataset)
    assert value.value == pytest.approx(dice.mean())
    assert value.n == dice.notna().sum()
    assert f"undefined: {dice.isna().sum()} of 8" in value.notes[0]
    assert found.groups["0"].metrics["dab-dice"].unavailable.startswith("undefined: 2 of 2")
    assert found.groups["0"].metrics["dab-tnr"].value == 1
    assert "without 0" in found.macro["dab-dice"].notes[0]


def test_infinite_psnr_is_kept_and_counted(draw):
    dataset, predictions = draw(4)
    first = dataset[0]
    predictions = {**predictions, first.id: first.target.path}
    found = evaluate(dataset, predictions, protocol=I2I, metrics=["psnr"])
    assert found.pair_scores["psnr"].tolist()[0] == math.inf
    value = found.metrics["psnr"]
    rest = found.pair_scores["psnr"].tolist()[1:]
    assert value.value is None
    assert value.unavailable is None
    assert value.n == 4
    assert value.notes[0] == "infinite: 1 of 4 predictions equal their targets"
    assert value.notes[1] == f"mean of the other 3: {np.mean(rest):.4f} dB"
    assert found.groups["1+"].metrics["psnr"].value is not None
    assert "no finite value for group 0" in found.macro["psnr"].unavailable


def test_pairs_without_groups_have_no_group_tables(draw):
    dataset, predictions = draw(4, groups=False)
    found = evaluate(dataset, predictions, protocol=I2I, metrics=LIGHT)
    assert found.groups == {}
    assert found.macro == {}
    assert found.pair_scores["group"].tolist() == [None] * 4


def test_single_image_groups_and_sets_do_not_fail(draw, networks):
    dataset, predictions = draw(4)
    found = evaluate(dataset, predictions, protocol=I2I, allow_unverified_weights=True)
    assert found.metrics["fid"].value is not None
    assert found.metrics["fid"].notes[0] == "biased: n=4 < 2048"
    single = found.groups["0"].metrics["fid"]
    assert (single.value, single.n) == (None, 1)
    assert single.unavailable == "fid needs at least 2 pairs, not 1"
    alone = replace(dataset, pairs=dataset.pairs[:1])
    assert evaluate(alone, predictions, protocol=I2I).metrics["psnr"].n == 1


def test_training_targets_make_group_agreement_available(draw):
    dataset, predictions = draw(8)
    train = draw(12, seed=5, split="train").dataset
    names = ["group-accuracy", "group-kappa"]
    found = evaluate(dataset, predictions, protocol=I2I, metrics=names, training_targets=train)
    assert found.metrics["group-accuracy"].value >= 0.75, "predictions resemble their targets"
    assert found.details["group-accuracy"]["fitted_on"] == {"0": 3, "1+": 3, "2+": 3, "3+": 3}
    with pytest.raises(MissingError, match="training targets"):
        evaluate(dataset, predictions, protocol=I2I, metrics=names)


def test_a_truncated_prediction_is_named(draw):
    dataset, predictions = draw(4)
    path = [*predictions.values()][1]
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=path.name.split("_")[0]):
        evaluate(dataset, predictions, protocol=I2I, metrics=["psnr"])


def test_an_empty_data_set_and_missing_predictions_are_refused(draw):
    dataset, _ = draw(4)
    with pytest.raises(DataError, match="no pairs to score"):
        evaluate(replace(dataset, pairs=()), {}, protocol=I2I)
    with pytest.raises(DataError, match="4 of 4 pairs have no prediction"):
        evaluate(dataset, {}, protocol=I2I)


def test_wrong_devices_and_workers_are_refused(draw):
    dataset, predictions = draw(4)
    with pytest.raises(UsageError, match="workers must be at least 1"):
        evaluate(dataset, predictions, protocol=I2I, metrics=["psnr"], workers=0)
    with pytest.raises(UsageError, match="unknown device 'gpu'"):
        evaluate(dataset, predictions, protocol=I2I, device="gpu")


def test_progress_counts_every_pair(draw):
    dataset, predictions = draw(4)
    told = []
    evaluate(
        dataset,
        predictions,
        protocol=I2I,
        metrics=["psnr"],
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_resizing_protocol_scores_prepared_targets(draw, tmp_path):
    dataset, _ = draw(2, size=400, groups=False)
    protocol = load_protocol("bci-2022")
    predictions = {}
    for pair in dataset:
        prepared = protocol.preparation.apply(read_image(pair.target))
        noisy = np.clip(prepared.astype(int) + 5, 0, 255).astype(np.uint8)
        path = tmp_path / f"{pair.id}.png"
        cv2.imwrite(str(path), cv2.cvtColor(noisy, cv2.COLOR_RGB2BGR))
        predictions[pair.id] = path
    found = evaluate(dataset, predictions, protocol=protocol, metrics=["mae"])
    assert 4 < found.metrics["mae"].value <= 5


def test_a_prediction_that_lost_what_the_target_loses_is_perfect(draw, tmp_path):
    """Under bci-2022 its dark levels are one below the target's, which the official code hides."""
    dataset, _ = draw(2, size=400, groups=False)
    dark = {}
    for pair in dataset:
        image = read_image(pair.target) // 4
        cv2.imwrite(str(pair.target.path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        dark[pair.id] = tmp_path / f"{pair.id}.png"
        made = load_protocol("bci-2022-2").preparation.apply_target(image)
        cv2.imwrite(str(dark[pair.id]), cv2.cvtColor(made, cv2.COLOR_RGB2BGR))
    errors = {
        name: evaluate(dataset, dark, protocol=load_protocol(name), metrics=["mae"]).metrics["mae"]
        for name in ("bci-2022", "bci-2022-2")
    }
    assert errors["bci-2022-2"].value == 0
    assert 0.5 < errors["bci-2022"].value <= 1


def test_side_by_side_files_are_cropped(draw, tmp_path):
    dataset, predictions = draw(4)
    pairs = []
    for pair in dataset:
        both = np.hstack([read_image(pair.source), read_image(pair.target)])
        path = tmp_path / f"both-{pair.id}.png"
        cv2.imwrite(str(path), cv2.cvtColor(both, cv2.COLOR_RGB2BGR))
        halves = ImageRef(path, (0, 0, 48, 48)), ImageRef(path, (48, 0, 96, 48))
        pairs.append(ImagePair(pair.id, *halves, pair.group))
    strips = replace(dataset, pairs=tuple(pairs))
    names = ["psnr", "ssim"]
    one = evaluate(dataset, predictions, protocol=I2I, metrics=names)
    two = evaluate(strips, predictions, protocol=I2I, metrics=names)
    assert _values(one) == _values(two)


def test_scoring_without_networks_loads_no_torch(draw):
    """PSNR and SSIM start fast: neither torch nor scikit-image is imported for them."""
    import subprocess
    import sys

    drawn = draw(2)
    paths = [(p.id, str(p.target.path), str(drawn.predictions[p.id])) for p in drawn.dataset]
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset\n"
        "from i2ibench.evaluation.one_pass import evaluate\n"
        "from i2ibench.evaluation.protocol import load_protocol\n"
        f"paths = {paths}\n"
        "pairs = tuple(ImagePair(i, ImageRef(Path(t)), ImageRef(Path(t))) for i, t, _ in paths)\n"
        "found = evaluate(PairedDataset('d', 'test', pairs), {i: Path(p) for i, _, p in paths},\n"
        "                 protocol=load_protocol('i2i-1'), metrics=['psnr', 'ssim'])\n"
        "assert found.metrics['psnr'].n == 2\n"
        "print(sorted({'torch', 'skimage', 'scipy', 'torchvision'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
