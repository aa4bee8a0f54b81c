"""torch.compile of a forward pass, and of the backward pass with it."""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

from collections.abc import Callable
from typing import Any

from benchmarks.cuda.device import Device
from benchmarks.peers.torch_single import torch

Forward = Callable[[Any, Any], tuple[Any, Any, Any]]
"""Maps images and labels to the loss to be differentiated, and detached from it the losses (R,) and the logits."""


def compiled(forward: Forward, device: Device) -> Forward:
    """Compile a forward pass; on a GPU for the least overhead, that is with CUDA graphs of PyTorch's own."""
    if device.rehearsal:
        return torch.compile(forward, dynamic=False)  # pyright: ignore[reportReturnType]
    fast: Any = torch.compile(forward, dynamic=False, mode="reduce-overhead")

    def step(x: Any, t: Any) -> tuple[Any, Any, Any]:
        torch.compiler.cudagraph_mark_step_begin()  # the last step's results are overwritten
        loss, losses, logits = fast(x, t)
        return loss, losses.clone(), logits

    return step
