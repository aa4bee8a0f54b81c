"""What the measurements were made on, without a name of the machine or of anybody."""

import importlib.metadata
import os
import platform

import psutil

from benchmarks.processes import cores
from bnrenorm import environment

_PACKAGES = ("numpy", "scipy", "numba", "chainer", "torch", "jax")


def describe() -> dict[str, str]:
    """Return processor, cores, memory, system and versions, as columns of the results; empty for what is not there."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = ""
    return {
        "processor": environment.processor(),
        "cores": str(len(cores())),
        "memory_gib": f"{psutil.virtual_memory().total / 2**30:.0f}",
        "system": _system(),
        "python": platform.python_version(),
        **versions,
    }


def sentence(machine: dict[str, str]) -> str:
    """Write a description out."""
    cores, memory = f"{machine['cores']} core" + "s" * (machine["cores"] != "1"), f"{machine['memory_gib']} GiB"
    versions = [f"{name} {machine[name]}" for name in ("python", *_PACKAGES) if machine[name]]
    return ", ".join([machine["processor"], cores, memory, machine["system"], *versions])


def busy() -> float:
    """Return the share of the cores that others use at the moment, 0 to 1, looking for a second."""
    return psutil.cpu_percent(interval=1) / 100 * (os.cpu_count() or 1) / len(cores())


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, AttributeError, KeyError):  # not Linux
        return f"{platform.system()} {platform.release()}"
