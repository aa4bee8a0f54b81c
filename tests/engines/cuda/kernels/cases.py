"""Random arguments for kernels, and their comparison with NumPy's formulas in float64."""

import numpy as np

from bnrenorm.engines import spec
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Tensor
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.cuda.rows import Mask, divide

DTYPES = (np.float32, np.float64)

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
"""As a share of the largest number of an array, before or after."""

SIZES = [(1, 1, 1, 0), (3, 5, 31, 0), (3, 20, 33, 5), (1, 257, 33, 0), (3, 700, 100, 350), (2, 4, 288, 2)]
"""Replicas, images, nodes and images of a group, 0 for all.

Groups of one piece and of several; nodes that are no multiple of a warp's, and a multiple, more than a block's threads.
"""


def mapped(value, function):
    """Return arguments with a function applied to every array in them."""
    if isinstance(value, np.ndarray):
        return function(value)
    if hasattr(value, "_make"):  # a NamedTuple
        return value._make(mapped(item, function) for item in value)
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(item, function) for item in value)
    if isinstance(value, dict):
        return {name: mapped(item, function) for name, item in value.items()}
    return value


def leaves(arguments):
    """Return all arrays in arguments."""
    arrays = []
    mapped(arguments, arrays.append)
    return arrays


def on_device(array):
    """Return an array on the GPU, rows of which lie as far apart as the host's."""
    import cupy

    if array.flags.c_contiguous:
        return cupy.asarray(array)
    rows = cupy.empty((len(array), array.strides[0] // array.itemsize), array.dtype)[:, : array.shape[1]]
    rows[...] = cupy.asarray(np.ascontiguousarray(array))
    return rows


GUARD = 4096
"""Bytes before and behind an array that no kernel may change; as numbers they are NaN."""


def guarded(array):
    """Return an array on the GPU, and what it lies in: the same between two guards."""
    import cupy

    memory = cupy.full(2 * GUARD + array.nbytes, 0xFF, cupy.uint8)
    inner = memory[GUARD : GUARD + array.nbytes].view(array.dtype).reshape(array.shape)
    inner[...] = cupy.asarray(array)
    return inner, memory


def assert_guards_are_untouched(memory):
    host = memory.get()
    for guard in (host[:GUARD], host[-GUARD:]):
        assert (guard == 0xFF).all(), "something was written out of an array's bounds"


def double(array):
    """Return a copy, float64 if it is float32."""
    return array.astype(np.float64) if array.dtype == np.float32 else array.copy()


def compare(dtype, name, *arguments, **options):
    """Compare all arrays that a kernel of this dtype leaves with those that NumPy leaves in float64.

    Beside contiguous arrays it may write nothing.
    """
    sent, memories = [], []

    def send(array):
        if array.flags.c_contiguous:
            inner, memory = guarded(array)
            memories.append(memory)
        else:
            inner = on_device(array)
        sent.append(inner)
        return inner

    on_host, on_gpu = mapped((arguments, options), double), mapped((arguments, options), send)
    for operations, (positional, named) in ((Reference(), on_host), (Launches(dtype), on_gpu)):
        getattr(operations, name)(*positional, **named)
        operations.synchronize()
    for got, want, before in zip(sent, leaves(on_host), leaves((arguments, options)), strict=True):
        assert not np.isnan(want).any()
        size = max(np.abs(want).max(), np.abs(np.nan_to_num(before)).max())
        np.testing.assert_allclose(got.get(), want, rtol=0, atol=TOLERANCE[dtype] * size)
    for memory in memories:
        assert_guards_are_untouched(memory)


class Inputs:
    """Draws arrays of one dtype."""

    def __init__(self, dtype, seed=0):
        self.dtype, self.random = dtype, np.random.default_rng(seed)

    def normal(self, *shape, mean=0.0, std=1.0):
        return self.random.normal(mean, std, shape).astype(self.dtype)

    def uniform(self, low, high, *shape):
        return self.random.uniform(low, high, shape).astype(self.dtype)

    def poisoned(self, *shape):
        """Return an output, full of NaN."""
        return np.full(shape, np.nan, self.dtype)

    def seed_of(self, replicas):
        """Return the seeds of replicas: the first and the third have the same one, as in paired comparisons."""
        return np.arange(replicas, dtype=np.int32) % 2

    def mask(self, replicas, width):
        """Return what dropout keeps: the ranks are columns of a wider table, and a replica may keep none or all."""
        seeds = min(replicas, 2)
        table = np.stack([self.random.permutation(width + 9) for _ in range(seeds)]).astype(np.int32)
        table[:, 4 : 4 + width] = [self.random.permutation(width) for _ in range(seeds)]
        kept = np.array([width // 2 + 1, 0, width][:replicas], np.int32)
        return Mask(table[:, 4 : 4 + width], kept, self.seed_of(replicas))

    def hyper(self, replicas):
        """Return hyperparameters (R, 10), those of every replica its own."""
        values = spec.Hyperparams(
            decay=0.9, eps=1e-3, momentum=0.8, one_minus_beta1=0.1, one_minus_beta2=0.01, alpha=0.95,
            optimizer_eps=0.02, l2=0.1, l1=0.05, average_decay=0.7,
        )  # fmt: skip
        return (np.array([values] * replicas) * self.random.uniform(0.7, 1, (replicas, 1))).astype(self.dtype)

    def schedule(self, replicas):
        """Return limits and rates (R, 4): limits that clip some nodes, batch normalisation, and limits that clip none."""
        rows = [[1.3, 0.4, 0.1, 0.2], [1, 0, 0.05, 0.05], [50, 90, 0.2, 0.1]]
        return np.array(rows[:replicas], self.dtype)

    def affine(self, kind, replicas, width):
        """Return gamma and beta."""
        if kind == spec.FIXED:
            return None, None
        shape = replicas, width if kind == spec.NODE else 1
        return self.normal(*shape, mean=1), self.normal(*shape)

    def stats(self, replicas, groups, width):
        """Return statistics of a forward pass, (R, groups, 6, K): mean, std, r, d, running mean and std."""
        stats = self.normal(replicas, groups, 6, width)
        for i in (1, 2, 5):
            stats[:, :, i] = self.uniform(0.5, 2, replicas, groups, width)
        return stats

    def row_stats(self, replicas, n):
        return np.stack([self.normal(replicas, n), self.uniform(0.5, 2, replicas, n)], axis=2)

    def tensor(self, optimizer, *shape, average=False):
        """Return a parameter with the states of an optimizer."""
        exp_avg = self.normal(*shape) if optimizer in (spec.MOMENTUM, spec.ADAM) else None
        exp_avg_sq = self.uniform(0, 1, *shape) if optimizer in (spec.ADAM, spec.RMSPROP) else None
        return Tensor(self.normal(*shape), exp_avg, exp_avg_sq, self.normal(*shape) if average else None)


def context_of(spec, hyper, schedule, seed_of=None):
    """Return what kernels take of a step besides its batch."""
    return Context(spec, hyper, schedule, seed_of, [])


def kernel_spec(norm=spec.BATCH, affine=spec.NODE, norm_first=0, track_std=0, optimizer=spec.MOMENTUM):
    """Return a specification; only what the arguments say is read by kernels."""
    return spec.KernelSpec(norm, affine, 0, norm_first, track_std, optimizer, 0)


def hyper_of(replicas, **values):
    """Return hyperparameters (R, 10), the same for all replicas; 0 but for those named."""
    row = spec.Hyperparams(**{**dict.fromkeys(spec.Hyperparams._fields, 0.0), **values})
    return np.array([row] * replicas, float)


def rows_of(n, group):
    return divide(n, group)
