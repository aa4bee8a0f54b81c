"""Fused training of a group on the CPU, with the network's and the optimizer's own numbers.

Where a batch fits a core's cache the replicas are spread over the cores, each taking many steps in one call; a larger
one is spread over the cores itself, replica after replica. A replica's bits are the same in any company.
"""

import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from bnrenorm.config import Trial
from bnrenorm.config.schema import Full
from bnrenorm.data.sampling import Sampler
from bnrenorm.fused import batches, step, types
from bnrenorm.fused.batches import Batches
from bnrenorm.fused.full import LargeBatch
from bnrenorm.fused.judges import Judges
from bnrenorm.fused.layout import Rows, kind_of, numbers_of, places_of
from bnrenorm.fused.masks import Masks
from bnrenorm.fused.pixels import FEW, Pixels, compress, density, nothing
from bnrenorm.fused.sorts import is_large
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
        self.idle = np.zeros(len(trials), bool)  # which replicas are done with: no steps for them, and NaN
        self.loaded, self.stored = False, True  # whether the rows, and the network, have all that the other has
        self.workers = _cores()
        self.blas = ThreadpoolController()
        self.seen: list[Array] = [np.empty(0)] * len(trials)
        batch = settings.training.batch
        self.batch_size = len(images) if isinstance(batch, Full) else batch.size
        self.pixels: Pixels | None = None  # of the training set, for small batches
        self.judges = Judges(self.trials, self.kind, self.places, self.rows, self.workers)
        self.masks = Masks(trials, self.places)
        self.large = None
        if is_large(settings):
            with self.one_blas_thread():
                quads = self.judges.quads(images)
            self.large = LargeBatch(images, quads, labels, self.kind, self.places, self.workers, logits)
        self.most = logits
        self.logits: list[Array] = [np.empty(0)] * len(trials)  # of each replica in the last step, (K, classes)

    def load(self) -> None:
        """Take the network's numbers at the next step, for somebody has changed them; no replica is idle then."""
        self.loaded, self.stored, self.idle = False, True, np.zeros(len(self.trials), bool)

    def store(self) -> None:
        """Bring the network up to date."""
        if not self.stored:
            self.rows.store()
            self.stored = True

    def _going(self) -> list[int]:
        return [replica for replica, idle in enumerate(self.idle) if not idle]

    def compile_parts(self) -> None:
        """Compile what steps of small batches need, but for `step.train` itself."""
        p, *states, _, _ = self.rows.of(0)
        some = batches.gather(nothing(self.images.dtype), self.labels, [np.arange(1)], self.images.shape[1])
        step.compile_parts(some, self.kind, numbers_of(self.trials[0]), self.places, p, tuple(states))

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
        limits, last = self._limits(first, steps), sampler.indices(self.trials[0].seed, first + steps - 1)
        for replica in range(len(self.trials)):
            self._make_room(replica, len(last))
        with self.one_blas_thread():
            take = self._one_by_one if self.large else self._side_by_side
            sums = take(sampler, first, steps, limits)
        sums[self.idle] = np.nan
        self.stored = False
        self.rows.store_statistics()
        for norm in self.network.batch_norms:
            norm.step += steps
        for parameter in self.network.params():
            parameter.update_rule.t += steps
        return sums.T

    def _side_by_side(self, sampler: Sampler, first: int, steps: int, limits: Array) -> Array:
        sums = np.zeros((len(self.trials), 2))
        if self.pixels is None:
            sparse = density(self.images) <= FEW
            self.pixels = compress(self.images) if sparse else nothing(self.images.dtype)
        pixels, everybody = self.pixels, self._going()
        seeds = list({self.trials[replica].seed: None for replica in everybody})
        span = max(1, min(_SPAN, _TOGETHER // max(len(seeds), 1)) // self.batch_size)
        spans = [(at, min(at + span, steps)) for at in range(0, steps, span)]

        def gather(i: int) -> dict[int, Future[Batches]]:
            drawn = [[sampler.indices(seed, first + s) for s in range(*spans[i])] for seed in seeds]
            width = self.images.shape[1]
            found = [pool.submit(batches.gather, pixels, self.labels, each, width) for each in drawn]
            return dict(zip(seeds, found, strict=True))

        def work(replica: int, these: Batches, begin: int, end: int) -> int:
            masks = self.masks.of(replica, first + begin, end - begin)
            step.train(
                these, self.images, self.kind, numbers_of(self.trials[replica]),
                np.ascontiguousarray(limits[begin:end, replica]), masks, self.places,
                *step.rooms(these, self.kind, self.places, masks), *self.rows.of(replica),
                self.seen[replica], self.logits[replica], sums[replica],
            )  # fmt: skip
            return replica

        def start(replica: int, i: int) -> Future[int]:
            if i + 1 < len(spans) and i + 1 not in coming:
                coming[i + 1] = gather(i + 1)
            these = coming[i][self.trials[replica].seed].result()
            self._make_room(replica, int(these.counts[-1]))
            return pool.submit(work, replica, these, *spans[i])

        coming: dict[int, dict[int, Future[Batches]]] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            coming[0] = gather(0)
            places = dict.fromkeys(everybody, 0)  # the span that each replica is at
            busy = {start(replica, 0) for replica in everybody}
            while busy:  # nobody waits for the others, so that no core does
                done, busy = wait(busy, return_when=FIRST_COMPLETED)
                for replica in sorted(each.result() for each in done):
                    places[replica] += 1
                    if places[replica] < len(spans):
                        busy.add(start(replica, places[replica]))
                for past in [i for i in coming if i < min(places.values())]:
                    del coming[past]
        return sums

    def _one_by_one(self, sampler: Sampler, first: int, steps: int, limits: Array) -> Array:
        assert self.large is not None
        sums = np.zeros((len(self.trials), 2))
        for replica in self._going():
            for s in range(steps):
                p, first_state, second_state, average, run = self.rows.of(replica)
                sums[replica] += self.large.step(
                    numbers_of(self.trials[replica]),
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

    def judge(self, images: Array, labels: Array, *, by_batch: bool = False) -> tuple[Array, Array]:
        """Mean loss and accuracy (R,) in inference mode over images (M, D), with the network's running statistics.

        With `by_batch` these images' own statistics normalise. The parameters are the moving average of ours, if
        there is one.
        """
        if not self.loaded:
            self.rows.load()
            self.loaded = True
        self.rows.load_statistics()
        with self.one_blas_thread():
            return self.judges.judge(images, labels, self._going(), by_batch=by_batch)

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

    def _make_room(self, replica: int, rows: int) -> None:
        """Make room for what is seen of a replica's last step, whose batch has so many rows."""
        parts = rows // self.kind.micro_batch if self.kind.micro_batch else 1
        self.seen[replica] = np.zeros((len(self.network.batch_norms), parts, 6, self.places.widest), np.float32)
        self.logits[replica] = np.zeros((min(self.most, rows), self.places.layers[-1, types.WIDTH]), np.float32)

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
