"""The first article's job, ours beside stock Chainer, step by step in turn: seconds, their ratio, and the same losses.

Both start from the weights that Chainer draws after `np.random.seed(0)`. Run: python benchmarks/full_batch.py [STEPS]
"""

import statistics
import sys
import time
from collections.abc import Iterator

import numpy as np

from bnrenorm import config, model, train
from bnrenorm._compat import F, L, chainer
from bnrenorm.data import dataset


class Stock(chainer.Chain):
    """The article's network, of Chainer's own links."""

    def __init__(self) -> None:
        super().__init__()
        with self.init_scope():
            self.l1 = L.Linear(784, 400)
            self.bnorm1 = L.BatchNormalization(400)
            self.l2 = L.Linear(400, 10)

    def forward(self, x):
        """Map images (N, 784) to logits (N, 10)."""
        return self.l2(self.bnorm1(F.relu(self.l1(x))))


def stock_steps(net: Stock, data: dataset.Dataset, steps: int) -> Iterator[list[float]]:
    """Train by the article's loop; yields training loss and accuracy, test loss and accuracy."""
    optimizer = chainer.optimizers.MomentumSGD(lr=0.01, momentum=0.9).setup(net)
    x, t, x_test, t_test = data.scaled("train"), data.labels("train"), data.scaled("test"), data.labels("test")
    for _ in range(steps):
        chainer.config.train = True
        net.cleargrads()
        y = net(x)
        loss, accuracy = F.softmax_cross_entropy(y, t), F.accuracy(y, t)
        loss.backward()
        optimizer.update()
        chainer.config.train = False
        y = net(x_test)
        test = F.softmax_cross_entropy(y, t_test), F.accuracy(y, t_test)
        yield [float(value.array) for value in (loss, accuracy, *test)]


def main(steps: int) -> None:
    """Run both in turn and print the table."""
    data = dataset.load()
    (trial, *_) = config.load("article", [f"training.steps={steps}"]).trials(len(data.x_train))
    np.random.seed(0)  # noqa: NPY002 - as the article's reader would
    stock = Stock()
    ours = model.build([trial], 784)
    for link, theirs in zip(ours.linears, (stock.l1, stock.l2), strict=True):
        link.W.array[0] = theirs.W.array
    runs = {"chainer": stock_steps(stock, data, steps), "bnrenorm": iter(train.Training([trial], data, network=ours))}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for step in range(1, steps + 1):
        row = []
        for name, run in runs.items():
            started = time.perf_counter()
            found = next(run)
            seconds[name].append(time.perf_counter() - started)
            if isinstance(found, train.Record):
                found = [float(value[0]) for value in found.values.values()]
            row.append(f"{name} " + " ".join(f"{value:.4f}" for value in found))
        if step in (1, 2, 5, 10, 20, 30, 40, steps):
            print(f"step {step:2}  {'   '.join(row)}", flush=True)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    print("median seconds a step:", ", ".join(f"{name} {value:.3f}" for name, value in medians.items()))
    print(f"ratio bnrenorm / chainer: {medians['bnrenorm'] / medians['chainer']:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
