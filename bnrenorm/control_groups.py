"""What a container or a batch job leaves to this process: the limits of Linux's control groups, versions 1 and 2.

A container may see its own group as the root, under a path that leads nowhere there. Source: Linux kernel documentation
(admin-guide/cgroup-v1/memory, scheduler/sched-bwc, admin-guide/cgroup-v2).
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bnrenorm import disk

_OF_PROCESS, _MOUNTED = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_MEMORY = {  # of a group of either version: its limit, what it takes, and the part of that it can give back
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def memory_left() -> list[int]:
    """Return the bytes that are left in each group with a limit; below 0 in one that takes more."""
    left: list[int] = []
    for version, group in _groups("memory"):
        with suppress(OSError, ValueError, KeyError):
            limit, usage, spare = _MEMORY[version]
            stat = dict(line.split() for line in _text(group / "memory.stat").splitlines())
            left.append(int(_text(group / limit)) - int(_text(group / usage)) + int(stat[spare]))
    return left


def processors() -> list[float]:
    """Return the processor time that each group with a limit has, in cores: 1.5 is 150 % of one."""
    limits: list[float] = []
    for version, group in _groups("cpu"):
        with suppress(OSError, ValueError):
            if version == 1:
                quota, period = (_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
            else:
                quota, period = _text(group / "cpu.max").split()
            if int(quota) > 0 and int(period) > 0:  # -1 is no limit
                limits.append(int(quota) / int(period))
    return limits


def _groups(controller: str) -> Iterator[tuple[int, Path]]:
    """Yield version and folder of the groups that limit this process by a controller, each group before its parents."""
    with suppress(OSError, ValueError):
        for line in _text(_OF_PROCESS).splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            root, version = (_MOUNTED / controller, 1) if controllers else (_MOUNTED, 2)
            own = root / path.lstrip("/")
            yield from ((version, folder) for folder in (own, *own.parents) if folder.is_relative_to(root))


def _text(path: Path) -> str:
    return disk.read(path).decode()
