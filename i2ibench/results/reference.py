"""The packages that the field trusts, asked for their own values of our metrics.

scikit-image, lpips and torch-fidelity are imported here, when they judge, and nowhere else. They
get pixels and weights from us, and nothing else of ours takes part.
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from i2ibench.errors import MissingError, named
from i2ibench.metrics.networks.network_loading import load_state
from i2ibench.metrics.networks.weights import WeightsFile
from i2ibench.provenance import package_version

UInt8Image = npt.NDArray[np.uint8]
# Prediction and target, uint8 (H, W, 3) each, to the value of the pair.
PairReference = Callable[[UInt8Image, UInt8Image], float]

# Images of one size that torch-fidelity takes at a time.
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Reference:
    """What a package's value of one metric stands for, and how far ours may be from it.

    Attributes:
        package: the distribution's name.
        definition: the signature of which it computes the value, without what may vary: weights,
            and the size and drawing of KID's subsets.
        absolute: a difference up to this is none.
        relative: neither is one up to this part of the recorded value.
    """

    package: str
    definition: str
    absolute: float
    relative: float = 0.0

    @property
    def version(self) -> str | None:
        """The installed version; None where it is not installed."""
        return package_version(self.package)

    def tolerance(self, recorded: float) -> float:
        """Return the largest difference from ``recorded`` at which both agree."""
        return max(self.absolute, self.relative * abs(recorded))


_LPIPS = "version:0.1|range:-1..1|mean:image|v:1"
_INCEPTION = "inception:tf-2015-12-05|resize:tf1-bilinear"

# Sums in another order move pixel metrics in their last digits and LPIPS by 1e-6; bf16 would move
# LPIPS by 2e-4. torch-fidelity takes FID's trace from the eigenvalues of a product of covariances,
# which is singular below 2049 pairs, and KID's kernel in float32.
REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {
        "psnr": Reference("scikit-image", "psnr|rgb|range:255|mean:image|v:1", 1e-6),
        "ssim": Reference(
            "scikit-image",
            "ssim|rgb|range:255|window:uniform7|covariance:sample|border:crop3|mean:image|v:1",
            1e-6,
        ),
        "ssim-gaussian": Reference(
            "scikit-image",
            "ssim-gaussian|rgb|range:255|window:gauss11|sigma:1.5|covariance:population"
            "|border:crop5|mean:image|v:1",
            1e-6,
        ),
        "lpips": Reference("lpips", f"lpips|net:alex|{_LPIPS}", 2e-5),
        "lpips-vgg": Reference("lpips", f"lpips-vgg|net:vgg|{_LPIPS}", 2e-5),
        "lpips-squeeze": Reference("lpips", f"lpips-squeeze|net:squeeze|{_LPIPS}", 2e-5),
        "fid": Reference("torch-fidelity", f"fid|{_INCEPTION}|v:1", 1e-3, 1e-3),
        "kid": Reference(
            "torch-fidelity", f"kid|{_INCEPTION}|kernel:poly3|estimator:unbiased|v:1", 1e-5, 1e-3
        ),
    }
)

_TRUNKS = {"lpips": "alex", "lpips-vgg": "vgg", "lpips-squeeze": "squeeze"}


def pair_reference(metric: str, weights: Sequence[WeightsFile], device: str) -> PairReference:
    """Return the package's function of one pair for a pair metric of ``REFERENCES``.

    Raises:
        MissingError: the package cannot be imported here.
    """
    if metric in _TRUNKS:
        return _lpips(_TRUNKS[metric], weights[0], device)
    with _importing("scikit-image"):
        from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    if metric == "psnr":

        def psnr(prediction: UInt8Image, target: UInt8Image) -> float:
            with np.errstate(divide="ignore"):  # equal images: infinite, as it should be
                return float(peak_signal_noise_ratio(target, prediction, data_range=255))

        return psnr
    window: dict[str, Any] = {}
    if metric == "ssim-gaussian":
        window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}

    def ssim(prediction: UInt8Image, target: UInt8Image) -> float:
        return float(
            structural_similarity(target, prediction, channel_axis=2, data_range=255, **window)
        )

    return ssim


def check_importable(metric: str) -> None:
    """Raise ``MissingError`` where the package of a metric cannot be imported, before its weights.

    The package of LPIPS ships the heads: without it they would be called missing weights.
    """
    if metric in _TRUNKS:
        with _importing("lpips"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import lpips  # noqa: F401


def _lpips(trunk: str, weights: WeightsFile, device: str) -> PairReference:
    with _importing("lpips"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls torchvision and torch.load in their old ways
        import lpips
        import torch

        # A random trunk, because it would take any file of the right name for the true one, or
        # download it.
        model = lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False)
    state = load_state(weights)
    prefix = "features." if any(key.startswith("features.") for key in state) else ""
    # Its slices keep torchvision's numbers of layers: "slice2.3.weight" is "features.3.weight".
    layers = {key: prefix + key.split(".", 1)[1] for key in model.net.state_dict()}
    model.net.load_state_dict({key: state[layer] for key, layer in layers.items()})
    model = model.to(device).eval()

    def scaled(image: UInt8Image) -> torch.Tensor:
        tensor = torch.from_numpy(image).to(device).permute(2, 0, 1)[None]
        return tensor.float() / 127.5 - 1

    def distance(prediction: UInt8Image, target: UInt8Image) -> float:
        with torch.inference_mode():
            return float(model(scaled(prediction), scaled(target)))

    return distance


@dataclass(frozen=True, slots=True)
class Subsets:
    """How KID draws its subsets."""

    size: int
    count: int
    seed: int = 2020


def set_references(
    images: Mapping[str, Callable[[str], UInt8Image]],
    ids: Sequence[str],
    weights: WeightsFile,
    device: str,
    *,
    of_one_size: bool,
    fid: bool,
    kid: Subsets | None,
) -> dict[str, float]:
    """Return torch-fidelity's FID and KID, those that are asked for.

    Args:
        images: how to read ``"prediction"`` and ``"target"`` of a pair id.
        ids: in the order in which KID numbers them.
        weights: its Inception.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        of_one_size: whether all images are; others go through the network one by one.
        fid: whether FID is wanted.
        kid: how subsets are drawn, where KID is wanted.

    Raises:
        MissingError: the package cannot be imported here.
    """
    with _importing("torch-fidelity"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        import torch_fidelity

    class Images(torch.utils.data.Dataset[torch.Tensor]):
        def __init__(self, read: Callable[[str], UInt8Image]) -> None:
            self._read = read

        def __len__(self) -> int:
            return len(ids)

        def __getitem__(self, number: int) -> torch.Tensor:
            return torch.from_numpy(self._read(ids[number])).permute(2, 0, 1)

    on_gpu = device != "cpu"
    drawing: dict[str, Any] = {}
    if kid is not None:  # by default it refuses fewer than 1000 pairs
        drawing = {"kid_subset_size": kid.size, "kid_subsets": kid.count, "rng_seed": kid.seed}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # It unpickles whatever a weights file holds, so it gets one that holds tensors alone.
        tensors = Path(folder) / "inception.pth"
        torch.save(dict(load_state(weights)), tensors)
        with torch.cuda.device(device) if on_gpu else contextlib.nullcontext():
            found = torch_fidelity.calculate_metrics(
                input1=Images(images["prediction"]),
                input2=Images(images["target"]),
                fid=fid,
                kid=kid is not None,
                cuda=on_gpu,
                batch_size=_BATCH if of_one_size else 1,
                feature_extractor="inception-v3-compat",
                feature_extractor_weights_path=str(tensors),
                cache=False,  # kept by a name, whatever the images are
                save_cpu_ram=True,  # reads in this process
                verbose=False,
                **drawing,
            )
    names = {"fid": "frechet_inception_distance", "kid": "kernel_inception_distance_mean"}
    return {metric: float(found[key]) for metric, key in names.items() if key in found}


@contextlib.contextmanager
def _importing(package: str) -> Iterator[None]:
    """Say of a package that is absent or broken what to do; what stands on it is not checked."""
    try:
        yield
    # A torchvision that was built for another torch raises RuntimeError when it is imported.
    except Exception as error:
        raise MissingError(
            f"{package} cannot be imported ({named(error)}); run: pip install --upgrade {package}, "
            "and for lpips and torch-fidelity the torchvision that was built for this torch"
        ) from error
