"""The image pool gives back earlier predictions as CycleGAN's code does, and is in the state."""

from __future__ import annotations

import torch
from torch import Tensor

from i2ibench_baselines.draws import Draws
from i2ibench_baselines.image_pool import ImagePool


class Chosen(Draws):
    def __init__(self, *choices: int | None) -> None:
        self.choices = [*choices]

    def stored(self, count: int) -> int | None:
        return self.choices.pop(0)


def image(value: float, side: int = 2) -> Tensor:
    return torch.full((1, 3, side, side), float(value))


def test_it_fills_with_what_comes_and_then_exchanges() -> None:
    pool, draws = ImagePool(2), Chosen(None, 1, 1, 0)
    given_back = [float(pool.query(image(value), draws)[0, 0, 0, 0]) for value in range(6)]
    # Two are stored; one passes; the second is exchanged twice; then the first.
    assert given_back == [0, 1, 2, 1, 3, 0]
    assert sorted(float(each[0, 0, 0, 0]) for each in pool.state_dict().values()) == [4, 5]


def test_a_batch_is_exchanged_image_by_image_without_gradients() -> None:
    pool, draws = ImagePool(1), Chosen(0, None)
    images = torch.cat([image(1), image(2), image(3)]).requires_grad_()
    made = pool.query(images, draws)
    assert made[:, 0, 0, 0].tolist() == [1, 1, 3] and not made.requires_grad
    assert torch.equal(ImagePool(0).query(images, draws), images)


def test_half_of_the_choices_are_none_and_the_others_even() -> None:
    torch.manual_seed(0)
    drawn = [Draws().stored(4) for _ in range(2000)]
    assert 900 < drawn.count(None) < 1100
    assert all(190 < drawn.count(place) < 310 for place in range(4))


def test_its_state_is_loaded_into_a_pool_of_any_filling() -> None:
    full, empty = ImagePool(3), ImagePool(3)
    for value in range(3):
        full.query(image(value, side=4).contiguous(memory_format=torch.channels_last), Draws())
    empty.load_state_dict(full.state_dict())
    assert len(empty) == 3
    for key, value in full.state_dict().items():
        assert torch.equal(empty.state_dict()[key], value)
        assert empty.state_dict()[key].stride() == value.stride()
    full.load_state_dict(ImagePool(3).state_dict())
    assert len(full) == 0
