"""A plugin of norms that take their time, that no worker survives, and that need more memory than a worker may have.

Each leaves a file with the number of its process, and counts in a variable that all of them use.
"""

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import psutil

import bnrenorm
from bnrenorm._compat import chainer
from bnrenorm.runs import group

group.SAVE_EVERY = 0.1


MADE = {"links": 0}


def mark():
    MADE["links"] += 1
    Path(os.environ["MARKS"], str(os.getpid())).touch()


class Slow(chainer.Link):
    def __init__(self, width):
        super().__init__()
        mark()

    def forward(self, x):
        if chainer.config.train:
            time.sleep(float(os.environ.get("PAUSE", "0")))
        return x


def is_worker():
    from distributed import get_worker

    try:
        return bool(get_worker())
    except ValueError:
        return False


def poison(width):
    if is_worker():
        mark()
        os.kill(os.getpid(), signal.SIGKILL)
    return Slow(width)


def full(width):
    if is_worker() and "FULL" in os.environ:
        size = psutil.Process().memory_info().vms + 100 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
        try:
            np.ones(2**28)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return Slow(width)


bnrenorm.register_norm("slow", Slow)
bnrenorm.register_norm("poison", poison)
bnrenorm.register_norm("full", full)
MADE["links"] = 1  # which is part of what they are, though it comes behind
