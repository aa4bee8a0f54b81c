"""How kernels are compiled: by numba, without the GIL, once per user where a cache can be kept."""

import hashlib
import importlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numba.extending

from bnrenorm.engines.cpu.codegen.subroutines import SubroutineCompiler

# Sums may be reordered and products fused, which vectors need; NaN and infinity stay what they are. References to
# arrays are not counted (`_nrt`): kernels make none, and to count was a tenth of a step.
_FLAGS: dict[str, Any] = {
    "nogil": True,
    "_nrt": False,
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
}
_INNER: dict[str, Any] = {**_FLAGS, "no_cpython_wrapper": True, "pipeline_class": SubroutineCompiler}
_LITERAL: dict[str, Any] = {**_INNER, "fastmath": False}
_VIEW: dict[str, Any] = {**_INNER, "_nrt": True}

intrinsic: Any = numba.extending.intrinsic
"""For functions that generate LLVM's language: numba, not the caller, gives them their first argument."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call; in every process anew where there is no folder for the compiled code."""
    return _kept(function, _FLAGS)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel, to be called from kernels only: Python finds no way in."""
    return numba.njit(**_INNER)(function)


def rule(function: Callable[..., Any]) -> Any:
    """Write a formula of scalars into every kernel that calls it, as if it stood there; `py_func` takes arrays."""
    return numba.njit(inline="always", **_INNER)(function)


def view(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel that returns an array, for which numba wants to be able to count references."""
    return numba.njit(**_VIEW)(function)


def shared(function: Callable[..., Any]) -> Any:
    """Compile a large part of a kernel as `inlined` does, and keep it: one process compiles it, another finds it."""
    return _kept(function, _INNER)


def _kept(function: Callable[..., Any], flags: dict[str, Any]) -> Any:
    folder = cache_folder()
    if folder is None:
        return numba.njit(**flags)(function)
    settings: Any = importlib.import_module("numba.core.config")
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder)
    try:
        return numba.njit(cache=True, **flags)(function)
    finally:
        settings.CACHE_DIR = before


def literal(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel as `inlined` does, in which nothing is reordered."""
    return numba.njit(**_LITERAL)(function)


def is_complete(kernels: str) -> bool:
    """Tell whether a set of kernels (`required`) is in the cache."""
    folder = cache_folder()
    return folder is not None and (folder / f"complete-{kernels}").exists()


def note_complete(kernels: str) -> None:
    """Note that a set of kernels is in the cache."""
    folder = cache_folder()
    if folder is not None:
        (folder / f"complete-{kernels}").touch()


@cache
def cache_folder() -> Path | None:
    """Find the user's folder for compiled kernels; None if it cannot be written.

    Its name has a digest of the sources of everything that is compiled: numba itself looks at the file of the outermost
    function alone.
    """
    package = Path(__file__).parents[1]
    sources = [*sorted(package.rglob("*.py")), package.parents[1] / "network" / "schedule.py"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    try:
        root = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(root) / "bnrenorm" / f"kernels-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except (OSError, RuntimeError):
        return None
    return folder
