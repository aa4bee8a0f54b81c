"""Batch normalisation against batch renormalisation, on Chainer, with an honest verdict."""

import importlib
from typing import TYPE_CHECKING, Any

from bnrenorm import _compat
from bnrenorm.errors import InputError

if TYPE_CHECKING:
    from bnrenorm.api import load, run
    from bnrenorm.norm.dropin import BatchNormalization, BatchRenormalization
    from bnrenorm.norm.registry import register_norm
    from bnrenorm.norm.schedule import PAPER_SCHEDULE, Ramp

__version__ = "0.1.0"
__all__ = [
    "PAPER_SCHEDULE",
    "BatchNormalization",
    "BatchRenormalization",
    "InputError",
    "Ramp",
    "__version__",
    "load",
    "register_norm",
    "run",
]


def _retrieve_mnist(name: str, urls: object) -> Any:  # in place of Chainer's download: see `_compat`
    return importlib.import_module("bnrenorm.data.mnist").retrieve(name)


_compat.install()

# Loaded when asked for, so that `import bnrenorm` costs no Chainer.
_LAZY = {
    "BatchNormalization": "bnrenorm.norm.dropin",
    "BatchRenormalization": "bnrenorm.norm.dropin",
    "PAPER_SCHEDULE": "bnrenorm.norm.schedule",
    "Ramp": "bnrenorm.norm.schedule",
    "load": "bnrenorm.api",
    "register_norm": "bnrenorm.norm.registry",
    "run": "bnrenorm.api",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """Return the public names, loaded or not: what is offered to complete `bnrenorm.`."""
    return list(__all__)
