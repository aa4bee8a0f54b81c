"""Judging a group's replicas in inference mode, and what is kept of the images for that."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.fused import judge, types
from bnrenorm.fused.by_batch import ByBatch
from bnrenorm.fused.layout import Rows, numbers_of
from bnrenorm.fused.quads import Quads, arrange, panel_for
from bnrenorm.fused.types import BATCH, WIDTH, B, Kind, Places, W

Array = Any


class Judges:
    """Judges replicas by their `rows`."""

    def __init__(self, trials: list[Trial], kind: Kind, places: Places, rows: Rows, workers: int):
        self.trials, self.kind, self.places, self.rows, self.workers = trials, kind, places, rows, workers
        self.known: list[tuple[Array, Quads]] = []
        self.rooms: list[tuple[Array, ByBatch]] = []

    def quads(self, images: Array) -> Quads:
        """Arrange a set of images, once."""
        for known, found in self.known:
            if known is images:
                return found
        self.known.append((images, arrange(images)))
        return self.known[-1][1]

    def judge(self, images: Array, labels: Array, replicas: list[int], *, by_batch: bool) -> tuple[Array, Array]:
        """Mean loss and accuracy (R,) of some replicas over images (M, D), NaN of the others: `Engine.judge`."""
        found = np.full((len(self.trials), 2), np.nan)
        with ThreadPoolExecutor(self.workers) as pool:
            if by_batch and self.kind.norm == BATCH:
                room = self._room(images, labels)
                for i in replicas:
                    found[i] = room.judge(pool, numbers_of(self.trials[i]), self._parameters(i))
            else:
                found[replicas] = self._by_running(pool, images, labels, replicas)
        loss, right = found.T
        return loss, right

    def _by_running(self, pool: ThreadPoolExecutor, images: Array, labels: Array, replicas: list[int]) -> Array:
        """Return them of the replicas alone, (replicas, 2), by their running statistics."""
        quads = self.quads(images)
        labels = np.ascontiguousarray(labels[quads.order])
        blocks = -(-len(images) // judge.ROWS)
        sums = np.zeros((len(replicas), blocks, 2))
        share = -(-blocks // self.workers)
        parameters = [self._parameters(i) for i in replicas]

        def work(place: int, first: int) -> None:
            run = self.rows.of(replicas[place])[-1]
            last, numbers = min(first + share, blocks), numbers_of(self.trials[replicas[place]])
            given = (images, quads, labels, self.kind, numbers, self.places, parameters[place], run)
            scratch = types.room(self.places, min(judge.ROWS, len(images)), 1, images.dtype)
            panel = panel_for(images.shape[1], int(self.places.layers[0, WIDTH]), images.dtype)
            judge.judge(*given, scratch, panel, first, last, sums[place])

        parts = itertools.product(range(len(replicas)), range(0, blocks, share))
        for _ in pool.map(lambda part: work(*part), parts):
            pass
        return sums.sum(axis=1) / len(images)

    def _parameters(self, replica: int) -> Array:
        """Return what a replica is judged with: its parameters or their average, scaled where steps drop nodes."""
        p, *_, average, _ = self.rows.of(replica)
        p = average if len(average) else p
        dropout = self.trials[replica].settings.model.dropout
        if dropout.drops:
            p = p.copy()
            for depth, layer in enumerate(self.places.layers):
                p[layer[W] : layer[B]] *= np.float32(dropout.keep_hidden if depth else dropout.keep_input)
        return p

    def _room(self, images: Array, labels: Array) -> ByBatch:
        for known, room in self.rooms:
            if known is images:
                return room
        room = ByBatch(images, self.quads(images), labels, self.kind, self.places, self.workers)
        self.rooms.append((images, room))
        return room
