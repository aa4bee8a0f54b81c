"""How much memory a group of trials needs, and how much it may take: what was asked for, or a share of what is free."""

import re
import sys

import psutil

from bnrenorm import control_groups
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines import chainer_memory
from bnrenorm.engines import device as devices
from bnrenorm.engines.backend import CHAINER, CPU, Backend
from bnrenorm.engines.cpu import memory as cpu_memory
from bnrenorm.engines.cuda import memory as cuda_memory
from bnrenorm.engines.memory import Need
from bnrenorm.errors import InputError
from bnrenorm.numbers import size

_UNITS = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SHARE, _GPU_SHARE = 0.5, 0.8  # default shares of the free memory
_ENOUGH = 2**30  # for any of the shipped configs: taken even if it is more than that share


def parse_memory(text: str | None, device: str = "cpu", processes: int = 1) -> int:
    """Parse "4GiB" or "500 MB" to the bytes of a device's memory that all groups in training may take.

    None means half of the host's free memory, or 1 GiB of it if that is more; on a GPU 4/5 of what is free there.
    processes: how many of this host share it. Raises InputError.
    """
    if text is None and device != "cpu":
        return int(_GPU_SHARE * devices.free_memory(device))
    if text is None:
        free = free_memory(processes)
        return max(int(_SHARE * free), min(free, _ENOUGH))
    if not text.strip():
        raise InputError("--memory is empty, expected a size such as 4GiB")
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([KMG]i?B|B|)\s*", text, re.ASCII)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--memory {text}: expected a size such as 4GiB")
    return int(float(match[1]) * _UNITS[match[2]])


def free_memory(processes: int = 1) -> int:
    """Return the bytes that are free for so many processes, and within the limits of their container or batch job."""
    addresses = [processes * left for left in _addresses_left()]  # each process has a limit of its own
    return max(0, min([psutil.virtual_memory().available, *control_groups.memory_left(), *addresses]))


def _addresses_left() -> list[int]:
    """Return the bytes that are left of a limit on this process's address space (`ulimit -v`), if there is one."""
    if sys.platform != "linux":  # others have no such limit, or do not keep to it
        return []
    process = psutil.Process()
    limit, _ = process.rlimit(psutil.RLIMIT_AS)
    return [] if limit == psutil.RLIM_INFINITY else [limit - process.memory_info().vms]


def need(trial: Trial, data: Dataset, backend: Backend) -> Need:
    """Estimate the memory of groups of trials like this one: a GPU's, or the host's where a CPU trains."""
    engine = backend.engine_for(trial.settings)
    if engine == CHAINER:
        return chainer_memory.need(trial.settings, data, on_gpu=backend.device != "cpu")
    return (cpu_memory if engine == CPU else cuda_memory).need(trial.settings, data)


def check(trial: Trial, needed: Need, memory: int, sharing: int = 1) -> None:
    """Raise InputError if a group of this trial alone needs more than the memory, the share of each of `sharing`."""
    if needed.of(1) > memory:
        share, fewer = ("", "") if sharing == 1 else (f" as one of {sharing} workers", ", fewer --workers")
        raise InputError(
            f"{trial.variant}: one network needs about {size(needed.of(1))} of memory, but may take {size(memory)}"
            f"{share}; choose a smaller network or batch{fewer}, or a larger --memory"
        )
