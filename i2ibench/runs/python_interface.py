"""``i2ibench.run``, ``train``, ``translate``, ``evaluate``, ``import_predictions``: their options.

Each keyword is a field of the table of options in ``options`` or ``evaluation_options``, where
its help stands; the command line's verb of the same name takes the same ones. Written out, so that
``inspect.signature`` and an editor show them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, overload

from i2ibench.runs.evaluation_options import EvaluationOptions
from i2ibench.runs.import_options import ImportOptions
from i2ibench.runs.notebook_reporter import progress_here
from i2ibench.runs.options import Options, SharedOptions

if TYPE_CHECKING:
    from i2ibench.results.record import Result
    from i2ibench.runs.folder import RunFolder
    from i2ibench.runs.reporter import Reporter
    from i2ibench.runs.run import Outcome

_P = ParamSpec("_P")
_Made = TypeVar("_Made", covariant=True)
_Table = TypeVar("_Table", bound=SharedOptions)


class _ByKeywordsOrOptions(Protocol[_P, _Made]):
    @overload
    def __call__(self, options: Options, reporter: Reporter | None = None) -> _Made: ...
    @overload
    def __call__(self, *args: _P.args, **keywords: _P.kwargs) -> _Made: ...


def _with_help_of(
    table: type[SharedOptions],
) -> Callable[[Callable[_P, _Made]], Callable[_P, _Made]]:
    """Append the help of its options to the docstring of a function, for ``help()``."""

    def describe(function: Callable[_P, _Made]) -> Callable[_P, _Made]:
        shown = {each.name: each.metadata["option"] for each in fields(table)}
        taken = [name for name in inspect.signature(function).parameters if name in shown]
        lines = [f"    {name}: {shown[name].help}" for name in taken]
        function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "\nArgs:", *lines])
        return function

    return describe


def _also_of_options(function: Callable[_P, _Made]) -> _ByKeywordsOrOptions[_P, _Made]:
    """Let ``function`` also be called with one ``Options`` (and a reporter) for its keywords."""

    @wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        if not args and "options" not in keywords:
            return function(*args, **keywords)
        if args and not isinstance(args[0], Options):
            raise TypeError(f"{function.__name__}() takes keywords, or one Options")
        from i2ibench.runs import run as stages

        return getattr(stages, function.__name__)(*args, **keywords)

    return call


@_also_of_options
@_with_help_of(Options)
def run(
    *,
    model: str,
    dataset: str | Path,
    recipe: str | Path | None = Options.recipe,
    settings: Mapping[str, Any] | None = None,
    seed: int = Options.seed,
    protocol: str | None = Options.protocol,
    direction: str | None = Options.direction,
    checkpoint: str | Path | None = Options.checkpoint,
    limit: int | None = Options.limit,
    validation_fraction: float | None = Options.validation_fraction,
    keep_best: str | None = Options.keep_best,
    device: str = Options.device,
    precision: str = Options.precision,
    devices: int = Options.devices,
    nodes: int = Options.nodes,
    pixel_cache: bool = Options.pixel_cache,
    tensorboard: bool = Options.tensorboard,
    wandb: str | None = Options.wandb,
    tile: int | None = Options.tile,
    allow_unverified_weights: bool = Options.allow_unverified_weights,
    without_pictures: bool = Options.without_pictures,
    data_root: str | Path | None = Options.data_root,
    output: str | Path = Options.output,
    board: str | Path | None = Options.board,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train a model, translate the test split, score it, and add it to a leaderboard.

    Finished stages are not repeated: the same call finds its own work and continues it.
    ``run(Options(...))`` does the same. ``board=None`` enters no leaderboard.

    >>> outcome = i2ibench.run(model="mean-colour", dataset="my-data", device="cpu")
    >>> outcome.result.metrics["psnr"].n
    8
    """
    options = _table(Options, locals())
    from i2ibench.runs import run as stages

    return stages.run(options, reporter)


@_also_of_options
@_with_help_of(Options)
def train(
    *,
    model: str,
    dataset: str | Path,
    recipe: str | Path | None = Options.recipe,
    settings: Mapping[str, Any] | None = None,
    seed: int = Options.seed,
    protocol: str | None = Options.protocol,
    direction: str | None = Options.direction,
    limit: int | None = Options.limit,
    validation_fraction: float | None = Options.validation_fraction,
    keep_best: str | None = Options.keep_best,
    device: str = Options.device,
    precision: str = Options.precision,
    devices: int = Options.devices,
    nodes: int = Options.nodes,
    pixel_cache: bool = Options.pixel_cache,
    tensorboard: bool = Options.tensorboard,
    wandb: str | None = Options.wandb,
    tile: int | None = Options.tile,
    allow_unverified_weights: bool = Options.allow_unverified_weights,
    data_root: str | Path | None = Options.data_root,
    output: str | Path = Options.output,
    reporter: Reporter | None = None,
) -> RunFolder:
    """Train only; the folder then holds the checkpoint that ``translate`` and ``run`` use.

    They find it where they are given the same options. ``train(Options(...))`` does the same.

    >>> i2ibench.train(model="mean-colour", dataset="my-data", device="cpu").checkpoint.name
    'last.ckpt'
    """
    options = _table(Options, locals())
    from i2ibench.runs import run as stages

    return stages.train(options, reporter)


@_also_of_options
@_with_help_of(Options)
def translate(
    *,
    model: str,
    dataset: str | Path,
    recipe: str | Path | None = Options.recipe,
    settings: Mapping[str, Any] | None = None,
    seed: int = Options.seed,
    protocol: str | None = Options.protocol,
    direction: str | None = Options.direction,
    checkpoint: str | Path | None = Options.checkpoint,
    limit: int | None = Options.limit,
    validation_fraction: float | None = Options.validation_fraction,
    keep_best: str | None = Options.keep_best,
    device: str = Options.device,
    precision: str = Options.precision,
    devices: int = Options.devices,
    nodes: int = Options.nodes,
    tile: int | None = Options.tile,
    data_root: str | Path | None = Options.data_root,
    output: str | Path = Options.output,
    reporter: Reporter | None = None,
) -> RunFolder:
    """Translate the test split with a finished training, or with ``checkpoint``.

    ``translate(Options(...))`` does the same.

    >>> folder = i2ibench.translate(model="copy", dataset="my-data", protocol="stain-1")
    >>> sorted(path.name for path in folder.predictions.glob("*.png"))[0]
    '00000_test_0.png'
    """
    options = _table(Options, locals())
    from i2ibench.runs import run as stages

    return stages.translate(options, reporter)


@_with_help_of(EvaluationOptions)
def evaluate(
    predictions: str | Path,
    *,
    dataset: str | Path | None = EvaluationOptions.dataset,
    targets: str | Path | None = EvaluationOptions.targets,
    split: str = EvaluationOptions.split,
    protocol: str | Sequence[str] | None = EvaluationOptions.protocol,
    direction: str | None = EvaluationOptions.direction,
    limit: int | None = EvaluationOptions.limit,
    name: str | Sequence[str] | None = EvaluationOptions.name,
    metrics: str | Sequence[str] | None = EvaluationOptions.metrics,
    device: str = EvaluationOptions.device,
    allow_unverified_weights: bool = EvaluationOptions.allow_unverified_weights,
    feature_precision: Literal["fp32", "bf16"] = EvaluationOptions.feature_precision,
    without_pictures: bool = EvaluationOptions.without_pictures,
    data_root: str | Path | None = EvaluationOptions.data_root,
    output: str | Path | None = EvaluationOptions.output,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Score a folder of images that any tool made, matched to the pairs by id.

    >>> result = i2ibench.evaluate("my-data/HE/test", dataset="my-data", metrics="psnr")
    >>> list(result.metrics)
    ['psnr']

    ``evaluate_together`` scores several models in one pass, and ``evaluate_side_by_side`` one
    folder under two protocols; both take an ``EvaluationOptions``.
    """
    from i2ibench.runs import score_folders

    options = _table(EvaluationOptions, locals())
    return score_folders.evaluate(Path(predictions), options, progress_here(progress))


@_with_help_of(ImportOptions)
def import_predictions(
    predictions: str | Path,
    *,
    name: str,
    dataset: str | Path,
    method: str | Path | None = ImportOptions.method,
    protocol: str | None = ImportOptions.protocol,
    direction: str | None = ImportOptions.direction,
    device: str = ImportOptions.device,
    allow_unverified_weights: bool = ImportOptions.allow_unverified_weights,
    without_pictures: bool = ImportOptions.without_pictures,
    data_root: str | Path | None = ImportOptions.data_root,
    output: str | Path = ImportOptions.output,
    board: str | Path | None = ImportOptions.board,
    reporter: Reporter | None = None,
) -> Outcome:
    """Score predictions that another tool made, in a run folder and on a leaderboard.

    ``predictions`` is a folder or an archive. ``board=None`` enters no leaderboard.

    >>> outcome = i2ibench.import_predictions(
    ...     "my-data/HE/test", name="theirs", dataset="my-data", method="method.toml"
    ... )
    >>> outcome.result.model.name
    'theirs'
    """
    from i2ibench.runs import import_predictions as stage

    options = _table(ImportOptions, locals())
    return stage.import_predictions(Path(predictions), options, reporter)


def _table(table: type[_Table], given: Mapping[str, Any]) -> _Table:
    """Return ``table`` of those keywords of a call that are its fields."""
    names = {each.name for each in fields(table)}
    kept = {name: value for name, value in given.items() if name in names}
    if kept.get("settings", ...) is None:
        del kept["settings"]
    return table(**kept)
