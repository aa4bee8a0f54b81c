"""The examination of what bnrenorm stands on, each finding with what mends it."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import fsum, sqrt

import numpy as np

from bnrenorm import _compat, environment
from bnrenorm.data import dataset, mnist
from bnrenorm.engines import device
from bnrenorm.engines.cpu import support
from bnrenorm.errors import InputError

_REINSTALL = "PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt pip install chainer==7.8.1"
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is a command or a hint, empty where there is nothing to do."""

    what: str
    ok: bool
    found: str
    mend: str = ""


def examine() -> list[Finding]:
    """Look at everything, in the order in which things depend on each other."""
    checks = (_python, _numpy, _chainer, _blas, _kernels, _gpu, _digits, _links)
    return [_guarded(check) for check in checks]


def _guarded(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # whatever it is, it is the finding
        return Finding(check.__name__.strip("_"), False, f"{type(error).__name__}: {error}", _REINSTALL)


def _python() -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), environment.versions()["python"], "")


def _numpy() -> Finding:
    return Finding("NumPy", True, np.__version__)


def _chainer() -> Finding:
    found = _compat.chainer.__version__
    ok = found == "7.8.1"
    return Finding("Chainer", ok, f"{found}, made to run here by bnrenorm", "" if ok else _REINSTALL)


def _blas() -> Finding:
    return Finding("BLAS", True, f"{environment.blas()}, {environment.threads()} threads on {environment.processor()}")


def _kernels() -> Finding:
    problem = support.problem()
    if problem is not None:
        found = f"{problem}: the Chainer engine serves, several times slower"
        return Finding("kernels", True, found, "pip install --upgrade numba")
    from bnrenorm.engines.cpu.codegen import decorators

    folder = decorators.cache_folder()
    where = f"kept in {folder}" if folder else "compiled anew in every process: no folder for them can be written"
    return Finding("kernels", True, f"numba {environment.versions().get('numba', '')}, {where}")


def _gpu() -> Finding:
    count = _compat.gpu_count()
    if count:
        cupy = [f"{name} {version}" for name, version in environment.versions().items() if name.startswith("cupy")]
        return Finding("GPU", True, f"{environment.gpu('cuda:0')} ({count} in all), {', '.join(cupy)}")
    if shutil.which("nvidia-smi"):
        return Finding(
            "GPU", True, "a driver, but no GPU that CuPy can use", "pip install 'bnrenorm[cuda12]' or [cuda13]"
        )
    return Finding("GPU", True, "none; the CPU serves")


def _digits() -> Finding:
    try:
        checksum = dataset.load().checksum
    except InputError as error:
        return Finding("digits", False, str(error), "pip install --force-reinstall --no-deps bnrenorm")
    return Finding("digits", True, f"70,000, sha256 {checksum[:16]}..., {mnist.LICENCE}")


def _links() -> Finding:
    """Renormalise three batches by the link, on every device there is, and by scalar arithmetic [BRN17, Alg. 1]."""
    names = ["cpu", *(f"cuda:{i}" for i in range(_compat.gpu_count()))]
    errors = {name: _error_of_links(name) for name in names}
    found = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
    ok = max(errors.values()) < _TOLERANCE
    return Finding("links", ok, f"greatest error against scalar arithmetic: {found}", "" if ok else _REINSTALL)


def _error_of_links(name: str) -> float:
    from bnrenorm.norm.dropin import BatchRenormalization

    r_max, d_max, decay, eps = 1.5, 0.5, 0.9, 2e-5
    rng = np.random.default_rng(0)
    link = BatchRenormalization(5, r_max, d_max, decay=decay, eps=eps)
    where = device.chainer_device(name)
    link.to_device(where)
    run_mean, run_var = [0.0] * 5, [1.0] * 5
    worst = 0.0
    for _ in range(3):
        x = rng.normal(2.0, 3.0, (8, 5)).astype(np.float32)
        with _compat.chainer.using_config("train", True):
            y = _compat.chainer.cuda.to_cpu(link(where.send(x)).array)
        for j in range(5):
            column = [float(value) for value in x[:, j]]
            mean = fsum(column) / 8
            var = fsum((value - mean) ** 2 for value in column) / 8
            std, run_std = sqrt(var + eps), sqrt(run_var[j] + eps)
            r = min(max(std / run_std, 1 / r_max), r_max)
            d = min(max((mean - run_mean[j]) / run_std, -d_max), d_max)
            worst = max(worst, *(abs((v - mean) / std * r + d - got) for v, got in zip(column, y[:, j], strict=True)))
            run_mean[j] += (1 - decay) * (mean - run_mean[j])
            run_var[j] += (1 - decay) * (var * 8 / 7 - run_var[j])
    return float(worst)
