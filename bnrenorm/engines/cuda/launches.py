"""The kernels of `kernels/` on a GPU, one method each: what `reference.Reference` says, with CuPy's arrays.

Every array is contiguous and of the dtype that the kernels were compiled for, but for the few that say otherwise.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bnrenorm.engines.cuda import norm_launches, packing, small_launches, tensor_launches
from bnrenorm.engines.cuda.cublas import Products, math_mode
from bnrenorm.engines.cuda.graphs import Graphs, NotCaptured
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.packing import BLOCK, FILLING, LINE, THREADS
from bnrenorm.engines.cuda.parameters import Tensor, Vector
from bnrenorm.engines.cuda.pixels import CAPABILITY
from bnrenorm.engines.cuda.rows import Mask
from bnrenorm.engines.cuda.tape import Tape, play

Array = Any

FOLDER = Path(__file__).parent / "kernels"
SOURCES = ("common.cuh", "norm.cu", "layer.cu", "loss.cu", "update.cu", "diagnosis.cu", "pixels.cu")
BEFORE = ("common.cuh", "update.cu")
"""What stands before the files whose kernels are compiled with constants."""

OPTIONS = ("-std=c++17", "-fmad=false")


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
        self.tape, self.graphs, self.no_graph = Tape(), Graphs(), ""
        self.products = Products(dtype, self.tape)
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
        self.tape(function, grid, block, tuple(map(packing.argument, values)), shared_mem=shared)

    def recorded(self, step: Callable[[], None]) -> Callable[[], None]:
        """Take a step, and return what takes it again: a graph, if it can be one."""
        calls = self.tape.recorded(step)
        try:
            return self.graphs.captured(calls)
        except NotCaptured as reason:
            self.no_graph = str(reason)
            return partial(play, calls)

    def copy(self, source: Array, target: Array) -> None:
        """Copy an array."""
        target.data.copy_from_device_async(source.data, source.nbytes)

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

    def update_weights(self, tensor: Tensor, gradient: Array, context: Context) -> None:
        """Take the optimizer's step of weights."""
        replicas, pieces = gradient.shape[:2]
        size = gradient[0, 0].size
        blocks = min(packing.ceil(size, THREADS), max(1, FILLING // replicas))
        value, *states = tensor
        self.launch(
            "update_weights", (blocks, replicas), LINE,
            value, gradient, *states, np.int64(size), pieces, context.spec.optimizer, context.hyper, context.schedule,
        )  # fmt: skip

    def update_vectors(self, vectors: list[Vector], context: Context) -> None:
        """Take the optimizer's step of biases, gammas and betas, all in one launch."""
        if id(vectors) not in self.tables:  # the list is kept too: no other gets its id
            table = self.xp.asarray(np.array([packing.table_row(vector) for vector in vectors], np.int64))
            self.tables[id(vectors)] = vectors, table
        rule = context.spec.optimizer, context.hyper, context.schedule
        self.launch("update_vectors", (len(vectors), len(context.hyper)), LINE, self.tables[id(vectors)][1], *rule)

    def diagnose(self, stats: Array, schedule: Array, values: Array) -> None:
        """Describe what a batch normalisation did, one block a replica."""
        replicas, groups, _, width = stats.shape
        size = 1 << (groups * width - 1).bit_length()
        shared = size * self.dtype.itemsize
        self.launch("diagnose", (replicas,), LINE, stats, groups, width, size, schedule, values, shared=shared)

    first, middle = small_launches.first, small_launches.middle
    enter, statistics, normalise = norm_launches.enter, norm_launches.statistics, norm_launches.normalise
    row_moments, row_gradients = norm_launches.row_moments, norm_launches.row_gradients
    upstream_sums, coefficients = norm_launches.upstream_sums, norm_launches.coefficients
    to_linear, column_sums = norm_launches.to_linear, norm_launches.column_sums
    split, gather_pixels = tensor_launches.split, tensor_launches.gather_pixels
    pixel_product, pixel_gradient = tensor_launches.pixel_product, tensor_launches.pixel_gradient
    pack, sweep = tensor_launches.pack, tensor_launches.sweep
