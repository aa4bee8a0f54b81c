"""PyTorch's torch.func: the step of one functional network, vmapped over replicas. BN instead of BRN."""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

from typing import Any

from benchmarks.cuda.device import Device
from benchmarks.cuda.peers import loops, torch_data
from benchmarks.cuda.peers.torch_data import Batches, Tensor
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Run
from benchmarks.peers.torch_single import Network, torch


def prepare(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Train replicas whose networks have the same layers."""
    return loops.eager(job, Vmapped(job, replicas, device), len(replicas), device)


class Vmapped:
    """R replicas in training: a `loops.Learner`. The loss is multiplied by the learning rate: fused SGD uses rate 1."""

    def __init__(self, job: Job, replicas: list[Replica], device: Device):
        self.network = Network(job, replicas[0]).to(torch_data.torch_device(device))
        self.parameters, self.buffers = _stacked(job, replicas, self.network, device)
        self.state = [*self.parameters.values(), *self.buffers.values()]
        self.optimizer = torch.optim.SGD(list(self.parameters.values()), lr=1.0, momentum=job.momentum, fused=True)
        self.rates = torch.tensor([replica.rate for replica in replicas], device=torch_data.torch_device(device))
        self.batches, shared = _batches(job, replicas, device)
        batch = None if shared else 0
        self.gradient = torch.func.vmap(torch.func.grad(self._loss, has_aux=True), (0, 0, 0, batch, batch))
        self.forward = torch.func.vmap(self._logits, (0, 0, None))

    def _logits(self, parameters: Any, buffers: Any, x: Tensor) -> Tensor:
        return torch.func.functional_call(self.network, (parameters, buffers), (x,))

    def _loss(self, parameters: Any, buffers: Any, rate: Tensor, x: Tensor, t: Tensor) -> tuple[Tensor, Any]:
        logits = self._logits(parameters, buffers, x)
        loss = torch.nn.functional.cross_entropy(logits, t)
        return loss * rate, (loss, logits)

    def learn(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step on images ([R,] N, 784); returns the losses (R,) and the logits (R, N, 10)."""
        gradients, (losses, logits) = self.gradient(self.parameters, self.buffers, self.rates, x, t)
        for name, parameter in self.parameters.items():
            parameter.grad = gradients[name]
        self.optimizer.step()
        return losses, logits

    def accuracy(self, logits: Tensor, t: Tensor) -> Tensor:
        """Return the accuracies, (R,)."""
        return (logits.argmax(2) == t).float().mean(1)

    def evaluate(self, x: Tensor, t: Tensor) -> Tensor:
        """Return losses and accuracies, (2, R)."""
        logits = self.forward(self.parameters, self.buffers, x)
        labels = t.expand(len(logits), -1)
        losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.reshape(-1), reduction="none")
        return torch.stack([losses.view(labels.shape).mean(1), self.accuracy(logits, labels)])


def _stacked(job: Job, replicas: list[Replica], network: Any, device: Device) -> tuple[Any, Any]:
    """Return the initial parameters and buffers of all replicas by name, with a leading replica axis.

    Not by `torch.func.stack_module_state`, which needs a module per replica: only the weights differ at the start.
    """
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    weights = {id(layer.weight): torch_data.weights(job, depth, replicas, device) for depth, layer in enumerate(layers)}

    def spread(tensor: Tensor) -> Tensor:
        drawn = weights.get(id(tensor))
        return tensor.detach().expand(len(replicas), *tensor.shape).clone() if drawn is None else drawn

    parameters = {name: spread(tensor) for name, tensor in network.named_parameters()}
    return parameters, {name: spread(tensor) for name, tensor in network.named_buffers()}


def _batches(job: Job, replicas: list[Replica], device: Device) -> tuple[Batches, bool]:
    """Return the batches, with rows (steps, R, N), or (steps, N) if all replicas share them; and whether they do."""
    seeds = torch_data.seeds_of(replicas)
    drawn = torch_data.batches(job, seeds, device)
    if drawn.rows is None or len(seeds) == 1:
        rows = None if drawn.rows is None else drawn.rows[:, 0].contiguous()
        return Batches(drawn.images, drawn.labels, rows), True
    places = [seeds.index(replica.seed) for replica in replicas]
    return Batches(drawn.images, drawn.labels, drawn.rows[:, places].contiguous()), False
