"""The choice of device and engine. Imports neither Chainer nor numba."""

from dataclasses import dataclass

from bnrenorm.config.schema import Settings
from bnrenorm.engines import device as devices
from bnrenorm.engines.cpu import support
from bnrenorm.engines.cpu.required import required_kernels
from bnrenorm.errors import InputError

CPU, CHAINER = "cpu", "chainer"
"""Names of the engines: compiled kernels on a CPU, and Chainer's graph on any device."""


@dataclass(frozen=True)
class Backend:
    """A device, "cpu" or "cuda:N", and the preferred engine on it, CPU or CHAINER.

    `note` says why the GPU or the CPU engine cannot be used here, if it would have been chosen automatically; empty
    otherwise.
    """

    engine: str
    device: str
    note: str = ""

    def engine_for(self, settings: Settings) -> str:
        """Return the engine for these settings: CHAINER if it is preferred or there are no kernels for them."""
        return CPU if self.engine == CPU and required_kernels(settings) else CHAINER

    def address(self, settings: Settings) -> str:
        """Return engine and kind of device, e.g. "cpu on cpu", as part of the key of stored results.

        Thus results of different engines or devices are never mixed in one comparison.
        """
        return f"{self.engine_for(settings)} on {self.device.partition(':')[0]}"


def choose(engine: str = "auto", device: str = "auto") -> Backend:
    """Return the backend for an engine and a device by name; "auto" chooses the fastest that is available.

    Raises InputError for an unknown name, a GPU that does not exist, or "cpu" kernels that cannot be used here.
    """
    if engine not in ("auto", CPU, CHAINER):
        raise InputError(f"--engine {engine}: expected auto, {CPU} or {CHAINER}")
    device, note = devices.choose(device)
    if device != "cpu":
        if engine == CPU:
            raise InputError(f"--engine cpu: there are no kernels for {device}, expected auto or chainer")
        return Backend(CHAINER, device)
    if engine == CHAINER:
        return Backend(CHAINER, device, note)
    problem = support.problem()
    if problem is None:
        return Backend(CPU, device, note)
    if engine == CPU:
        raise InputError(f"--engine cpu: {problem}")
    slower = f"{problem}; the Chainer engine trains, several times slower"
    return Backend(CHAINER, device, "; ".join(filter(None, (note, slower))))
