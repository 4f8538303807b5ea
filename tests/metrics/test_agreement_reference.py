"""Group agreement against scipy's densities, on features that scikit-image and numpy give."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from factories import stained
from scipy.stats import multivariate_normal
from skimage.color import rgb2hed
from torchmetrics.functional.classification import multiclass_cohen_kappa

from i2ibench.metrics.agreement import (
    GroupAccuracy,
    GroupError,
    GroupKappa,
    GroupRead,
    discriminant,
)
from i2ibench.metrics.interface import Context, PairImages, TrainingTarget, Unavailable
from i2ibench.statistics.agreement import quadratic_kappa

LEVELS = ("0", "1+", "2+", "3+")
WIDTH = 0.005  # of a bin of the density histogram


def _features(image):
    """Mean, deviation, three quantiles and positive area of the DAB density of an image."""
    light = np.maximum(image, 1)  # the floor of 1/255
    density = rgb2hed(light)[:, :, 2].ravel() * 6  # skimage's unit is six decades
    binned = (np.floor(density / WIDTH + 1e-9) + 0.5) * WIDTH
    quantiles = np.quantile(binned, [0.5, 0.9, 0.99], method="inverted_cdf")
    return np.array([density.mean(), binned.std(), *quantiles, (binned > 0.2).mean()])


def _most_likely(samples, rows):
    """Return the group of the highest normal density of each row; all groups share a covariance."""
    degrees = [len(sample) - 1 for sample in samples]
    within = sum(n * np.cov(s, rowvar=False) for n, s in zip(degrees, samples, strict=True))
    pooled = within / sum(degrees)
    pooled += 1e-3 * np.trace(pooled) / len(pooled) * np.eye(len(pooled))
    densities = [multivariate_normal(s.mean(axis=0), pooled).logpdf(rows) for s in samples]
    return np.argmax(densities, axis=0)


@pytest.mark.parametrize("seed", range(5))
def test_the_discriminant_is_the_highest_normal_density(seed):
    draw = np.random.default_rng(seed)
    mixing = draw.normal(size=(6, 6))
    samples = [(draw.normal(size=(n, 6)) + draw.normal(size=6)) @ mixing for n in (9, 40, 15, 3)]
    rows = 2 * draw.normal(size=(500, 6)) @ mixing
    found = discriminant(samples, LEVELS).classify(rows)
    assert len(set(found.tolist())) > 2
    assert found.tolist() == _most_likely(samples, rows).tolist()


def test_agreement_equals_scipy_and_torchmetrics_from_images_on():
    draw = np.random.default_rng(0)

    def image(level):  # the levels overlap, or every reader would find them
        return stained(draw, 0.1 + 0.06 * level + draw.uniform(0, 0.15), 40)

    training = [(level, image(level)) for level in np.tile(range(4), 9).tolist()]
    pairs = [(level, image(level), image(level)) for level in np.tile(range(4), 10).tolist()]
    samples = [
        np.stack([_features(image) for known, image in training if known == level])
        for level in range(4)
    ]
    truth = torch.tensor([level for level, _, _ in pairs])
    read, ceiling = (
        torch.tensor(_most_likely(samples, np.stack([_features(pair[side]) for pair in pairs])))
        for side in (1, 2)
    )
    context = Context(
        training_targets=[
            TrainingTarget(str(index), LEVELS[level], lambda image=image: image)
            for index, (level, image) in enumerate(training)
        ],
        group_order=LEVELS,
    )
    expected = {
        GroupAccuracy: lambda found: (found == truth).double().mean().item(),
        GroupKappa: lambda found: multiclass_cohen_kappa(
            found, truth, 4, weights="quadratic"
        ).item(),
    }
    assert 0.3 < expected[GroupAccuracy](read) < 0.9
    for metric, reference in ((kind(), value) for kind, value in expected.items()):
        metric.prepare(context)
        state = metric.new_state()
        for index, (level, prediction, target) in enumerate(pairs):
            pair = PairImages(f"{index:03d}", prediction, target, group=LEVELS[level])
            metric.update(state, pair.id, metric.describe(pair))
        score = metric.compute(state)
        assert score.value == pytest.approx(reference(read), abs=1e-6)
        assert score.details["ceiling"] == pytest.approx(reference(ceiling), abs=1e-6)
        confusion = np.zeros((4, 4), int)
        np.add.at(confusion, (truth.numpy(), read.numpy()), 1)
        assert score.details["confusion"] == confusion.tolist()


@pytest.fixture(scope="module")
def reader():
    """Overlapping levels: what the reader is fitted on, and pairs to read."""
    draw = np.random.default_rng(3)

    def image(level):
        return stained(draw, 0.1 + 0.06 * level + draw.uniform(0, 0.15), 40)

    levels = [0, 1, 2, 3] * 6
    training = [
        TrainingTarget(f"{index:03d}", LEVELS[level], partial(np.copy, image(level)))
        for index, level in enumerate(levels)
    ]
    pairs = [
        PairImages(f"{index:03d}", image(level), image(level), group=LEVELS[level])
        for index, level in enumerate(levels)
    ]
    return Context(training_targets=training, group_order=LEVELS), pairs


def test_accuracy_and_kappa_follow_from_what_is_read_of_each_pair(reader):
    context, pairs = reader
    read, error = GroupRead(), GroupError()
    found = {}
    for metric in (read, error, GroupAccuracy(), GroupKappa()):
        metric.prepare(context)
        if metric in (read, error):
            found[metric.name] = np.array([metric.score_pair(pair) for pair in pairs])
        else:
            state = metric.new_state()
            for pair in pairs:
                metric.update(state, pair.id, metric.describe(pair))
            found[metric.name] = metric.compute(state).value
    assert len([key for key in context.shared if key.startswith("agreement/")]) == 1
    truth = np.array([LEVELS.index(pair.group) for pair in pairs])
    levels = found["group-read"].astype(int)
    assert 0.3 < found["group-accuracy"] < 1
    assert found["group-accuracy"] == (levels == truth).mean()
    assert found["group-accuracy"] == (found["group-error"] == 0).mean()
    assert found["group-kappa"] == quadratic_kappa(truth, levels, 4)
    assert found["group-error"].tolist() == np.abs(levels - truth).tolist()


@pytest.mark.parametrize("group", [None, "4+"])
def test_the_error_is_undefined_where_the_reader_does_not_know_the_group(reader, group):
    context, (first, *_) = reader
    pair = PairImages("x", first.prediction, first.target, group=group)
    error, read = GroupError(), GroupRead()
    for metric in (error, read):
        metric.prepare(context)
    assert np.isnan(error.score_pair(pair))
    assert error.undefined_means
    assert read.score_pair(pair) == read.score_pair(first)


def test_groups_without_an_order_have_no_error_in_levels(reader):
    context, _ = reader
    with pytest.raises(Unavailable, match="order"):
        GroupError().prepare(replace(context, group_order=(), shared={}))
