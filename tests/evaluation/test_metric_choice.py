"""When a metric is prepared, and on which device: whether it runs a network decides."""

from __future__ import annotations

import pytest
from factories import register_metric

from i2ibench.errors import MissingError
from i2ibench.evaluation.metric_choice import choose_metrics
from i2ibench.evaluation.protocol import Protocol
from i2ibench.metrics.interface import Context, PairMetric, Unavailable
from i2ibench.results.differences import tolerance

SIZES = {"a": (32, 32)}
PROTOCOL = Protocol(id="own-1", title="t", metrics=[{"name": "probe"}])


@pytest.fixture
def probe(monkeypatch):
    """Register a metric that keeps the devices it is prepared on; return a function for more."""

    def make(missing: bool = False, **facts):
        devices = []

        def prepare(self, context):
            devices.append(context.device)
            if missing:
                raise Unavailable("no encoder is installed; pip install it")

        attributes = {"name": "probe", "better": "lower", "prepare": prepare, **facts}
        attributes["score_pair"] = lambda self, pair: 0.0
        attributes["signature"] = lambda self: self._signature()
        register_metric(monkeypatch, "probe", type("Probe", (PairMetric,), attributes))
        return devices

    return make


def test_a_metric_without_weights_that_runs_a_network_is_prepared_on_the_device_and_once(probe):
    devices = probe(runs_network=True)
    chosen = choose_metrics(PROTOCOL, None, Context(), SIZES)
    assert (devices, chosen.networks) == ([], {"probe"})
    chosen.load_networks(Context(device="cuda:1"))
    assert devices == ["cuda:1"]
    assert tolerance("probe") == 1e-4


def test_a_metric_that_runs_none_is_prepared_at_once(probe):
    devices = probe()
    chosen = choose_metrics(PROTOCOL, None, Context(), SIZES)
    chosen.load_networks(Context(device="cuda:1"))
    assert (devices, chosen.networks) == (["cpu"], frozenset())
    assert tolerance("probe") == 1e-9


def test_weights_that_are_no_network_are_no_reason_to_wait(probe, monkeypatch, tmp_path):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"a table")
    devices = probe(weights=("lpips-alex",), runs_network=False)
    choose_metrics(PROTOCOL, None, Context(allow_unverified_weights=True), SIZES)
    assert devices == ["cpu"]


def test_by_default_a_network_is_where_weights_are_named_by_class_or_instance():
    class Table(PairMetric):
        name = "table"
        weights = ("x",)
        runs_network = False

    class Chosen(PairMetric):
        name = "chosen"

        def __init__(self, settings=None):
            super().__init__(settings)
            self.weights = ("x",)

    class Plain(PairMetric):
        name = "plain"

    class Trunk(Plain):
        name = "trunk"
        weights = ("x",)

    assert [Table.runs_network, Plain.runs_network, Trunk.runs_network] == [False, False, True]
    assert (Chosen.runs_network, Chosen().runs_network) == (False, True)


def test_a_network_that_lacks_something_when_it_is_loaded_is_marked_unavailable(probe):
    probe(missing=True, runs_network=True)
    chosen = choose_metrics(PROTOCOL, None, Context(), SIZES)
    chosen.load_networks(Context())
    assert "pip install it" in chosen.unavailable["probe"]
    assert chosen.pair_metrics == []


def test_a_network_asked_for_by_name_that_lacks_something_is_an_error(probe):
    probe(missing=True, runs_network=True)
    chosen = choose_metrics(PROTOCOL, ["probe"], Context(), SIZES)
    with pytest.raises(MissingError, match=r"probe: .*pip install it"):
        chosen.load_networks(Context())
