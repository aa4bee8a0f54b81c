"""Makes Chainer 7.8.1 work with current Python, NumPy and CuPy: the only file that depends on their versions.

Chainer's last release is of January 2022. Some of its modules use names that NumPy, Python and setuptools have removed
since. `install` adds a finder to `sys.meta_path` that edits the source of these modules in memory while Python imports
them. NumPy's namespace and the installed files are not changed, and an edit whose text is not found raises ImportError.
Afterwards a plain `import chainer` works, in user code too.

`chainer`, `F` (chainer.functions) and `L` (chainer.links) are attributes of this module that are imported at the first
access: `from bnrenorm._compat import chainer` imports Chainer, `import bnrenorm` does not.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import sys
from types import CodeType
from typing import Any

# Put before a Function's first use of its attributes. A number such as np.float64(3), which np.linspace or np.sqrt
# return, makes float32 arrays float64 since NumPy 2 (NEP 50), and the backward pass then raises; a float does not.
_NUMBERS_OF_PYTHON = """\
        for name, value in vars(self).items():
            if isinstance(value, (numpy.floating, numpy.integer)):
                vars(self)[name] = value.item()
"""

# Module -> its new source, or (text, replacement) pairs; each text must occur exactly once.
_EDITS: dict[str, str | list[tuple[str, str]]] = {
    # Checks for Accelerate builds of NumPy and for old CuPy packages, with numpy.distutils (removed in Python 3.12) and
    # pkg_resources (removed in setuptools 82), and warns about every CuPy newer than 7.
    "chainer._environment_check": "def check():\n    pass\n",
    "chainer.function_node": [
        ("import weakref\n", "import weakref\n\nimport numpy\n"),
        ("        chainerx_in_data = None\n", _NUMBERS_OF_PYTHON + "        chainerx_in_data = None\n"),
    ],
    "chainer.function": [
        ("import weakref\n", "import weakref\n\nimport numpy\n"),
        (
            "        node = self.node\n\n        # Swap",
            _NUMBERS_OF_PYTHON + "        node = self.node\n\n        # Swap",
        ),
    ],
    # numpy.sctypes was removed in NumPy 2.
    "chainer.functions.array.as_strided": [
        ("np.sctypes['int']", "(np.int8, np.int16, np.int32, np.int64)"),
        ("np.sctypes['float']", "(np.float16, np.float32, np.float64, np.longdouble)"),
    ],
    # numpy.float was removed in NumPy 1.24.
    "chainer.functions.array.resize_images": [
        (text, text.replace("numpy.float", "float"))
        for axis, scale in (("out_H", "y_scale"), ("out_W", "x_scale"))
        for text in (
            f"num={axis}, dtype=numpy.float)",
            f"(xp.arange({axis}, dtype=numpy.float) + 0.5)",
            f"xp.arange({axis}, dtype=numpy.float) * {scale}",
        )
    ],
    # numpy.meshgrid returns a tuple since NumPy 2.
    "chainer.distributions.categorical": [
        ("        mg = numpy.meshgrid(\n", "        mg = list(numpy.meshgrid(\n"),
        ("            indexing='ij')\n", "            indexing='ij'))\n"),
    ],
    # A third positional argument of numpy.maximum is deprecated since NumPy 2.4.
    "chainer.dataset.convert": [
        ("numpy.maximum(shape, array.shape, shape)", "numpy.maximum(shape, array.shape, out=shape)")
    ],
    # cupy.ndarray.scatter_add is deprecated since CuPy 14.
    "chainer.functions.array.get_item": [
        ("            gx.scatter_add(slices, inputs[0])\n", "            cuda.cupy.add.at(gx, slices, inputs[0])\n"),
        ("import numpy\n", "import numpy\n\nfrom chainer.backends import cuda\n"),
    ],
    # Setting the shape of an array is deprecated since NumPy 2.5.
    "chainer.links.activation.maxout": [
        (
            "                array.shape = (out_size, pool_size, in_size)\n"
            "                initialW_orig(array)\n"
            "                array.shape = (linear_out_size, in_size)\n",
            "                initialW_orig(array.reshape(out_size, pool_size, in_size))\n",
        ),
        (
            "                array.shape = (out_size, pool_size)\n"
            "                initial_bias_orig(array)\n"
            "                array.shape = linear_out_size,\n",
            "                initial_bias_orig(array.reshape(out_size, pool_size))\n",
        ),
    ],
    # LogReport and Evaluator add `0.0 + numpy.float32(x)`: float64 before NumPy 2, float32 since (NEP 50).
    "chainer.reporter": [
        (
            "            value = value.as_grad_stopped()\n\n        with chainer.using_device(",
            "            value = value.as_grad_stopped()\n"
            "        elif isinstance(value, (numpy.generic, numpy.ndarray)):\n"
            "            value = float(value)\n"
            "        with chainer.using_device(",
        )
    ],
    # For several GPUs at a time. CuPy 14 warns of a missing NCCL at this import, and bnrenorm never uses it.
    "chainer.training.updaters.multiprocess_parallel_updater": [
        (
            "    from cupy.cuda import nccl\n",
            "    with warnings.catch_warnings():\n"
            "        warnings.filterwarnings('ignore', r'\\s*nccl library could not be loaded')\n"
            "        from cupy.cuda import nccl\n",
        )
    ],
    # Imported by chainer.gradient_check; uses pkg_resources only to skip Chainer's own tests.
    "chainer.testing.helper": [("import pkg_resources\n", "")],
    # SciPy imports its MATLAB reader and special functions when they are used, which is rare, as its attributes.
    "chainer.datasets.svhn": [("from scipy import io", "import scipy"), ("io.loadmat(", "scipy.io.loadmat(")],
    **{
        f"chainer.functions.math.{name}": [
            ("from scipy import special", "import scipy"),
            (f"special.{name}(", f"scipy.special.{name}("),
        ]
        for name in ("erfcinv", "erfcx", "erfinv", "ndtri")
    },
    # The URL of its download has returned 403 since 2024.
    "chainer.datasets.mnist": [
        ("def _retrieve_mnist(", "from bnrenorm import _retrieve_mnist\n\n\ndef _download_mnist(")
    ],
}


class _EditedLoader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:  # bypasses the bytecode cache, which has the unedited module
        path = self.get_filename(fullname)
        edits = _EDITS[fullname]
        if isinstance(edits, str):
            return self.source_to_code(edits, path)
        source = importlib.util.decode_source(self.get_data(path))
        for text, replacement in edits:
            if source.count(text) != 1:
                raise ImportError(f"{path} is not Chainer 7.8.1's: pip install chainer==7.8.1", name=fullname)
            source = source.replace(text, replacement)
        return self.source_to_code(source, path)


class _Finder:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name not in _EDITS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _EditedLoader(spec.loader.name, spec.loader.path)
        return spec


def install() -> None:
    """Make later imports of Chainer work; a second call does nothing.

    If Chainer was already imported and works (NumPy 1 on Python 3.11), only its download of MNIST is replaced. Modules
    left in `sys.modules` by a failed import are removed, so that the next import starts anew.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if "chainer" in sys.modules:
        mnist = sys.modules["chainer.datasets.mnist"]
        mnist.__dict__["_retrieve_mnist"] = sys.modules["bnrenorm"]._retrieve_mnist
        return
    for name in [name for name in sys.modules if name.startswith("chainer.")]:
        del sys.modules[name]
    # CuPy 14 has no cuDNN, and Chainer warns if it is missing. Without cuDNN, BN runs the same kernels as BRN, which
    # never uses it, so that timings are comparable. This is Chainer's own switch: a user's setting is kept.
    os.environ.setdefault("CHAINER_CUDNN", "0")
    sys.meta_path.insert(0, _Finder())


def gpu_count() -> int:
    """Return the number of CUDA GPUs that CuPy can use, 0 without CuPy.

    `chainer.backends.cuda.available` is no substitute: it is True if the CUDA libraries load, even without a GPU.
    """
    try:
        return importlib.import_module("cupy").cuda.runtime.getDeviceCount()
    except Exception:  # missing module, driver or library: the exception depends on the CuPy release
        return 0


_LAZY = {"chainer": "chainer", "F": "chainer.functions", "L": "chainer.links"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(_LAZY[name])
