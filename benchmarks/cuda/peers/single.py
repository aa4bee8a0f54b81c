"""PyTorch, one network at a time: nn modules, fused SGD; eager, compiled, or captured in a CUDA graph."""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

from benchmarks.cuda.device import Device
from benchmarks.cuda.peers import compiling, loops, torch_data
from benchmarks.cuda.peers.compiling import Forward
from benchmarks.cuda.peers.torch_data import Batches, Tensor
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Run
from benchmarks.peers.torch_single import Network, torch


def prepare(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Launch the kernels one by one."""
    return loops.eager(job, Single(job, replicas, device), 1, device)


def prepare_compiled(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Compile the forward and the backward pass, which PyTorch then replays from CUDA graphs of its own."""
    learner = Single(job, replicas, device)
    learner.forward = compiling.compiled(learner.forward, device)
    return loops.eager(job, learner, 1, device)


def prepare_captured(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Replay the steps, the drawing of batches and SGD included, from one CUDA graph."""
    return loops.captured(job, Single(job, replicas, device), 1, device)


class Single:
    """One network in training: a `loops.Learner`."""

    def __init__(self, job: Job, replicas: list[Replica], device: Device):
        (replica,) = replicas
        self.network = Network(job, replica).to(torch_data.torch_device(device))
        parameters = list(self.network.parameters())
        self.state = [*parameters, *self.network.buffers()]
        self.optimizer = torch.optim.SGD(parameters, lr=replica.rate, momentum=job.momentum, fused=True)
        drawn = torch_data.batches(job, [replica.seed], device)
        rows = None if drawn.rows is None else drawn.rows[:, 0].contiguous()
        self.batches = Batches(drawn.images, drawn.labels, rows)
        self.forward: Forward = self._forward

    def _forward(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.network(x)
        loss = torch.nn.functional.cross_entropy(logits, t)
        return loss, loss.detach().reshape(1), logits.detach()

    def learn(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step on images (N, 784); returns the loss (1,) and the logits (N, 10)."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, losses, logits = self.forward(x, t)
        loss.backward()
        self.optimizer.step()
        return losses, logits

    def accuracy(self, logits: Tensor, t: Tensor) -> Tensor:
        """Return the accuracy, (1,)."""
        return (logits.argmax(1) == t).float().mean().reshape(1)

    def evaluate(self, x: Tensor, t: Tensor) -> Tensor:
        """Return loss and accuracy, (2, 1)."""
        logits = self.network(x)
        return torch.stack([torch.nn.functional.cross_entropy(logits, t).reshape(1), self.accuracy(logits, t)])
