"""A network's parameters, optimizer states and statistics as kernels take them: one row per replica."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.engines.cpu.codegen.alignment import aligned, whole_lines
from bnrenorm.engines.cpu.ops.layout import ParameterLayout
from bnrenorm.engines.spec import EXP_AVG, EXP_AVG_SQ, KernelSpec
from bnrenorm.network.mlp import MLP

Pair = tuple[np.ndarray, np.ndarray]


class ReplicaRows(NamedTuple):
    """One replica's rows; an array is empty where there is nothing to keep."""

    p: np.ndarray  # (P,) parameters, laid out as in `ops.layout`
    exp_avg: np.ndarray  # (P,) velocity of momentum, first moment of Adam
    exp_avg_sq: np.ndarray  # (P,) second moment of Adam and RMSprop
    average: np.ndarray  # (P,) moving average of the parameters
    run: np.ndarray  # (Q,) running statistics


class Stack(NamedTuple):
    """A group of R trials as kernels train them, on so many threads."""

    trials: list[Trial]
    spec: KernelSpec
    layout: ParameterLayout
    rows: "StackedParameters"
    workers: int

    def by_seed(self, replicas: list[int]) -> dict[int, list[int]]:
        """Return the replicas of each seed: they share batches."""
        of_seed: dict[int, list[int]] = {}
        for replica in replicas:
            of_seed.setdefault(self.trials[replica].seed, []).append(replica)
        return of_seed


class StackedParameters:
    """Copies of a network's parameters, optimizer states, averages (R, P) and running statistics (R, Q).

    `load` copies from the network and `store` to it; in between only the rows are up to date.
    """

    def __init__(self, network: MLP, optimizer: str, average: dict[str, np.ndarray], pitch: int):
        self.pitch, self.norms = pitch, network.batch_norms
        parameters = _parameters(network)
        self.arrays = [parameter.array for _, parameter in parameters]
        self.averaged = [average[name] for name, _ in parameters] if average else []
        first, *others = self.arrays
        replicas, _, inputs = first.shape
        length = inputs * pitch + sum(array[0].size for array in others)
        self.p = _rows(replicas, length)
        self.states = {
            name: [parameter.update_rule.state[slots[optimizer]] for _, parameter in parameters]
            if optimizer in slots
            else []
            for name, slots in (("exp_avg", EXP_AVG), ("exp_avg_sq", EXP_AVG_SQ))
        }
        self.exp_avg, self.exp_avg_sq = (_rows(replicas, length if arrays else 0) for arrays in self.states.values())
        self.average = _rows(replicas, length if average else 0)
        self.run = np.empty((replicas, 2 * sum(norm.run_mean.shape[2] for norm in self.norms)), np.float32)

    def of(self, replica: int) -> ReplicaRows:
        """Return a replica's rows, as views."""
        rows = (self.p, self.exp_avg, self.exp_avg_sq, self.average, self.run)
        return ReplicaRows(*(row[replica] for row in rows))

    def load(self) -> None:
        """Copy everything from the network."""
        for theirs, ours in self._pairs():
            ours[...] = theirs
        self.load_statistics()

    def store(self) -> None:
        """Copy everything to the network."""
        for theirs, ours in self._pairs():
            theirs[...] = ours
        self.store_statistics()

    def load_statistics(self) -> None:
        """Copy the running statistics from the network."""
        for theirs, ours in self._statistics():
            ours[...] = theirs

    def store_statistics(self) -> None:
        """Copy the running statistics to the network."""
        for theirs, ours in self._statistics():
            theirs[...] = ours

    def _pairs(self) -> Iterator[Pair]:
        """Pair the network's arrays, but for the running statistics, with views of the rows."""
        yield from self._views(self.arrays, self.p)
        yield from self._views(self.states["exp_avg"], self.exp_avg)
        yield from self._views(self.states["exp_avg_sq"], self.exp_avg_sq)
        yield from self._views(self.averaged, self.average)

    def _views(self, arrays: list[np.ndarray], rows: np.ndarray) -> Iterator[Pair]:
        if not arrays:
            return
        first, *others = arrays
        replicas, width, inputs = first.shape
        offset = inputs * self.pitch
        yield first, rows[:, :offset].reshape(replicas, inputs, self.pitch)[:, :, :width].swapaxes(1, 2)
        for array in others:
            size = array[0].size
            yield array, rows[:, offset : offset + size].reshape(array.shape)
            offset += size

    def _statistics(self) -> Iterator[Pair]:
        offset = 0
        for array in (array for norm in self.norms for array in (norm.run_mean, norm.run_scale)):
            size = array.shape[2]
            yield array, self.run[:, None, offset : offset + size]
            offset += size


def _rows(replicas: int, length: int) -> np.ndarray:
    """Return zeros (R, length), float32, each row of which begins at a cache line."""
    return aligned(replicas, whole_lines(length), np.float32, np.zeros)[:, :length]


def _parameters(network: MLP) -> list[tuple[str, Any]]:
    """List the network's parameters with their paths in the order of `ops.layout`."""
    named = []
    for depth, linear in enumerate(network.linears):
        named += [(f"/linears/{depth}/W", linear.W), (f"/linears/{depth}/b", linear.b)]
        if depth < len(network.norms) and network.norms[depth].affine.per != "none":
            affine = network.norms[depth].affine
            named += [(f"/norms/{depth}/affine/gamma", affine.gamma), (f"/norms/{depth}/affine/beta", affine.beta)]
    return named
