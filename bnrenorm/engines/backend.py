"""The choice of device and engine. Imports neither Chainer nor numba."""

from dataclasses import dataclass

from bnrenorm.config.schema import Settings
from bnrenorm.engines import device as devices
from bnrenorm.engines.cpu import support
from bnrenorm.engines.spec import is_compiled
from bnrenorm.errors import InputError

CPU, CUDA, CUDA_TF32, CHAINER = "cpu", "cuda", "cuda-tf32", "chainer"
"""Names of the engines: kernels on a CPU; on a GPU, with float32 or TF32 products; Chainer's graph on any device."""


@dataclass(frozen=True)
class Backend:
    """A device, "cpu" or "cuda:N", and the preferred engine on it.

    `note` says why the GPU or the CPU engine cannot be used here, if it would have been chosen automatically; empty
    otherwise.
    """

    engine: str
    device: str
    note: str = ""

    def engine_for(self, settings: Settings) -> str:
        """Return the engine for these settings: CHAINER if it is preferred or there are no kernels for them."""
        return self.engine if is_compiled(settings) else CHAINER

    def address(self, settings: Settings) -> str:
        """Return engine and kind of device, e.g. "cpu on cpu", as part of the key of stored results.

        Thus no result is taken for that of another engine or kind of device.
        """
        return f"{self.engine_for(settings)} on {self.kind}"

    @property
    def kind(self) -> str:
        """Return "cpu" or "cuda"."""
        return self.device.partition(":")[0]

    @property
    def options(self) -> str:
        """Return the options of the command line that choose it, on any machine that has such a device."""
        if self.engine == CHAINER:
            return f"--engine {CHAINER} --device {self.kind}"
        return f"--engine {CUDA} --tf32" if self.engine == CUDA_TF32 else f"--engine {self.engine}"


BACKENDS = [Backend(name, "cpu") for name in (CPU, CHAINER)]
BACKENDS += [Backend(name, "cuda:0") for name in (CUDA, CUDA_TF32, CHAINER)]
"""One of each kind: results of one are not taken for those of another."""


def choose(engine: str = "auto", device: str = "auto", *, tf32: bool = False) -> Backend:
    """Return the backend for an engine and a device by name.

    "auto" is the fastest that is available: a GPU that computes before the CPU, and kernels before Chainer's graph.
    tf32: let the CUDA engine round the operands of products to TF32.

    Raises InputError for an unknown name, a GPU that does not exist, or kernels that cannot be used there.
    """
    if engine not in ("auto", CPU, CUDA, CHAINER):
        raise InputError(f"--engine {engine}: expected auto, {CPU}, {CUDA} or {CHAINER}")
    device, note = devices.choose("cpu" if engine == CPU and device == "auto" else device)
    own = CPU if device == "cpu" else CUDA
    if engine not in ("auto", own, CHAINER):
        raise InputError(f"--engine {engine}: it does not train on {device}, expected auto, {own} or {CHAINER}")
    if tf32 and (own, engine) not in ((CUDA, "auto"), (CUDA, CUDA)):
        raise InputError(f"--tf32: expected --engine auto or {CUDA} on a GPU, and this is {engine} on {device}")
    if engine == CHAINER:
        return Backend(CHAINER, device, note)
    if own == CUDA:
        return Backend(CUDA_TF32 if tf32 else CUDA, device, note)
    problem = support.problem()
    if problem is None:
        return Backend(CPU, device, note)
    if engine == CPU:
        raise InputError(f"--engine cpu: {problem}")
    slower = f"{problem}; the Chainer engine trains, several times slower"
    return Backend(CHAINER, device, "; ".join(filter(None, (note, slower))))
