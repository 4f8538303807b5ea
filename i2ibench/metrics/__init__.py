"""Metrics of pairs and of sets, each with a signature, and each a function of arrays or tensors.

    >>> import i2ibench
    >>> import numpy as np
    >>> target = np.full((16, 16, 3), 200, np.uint8)
    >>> i2ibench.metrics.psnr(target - 10, target)
    28.13...
    >>> i2ibench.metrics.mae(np.stack([target - 10, target]), np.stack([target, target]))
    array([10.,  0.])
    >>> tensor = np.full((4, 3, 32, 32), 0.5, np.float32)
    >>> i2ibench.metrics.ssim(tensor, tensor, value_range=(0, 1))
    array([1., 1., 1., 1.])

A function is called as its metric, with ``_`` for ``-``: ``i2ibench.metrics.lpips_vgg`` computes
``lpips-vgg``. Metrics of other packages are there too; where a type checker should know them, ask
by name: ``i2ibench.metrics.metric_function("ink-distance")``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2ibench.metrics.on_arrays import PairFunction, SetFunction
    from i2ibench.metrics.on_arrays import metric_function as metric_function
    from i2ibench.metrics.on_arrays import score_arrays as score_arrays

    dab_area_error: PairFunction
    dab_asd: PairFunction
    dab_dice: PairFunction
    dab_dice_tolerant: PairFunction
    dab_hd95: PairFunction
    dab_histogram_distance: PairFunction
    dab_iod_correlation: SetFunction
    dab_iou: PairFunction
    dab_od_correlation: SetFunction
    dab_od_error: PairFunction
    dab_p90_correlation: SetFunction
    dab_p90_error: PairFunction
    dab_p90_order: SetFunction
    dab_tnr: PairFunction
    dab_tpr: PairFunction
    distance_ratio: SetFunction
    dists: PairFunction
    fid: SetFunction
    fid_clean: SetFunction
    group_accuracy: SetFunction
    group_error: PairFunction
    group_kappa: SetFunction
    group_read: PairFunction
    kid: SetFunction
    kid_marginal: SetFunction
    lpips: PairFunction
    lpips_squeeze: PairFunction
    lpips_vgg: PairFunction
    mae: PairFunction
    ms_ssim: PairFunction
    precision: SetFunction
    psnr: PairFunction
    psnr_aligned: PairFunction
    recall: SetFunction
    shift: PairFunction
    shift_confidence: PairFunction
    ssim: PairFunction
    ssim_aligned: PairFunction
    ssim_gaussian: PairFunction
    swd: SetFunction
    variance_gap: SetFunction
    variance_ratio: SetFunction

_HELPERS = ("metric_function", "score_arrays")

if not TYPE_CHECKING:  # else every misspelt name would have a type

    def __getattr__(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        functions = importlib.import_module("i2ibench.metrics.on_arrays")
        if name in _HELPERS:
            return getattr(functions, name)
        known = functions.function_names()
        if name not in known:
            raise AttributeError(functions.registry.unknown_name("metric", name, [*known]))
        return functions.metric_function(known[name])

    def __dir__() -> list[str]:
        functions = importlib.import_module("i2ibench.metrics.on_arrays")
        return sorted({*globals(), *_HELPERS, *functions.function_names()})
