"""A user's own Link, one a replica, in the place of a stacked normalisation."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.errors import InputError
from bnrenorm.norm.registry import find
from bnrenorm.rng import Stream, generator


class LinkPerReplica(chainer.ChainList):
    """R links of a user's own, each of which sees the activations (N, D) of its replica alone."""

    def __init__(self, name: str, seeds: list[int], width: int, depth: int):
        super().__init__(*(_make(name, seed, width, depth) for seed in seeds))
        self.registered = name

    def forward(self, x: Any) -> Any:
        """Map a Variable or array (R, N, D) to a Variable of the same shape. Raises InputError if a link does not."""
        x = chainer.as_variable(x)
        ys = [link(x[replica]) for replica, link in enumerate(self)]
        for y in ys:
            if y.shape != x.shape[1:] or y.dtype != x.dtype:
                found = f"{x.dtype} {x.shape[1:]} to {y.dtype} {y.shape}"
                raise InputError(f"norm {self.registered!r} maps {found}, expected the same shape and dtype")
        return F.stack(ys)


def _make(name: str, seed: int, width: int, depth: int) -> Any:
    """Call the factory with NumPy's global generator, which Chainer's initialisers draw from, seeded for the moment."""
    kept = np.random.get_state()  # noqa: NPY002 - the generator of Chainer's initialisers
    np.random.seed(generator(seed, Stream.CUSTOM, depth).integers(2**32))  # noqa: NPY002
    try:
        link = find(name).factory(width)
    finally:
        np.random.set_state(kept)  # noqa: NPY002
    if not isinstance(link, chainer.Link):
        raise InputError(f"norm {name!r}: the factory returned {type(link).__name__}, expected a chainer.Link")
    waiting = [path for path, parameter in link.namedparams() if parameter.array is None]
    if waiting:
        raise InputError(f"norm {name!r}: parameter {waiting[0]} is not initialised; give the link its width")
    return link
