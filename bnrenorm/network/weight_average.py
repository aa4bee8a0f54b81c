"""The moving average of the weights, which is evaluated in their place. [BRN17, sec. 4]"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bnrenorm.network.mlp import MLP
from bnrenorm.norm import formulas

Array = Any


class WeightAverage:
    """Averages of all parameters by path, `arrays`; empty where nothing is averaged.

    `decays` has the weight of the old average for each replica, or None for all of them.
    """

    def __init__(self, network: MLP, decays: list[float | None]):
        self.network = network
        self.arrays: dict[str, Array] = {}
        if decays[0] is not None:
            decay = network.xp.asarray(np.array(decays, np.float32).reshape(-1, 1, 1))
            self.arrays = {name: parameter.array.copy() for name, parameter in network.namedparams()}
            owner = network.replica_of
            self.decays = {name: decay[owner[name], 0, 0] if name in owner else decay for name in self.arrays}

    def update(self) -> None:
        """Average the weights of a new step in."""
        parameters = dict(self.network.namedparams())
        for name, array in self.arrays.items():
            array[...] = formulas.moving_average(array, parameters[name].array, self.decays[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averages in the parameters' place while the context lasts."""
        parameters = dict(self.network.namedparams())
        kept = {name: parameters[name].array for name in self.arrays}
        try:
            for name, array in self.arrays.items():
                parameters[name].array = array
            yield
        finally:
            for name, array in kept.items():
                parameters[name].array = array
