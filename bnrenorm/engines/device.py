"""Devices by name: the CPU, or one CUDA GPU through CuPy."""

import re
from typing import Any

from bnrenorm import _compat
from bnrenorm.errors import InputError


def choose(name: str) -> str:
    """Turn "auto" into "cuda:0" where there is a GPU and "cpu" elsewhere, and check "cpu" and "cuda:N".

    Raises InputError for another name, or a GPU that is not there.
    """
    count = _compat.gpu_count()
    if name == "auto":
        return "cuda:0" if count else "cpu"
    match = re.fullmatch(r"cpu|cuda:(\d+)", name)
    if match is None:
        raise InputError(f"--device {name}: expected auto, cpu or cuda:N")
    if match[1] is not None and int(match[1]) >= count:
        found = f"{count} found by CuPy" if count else "none found; `bnrenorm doctor` says what is missing"
        raise InputError(f"--device {name}: there is no such GPU ({found})")
    return name


def chainer_device(name: str) -> Any:
    """Return Chainer's device for a name that `choose` returned."""
    return _compat.chainer.get_device("@numpy" if name == "cpu" else f"@cupy:{name.removeprefix('cuda:')}")
