"""Fused training of a group on the CPU, with the network's and the optimizer's own numbers.

Where a batch fits a core's cache the replicas are spread over the cores, each taking many steps in one call; a larger
one is spread over the cores itself, replica after replica. A replica's bits are the same in any company.
"""

import itertools
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from bnrenorm.config import Trial
from bnrenorm.config.schema import Full
from bnrenorm.data.sampling import Sampler
from bnrenorm.fused import batches, judge, step, types
from bnrenorm.fused.batches import Batches
from bnrenorm.fused.full import LargeBatch
from bnrenorm.fused.layout import Rows, kind_of, numbers_of, places_of
from bnrenorm.fused.pixels import FEW, Pixels, compress, density, nothing
from bnrenorm.fused.quads import Quads, arrange
from bnrenorm.fused.sorts import LARGE, sorts
from bnrenorm.model import Perceptron
from bnrenorm.norm.diagnosis import diagnose

Array = Any

_SPAN, _TOGETHER = 1600, 12_800  # images that are gathered at a time, of a seed (4 MB of digits) and of all


class Engine:
    """Takes the steps of a group's training, with copies of the network's numbers: see `store` and `load`.

    images (N, D) float32 and labels (N,) are the training set. `logits` is how many of a
    step's are kept, where a batch has as many.
    """

    def __init__(
        self,
        trials: list[Trial],
        network: Perceptron,
        average: dict[str, Array],
        images: Array,
        labels: Array,
        logits: int,
    ):
        settings = trials[0].settings
        self.trials, self.network, self.images, self.labels = trials, network, images, labels
        self.kind = kind_of(settings)
        self.places = places_of([images.shape[1], *settings.model.hidden, settings.model.outputs], self.kind)
        self.rows = Rows(network, settings.training.optimizer.kind, average, self.places.pitch)
        self.loaded, self.stored = False, True  # whether the rows, and the network, have all that the other has
        self.workers = _cores()
        self.blas = ThreadpoolController()
        self.seen: list[Array] = []
        batch = settings.training.batch
        self.batch_size = len(images) if isinstance(batch, Full) else batch.size
        self.pixels: Pixels | None = None  # of the training set, for small batches
        self.known: list[tuple[Array, Quads]] = []
        self.large = None
        if LARGE in sorts(settings):
            self.large = LargeBatch(images, self._quads(images), labels, self.kind, self.places, self.workers, logits)
        self.most = logits
        self.logits: list[Array] = []  # of each replica in the last step, (K, classes)

    def load(self) -> None:
        """Take the network's numbers at the next step, for somebody has changed them."""
        self.loaded, self.stored = False, True

    def store(self) -> None:
        """Bring the network up to date."""
        if not self.stored:
            self.rows.store()
            self.stored = True

    def one_blas_thread(self) -> AbstractContextManager[Any]:
        """Keep BLAS to the calling thread; its others go on spinning for a while after a product, on our cores."""
        return self.blas.limit(limits=1)

    def advance(self, sampler: Sampler, first: int, steps: int) -> Array:
        """Take so many steps from the step `first`, counted from 0; returns the sums of loss and accuracy, (2, R).

        The network has its new running statistics afterwards, but not its new parameters: `store` is for that.
        """
        if not self.loaded:
            self.rows.load()
            self.loaded = True
        limits = self._limits(first, steps)
        with self.one_blas_thread():
            take = self._one_by_one if self.large else self._side_by_side
            sums = take(sampler, first, steps, limits)
        self.stored = False
        self.rows.store_statistics()
        for norm in self.network.batch_norms:
            norm.step += steps
        for parameter in self.network.params():
            parameter.update_rule.t += steps
        return sums.T

    def _quads(self, images: Array) -> Quads:
        """Return a set of images as `judge` wants them."""
        for known, found in self.known:
            if known is images:
                return found
        self.known.append((images, arrange(images)))
        return self.known[-1][1]

    def _side_by_side(self, sampler: Sampler, first: int, steps: int, limits: Array) -> Array:
        sums = np.zeros((len(self.trials), 2))
        if self.pixels is None:
            sparse = density(self.images) <= FEW
            self.pixels = compress(self.images) if sparse else nothing(self.images.dtype)
        pixels, seeds = self.pixels, list({trial.seed: None for trial in self.trials})
        span = max(1, min(_SPAN, _TOGETHER // len(seeds)) // self.batch_size)
        spans = [(at, min(at + span, steps)) for at in range(0, steps, span)]

        def gather(span: tuple[int, int]) -> list[Future[Batches]]:
            drawn = [[sampler.indices(seed, first + s) for s in range(*span)] for seed in seeds]
            width = self.images.shape[1]
            return [pool.submit(batches.gather, pixels, self.labels, each, width) for each in drawn]

        def work(replica: int, these: Batches, begin: int, end: int) -> None:
            step.train(
                these, self.images, self.kind, numbers_of(self.trials[replica]),
                np.ascontiguousarray(limits[begin:end, replica]), self.places, *self.rows.of(replica),
                self.seen[replica], self.logits[replica], sums[replica],
            )  # fmt: skip

        with ThreadPoolExecutor(self.workers) as pool:
            coming = gather(spans[0])
            for i, (begin, end) in enumerate(spans):
                ready = {seed: each.result() for seed, each in zip(seeds, coming, strict=True)}
                if end < steps:
                    coming = gather(spans[i + 1])
                sizes = [int(ready[trial.seed].counts[-1]) for trial in self.trials]
                self.seen = [self._room(size) for size in sizes]
                self.logits = [self._logits(size) for size in sizes]
                busy = [pool.submit(work, i, ready[trial.seed], begin, end) for i, trial in enumerate(self.trials)]
                for each in busy:
                    each.result()
        return sums

    def _one_by_one(self, sampler: Sampler, first: int, steps: int, limits: Array) -> Array:
        assert self.large is not None
        sums = np.zeros((len(self.trials), 2))
        self.seen = [self._room(len(self.images)) for _ in self.trials]
        self.logits = [self._logits(len(self.images)) for _ in self.trials]
        for replica, trial in enumerate(self.trials):
            for s in range(steps):
                p, first_state, second_state, average, run = self.rows.of(replica)
                sums[replica] += self.large.step(
                    numbers_of(trial),
                    limits[s, replica],
                    p,
                    first_state,
                    second_state,
                    average,
                    run,
                    self.seen[replica],
                )
            self.logits[replica][...] = self.large.logits
        return sums

    def judge(self, images: Array, labels: Array) -> tuple[Array, Array]:
        """Mean loss and accuracy (R,) in inference mode over images (M, D), with the network's running statistics.

        The parameters are the moving average of ours, if there is one.
        """
        if not self.loaded:
            self.rows.load()
            self.loaded = True
        self.rows.load_statistics()
        quads = self._quads(images)
        labels = np.ascontiguousarray(labels[quads.order])
        blocks = -(-len(images) // judge.ROWS)
        sums = np.zeros((len(self.trials), blocks, 2))
        share = -(-blocks // self.workers)

        def work(replica: int, first: int) -> None:
            p, *_, average, run = self.rows.of(replica)
            p = average if len(average) else p
            last = min(first + share, blocks)
            numbers = numbers_of(self.trials[replica])
            judge.judge(images, quads, labels, self.kind, numbers, self.places, p, run, first, last, sums[replica])

        parts = list(itertools.product(range(len(self.trials)), range(0, blocks, share)))
        with self.one_blas_thread(), ThreadPoolExecutor(self.workers) as pool:
            for _ in pool.map(work, *zip(*parts, strict=True)):
                pass
        loss, right = np.moveaxis(sums.sum(axis=1), -1, 0) / len(images)
        return loss, right

    def diagnosis(self) -> dict[str, Array]:
        """Describe the last step's normalisation, as `StackedNormalization.diagnosis` does, by layer."""
        found: dict[str, Array] = {}
        for depth, norm in enumerate(self.network.batch_norms):
            seen = np.stack([each[depth, :, :, : norm.run_mean.shape[2]] for each in self.seen])  # (R, parts, 6, D)
            mean, std, r, d, run_mean, run_std = np.moveaxis(seen, 2, 0)
            r_max, d_max = (
                np.reshape(limit(norm.step - 1), (-1, 1, 1)).astype(mean.dtype) + 0 * mean
                for limit in (norm.r_max, norm.d_max)
            )
            of_layer = diagnose(mean, std, run_mean, run_std, r, d, r_max, d_max)
            found |= {f"layer{depth + 1}_{name}": value for name, value in of_layer.items()}
        return found

    def _room(self, rows: int) -> Array:
        parts = rows // self.kind.micro_batch if self.kind.micro_batch else 1
        return np.zeros((len(self.network.batch_norms), parts, 6, self.places.widest), np.float32)

    def _logits(self, rows: int) -> Array:
        return np.empty((min(self.most, rows), self.places.layers[-1, types.WIDTH]), np.float32)

    def _limits(self, first: int, steps: int) -> Array:
        """r_max, d_max, the learning rate and that of gamma and beta, (steps, R, 4)."""
        found = np.zeros((steps, len(self.trials), 4), np.float32)
        for norm in self.network.batch_norms[:1]:
            for s in range(steps):
                found[s, :, 0] = np.reshape(norm.r_max(norm.step + s), -1)
                found[s, :, 1] = np.reshape(norm.d_max(norm.step + s), -1)
        for replica, trial in enumerate(self.trials):
            optimizer: Any = trial.settings.training.optimizer
            own = getattr(trial.settings.norm, "affine_lr", None)
            correction = np.ones(steps)
            if optimizer.kind == "adam":
                t = 1.0 + first + np.arange(steps)
                correction = np.sqrt(1 - optimizer.beta2**t) / (1 - optimizer.beta1**t)
            found[:, replica, 2] = optimizer.lr * correction
            found[:, replica, 3] = (optimizer.lr if own is None else own) * correction
        return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
