"""Stock Chainer: its own links, optimizers and loop, one network at a time."""

import itertools
from collections.abc import Iterator

import numpy as np

from benchmarks import data
from benchmarks.jobs import Job, Kind, Replica
from benchmarks.peers import Run, Values
from bnrenorm._compat import F, L, chainer


def prepare(job: Job, replicas: list[Replica]) -> Run:
    """Train one network; with the full batch by the first article's loop, line by line."""
    (replica,) = replicas
    network = Network(job, replica)
    optimizers = chainer.optimizers
    optimizer = optimizers.MomentumSGD(replica.rate, job.momentum) if job.momentum else optimizers.SGD(replica.rate)
    optimizer.setup(network)
    return _article(network, optimizer) if job.full else _batches(job, replica, network, optimizer)


def _article(network: "Network", optimizer: "chainer.Optimizer") -> Run:
    x, t = data.images("train_set")
    x_test, t_test = data.images("test")
    t, t_test = t.astype(np.int32), t_test.astype(np.int32)

    def run() -> Values:
        chainer.config.train = True
        network.cleargrads()
        y = network(x)
        loss, accuracy = F.softmax_cross_entropy(y, t), F.accuracy(y, t)
        loss.backward()
        optimizer.update()
        chainer.config.train = False
        y = network(x_test)
        test = F.softmax_cross_entropy(y, t_test), F.accuracy(y, t_test)
        names = "train_loss", "train_accuracy", "test_loss", "test_accuracy"
        return {name: np.array([value.array]) for name, value in zip(names, (loss, accuracy, *test), strict=True)}

    return run


def _batches(job: Job, replica: Replica, network: "Network", optimizer: "chainer.Optimizer") -> Run:
    x, t = data.images("train_set")
    t = t.astype(np.int32)
    batches = itertools.cycle(data.batches(job, replica.seed))

    def run() -> Values:
        losses = []
        with chainer.using_config("train", True):
            for indices in itertools.islice(batches, job.round):
                network.cleargrads()
                loss = F.softmax_cross_entropy(network(x[indices]), t[indices])
                loss.backward()
                optimizer.update()
                losses.append(loss.array)
        values = {"train_loss": np.mean(losses)}
        for name in job.eval_sets:
            values[f"{name}_loss"], values[f"{name}_accuracy"] = np.mean(list(_evaluate(network, job, name)), 0)
        return {name: np.array([value]) for name, value in values.items()}

    return run


def _evaluate(network: "Network", job: Job, name: str) -> Iterator[tuple[float, float]]:
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        for x, t in data.blocks(job, name):
            y, labels = network(x), t.astype(np.int32)
            yield float(F.softmax_cross_entropy(y, labels).array), float(F.accuracy(y, labels).array)


class Network(chainer.Chain):
    """Hidden layers of Linear, ReLU and a normalisation in the job's order, then Linear."""

    def __init__(self, job: Job, replica: Replica):
        super().__init__()
        self.norm_first = job.norm_first
        with self.init_scope():
            self.linears = chainer.ChainList(
                *(
                    L.Linear(fan_in, width, initialW=data.weights(job, layer, replica.seed))
                    for layer, (fan_in, width) in enumerate(itertools.pairwise(job.widths))
                )
            )
            hidden = job.widths[1:-1] if replica.kind.norm != "none" else ()
            self.norms = chainer.ChainList(*(_norm(job, replica.kind, width) for width in hidden))

    def forward(self, x):
        """Map images (N, 784) to logits (N, 10)."""
        for depth in range(len(self.linears) - 1):
            norm = self.norms[depth] if len(self.norms) else F.identity
            x = self.linears[depth](x)
            x = F.relu(norm(x)) if self.norm_first else norm(F.relu(x))
        return self.linears[-1](x)


def _norm(job: Job, kind: Kind, width: int) -> "chainer.Link":
    if kind.norm == "renorm":
        return L.BatchRenormalization(width, kind.r_max, kind.d_max, decay=job.decay)
    if kind.affine == "layer":
        return SharedAffine(width, job.decay)
    learned = kind.affine == "node"
    return L.BatchNormalization(width, decay=job.decay, use_gamma=learned, use_beta=learned)


class SharedAffine(chainer.Link):
    """Batch normalisation with a single gamma and beta, for which Chainer has functions but no link."""

    def __init__(self, width: int, decay: float):
        super().__init__()
        self.width, self.decay = width, decay
        with self.init_scope():
            self.gamma, self.beta = chainer.Parameter(1.0, (1,)), chainer.Parameter(0.0, (1,))
        self.add_persistent("run_mean", np.zeros(width, np.float32))
        self.add_persistent("run_var", np.ones(width, np.float32))

    def forward(self, x):
        """Normalise (N, D)."""
        affine = [F.broadcast_to(parameter, (self.width,)) for parameter in (self.gamma, self.beta)]
        if not chainer.config.train:
            return F.fixed_batch_normalization(x, *affine, self.run_mean, self.run_var)
        running = {"running_mean": self.run_mean, "running_var": self.run_var}
        return F.batch_normalization(x, *affine, decay=self.decay, **running)
