"""A CuPy that checks every launch against the kernels' source, and launches beside which NumPy computes the numbers."""

import re
from types import SimpleNamespace

import numpy as np

from bnrenorm.engines.cuda import launches, packing
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.reference import Reference

SOURCE = launches.source(np.float32) + "".join(
    (launches.FOLDER / name).read_text(encoding="utf-8") for name in ("small.cu", "sweep.cu")
)
APART = {"index", "next", "ranks"}
"""Arrays whose rows may lie apart; the distance is an argument."""


def parameters():
    """Return the kernels' parameters by kernel: (type, name) each, a pointer's type ending in *."""
    kernels = {}
    for name, text in re.findall(r"__launch_bounds__\(THREADS\)\s+(\w+)\((.*?)\)\s*\{", SOURCE, re.DOTALL):
        plain = (re.sub(r"\b(const|__restrict__)\b", "", part).split() for part in text.split(","))
        words = [" ".join(part).replace(" *", "*") for part in plain]
        kernels[name] = [(kind.strip(), parameter) for kind, _, parameter in (word.rpartition(" ") for word in words)]
    return kernels


KERNELS = parameters()


class Kernel:
    """Checks the arguments of its launches."""

    def __init__(self, name, dtype, seen):
        self.name, self.seen, self.max_dynamic_shared_size_bytes = name, seen, 48 * 1024
        self.types = {
            "real*": dtype,
            "int*": np.int32,
            "double*": np.float64,
            "unsigned char*": np.uint8,
            "unsigned short*": np.uint16,
            "uint4*": np.uint16,
            "Vector*": np.int64,
        }

    def __call__(self, grid, block, arguments, shared_mem=0):
        self.seen.append(self.name)
        assert np.prod(block) == 256, "the source says __launch_bounds__(256)"
        assert all(1 <= blocks <= limit for blocks, limit in zip(grid, (2**31 - 1, 65_535, 65_535), strict=False))
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        for (kind, name), argument in zip(KERNELS[self.name], arguments, strict=True):
            self.check(kind, name, argument)
            if name in APART and isinstance(argument, np.ndarray):
                assert self.stride_behind(name, arguments) == argument.strides[0] // argument.itemsize

    def stride_behind(self, name, arguments):
        """Return the first distance of rows that is passed behind an array."""
        names = [parameter for _, parameter in KERNELS[self.name]]
        return next(arguments[i] for i in range(names.index(name), len(names)) if "stride" in names[i])

    def check(self, kind, name, argument):
        if not kind.endswith("*"):
            assert type(argument) is {"int": np.int32, "wide": np.int64}[kind], name
        elif not isinstance(argument, np.ndarray):
            assert argument is packing._NULL, name
        else:
            assert argument.dtype == self.types[kind], name
            assert argument.flags.c_contiguous or name in APART, name
            assert argument.strides[-1] == argument.itemsize, name


class Cupy:
    """CuPy on NumPy's arrays, with kernels that compute nothing."""

    def __init__(self, dtype):
        self.seen, self.modules, self.waits = [], [], []
        shared = {"MaxSharedMemoryPerBlockOptin": 227 * 1024}
        self.device = SimpleNamespace(id=0, attributes=shared, compute_capability="90")
        stream = SimpleNamespace(synchronize=lambda: self.waits.append(len(self.seen)))
        self.cuda = SimpleNamespace(Device=lambda: self.device, get_current_stream=lambda: stream)
        self.dtype = dtype

    def RawModule(self, code, options):
        self.modules.append((code, options))
        return SimpleNamespace(get_function=lambda name: Kernel(name, self.dtype, self.seen))

    def __getattr__(self, name):
        return getattr(np, name)


class Both:
    """Launches each kernel, whose arguments are checked, and computes what it would."""

    def __init__(self, dtype):
        self.launches, self.reference = Launches(dtype), Reference()
        self.has_tensor_cores = self.launches.has_tensor_cores

    def __getattr__(self, name):
        computes = getattr(self.reference, name)
        if name in ("xp", "shared_memory", "math_mode", "recorded", "copy"):
            return computes

        def call(*arguments, **options):
            getattr(self.launches, name)(*arguments, **options)
            computes(*arguments, **options)

        return call
