"""An ONNX file as a method: run by onnxruntime, with sizes and ranges from the graph.

What the graph does not say and cannot be told from it, above all the range of its values, has to be
declared: a network that expects [0, 1] also runs on [-1, 1], and makes wrong numbers.
"""

from __future__ import annotations

import importlib
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from i2ibench.errors import DataError, MissingError, UsageError, named
from i2ibench.files import sha256_file, sha256_json
from i2ibench.models.interface import ModelConfig, TranslationModel

Range = Literal["-1..1", "0..1", "0..255"]
Layout = Literal["NCHW", "NHWC"]

# Lowest and highest value of each range.
_BOUNDS: dict[str, tuple[float, float]] = {
    "-1..1": (-1.0, 1.0),
    "0..1": (0.0, 1.0),
    "0..255": (0.0, 255.0),
}
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
# A network overshoots its range somewhat; beyond this, on the scale of -1 to 1, another was meant.
_LARGEST = 2.0
_PIP = "pip install 'i2ibench[onnx]'"
# Keys of a file's metadata, beside those of ranges: what ``TranslationModel`` says of tiles and
# sizes, and the side of the square that images are resized to first.
SIZE_MULTIPLE, TILE_OVERLAP = "i2ibench.size_multiple", "i2ibench.tile_overlap"
SCALED_TO = "i2ibench.scaled_to"


class OnnxConfig(ModelConfig):
    """What an ONNX file may leave open; what it says itself needs no setting.

    Attributes:
        range: of the values it takes, e.g. ``"-1..1"``; of uint8 it is known.
        output_range: of those it makes; by default that of its input.
        layout: where its channels are, where its shape does not show it.
        output: name of the output that is the prediction, of several.
        size_multiple: sides must be multiples of this; images are padded and cropped back. Files
            of ``export onnx`` say it themselves.
    """

    range: Range | None = None
    output_range: Range | None = None
    layout: Layout | None = None
    output: str | None = None
    size_multiple: int = 1


class OnnxModel(TranslationModel):
    """A network in an ONNX file.

    Attributes:
        scaled_to: side of the square that its images are resized to first, where the file says so;
            the prediction is brought back to their size.
    """

    Config: ClassVar[type[ModelConfig]] = OnnxConfig
    config: OnnxConfig
    file: ClassVar[Path]
    parameters_in_file: ClassVar[int] = 0

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self._session = _session(self.file)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1:
            raise self._wrong(f"takes {len(inputs)} inputs; a model takes one, the source")
        self._output = self._chosen([each.name for each in outputs])
        made = next(each for each in outputs if each.name == self._output)
        self._is_float = self._type(made.type) != np.uint8
        self._taken, self._taken_type = inputs[0], self._type(inputs[0].type)
        self._layout: str = self.config.layout or self._layout_of(inputs[0].shape)
        if isinstance(inputs[0].shape[0], int) and inputs[0].shape[0] != 1:
            raise self._wrong(f"takes {inputs[0].shape[0]} images at once; export it for one")
        said = self._session.get_modelmeta().custom_metadata_map
        self.size_multiple = self._size_multiple(said)
        overlap = said.get(TILE_OVERLAP, "")
        self.tile_overlap = int(overlap) if overlap.isdecimal() else None
        side = said.get(SCALED_TO, "")
        self.scaled_to = int(side) if side.isdecimal() and int(side) > 0 else None
        self._range = self._range_of("range", said, self._taken_type)
        # Of bytes that go in, nothing follows for floats that come out.
        alike = self._range if self._taken_type != np.uint8 else None
        self._output_range = self._range_of("output_range", said, self._type(made.type), alike)

    def translate(self, source: Tensor) -> Tensor:
        """Return the predictions of ``source``; both ``(N, 3, H, W)`` in [-1, 1]."""
        made = [self._translate_one(image) for image in source.float().cpu().numpy()]
        return torch.from_numpy(np.stack(made)).to(source.device, source.dtype)

    def parameter_count(self) -> int:
        """Return the number of weights in the file."""
        return self.parameters_in_file

    def _translate_one(self, image: np.ndarray) -> np.ndarray:
        """Translate ``(3, H, W)`` in [-1, 1]."""
        self._check_size(image.shape[1], image.shape[2])
        low, high = _BOUNDS[self._range]
        values = (image + 1.0) * ((high - low) / 2.0) + low
        if self._taken_type == np.uint8:
            values = np.rint(values)
        batch = values.astype(self._taken_type)[None]
        if self._layout == "NHWC":
            batch = batch.transpose(0, 2, 3, 1)
        given = {self._taken.name: np.ascontiguousarray(batch)}
        [made] = self._session.run([self._output], given)
        made = np.asarray(made).astype(np.float32)
        expected = (1, *image.shape)
        if made.shape != expected and made.shape == (1, *image.shape[1:], 3):
            made = made.transpose(0, 3, 1, 2)
        if made.shape != expected:
            raise self._wrong(f"made {made.shape} of {batch.shape}; a model keeps the size")
        low, high = _BOUNDS[self._output_range]
        scaled: np.ndarray = (made[0] - low) * (2.0 / (high - low)) - 1.0
        # Of floats alone: bytes that are all dark are an image that is.
        is_too_dark = self._output_range == "0..255" and self._is_float and made.max() <= 1.0
        if float(np.abs(scaled).max()) > _LARGEST or is_too_dark:
            raise self._wrong(
                f"made values from {made.min():g} to {made.max():g}, where {self._output_range} "
                "was declared; give another --set model.output_range=..."
            )
        return scaled

    def _check_size(self, height: int, width: int) -> None:
        shape = self._taken.shape
        fixed = shape[2:4] if self._layout == "NCHW" else shape[1:3]
        for side, wanted in zip((height, width), fixed, strict=True):
            if isinstance(wanted, int) and side != wanted:
                raise self._wrong(
                    f"takes images of {fixed[1]} x {fixed[0]} alone, not of {width} x {height}; "
                    "export it with dynamic sizes, or choose a data set of its size"
                )

    def _chosen(self, names: list[str]) -> str:
        wanted = self.config.output
        if wanted is None and len(names) == 1:
            return names[0]
        if wanted in names:
            return str(wanted)
        raise UsageError(
            f"{self.file.name}: which of its outputs is the prediction? give --set "
            f"model.output=NAME, one of {', '.join(names)}"
        )

    def _type(self, said: str) -> Any:
        if said not in _TYPES:
            raise self._wrong(f"has values of {said}; known: {', '.join(_TYPES)}")
        return _TYPES[said]

    def _layout_of(self, shape: list[Any]) -> Layout:
        if len(shape) != 4:
            raise self._wrong(f"takes arrays of shape {shape}; a model takes (1, 3, H, W)")
        channels_first, channels_last = shape[1] == 3, shape[3] == 3
        if channels_first != channels_last:
            return "NCHW" if channels_first else "NHWC"
        if isinstance(shape[1], int) and isinstance(shape[3], int) and not channels_first:
            raise self._wrong(f"takes arrays of shape {shape}; a model takes 3 channels")
        raise UsageError(
            f"{self.file.name}: its shape {shape} does not show where its channels are; give "
            "--set model.layout=NCHW or NHWC"
        )

    def _range_of(
        self, key: str, said: dict[str, str], kind: Any, default: str | None = None
    ) -> str:
        """Return a range: as declared, as the file's metadata say, or as follows from bytes."""
        declared = getattr(self.config, key)
        found = declared or said.get(f"i2ibench.{key}") or said.get(key)
        if found is None:
            found = "0..255" if kind == np.uint8 else default
        if found in _BOUNDS:
            return str(found)
        toml = self.file.with_suffix(".toml").name
        raise UsageError(
            f"{self.file.name}: which range do its values have? it does not say; give --set "
            f"model.{key}=-1..1 (or 0..1, or 0..255), or the same under [model] in {toml} beside it"
        )

    def _size_multiple(self, said: dict[str, str]) -> int:
        """Return the size rule: as declared, else as the file's metadata say."""
        stated = said.get(SIZE_MULTIPLE, "")
        is_declared = "size_multiple" in self.config.model_fields_set
        if is_declared or not stated.isdecimal() or int(stated) < 1:
            return self.config.size_multiple
        return int(stated)

    def _wrong(self, what: str) -> DataError:
        return DataError(f"{self.file.name} {what}")


def read_onnx(file: Path) -> tuple[type[OnnxModel], str]:
    """Return the class of an ONNX file, and the hash of it and the weights that lie beside it.

    Raises:
        MissingError: onnx or onnxruntime is not installed.
        UsageError: there is no such file, or it is none.
    """
    onnx = imported("onnx")
    imported("onnxruntime")
    if not file.is_file():
        raise UsageError(f"{file}: no such file")
    try:
        content = onnx.load(str(file), load_external_data=False)
    except Exception as error:  # of protobuf, whose classes differ by version
        raise UsageError(f"{file}: not an ONNX file ({named(error)})") from None
    count, outside = 0, set()
    for tensor in content.graph.initializer:
        count += int(np.prod([*tensor.dims], dtype=np.int64))
        outside |= {each.value for each in tensor.external_data if each.key == "location"}
    hashes = {"": sha256_file(file)}
    for name in sorted(outside):
        inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        if not inside or not (file.parent / name).is_file():
            raise UsageError(f"{file}: its weights lie in {name}, which is not beside it")
        hashes[name] = sha256_file(file.parent / name)
    attributes = {
        "__doc__": f"The network in {file.name}.",
        "file": file.resolve(),
        "parameters_in_file": count,
    }
    made: type[OnnxModel] = type(file.stem, (OnnxModel,), attributes)
    return made, sha256_json(hashes)


def _session(file: Path) -> Any:
    runtime = imported("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors; warnings are for exporters
    wanted = ["CUDAExecutionProvider"] if torch.cuda.is_available() else []
    there = [each for each in wanted if each in runtime.get_available_providers()]
    try:
        return runtime.InferenceSession(
            str(file), options, providers=[*there, "CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's classes are of its compiled part
        raise UsageError(f"{file}: onnxruntime cannot run it: {named(error)}") from None


def imported(name: str) -> Any:
    """Return a package of the extra ``onnx``; raises ``MissingError`` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingError(f"ONNX files need the package {name}; run: {_PIP}") from None
