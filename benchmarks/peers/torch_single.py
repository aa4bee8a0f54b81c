"""Idiomatic PyTorch, one network at a time: nn modules, fused SGD, eager or compiled. BN instead of BRN."""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

import itertools
import os
import shutil
from collections.abc import Callable
from typing import Any

from benchmarks import data
from benchmarks.jobs import Job, Kind, Replica
from benchmarks.peers import Missing, Run, Values

try:
    import torch
    from torch.nn import functional
except ModuleNotFoundError as error:
    if error.name != "torch":  # it is there, and fails
        raise
    raise Missing("PyTorch is not installed") from error

EPS = 2e-5
Step = Callable[[Any, Any], tuple[Any, Any]]


def prepare(job: Job, replicas: list[Replica]) -> Run:
    """Train one network, eagerly."""
    return _prepare(job, replicas, lambda step: step)


def prepare_compiled(job: Job, replicas: list[Replica]) -> Run:
    """Train one network, its forward and backward pass compiled."""
    return _prepare(job, replicas, compiled)


def compiled(step: Step) -> Step:
    """Compile a forward pass, and the backward pass with it. Raises Missing without a C++ compiler."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "clang++")):
        raise Missing("torch.compile finds no C++ compiler (g++ or clang++)")
    return torch.compile(step, dynamic=False)  # pyright: ignore[reportReturnType]


def _prepare(job: Job, replicas: list[Replica], transform: Callable[[Step], Step]) -> Run:
    torch.set_flush_denormal(True)
    (replica,) = replicas
    network = Network(job, replica)
    optimizer = torch.optim.SGD(network.parameters(), lr=replica.rate, momentum=job.momentum, fused=True)
    images, labels = map(torch.from_numpy, data.images("train_set"))
    rows = None if job.full else itertools.cycle(torch.from_numpy(data.batches(job, replica.seed)))

    def forward(x: Any, t: Any) -> tuple[Any, Any]:
        logits = network(x)
        return functional.cross_entropy(logits, t), logits

    step = transform(forward)

    def learn() -> tuple[Any, Any]:
        x, t = images, labels
        if rows is not None:
            indices = next(rows)
            x, t = images.index_select(0, indices), labels.index_select(0, indices)
        optimizer.zero_grad()
        loss, logits = step(x, t)
        loss.backward()
        optimizer.step()
        right = (logits.detach().argmax(1) == t).float().mean() if job.full else None
        return loss.detach(), right

    def run() -> Values:
        network.train()
        losses, rights = zip(*(learn() for _ in range(job.round)), strict=True)
        values = {"train_loss": torch.stack(losses).mean()}
        if job.full:
            values["train_accuracy"] = torch.stack(rights).mean()
        network.eval()
        for name in job.eval_sets:
            values[f"{name}_loss"], values[f"{name}_accuracy"] = evaluate(network, job, name, _loss_and_accuracy)
        return {name: value.reshape(1).numpy() for name, value in values.items()}

    return run


@torch.inference_mode()
def evaluate(network: Any, job: Job, name: str, measure: Callable[[Any, Any], Any]) -> Any:
    """Return the mean over all blocks of a set of `measure(logits, labels)`, (2, ...)."""
    results = [measure(network(torch.from_numpy(x)), torch.from_numpy(t)) for x, t in data.blocks(job, name)]
    return torch.stack(results).mean(0)


def _loss_and_accuracy(logits: Any, t: Any) -> Any:
    return torch.stack([functional.cross_entropy(logits, t), (logits.argmax(1) == t).float().mean()])


class Network(torch.nn.Module):
    """Hidden layers of Linear, ReLU and a normalisation in the job's order, then Linear."""

    def __init__(self, job: Job, replica: Replica):
        super().__init__()
        layers = []
        for layer, (fan_in, width) in enumerate(itertools.pairwise(job.widths)):
            linear = torch.nn.Linear(fan_in, width)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(data.weights(job, layer, replica.seed)))
                linear.bias.zero_()
            layers.append(linear)
            if layer < len(job.widths) - 2:
                after = [*_norm(job, replica.kind, width), torch.nn.ReLU()]
                layers += after if job.norm_first else after[::-1]
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, x: Any) -> Any:
        """Map images (N, 784) to logits (N, 10)."""
        return self.layers(x)


def _norm(job: Job, kind: Kind, width: int) -> list[Any]:
    if kind.norm == "none":
        return []
    if kind.affine == "layer":
        return [SharedAffine(width, 1 - job.decay)]
    return [torch.nn.BatchNorm1d(width, EPS, 1 - job.decay, affine=kind.affine == "node")]


class SharedAffine(torch.nn.Module):
    """Batch normalisation with a single gamma and beta."""

    run_mean: Any
    run_var: Any

    def __init__(self, width: int, momentum: float):
        super().__init__()
        self.width, self.momentum = width, momentum
        self.gamma, self.beta = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.zeros(1))
        self.register_buffer("run_mean", torch.zeros(width))
        self.register_buffer("run_var", torch.ones(width))

    def forward(self, x: Any) -> Any:
        """Normalise (N, D)."""
        # With an expanded gamma, PyTorch 2.13's gradient reads out of bounds and returns NaN.
        gamma, beta = self.gamma.repeat(self.width), self.beta.repeat(self.width)
        return functional.batch_norm(x, self.run_mean, self.run_var, gamma, beta, self.training, self.momentum, EPS)
