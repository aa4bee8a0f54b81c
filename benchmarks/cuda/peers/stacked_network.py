"""The network of R stacked replicas as a PyTorch module, for a GPU."""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

from typing import Any

from benchmarks.cuda.device import Device
from benchmarks.cuda.peers import torch_data
from benchmarks.cuda.peers.torch_data import Tensor
from benchmarks.jobs import Job, Replica
from benchmarks.peers.torch_single import EPS, torch

_FIRST = (1.0, 0.0)  # gamma and beta


class StackedNetwork(torch.nn.Module):
    """Hidden layers of linear, ReLU and normalisation in the job's order, then linear; replicas sorted by seed.

    All replicas are normalised, or none.
    """

    def __init__(self, job: Job, replicas: list[Replica], device: Device):
        super().__init__()
        self.norm_first = job.norm_first
        home = {"device": torch_data.torch_device(device)}
        weights = [torch_data.weights(job, layer, replicas, device) for layer in range(len(job.widths) - 1)]
        self.weights = torch.nn.ParameterList([torch.nn.Parameter(weight) for weight in weights])
        self.biases = torch.nn.ParameterList(
            [torch.nn.Parameter(torch.zeros(len(replicas), width, **home)) for width in job.widths[1:]]
        )
        hidden = job.widths[1:-1] if replicas[0].kind.norm != "none" else ()
        self.norms = torch.nn.ModuleList([StackedNorm(job, replicas, width) for width in hidden]).to(**home)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (S, N, 784), each for R / S replicas, to logits (N, R, 10)."""
        for layer in range(len(self.weights) - 1):
            x = Linear.apply(x, self.weights[layer], self.biases[layer])
            x = x if self.norm_first else torch.nn.functional.relu(x)
            x = self.norms[layer](x) if len(self.norms) else x
            x = torch.nn.functional.relu(x) if self.norm_first else x
            x = x.transpose(0, 1)
        return Linear.apply(x, self.weights[-1], self.biases[-1])


class Linear(torch.autograd.Function):
    """x W^T + b, (N, R, K), for x (G, N, D), each of its G groups for R / G replicas; W (R, K, D), b (R, K).

    The products of the groups are one batched product, which writes where the results are read.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Multiply, and add the bias."""
        ctx.save_for_backward(x, weight)
        groups, rows, inputs = x.shape
        y = x.new_empty(rows, groups, bias.numel() // groups)
        grouped = weight.view(groups, -1, inputs)
        torch.baddbmm(bias.view(groups, 1, -1), x, grouped.mT, out=y.transpose(0, 1))
        return y.view(rows, *bias.shape)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradients of x (None for the images), W and b."""
        x, weight = ctx.saved_tensors
        groups, rows, inputs = x.shape
        grouped = gy.reshape(rows, groups, -1).transpose(0, 1)
        gx = None
        if ctx.needs_input_grad[0]:
            gx = x.new_empty(rows, groups, inputs).transpose(0, 1)
            torch.bmm(grouped, weight.view(groups, -1, inputs), out=gx)
        return gx, torch.bmm(grouped.mT, x).view(weight.shape), gy.sum(0)


class StackedNorm(torch.nn.Module):
    """Batch normalisation of (N, R, K): gamma and beta of a replica are 1 and 0, learned per layer, or per node."""

    run_mean: Any
    run_var: Any
    fixed: Any
    places: Any

    def __init__(self, job: Job, replicas: list[Replica], width: int):
        super().__init__()
        self.momentum = 1 - job.decay
        kinds = [replica.kind.affine for replica in replicas]
        order = sorted(range(len(kinds)), key=lambda index: ("none", "layer", "node").index(kinds[index]))
        self.sorted = order == list(range(len(kinds)))
        first = torch.tensor(_FIRST).view(2, 1, 1)
        self.register_buffer("places", torch.tensor([order.index(index) for index in range(len(kinds))]))
        self.register_buffer("fixed", first.repeat(1, kinds.count("none"), width))
        self.shared = torch.nn.Parameter(first.repeat(1, kinds.count("layer"), 1))
        self.own = torch.nn.Parameter(first.repeat(1, kinds.count("node"), width))
        self.register_buffer("run_mean", torch.zeros(len(replicas) * width))
        self.register_buffer("run_var", torch.ones(len(replicas) * width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise by the batch's statistics in training mode, by the running ones otherwise."""
        affine = torch.cat([self.fixed, self.shared.expand(-1, -1, x.shape[2]), self.own], 1)
        if not self.sorted:
            affine = affine.index_select(1, self.places)
        gamma, beta = affine.flatten(1)
        y = torch.nn.functional.batch_norm(
            x.flatten(1), self.run_mean, self.run_var, gamma, beta, self.training, self.momentum, EPS
        )
        return y.view(x.shape)
