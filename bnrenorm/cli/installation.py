"""Check of the installation: every check has a result, and a fix where something is wrong."""

import importlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from math import fsum, sqrt

import numpy as np

from bnrenorm import _compat, environment
from bnrenorm.data import dataset, mnist
from bnrenorm.engines import device
from bnrenorm.engines.cpu import support
from bnrenorm.errors import InputError, one_line

_INSTALL_CHAINER = "pip install 'setuptools<81' wheel && pip install --no-build-isolation chainer==7.8.1"
_INSTALL_CUPY = "pip install 'cupy-cuda12x[ctk]' (for CUDA 13, as nvidia-smi shows: pip install 'cupy-cuda13x[ctk]')"
_REINSTALL = (
    "reinstall bnrenorm: pip install --force-reinstall --no-deps SOURCE, with the wheel, folder or URL it came from"
)
_TOLERANCE = 1e-5  # largest error of the links, which compute in float32 with outputs of about 1


@dataclass(frozen=True)
class Finding:
    """The result of one check. `fix` is a command or a hint, empty where there is nothing to do."""

    ok: bool
    detail: str
    fix: str = ""


def examine() -> dict[str, Finding]:
    """Run all checks, each after those that it depends on. A check that raises is a finding too."""
    checks: dict[str, tuple[Callable[[], Finding], str]] = {
        "Python": (lambda: Finding(True, environment.versions()["python"]), "install Python 3.11 or newer"),
        "NumPy": (lambda: Finding(True, np.__version__), "pip install --upgrade numpy"),
        "Chainer": (_chainer, _install_chainer()),
        "BLAS": (_blas, "pip install --force-reinstall numpy"),
        "kernels": (_kernels, "pip install --upgrade numba"),
        "GPU": (_gpu, _complete_cupy()),
        "digits": (_digits, _REINSTALL),
        "links": (_links, _install_chainer()),
    }
    return {name: _run(*check) for name, check in checks.items()}


def _install_chainer() -> str:
    """Return the command that installs Chainer, over an installation of the same version if there is one.

    There the second `pip install` brings nothing but the packages that Chainer needs and that are missing.
    """
    again = environment.versions().get("chainer") == "7.8.1"
    return _INSTALL_CHAINER + (" --force-reinstall --no-deps && pip install chainer==7.8.1" if again else "")


def _complete_cupy() -> str:
    """Return the command that installs CuPy with CUDA's libraries, those of the CuPy that is there if there is one."""
    installed = [name for name in environment.versions() if name.startswith("cupy-cuda")]
    return f"pip install --upgrade '{installed[0]}[ctk]'" if installed else _INSTALL_CUPY


def _run(check: Callable[[], Finding], fix: str) -> Finding:
    try:
        return check()
    except Exception as error:  # any exception is a finding
        return Finding(False, one_line(error), fix)


def _chainer() -> Finding:
    version = _compat.chainer.__version__
    ok = version == "7.8.1"
    return Finding(ok, f"{version}, adapted to this Python and NumPy", "" if ok else _install_chainer())


def _blas() -> Finding:
    return Finding(True, f"{environment.blas()}, {environment.threads()} threads on {environment.processor()}")


def _kernels() -> Finding:
    problem = support.problem()
    if problem is not None:
        detail = f"not available: {problem}; the Chainer engine trains instead, several times slower"
        fix = "unset NUMBA_DISABLE_JIT" if problem == support.DISABLED else "pip install --upgrade numba"
        return Finding(True, detail, fix)
    from bnrenorm.engines.cpu.codegen import decorators

    folder = decorators.cache_folder()
    cache = f"cached in {folder}" if folder else "compiled again in every process: no cache folder is writable"
    return Finding(True, f"CPU engine with numba {environment.versions().get('numba', '')}, {cache}")


def _gpu() -> Finding:
    count = _compat.gpu_count()
    for index in range(count):
        if (problem := device.problem(index)) is not None:
            detail = f"cuda:{index} ({environment.gpu(f'cuda:{index}')}) does not compute: {problem}"
            return Finding(False, detail, _complete_cupy())
    if count:
        cupy = [f"{name} {version}" for name, version in environment.versions().items() if name.startswith("cupy")]
        return Finding(True, f"{environment.gpu('cuda:0')} ({count} in all), {', '.join(cupy)}")
    if shutil.which("nvidia-smi"):
        return Finding(True, f"a driver, but no GPU that CuPy can use ({_cupy_problem()})", _INSTALL_CUPY)
    return Finding(True, "none; training runs on the CPU")


def _cupy_problem() -> str:
    try:
        cupy = importlib.import_module("cupy")
        return f"it counts {cupy.cuda.runtime.getDeviceCount()}"
    except Exception as error:  # each CuPy release raises something else
        return one_line(error)


def _digits() -> Finding:
    try:
        checksum = dataset.load().checksum
    except InputError as error:
        return Finding(False, str(error), _REINSTALL)
    return Finding(True, f"70,000, sha256 {checksum[:16]}..., {mnist.LICENCE}")


def _links() -> Finding:
    """Compare the BatchRenormalization link with scalar arithmetic on every device that computes."""
    errors: dict[str, float] = {}
    gpus = [f"cuda:{index}" for index in range(_compat.gpu_count()) if device.problem(index) is None]
    for name in ("cpu", *gpus):
        fix = _install_chainer() if name == "cpu" else _complete_cupy()
        try:
            with device.using(name):
                errors[name] = _link_error(name)
        except Exception as error:  # of another kernel than `device.problem` has tried
            return Finding(False, f"{name}: {one_line(error)}", fix)
        if not errors[name] < _TOLERANCE:
            return Finding(False, f"{name}: off by {errors[name]:.1e} from scalar arithmetic", fix)
    detail = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
    return Finding(True, f"largest error against scalar arithmetic: {detail}")


def _link_error(name: str) -> float:
    """Return the largest error of the link over three training batches on a device. [BRN17, Alg. 1]"""
    from bnrenorm.norm.dropin import BatchRenormalization

    r_max, d_max, decay, eps = 1.5, 0.5, 0.9, 2e-5
    rng = np.random.default_rng(0)
    link = BatchRenormalization(5, r_max, d_max, decay=decay, eps=eps)
    chainer_device = device.chainer_device(name)
    link.to_device(chainer_device)
    run_mean, run_var = [0.0] * 5, [1.0] * 5
    errors = []
    for _ in range(3):
        x = rng.normal(2.0, 3.0, (8, 5)).astype(np.float32)
        with _compat.chainer.using_config("train", True):
            y = _compat.chainer.cuda.to_cpu(link(chainer_device.send(x)).array)
        for j in range(5):
            column = [float(value) for value in x[:, j]]
            mean = fsum(column) / 8
            var = fsum((value - mean) ** 2 for value in column) / 8
            std, run_std = sqrt(var + eps), sqrt(run_var[j] + eps)
            r = min(max(std / run_std, 1 / r_max), r_max)
            d = min(max((mean - run_mean[j]) / run_std, -d_max), d_max)
            expected = np.array([(value - mean) / std * r + d for value in column])
            errors.append(np.abs(expected - y[:, j]).max())
            run_mean[j] += (1 - decay) * (mean - run_mean[j])
            run_var[j] += (1 - decay) * (var * 8 / 7 - run_var[j])
    return float(np.max(errors))  # NaN if any is
