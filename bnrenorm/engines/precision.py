"""Double precision, for proofs: two engines that agree in float64 compute the same thing."""

from typing import Any

import numpy as np

from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.replicas import Replicas

Array = Any


def to_double(replicas: Replicas, inputs: Inputs) -> None:
    """Convert a group's parameters, optimizer states, averages, statistics and images to float64, in place.

    Before an engine is made of them. Hyperparameters stay float32 numbers.
    """

    def double(array: Array) -> Array:
        return array.astype(np.float64) if getattr(array, "dtype", None) == np.float32 else array

    for parameter in replicas.network.params():
        parameter.array = double(parameter.array)
        states = parameter.update_rule.state
        states.update({name: double(value) for name, value in states.items()})
    for _, link, attribute in list(replicas.network.persistents):
        setattr(link, attribute, double(getattr(link, attribute)))
    for arrays in (replicas.average.arrays, replicas.best):
        arrays.update({name: double(array) for name, array in arrays.items()})
    inputs.images = double(inputs.images)
    inputs.eval_sets = {name: (double(images), labels) for name, (images, labels) in inputs.eval_sets.items()}
