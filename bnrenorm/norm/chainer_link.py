"""What the two drop-in Links have in common: Chainer's link, with our mathematics in its forward pass."""

import contextlib
import math
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from bnrenorm._compat import F, L, chainer
from bnrenorm.errors import InputError
from bnrenorm.norm import formulas
from bnrenorm.norm.function import renormalise
from bnrenorm.norm.semantics import SEMANTICS

Array = Any
Axes = tuple[int, ...]
Limit = float | Callable[[int], float]


class MismatchError(chainer.utils.type_check.InvalidType, InputError):
    """x has a shape or dtype that the link cannot take. Chainer's links raise InvalidType, a base of this one."""

    def __init__(self, expected: Any, actual: Any, message: str):
        chainer.utils.type_check.InvalidType.__init__(self, expected, actual, message)

    def __reduce__(self) -> Any:  # Chainer's makes an InvalidType of it, which is no InputError
        return type(self), (self.expect, self.actual, str(self))


class Normalization(L.BatchNormalization):
    """Abstract base. Learned: gamma, beta. Persistent: avg_mean, avg_var, N. All four arrays have the shape `size`.

    `step`, the number of training batches seen, is saved too; the limits of r and d depend on it. The running std is
    sqrt(avg_var + eps), with semantics "paper" as well: a file gives the same inference in Chainer's links and in ours.

    Arrays are computed in the widest of float32, the dtype of x and that of the statistics; y has the dtype of x.
    """

    avg_mean: Any  # None until the first batch, if the size is not given
    avg_var: Any
    step: int

    def __init__(
        self,
        r_max: Limit,
        d_max: Limit,
        semantics: str,
        size: Any,
        decay: Any,
        eps: Any,
        dtype: Any,
        *others: Any,
        unknown: Mapping[str, Any],
    ):
        if "momentum" in unknown:
            raise TypeError(
                "momentum is called decay here: the weight of the old running value (1 - PyTorch's momentum)"
            )
        if unknown:
            raise TypeError(f"{type(self).__name__} has no argument {', '.join(unknown)}")
        kept = chainer.get_dtype(dtype, map_mixed16=np.float32)
        if kept.kind != "f":
            raise TypeError(f"dtype is {kept}, expected float16, float32, float64 or chainer.mixed16")
        if semantics not in SEMANTICS:
            raise InputError(f"semantics is {semantics!r}, expected {' or '.join(map(repr, SEMANTICS))}")
        decay = _number("decay", SEMANTICS[semantics].decay if decay is None else decay)
        if not 0 <= decay < 1:
            raise InputError(f"decay is {decay}, expected 0 <= decay < 1")
        eps = _number("eps", SEMANTICS[semantics].eps if eps is None else eps)
        if not 0 < eps < math.inf:
            raise InputError(f"eps is {eps}, expected a positive number")
        shape = _integers("size", size)
        if shape is not None and any(n < 1 for n in shape):
            raise InputError(f"size is {size}, expected the number of features, at least 1")
        self.semantics, self.r_max, self.d_max, self.step = semantics, r_max, d_max, 0
        self._first_pass: tuple[Array, Array, int] | None = None
        self._limits(0)
        super().__init__(shape, decay, eps, dtype, *others)
        self.axis = _integers("axis", self.axis)
        if self.axis is not None and (not self.axis or list(self.axis) != sorted({abs(i) for i in self.axis})):
            raise InputError(f"axis is {self.axis}, expected the axes to average over, in ascending order from 0 on")

    def _initialize_params(self, shape: Any) -> None:
        """Let the running std begin at what the semantics say, which is 1 with or without eps."""
        if self._initial_avg_var is None:
            self._initial_avg_var = SEMANTICS[self.semantics].variance(1.0, self.eps)
        initial = self._initial_avg_var
        super()._initialize_params(shape)
        if not (self.avg_var + self.eps > 0).all():
            raise InputError(f"initial_avg_var is {initial!r}, expected positive numbers, eps included")

    def _limits(self, step: int) -> tuple[float, float]:
        r_max, d_max = (
            _number(name, limit(step) if callable(limit) else limit)
            for name, limit in (("r_max", self.r_max), ("d_max", self.d_max))
        )
        if not 1 <= r_max < math.inf:
            raise InputError(f"r_max is {r_max} at step {step}, expected a finite number of at least 1")
        if not 0 <= d_max < math.inf:
            raise InputError(f"d_max is {d_max} at step {step}, expected a finite number of at least 0")
        return r_max, d_max

    def forward(self, x: Any, **options: Any) -> Any:
        """Normalise x over `axis`; by default (N, *size) over N, or (N, *size, ...) over N and what follows size.

        Training mode (`chainer.config.train`) normalises by the batch's statistics and updates the running ones, with
        `finetune=True` as the mean over all batches since `start_finetuning`. Inference mode normalises by the running
        ones and changes nothing; so does a batch of no examples in either mode.

        Returns a Variable of x's shape and dtype. Raises MismatchError if they do not fit, and InputError for a limit
        that is out of range at this step. Warns if batch normalisation gets a single example.
        """
        (finetune,) = chainer.utils.argument.parse_kwargs(
            options, ("finetune", False), test="test argument is not supported anymore. Use chainer.using_config"
        )
        x = chainer.as_variable(x)
        axis, kept = self._axes(x)
        shape = tuple(x.shape[i] for i in kept)
        with chainer.using_device(self.device):
            if self.avg_mean is None:
                self._initialize_params(shape)
            width = math.prod(shape)
            order = (*axis, *kept)
            rows = _transpose(x, order).reshape(1, x.size // width, width)
            rows = _cast(rows, np.result_type(x.dtype, self._highprec_dtype, np.float32))
            y = _cast(self._normalise(rows, finetune), x.dtype)
            return _transpose(y.reshape([x.shape[i] for i in order]), np.argsort(order))

    def _axes(self, x: Any) -> tuple[Axes, Axes]:
        """Return the axes of x over which the statistics are taken, and the others, of which each place has its own."""
        axis: Axes = self.axis or (0, *range(1 + self.avg_mean.ndim, x.ndim))
        kept = tuple(i for i in range(x.ndim) if i not in axis)
        shape = tuple(x.shape[i] for i in kept)
        if x.dtype.kind != "f":
            raise MismatchError("float", x.dtype, f"x has dtype {x.dtype}, expected float16, float32 or float64")
        if axis[-1] >= x.ndim:
            message = f"x has shape {x.shape}, expected an axis {axis[-1]} to average over"
            raise MismatchError(f"axis {axis[-1]}", x.shape, message)
        fits = shape == self.avg_mean.shape if self.avg_mean is not None else 0 not in shape
        if not fits:
            size = "at least 1 feature" if self.avg_mean is None else self.avg_mean.shape
            raise MismatchError(size, x.shape, f"x has shape {x.shape}, expected {size} on the axes other than {axis}")
        return axis, kept

    def _normalise(self, x: Any, finetune: bool) -> Any:
        """Normalise (1, N, D); one replica of the formulas."""
        gamma, beta = (
            self.xp.full((1, 1, x.shape[2]), constant, x.dtype)
            if parameter is None
            else _cast(parameter.reshape(1, 1, -1), x.dtype)
            for parameter, constant in ((self.gamma, 1), (self.beta, 0))
        )
        training = chainer.config.train and x.shape[1] > 0
        avg_mean, avg_var, step = self._statistics() if training else (self.avg_mean, self.avg_var, self.step)
        run_mean, run_var = (average.astype(x.dtype).reshape(1, 1, -1) for average in (avg_mean, avg_var))
        eps = float(self.eps)
        run_std = (run_var + eps) ** 0.5
        if not training:
            return (x - run_mean) * (gamma / run_std) + beta

        limits = self._limits(step)
        if x.shape[1] == 1 and limits == (1, 0):
            warnings.warn("batch normalisation of a batch of one example returns beta, whatever x is", stacklevel=4)
        mean, var = formulas.moments(x.array)
        std = (var + eps) ** 0.5
        if limits == (1, 0):  # batch normalisation, which needs no running statistics: a NaN in them is none in y
            r, d = self.xp.ones_like(mean), self.xp.zeros_like(mean)
        else:
            r, d = formulas.corrections(mean, std, run_mean, run_std, *limits)
        y = renormalise(x, gamma, beta, mean, std, r, d)
        if not chainer.config.in_recomputing:
            self.step += 1
            self.N += bool(finetune)
            decay = 1 - 1 / self.N if finetune else float(self.decay)
            convention = SEMANTICS[self.semantics]
            run_scale, batch_scale = convention.scale(run_var, eps), convention.keep(var, x.shape[1], eps)
            run_var = convention.variance(formulas.moving_average(run_scale, batch_scale, decay), eps)
            self.avg_mean[...] = formulas.moving_average(run_mean, mean, decay).reshape(self.avg_mean.shape)
            self.avg_var[...] = run_var.reshape(self.avg_var.shape)
        return y

    def _statistics(self) -> tuple[Array, Array, int]:
        """Return avg_mean, avg_var and step; in the second pass of `F.forget` those that the first pass saw."""
        if chainer.config.in_recomputing and self._first_pass is not None:
            return self._first_pass
        statistics = self.avg_mean.copy(), self.avg_var.copy(), self.step
        if chainer.config._will_recompute:
            self._first_pass = statistics
        return statistics

    def serialize(self, serializer: Any) -> None:
        """Save or load all state. A file of Chainer's links loads too; it has no `step`, which then stays as it is.

        Warns if a file that is loaded with `strict=False` has parameters of this link, but not its statistics.
        """
        super().serialize(serializer)
        with contextlib.suppress(KeyError):
            self.step = serializer("step", self.step)
        if not isinstance(serializer, chainer.Deserializer) or serializer("avg_mean", None) is not None:
            return
        if any(serializer(name, None) is not None for name in self._params):
            warnings.warn("the file has no running statistics for this link: they stay as they are", stacklevel=2)

    def copyparams(self, link: Any, copy_persistent: bool = True) -> None:
        """Copy all values from another link, which may be Chainer's: `step` then stays as it is."""
        super().copyparams(link, copy_persistent)
        if copy_persistent:
            self.step = getattr(link, "step", self.step)

    @property
    def printable_specs(self) -> Iterator[tuple[str, Any]]:
        """Yield the names and values that `print(link)` shows."""
        yield "size", None if self.avg_mean is None else self.avg_mean.shape
        yield "dtype", self._highprec_dtype
        yield "use_gamma", self.gamma is not None
        yield "use_beta", self.beta is not None
        for name in ("axis", "decay", "eps", "semantics", "r_max", "d_max"):
            yield name, getattr(self, name)


def _number(name: str, value: Any) -> float:
    if np.ndim(value) or np.asarray(value).dtype.kind not in "iuf":
        raise TypeError(f"{name} is {value!r}, expected a number")
    return float(value)


def _integers(name: str, value: Any) -> Axes | None:
    """Return an int or a sequence of ints as a tuple, and None as None."""
    if value is None:
        return None
    try:
        return tuple(map(operator.index, value if isinstance(value, tuple | list) else (value,)))
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected an int, a tuple of ints or None") from None


def _transpose(x: Any, order: Any) -> Any:
    return x if list(order) == sorted(order) else F.transpose(x, tuple(map(int, order)))


def _cast(x: Any, dtype: Any) -> Any:
    return x if x.dtype == dtype else F.cast(x, dtype)
