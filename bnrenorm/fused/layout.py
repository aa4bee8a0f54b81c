"""Stacked replicas as kernels have them: one row of numbers a replica, and settings as plain numbers."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.config.norms import LayerNorm, NoNorm
from bnrenorm.config.schema import Settings
from bnrenorm.fused import types, update
from bnrenorm.fused.types import Kind, Numbers, Places
from bnrenorm.fused.vectors import LINE
from bnrenorm.model import Perceptron

_SLOTS = {"sgd": (), "momentum_sgd": ("v",), "adam": ("m", "v"), "rmsprop": ("ms",)}


class Rows:
    """Copies of a network's parameters, optimizer's states, average and running statistics: (R, P) and (R, Q).

    Parameters stand in the order W, b, gamma, beta of every layer, the first layer's W by input, (D, pitch). `load`
    takes the network's numbers, `store` gives them back; in between the rows are what counts.
    """

    def __init__(self, network: Perceptron, kind: str, average: dict[str, np.ndarray], pitch: int):
        self.pitch = pitch
        self.parameters = _parameters(network)
        self.norms = network.batch_norms
        self.averaged = [average[name] for name, _ in self.parameters] if average else []
        self.slots = _SLOTS[kind]
        first, *others = (parameter.array for _, parameter in self.parameters)
        replicas, _, inputs = first.shape
        length = inputs * pitch + sum(each[0].size for each in others)
        self.p = _aligned(replicas, length)
        self.states = [_aligned(replicas, length if i < len(self.slots) else 0) for i in range(2)]
        self.average = _aligned(replicas, length if average else 0)
        self.run = np.empty((replicas, 2 * sum(norm.run_mean.shape[2] for norm in self.norms)), np.float32)

    def load(self) -> None:
        """Copy from the network."""
        for theirs, ours in self._pairs():
            ours[...] = theirs
        self.load_statistics()

    def store(self) -> None:
        """Copy to the network."""
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

    def of(self, replica: int) -> tuple[np.ndarray, ...]:
        """Return a replica's parameters, two states of the optimizer, average and running statistics."""
        return (
            self.p[replica],
            self.states[0][replica],
            self.states[1][replica],
            self.average[replica],
            self.run[replica],
        )

    def _pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pair the network's parameters, and what belongs to them, with views of the rows."""
        yield from self._views([parameter.array for _, parameter in self.parameters], self.p)
        for slot, rows in zip(self.slots, self.states, strict=False):
            yield from self._views([parameter.update_rule.state[slot] for _, parameter in self.parameters], rows)
        if self.averaged:
            yield from self._views(self.averaged, self.average)

    def _views(self, arrays: list[np.ndarray], rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        first, *others = arrays
        replicas, width, inputs = first.shape
        at = inputs * self.pitch
        yield first, rows[:, :at].reshape(replicas, inputs, self.pitch)[:, :, :width].swapaxes(1, 2)
        for array in others:
            size = array[0].size
            yield array, rows[:, at : at + size].reshape(array.shape)
            at += size

    def _statistics(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        at = 0
        for array in (each for norm in self.norms for each in (norm.run_mean, norm.run_scale)):
            size = array.shape[2]
            yield array, self.run[:, None, at : at + size]
            at += size


def _aligned(rows: int, length: int) -> np.ndarray:
    """Make zeros, float32 (rows, length), whose rows begin where cache lines do."""
    return types.table(rows, whole_lines(length), np.float32, np.zeros)[:, :length]


def whole_lines(width: int) -> int:
    """Round a number of float32 up to whole cache lines."""
    return -(-4 * width // LINE) * LINE // 4


def _parameters(network: Perceptron) -> list[tuple[str, Any]]:
    found = []
    for depth, linear in enumerate(network.linears):
        found += [(f"/linears/{depth}/W", linear.W), (f"/linears/{depth}/b", linear.b)]
        if depth < len(network.norms) and network.norms[depth].affine.per != "none":
            affine = network.norms[depth].affine
            found += [(f"/norms/{depth}/affine/gamma", affine.gamma), (f"/norms/{depth}/affine/beta", affine.beta)]
    return found


def kind_of(settings: Settings) -> Kind:
    """Return what the kernels must know of a group's settings."""
    norm: Any = settings.norm
    plain = {NoNorm: types.NONE, LayerNorm: types.LAYER}
    affine = {"node": types.NODE, "layer": types.SHARED, "none": types.FIXED}
    return Kind(
        norm=plain.get(type(norm), types.BATCH),
        affine=affine[getattr(norm, "affine", "none")],
        mean_gradient=int(getattr(norm, "affine_gradient", "sum") == "mean"),
        norm_first=int(settings.model.order == "linear-norm-activation"),
        keep_std=int(getattr(norm, "semantics", None) == "paper"),
        optimizer=update.KINDS[settings.training.optimizer.kind],
        micro_batch=settings.training.micro_batch or 0,
    )


def numbers_of(trial: Trial) -> Numbers:
    """Return a replica's settings that are numbers."""
    settings = trial.settings
    norm, optimizer = settings.norm, settings.training.optimizer
    a, b, eps = {
        "sgd": lambda o: (0, 0, 0),
        "momentum_sgd": lambda o: (o.momentum, 0, 0),
        "adam": lambda o: (1 - o.beta1, 1 - o.beta2, o.eps),
        "rmsprop": lambda o: (o.alpha, 0, o.eps),
    }[optimizer.kind](optimizer)
    decay, norm_eps = getattr(norm, "decay", 0), getattr(norm, "eps", 0)
    return Numbers(
        decay=np.float32(decay),
        eps=np.float32(norm_eps),
        a=np.float32(a),
        b=np.float32(b),
        optimizer_eps=np.float32(eps),
        l2=np.float32(settings.training.weight_decay),
        l1=np.float32(settings.training.l1_decay),
        average_decay=np.float32(settings.evaluation.average or 0),
    )


def places_of(widths: list[int], kind: Kind) -> Places:
    """Find where each layer's numbers begin: W, b, gamma, beta of the first layer, then those of the next."""
    pitch, at, run_at, found = whole_lines(widths[1]), 0, 0, []
    for depth, (fan_in, width) in enumerate(itertools.pairwise(widths)):
        last = depth == len(widths) - 2
        affine = 0 if last else {types.NODE: width, types.SHARED: 1, types.FIXED: 0}[kind.affine]
        b = at + fan_in * (width if depth else pitch)
        found.append((fan_in, width, at, b, b + width if affine else -1, run_at))
        at, run_at = b + width + 2 * affine, run_at + 2 * width
    layers = np.array(found)
    largest = layers[:, types.B] - layers[:, types.W]
    return Places(layers, int(layers[:, types.WIDTH].max()), int(largest.max()), pitch)
