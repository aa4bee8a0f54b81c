"""Every launch compared with its formula in float64, while an engine trains: for `bnrenorm doctor --device cuda`."""

import inspect
from typing import Any

import numpy as np

from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.pixels import numbers
from bnrenorm.engines.cuda.reference import Reference

Array = Any

_NAN = 0x7FFF  # bits of a bfloat16 number

_OUTPUTS = {
    "gather": ("x",),
    "split": ("parts",),
    "gather_pixels": ("x",),
    "pack": ("by_image", "by_pixel"),
    "product": ("out",),
    "gradient": ("out",),
    "pixel_product": ("out",),
    "pixel_gradient": ("out",),
    "enter": ("partial",),
    "statistics": ("stats",),
    "row_moments": ("row_stats",),
    "normalise": ("y",),
    "loss": ("right", "partial"),
    "add_losses": (),
    "upstream_sums": ("partial",),
    "coefficients": ("coef", "gradients"),
    "row_gradients": ("row_sums",),
    "to_linear": ("partial", "parts"),
    "column_sums": ("partial",),
    "update_weights": (),
    "update_vectors": (),
    "diagnose": ("values",),
    "first": ("products",),
    "middle": ("gradient", "stats"),
    "sweep": (),
}
"""The arguments of each kernel that it sets without reading them; others it may change."""


class Checked:
    """Runs the kernels of a device, and for every call the formula on float64 copies of the same arguments.

    `errors` has the largest relative error of each kernel so far: the norm of an array's difference over the array's
    norm. Outputs are filled with NaN (and 255) before a launch: what it leaves out, unlike the formula, is an infinite
    error. Bits of bfloat16 are compared as the numbers whose thirds they are.
    """

    def __init__(self, ops: Launches):
        self.ops, self.xp, self.shared_memory = ops, ops.xp, ops.shared_memory
        self.errors: dict[str, float] = {}
        self.reference = Reference()
        self.recorded = self.reference.recorded  # a graph would launch without comparing

    def __getattr__(self, name: str) -> Any:
        launch = getattr(self.ops, name)
        if name not in _OUTPUTS:
            return launch
        formula = getattr(self.reference, name)
        signature = inspect.signature(launch)

        def checked(*arguments: Any, **options: Any) -> None:
            bound = signature.bind(*arguments, **options)
            if not bound.arguments.get("subtract"):
                for output in _OUTPUTS[name]:
                    _poison(bound.arguments.get(output))
            copies: dict[tuple[Any, ...], tuple[Array, Array]] = {}
            expected = {key: self._to_host(value, copies) for key, value in bound.arguments.items()}
            with np.errstate(all="ignore"):
                formula(**expected)
            launch(*arguments, **options)
            for device, host in copies.values():
                self.errors[name] = max(self.errors.get(name, 0.0), _error(device.get(), host))

        return checked

    def _to_host(self, value: Any, copies: dict[tuple[Any, ...], tuple[Array, Array]]) -> Any:
        """Copy all arrays in a value to the host, floating ones to float64; one array stays one, wherever it occurs."""
        if isinstance(value, self.xp.ndarray):
            key = value.data.ptr, value.shape, value.strides
            if key not in copies:
                host = value.get()
                copies[key] = value, host.astype(np.float64) if host.dtype.kind == "f" else host
            return copies[key][1]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self._to_host(item, copies) for item in value))
        if isinstance(value, (list, tuple)):
            return type(value)(self._to_host(item, copies) for item in value)
        return value


def _poison(value: Any) -> None:
    for array in value if isinstance(value, tuple) else (value,):
        if array is not None:
            array.fill(np.nan if array.dtype.kind == "f" else _NAN if array.dtype == np.uint16 else 255)


def _error(got: Array, want: Array) -> float:
    if want.dtype == np.uint16:
        got, want = (numbers(bits).astype(np.float64).sum(axis=-2) for bits in (got, want))
    if want.dtype.kind != "f":
        return 0.0 if np.array_equal(got, want) else np.inf
    finite = np.isfinite(want)
    if (np.isfinite(got) != finite).any():
        return np.inf
    return float(np.linalg.norm((got - want)[finite]) / (np.linalg.norm(want[finite]) or 1.0))
