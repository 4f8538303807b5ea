"""A benchmark for paired image-to-image translation, at home in virtual staining.

The Python interface is the product; the command line parses, calls one function and prints::

    import i2ibench

    outcome = i2ibench.run(model="varpyramid", dataset="synthetic", seed=1)
    print(outcome.result.metrics["ssim"].value)

    i2ibench.metrics.psnr(prediction, target)  # of arrays or tensors

Everything is imported when it is first used, so that ``import i2ibench`` stays quick.
"""

from __future__ import annotations

import os
import sys

# ``python -m i2ibench`` puts the working directory first, and would run what lies in a folder that
# somebody downloaded. The command i2ibench does not. No module but these two is imported before.
if sys.argv[:1] == ["-m"] and "i2ibench" in sys.orig_argv and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109
    _home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    sys.path[:] = [*sys.path[1:], *(each for each in sys.path[:1] if each == _home)]

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from i2ibench import metrics as metrics
    from i2ibench.campaigns.campaign import Campaign as Campaign
    from i2ibench.campaigns.campaign import campaign as campaign
    from i2ibench.comparison.compare import Comparison as Comparison
    from i2ibench.comparison.compare import compare as compare
    from i2ibench.comparison.methods import read_methods as read_methods
    from i2ibench.data.audit.audit_dataset import audit as audit
    from i2ibench.data.audit.audit_dataset import audit_dataset as audit_dataset
    from i2ibench.data.audit.findings import AuditReport as AuditReport
    from i2ibench.data.dataset import Dataset as Dataset
    from i2ibench.data.dataset import open_dataset as open_dataset
    from i2ibench.data.pairs import ImagePair as ImagePair
    from i2ibench.data.pairs import ImageRef as ImageRef
    from i2ibench.data.pairs import PairedDataset as PairedDataset
    from i2ibench.errors import DataError as DataError
    from i2ibench.errors import I2IBenchError as I2IBenchError
    from i2ibench.errors import MissingError as MissingError
    from i2ibench.errors import PluginError as PluginError
    from i2ibench.errors import UsageError as UsageError
    from i2ibench.errors import VerificationError as VerificationError
    from i2ibench.evaluation.protocol import Protocol as Protocol
    from i2ibench.evaluation.protocol import load_protocol as load_protocol
    from i2ibench.leaderboard.board import Board as Board
    from i2ibench.leaderboard.board import build_board as build_board
    from i2ibench.leaderboard.board import check_board as check_board
    from i2ibench.leaderboard.board import read_board as read_board
    from i2ibench.leaderboard.entries import add_entry as add_entry
    from i2ibench.metrics.interface import Metric as Metric
    from i2ibench.metrics.interface import PairMetric as PairMetric
    from i2ibench.metrics.interface import Score as Score
    from i2ibench.metrics.interface import SetMetric as SetMetric
    from i2ibench.metrics.interface import build_metric as build_metric
    from i2ibench.models.config import ModelConfig as ModelConfig
    from i2ibench.models.interface import PairBatch as PairBatch
    from i2ibench.models.interface import Phase as Phase
    from i2ibench.models.interface import TrainableModel as TrainableModel
    from i2ibench.models.interface import TrainingProgress as TrainingProgress
    from i2ibench.models.interface import TranslationModel as TranslationModel
    from i2ibench.models.interface import build_model as build_model
    from i2ibench.results.pair_scores import read_pair_scores as read_pair_scores
    from i2ibench.results.record import Result as Result
    from i2ibench.results.record_files import read_result as read_result
    from i2ibench.results.verification import Verification as Verification
    from i2ibench.results.verification import verify as verify
    from i2ibench.runs.evaluation_options import EvaluationOptions as EvaluationOptions
    from i2ibench.runs.export_onnx import OnnxExport as OnnxExport
    from i2ibench.runs.export_onnx import export_onnx as export_onnx
    from i2ibench.runs.load_model import load_model as load_model
    from i2ibench.runs.options import Options as Options
    from i2ibench.runs.python_interface import evaluate as evaluate
    from i2ibench.runs.python_interface import import_predictions as import_predictions
    from i2ibench.runs.python_interface import run as run
    from i2ibench.runs.python_interface import train as train
    from i2ibench.runs.python_interface import translate as translate
    from i2ibench.runs.run import Outcome as Outcome
    from i2ibench.runs.run import Reporter as Reporter
    from i2ibench.runs.run import run_repeats as run_repeats
    from i2ibench.runs.score_folders import evaluate_side_by_side as evaluate_side_by_side
    from i2ibench.runs.score_folders import evaluate_together as evaluate_together
    from i2ibench.runs.score_shard import evaluate_shard as evaluate_shard
    from i2ibench.studies.export import StudyExport as StudyExport
    from i2ibench.studies.export import export_study as export_study
    from i2ibench.studies.report import StudyReport as StudyReport
    from i2ibench.studies.report import import_study as import_study
    from i2ibench.web.site import Site as Site
    from i2ibench.web.site import build_site as build_site

# Public name -> the module that it is imported from when it is first used.
_PUBLIC = {
    "AuditReport": "i2ibench.data.audit.findings",
    "Board": "i2ibench.leaderboard.board",
    "Campaign": "i2ibench.campaigns.campaign",
    "Comparison": "i2ibench.comparison.compare",
    "DataError": "i2ibench.errors",
    "Dataset": "i2ibench.data.dataset",
    "EvaluationOptions": "i2ibench.runs.evaluation_options",
    "I2IBenchError": "i2ibench.errors",
    "ImagePair": "i2ibench.data.pairs",
    "ImageRef": "i2ibench.data.pairs",
    "Metric": "i2ibench.metrics.interface",
    "MissingError": "i2ibench.errors",
    "ModelConfig": "i2ibench.models.config",
    "OnnxExport": "i2ibench.runs.export_onnx",
    "Options": "i2ibench.runs.options",
    "Outcome": "i2ibench.runs.run",
    "PairBatch": "i2ibench.models.interface",
    "PairMetric": "i2ibench.metrics.interface",
    "PairedDataset": "i2ibench.data.pairs",
    "Phase": "i2ibench.models.interface",
    "PluginError": "i2ibench.errors",
    "Protocol": "i2ibench.evaluation.protocol",
    "Reporter": "i2ibench.runs.run",
    "Result": "i2ibench.results.record",
    "Score": "i2ibench.metrics.interface",
    "SetMetric": "i2ibench.metrics.interface",
    "StudyExport": "i2ibench.studies.export",
    "StudyReport": "i2ibench.studies.report",
    "Site": "i2ibench.web.site",
    "TrainableModel": "i2ibench.models.interface",
    "TrainingProgress": "i2ibench.models.interface",
    "TranslationModel": "i2ibench.models.interface",
    "UsageError": "i2ibench.errors",
    "Verification": "i2ibench.results.verification",
    "VerificationError": "i2ibench.errors",
    "add_entry": "i2ibench.leaderboard.entries",
    "audit": "i2ibench.data.audit.audit_dataset",
    "audit_dataset": "i2ibench.data.audit.audit_dataset",
    "build_board": "i2ibench.leaderboard.board",
    "build_metric": "i2ibench.metrics.interface",
    "build_model": "i2ibench.models.interface",
    "build_site": "i2ibench.web.site",
    "check_board": "i2ibench.leaderboard.board",
    "campaign": "i2ibench.campaigns.campaign",
    "compare": "i2ibench.comparison.compare",
    "evaluate": "i2ibench.runs.python_interface",
    "evaluate_shard": "i2ibench.runs.score_shard",
    "evaluate_side_by_side": "i2ibench.runs.score_folders",
    "evaluate_together": "i2ibench.runs.score_folders",
    "export_onnx": "i2ibench.runs.export_onnx",
    "export_study": "i2ibench.studies.export",
    "import_predictions": "i2ibench.runs.python_interface",
    "import_study": "i2ibench.studies.report",
    "load_model": "i2ibench.runs.load_model",
    "load_protocol": "i2ibench.evaluation.protocol",
    "open_dataset": "i2ibench.data.dataset",
    "read_board": "i2ibench.leaderboard.board",
    "read_methods": "i2ibench.comparison.methods",
    "read_pair_scores": "i2ibench.results.pair_scores",
    "read_result": "i2ibench.results.record_files",
    "run": "i2ibench.runs.python_interface",
    "run_repeats": "i2ibench.runs.run",
    "train": "i2ibench.runs.python_interface",
    "translate": "i2ibench.runs.python_interface",
    "verify": "i2ibench.results.verification",
}

__all__ = ["__version__", *sorted([*_PUBLIC, "metrics"])]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("i2ibench.metrics")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'i2ibench' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
