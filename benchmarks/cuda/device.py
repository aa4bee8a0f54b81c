"""The device that contenders run on: a GPU, or the CPU in a rehearsal, where the same code runs without one."""

import gc
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from bnrenorm import _compat
from bnrenorm.errors import InputError

REHEARSAL = "rehearsal"
"""Name of the option's value that stands for the CPU."""

_FLOAT32 = {"NVIDIA_TF32_OVERRIDE": "0", "CUPY_TF32": "0", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
# TF32 off in NVIDIA's libraries and in CuPy; and no compiler processes that keep running while others are timed


class Device:
    """A device by bnrenorm's name: "cuda:N", or "cpu" in a rehearsal. xp: CuPy or NumPy."""

    def __init__(self, name: str):
        self.name, self.rehearsal = name, name == "cpu"
        self.xp: Any = np
        if not self.rehearsal:
            self.xp = importlib.import_module("cupy")
            self.xp.cuda.Device(int(name.removeprefix("cuda:"))).use()
        self._kept: dict[Any, Any] = {}

    def synchronize(self) -> None:
        """Wait until the device has finished everything, of all libraries and streams."""
        if not self.rehearsal:
            self.xp.cuda.runtime.deviceSynchronize()

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` returned for this key since the last `free`: arrays that contenders share."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def free(self) -> None:
        """Give the memory of arrays that nobody uses any more back to the card, also what PyTorch holds."""
        self._kept.clear()
        torch: Any = sys.modules.get("torch")
        if torch is not None:
            torch.compiler.reset()  # the graphs of compiled steps hold memory
        gc.collect()
        if self.rehearsal:
            return
        self.xp.get_default_memory_pool().free_all_blocks()
        if torch is not None:
            torch.cuda.empty_cache()

    def numbers(self, *shape: int) -> Any:
        """Return random float32 numbers, normally distributed and repeated after a million."""
        size = int(np.prod(shape))
        drawn = np.random.default_rng(0).standard_normal(min(size, 2**20), np.float32)
        array = self.xp.empty(size, np.float32)
        for start in range(0, size, len(drawn)):
            part = array[start : start + len(drawn)]
            part[...] = self.xp.asarray(drawn[: len(part)])
        return array.reshape(shape)

    def describe(self) -> dict[str, str]:
        """Return the card and the versions of its software as columns of the results; empty in a rehearsal."""
        if self.rehearsal:
            return dict.fromkeys(COLUMNS, "")
        runtime = self.xp.cuda.runtime
        number = int(self.name.removeprefix("cuda:"))
        properties, version = runtime.getDeviceProperties(number), runtime.runtimeGetVersion()
        values = (
            properties["name"].decode(),
            f"{properties['totalGlobalMem'] / 2**30:.0f}",
            f"{version // 1000}.{version % 1000 // 10}",
            _driver(number),
            self.xp.__version__,
        )
        return dict(zip(COLUMNS, values, strict=True))


COLUMNS = ("card", "card_gib", "cuda", "driver", "cupy")


def choose(name: str) -> Device:
    """Return the device for "rehearsal", "cuda" (the first GPU) or "cuda:N". Raises InputError if there is none."""
    if name == REHEARSAL:
        return Device("cpu")
    match = re.fullmatch(r"cuda(?::(\d+))?", name)
    if match is None:
        raise InputError(f"--device {name}: expected cpu, cuda, cuda:N or {REHEARSAL}")
    os.environ.update(_FLOAT32)  # before the libraries are loaded
    number, count = int(match[1] or 0), _compat.gpu_count()
    if number >= count:
        raise InputError(f"--device {name}: CuPy has {count} GPUs; `bnrenorm doctor` says what is missing")
    with suppress(ModuleNotFoundError):
        importlib.import_module("torch")  # before CuPy loads a cuBLAS that may be too old for it
    return Device(f"cuda:{number}")


def _driver(number: int) -> str:
    """Return the driver's version, or an empty text without NVIDIA's command."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return ""
    query = [command, f"--id={number}", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
