"""Devices by name: "cpu", or "cuda:N" through CuPy."""

import re
from typing import Any

from bnrenorm import _compat
from bnrenorm.errors import InputError


def choose(name: str) -> str:
    """Return the device for a name: "auto" is "cuda:0" if there is a GPU and "cpu" otherwise.

    Raises InputError for anything but "auto", "cpu" and "cuda:N", and for a GPU that does not exist.
    """
    count = _compat.gpu_count()
    if name == "auto":
        return "cuda:0" if count else "cpu"
    match = re.fullmatch(r"cpu|cuda:(\d+)", name)
    if match is None:
        raise InputError(f"--device {name}: expected auto, cpu or cuda:N")
    if match[1] is not None and int(match[1]) >= count:
        available = f"{count} found by CuPy" if count else "none found; `bnrenorm doctor` says what is missing"
        raise InputError(f"--device {name}: there is no such GPU ({available})")
    return name


def chainer_device(name: str) -> Any:
    """Return Chainer's device object for a name returned by `choose`."""
    return _compat.chainer.get_device("@numpy" if name == "cpu" else f"@cupy:{name.removeprefix('cuda:')}")
