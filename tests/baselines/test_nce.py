"""PatchNCE has the values of its definition, and gradients that are finite."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from i2ibench_baselines.draws import Draws
from i2ibench_baselines.nce import ProjectionHeads, draw_positions, nce_loss, taken


def unit_vectors(seed: int, *shape: int) -> Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm(dim=-1, keepdim=True)


def by_definition(query: Tensor, key: Tensor, temperature: float, share: float) -> float:
    """One position at a time, in float64: -log of its share among the keys of its image."""
    losses, weights = [], []
    for queries, keys in zip(query.double(), key.double(), strict=True):
        for place, vector in enumerate(queries):
            similarities = keys @ vector
            exponentials = (similarities / temperature).exp()
            losses.append(-(exponentials[place] / exponentials.sum()).log())
            weights.append(1 - share + share * similarities[place].clamp(min=0))
    weight = torch.stack(weights)
    return float((torch.stack(losses) * weight / weight.mean()).mean())


@pytest.mark.parametrize("share", [None, 0.0, 0.6, 1.0])
def test_it_equals_its_definition(share: float | None) -> None:
    queries = [unit_vectors(1, 2, 9, 5), unit_vectors(2, 2, 4, 5)]
    keys = [unit_vectors(3, 2, 9, 5), unit_vectors(4, 2, 4, 5)]
    expected = sum(
        by_definition(query, key, 0.07, share or 0.0) / 2
        for query, key in zip(queries, keys, strict=True)
    )
    assert float(nce_loss(queries, keys, 0.07, share)) == pytest.approx(expected, rel=1e-5)


def test_no_gradient_reaches_the_keys_or_the_weights() -> None:
    query, key = (
        unit_vectors(1, 1, 6, 5).requires_grad_(),
        unit_vectors(2, 1, 6, 5).requires_grad_(),
    )
    nce_loss([query], [key], 0.07, 1.0).backward()
    assert key.grad is None and query.grad is not None


def test_features_are_taken_at_rows_times_width_plus_columns() -> None:
    features = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    positions = torch.tensor([7, 0, 19])
    expected = features.permute(0, 2, 3, 1).flatten(1, 2)[:, positions]
    assert torch.equal(taken(features, positions), expected)
    channels_last = features.contiguous(memory_format=torch.channels_last)
    assert torch.equal(taken(channels_last, positions), expected)


def test_positions_are_different_and_all_where_there_are_few() -> None:
    few, many = draw_positions([torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 20, 20)], 50, Draws())
    assert sorted(few.tolist()) == list(range(9))
    assert len(set(many.tolist())) == 50 and int(many.max()) < 400


@pytest.mark.parametrize("epsilon", ["after", "inside"])
def test_a_vector_of_zeros_has_finite_gradients(epsilon: str) -> None:
    heads = ProjectionHeads([3], 4, epsilon)
    for parameter in heads.parameters():
        torch.nn.init.zeros_(parameter)
    features = torch.rand(1, 3, 4, 4, requires_grad=True)
    positions = [torch.arange(16)]
    projected = heads([features], positions)
    nce_loss(projected, [unit_vectors(1, 1, 16, 4)], 0.07).backward()
    gradients = [features.grad, *(each.grad for each in heads.parameters())]
    assert all(bool(torch.isfinite(each).all()) for each in gradients if each is not None)
