"""Normalisations of a user's own, by name: what `bnrenorm.register_norm` was given."""

import contextlib
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bnrenorm.errors import InputError

Factory = Callable[[int], Any]


@dataclass(frozen=True)
class Registered:
    """A factory, and a digest that changes when what it makes does: part of the address of its trials' results."""

    factory: Factory
    digest: str


_registered: dict[str, Registered] = {}


def register_norm(name: str, factory: Factory, *, version: str | None = None) -> None:
    """Make a Link of your own a normalisation that configs may name: `norm: {kind: custom, name: NAME}`.

    `factory(width)` returns a chainer.Link that maps a Variable (N, width) to another of that shape, by
    `chainer.config.train`, with all its parameters initialised and what it keeps between batches persistent. It is
    called once a replica and hidden layer, with NumPy's global generator seeded by the trial. Trained results are found
    again by the factory's source text; give a `version` where what it makes depends on code elsewhere, or where there
    is no source text. Raises InputError for a name that is no identifier, or where neither is to be had.
    """
    if not name.isidentifier():
        raise InputError(f"register_norm: name is {name!r}, expected letters, digits and _")
    if not callable(factory):
        raise InputError(f"register_norm: factory is {factory!r}, expected a function of the width, or a Link class")
    _registered[name] = Registered(factory, _digest(name, factory, version))


def _digest(name: str, factory: Factory, version: str | None) -> str:
    if version is not None:
        return f"version {version}"
    # A notebook keeps the source of functions, and of a class only that of its methods.
    methods = [each for _, each in sorted(getattr(factory, "__dict__", {}).items()) if inspect.isfunction(each)]
    for functions in ([factory], methods):
        with contextlib.suppress(OSError, TypeError):
            source = "".join(textwrap.dedent(inspect.getsource(function)) for function in functions)
            if source:
                return hashlib.sha256(source.encode()).hexdigest()[:16]
    raise InputError(f"register_norm: {name!r} has no source text to tell its results by; give version=")


def names() -> list[str]:
    """List the names that are registered."""
    return sorted(_registered)


def find(name: str) -> Registered:
    """Return what a name stands for. Raises KeyError if it is not registered."""
    return _registered[name]
