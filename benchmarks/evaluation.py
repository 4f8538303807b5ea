"""Our one pass against the three tools a user runs today, on the same files, start-up included.

    python benchmarks/evaluation.py speed           # against fidelity, lpips and scikit-image
    python benchmarks/evaluation.py memory          # 200 against 2,000 pairs of 256 px
    python benchmarks/evaluation.py bf16            # what bf16 features cost in exactness

The rivals are what their own documentation shows: the ``fidelity`` command, a loop over pairs with
the ``lpips`` package under ``no_grad``, a loop over pairs with scikit-image. Both sides read the
same PNG files and the same seeded random weights (true ones are not shipped), and their values are
compared. Each job is a process of its own; jobs of both sides alternate, because the machine may
be busy with other work, and the CPU seconds of each process stand beside its wall-clock time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

SETS = {"24 pairs of 1024 px": (24, 1024), "96 pairs of 256 px": (96, 256)}
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
ALEXNET = "alexnet-owt-7be5be79.pth"

LPIPS_LOOP = """
import sys, json, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import torch, lpips
device = sys.argv[3]
model = lpips.LPIPS(net="alex", verbose=False).to(device)
values = []
with torch.no_grad():
    for path in sorted(Path(sys.argv[1]).iterdir()):
        a, b = (lpips.im2tensor(lpips.load_image(str(p)))
                for p in (path, Path(sys.argv[2]) / path.name))
        values.append(model(a.to(device), b.to(device)).item())
print(json.dumps({"lpips": sum(values) / len(values)}))
"""
SKIMAGE_LOOP = """
import sys, json
from pathlib import Path
from skimage.io import imread
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
psnr, ssim = [], []
for path in sorted(Path(sys.argv[1]).iterdir()):
    a, b = imread(path), imread(Path(sys.argv[2]) / path.name)
    psnr.append(peak_signal_noise_ratio(b, a))
    ssim.append(structural_similarity(a, b, channel_axis=2))
print(json.dumps({"psnr": sum(psnr) / len(psnr), "ssim": sum(ssim) / len(ssim)}))
"""
OURS = """
import sys, json
from pathlib import Path
from i2ibench.data.dataset import Dataset
from i2ibench.evaluation.one_pass import evaluate_together
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import load_protocol
device, metrics, precision, targets, *models = sys.argv[1:]
targets, protocol = Dataset.of_targets(targets).split(), load_protocol("i2i-1")
found = evaluate_together(
    targets, [(find_predictions(Path(model), targets), protocol) for model in models],
    metrics=metrics.split(","), allow_unverified_weights=True, feature_precision=precision,
    device=device,
)
print(json.dumps({name: value.value for name, value in found[-1].metrics.items()}))
"""


@dataclass
class Job:
    """One process: what it printed, its wall-clock and CPU seconds, its peak memory in MiB."""

    values: dict[str, float]
    seconds: float
    cpu: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["speed", "memory", "bf16"])
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep the drawn files here")
    parser.add_argument(
        "--metrics", default="psnr,ssim,swd,variance-ratio,distance-ratio", help="of the memory run"
    )
    parser.add_argument("--models", type=int, choices=[1, 2], default=1, help="of the memory run")
    parser.add_argument("--only", choices=list(SETS), help="one of the two sets")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="i2ibench-benchmark-"))
    draw_weights(folder)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors")
    if arguments.what == "speed":
        for name, (count, size) in SETS.items():
            if arguments.only in (None, name):
                speed(name, draw_images(folder, count, size), folder, arguments.repeat)
    elif arguments.what == "memory":
        memory(folder, arguments.metrics, arguments.models)
    else:
        deviation(folder)


def speed(
    name: str, images: Path, folder: Path, repeat: int, device: str = "cpu"
) -> tuple[float, float]:
    """Print the seconds of both sides, and return those of the three tools and of our pass."""
    rivals: dict[str, list[Job]] = {"fidelity": [], "lpips loop": [], "scikit-image loop": []}
    ours: dict[str, list[Job]] = {
        name: [] for name in ("all", "second model", "both at once", "psnr+ssim")
    }
    targets, first, second = (images / n for n in ("targets", "predictions", "predictions2"))
    for round_ in range(repeat):
        rivals["fidelity"].append(run_fidelity(first, targets, folder, device))
        cache = folder / f"cache-{images.name}-{round_}-{os.getpid()}"
        everything = "psnr,ssim,lpips,fid"
        mine = partial(run_ours, targets=targets, folder=folder, device=device)
        ours["all"].append(mine([first], metrics=everything, cache=cache))
        loop = [sys.executable, "-c", LPIPS_LOOP, first, targets, device]
        rivals["lpips loop"].append(run(loop, folder, device))
        ours["second model"].append(mine([second], metrics=everything, cache=cache))
        loop = [sys.executable, "-c", SKIMAGE_LOOP, first, targets]
        rivals["scikit-image loop"].append(run(loop, folder, device))
        ours["psnr+ssim"].append(mine([first], metrics="psnr,ssim", cache=cache))
        fresh = cache.with_name(f"{cache.name}-both")
        ours["both at once"].append(mine([second, first], metrics=everything, cache=fresh))
    print(f"\n{name}, best of {repeat}: wall-clock (CPU) seconds")
    for what, jobs in {**rivals, **{f"ours: {key}": jobs for key, jobs in ours.items()}}.items():
        print(f"  {what:20s} {best(jobs):6.1f} ({best(jobs, 'cpu'):6.1f})")
    for kind, label in (("seconds", "wall-clock"), ("cpu", "CPU")):
        theirs = {key: best(jobs, kind) for key, jobs in rivals.items()}
        mine = {key: best(jobs, kind) for key, jobs in ours.items()}
        total = sum(theirs.values())
        print(
            f"  {label}: {total / mine['all']:.2f} times faster; "
            f"a second model {total / mine['second model']:.2f} "
            f"({mine['all'] / mine['second model']:.2f} more), two models in one call "
            f"{2 * total / mine['both at once']:.2f} ({2 * mine['all'] / mine['both at once']:.2f} "
            f"more); psnr + ssim alone {theirs['scikit-image loop'] / mine['psnr+ssim']:.2f}"
        )
    expected: dict[str, float] = {}
    for jobs in rivals.values():
        expected.update(jobs[-1].values)
    for key, value in expected.items():
        found = [ours[job][-1].values[key] for job in ("all", "both at once")]
        print(f"  {key:6s} theirs {value:.10g} ours {found[0]:.10g}, at once {found[1]:.10g}")
    return sum(best(jobs) for jobs in rivals.values()), best(ours["all"])


def memory(folder: Path, metrics: str, models_at_once: int) -> None:
    """Peak memory of 2,000 pairs against 200; all without networks take a few minutes."""
    peaks = {}
    for count in (200, 2000):
        images = draw_images(folder, count, 256, distinct=200)
        cache = folder / f"cache-memory-{count}-{os.getpid()}"
        models = [images / name for name in ("predictions", "predictions2")[:models_at_once]]
        job = run_ours(models, images / "targets", metrics, folder, cache)
        peaks[count] = job.peak
        print(
            f"{count} pairs, {metrics}: peak {job.peak:.0f} MiB in {job.seconds:.0f} s", flush=True
        )
    grown = peaks[2000] - peaks[200]
    print(f"{100 * grown / peaks[200]:+.1f} %, {1024 * grown / 1800:.1f} KiB a pair")


def deviation(folder: Path) -> None:
    for name, (count, size) in {"32 pairs of 256 px": (32, 256)}.items():
        images = draw_images(folder, count, size)
        both = {}
        for precision in ("fp32", "bf16"):
            cache = folder / f"cache-{precision}-{os.getpid()}"
            both[precision] = run_ours(
                [images / "predictions"],
                images / "targets",
                "lpips,fid,kid",
                folder,
                cache,
                precision,
            )
        print(name)
        for key, exact in both["fp32"].values.items():
            fast = both["bf16"].values[key]
            print(f"  {key}: fp32 {exact:.8g}, bf16 {fast:.8g} ({fast / exact - 1:+.1e} relative)")
        print(f"  seconds {both['fp32'].seconds:.1f} and {both['bf16'].seconds:.1f}")


def run_fidelity(first: Path, second: Path, folder: Path, device: str = "cpu") -> Job:
    where = ("--cpu",) if device == "cpu" else ("--gpu", "0")
    command = [
        *(Path(sys.executable).with_name("fidelity"), *where, "--fid", "--json", "--silent"),
        *("--input1", first, "--input2", second, "--no-cache"),
        *("--feature-extractor-weights-path", folder / "weights" / INCEPTION),
    ]
    job = run(command, folder, device)
    job.values = {"fid": job.values["frechet_inception_distance"]}
    return job


def run_ours(
    models: list[Path],
    targets: Path,
    metrics: str,
    folder: Path,
    cache: Path,
    precision: str = "fp32",
    device: str = "cpu",
) -> Job:
    command = [sys.executable, "-c", OURS, device, metrics, precision, targets, *models]
    return run(command, folder, device, I2IBENCH_CACHE=str(cache))


def run(command: list[object], folder: Path, device: str = "cpu", **environment: str) -> Job:
    own = os.environ.get("I2IBENCH_WEIGHTS")
    variables = {
        **os.environ,
        "TORCH_HOME": str(folder / "torch"),
        "I2IBENCH_WEIGHTS": own or str(folder / "weights"),
        **({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}),
        **environment,
    }
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=errors, env=variables
        )
        _, status, used = os.wait4(process.pid, 0)  # what this process used, and no other
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = [(file.seek(0), file.read())[1] for file in (output, errors)]
    if process.returncode:
        raise SystemExit(f"{command[:3]} failed:\n{texts[1][-2000:]}")
    values = json.loads(texts[0][texts[0].index("{") : texts[0].rindex("}") + 1])
    return Job(values, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def best(jobs: list[Job], kind: str = "seconds") -> float:
    return min(getattr(job, kind) for job in jobs)


def draw_images(folder: Path, count: int, size: int, distinct: int | None = None) -> Path:
    """Draw targets and two models' predictions; beyond ``distinct`` they repeat under new names."""
    root = folder / f"{count}x{size}"
    if root.exists():
        return root
    random = np.random.default_rng(0)
    encoded = []
    for _ in range(distinct or count):
        coarse = random.integers(0, 256, (size // 16, size // 16, 3), dtype=np.uint8)
        target = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        texture = cv2.GaussianBlur(random.normal(0, 60, target.shape), (0, 0), 1.2)
        target = np.clip(target + texture, 0, 255).astype(np.uint8)
        images = [target]
        for strength in (12, 18):
            noisy = cv2.GaussianBlur(target, (0, 0), strength / 12) + random.normal(
                0, strength, target.shape
            )
            images.append(np.clip(noisy, 0, 255).astype(np.uint8))
        encoded.append([cv2.imencode(".png", image)[1].tobytes() for image in images])
    for index in range(count):
        sides = ("targets", "predictions", "predictions2")
        for side, content in zip(sides, encoded[index % len(encoded)], strict=True):
            path = root / side / f"{index:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return root


def draw_weights(folder: Path) -> None:
    """Write seeded random Inception and AlexNet weights, where both sides look for them."""
    places = [folder / "weights" / INCEPTION, folder / "torch" / "hub" / "checkpoints" / ALEXNET]
    if all(place.exists() for place in places):
        return
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-c", WEIGHTS, str(places[0].parent), str(places[1])],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )


# In a process of its own, so that this one stays small.
WEIGHTS = """
import sys
from pathlib import Path
import torch, torchvision
from seeded_weights import write_inception
write_inception(Path(sys.argv[1]))
torch.manual_seed(0)
torch.save(torchvision.models.alexnet(weights=None).state_dict(), sys.argv[2])
"""


if __name__ == "__main__":
    main()
