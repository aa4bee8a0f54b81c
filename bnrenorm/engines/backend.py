"""What a run trains on: a device, and the engine for what that engine can train. Loads neither Chainer nor numba."""

from dataclasses import dataclass

from bnrenorm.config.schema import Settings
from bnrenorm.engines import device as devices
from bnrenorm.engines.cpu import support
from bnrenorm.engines.cpu.required import required_kernels
from bnrenorm.errors import InputError

CPU, CHAINER = "cpu", "chainer"
"""The engines: compiled kernels on a CPU, and Chainer's graph on any device."""


@dataclass(frozen=True)
class Backend:
    """`engine` is CPU or CHAINER, `device` "cpu" or "cuda:N".

    `note` says, where that was not asked for, why the kernels cannot be used here; empty if they can.
    """

    engine: str
    device: str
    note: str = ""

    def engine_for(self, settings: Settings) -> str:
        """Return the engine that trains these settings: CHAINER for whatever there are no kernels for."""
        return CPU if self.engine == CPU and required_kernels(settings) else CHAINER

    def address(self, settings: Settings) -> str:
        """Name engine and kind of device, as part of a result's address: results of different ones never mix."""
        return f"{self.engine_for(settings)} on {self.device.partition(':')[0]}"


def choose(engine: str = "auto", device: str = "auto") -> Backend:
    """Return the backend for names that a user gave, "auto" for what is best here.

    Raises InputError for an unknown name, a GPU that is not there, or kernels where they cannot be used.
    """
    if engine not in ("auto", CPU, CHAINER):
        raise InputError(f"--engine {engine}: expected auto, {CPU} or {CHAINER}")
    device = devices.choose(device)
    if device != "cpu":
        if engine == CPU:
            raise InputError(f"--engine cpu: there are no kernels for {device}, expected auto or chainer")
        return Backend(CHAINER, device)
    if engine == CHAINER:
        return Backend(CHAINER, device)
    problem = support.problem()
    if problem is None:
        return Backend(CPU, device)
    if engine == CPU:
        raise InputError(f"--engine cpu: {problem}")
    return Backend(CHAINER, device, f"{problem}; the Chainer engine trains, several times slower")
