"""Compiling kernels that this machine has not had to run yet, in two processes side by side: half the wait."""

import importlib
import subprocess
import sys
from collections.abc import Iterable

import numpy as np

from bnrenorm import config, train
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.device import FUSED
from bnrenorm.errors import InputError
from bnrenorm.fused.sorts import DEEP, JUDGE, LARGE, SMALL, sorts

_IMAGES, _LIT = 20, 0.2  # noise, of which as much is lit as of digits
_PARTS = "parts"  # of SMALL, compiled beside it
_STEPS = {  # what is trained for a step to have its kernels compiled
    LARGE: ["training.batch=full"],
    DEEP: ["training.batch=full", "model.hidden=[8, 8]", "model.order=linear-norm-activation"],
}
_OTHERS = ["training.batch={kind: iid, size: 10}"]
# Without collecting garbage, which would be a sixth of the time: the process ends soon.
_COMMAND = "import gc, sys; gc.disable(); from bnrenorm.compilation import main; main(sys.argv[1:])"
_ORDER = [SMALL, LARGE, JUDGE, DEEP]  # the first that is missing has a process of its own


def missing(groups: Iterable[list[Trial]]) -> list[str]:
    """Return the sorts of kernels that groups of trials need and that are not compiled yet.

    None are where they cannot be kept: compiling them beforehand would be in vain.
    """
    from bnrenorm.fused import compiled

    if compiled.cache_folder() is None:
        return []
    needed = {sort for group in groups for sort in sorts(group[0].settings)}
    return [sort for sort in _ORDER if sort in needed and not compiled.is_complete(sort)]


def compile_kernels(wanted: list[str]) -> None:
    """Compile such sorts of kernels into the user's cache."""
    from bnrenorm.fused import compiled

    command = [sys.executable, "-c", _COMMAND]
    quiet = subprocess.DEVNULL  # if it fails, the training will say what is wrong
    shares = [wanted[:1], [_PARTS, *wanted[1:]] if wanted[:1] == [SMALL] else wanted[1:]]
    running = [(share, subprocess.Popen([*command, *share], stdout=quiet, stderr=quiet)) for share in shares if share]
    try:
        for share, process in running:
            if process.wait() == 0:
                for sort in set(share) - {_PARTS}:
                    compiled.note_complete(sort)
    finally:
        for _, process in running:
            process.terminate()


def get_ready() -> None:
    """Load what kernels stand on, which numba does at a first call, before another thread wants Python's turn."""
    from bnrenorm.fused import pixels

    importlib.import_module("bnrenorm.fused.engine")
    pixels.density(np.zeros((1, 1), np.float32))


def main(wanted: list[str]) -> None:
    """Compile these sorts of kernels."""
    random = np.random.default_rng(0)
    images = (random.random((_IMAGES, 784)) < _LIT).astype(np.uint8)
    labels = np.arange(_IMAGES) % 10
    data = Dataset(images, labels, images, labels, "noise")
    for sort in wanted:
        if sort not in (*_ORDER, _PARTS):
            raise InputError(f"{sort}: expected some of {', '.join(_ORDER)}")
        trials = config.load("compare", [*_STEPS.get(sort, _OTHERS), "seeds=1"]).trials(_IMAGES)
        training = train.Training(trials[:1], data, kernels=FUSED)
        if training.engine is None:
            continue
        if sort == _PARTS:
            training.engine.compile_parts()
        elif sort == JUDGE:
            training.engine.judge(training.images, training.labels)
        else:
            training.rehearse(record=False)
