"""What a run ran on: versions, processor, threads."""

import importlib
import importlib.metadata
import os
import platform
from functools import cache
from typing import Any

from bnrenorm import _compat

_PACKAGES = (
    "bnrenorm",
    "chainer",
    "numpy",
    "numba",
    "scipy",
    "pandas",
    "matplotlib",
    "pydantic",
    "cupy-cuda12x",
    "cupy-cuda13x",
)
_COMMON = ("bnrenorm", "numpy", "chainer")  # packages that every trial's numbers depend on


@cache
def versions() -> dict[str, str]:
    """Map Python and the packages that matter here to their versions; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """Name the CPU as the system does."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def blas() -> str:
    """Name the library that multiplies NumPy's matrices, with its version."""
    config: Any = importlib.import_module("numpy").show_config(mode="dicts")
    library = config.get("Build Dependencies", {}).get("blas", {})
    return f"{library.get('name', 'unknown')} {library.get('version', '')}".strip()


def threads() -> int:
    """Count the CPU cores that this process may use; BLAS uses as many unless OMP_NUM_THREADS says otherwise."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores


def gpu(device: str) -> str | None:
    """Name the GPU behind "cuda:N"; None for "cpu"."""
    if device == "cpu":
        return None
    cupy: Any = importlib.import_module("cupy")
    return cupy.cuda.runtime.getDeviceProperties(int(device.removeprefix("cuda:")))["name"].decode()


def provenance(engine: str, device: str) -> dict[str, Any]:
    """Return what a trial's numbers depend on besides its settings: stored with each result.

    engine, device ("cpu" or "cuda:N"), gpu (its name), threads, and the versions of the packages that the engine uses.
    """
    used = (*_COMMON, "numba") if engine == "cpu" else _COMMON
    chosen = {name: text for name, text in versions().items() if name in used or _is_cupy(name, device)}
    return {"engine": engine, "device": device, "gpu": gpu(device), "threads": threads(), "versions": chosen}


def _is_cupy(name: str, device: str) -> bool:
    return device != "cpu" and name.startswith("cupy")


def describe(device: str) -> dict[str, Any]:
    """Describe this machine as plain data, for a run on that device."""
    return {
        "versions": versions(),
        "system": platform.platform(),
        "processor": processor(),
        "threads": threads(),
        "blas": blas(),
        "device": device,
        "gpu": gpu(device),
        "gpus": _compat.gpu_count(),
    }
