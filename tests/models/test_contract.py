"""Mistakes that authors of models make: one line each, or taken rightly; never a traceback."""

from __future__ import annotations

import warnings

import pytest

from i2ibench import registry
from i2ibench.cli.app import run_app

NET = '''
import dataclasses, os, random
import numpy as np
import torch
from torch import nn
from i2ibench import ModelConfig, Phase, TrainableModel

class Config(ModelConfig):
    rate: float = 1e-3

class Net(TrainableModel):
    """A convolution."""
    Config = Config

    def __init__(self, config):
        super().__init__(config)
        self.layer = nn.Conv2d(3, 3, 3, padding=1)
        # more

    # methods

    def translate(self, source):
        return torch.tanh(self.layer(source))

    def optimizers(self):
        return {"net": torch.optim.Adam(self.parameters(), lr=self.config.rate)}

    def training_phases(self, batch):
        yield Phase("net", lambda: self.losses(batch))

    def losses(self, batch):
        return {"L1": (self.translate(batch.source) - batch.target).abs().mean()}
'''
OUTPUT = "torch.tanh(self.layer(source))"
LOSS = "(self.translate(batch.source) - batch.target).abs().mean()"
YIELD = 'yield Phase("net", lambda: self.losses(batch))'
ADAM = '{"net": torch.optim.Adam(self.parameters(), lr=self.config.rate)}'
BUILT = "self.layer = nn.Conv2d(3, 3, 3, padding=1)"
SUPER = "super().__init__(config)"
OK = None


def output(expression: str) -> dict[str, str]:
    return {f"return {OUTPUT}": f"return {expression}"}


# what is replaced in the file above -> words of the one line; OK where it is taken without a word,
# "warning" first where it is taken with one.
CONSTRUCTOR = {
    "takes_no_config": ({"__init__(self, config)": "__init__(self)"}, ["cannot be built", "Type"]),
    "forgets_super": ({SUPER: "pass"}, ["cannot be built", "net.py, line"]),
    "super_without_config": ({SUPER: "nn.Module.__init__(self)"}, ["super().__init__(config)"]),
    "raises": ({BUILT: "self.layer = {}['x']"}, ["cannot be built: KeyError", "line 17"]),
    "ends_the_process": ({BUILT: "raise SystemExit(0)"}, ["cannot be built: SystemExit"]),
    "lazy_layer": ({"nn.Conv2d(3, 3, 3": "nn.LazyConv2d(3, 3"}, ["layer.bias", "lazy layers"]),
}
CONFIG = {
    "dataclass": ({"class Config(ModelConfig)": "@dataclasses.dataclass\nclass Config"}, OK),
    "frozen_dataclass_with_a_list": (
        {
            "class Config(ModelConfig)": "@dataclasses.dataclass(frozen=True)\nclass Config",
            "1e-3": "1e-3\n    widths: list[int] = dataclasses.field(default_factory=lambda: [4])",
        },
        OK,
    ),
    "plain_class": ({"class Config(ModelConfig)": "class Config"}, ["Config is no class of setti"]),
    "dictionary": ({"    Config = Config": "    Config = {}"}, ["Config must be a subclass"]),
    "required_setting": ({"rate: float = 1e-3": "rate: float"}, ["rate: Field required"]),
}
SHAPES = {
    "half_size": (
        output(f"{OUTPUT}[..., ::2, ::2]"),
        ["Net.translate (net.py:22) made", "size_mu"],
    ),
    "one_pixel_short": (output(f"{OUTPUT}[..., 1:, :]"), ["made", "keeps the size"]),
    "channels_last": (output(f"{OUTPUT}.permute(0, 2, 3, 1)"), ["permute(0, 3, 1, 2)"]),
    "no_batch": (output(f"{OUTPUT}[0]"), ["made (3, "]),
    "six_channels": (output(f"{OUTPUT}.repeat(1, 2, 1, 1)"), [", 6, 16, 16) of (", "3 channels"]),
    "tuple": (output(f"({OUTPUT}, source)"), ["tuple"]),
    "numpy": (output(f"{OUTPUT}.detach().numpy()"), ["ndarray"]),
    "fixed_side": (output(f"{OUTPUT} * torch.ones(1, 1, 16, 16)"), ["24 x 24"]),
    "grey": (output(f"{OUTPUT}[:, :1]"), OK),
}
VALUES = {
    "levels_0_to_255": (output(f"({OUTPUT} + 1) * 127.5"), ["[-1, 1]", "127.5"]),
    "uint8": (output(f"(({OUTPUT} + 1) * 127.5).to(torch.uint8)"), ["uint8", "floats"]),
    "rounded": (output(f"(({OUTPUT} + 1) * 127.5).round().int()"), ["int32"]),
    "not_a_number": (output(f"{OUTPUT} / (source * 0)"), ["not finite"]),
    "outside": (output(f"3 * {OUTPUT} + 4 * source"), ["warning", "% of its values outside"]),
    "sigmoid": (output("torch.sigmoid(self.layer(source))"), ["warning", "none below 0"]),
    "half_precision": (output(f"{OUTPUT}.half()"), OK),
    "half_weights": ({BUILT: f"{BUILT}.half()"}, ["Net.translate (net.py:23) failed: Runtime"]),
    "double_weights": ({BUILT: f"{BUILT}.double()"}, ["Net.translate (net.py:23) failed"]),
}
PHASES = {
    "returns_a_loss": ({YIELD: f"return {LOSS}"}, ["returned of type Tensor"]),
    "returns_nothing": ({YIELD: "pass"}, ["returned of type NoneType", "yield Phase"]),
    "yields_a_tuple": ({YIELD: 'yield ("net", self.losses(batch))'}, ["of type tuple"]),
    "losses_at_once": ({"lambda: self.losses(batch)": "self.losses(batch)"}, ["of type dict"]),
    "no_phase": ({YIELD: "yield from ()"}, ["yields no phase"]),
    "a_list_of_phases": ({YIELD: 'return [Phase("net", lambda: self.losses(batch))]'}, OK),
    "unknown_optimiser": ({'Phase("net"': 'Phase("nett"'}, ["did you mean net"]),
    "no_losses": ({f'{{"L1": {LOSS}}}': "{}"}, ["an empty dict"]),
    "bare_loss": ({f'{{"L1": {LOSS}}}': LOSS}, ["of type Tensor", '{"L1": loss}']),
    "loss_per_pixel": ({".abs().mean()": ".abs()"}, ["scalar", "but has shape ("]),
    "loss_as_number": ({".abs().mean()": ".abs().mean().item()"}, ["scalar", "float"]),
    "detached": ({"self.translate(batch.source) -": "self.translate(batch.source).detach() -"},
                 ["no loss of phase 'net' depends"]),
    "loss_not_finite": ({".abs().mean()": ".abs().mean().log() * float('inf')"}, ["not finite"]),
    "several_optimisers": ({'Phase("net"': 'Phase(("net",)'}, OK),
    "unknown_among_several": ({'Phase("net"': 'Phase(("net", "nett")'}, ["did you mean net"]),
    "no_optimiser": ({'Phase("net"': "Phase(()"}, ["names no optimiser"]),
    "not_finite_in_the_last_epoch": (
        {".abs().mean()": ".abs().mean() * torch.tensor(0.9 - batch.progress.decayed).sqrt()"},
        ["not finite in the last epoch", "batch.progress"]),
    "progress": ({".abs().mean()": ".abs().mean() * (1 - batch.progress.decayed)"}, OK),
    "losses_raise": ({f'return {{"L1": {LOSS}}}': "batch.nothing"}, ["Net.losses (net.py:32)"]),
}  # fmt: skip
OPTIMISERS = {
    "bare_optimiser": ({ADAM: "torch.optim.Adam(self.parameters())"}, ["of type Adam"]),
    "list": ({ADAM: "[torch.optim.Adam(self.parameters())]"}, ["of type list"]),
    "none": ({ADAM: "None"}, ["it returned none"]),
    "empty": ({ADAM: "{}"}, ["it returned none"]),
    "scheduler": ({ADAM: '{"net": self.layer}'}, ["'net' is of type Conv2d"]),
    "no_parameters": ({"Adam(self.parameters()": "Adam([]"}, ["empty parameter list"]),
    "some_left_out": ({"# more": "self.head = nn.Conv2d(3, 3, 1)",
                       "Adam(self.parameters()": "Adam(self.layer.parameters()"},
                      ["leaves out head.bias, head.weight"]),
    "twice": ({ADAM: '{k: torch.optim.Adam(self.parameters()) for k in ("net", "b")}'},
              ["layer.weight", "more than one optimiser"]),
    "rate_zero": ({"rate: float = 1e-3": "rate: float = 0.0"}, ["changed no weight"]),
    "never_stepped": ({"# more": "self.head = nn.Conv2d(3, 3, 1)",
                       ADAM: '{k: torch.optim.Adam(getattr(self, v).parameters()) '
                             'for k, v in (("net", "layer"), ("b", "head"))}'},
                      ["warning", "no weight of b"]),
    "unused_layer": ({"# more": "self.head = nn.Conv2d(3, 3, 1)"}, ["warning", "head.bias"]),
    "frozen_layer": ({"# more": "self.head = nn.Conv2d(3, 3, 1).requires_grad_(False)"}, OK),
}  # fmt: skip
STATE = {
    "networks_in_a_list": (
        {"# more": "self.more = [nn.Conv2d(3, 3, 1)]", OUTPUT: f"self.more[0]({OUTPUT})"},
        ["nn.ModuleList"]),
    "trained_networks_in_a_list": (
        {"# more": "self.more = [nn.Conv2d(3, 3, 1)]", OUTPUT: f"self.more[0]({OUTPUT})",
         "Adam(self.parameters()": "Adam([*self.parameters(), *self.more[0].parameters()]"},
        ["none of the model's", "nn.ModuleList"]),
    "tensor_that_is_no_buffer": (
        {"# more": "self.code = torch.randn(1, 3, 1, 1)", OUTPUT: f"{OUTPUT} * self.code"},
        ["register_buffer"]),
    "constant_that_is_no_buffer": (
        {"# more": "self.code = torch.full((1, 3, 1, 1), 0.5)", OUTPUT: f"{OUTPUT} * self.code"},
        OK),
    "layer_made_in_the_first_call": (
        {OUTPUT: f"{OUTPUT} + self.late(source)", "# methods":
         "def late(self, source):\n        if not hasattr(self, 'head'):\n"
         "            self.head = nn.Conv2d(3, 3, 1)\n        return self.head(source)"},
        ["changes head.bias, head.weight in evaluation mode"]),
    "counts_in_evaluation": (
        {"# more": "self.register_buffer('calls', torch.zeros(()))",
         f"return {OUTPUT}": f"self.calls += 1\n        return {OUTPUT}"},
        ["changes calls in evaluation mode"]),
    "remembers_the_last_image": (
        {"# more": "self.last = 0", f"return {OUTPUT}":
         f"made = {OUTPUT} + self.last\n        self.last = made.detach()\n        return made"},
        ["two outputs of one input"]),
    "switches_to_training": (
        {f"return {OUTPUT}": f"self.train()\n        return {OUTPUT}"}, ["another mode"]),
    "edits_its_input": (
        {OUTPUT: "torch.tanh(self.layer(source.mul_(0.5)))"}, ["warning", "in place"]),
    "state_that_is_no_tensor": (
        {"# methods": "def get_extra_state(self):\n        return {'a': 1}\n"
         "    def set_extra_state(self, state):\n        pass"}, ["_extra_state", "no tensor"]),
    "optimiser_that_keeps_objects": (
        {"return {\"net\"": "optimizer = {\"net\"", "# more": "",
         "lr=self.config.rate)}": "lr=self.config.rate)}\n        for each in optimizer.values():\n"
         "            each.param_groups[0]['rng'] = random.Random()\n        return optimizer"},
        ["without Python objects"]),
}  # fmt: skip
RANDOMNESS = {
    "own_noise": (output(f"{OUTPUT} + 0.1 * torch.randn_like(source)"), ["stochastic = True"]),
    "functional_dropout": (output(f"nn.functional.dropout({OUTPUT})"), ["self.training"]),
    "declared_noise": (
        {**output(f"{OUTPUT} + 0.1 * torch.randn_like(source)"), "# methods": "stochastic = True"},
        OK),
    "own_generator": (
        {**output(f"{OUTPUT} + 0.1 * torch.randn(1, generator=self.own)"),
         "# more": "self.own = torch.Generator()", "# methods": "stochastic = True"},
        ["two outputs of one input under equal seeds"]),
    "unseeded_weights": (
        {"# more": "nn.init.constant_(self.layer.bias, int.from_bytes(os.urandom(2), 'big'))"},
        ["layer.bias", "same seed"]),
    "unseeded_initialize": (
        {"# methods": "def initialize(self, generator):\n"
         "        nn.init.constant_(self.layer.bias, np.random.default_rng().random())"},
        ["Net.initialize (net.py:20)", "layer.bias"]),
    "global_numpy": ({"# more": "nn.init.constant_(self.layer.bias, np.random.rand())"}, OK),
}  # fmt: skip
DEVICES = {
    "elsewhere": (output(f"{OUTPUT}.to('meta')"), ["on meta of one on cpu"]),
    "a_gpu_that_is_not_there": ({BUILT: f"{BUILT}.to('cuda:9')"}, ["cannot be built", "line 17"]),
    "volumes": ({BUILT: "self.layer = nn.Conv3d(1, 1, 3, padding=1)",
                 OUTPUT: "torch.tanh(self.layer(source[:, None]))[:, 0]"}, OK),
}  # fmt: skip
TABLE = {
    f"{kind}-{name}": case
    for kind, cases in {
        "constructor": CONSTRUCTOR,
        "config": CONFIG,
        "shape": SHAPES,
        "value": VALUES,
        "phase": PHASES,
        "optimiser": OPTIMISERS,
        "state": STATE,
        "random": RANDOMNESS,
        "device": DEVICES,
    }.items()
    for name, case in cases.items()
}


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))


@pytest.mark.parametrize("name", TABLE)
def test_a_mistake_is_one_line_with_its_place_or_taken_rightly(name, drawn, tmp_path, capsys):
    replaced, words = TABLE[name]
    text = NET
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    (tmp_path / "net.py").write_text(text)
    drawn.draw("train", 2, 16).draw("test", 1, 24)
    line = ["train", "--model", f"{tmp_path}/net.py:Net", "--dataset", str(drawn.root)]
    line += ["--protocol", "i2i-1", "--device", "cpu", "--output", str(tmp_path / "runs")]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code = run_app([*line, "--set", "training.epochs=1"])
    err = capsys.readouterr().err
    said = " ".join(err.split())
    assert "Traceback" not in err
    taken = words is OK or words[0] == "warning"
    assert (err.count("error:"), code) == ((0, 0) if taken else (1, code or "silent")), err
    assert err.count("warning:") == (1 if words and taken else 0), err
    for word in words or []:
        assert word in said, (word, said)
    assert (list(tmp_path.glob("runs/**/last.ckpt")) != []) == taken
