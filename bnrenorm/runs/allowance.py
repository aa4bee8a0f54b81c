"""How much memory a group of trials may take: what was asked for, or a share of what is free."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from bnrenorm import disk
from bnrenorm.engines import device as devices
from bnrenorm.errors import InputError

_UNITS = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SHARE, _GPU_SHARE = 0.5, 0.8  # default shares of the free memory
_ENOUGH = 2**30  # for any of the shipped configs: taken even if it is more than that share
_OF_PROCESS, _MOUNTED = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_FILES = {  # of a control group of either version: its limit, what it takes, and the part of that it can give back
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def parse_memory(text: str | None, device: str = "cpu") -> int:
    """Parse "4GiB" or "500 MB" to the bytes of a device's memory that a group may take.

    None means half of the host's free memory, or 1 GiB of it if that is more; on a GPU 4/5 of what is free there.
    Raises InputError.
    """
    if text is None and device != "cpu":
        return int(_GPU_SHARE * devices.free_memory(device))
    if text is None:
        free = free_memory()
        return max(int(_SHARE * free), min(free, _ENOUGH))
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([KMG]i?B|B|)\s*", str(text), re.ASCII)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--memory {text}: expected a size such as 4GiB")
    return int(float(match[1]) * _UNITS[match[2]])


def free_memory() -> int:
    """Return the bytes that are free on this machine, and within the limits of its container or batch job."""
    return max(0, min([psutil.virtual_memory().available, *_left_in_control_groups()]))


def _left_in_control_groups() -> Iterator[int]:
    """Yield what is left to the process in each control group that it is in.

    A container may see its own group as the root, under a path that leads nowhere there. Source: control groups of
    version 1 and 2, Linux kernel documentation (admin-guide/cgroup-v1/memory, admin-guide/cgroup-v2).
    """
    with suppress(OSError, ValueError):
        for line in disk.read(_OF_PROCESS).decode().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            root, version = (_MOUNTED / "memory", 1) if controllers else (_MOUNTED, 2)
            own = root / path.lstrip("/")
            for group in (folder for folder in (own, *own.parents) if folder.is_relative_to(root)):
                with suppress(OSError, ValueError, KeyError):
                    yield _left(group, *_FILES[version])


def _left(group: Path, limit: str, usage: str, spare: str) -> int:
    """Return the bytes left in a group. Raises OSError, ValueError or KeyError if it has no limit."""
    stat = dict(line.split() for line in disk.read(group / "memory.stat").decode().splitlines())
    return int(disk.read(group / limit)) - int(disk.read(group / usage)) + int(stat[spare])
