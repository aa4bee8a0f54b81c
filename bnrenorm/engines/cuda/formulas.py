"""The formulas that several methods of `reference.Reference` share; arguments are as explained there."""

from typing import Any

import numpy as np

from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Tensor
from bnrenorm.engines.cuda.rows import Mask, Rows
from bnrenorm.engines.spec import ADAM, MOMENTUM, RMSPROP, SGD, Hyperparams, KernelSpec

Array = Any

_HYPER = {name: column for column, name in enumerate(Hyperparams._fields)}


def column(hyper: Array, name: str, axes: int) -> Array:
    """Return one hyperparameter per replica, (R, 1, ...) with that many axes."""
    return hyper[:, _HYPER[name]].reshape(-1, *[1] * (axes - 1))


def keeps(mask: Mask) -> Array:
    """Return which nodes dropout keeps, (R, K) bool."""
    return mask.ranks[mask.seed_of] < mask.kept[:, None]


def affine(pair: tuple[Array | None, Array | None], dtype: Any) -> tuple[Array, Array]:
    """Return gamma and beta as they broadcast over (R, N, K)."""
    gamma, beta = pair
    if gamma is None or beta is None:
        return np.ones((1, 1, 1), dtype), np.zeros((1, 1, 1), dtype)
    return gamma[:, None], beta[:, None]


def per_image(values: Array, i: int, rows: Rows) -> Array:
    """Return values[:, :, i] (R, groups, K) repeated for the images of every group, (R, N, K)."""
    return values[:, :, i].repeat(rows.group, axis=1)


def normalised_rows(a: Array, row_stats: Array) -> Array:
    """Return a with every row normalised by its mean and std, (R, N, K)."""
    return (a - row_stats[..., :1]) / row_stats[..., 1:]


def upstream(g: Array, y: Array, spec: KernelSpec, mask: Mask | None) -> Array:
    """Return the gradient of the normalisation's output, or of the ReLU's if that comes first."""
    g = g if mask is None else g * keeps(mask)[:, None]
    return g * (y > 0) if spec.norm_first else g


def merge(partial: Array, rows: Rows) -> tuple[Array, Array]:
    """Return mean and variance (R, groups, K) from those of the pieces [Chan, Golub and LeVeque 1979]."""
    pieces = partial.reshape(len(partial), rows.groups, rows.pieces, 2, -1).astype(np.float64)
    counts = np.array([end - begin for begin, end in rows.spans()[: rows.pieces]])[:, None]
    mean = (pieces[..., 0, :] * counts).sum(axis=2) / rows.group
    distance = pieces[..., 0, :] - mean[:, :, None]
    var = (pieces[..., 1, :] + counts * distance**2).sum(axis=2) / rows.group
    return mean.astype(partial.dtype), var.astype(partial.dtype)


def descend(tensor: Tensor, g: Array, lr_column: int, context: Context) -> None:
    """Take the optimizer's step with the gradient g, as Chainer's update rules define it; then average."""
    p, m, s, average = tensor
    optimizer = context.spec.optimizer
    lr = context.schedule[:, lr_column].reshape(-1, *[1] * (p.ndim - 1))
    values = {name: column(context.hyper, name, p.ndim) for name in _HYPER}
    if optimizer == SGD:
        p -= lr * g
    elif optimizer == MOMENTUM:
        m[...] = values["momentum"] * m - lr * g
        p += m
    elif optimizer == ADAM:
        m += values["one_minus_beta1"] * (g - m)
        s += values["one_minus_beta2"] * (g * g - s)
        p -= lr * m / (np.sqrt(s) + values["optimizer_eps"])
    elif optimizer == RMSPROP:
        s[...] = values["alpha"] * s + (1 - values["alpha"]) * g * g
        p -= lr * g / (np.sqrt(s) + values["optimizer_eps"])
    if average is not None:
        average += (1 - values["average_decay"]) * (p - average)
