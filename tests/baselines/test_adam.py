"""The faster Adam is Adam."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim.adam import adam

from i2ibench_baselines.adam import DenseAdam, can_order_by_memory, make_adam


def _network(layout: torch.memory_format) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 1, 1), nn.ConvTranspose2d(1, 5, 3))
    return layers.to(memory_format=layout)


def _steps(network: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    for step in range(count):
        images = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        network(images).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_its_steps_and_states_equal_those_of_adam(layout):
    ours = _network(layout)
    theirs = copy.deepcopy(ours)
    fast = DenseAdam(ours.parameters(), lr=1e-2, betas=(0.5, 0.999), fused=True)
    plain = torch.optim.Adam(theirs.parameters(), lr=1e-2, betas=(0.5, 0.999))
    _steps(ours, fast, 5)
    _steps(theirs, plain, 5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-7)
        assert mine.stride() == other.stride()
        for name in ("exp_avg", "exp_avg_sq"):
            kept, expected = fast.state[mine][name], plain.state[other][name]
            assert kept.shape == mine.shape
            assert torch.allclose(kept, expected, rtol=1e-4, atol=1e-7)


def test_its_state_is_saved_and_continued_to_the_same_bits():
    whole = _network(torch.channels_last)
    parts = copy.deepcopy(whole)
    _steps(whole, DenseAdam(whole.parameters(), lr=1e-2, fused=True), 6)
    first = DenseAdam(parts.parameters(), lr=1e-2, fused=True)
    _steps(parts, first, 3)
    second = DenseAdam(parts.parameters(), lr=1e-2, fused=True)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for step in range(3, 6):
        images = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(step))
        second.zero_grad()
        parts(images).square().sum().backward()
        second.step()
    assert all(map(torch.equal, parts.parameters(), whole.parameters()))


@pytest.fixture
def untried(monkeypatch):
    """Forget the trial before and after a test that changes PyTorch."""
    _forget()
    yield monkeypatch
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    can_order_by_memory.cache_clear()
    # PyTorch keeps the step it inherits, wrapped, with each class that was once made.
    if "step" in vars(DenseAdam):
        del DenseAdam.step


def _made_and_plain(layout: torch.memory_format = torch.channels_last):
    """Return five steps' weights of the Adam that is made here and of PyTorch's own."""
    ours = _network(layout)
    theirs = copy.deepcopy(ours)
    made = make_adam(ours.parameters(), lr=1e-2, betas=(0.5, 0.999), fused=True)
    _steps(ours, made, 5)
    plain = torch.optim.Adam(theirs.parameters(), lr=1e-2, betas=(0.5, 0.999), fused=True)
    _steps(theirs, plain, 5)
    return type(made), list(ours.parameters()), list(theirs.parameters())


def test_the_trial_passes_here_and_draws_nothing_from_the_global_generator(untried):
    before = torch.get_rng_state()
    assert can_order_by_memory()
    assert torch.equal(torch.get_rng_state(), before)
    kind, ours, theirs = _made_and_plain()
    assert kind is DenseAdam
    assert all(map(torch.equal, ours, theirs))
    assert type(make_adam(ours, lr=1e-2, betas=(0.5, 0.9), fused=False)) is torch.optim.Adam


NAMES = ("params", "grads", "exp_avgs", "exp_avg_sqs", "max_exp_avg_sqs", "state_steps")
GATHER = torch.optim.Adam._init_group


def _update(group, lists, fused):
    """Update by PyTorch's public function."""
    constants = ("amsgrad", "weight_decay", "eps", "maximize", "lr")
    beta1, beta2 = group["betas"]
    kept = {name: group[name] for name in constants}
    adam(*lists, has_complex=False, beta1=beta1, beta2=beta2, fused=fused, **kept)


def _step_by(collect, fused=True):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            _update(group, collect(self, group), fused)

    return step


def _gathered(self, group):
    lists = [[] for _ in NAMES]
    GATHER(self, group, *lists)
    return lists


def _with_named_lists(self, group, **lists):
    GATHER(self, group, *lists.values())
    return False


def _without_the_method(patch):
    patch.delattr(torch.optim.Adam, "_init_group")
    patch.setattr(torch.optim.Adam, "step", _step_by(_gathered))


def _called_by_names(patch):
    def collect(self, group):
        lists = {name: [] for name in NAMES}
        self._init_group(group, **lists)
        return list(lists.values())

    patch.setattr(torch.optim.Adam, "_init_group", _with_named_lists)
    patch.setattr(torch.optim.Adam, "step", _step_by(collect))


def _called_with_nothing(patch):
    def collect(self, group):
        return self._init_group()

    patch.setattr(torch.optim.Adam, "_init_group", lambda self: _gathered(self, *self.param_groups))
    patch.setattr(torch.optim.Adam, "step", _step_by(collect))


def _gradients_alone_as_lists(patch):
    """The moments come from the states, in the order of axes that the weights then have not."""

    def collect(self, group):
        weights, gradients = [], []
        self._init_group(group, weights, gradients)
        return [weights, gradients, *_gathered(self, group)[2:]]

    def gather(self, group, weights, gradients):
        lists = _gathered(self, group)
        weights += lists[0]
        gradients += lists[1]
        return False

    patch.setattr(torch.optim.Adam, "_init_group", gather)
    patch.setattr(torch.optim.Adam, "step", _step_by(collect, fused=False))


@pytest.mark.parametrize(
    "change",
    [_without_the_method, _called_by_names, _called_with_nothing, _gradients_alone_as_lists],
)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_changed_private_interface_falls_back_to_equal_results(untried, change, layout):
    _, _, before = _made_and_plain(layout)
    _forget()
    change(untried)
    kind, ours, theirs = _made_and_plain(layout)
    assert all(map(torch.equal, ours, theirs))
    assert all(torch.allclose(each, old, rtol=1e-5) for each, old in zip(ours, before, strict=True))
    assert can_order_by_memory() is (kind is DenseAdam)
    # Where the method is not called any more, overriding it changes nothing.
    assert (kind is DenseAdam) is (change is _without_the_method)
