"""The kernels of `kernels/` on a GPU, one method each: what `reference.Reference` says, with CuPy's arrays.

Every array is contiguous and of the dtype that the kernels were compiled for, but for the few that say otherwise.
"""

import importlib
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bnrenorm.engines.cuda.cublas import Products, math_mode
from bnrenorm.engines.cuda.parameters import Layer, Tensor, Vector
from bnrenorm.engines.cuda.rows import Mask, Mode, Rows
from bnrenorm.engines.spec import NONE, KernelSpec

Array = Any

FOLDER = Path(__file__).parent / "kernels"
SOURCES = ("common.cuh", "norm.cu", "loss.cu", "update.cu", "diagnosis.cu")
SMALL_SOURCES = ("common.cuh", "update.cu", "small.cu")
OPTIONS = ("-std=c++17",)

_WARP, _LANES, _THREADS = 32, 8, 256
_BLOCK, _LINE = (_WARP, _LANES), (_THREADS,)
_FILLING = 4096  # blocks that fill any GPU: an elementwise pass needs no more
_ROWS_PER_WARP = 4  # of the first layer, where there are enough: a block loads its images once for all of them
_NULL = np.uintp(0)


def source(dtype: Any, names: tuple[str, ...] = SOURCES) -> str:
    """Return the CUDA source of the kernels for float32 or float64."""
    real = {np.float32: "float", np.float64: "double"}[np.dtype(dtype).type]
    return "\n".join([f"#define REAL {real}", *((FOLDER / name).read_text(encoding="utf-8") for name in names)])


@cache
def module(dtype: Any, device: int, batch: int = 0) -> Any:
    """Return CuPy's module of the kernels on the current device, `device`; with a batch size, of those for it alone."""
    names, options = (SMALL_SOURCES, (*OPTIONS, f"-DN={batch}")) if batch else (SOURCES, OPTIONS)
    return importlib.import_module("cupy").RawModule(code=source(dtype, names), options=options)


class Launches:
    """The kernels for one dtype on the current device."""

    def __init__(self, dtype: Any):
        self.xp: Any = importlib.import_module("cupy")
        self.dtype, self.device = np.dtype(dtype), self.xp.cuda.Device()
        self.shared_memory = self.device.attributes["MaxSharedMemoryPerBlockOptin"]
        self.functions: dict[tuple[str, int], Any] = {}
        self.products = Products(dtype)
        self.tables: dict[int, tuple[list[Vector], Array]] = {}

    def _launch(self, name: str, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
        self._function(name)(grid, block, tuple(map(_argument, arguments)))

    def _function(self, name: str, batch: int = 0, shared: int = 0) -> Any:
        """Return a kernel that takes so many bytes of dynamic shared memory."""
        function = self.functions.get((name, batch))
        if function is None:
            function = module(self.dtype, self.device.id, batch).get_function(name)
            self.functions[name, batch] = function
        if shared > function.max_dynamic_shared_size_bytes:
            function.max_dynamic_shared_size_bytes = shared
        return function

    def math_mode(self, tf32: bool) -> AbstractContextManager[Any]:
        """Let cuBLAS round to TF32, or forbid it."""
        return math_mode(tf32)

    def synchronize(self) -> None:
        """Wait for the device."""
        self.xp.cuda.get_current_stream().synchronize()

    def gather(self, images: Array, index: Array | None, x: Array, mask: Mask | None) -> None:
        """Fetch the images of a batch."""
        many, n, width = x.shape
        self._launch("gather", (n, many), _LINE, images, width, *_index(index), n, *_mask(mask), x)

    def product(
        self, a: Array, b: Array, out: Array, *, ta: bool = False, tb: bool = False, of: Array | None = None
    ) -> None:
        """Multiply stacked matrices."""
        self.products(a, b, out, ta=ta, tb=tb, of=of)

    def enter(
        self,
        z: Array,
        bias: Array,
        rows: Rows,
        *,
        relu: bool,
        factor: Array | None = None,
        partial: Array | None = None,
    ) -> None:
        """Add the bias, apply the ReLU, take the moments of every piece."""
        arguments = z, bias, factor, rows.n, z.shape[2], rows.group, rows.pieces, relu, partial
        self._launch("enter", _columns(rows, z), _BLOCK, *arguments)

    def statistics(
        self,
        partial: Array | None,
        rows: Rows,
        mode: Mode,
        spec: KernelSpec,
        hyper: Array,
        schedule: Array,
        run: tuple[Array, Array],
        stats: Array,
    ) -> None:
        """Merge the moments, correct them, move the running statistics."""
        replicas, width = run[0].shape
        self._launch(
            "statistics", (_ceil(width, _THREADS), replicas), _LINE,
            partial, width, rows.group, rows.groups, rows.pieces, mode, spec.track_std, hyper, schedule, *run, stats,
        )  # fmt: skip

    def row_moments(self, a: Array, hyper: Array, row_stats: Array) -> None:
        """Take mean and std of every row."""
        replicas, n, width = a.shape
        many = replicas * n
        self._launch("row_moments", (_ceil(many, _LANES),), _BLOCK, a, n, width, np.int64(many), hyper, row_stats)

    def normalise(
        self,
        a: Array,
        stats: Array,
        row_stats: Array,
        affine: tuple[Array | None, Array | None],
        spec: KernelSpec,
        rows: Rows,
        mask: Mask | None,
        fraction: Array | None,
        y: Array,
    ) -> None:
        """Normalise, apply a ReLU behind it, and dropout."""
        self._launch(
            "normalise", _columns(rows, a), _BLOCK,
            a, stats, row_stats, *affine, spec.norm, spec.affine, spec.norm_first, rows.n, a.shape[2], rows.group,
            rows.pieces, *_mask(mask), fraction, y,
        )  # fmt: skip

    def loss(
        self,
        logits: Array,
        bias: Array,
        labels: Array,
        index: Array | None,
        seed_of: Array,
        learn: bool,
        right: Array | None,
        partial: Array,
    ) -> None:
        """Take loss and accuracy, and the gradient of the mean loss."""
        replicas, n, classes = logits.shape
        pieces = partial.shape[1]
        self._launch(
            "loss", (pieces, replicas), _BLOCK,
            logits, bias, labels, *_index(index), seed_of, n, classes, _ceil(n, pieces), learn, right, partial,
        )  # fmt: skip

    def add_losses(self, partial: Array, n: int, sums: Array) -> None:
        """Add the means to the sums."""
        replicas, pieces, _ = partial.shape
        self._launch("add_losses", (_ceil(replicas, _THREADS),), _LINE, partial, replicas, pieces, n, sums)

    def upstream_sums(
        self,
        g: Array,
        y: Array,
        a: Array,
        stats: Array,
        row_stats: Array,
        spec: KernelSpec,
        rows: Rows,
        mask: Mask | None,
        partial: Array,
    ) -> None:
        """Sum what the gradients of gamma, beta and the statistics need."""
        self._launch(
            "upstream_sums", _columns(rows, a), _BLOCK, g, y, a, stats, row_stats, spec.norm, spec.norm_first,
            rows.n, a.shape[2], rows.group, rows.pieces, *_mask(mask), partial,
        )  # fmt: skip

    def coefficients(
        self,
        partial: Array,
        stats: Array,
        affine: tuple[Array | None, Array | None],
        spec: KernelSpec,
        rows: Rows,
        coef: Array,
        gradients: tuple[Array, Array],
    ) -> None:
        """Merge those sums."""
        replicas, width = gradients[0].shape
        self._launch(
            "coefficients", (_ceil(width, _THREADS), replicas), _LINE,
            partial, stats, affine[0], spec.norm, spec.affine, width, rows.group, rows.groups, rows.pieces, coef,
            *gradients,
        )  # fmt: skip

    def row_gradients(
        self,
        g: Array,
        y: Array,
        a: Array,
        row_stats: Array,
        affine: tuple[Array | None, Array | None],
        spec: KernelSpec,
        mask: Mask | None,
        row_sums: Array,
    ) -> None:
        """Take the means over rows that layer normalisation's gradient needs."""
        replicas, n, width = a.shape
        many = replicas * n
        self._launch(
            "row_gradients", (_ceil(many, _LANES),), _BLOCK,
            g, y, a, row_stats, affine[0], spec.affine, spec.norm_first, n, width, np.int64(many), *_mask(mask),
            row_sums,
        )  # fmt: skip

    def to_linear(
        self,
        g: Array,
        y: Array,
        a: Array,
        stats: Array,
        coef: Array,
        row_stats: Array,
        row_sums: Array,
        affine: tuple[Array | None, Array | None],
        spec: KernelSpec,
        rows: Rows,
        mask: Mask | None,
        partial: Array,
    ) -> None:
        """Take the gradient through dropout, ReLU and normalisation."""
        self._launch(
            "to_linear", _columns(rows, a), _BLOCK, g, y, a, stats, coef, row_stats, row_sums, affine[0],
            spec.norm, spec.affine, spec.norm_first, not spec.norm_first, rows.n, a.shape[2], rows.group, rows.pieces,
            *_mask(mask), partial,
        )  # fmt: skip

    def column_sums(self, g: Array, rows: Rows, partial: Array) -> None:
        """Sum a gradient over the images of every piece."""
        nothing = (None,) * 5
        self._launch(
            "to_linear", _columns(rows, g), _BLOCK, g, g, g, *nothing, NONE, 0, 0, 0, rows.n, g.shape[2], rows.group,
            rows.pieces, *_mask(None), partial,
        )  # fmt: skip

    def update_weights(self, tensor: Tensor, gradient: Array, optimizer: int, hyper: Array, schedule: Array) -> None:
        """Take the optimizer's step of weights."""
        replicas, size = len(gradient), gradient[0].size
        blocks = min(_ceil(size, _THREADS), max(1, _FILLING // replicas))
        value, *states = tensor
        self._launch(
            "update_weights", (blocks, replicas), _LINE,
            value, gradient, *states, np.int64(size), optimizer, hyper, schedule,
        )  # fmt: skip

    def update_vectors(self, vectors: list[Vector], optimizer: int, hyper: Array, schedule: Array) -> None:
        """Take the optimizer's step of biases, gammas and betas, all in one launch."""
        known = self.tables.get(id(vectors))
        if known is None or known[0] is not vectors:
            table = self.xp.asarray(np.array([_row(vector) for vector in vectors], np.int64))
            known = self.tables[id(vectors)] = vectors, table
        self._launch("update_vectors", (len(vectors), len(hyper)), _LINE, known[1], optimizer, hyper, schedule)

    def diagnose(self, stats: Array, schedule: Array, values: Array) -> None:
        """Describe what a batch normalisation did, one block a replica."""
        replicas, groups, _, width = stats.shape
        size = 1 << (groups * width - 1).bit_length()
        arguments = tuple(map(_argument, (stats, groups, width, size, schedule, values)))
        shared = size * self.dtype.itemsize
        self._function("diagnose", shared=shared)((replicas,), _LINE, arguments, shared_mem=shared)

    def first(
        self,
        images: Array,
        index: Array | None,
        following: Array | None,
        seed_of: Array,
        spec: KernelSpec,
        hyper: Array,
        schedule: Array,
        gradient: Array,
        weight: Tensor,
        products: Array,
    ) -> None:
        """Update the first layer's weights and multiply the next batch, in one pass."""
        replicas, n, width = products.shape
        inputs = images.shape[1]
        rows = _ROWS_PER_WARP if replicas * width >= _FILLING else 1
        arguments = (
            images, inputs, index, following, _index(index if following is None else following)[1], seed_of,
            spec.optimizer, hyper, schedule, gradient, width, weight.value, weight.exp_avg, products,
        )  # fmt: skip
        shared = first_shared(n, inputs, self.dtype.itemsize)
        grid = _ceil(width, _LANES * rows), replicas
        self._function("first", n, shared)(grid, _LINE, tuple(map(_argument, arguments)), shared_mem=shared)

    def middle(
        self,
        labels: Array,
        index: Array,
        seed_of: Array,
        spec: KernelSpec,
        hyper: Array,
        schedule: Array,
        products: Array,
        gradient: Array,
        layers: list[Layer],
        stats: Array | None,
        sums: Array,
    ) -> None:
        """Take the rest of a step of a network with one hidden layer."""
        hidden, last = layers
        replicas, n, width = products.shape
        classes = last.bias.value.shape[1]
        tensors = (hidden.bias, hidden.gamma, hidden.beta)
        states = [array for tensor in tensors for array in ((None, None) if tensor is None else tensor[:2])]
        arguments = (
            labels, *_index(index), seed_of, spec.optimizer, hyper, schedule, products, gradient, width, classes,
            spec.norm, spec.affine, spec.norm_first, spec.track_std, *states, *(hidden.run or (None, None)),
            *last.weight[:2], *last.bias[:2], stats, sums,
        )  # fmt: skip
        shared = middle_shared(n, width, classes, self.dtype.itemsize)
        self._function("middle", n, shared)((replicas,), _LINE, tuple(map(_argument, arguments)), shared_mem=shared)


def first_shared(n: int, inputs: int, itemsize: int) -> int:
    """Return the bytes of shared memory that a block of `first` takes."""
    return 2 * n * inputs * itemsize


def middle_shared(n: int, width: int, classes: int, itemsize: int) -> int:
    """Return the bytes of shared memory that a block of `middle` takes."""
    return n * (width + classes) * itemsize


def _row(vector: Vector) -> list[int]:
    """Return a row of the table that `update_vectors` in kernels/update.cu takes."""
    value, *states = vector.tensor
    _, pieces, width = vector.gradient.shape
    addresses = [0 if array is None else array.data.ptr for array in (value, *states, vector.gradient)]
    return [*addresses, value.shape[1], pieces, width, vector.column, vector.divisor]


def _argument(value: Any) -> Any:
    if value is None:
        return _NULL
    return np.int32(value) if isinstance(value, int) else value


def _columns(rows: Rows, array: Array) -> tuple[int, int, int]:
    """Return the grid of a kernel over the columns of an array (R, N, K)."""
    return rows.total, _ceil(array.shape[2], _WARP), len(array)


def _index(index: Array | None) -> tuple[Any, int]:
    """Return what kernels take for indices (S, N), rows of which may lie apart."""
    return (None, 0) if index is None else (index, index.strides[0] // index.itemsize)


def _mask(mask: Mask | None) -> tuple[Any, ...]:
    if mask is None:
        return None, 0, None, None
    return mask.ranks, mask.ranks.strides[0] // mask.ranks.itemsize, mask.seed_of, mask.kept


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
