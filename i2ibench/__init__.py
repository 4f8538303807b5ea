"""A benchmark for paired image-to-image translation, at home in virtual staining.

The Python interface is the product; the command line parses, calls one function and prints::

    import i2ibench

    outcome = i2ibench.run(i2ibench.Options(model="varpyramid", dataset="synthetic"))
    print(outcome.result.metrics["ssim"].value)

Everything is imported when it is first used, so that ``import i2ibench`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from i2ibench.data.dataset import Dataset as Dataset
    from i2ibench.data.dataset import open_dataset as open_dataset
    from i2ibench.data.pairs import ImagePair as ImagePair
    from i2ibench.data.pairs import ImageRef as ImageRef
    from i2ibench.data.pairs import PairedDataset as PairedDataset
    from i2ibench.evaluation.protocol import load_protocol as load_protocol
    from i2ibench.models.interface import ModelConfig as ModelConfig
    from i2ibench.models.interface import PairBatch as PairBatch
    from i2ibench.models.interface import Phase as Phase
    from i2ibench.models.interface import TrainableModel as TrainableModel
    from i2ibench.models.interface import TranslationModel as TranslationModel
    from i2ibench.models.interface import build_model as build_model
    from i2ibench.runs.options import Options as Options
    from i2ibench.runs.run import Outcome as Outcome
    from i2ibench.runs.run import Reporter as Reporter
    from i2ibench.runs.run import run as run
    from i2ibench.runs.run import train as train
    from i2ibench.runs.run import translate as translate
    from i2ibench.runs.score_folders import evaluate as evaluate

_PUBLIC = {
    "Dataset": "i2ibench.data.dataset",
    "ImagePair": "i2ibench.data.pairs",
    "ImageRef": "i2ibench.data.pairs",
    "ModelConfig": "i2ibench.models.interface",
    "Options": "i2ibench.runs.options",
    "Outcome": "i2ibench.runs.run",
    "PairBatch": "i2ibench.models.interface",
    "PairedDataset": "i2ibench.data.pairs",
    "Phase": "i2ibench.models.interface",
    "Reporter": "i2ibench.runs.run",
    "TrainableModel": "i2ibench.models.interface",
    "TranslationModel": "i2ibench.models.interface",
    "build_model": "i2ibench.models.interface",
    "evaluate": "i2ibench.runs.score_folders",
    "load_protocol": "i2ibench.evaluation.protocol",
    "open_dataset": "i2ibench.data.dataset",
    "run": "i2ibench.runs.run",
    "train": "i2ibench.runs.run",
    "translate": "i2ibench.runs.run",
}

__all__ = ["__version__", *sorted(_PUBLIC)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'i2ibench' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
