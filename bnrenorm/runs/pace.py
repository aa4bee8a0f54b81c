"""How fast a training goes, by what it reports."""

import time
from collections.abc import Callable

from bnrenorm.config import Trial
from bnrenorm.runs.runner import Progress


class Pace:
    """What a training has reported so far: its newest `Progress`, its pace, and how many trials have diverged."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self.started = self.reported = clock()
        self.progress: Progress | None = None
        self.is_complete = False
        self._trained = 0  # replica-steps, without those before a checkpoint or after an early stop
        self._steps: dict[Trial, int] = {}  # by the first trial of those that train together: their last report
        self._diverged: set[Trial] = set()

    def update(self, progress: Progress) -> None:
        """Take account of a report."""
        first, step = progress.trials[0], progress.record.step
        before = self._steps.get(first, max(0, step - int(first.settings.evaluation.every.amount)))
        self._steps[first] = step
        self._trained += max(0, step - before) * len(progress.trials)
        self.progress, self.reported = progress, self.clock()
        diverged = zip(progress.trials, progress.record.diverged, strict=True)
        self._diverged |= {trial for trial, has_diverged in diverged if has_diverged}

    @property
    def diverged(self) -> int:
        """Number of trials of this training that have diverged."""
        return len(self._diverged)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self.started

    def left(self) -> float | None:
        """Estimate the seconds left, by the mean pace up to the last report; None while there is nothing to go by."""
        if self.progress is None or not self._trained:
            return None
        pace = (self.reported - self.started) / self._trained
        since = self.clock() - self.reported
        return max(0.0, pace * (self.progress.total - self.progress.done) - since)
