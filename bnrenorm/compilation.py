"""Compiling the kernels on a new machine, the two sorts of training side by side: half the wait."""

import subprocess
import sys

import numpy as np

from bnrenorm import config, train
from bnrenorm.data.dataset import Dataset
from bnrenorm.device import FUSED
from bnrenorm.errors import InputError

_IMAGES = 20
_SORTS = {  # what is trained for a step to have its kernels compiled
    "small": ["training.batch={kind: iid, size: 10}"],
    "full": ["training.batch=full"],
    "deep": ["training.batch=full", "model.hidden=[8, 8]", "model.order=linear-norm-activation"],
}
_PROCESSES = [["small"], ["full", "deep"]]


def wanted() -> bool:
    """Tell whether kernels are still to be compiled on this machine; False where they cannot be kept."""
    from bnrenorm.fused import compiled

    return compiled.cache_folder() is not None and not compiled.complete()


def compile_kernels() -> None:
    """Compile all kernels into the user's cache."""
    from bnrenorm.fused import compiled

    command = [sys.executable, "-m", "bnrenorm.compilation"]
    quiet = subprocess.DEVNULL  # if it fails, the training will say what is wrong
    running = [subprocess.Popen([*command, *sorts], stdout=quiet, stderr=quiet) for sorts in _PROCESSES]
    try:
        codes = [process.wait() for process in running]
        if not any(codes):
            compiled.complete(now=True)
    finally:
        for process in running:
            process.terminate()


def main(sorts: list[str]) -> None:
    """Compile what trainings of these sorts need."""
    random = np.random.default_rng(0)
    images = random.integers(0, 2, (_IMAGES, 784)).astype(np.uint8)
    labels = np.arange(_IMAGES) % 10
    data = Dataset(images, labels, images, labels, "noise")
    for sort in sorts:
        if sort not in _SORTS:
            raise InputError(f"{sort}: expected some of {', '.join(_SORTS)}")
        trials = config.load("compare", [*_SORTS[sort], "seeds=1"]).trials(_IMAGES)
        train.Training(trials[:1], data, kernels=FUSED).rehearse(record=sort == "full")


if __name__ == "__main__":
    main(sys.argv[1:])
