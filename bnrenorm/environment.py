"""Hardware and software that a run used: versions, processor, threads, GPU."""

import contextlib
import importlib
import importlib.metadata
import math
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bnrenorm import _compat, control_groups

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
    "cupy",  # of conda-forge, or built from source
)
_COMMON = ("bnrenorm", "numpy", "chainer")  # every engine's numbers depend on these


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of those packages in `_PACKAGES` that are installed, by name."""
    installed = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[package] = importlib.metadata.version(package)
    return installed


@cache
def commit() -> str | None:
    """Return the git commit of bnrenorm's source, with "-dirty" after local changes; None if it is no checkout."""
    source = Path(__file__).parents[1]
    if not (source / ".git").exists():
        return None
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def processor() -> str:
    """Return the CPU's model name, or the architecture where the system does not tell it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def blas() -> str:
    """Return name and version of the BLAS library that NumPy was built with."""
    config: Any = importlib.import_module("numpy").show_config(mode="dicts")
    library = config.get("Build Dependencies", {}).get("blas", {})
    return f"{library.get('name', 'unknown')} {library.get('version', '')}".strip()


def threads() -> int:
    """Return the number of CPU cores that this process may use.

    It is bounded by the limits of its container or batch job, rounded up, and by OMP_NUM_THREADS as BLAS is.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    cores = min([cores, *map(math.ceil, control_groups.processors())])
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) > 0 else cores


def gpu(device: str) -> str | None:
    """Return the model name of the GPU "cuda:N"; None for "cpu"."""
    if device == "cpu":
        return None
    cupy: Any = importlib.import_module("cupy")
    return cupy.cuda.runtime.getDeviceProperties(int(device.removeprefix("cuda:")))["name"].decode()


def cuda_versions(device: str) -> dict[str, str]:
    """Return the versions of a GPU's driver, of CUDA's runtime and of cuBLAS, by name; none for "cpu"."""
    if device == "cpu":
        return {}
    cuda: Any = importlib.import_module("cupy").cuda
    with cuda.Device(int(device.removeprefix("cuda:"))):
        cublas = cuda.cublas.getVersion(cuda.device.get_cublas_handle())
    numbers = {"cuda driver": cuda.runtime.driverGetVersion(), "cuda runtime": cuda.runtime.runtimeGetVersion()}
    named = {name: f"{number // 1000}.{number % 1000 // 10}" for name, number in numbers.items()}
    return named | {"cublas": f"{cublas // 10_000}.{cublas // 100 % 100}.{cublas % 100}"}


def _program(path: str) -> str:
    """Return the name of a program; of a package that `python -m` runs, the package's."""
    folder, name = os.path.split(path)
    return os.path.basename(folder) if name == "__main__.py" and folder else name


def provenance(engine: str, device: str) -> dict[str, Any]:
    """Return what made a trial, apart from its settings, to be stored with each result.

    Keys: engine (see `engines.backend`), device ("cpu" or "cuda:N"), gpu (its model name or None), processor, blas,
    threads, versions (of the packages, and of CUDA's libraries, that this engine uses on this device), commit
    (`commit`), command (the process's command line) and date (now, in UTC).
    """
    used = {*_COMMON, *(["numba"] if engine == "cpu" else [])}
    if device != "cpu":
        used |= {name for name in _PACKAGES if name.startswith("cupy")}
    relevant = {name: version for name, version in versions().items() if name in used}
    return {
        "engine": engine,
        "device": device,
        "gpu": gpu(device),
        "processor": processor(),
        "blas": blas(),
        "threads": threads(),
        "versions": relevant | cuda_versions(device),
        "commit": commit(),
        "command": shlex.join([_program(sys.argv[0]), *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def describe(device: str) -> dict[str, Any]:
    """Describe this machine and the device of a run, for environment.json."""
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
