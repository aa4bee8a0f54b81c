"""Drop-in Links for a user's own Chain: `bnrenorm.BatchNormalization` and `bnrenorm.BatchRenormalization`.

They stand where Chainer's links stand, with the same arguments, attributes and files. New are limits of r and d that
are functions of the training step, and the paper's semantics. `Normalization` refuses `**unknown`, and names the right
argument for some.
"""

from typing import Any, Literal

from bnrenorm.errors import InputError
from bnrenorm.norm.chainer_link import Axes, Limit, Normalization


class BatchNormalization(Normalization):
    """Batch normalisation with the arguments of chainer.links.BatchNormalization, in their order. [BN15]

    `size` is an int, a tuple of ints, or None: then `axis` must be given, and the first batch tells the size.
    `semantics` is "chainer" (running unbiased variance; decay 0.9, eps 2e-5) or "paper" (running standard deviation;
    decay 0.99, eps 1e-5). `decay` (weight of the old running value, 0 <= decay < 1) and `eps` (added to the variance,
    positive) override its defaults. `dtype` is that of parameters and statistics: by default chainer.config.dtype, and
    float32 for mixed16. `axis` are the axes that are averaged over: by default the first, and all behind those of
    `size`. The initial_... are numbers, arrays of the shape `size` or Chainer's initialisers; None: 0 for beta and the
    running mean, 1 for gamma and the running variance, 1 - eps for that of semantics "paper".

    Raises InputError for a value out of range, TypeError for one of another type, and RuntimeError, as Chainer's link
    does, for neither size nor axis.
    """

    def __init__(
        self,
        size: int | Axes | None = None,
        decay: float | None = None,
        eps: float | None = None,
        dtype: Any = None,
        use_gamma: bool = True,
        use_beta: bool = True,
        initial_gamma: Any = None,
        initial_beta: Any = None,
        axis: int | Axes | None = None,
        initial_avg_mean: Any = None,
        initial_avg_var: Any = None,
        *,
        semantics: Literal["chainer", "paper"] = "chainer",
        **unknown: Any,
    ):
        affine = (use_gamma, use_beta, initial_gamma, initial_beta)
        statistics = (axis, initial_avg_mean, initial_avg_var)
        super().__init__(1.0, 0.0, semantics, size, decay, eps, dtype, *affine, *statistics, unknown=unknown)


def _alias(name: str) -> Any:
    """Return an attribute that is another one by Chainer's name."""
    return property(lambda link: getattr(link, name), lambda link, value: setattr(link, name, value))


_R_MAX, _D_MAX = 3.0, 5.0


def _one(name: str, limit: Limit, default: Limit, by_alias: Limit | None) -> Limit:
    """Return the limit that was given by its name or by Chainer's. Raises InputError for both."""
    if by_alias is None:
        return limit
    if limit is not default:  # an equal number that was given is another object
        alias = name.replace("_", "")
        raise InputError(f"{name}={limit} and {alias}={by_alias} are the same limit; give one")
    return by_alias


class BatchRenormalization(Normalization):
    """Batch renormalisation with the arguments of chainer.links.BatchRenormalization, and `axis`. [BRN17]

    r_max (finite, >= 1) and d_max (finite, >= 0) are numbers, or functions of the training step such as
    `bnrenorm.Ramp(1, 3, start=5_000, length=35_000)`; `**bnrenorm.PAPER_SCHEDULE` gives both. The defaults are the
    paper's final values, 3 and 5; those of chainer.links.BatchRenormalization (1 and 0) are batch normalisation.
    Chainer's names `rmax` and `dmax` mean the same, as arguments and as attributes.

    The other arguments are those of `BatchNormalization`; from `use_gamma` on they are given by name. Raises InputError
    for a value out of range, at construction or at the step that reaches it, and TypeError for one of another type.
    """

    def __init__(
        self,
        size: int | Axes | None = None,
        r_max: Limit = _R_MAX,
        d_max: Limit = _D_MAX,
        decay: float | None = None,
        eps: float | None = None,
        dtype: Any = None,
        *,
        use_gamma: bool = True,
        use_beta: bool = True,
        initial_gamma: Any = None,
        initial_beta: Any = None,
        axis: int | Axes | None = None,
        initial_avg_mean: Any = None,
        initial_avg_var: Any = None,
        semantics: Literal["chainer", "paper"] = "chainer",
        rmax: Limit | None = None,
        dmax: Limit | None = None,
        **unknown: Any,
    ):
        r_max, d_max = _one("r_max", r_max, _R_MAX, rmax), _one("d_max", d_max, _D_MAX, dmax)
        affine = (use_gamma, use_beta, initial_gamma, initial_beta)
        statistics = (axis, initial_avg_mean, initial_avg_var)
        super().__init__(r_max, d_max, semantics, size, decay, eps, dtype, *affine, *statistics, unknown=unknown)

    rmax, dmax = _alias("r_max"), _alias("d_max")
