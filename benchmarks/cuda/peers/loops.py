"""Rounds of PyTorch's steps: launched one by one, or replayed from a CUDA graph."""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

import itertools
import math
from collections.abc import Callable
from typing import Any, Protocol

from benchmarks.cuda.device import Device
from benchmarks.cuda.peers import torch_data
from benchmarks.cuda.peers.torch_data import Batches, Tensor
from benchmarks.jobs import Job
from benchmarks.peers import Run, Values
from benchmarks.peers.torch_single import torch

_STEPS_PER_GRAPH = 5
_ELEMENTS = 2**28  # of the widest layer's activations in an evaluation: 1 GiB


class Learner(Protocol):
    """R replicas in training, changed in place.

    network: their module, which has `train` and `eval`; state: their parameters and statistics; optimizer: PyTorch's.
    batches: their training data, with rows (steps, ..., N) as `learn` takes them.
    """

    network: Any
    state: list[Tensor]
    optimizer: Any
    batches: Batches

    def learn(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step; returns the losses (R,) and the logits of before it."""
        ...

    def accuracy(self, logits: Tensor, t: Tensor) -> Tensor:
        """Return the accuracies (R,) of the logits that `learn` returned."""
        ...

    def evaluate(self, x: Tensor, t: Tensor) -> Tensor:
        """Return mean loss and accuracy, (2, R), of images (M, 784) in inference mode."""
        ...


def eager(job: Job, learner: Learner, replicas: int, device: Device) -> Run:
    """Launch each step's kernels."""
    batches = learner.batches
    rows = itertools.repeat(None) if batches.rows is None else itertools.cycle(batches.rows.unbind())

    def steps() -> Tensor:
        values = [_step(job, learner, row) for row in itertools.islice(rows, job.round)]
        return torch.stack(values).mean(0)

    return _round(job, learner, replicas, steps, device)


def captured(job: Job, learner: Learner, replicas: int, device: Device) -> Run:
    """Replay a graph of at most five steps, which finds its batches by a position on the device."""
    count, rows = math.gcd(job.round, _STEPS_PER_GRAPH), learner.batches.rows
    on_device = {"device": learner.batches.images.device}
    position = torch.zeros(1, dtype=torch.long, **on_device)
    sums = torch.zeros((2 if job.full else 1, replicas), **on_device)
    offsets = torch.arange(count, **on_device)

    def some_steps() -> None:
        chosen: Any = [None] * count
        if rows is not None:
            chosen = rows.index_select(0, (position + offsets).remainder(len(rows))).unbind()
        sums.add_(torch.stack([_step(job, learner, row) for row in chosen]).sum(0))
        position.add_(count)

    learner.network.train()
    initial = [tensor.detach().clone() for tensor in learner.state]
    replay = _replayed(some_steps, device)
    with torch.no_grad():
        for tensor, value in zip(learner.state, initial, strict=True):
            tensor.copy_(value)
        for state in learner.optimizer.state.values():
            state["momentum_buffer"].zero_()
    del initial
    position.zero_()
    sums.zero_()

    def steps() -> Tensor:
        for _ in range(job.round // count):
            replay()
        means = sums / job.round
        sums.zero_()
        return means

    return _round(job, learner, replicas, steps, device)


def _step(job: Job, learner: Learner, row: Tensor | None) -> Tensor:
    """Take a step on the batch of a row; returns the losses (1, R), on the full batch losses and accuracies (2, R)."""
    x, t = (learner.batches.images, learner.batches.labels) if row is None else learner.batches.of(row)
    losses, logits = learner.learn(x, t)
    return torch.stack([losses, learner.accuracy(logits, t)]) if job.full else losses[None]


class _Graph:
    """A CUDA graph of `work`. It keeps `work` alive, because the graph reads its tensors without owning them."""

    def __init__(self, work: Callable[[], None]):
        self.work, self.graph = work, torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):  # a thread of bnrenorm's may be copying
            work()

    def replay(self) -> None:
        """Launch all of the work at once."""
        self.graph.replay()


def _replayed(work: Callable[[], None], device: Device) -> Callable[[], None]:
    """Return a function that replays `work` from a CUDA graph; in a rehearsal, `work` itself.

    `work` runs some times before, which allocates the optimizer's state: the caller resets what that has changed.
    """
    if not device.rehearsal:
        return _Graph(work).replay
    work()
    return work


def _round(job: Job, learner: Learner, replicas: int, steps: Callable[[], Tensor], device: Device) -> Run:
    """Return a run of the steps, whose mean losses and accuracies they return, and the evaluation after them."""
    rows = min(10_000, max(100, _ELEMENTS // (replicas * max(job.widths[1:]))))
    blocks = {name: torch_data.eval_blocks(job, name, rows, device) for name in job.eval_sets}

    def run() -> Values:
        learner.network.train()
        means = steps()
        values: dict[str, Any] = dict(zip(("train_loss", "train_accuracy"), means, strict=False))
        learner.network.eval()
        with torch.no_grad():
            for name, parts in blocks.items():
                total = sum(len(t) for _, t in parts)
                sums: Any = sum(learner.evaluate(x, t) * (len(t) / total) for x, t in parts)
                values[f"{name}_loss"], values[f"{name}_accuracy"] = sums
        return {name: value.cpu().numpy() for name, value in values.items()}

    return run
