"""Compiling kernels that this machine has not run yet, in two processes side by side: half the wait."""

import os
import subprocess
import sys
from collections.abc import Iterable

import numpy as np

from bnrenorm import atomic, config
from bnrenorm.config import Trial
from bnrenorm.config.schema import Settings
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CPU
from bnrenorm.engines.cpu.codegen import decorators
from bnrenorm.engines.cpu.engine import CpuEngine
from bnrenorm.engines.cpu.required import DEEP, INFERENCE, LARGE, SMALL, required_kernels
from bnrenorm.engines.cpu.small_batch.group import SmallBatches
from bnrenorm.engines.select import make_engine
from bnrenorm.errors import InputError

_IMAGES, _DENSITY = 20, 0.2  # of noise that is about as sparse as digits
_SUBROUTINES = "subroutines"  # of SMALL, compiled in the other process
_SETTINGS = {  # what is trained for a step so that its kernels are compiled
    LARGE: ["training.batch=full"],
    DEEP: ["training.batch=full", "model.hidden=[8, 8]", "model.order=linear-norm-activation"],
}
_SMALL_BATCH = ["training.batch={kind: iid, size: 10}"]
# Without collecting garbage, which would take a sixth of the time: the process ends soon.
_COMMAND = "import gc, sys; gc.disable(); from bnrenorm.engines.cpu.compilation import main; main(sys.argv[1:])"
_ORDER = [SMALL, LARGE, INFERENCE, DEEP]  # the first that is missing gets a process of its own


def is_cached() -> bool:
    """Tell whether there is a cache for compiled kernels; otherwise every process compiles what it needs."""
    return decorators.cache_folder() is not None


def missing(settings: Iterable[Settings]) -> list[str]:
    """Return the sets of kernels that these settings need and that are not in the cache.

    None are where there is no cache: compiling them beforehand would be in vain.
    """
    if decorators.cache_folder() is None:
        return []
    wanted = {kernels for one in settings for kernels in required_kernels(one)} - decorators.complete()
    return [kernels for kernels in _ORDER if kernels in wanted]


def compile_kernels(wanted: list[str]) -> None:
    """Compile these sets of kernels into the user's cache, with the modules that this process would import."""
    folder = decorators.cache_folder()
    if folder is not None:
        atomic.remove_abandoned(folder, "*/*.tmp.*")  # numba's temporary files
    command = [sys.executable, "-P", "-c", _COMMAND]  # -P: nothing from the working directory
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    quiet = subprocess.DEVNULL  # if it fails, the training will say what is wrong
    shares = [wanted[:1], [_SUBROUTINES, *wanted[1:]] if wanted[:1] == [SMALL] else wanted[1:]]
    running = [
        (share, subprocess.Popen([*command, *share], env=environment, stdout=quiet, stderr=quiet))
        for share in shares
        if share
    ]
    try:
        for share, process in running:
            if process.wait() == 0:
                for kernels in set(share) - {_SUBROUTINES}:
                    decorators.note_complete(kernels)
    finally:
        for _, process in running:
            process.terminate()


def main(wanted: list[str]) -> None:
    """Compile these sets of kernels by using them."""
    random = np.random.default_rng(0)
    images = (random.random((_IMAGES, 784)) < _DENSITY).astype(np.uint8)
    labels = np.arange(_IMAGES) % 10
    data = Dataset(images, labels, images, labels, "noise")
    for kernels in wanted:
        if kernels not in (*_ORDER, _SUBROUTINES):
            raise InputError(f"{kernels}: expected some of {', '.join(_ORDER)}")
        engine = make_engine(CPU, _trials(kernels)[:1], data, "cpu")
        assert isinstance(engine, CpuEngine)
        if kernels == _SUBROUTINES and isinstance(engine.batches, SmallBatches):
            engine.batches.compile_subroutines()
        elif kernels == INFERENCE:
            engine.evaluate()
        else:
            engine.advance(0, 1, observe=False)


def _trials(kernels: str) -> list[Trial]:
    return config.load("compare", [*_SETTINGS.get(kernels, _SMALL_BATCH), "seeds=1"]).trials(_IMAGES)
