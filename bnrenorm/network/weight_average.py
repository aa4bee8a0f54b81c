"""Moving averages of the parameters, for evaluation instead of the parameters themselves. [BRN17, sec. 4]"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bnrenorm.network.mlp import MLP
from bnrenorm.norm import formulas

Array = Any


class WeightAverage:
    """Moving averages of all parameters: `arrays` maps paths to averages, and is empty if nothing is averaged.

    `decays` has one value per replica, the weight of the old average; all are None if nothing is averaged.
    """

    def __init__(self, network: MLP, decays: list[float | None]):
        self.network = network
        self.arrays: dict[str, Array] = {}
        if decays[0] is not None:
            decay = network.xp.asarray(np.array(decays, np.float32).reshape(-1, 1, 1))
            self.arrays = {name: parameter.array.copy() for name, parameter in network.namedparams()}
            replica_of = network.replica_of
            self.decays = {name: decay[replica_of[name], 0, 0] if name in replica_of else decay for name in self.arrays}

    def update(self) -> None:
        """Update the averages with the current parameters, after a training step."""
        parameters = dict(self.network.namedparams())
        for name, array in self.arrays.items():
            array[...] = formulas.moving_average(array, parameters[name].array, self.decays[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Context in which the network's parameters are replaced by their averages."""
        parameters = dict(self.network.namedparams())
        originals = {name: parameters[name].array for name in self.arrays}
        try:
            for name, array in self.arrays.items():
                parameters[name].array = array
            yield
        finally:
            for name, array in originals.items():
                parameters[name].array = array
