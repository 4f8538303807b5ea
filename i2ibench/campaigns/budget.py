"""Budget tracks: how many epochs of a method cost as much as those of the others.

Whatever a track decides is written as ordinary settings of the recipe: a run that is started by
hand with them has the same id.
"""

from __future__ import annotations

from typing import Any

from i2ibench.campaigns.campaign_file import BUDGET_KEYS, Budget
from i2ibench.campaigns.step_times import StepTimes, step_key
from i2ibench.errors import MissingError
from i2ibench.models.interface import TrainableModel
from i2ibench.runs.plan import Plan
from i2ibench.training.recipe import TrainingSettings


class UnmeasuredError(MissingError):
    """Seconds a step that ``equal-time`` needs have not been measured yet."""


def batches_per_epoch(plan: Plan) -> int:
    """Return how many steps an epoch has, 0 where nothing is trained by steps."""
    if plan.train is None or not isinstance(plan.model, TrainableModel):
        return 0
    full, rest = divmod(len(plan.train), plan.recipe.training.batch_size)
    return full + (1 if rest and not plan.model.drop_incomplete_batch else 0)


def steps(plan: Plan) -> int:
    """Return how many steps the training of a plan has."""
    settings = plan.recipe.training
    return (settings.epochs + settings.decay_epochs) * batches_per_epoch(plan)


def budget_settings(budget: Budget, plan: Plan, times: StepTimes) -> tuple[dict[str, Any], str]:
    """Return the settings by which a plan keeps to a budget, and a line that says them.

    Nothing is set for methods that are not trained by steps.

    Raises:
        UnmeasuredError: seconds a step of ``equal-time`` are not known.
    """
    batches = batches_per_epoch(plan)
    if budget.track == "as-published" or not batches:
        return {}, ""
    settings, name = plan.recipe.training, plan.options.model
    pairs = _pairs_per_epoch(plan, batches)
    if budget.track == "equal-images":
        epochs = max(1, round((budget.images or 1) / pairs))
        reason = f"{budget.images:,} images asked for"
    else:
        known = times.get(step_key(plan))
        if known is None:
            raise UnmeasuredError(
                f"the seconds a step of {name} on {plan.dataset.name} are not measured yet; "
                "i2ibench campaign list FILE --estimate does so"
            )
        epochs = max(1, round((budget.minutes or 1) * 60 / (known.seconds * batches)))
        reason = f"{budget.minutes:g} min at {known.seconds:.3g} s a step"
    constant, falling = split_epochs(epochs, settings)
    remark = (
        f"{name} on {plan.dataset.name}, {budget.track}: {constant} + {falling} epochs, "
        f"{epochs * pairs:,} images ({reason})"
    )
    return dict(zip(BUDGET_KEYS, (constant, falling), strict=True)), remark


def _pairs_per_epoch(plan: Plan, batches: int) -> int:
    drops = isinstance(plan.model, TrainableModel) and plan.model.drop_incomplete_batch
    return batches * plan.recipe.training.batch_size if drops else len(plan.train or ())


def split_epochs(epochs: int, settings: TrainingSettings) -> tuple[int, int]:
    """Return constant and falling epochs, in the proportion of a recipe's own."""
    own = settings.epochs + settings.decay_epochs
    falling = min(epochs, round(epochs * settings.decay_epochs / own))
    return epochs - falling, falling
