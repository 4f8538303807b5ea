"""The second stage of a run: predictions of the test split."""

from __future__ import annotations

from i2ibench.data.scale import bits_of
from i2ibench.files import sha256_file
from i2ibench.models.config import config_values
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.guard import code_of
from i2ibench.models.interface import TranslationModel
from i2ibench.runs.initial_model import model_from_checkpoint
from i2ibench.runs.plan import Plan
from i2ibench.runs.preflight import before_translation
from i2ibench.runs.program_stage import translate_by_program
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.train_stage import trained_weights
from i2ibench.runtime import allow_tf32
from i2ibench.translation.manifest import Manifest
from i2ibench.translation.spread import Spread, samples_of
from i2ibench.translation.translate import seeded
from i2ibench.translation.translate import translate as translate_dataset
from i2ibench.wording import count


def translate_stage(plan: Plan, reporter: Reporter) -> Manifest:
    """Write the predictions of the test split."""
    model, manifest = model_and_manifest(plan)
    if isinstance(model, ExternalProgram):
        return translate_by_program(plan, model, manifest, reporter)
    allow_tf32(plan.precision)
    before_translation(plan, model)
    reporter.stage(f"translating {len(plan.test)} images")
    spread = spread_of(plan, manifest)
    with code_of(plan.options.model, "failed in translation"):
        made = translate_dataset(
            model,
            plan.test,
            plan.folder.predictions,
            manifest,
            device=plan.device,
            progress=reporter.progress,
            spread=spread,
        )
    if spread is not None:
        mean = spread.summarize(pair.id for pair in plan.test)
        reporter.stage(
            f"{manifest.spread_samples} samples of a pair lie {mean:.2f} grey levels apart "
            f"(standard deviation, mean over {count(len(plan.test), 'pair')}): {plan.folder.spread}"
        )
    return made


def model_and_manifest(plan: Plan) -> tuple[TranslationModel, Manifest]:
    """Return the model with its weights, and what says how its predictions are made."""
    model, checkpoint = plan.model, plan.options.checkpoint
    if plan.train is not None:
        checkpoint = trained_weights(plan)
        asked = config_values(plan.model.config)
        model = model_from_checkpoint(plan.options.model, checkpoint, config=asked)
    samples = samples_of(model, plan.protocol.inference)
    manifest = Manifest(
        model=plan.options.model,
        checkpoint_sha256=sha256_file(checkpoint) if checkpoint else None,
        protocol=plan.protocol.id,
        preparation=plan.protocol.preparation.model_dump(mode="json"),
        inference=plan.protocol.inference,
        precision=plan.precision,
        tile=plan.options.tile,
        seed=_seed_of_the_run(plan),
        bits=bits_of(plan.test).get("source"),
        scaled_to=plan.scaled_to,
        spread_samples=samples if samples > 1 else None,
    )
    return model, seeded(manifest, model)


def spread_of(plan: Plan, manifest: Manifest) -> Spread | None:
    """Return what keeps how far the samples of a pair lie apart, where there are several."""
    samples = manifest.spread_samples
    return None if samples is None else Spread(plan.folder.spread, samples)


def _seed_of_the_run(plan: Plan) -> int | None:
    """Return the run's seed where passes are stochastic and the protocol names no seed."""
    policy = plan.protocol.inference
    is_stochastic = plan.model.stochastic or policy.dropout
    return plan.options.seed if is_stochastic and policy.seed is None else None
