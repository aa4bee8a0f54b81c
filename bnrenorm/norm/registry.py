"""Registry of user-defined normalisations: `bnrenorm.register_norm`."""

import hashlib
import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bnrenorm.errors import InputError
from bnrenorm.norm import source

Factory = Callable[[int], Any]


@dataclass(frozen=True)
class Registered:
    """A factory, and the version that its results are identified by in place of its source text."""

    factory: Factory
    version: str | None


_registered: dict[str, Registered] = {}
_digests: dict[str, str] = {}  # of the versions or source texts as they were last read
_settled: set[str] = set()  # names whose digest is not read again
_before: dict[tuple[str, str], str] = {}  # by name and digest, the one before a training that changed it


def register_norm(name: str, factory: Factory, *, version: str | None = None) -> None:
    """Register a Link factory under a name that configs can use: `norm: {kind: custom, name: NAME}`.

    `factory(width)` returns a chainer.Link that maps a Variable (N, width) to a Variable of the same shape and dtype
    and follows `chainer.config.train`. All its parameters must be initialised, and state that it keeps between batches
    must be persistent. It is called once per replica and hidden layer, with NumPy's global generator seeded by trial
    and layer.

    Stored results are identified by the source text of the factory and of your own functions, classes and constants
    that it uses, in its file or notebook and in modules that are not installed: of Python's types, and NumPy's numbers
    and arrays, with their values when the experiment is loaded. Pass `version` if the Link also depends on other code
    or on objects of other libraries, or if there is no text.
    Raises InputError if name is not an identifier, factory cannot be called with the width alone, or there is neither
    source text nor a version.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(f"register_norm: name is {name!r}, expected letters, digits and _")
    if not isinstance(version, str | None):
        raise InputError(f"register_norm: version is {version!r}, expected text, such as {str(version)!r:.40}")
    bases = [] if isinstance(factory, type) else type(factory).__mro__
    is_link = any(cls.__module__.startswith("chainer.") for cls in bases)
    if is_link or not callable(factory):
        shown = f"a Link, {type(factory).__name__}" if is_link else repr(factory)
        example = "a function of the width, such as lambda width: L.BatchNormalization(width), or a Link class"
        raise InputError(f"register_norm: factory is {shown}, expected {example}")
    try:
        inspect.signature(factory).bind(1)
    except TypeError as error:
        raise InputError(f"register_norm: {name!r} cannot be called with the width alone: {error}") from error
    except ValueError:  # not every function that is written in C has a signature
        pass
    registered = Registered(factory, version)
    digest = _read(name, registered)
    _registered[name], _digests[name] = registered, _before.get((name, digest), digest)
    _settled.discard(name)


def _read(name: str, registered: Registered) -> str:
    if registered.version is not None:
        return f"version {registered.version}"
    if text := source.text_of(registered.factory):
        return hashlib.sha256(text.encode()).hexdigest()[:16]
    raise InputError(f"register_norm: {name!r} has no source text to identify its results by; pass version=")


def names() -> list[str]:
    """Return all registered names, sorted."""
    return sorted(_registered)


def find(name: str) -> Registered:
    """Return the factory registered under a name, with its version. Raises KeyError if there is none."""
    return _registered[name]


def reread() -> None:
    """Read all digests again: variables that factories use may have other values now, and their files other texts."""
    for name, digest in _current().items():
        _digests[name] = _before.get((name, digest), digest)


def settle(names: Iterable[str]) -> None:
    """Read the digests of a plugin's factories for the last time: what it has run to the end stays as it is."""
    reread()
    _settled.update(names)


def keep() -> None:
    """Take factories for what they were before a training, which may have changed what they use, such as a cache."""
    _before.update({(name, digest): _digests[name] for name, digest in _current().items()})


def _current() -> dict[str, str]:
    """Return the digests by their names, as they are now, without those that are settled or whose text is gone."""
    current = {}
    for name in _registered.keys() - _settled:
        with suppress(InputError):
            current[name] = _read(name, _registered[name])
    return current


def digest_of(name: str) -> str:
    """Return the digest of a factory's version or source text, part of the key of its trials' stored results.

    Raises KeyError if there is none of that name.
    """
    return _digests[name]


def factory_of(name: str, digest: str) -> Factory:
    """Return the factory of that name and digest, which decide where results are stored.

    Raises InputError if none, or another one, is registered by now.
    """
    if name not in _registered:
        raise InputError(
            f"norm {name!r} is not registered in this process, and workers know those of files under plugins only"
        )
    if digest_of(name) != digest:
        raise InputError(
            f"norm {name!r} was registered again, or what it uses has changed, since the experiment was loaded; load "
            "the experiment again"
        )
    return _registered[name].factory
