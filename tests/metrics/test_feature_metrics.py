"""FID, FID-clean and KID from images on: torch-fidelity's features, and exact arithmetic on them.

torch-fidelity's own FID is no reference to 1e-5: it takes the root of a singular 2048 x 2048 matrix
and is off by 7e-5 on these images. So its features are taken, and the definitions written out.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
import scipy.linalg
import torch
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

from i2ibench.metrics.distribution import FID, FIDClean
from i2ibench.metrics.diversity import DistanceRatio
from i2ibench.metrics.inception_features import open_inception
from i2ibench.metrics.interface import Context, PairImages
from i2ibench.metrics.kernel_distance import KID, KIDMarginal
from i2ibench.metrics.manifold import Precision, Recall

ALLOWED = {"allow_unverified_weights": True}
SIDES = ("prediction", "target")


@pytest.fixture
def extractor(seeded_inception, monkeypatch):
    """torch-fidelity's network with the seeded weights that our metrics find, too."""
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(seeded_inception.parent))
    return fidelity.FeatureExtractorInceptionV3(
        "reference", ["2048"], feature_extractor_weights_path=str(seeded_inception)
    )


def _features(extractor, images):
    """Return float64 features (N, 2048) of images (N, H, W, 3) of one size."""
    with torch.no_grad():
        found = extractor(torch.tensor(np.stack(images)).permute(0, 3, 1, 2))[0]
    return found.double().numpy()


def _exact_frechet(x, y):
    """Return the distance of two Gaussians; their covariances in a basis of all rows' span."""
    basis = scipy.linalg.orth(np.concatenate([x - x.mean(axis=0), y - y.mean(axis=0)]).T)
    a, b = (np.cov(rows @ basis, rowvar=False) for rows in (x, y))
    roots = np.sqrt(np.maximum(scipy.linalg.eigvals(a @ b).real, 0))
    means = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    return means + np.trace(a) + np.trace(b) - 2 * roots.sum()


def _exact_kernel_distances(x, y):
    """Return the distance with a mean over all pairs across, and with one over i != j."""

    def mean(a, b, kept):
        return (((a @ b.T) / 2048 + 1) ** 3)[kept].mean()

    others, all_ = ~np.eye(len(x), dtype=bool), np.ones((len(x), len(y)), bool)
    within = mean(x, x, others) + mean(y, y, others)
    return within - 2 * mean(x, y, all_), within - 2 * mean(x, y, others)


def _thumbnails(shared):
    folder = shared / "data" / "bci_thumbnails"
    for path in sorted((folder / "IHC" / "test").iterdir()):
        files = (folder / "published_predictions" / "test" / path.name, path)
        images = (cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files)
        yield PairImages(path.name, *images)


def test_fid_and_kid_of_real_images_are_exact_on_torch_fidelitys_features(shared, extractor):
    pairs = [*_thumbnails(shared)][::2]
    x, y = (
        np.concatenate(
            [
                _features(extractor, [getattr(pair, side) for pair in pairs[start : start + 8]])
                for start in range(0, len(pairs), 8)
            ]
        )
        for side in SIDES
    )
    metric = FID()
    metric.prepare(Context(**ALLOWED))
    state = metric.new_state()  # KID's, too
    for pair in pairs:
        metric.update(state, pair.id, metric.describe(pair))
    score = metric.compute(state)
    assert score.value == pytest.approx(_exact_frechet(x, y), rel=1e-5)
    floor = _exact_frechet(y[0::2], y[1::2])
    assert score.details["floor"] == pytest.approx(floor, rel=1e-5)
    all_across, marginal = _exact_kernel_distances(x, y)
    assert KID().compute(state).value == pytest.approx(all_across, rel=1e-5)
    assert KIDMarginal().compute(state).value == pytest.approx(marginal, rel=1e-5)


def test_fid_clean_is_exact_on_what_clean_fid_resizes(shared, extractor, monkeypatch):
    resize = pytest.importorskip("cleanfid.resize", reason="clean-fid is not installed")
    # torch-fidelity takes uint8 alone; a resized image has fractions, which clean-fid keeps.
    monkeypatch.setattr(fidelity, "vassert", lambda condition, message: None)
    metric, plain = FIDClean(), FID()
    for each in (metric, plain):
        each.prepare(Context(**ALLOWED))
    assert "resize:pillow-bicubic" in str(metric.signature())
    resizer, state, rows = resize.build_resizer("clean"), metric.new_state(), []
    for pair in itertools.islice(_thumbnails(shared), 0, None, 6):
        expected = _features(extractor, [resizer(getattr(pair, side)) for side in SIDES])
        for found, feature in zip(metric.describe(pair), expected, strict=True):
            assert np.abs(found - feature).max() <= 1e-5 * np.abs(feature).max()
        aliased = plain.describe(pair)[0]
        assert np.abs(aliased - expected[0]).max() > 1e-3 * np.abs(expected[0]).max()
        metric.update(state, pair.id, metric.describe(pair))
        rows.append(expected)
    expected = _exact_frechet(*np.stack(rows, axis=1))
    assert metric.compute(state).value == pytest.approx(expected, rel=1e-5)


def test_a_pair_is_kept_as_sixteen_kibibytes_of_features(extractor, make_pair):
    """Shared by the metrics of one resize; docs/metrics.md says what else is kept."""
    metrics = [FID(), KID(), KIDMarginal(), Precision(), Recall()]
    for metric in metrics:
        metric.prepare(Context(**ALLOWED))
    pair = make_pair(64, 64)
    kept = {id(feature): feature for metric in metrics for feature in metric.describe(pair)}
    assert sum(feature.nbytes for feature in kept.values()) == 2 * 2048 * 4
    assert len({metric.state_key() for metric in metrics}) == 1
    assert sum(thumbnail.nbytes for thumbnail in DistanceRatio().describe(pair)) == 2 * 192 * 4


def test_kept_features_are_told_apart_by_weights_resize_and_precision(
    tmp_path, seeded_inception, monkeypatch
):
    other = tmp_path / seeded_inception.name
    torch.save({key: value * 1.5 for key, value in torch.load(seeded_inception).items()}, other)
    identities = []
    for folder, resize, precision in itertools.product(
        (seeded_inception.parent, tmp_path), ("tf1-bilinear", "pillow-bicubic"), ("fp32", "bf16")
    ):
        monkeypatch.setenv("I2IBENCH_WEIGHTS", str(folder))
        context = Context(precision=precision, **ALLOWED)
        identities += [open_inception(resize, context)[2].identity for _ in range(2)]
    assert len(set(identities)) == 8
    assert identities[0::2] == identities[1::2]
