"""One line that tells how far a training is: steps, time left, diverged networks, and as many losses as fit."""

import math
import statistics
import time
from collections.abc import Callable

from rich.cells import cell_len
from rich.progress import ProgressColumn, Task
from rich.text import Text

from bnrenorm.config import Trial
from bnrenorm.runs import narration
from bnrenorm.runs.runner import Progress

_MORE = ", ..."


class Pace:
    """What a training has reported so far: its newest `Progress`, its pace, and how many trials have diverged."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self.started = self.reported = clock()
        self.progress: Progress | None = None
        self.is_complete = False
        self._trained = 0  # replica-steps; those of a checkpoint that was resumed, or that nobody needed, are none
        self._steps: dict[Trial, int] = {}  # by the first trial of those that train together: their last report
        self._diverged: set[Trial] = set()

    def update(self, progress: Progress) -> None:
        """Take account of a report."""
        first, step = progress.trials[0], progress.record.step
        before = self._steps.get(first, max(0, step - int(first.settings.evaluation.every.amount)))
        self._steps[first] = step
        self._trained += max(0, step - before) * len(progress.trials)
        self.progress, self.reported = progress, self.clock()
        losses = zip(progress.trials, progress.record.values["train_loss"], strict=True)
        self._diverged |= {trial for trial, loss in losses if not math.isfinite(loss)}

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


def losses(progress: Progress) -> list[str]:
    """Return each variant's training loss as text: the mean over its networks in training that have not diverged."""
    by_variant: dict[str, list[float]] = {trial.variant: [] for trial in progress.trials}
    for trial, loss in zip(progress.trials, progress.record.values["train_loss"], strict=True):
        if math.isfinite(loss):
            by_variant[trial.variant].append(float(loss))
    return [
        f"{variant} {_short(statistics.fmean(values))}" if values else f"{variant} diverged"
        for variant, values in by_variant.items()
    ]


def line(pace: Pace, width: float = math.inf) -> str:
    """Return what a bar of that many columns says: always the steps and the time left, then what fits of the rest."""
    progress, left = pace.progress, pace.left()
    if progress is None:
        return "starting ..."
    done = progress.total if pace.is_complete else progress.done
    text = f"{done}/{progress.total}  {'-:--' if left is None else _clock(0.0 if pace.is_complete else left)}"
    group, at = narration.group(progress)
    parts = [" left", *([f"  {pace.diverged} diverged"] if pace.diverged else []), *([f"  {group}"] if group else [])]
    for part in parts:
        if cell_len(text + part) > width:
            return text
        text += part
    text += _fitting(" (", [f"{at})"], width - cell_len(text)) if at else ""
    return text + _fitting("  loss ", losses(progress), width - cell_len(text))


def _fitting(label: str, items: list[str], width: float) -> str:
    """Return the label and as many whole items as fit, with dots if some do not; "" if none fits."""
    for count in range(len(items), 0, -1):
        text = label + ", ".join(items[:count]) + (_MORE if count < len(items) else "")
        if cell_len(text) <= width:
            return text
    return ""


class Line(ProgressColumn):
    """The column of a Rich progress bar that shows `line` in the columns that `width` returns."""

    def __init__(self, pace: Pace, width: Callable[[], int]):
        super().__init__()
        self.pace, self.width = pace, width

    def render(self, task: Task) -> Text:
        """Return the line, literally: names of variants may look like markup."""
        return Text(line(self.pace, self.width()), no_wrap=True, overflow="ignore")


def _short(loss: float) -> str:
    return f"{loss:.3g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def _clock(seconds: float) -> str:
    """Write seconds as 0:09, 12:34 or 1:02:03."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
