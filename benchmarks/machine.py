"""A description of the machine, without host or user names."""

import importlib.metadata
import os
import platform

import psutil

from benchmarks.processes import cores
from bnrenorm import environment

_PACKAGES = ("numpy", "scipy", "numba", "chainer", "torch", "jax")


def describe() -> dict[str, str]:
    """Return processor, cores, memory, system and versions as columns of the results; missing packages are empty."""
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
    """Return a description as one sentence."""
    cores, memory = f"{machine['cores']} core" + "s" * (machine["cores"] != "1"), f"{machine['memory_gib']} GiB"
    versions = [f"{name} {machine[name]}" for name in ("python", *_PACKAGES) if machine[name]]
    return ", ".join([machine["processor"], cores, memory, machine["system"], *versions])


def busy() -> float:
    """Return the fraction (0 to 1) of the cores that other programs use, measured over one second."""
    return psutil.cpu_percent(interval=1) / 100 * (os.cpu_count() or 1) / len(cores())


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, AttributeError, KeyError):  # not Linux
        return f"{platform.system()} {platform.release()}"
