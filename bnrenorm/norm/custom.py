"""User-defined normalisation: one Link per replica, used where a stacked normalisation would be."""

import weakref
from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.errors import InputError
from bnrenorm.norm.registry import Factory, factory_of, find
from bnrenorm.norm.user_code import guarded
from bnrenorm.rng import Stream, generator

_made: weakref.WeakSet = weakref.WeakSet()  # all living links that factories have returned, with their children


class LinkPerReplica(chainer.ChainList):
    """R user-defined links; each gets only the activations (N, D) of its own replica.

    Raises InputError if another factory is registered under `name` than that of the digest `source`, or if it raises or
    does not return a new, initialised chainer.Link.
    """

    def __init__(self, name: str, source: str, seeds: list[int], width: int, depth: int):
        factory = factory_of(name, source)
        super().__init__(*(_make(name, factory, seed, width, depth) for seed in seeds))
        self.registered = name

    def forward(self, x: Any) -> Any:
        """Map a Variable or array (R, N, D) to a Variable of the same shape.

        Raises InputError if a link raises, or returns something else.
        """
        x = chainer.as_variable(x)
        with guarded(f"norm {self.registered!r} of {x.dtype} {x.shape[1:]}", find(self.registered).factory):
            ys = [link(own) for link, own in zip(self, F.separate(x), strict=True)]
        for y in ys:
            if not isinstance(y, chainer.Variable):
                raise InputError(f"norm {self.registered!r} returns {type(y).__name__}, expected a Variable")
            if y.shape != x.shape[1:] or y.dtype != x.dtype:
                mapping = f"{x.dtype} {x.shape[1:]} to {y.dtype} {y.shape}"
                raise InputError(f"norm {self.registered!r} maps {mapping}, expected the same shape and dtype")
        return F.stack(ys)


def _make(name: str, factory: Factory, seed: int, width: int, depth: int) -> Any:
    """Call the factory with NumPy's global generator, which Chainer's initialisers use, seeded by trial and layer."""
    global_state = np.random.get_state()  # noqa: NPY002 - the generator of Chainer's initialisers
    np.random.seed(generator(seed, Stream.CUSTOM, depth).integers(2**32))  # noqa: NPY002
    try:
        with guarded(f"norm {name!r} of width {width}", factory):
            link = factory(width)
    finally:
        np.random.set_state(global_state)  # noqa: NPY002
    if not isinstance(link, chainer.Link):
        raise InputError(f"norm {name!r}: the factory returned {type(link).__name__}, expected a chainer.Link")
    if any(part in _made for part in link.links()):
        raise InputError(f"norm {name!r}: the factory returned one Link twice, expected a new one at each call")
    _made.update(link.links())
    uninitialised = [path for path, parameter in link.namedparams() if parameter.array is None]
    if uninitialised:
        raise InputError(f"norm {name!r}: parameter {uninitialised[0]} is not initialised; give the link its width")
    return link
