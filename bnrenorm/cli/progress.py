"""The progress of a comparison: what will be trained, then a bar on a terminal or plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from bnrenorm.cli.narrow import fitted
from bnrenorm.config import Experiment, Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.runs import narration, runner
from bnrenorm.runs.estimate import estimates
from bnrenorm.runs.memory import need
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.session import Watcher

_PLAIN_LINES = 10  # progress lines per run where standard output is no terminal
_COUNT_AND_TIME = 34  # columns for "12345678/12345678 left: 12:34:56"


class Screen(Watcher):
    """Shows a session while it runs, on standard output if the console's options name no other file.

    Everything is printed literally: names of variants may look like rich's markup or emoji codes.
    """

    def __init__(self, **options: Any):
        self.console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True, **options)

    def opening(self, experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> None:
        """Print what will be trained on which device, notes on the engines, and which variants are identical."""
        self.say(narration.headline(experiment, trials, data, backend))
        for remark in narration.remarks(experiment, trials, data, backend):
            self.note(remark)

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Print that kernels are being compiled, and how long it took."""
        started = time.perf_counter()
        self.say(narration.COMPILING)
        yield
        self.say(f"Compiled in {time.perf_counter() - started:.0f} s.")

    @contextmanager
    def training(self) -> Iterator[Callable[[runner.Progress], None]]:
        """Yield a function that shows a `runner.Progress`: as a bar on a terminal, as ten lines elsewhere."""
        if not self.console.is_terminal:
            yield _PlainProgress(self.say)
            return
        with Progress(*_bar_columns(self.console.width), console=self.console) as bar:
            task = bar.add_task("training", loss="", start=False)

            def show(progress: runner.Progress) -> None:
                bar.start_task(task)
                bar.update(task, completed=progress.done, total=progress.total, loss=_loss(progress))

            yield show

    def rehearsal(self, plan: Plan, data: Dataset, backend: Backend) -> None:
        """Print what a plan would train, with memory and with time from timing a few steps; train nothing."""
        self.say(f"{len(plan.keys)} trials, {len(plan.keys) - plan.missing} of them finished, {plan.missing} to train")
        total = 0.0
        for i, (group, (seconds, is_timed)) in enumerate(
            zip(plan.groups, estimates(plan.groups, data, backend), strict=True), start=1
        ):
            variants = ", ".join(dict.fromkeys(trial.variant for trial in group))
            size = need(group[0], data, backend).of(len(group)) / 2**30
            how = "" if is_timed else ", by its size"
            self.say(f"group {i}: {len(group)} trials of {variants}: {size:.2f} GiB, about {seconds:.0f} s{how}")
            total += seconds
        self.say(f"about {total:.0f} s in all; nothing was trained")

    def note(self, text: str) -> None:
        """Print what the user should know."""
        self.say(f"Note: {text}.")

    def table(self, table: Table) -> None:
        """Print a table, as a list where the terminal is too narrow for it."""
        self.console.print(fitted(table, self.console.width), soft_wrap=False)

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text)


def _bar_columns(width: int) -> list[ProgressColumn]:
    """Return what a progress bar shows in so many columns: always count and time left, then losses, then the bar."""
    columns: list[ProgressColumn] = [MofNCompleteColumn(table_column=Column(no_wrap=True))]
    if width >= _COUNT_AND_TIME:
        columns.append(TextColumn("left:"))
    columns.append(TimeRemainingColumn(table_column=Column(no_wrap=True)))
    if width > 2 * _COUNT_AND_TIME:
        rest = Column(no_wrap=True, overflow="ellipsis", max_width=width - _COUNT_AND_TIME)
        columns.append(TextColumn("loss {task.fields[loss]}", markup=False, table_column=rest))
    if width > 3 * _COUNT_AND_TIME:
        columns = [BarColumn(bar_width=width // 4), *columns]
    return columns


class _PlainProgress:
    def __init__(self, say: Callable[[str], None]):
        self.say, self.started, self.last_tenth = say, time.monotonic(), -1

    def __call__(self, progress: runner.Progress) -> None:
        tenth = _PLAIN_LINES * progress.done // progress.total
        if tenth == self.last_tenth or not progress.done:
            return
        self.last_tenth = tenth
        elapsed = time.monotonic() - self.started
        left = elapsed / progress.done * (progress.total - progress.done)
        percent = 100 * progress.done // progress.total
        self.say(
            f"{percent:3} %  step {progress.record.step}  loss {_loss(progress)}  {elapsed:.0f} s, {left:.0f} s left"
        )


def _loss(progress: runner.Progress) -> str:
    """Return each variant's training loss as text: see `narration.mean_losses`."""
    return ", ".join(f"{variant} {mean:.4f}" for variant, mean in narration.mean_losses(progress).items())
