"""The network of a run as an ONNX file, kept only where it makes what the run's model makes.

The file is run by onnxruntime, through the same door as any ``--model net.onnx``, on pairs of the
run's own test split, and its output is held against ours before rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from i2ibench import provenance
from i2ibench.errors import UsageError, VerificationError
from i2ibench.files import atomic_path, sha256_file, write_json
from i2ibench.models.foreign.onnx_file import (
    SCALED_TO,
    SIZE_MULTIPLE,
    TILE_OVERLAP,
    imported,
    read_onnx,
)
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.foreign.write_onnx import INPUT, OPSET, OUTPUT, write_onnx
from i2ibench.models.interface import TrainableModel, TranslationModel
from i2ibench.notebook import Printed
from i2ibench.results.stored_result import DIFFERS, StoredResult, open_stored
from i2ibench.runs.onnx_deviation import (
    LARGEST,
    MEAN,
    Deviation,
    check,
    compare,
    example_of,
    source_of,
)
from i2ibench.runs.reproduce import model_of, precision_of
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.manifest import Manifest

RANGE = "-1..1"
# Not within the graph: no operator of ONNX is Pillow's filter, which is wider where it shrinks.
_SCALING = (
    "the graph does not resize: images are resized to a square of this side before, predictions "
    "to their size after, both by Pillow's bicubic filter; i2ibench does so where it runs the file"
)


@dataclass(frozen=True, slots=True)
class OnnxExport(Printed):
    """An exported network.

    Attributes:
        file: the ONNX file.
        sidecar: what it is and how it was checked, as JSON.
        pairs: on which it was compared with the run's model.
        mean: deviation in grey levels, over all their values.
        largest: of these.
        scaled_to: side of the square that images are resized to before the network sees them, as
            the run did; None for their own size.
    """

    file: Path
    sidecar: Path
    pairs: int
    mean: float
    largest: float
    scaled_to: int | None = None

    def _lines(self) -> Sequence[str]:
        return (
            f"{self.file}",
            f"on {self.pairs} pairs it differs by at most {self.largest:.2g} grey levels, "
            f"{self.mean:.2g} in the mean",
            f"{self.sidecar}",
        )


def export_onnx(
    run: str | Path,
    output: str | Path | None = None,
    *,
    pairs: int = 8,
    model: str | None = None,
    checkpoint: str | Path | None = None,
    dataset: str | None = None,
    data_root: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> OnnxExport:
    """Write the network that made a run's predictions as ONNX, and a sidecar that describes it.

    >>> tiny = {"model.ngf": 2, "model.ndf": 2, "images.resize": 32, "images.crop": 24}
    >>> tiny |= {"training.epochs": 1, "training.decay_epochs": 0, "training.batch_size": 1}
    >>> outcome = i2ibench.run(model="pyramid", dataset="my-data", settings=tiny, device="cpu")
    >>> made = i2ibench.export_onnx(outcome.folder, "net.onnx", pairs=2, dataset="my-data")
    >>> made.largest < 0.1  # grey levels
    True

    Args:
        run: its folder, or its ``result.json``.
        output: the file; by default MODEL-RUN.onnx in the working folder.
        pairs: of the test split on which it is compared, evenly spaced.
        model: file of a method that no package registers, e.g. ``mynet.py:MyNet``.
        checkpoint: the weights, where they do not lie in the run folder.
        dataset: where its data are, as in ``verify``.
        data_root: folder of data sets.
        progress: called with the pairs compared and all of them.

    Raises:
        UsageError: what translated is no network of ours, or not in evaluation mode.
        MissingError: the extra ``onnx`` is not installed; the checkpoint or the data are not there.
        VerificationError: the run was changed since, or the file makes other images.
    """
    for package in ("onnx", "onnxruntime"):
        imported(package)
    if pairs < 1:
        raise UsageError(f"--pairs {pairs}: compare at least one")
    if model is not None:
        open_method(model)
    stored = open_stored(run, dataset=dataset, data_root=data_root)
    network, manifest = _network(stored, None if checkpoint is None else Path(checkpoint))
    file = Path(output or f"{stored.result.model.name}-{(stored.result.run_id or 'run')[:8]}.onnx")
    if file.suffix.lower() != ".onnx":
        raise UsageError(f"{file}: the name of an ONNX file ends in .onnx")
    if file.exists():
        raise UsageError(f"{file}: exists; remove it or give another --output")
    chosen = np.unique(np.linspace(0, len(stored.pairs) - 1, pairs).round().astype(int))
    with inference_mode(network, manifest.inference):
        example, any_size = example_of(network, source_of(stored, manifest, int(chosen[0])))
    with atomic_path(file) as temporary:
        said = _metadata(stored, network, manifest)
        # Not within inference mode, whose tensors cannot be traced.
        with torch.no_grad():
            write_onnx(network.eval(), example.clone(), temporary, said, any_size=any_size)
        found = Deviation()
        opened, _ = read_onnx(temporary)
        door = opened(opened.Config())
        for number, index in enumerate(chosen, start=1):
            compare(network, door, stored, manifest, int(index), any_size and number == 1, found)
            if progress is not None:
                progress(number, len(chosen))
        check(file, stored, found)
    made = OnnxExport(
        file,
        file.with_name(f"{file.name}.json"),
        len(chosen),
        found.mean,
        found.largest,
        manifest.scaled_to,
    )
    write_json(made.sidecar, _sidecar(made, stored, network, manifest, found, any_size))
    return made


def _network(stored: StoredResult, checkpoint: Path | None) -> tuple[TranslationModel, Manifest]:
    """Return what translated, where a network can be written of it."""
    result, path = stored.result, stored.path
    changed = [f"{each.subject}: {each.detail}" for each in stored.findings]
    changed += [subject for subject, state in stored.hashes.items() if state == DIFFERS]
    if changed:
        raise VerificationError(
            f"{path}: not as it was recorded ({changed[0]}); i2ibench verify tells the rest"
        )
    if result.model.is_external:
        raise UsageError(f"{path}: its predictions were given, and no network of them is here")
    network, manifest = model_of(stored, checkpoint)
    name = result.model.name
    if not isinstance(network, TrainableModel) or network.parameter_count() == 0:
        raise UsageError(f"{path}: {name} is no network that i2ibench runs; nothing to export")
    if network.stochastic:
        raise UsageError(f"{path}: {name} is stochastic; a graph cannot draw as its seeds do")
    policy = manifest.inference
    if policy.dropout or policy.normalization != "running":
        raise UsageError(
            f"{path}: {manifest.protocol} translates with batch statistics or dropout, which an "
            "exported network has not; run it under a protocol that does not, e.g. --protocol "
            "i2i-2, which takes the same training, and export that run"
        )
    return network, manifest


def _metadata(
    stored: StoredResult, network: TranslationModel, manifest: Manifest
) -> dict[str, str]:
    result = stored.result
    overlap, side = network.tile_overlap, manifest.scaled_to
    said = {
        "i2ibench.range": RANGE,
        SIZE_MULTIPLE: str(network.size_multiple),
        "i2ibench.model": result.model.name,
        "i2ibench.run_id": result.run_id,
        "i2ibench.checkpoint_sha256": result.model.checkpoint_sha256,
        TILE_OVERLAP: None if overlap is None else str(overlap),
        SCALED_TO: None if side is None else str(side),
    }
    return {key: value for key, value in said.items() if value is not None}


def _sidecar(
    made: OnnxExport,
    stored: StoredResult,
    network: TranslationModel,
    manifest: Manifest,
    found: Deviation,
    any_size: bool,
) -> dict[str, Any]:
    result = stored.result
    record = result.to_json()
    return {
        "schema": 1,
        "file": made.file.name,
        "sha256": sha256_file(made.file),
        "opset": OPSET,
        "model": record["model"],
        "run_id": result.run_id,
        "checkpoint_sha256": result.model.checkpoint_sha256,
        "input": {
            "name": INPUT,
            "shape": ["N", 3, "H", "W"],
            "channels": "RGB",
            "range": RANGE,
            "size_multiple": network.size_multiple,
            "any_size": any_size,
            "smaller": "mirrored at the bottom and right up to the next multiple, cropped back",
            "scaled_to": manifest.scaled_to,
            "scaling": None if manifest.scaled_to is None else _SCALING,
        },
        "output": {"name": OUTPUT, "range": RANGE, "grey_levels": manifest.inference.quantization},
        "inference": manifest.inference.model_dump(mode="json"),
        "deviation": {
            "unit": "grey levels before rounding, onnxruntime against the run's model in fp32",
            "pairs": made.pairs,
            "mean": found.mean,
            "largest": found.largest,
            "accepted": {"mean": MEAN, "largest": LARGEST},
        },
        "predictions": {
            "values": found.stored,
            "changed": found.changed,
            "largest_difference": found.largest_of_stored,
        },
        "dataset": record["dataset"],
        "protocol": record["protocol"],
        "metrics": record["metrics"],
        "precision": precision_of(result),
        "created": provenance.now(),
        "environment": {
            **provenance.environment(),
            "onnxruntime": imported("onnxruntime").__version__,
        },
    }
