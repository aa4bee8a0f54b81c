"""PyTorch with all replicas in one batched product per layer; eager, compiled, or captured in a CUDA graph.

Replicas are sorted by seed, and the P replicas of a seed share its batch: the first layer is one product per seed,
(N, 784) times (784, P K). Activations are (N, R, K), so that PyTorch's own kernel normalises them as R K channels, and
the products read and write them in this layout without copies. The loss is multiplied by the learning rates: its
gradient, and thereby the velocity, is linear in them, so that fused SGD uses rate 1 for all. BN instead of BRN.
"""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

from benchmarks.cuda.device import Device
from benchmarks.cuda.peers import compiling, loops, torch_data
from benchmarks.cuda.peers.compiling import Forward
from benchmarks.cuda.peers.stacked_network import StackedNetwork
from benchmarks.cuda.peers.torch_data import Batches, Tensor
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Run, Values
from benchmarks.peers.torch_single import torch


def prepare(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Launch the kernels one by one."""
    learner = Stacked(job, replicas, device)
    return _in_order(learner, loops.eager(job, learner, len(replicas), device))


def prepare_compiled(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Compile the forward and the backward pass."""
    learner = Stacked(job, replicas, device)
    learner.forward = compiling.compiled(learner.forward, device)
    return _in_order(learner, loops.eager(job, learner, len(replicas), device))


def prepare_captured(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Replay the steps, the drawing of batches and SGD included, from one CUDA graph."""
    learner = Stacked(job, replicas, device)
    return _in_order(learner, loops.captured(job, learner, len(replicas), device))


def _in_order(learner: "Stacked", run: Run) -> Run:
    def ordered() -> Values:
        return {name: value[learner.places] for name, value in run().items()}

    return ordered


class Stacked:
    """R replicas, each seed with as many of them, in training: a `loops.Learner`.

    places: of the replicas as they were passed, among those sorted by seed.
    """

    def __init__(self, job: Job, replicas: list[Replica], device: Device):
        order = sorted(range(len(replicas)), key=lambda index: replicas[index].seed)
        self.places = [order.index(index) for index in range(len(replicas))]
        by_seed = [replicas[index] for index in order]
        seeds = torch_data.seeds_of(replicas)
        self.network = StackedNetwork(job, by_seed, device)
        parameters = [parameter for parameter in self.network.parameters() if parameter.numel()]
        self.state = [*parameters, *self.network.buffers()]
        self.optimizer = torch.optim.SGD(parameters, lr=1.0, momentum=job.momentum, fused=True)
        self.rates = torch.tensor([replica.rate for replica in by_seed], device=torch_data.torch_device(device))
        self.batches = _batches(job, seeds, device)
        self.forward: Forward = self._forward

    def _forward(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.network(x)
        losses = self._losses(logits, t)
        return (losses * self.rates).sum(), losses.detach(), logits.detach()

    def learn(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step on images (S, N, 784) with labels (S, N); returns the losses (R,) and the logits (N, R, 10)."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, losses, logits = self.forward(x, t)
        loss.backward()
        self.optimizer.step()
        return losses, logits

    def accuracy(self, logits: Tensor, t: Tensor) -> Tensor:
        """Return the accuracies, (R,)."""
        return (logits.argmax(2) == self._of_replicas(logits, t)).float().mean(0)

    def evaluate(self, x: Tensor, t: Tensor) -> Tensor:
        """Return losses and accuracies, (2, R)."""
        logits = self.network(x[None])
        return torch.stack([self._losses(logits, t[None]), self.accuracy(logits, t[None])])

    def _losses(self, logits: Tensor, t: Tensor) -> Tensor:
        labels = self._of_replicas(logits, t).reshape(-1)
        losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels, reduction="none")
        return losses.view(logits.shape[:2]).mean(0)

    def _of_replicas(self, logits: Tensor, t: Tensor) -> Tensor:
        """Return the labels (N, R) for labels (S, N) of seeds, or (1, N) for all."""
        return t[:, None].expand(-1, logits.shape[1] // len(t), -1).flatten(0, 1).mT


def _batches(job: Job, seeds: list[int], device: Device) -> Batches:
    drawn = torch_data.batches(job, seeds, device)
    if drawn.rows is None:
        return Batches(drawn.images[None], drawn.labels[None], None)
    return drawn
