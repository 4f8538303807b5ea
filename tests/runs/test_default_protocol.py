"""Who names no protocol gets that of the stain where the targets carry one."""

from __future__ import annotations

import pytest

from i2ibench.data.dataset import Dataset
from i2ibench.runs.default_protocol import protocol_for


@pytest.mark.parametrize(
    ("name", "direction", "protocol"),
    [
        ("bci", None, "stain-2"),
        ("bci", "AtoB", "stain-2"),
        ("bci", "BtoA", "i2i-2"),  # H&E carries no DAB
        ("mist-er", None, "stain-2"),
        ("facades", None, "i2i-2"),
    ],
)
def test_the_default_follows_the_stain_of_the_targets(name, direction, protocol):
    dataset = Dataset.open(name, direction=direction, draw=False)
    assert protocol_for(dataset, None).id == protocol
    assert protocol_for(dataset, "bci-2022").id == "bci-2022"


def test_a_folder_of_ones_own_declares_no_stain(drawn):
    drawn.draw("test", 2)
    assert protocol_for(Dataset.open(str(drawn.root)), None).id == "i2i-2"
