"""The kernels of `kernels/` on a GPU, one method each: what `reference.Reference` says, with CuPy's arrays.

Every array is contiguous and of the dtype that the kernels were compiled for, but for the few that say otherwise.
"""

import importlib
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bnrenorm.engines.cuda import packing, small_launches, tensor_launches
from bnrenorm.engines.cuda.cublas import Products, math_mode
from bnrenorm.engines.cuda.packing import BLOCK, FILLING, LANES, LINE, THREADS
from bnrenorm.engines.cuda.parameters import Tensor, Vector
from bnrenorm.engines.cuda.pixels import CAPABILITY
from bnrenorm.engines.cuda.rows import Mask, Mode, Rows
from bnrenorm.engines.spec import NONE, KernelSpec

Array = Any

FOLDER = Path(__file__).parent / "kernels"
SOURCES = ("common.cuh", "norm.cu", "loss.cu", "update.cu", "diagnosis.cu", "pixels.cu")
BEFORE = ("common.cuh", "update.cu")
"""What stands before the files whose kernels are compiled with constants."""

OPTIONS = ("-std=c++17",)


def source(dtype: Any, names: tuple[str, ...] = SOURCES) -> str:
    """Return the CUDA source of the kernels for float32 or float64."""
    real = {np.float32: "float", np.float64: "double"}[np.dtype(dtype).type]
    return "\n".join([f"#define REAL {real}", *((FOLDER / name).read_text(encoding="utf-8") for name in names)])


@cache
def module(dtype: Any, device: int, file: str = "", constants: tuple[tuple[str, int], ...] = ()) -> Any:
    """Return CuPy's module of the kernels on the current device, `device`; with constants, of a file's for them."""
    names = (*BEFORE, file) if file else SOURCES
    options = (*OPTIONS, *(f"-D{name}={value}" for name, value in constants))
    return importlib.import_module("cupy").RawModule(code=source(dtype, names), options=options)


class Launches:
    """The kernels for one dtype on the current device."""

    def __init__(self, dtype: Any):
        self.xp: Any = importlib.import_module("cupy")
        self.dtype, self.device = np.dtype(dtype), self.xp.cuda.Device()
        self.shared_memory = self.device.attributes["MaxSharedMemoryPerBlockOptin"]
        self.has_tensor_cores = int(self.device.compute_capability) >= CAPABILITY
        self.functions: dict[tuple[str, tuple[tuple[str, int], ...]], Any] = {}
        self.products = Products(dtype)
        self.tables: dict[int, tuple[list[Vector], Array]] = {}

    def launch(
        self, name: str, grid: tuple[int, ...], block: tuple[int, ...], *values: Any, file: str = "", shared: int = 0,
        **constants: int,
    ) -> None:  # fmt: skip
        """Launch a kernel with `shared` bytes of dynamic shared memory, of a file that is compiled with constants."""
        key = name, tuple(constants.items())
        function = self.functions.get(key)
        if function is None:
            function = module(self.dtype, self.device.id, file, key[1]).get_function(name)
            self.functions[key] = function
        if shared and shared > function.max_dynamic_shared_size_bytes:
            function.max_dynamic_shared_size_bytes = shared
        function(grid, block, tuple(map(packing.argument, values)), shared_mem=shared)

    def math_mode(self, tf32: bool) -> AbstractContextManager[Any]:
        """Let cuBLAS round to TF32, or forbid it."""
        return math_mode(tf32)

    def synchronize(self) -> None:
        """Wait for the device."""
        self.xp.cuda.get_current_stream().synchronize()

    def gather(self, images: Array, index: Array | None, x: Array, mask: Mask | None) -> None:
        """Fetch the images of a batch."""
        many, n, width = x.shape
        self.launch("gather", (n, many), LINE, images, width, *packing.index(index), n, *packing.mask(mask), x)

    def product(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        ta: bool = False,
        tb: bool = False,
        of: Array | None = None,
        subtract: bool = False,
    ) -> None:
        """Multiply stacked matrices."""
        self.products(a, b, out, ta=ta, tb=tb, of=of, subtract=subtract)

    def gradient(self, g: Array, x: Array, out: Array) -> None:
        """Multiply gradients by inputs, a piece of the images at a time."""
        self.products.gradient(g, x, out)

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
        self.launch("enter", packing.columns(rows, z), BLOCK, *arguments)

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
        self.launch(
            "statistics", (packing.ceil(width, THREADS), replicas), LINE,
            partial, width, rows.group, rows.groups, rows.pieces, mode, spec.track_std, hyper, schedule, *run, stats,
        )  # fmt: skip

    def row_moments(self, a: Array, hyper: Array, row_stats: Array) -> None:
        """Take mean and std of every row."""
        replicas, n, width = a.shape
        many = replicas * n
        self.launch("row_moments", (packing.ceil(many, LANES),), BLOCK, a, n, width, np.int64(many), hyper, row_stats)

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
        self.launch(
            "normalise", packing.columns(rows, a), BLOCK,
            a, stats, row_stats, *affine, spec.norm, spec.affine, spec.norm_first, rows.n, a.shape[2], rows.group,
            rows.pieces, *packing.mask(mask), fraction, y,
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
        self.launch(
            "loss", (pieces, replicas), BLOCK,
            logits, bias, labels, *packing.index(index), seed_of, n, classes, packing.ceil(n, pieces), learn, right,
            partial,
        )  # fmt: skip

    def add_losses(self, partial: Array, n: int, sums: Array) -> None:
        """Add the means to the sums."""
        replicas, pieces, _ = partial.shape
        self.launch("add_losses", (packing.ceil(replicas, THREADS),), LINE, partial, replicas, pieces, n, sums)

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
        self.launch(
            "upstream_sums", packing.columns(rows, a), BLOCK, g, y, a, stats, row_stats, spec.norm, spec.norm_first,
            rows.n, a.shape[2], rows.group, rows.pieces, *packing.mask(mask), partial,
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
        self.launch(
            "coefficients", (packing.ceil(width, THREADS), replicas), LINE,
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
        self.launch(
            "row_gradients", (packing.ceil(many, LANES),), BLOCK,
            g, y, a, row_stats, affine[0], spec.affine, spec.norm_first, n, width, np.int64(many), *packing.mask(mask),
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
        rates: Array | None = None,
        parts: Array | None = None,
    ) -> None:
        """Take the gradient through dropout, ReLU and normalisation."""
        self.launch(
            "to_linear", packing.columns(rows, a), BLOCK, g, y, a, stats, coef, row_stats, row_sums, affine[0],
            spec.norm, spec.affine, spec.norm_first, not spec.norm_first, rows.n, a.shape[2], rows.group, rows.pieces,
            *packing.mask(mask), partial, rates, *packing.thirds(parts),
        )  # fmt: skip

    def column_sums(self, g: Array, rows: Rows, partial: Array) -> None:
        """Sum a gradient over the images of every piece."""
        nothing = (None,) * 5
        self.launch(
            "to_linear", packing.columns(rows, g), BLOCK,
            g, g, g, *nothing, NONE, 0, 0, 0, rows.n, g.shape[2], rows.group, rows.pieces, *packing.mask(None), partial,
            None, *packing.thirds(None),
        )  # fmt: skip

    def update_weights(self, tensor: Tensor, gradient: Array, optimizer: int, hyper: Array, schedule: Array) -> None:
        """Take the optimizer's step of weights."""
        replicas, pieces = gradient.shape[:2]
        size = gradient[0, 0].size
        blocks = min(packing.ceil(size, THREADS), max(1, FILLING // replicas))
        value, *states = tensor
        self.launch(
            "update_weights", (blocks, replicas), LINE,
            value, gradient, *states, np.int64(size), pieces, optimizer, hyper, schedule,
        )  # fmt: skip

    def update_vectors(self, vectors: list[Vector], optimizer: int, hyper: Array, schedule: Array) -> None:
        """Take the optimizer's step of biases, gammas and betas, all in one launch."""
        known = self.tables.get(id(vectors))
        if known is None or known[0] is not vectors:
            table = self.xp.asarray(np.array([packing.table_row(vector) for vector in vectors], np.int64))
            known = self.tables[id(vectors)] = vectors, table
        self.launch("update_vectors", (len(vectors), len(hyper)), LINE, known[1], optimizer, hyper, schedule)

    def diagnose(self, stats: Array, schedule: Array, values: Array) -> None:
        """Describe what a batch normalisation did, one block a replica."""
        replicas, groups, _, width = stats.shape
        size = 1 << (groups * width - 1).bit_length()
        shared = size * self.dtype.itemsize
        self.launch("diagnose", (replicas,), LINE, stats, groups, width, size, schedule, values, shared=shared)

    first, middle = small_launches.first, small_launches.middle
    split, gather_pixels = tensor_launches.split, tensor_launches.gather_pixels
    pixel_product, pixel_gradient = tensor_launches.pixel_product, tensor_launches.pixel_gradient
    pack, sweep = tensor_launches.pack, tensor_launches.sweep
