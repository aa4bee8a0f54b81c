"""Where arrays live: the CPU, or one CUDA GPU by way of CuPy."""

import importlib
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


FORMULAS, FUSED = "formulas", "fused"


def choose_kernels(name: str, on: str) -> str:
    """Turn "auto" into "fused" where numba works and a CPU is asked for, and check "fused" and "formulas".

    Raises InputError for another name, or fused kernels where there are none.
    """
    if name not in ("auto", FUSED, FORMULAS):
        raise InputError(f"--kernels {name}: expected auto, fused or formulas")
    if name == FORMULAS or on != "cpu":
        if name == FUSED:
            raise InputError(f"--kernels fused: there are none for {on}, expected auto or formulas")
        return FORMULAS
    try:
        importlib.import_module("numba")
    except ImportError as error:
        if name == FUSED:
            raise InputError(f"--kernels fused: numba cannot be imported: {error}") from error
        return FORMULAS
    return FUSED


def resident(name: str) -> Any:
    """Return Chainer's device for a name that `choose` gave."""
    return _compat.chainer.get_device("@numpy" if name == "cpu" else f"@cupy:{name.removeprefix('cuda:')}")
