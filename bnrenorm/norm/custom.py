"""User-defined normalisation: one Link per replica, used where a stacked normalisation would be."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.errors import InputError
from bnrenorm.norm.registry import Factory, factory_of, find
from bnrenorm.norm.user_code import guarded
from bnrenorm.rng import Stream, generator

_LAYERS = 2**16  # more than a network has
_made: weakref.WeakSet = weakref.WeakSet()  # all living links that factories have returned, with their children


class LinkPerReplica(chainer.ChainList):
    """R user-defined links; each gets only the activations (N, D) of its own replica.

    Each is called with NumPy's global generator seeded by its seed, its layer and the step: what it draws from there
    (Chainer's initialisers do, and on a CPU F.dropout) is the same in any company and after a resume.

    Raises InputError if another factory is registered under `name` than that of the digest `source`, or if it raises or
    does not return a new, initialised chainer.Link.
    """

    def __init__(self, name: str, source: str, seeds: list[int], width: int, depth: int):
        factory = factory_of(name, source)
        super().__init__(*(_make(name, factory, seed, width, depth) for seed in seeds))
        self.registered, self.seeds, self.depth = name, seeds, depth
        self.step = 0  # of the training, set by the network: what links draw in a step is a function of it

    def forward(self, x: Any) -> Any:
        """Map a Variable or array (R, N, D) to a Variable of the same shape.

        Raises InputError if a link raises, or returns something else.
        """
        x = chainer.as_variable(x)
        with guarded(f"norm {self.registered!r} of {x.dtype} {x.shape[1:]}", find(self.registered).factory):
            ys = [self._call(link, seed, own) for link, seed, own in zip(self, self.seeds, F.separate(x), strict=True)]
        for y in ys:
            if not isinstance(y, chainer.Variable):
                raise InputError(f"norm {self.registered!r} returns {type(y).__name__}, expected a Variable")
            if y.shape != x.shape[1:] or y.dtype != x.dtype:
                mapping = f"{x.dtype} {x.shape[1:]} to {y.dtype} {y.shape}"
                raise InputError(f"norm {self.registered!r} maps {mapping}, expected the same shape and dtype")
        return F.stack(ys)

    def _call(self, link: Any, seed: int, x: Any) -> Any:
        with _seeded(generator(seed, Stream.CUSTOM_STEP, self.step * _LAYERS + self.depth)):
            return link(x)


@contextmanager
def _seeded(random: np.random.Generator) -> Iterator[None]:
    """Context in which NumPy's global generator, which Chainer uses, is seeded by another one."""
    state = np.random.get_state()  # noqa: NPY002 - the generator of Chainer's initialisers
    np.random.seed(random.integers(2**32))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _make(name: str, factory: Factory, seed: int, width: int, depth: int) -> Any:
    """Call the factory with NumPy's global generator seeded by trial and layer."""
    with _seeded(generator(seed, Stream.CUSTOM, depth)), guarded(f"norm {name!r} of width {width}", factory):
        link = factory(width)
    if not isinstance(link, chainer.Link):
        raise InputError(f"norm {name!r}: the factory returned {type(link).__name__}, expected a chainer.Link")
    if any(part in _made for part in link.links()):
        raise InputError(f"norm {name!r}: the factory returned one Link twice, expected a new one at each call")
    _made.update(link.links())
    uninitialised = [path for path, parameter in link.namedparams() if parameter.array is None]
    if uninitialised:
        raise InputError(f"norm {name!r}: parameter {uninitialised[0]} is not initialised; give the link its width")
    return link
