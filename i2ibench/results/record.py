"""The record of a run: one JSON file whose numbers carry their signatures, intervals and origin.

Every part is typed key by key. What an older or a newer i2ibench, or another tool, wrote beside the
known keys is kept; a key that is absent stays absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import pydantic

from i2ibench.evaluation.protocol import Endpoints
from i2ibench.evaluation.scores import Better
from i2ibench.files import sha256_json
from i2ibench.notebook import Printed, Table

if TYPE_CHECKING:
    import pandas as pd

SCHEMA: Final = 1
# What was made again: nothing; the numbers, from the stored predictions; the predictions, too, from
# the checkpoint.
Status = Literal["measured", "verified", "reproduced"]
STATUSES: Final = ("measured", "verified", "reproduced")  # the more, the later
Moment = Annotated[str, pydantic.Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
# An integer stays one, so that a record is written as it was read.
Number = int | float


class _Part(pydantic.BaseModel):
    # Left to itself pydantic would write NaN in an open dictionary as null.
    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="constants"
    )


class _OpenPart(_Part):
    """A part that keeps unknown keys, writes only the keys it was given, and may be empty."""

    # A number that JSON has not is refused when the record is written, under its name.
    model_config = pydantic.ConfigDict(extra="allow", allow_inf_nan=True)

    @pydantic.model_serializer(mode="wrap")
    def _only_given(self, serialize: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = serialize(self)
        return {name: value for name, value in content.items() if name in self._given()}

    def _given(self) -> set[str]:
        return {*self.model_fields_set, *(self.model_extra or {})}

    def __bool__(self) -> bool:
        """Whether anything is recorded."""
        return bool(self._given())


class MetricRecord(_Part):
    """One number with everything needed to read it; see ``evaluation.scores.MetricValue``."""

    value: float | None
    n: int = pydantic.Field(ge=0)
    unit: str = ""
    better: Better | None = None
    signature: str = ""
    ci95: tuple[float, float] | None = None
    unavailable: str | None = None
    notes: tuple[str, ...] = ()


class GroupRecord(_Part):
    """The numbers of one group."""

    n: int = pydantic.Field(ge=0)
    metrics: dict[str, MetricRecord]


class ProtocolRecord(_Part):
    """The protocol's id and the hash of its frozen content.

    ``main``, ``ranked`` and ``endpoints`` as in the protocol, where it names them: a board then
    needs no file of a protocol of one's own.
    """

    id: str
    sha256: str
    main: tuple[str, ...] | None = None
    ranked: tuple[str, ...] | None = None
    endpoints: Endpoints | None = None


class ModelRecord(_OpenPart):
    """The method.

    Attributes:
        name: as registered, or as predictions that were given are called.
        parameters: number of those that translate.
        config: all settings of a registered model.
        checkpoint_sha256: of the weights that made the predictions.
        uses_target: whether it reads the target: an oracle, which is never ranked.
        predictions: ``"external"`` where they were given, not made by a run.
        method: what its authors say of it, see ``method_facts``.
    """

    name: str
    parameters: int | None = None
    config: dict[str, Any] | None = None
    checkpoint_sha256: str | None = None
    uses_target: bool | None = None
    predictions: str | None = None
    method: dict[str, Any] | None = None

    @property
    def saw_test_targets(self) -> bool:
        """Whether its authors say that test targets had a part in it."""
        return bool((self.method or {}).get("saw_test_targets"))

    @property
    def is_external(self) -> bool:
        """Whether the predictions were given, so that nothing is known of what made them."""
        return self.predictions == "external"


class DatasetRecord(_OpenPart):
    """The pairs that were scored.

    Attributes:
        name: as on a board.
        split: e.g. ``"test"``.
        direction: of translation.
        pairs: their number.
        group_name: what the groups are, e.g. ``"HER2"``.
        manifest_sha256: hash of their content.
        limit: where only the first pairs were taken, how many.
        clusters_unknown: whether pairs depend by slides or patients that nobody has published.
        clusters: their number in all splits, where they are unknown and it is published.
        bits: of the values in 16-bit files by side, where they are not scaled to 16 bits.
    """

    name: str
    split: str | None = None
    direction: str | None = None
    pairs: int | None = None
    group_name: str | None = None
    manifest_sha256: str | None = None
    limit: int | None = None
    clusters_unknown: bool | None = None
    clusters: int | None = None
    bits: dict[str, int] | None = None


class IntervalRecord(_OpenPart):
    """How every ``ci95`` was made.

    Attributes:
        level: e.g. 0.95.
        method: its name, see ``results.evaluation_intervals``.
        resamples: their number.
        unit: ``"pair"`` or ``"cluster"``.
        units: their number.
        seed: of the resampling.
    """

    level: float | None = None
    method: str | None = None
    resamples: int | None = None
    unit: str | None = None
    units: int | None = None
    seed: int | None = None


class TrainingRecord(_OpenPart):
    """The budget of a training, as resolved; nothing where nothing was trained.

    The first keys are those of ``training.recipe.TrainingSettings``.

    Attributes:
        images: what training saw of an image.
        pairs: it was trained on.
        steps: in all.
        chosen_step: of the state that validated best, where that one was translated with.
        validation_pairs: it was validated on.
        precision: e.g. ``"fp32"``.
    """

    epochs: int | None = None
    decay_epochs: int | None = None
    batch_size: int | None = None
    schedule_step: str | None = None
    validation_fraction: float | None = None
    validate_every: int | None = None
    keep_best: str | None = None
    images: dict[str, Any] | None = None
    pairs: int | None = None
    steps: int | None = None
    chosen_step: int | None = None
    validation_pairs: int | None = None
    precision: str | None = None


class CostRecord(_OpenPart):
    """Wall-clock seconds of the stages, and the peak memory of the process in MiB."""

    train_seconds: Number | None = None
    translate_seconds: Number | None = None
    evaluate_seconds: Number | None = None
    peak_memory_mb: Number | None = None


class EnvironmentRecord(_OpenPart):
    """Where it was computed; see ``provenance.environment``.

    Attributes:
        added: of each later addition of metrics: which, when, and where.
        plugins: of each model and metric from another package: kind, name, package, version, and
            the hash of the package's code.
    """

    python: str | None = None
    platform: str | None = None
    cpu: str | None = None
    cpu_count: int | None = None
    packages: dict[str, str | None] | None = None
    source: dict[str, Any] | None = None
    command: list[str] | None = None
    torch_threads: int | None = None
    gpu: str | None = None
    cuda: str | None = None
    device: str | None = None
    added: list[dict[str, Any]] | None = None
    plugins: list[dict[str, Any]] | None = None


class VerifiedRecord(_OpenPart):
    """By what a recomputation confirmed the numbers."""

    created: str | None = None
    environment: EnvironmentRecord | None = None
    relative_tolerances: dict[str, float] | None = None


class ReproducedRecord(_OpenPart):
    """How the predictions were made again from the checkpoint, and how near they came.

    Attributes:
        created: when.
        environment: where.
        pairs: predictions that were made again and compared.
        equal: of these, those that are equal to the last grey level.
        largest_difference: in grey levels, over all.
    """

    created: str | None = None
    environment: EnvironmentRecord | None = None
    pairs: int | None = None
    equal: int | None = None
    largest_difference: int | None = None


class Result(Printed, _Part):
    """What one run measured; schema 1.

    ``pair_scores_sha256`` is the hash of ``scores.csv``; ``experiment`` is what the run was asked
    for, whose hash is its id; ``verified`` is absent until a recomputation confirmed the numbers,
    ``reproduced`` until the predictions were made again.
    """

    schema_: Literal[1] = pydantic.Field(default=SCHEMA, alias="schema")
    status: Status = "measured"
    model: ModelRecord
    dataset: DatasetRecord
    protocol: ProtocolRecord
    metrics: dict[str, MetricRecord]
    groups: dict[str, GroupRecord]
    macro: dict[str, MetricRecord]
    intervals: IntervalRecord = IntervalRecord()
    training: TrainingRecord = TrainingRecord()
    cost: CostRecord = CostRecord()
    environment: EnvironmentRecord = EnvironmentRecord()
    seed: int | None = None
    run_id: str | None = None
    pair_scores_sha256: str | None = None
    created: Moment
    experiment: dict[str, Any] | None = None
    verified: VerifiedRecord | None = None
    reproduced: ReproducedRecord | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values, with the hash of its content under ``sha256``."""
        content = _without_defaults(self)
        return {**content, "sha256": sha256_json(content)}

    def to_frame(self) -> pd.DataFrame:
        """Return one row a number: set of pairs, metric, value, interval and definition."""
        from i2ibench.results.record_tables import result_frame

        return result_frame(self)

    def _lines(self) -> Sequence[str]:
        from i2ibench.results.record_tables import result_lines

        return result_lines(self)

    def _tables(self) -> Sequence[Table]:
        from i2ibench.results.record_tables import result_table

        return [result_table(self)]


def _without_defaults(result: Result) -> dict[str, Any]:
    """Return JSON values without what is absent; ``value`` stays, null says something there."""
    content: dict[str, Any] = result.model_dump(mode="json", by_alias=True)
    for optional in ("verified", "reproduced", "experiment", "pair_scores_sha256", "run_id"):
        if content[optional] is None:
            del content[optional]
    content["protocol"] = {k: v for k, v in content["protocol"].items() if v is not None}
    tables = [content["metrics"], content["macro"]]
    tables += [group["metrics"] for group in content["groups"].values()]
    for table in tables:
        for name, metric in table.items():
            table[name] = {
                key: value
                for key, value in metric.items()
                if key == "value" or value not in (None, "", [])
            }
    return content
