"""What kernels take together: what a pass has besides its batch, and what a hidden layer's normalisation works on."""

from typing import Any, NamedTuple

from bnrenorm.engines.cuda.rows import Mask, Rows
from bnrenorm.engines.spec import KernelSpec

Array = Any


class Context(NamedTuple):
    """What does not depend on the batch. hyper (R, 10): `engines.spec.Hyperparams`; schedule (R, 4) of the step.

    seed_of (R,) int32: each replica's seed. fractions: of the inputs and of every hidden layer's nodes that dropout
    keeps, (R,) each; empty without dropout. plain: weights are only moved against their gradient, times the learning
    rate: by SGD without decay, and without an average of them.
    """

    spec: KernelSpec
    hyper: Array
    schedule: Array
    seed_of: Array
    fractions: list[Array]
    plain: bool = False


class Normalised(NamedTuple):
    """A hidden layer of K nodes in a pass over the N images of `rows`. a (R, N, K): the normalisation's input.

    stats (R, groups, 6, K), of batch normalisation: mean, std, r, d, running mean and std; row_stats (R, N, 2), of
    layer normalisation: mean and std of every row; None where there is no such. affine: gamma and beta, (R, K) or
    (R, 1), or None, as `spec.affine` says. mask: of dropout behind it.
    """

    spec: KernelSpec
    rows: Rows
    a: Array
    stats: Array
    row_stats: Array
    affine: tuple[Array | None, Array | None]
    mask: Mask | None
