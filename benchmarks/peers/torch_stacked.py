"""PyTorch with all replicas of a stack in one batched product per layer, eager or compiled. BN instead of BRN.

Activations are (N, R, D), so that PyTorch's own kernel normalises them as R D channels. The loss is multiplied by the
learning rates: its gradient, and thereby the velocity, is linear in them, so that fused SGD uses rate 1 for all.
"""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Run, Values
from benchmarks.peers.torch_single import EPS, Step, compiled, evaluate, torch


def prepare(job: Job, replicas: list[Replica]) -> Run:
    """Train a stack, eagerly."""
    return _prepare(job, replicas, lambda step: step)


def prepare_compiled(job: Job, replicas: list[Replica]) -> Run:
    """Train a stack, its forward and backward pass compiled."""
    return _prepare(job, replicas, compiled)


def _prepare(job: Job, replicas: list[Replica], transform: Callable[[Step], Step]) -> Run:
    torch.set_flush_denormal(True)
    stack = Stack(job, replicas)
    rates = torch.tensor([replica.rate for replica in replicas])
    optimizer = torch.optim.SGD(stack.parameters(), lr=1.0, momentum=job.momentum, fused=True)
    images, labels = map(torch.from_numpy, data.images("train_set"))
    rows = None if job.full else itertools.cycle(torch.from_numpy(_indices(job, replicas)))

    def forward(x: Any, t: Any) -> tuple[Any, Any]:
        logits = stack(x)
        losses = _losses(logits, t)
        return (losses * rates).sum(), (losses.detach(), logits.detach())

    step = transform(forward)

    def learn() -> tuple[Any, Any]:
        x, t = images, labels
        if rows is not None:
            indices = next(rows)
            x, t = images[indices], labels[indices]
        optimizer.zero_grad()
        loss, (losses, logits) = step(x, t)
        loss.backward()
        optimizer.step()
        return losses, _rights(logits, t) if job.full else None

    def run() -> Values:
        stack.train()
        losses, rights = zip(*(learn() for _ in range(job.round)), strict=True)
        values = {"train_loss": torch.stack(losses).mean(0)}
        if job.full:
            values["train_accuracy"] = torch.stack(rights).mean(0)
        stack.eval()
        for name in job.eval_sets:
            values[f"{name}_loss"], values[f"{name}_accuracy"] = evaluate(stack, job, name, _losses_and_accuracies)
        return {name: value.numpy() for name, value in values.items()}

    return run


def _indices(job: Job, replicas: list[Replica]) -> np.ndarray:
    """Return the batches' indices, (S, N) if all replicas share them, otherwise (S, N, R)."""
    if len({replica.seed for replica in replicas}) == 1:
        return data.batches(job, replicas[0].seed)
    return np.stack([data.batches(job, replica.seed) for replica in replicas], axis=2)


def _losses(logits: Any, t: Any) -> Any:
    """Return the mean cross entropy per replica, (R,): logits (N, R, C), labels (N,) or (N, R)."""
    t = _spread(t, logits.shape[1])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), t.flatten(), reduction="none").view(t.shape).mean(0)


def _rights(logits: Any, t: Any) -> Any:
    return (logits.argmax(2) == _spread(t, logits.shape[1])).float().mean(0)


def _spread(t: Any, replicas: int) -> Any:
    return t if t.dim() == 2 else t[:, None].expand(-1, replicas)


def _losses_and_accuracies(logits: Any, t: Any) -> Any:
    return torch.stack([_losses(logits, t), _rights(logits, t)])


class Linear(torch.autograd.Function):
    """x W^T + b, (N, R, K), for x (N, R, D), or (N, D) shared by all replicas; W (R, K, D), b (R, K).

    The gradient of W is one batched product in W's own layout, the fastest variant.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
        """Use one product for a shared batch, and a batched product otherwise."""
        ctx.save_for_backward(x, weight)
        if x.dim() == 2:
            return torch.nn.functional.linear(x, weight.flatten(0, 1), bias.flatten()).view(len(x), *bias.shape)
        return torch.baddbmm(bias[:, None], x.transpose(0, 1), weight.mT).transpose(0, 1).contiguous()

    @staticmethod
    def backward(ctx: Any, gy: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradients of x (None for the images), W and b."""
        x, weight = ctx.saved_tensors
        gy = gy.transpose(0, 1)
        gx = torch.bmm(gy, weight).transpose(0, 1) if ctx.needs_input_grad[0] else None
        x = x.expand(len(weight), *x.shape) if x.dim() == 2 else x.transpose(0, 1)
        return gx, torch.bmm(gy.mT, x), gy.sum(1)


class Stack(torch.nn.Module):
    """R networks of the same layer order, all with normalisation or all without."""

    def __init__(self, job: Job, replicas: list[Replica]):
        super().__init__()
        self.norm_first = job.norm_first
        drawn = [
            np.stack([data.weights(job, layer, replica.seed) for replica in replicas])
            for layer in range(len(job.widths) - 1)
        ]
        self.weights = torch.nn.ParameterList([torch.nn.Parameter(torch.from_numpy(weights)) for weights in drawn])
        self.biases = torch.nn.ParameterList(
            [torch.nn.Parameter(torch.zeros(len(replicas), width)) for width in job.widths[1:]]
        )
        hidden = job.widths[1:-1] if replicas[0].kind.norm != "none" else ()
        self.norms = torch.nn.ModuleList([StackedNorm(replicas, width, 1 - job.decay) for width in hidden])

    def forward(self, x: Any) -> Any:
        """Map images (N, R, 784), or (N, 784) shared by all replicas, to logits (N, R, 10)."""
        for layer in range(len(self.weights) - 1):
            x = Linear.apply(x, self.weights[layer], self.biases[layer])
            x = x if self.norm_first else torch.nn.functional.relu(x)
            x = self.norms[layer](x) if len(self.norms) else x
            x = torch.nn.functional.relu(x) if self.norm_first else x
        return Linear.apply(x, self.weights[-1], self.biases[-1])


class StackedNorm(torch.nn.Module):
    """Batch normalisation of (N, R, D).

    Replicas are sorted by affine: without gamma and beta, then one per layer, then one per node.
    """

    run_mean: Any
    run_var: Any
    fixed: Any

    def __init__(self, replicas: list[Replica], width: int, momentum: float):
        super().__init__()
        self.momentum = momentum
        kinds = [replica.kind.affine for replica in replicas]
        assert kinds == sorted(kinds, key=("none", "layer", "node").index)
        fixed, shared, own = (kinds.count(affine) for affine in ("none", "layer", "node"))
        first = torch.tensor([1.0, 0.0]).view(2, 1, 1)  # gamma and beta
        self.register_buffer("fixed", first.repeat(1, fixed, width))
        self.shared = torch.nn.Parameter(first.repeat(1, shared, 1))
        self.own = torch.nn.Parameter(first.repeat(1, own, width))
        self.register_buffer("run_mean", torch.zeros(len(replicas) * width))
        self.register_buffer("run_var", torch.ones(len(replicas) * width))

    def forward(self, x: Any) -> Any:
        """Normalise by the batch's statistics in training mode, by the running ones otherwise."""
        shared = self.shared.expand(-1, -1, x.shape[2])
        gamma, beta = torch.cat([self.fixed, shared, self.own], 1).flatten(1)
        y = torch.nn.functional.batch_norm(
            x.flatten(1), self.run_mean, self.run_var, gamma, beta, self.training, self.momentum, EPS
        )
        return y.view(x.shape)
