"""A trained model for use in Python: from a run, or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2ibench.errors import DataError
from i2ibench.files import read_json
from i2ibench.runs.folder import RunFolder
from i2ibench.runtime import resolve_device

if TYPE_CHECKING:
    from i2ibench.models.interface import TranslationModel


def load_model(
    run: str | Path, *, model: str | None = None, device: str = "cpu"
) -> TranslationModel:
    """Return the model of a run with its weights, in evaluation mode.

    >>> outcome = i2ibench.run(model="mean-colour", dataset="my-data", device="cpu")
    >>> model = i2ibench.load_model(outcome.folder)
    >>> images = torch.zeros(2, 3, 32, 32)  # (N, 3, H, W) in [-1, 1]
    >>> with torch.inference_mode():
    ...     model.translate(images).shape
    torch.Size([2, 3, 32, 32])

    Args:
        run: a run folder, or a checkpoint: one of ours, or one that ``model`` knows how to read.
        model: the registered name, where the checkpoint does not say it.
        device: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for a GPU where there is one.

    Raises:
        UsageError: an unknown model, or a checkpoint of another one.
        DataError: no run, a run that is not trained, or a file that is no checkpoint.
    """
    path = Path(run)
    found = _of_run(path, model) if path.is_dir() else _of_checkpoint(path, model)
    return found.to(resolve_device(device)).eval()


def _of_checkpoint(
    path: Path, model: str | None, config: Mapping[str, Any] | None = None
) -> TranslationModel:
    from i2ibench.runs.initial_model import model_from_checkpoint
    from i2ibench.training.checkpoint import load_if_ours

    if model is None:
        checkpoint = load_if_ours(path)
        if checkpoint is None:
            raise DataError(
                f"{path}: a checkpoint of other code does not say what it is of; give model="
            )
        model = checkpoint.model
    return model_from_checkpoint(model, path, config=config)


def _of_run(path: Path, model: str | None) -> TranslationModel:
    from i2ibench.models.interface import build_model

    folder = RunFolder(path)
    if not folder.experiment.exists():
        raise DataError(f"{path}: is no run folder (it holds no experiment.json)")
    try:
        experiment = read_json(folder.experiment)
        described = experiment["model"]
        name, config, given = (described[k] for k in ("name", "config", "checkpoint_sha256"))
        keep_best = (experiment["training"] or {}).get("keep_best")
    except (KeyError, TypeError, AttributeError):
        raise DataError(f"{folder.experiment}: edited or torn; restore it") from None
    if given is not None:
        raise DataError(
            f"{path}: was translated with a checkpoint that lies elsewhere; give its path"
        )
    trained = folder.best_checkpoint if keep_best else folder.checkpoint
    if trained.exists():
        return _of_checkpoint(trained, model or name, config)
    if experiment["dataset"].get("train") is not None:
        raise DataError(f"{path}: holds no finished training; run i2ibench train first")
    return build_model(name, config)
