"""What the steps of a span take from the host: indices of images, ranks of dropout and schedules, drawn ahead."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.data.sampling import Sampler
from bnrenorm.network.dropout import Dropout, ranks
from bnrenorm.network.schedule import Schedule

Array = Any

_STEPS, _ENTRIES = 256, 2**22  # of a span, at most

BYTES = 2 * 4 * _ENTRIES
"""Bytes of the indices and ranks of two spans on the device."""

SCHEDULE = 2 * 4 * 4 * _STEPS
"""Bytes of a replica's schedules of two spans there."""


class Span(NamedTuple):
    """The tables of T steps, for S seeds and R replicas: on the host as drawn, then on the device.

    index (T, S, N) int32, None where every batch is the whole training set; counts: images of each step's batch; ranks
    (T, S, D + K + ...) int32: `network.dropout.ranks` of the inputs and the hidden layers, None without dropout;
    schedule (T, R, 4): `network.schedule`.
    """

    first: int
    counts: list[int]
    index: Array
    ranks: Array
    schedule: Array


class Spans:
    """Draws the spans of a group of trials whose replicas compute in a given dtype.

    `seeds` lists the group's seeds without repetition, and seed_of (R,) int32 has each replica's place there.
    """

    def __init__(self, trials: list[Trial], sampler: Sampler, schedule: Schedule, dropout: Dropout, dtype: Any):
        self.sampler, self.schedule, self.dropout, self.dtype = sampler, schedule, dropout, dtype
        self.seeds = list(dict.fromkeys(trial.seed for trial in trials))
        self.seed_of = np.array([self.seeds.index(trial.seed) for trial in trials], np.int32)
        batch: Any = trials[0].settings.training.batch
        self.full = batch.kind == "full"
        entries = len(self.seeds) * ((0 if self.full else batch.size) + self.dropout.drops * sum(dropout.widths))
        self.length = max(1, min(_STEPS, _ENTRIES // max(entries, 1)))

    def draw(self, first: int, steps: int) -> Span:
        """Draw the tables of `steps` steps from step `first` on."""
        if self.full:
            index, counts = None, [len(self.sampler.labels)] * steps
        else:
            index, images = self.sampler.table(self.seeds, first, steps)
            counts = [int(count) for count in images]
        table = self.schedule.table(first, steps).astype(self.dtype, copy=False)
        return Span(first, counts, index, self._ranks(first, steps), table)

    def _ranks(self, first: int, steps: int) -> np.ndarray | None:
        if not self.dropout.drops:
            return None
        widths = self.dropout.widths
        at = range(first, first + steps)
        rows = [[np.concatenate(ranks(seed, step, widths)) for seed in self.seeds] for step in at]
        return np.array(rows, np.int32)

    def ahead(self, first: int, steps: int, to_device: Callable[[Any], Any]) -> Iterator[Span]:
        """Yield the spans of these steps on the device; the next one is drawn while the caller uses one.

        to_device: copies an array to the device.
        """
        starts = range(first, first + steps, self.length)
        lengths = [min(self.length, first + steps - start) for start in starts]
        with ThreadPoolExecutor(1) as pool:  # which starts no thread for a single span
            span, pending = self.draw(starts[0], lengths[0]), None
            for i in range(len(starts)):
                if i + 1 < len(starts):
                    pending = pool.submit(self.draw, starts[i + 1], lengths[i + 1])
                names = [name for name in ("index", "ranks", "schedule") if getattr(span, name) is not None]
                yield span._replace(**{name: to_device(getattr(span, name)) for name in names})
                span = pending.result() if pending else span
