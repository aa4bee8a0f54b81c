"""How kernels are compiled: by numba, without the GIL, once per user where a cache folder can be written."""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numba.extending

from bnrenorm.engines.cpu.codegen import numba_private

# Sums may be reordered and products fused with sums, which vectorisation needs; NaN and infinity keep their meaning.
_FASTMATH = {"reassoc", "contract", "nsz", "arcp"}
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": _FASTMATH, "error_model": "numpy"}
_KERNEL: dict[str, Any] = {**_OPTIONS, **numba_private.KERNEL_OPTIONS}
_SUBROUTINE: dict[str, Any] = {**_OPTIONS, **numba_private.SUBROUTINE_OPTIONS}
_STRICT: dict[str, Any] = {**_SUBROUTINE, "fastmath": False}
_VIEW: dict[str, Any] = {**_OPTIONS, **numba_private.VIEW_OPTIONS}

_MARK = "complete-"  # prefix of the empty files that tell which sets of kernels are in the cache

intrinsic: Any = numba.extending.intrinsic
"""For functions that generate LLVM IR. numba passes the first argument; callers pass the others."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls, at its first call; cached on disk where there is a cache folder."""
    return _cached(function, _KERNEL)


def subroutine(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel. It can be called from kernels only, and not from Python."""
    return numba.njit(**_SUBROUTINE)(function)


def cached_subroutine(function: Callable[..., Any]) -> Any:
    """Compile a large part of a kernel as `subroutine` does, cached on disk: another process need not compile it."""
    return _cached(function, _SUBROUTINE)


def strict_subroutine(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel as `subroutine` does, without reordering or fusing any operation."""
    return numba.njit(**_STRICT)(function)


def formula(function: Callable[..., Any]) -> Any:
    """Inline a formula of scalars into every kernel that uses it, before numba infers types.

    A call for every element instead would let LLVM fuse other operations, and so change bits. The attribute `py_func`
    is the plain Python function, which takes arrays as well.
    """
    return numba.njit(inline="always", **_SUBROUTINE)(function)


def view(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel that returns an array, which numba permits only with reference counts switched on."""
    return numba.njit(**_VIEW)(function)


def _cached(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    compiled = numba.njit(**options)(function)
    folder = cache_folder()
    if folder is not None:
        numba_private.keep_on_disk(compiled, folder)
    return compiled


def complete() -> set[str]:
    """Return the sets of kernels (`required`) that are in the cache: none if a file there was cut."""
    folder = cache_folder()
    if folder is None:
        return set()
    marks = {path.name.removeprefix(_MARK): path for path in folder.glob(f"{_MARK}*")}
    damaged = [path for path in folder.rglob("*.nb[ci]") if not _is_whole(path)]
    for path in (*damaged, *marks.values()) if damaged else ():
        with suppress(OSError):
            path.unlink()
    return set() if damaged else set(marks)


def note_complete(kernels: str) -> None:
    """Note that a set of kernels is in the cache."""
    folder = cache_folder()
    if folder is not None:
        with suppress(OSError):  # a full disk
            (folder / f"{_MARK}{kernels}").touch()


def _is_whole(path: Path) -> bool:
    """Tell whether a file of the cache ends as every pickle does, so that it was not cut, as by a crash."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == pickle.STOP
    except OSError:
        return False


@cache
def cache_folder() -> Path | None:
    """Return the user's folder for compiled kernels; None if it cannot be written.

    Its name contains a digest of all that decides whether numba finds machine code there: the sources of everything
    that is compiled (numba itself only checks the file of the outermost function), where they are, and
    `numba_private.environment`. So what one installation has compiled is never taken for what another one has.
    """
    package = Path(__file__).parents[1]
    shared = [package.parent / "spec.py", package.parents[1] / "network" / "schedule.py"]
    sources = [*sorted(package.rglob("*.py")), *shared]
    content = [path.read_bytes() for path in sources] + [str(package).encode(), numba_private.environment().encode()]
    digest = hashlib.sha256(b"\0".join(content)).hexdigest()[:16]
    try:
        root = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(root) / "bnrenorm" / f"kernels-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # without a name: nothing stays
    except (OSError, RuntimeError):
        return None
    return folder
