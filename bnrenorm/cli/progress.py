"""The progress of a comparison: what will be trained, then a bar on a terminal or plain lines elsewhere."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress

from bnrenorm.cli import bar
from bnrenorm.cli.printer import Printer
from bnrenorm.config import Experiment, Trial
from bnrenorm.config.identity import Identity, identities
from bnrenorm.config.trial import Point
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CHAINER, Backend
from bnrenorm.runs import runner
from bnrenorm.runs.estimate import estimates
from bnrenorm.runs.memory import need
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.session import Watcher

_PLAIN_LINES = 10  # progress lines per run where standard output is no terminal
_WIDE = 100  # columns from which on there is room for the bar itself
_LISTED = 6  # seeds that are listed one by one


class Screen(Watcher):
    """Shows a session while it runs, by a `Printer` of those options: on standard output if they name no other file.

    A quiet one shows only what is printed by `say` and `table`, the results.
    """

    def __init__(self, *, is_quiet: bool = False, **options: Any):
        self.printer, self.is_quiet = Printer(**options), is_quiet
        self.say, self.table = self.printer.say, self.printer.table

    def opening(self, experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> None:
        """Print what will be trained on which device, notes on the engines, and which variants are identical."""
        self._tell(
            f"{experiment.name}: {', '.join(experiment.variants)}; seeds {_seeds(experiment.seeds)}; "
            f"{len(trials)} trials; {len(data.x_train)} + {len(data.x_test)} images of {data.source}; "
            f"on {backend.device}"
        )
        for note in (*_range_notes(experiment, data), *_engine_notes(trials, backend)):
            self.note(note)
        for note in _identity_notes(identities(trials)):
            self.note(note)

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Print that kernels are being compiled, and how long it took."""
        started = time.perf_counter()
        self._tell("Compiling kernels for this kind of training, once per machine ...")
        yield
        self._tell(f"Compiled in {time.perf_counter() - started:.0f} s.")

    @contextmanager
    def training(self) -> Iterator[Callable[[runner.Progress], None]]:
        """Yield a function that shows a `runner.Progress`: as a bar on a terminal, as ten lines elsewhere."""
        pace, console = bar.Pace(), self.printer.console
        if self.is_quiet:
            yield lambda progress: None
            return
        if not self.printer.is_terminal or console.is_dumb_terminal:
            yield _PlainProgress(self.say, pace)
            return
        width = console.width
        shown = [BarColumn(bar_width=width // 4)] if width > _WIDE else []
        line = bar.Line(pace, lambda: width - len(shown) * (width // 4 + 1))
        with Progress(*shown, line, console=console, refresh_per_second=4) as progress_bar:
            task = progress_bar.add_task("", total=None)

            def show(progress: runner.Progress) -> None:
                pace.update(progress)
                progress_bar.update(task, completed=progress.done, total=progress.total)

            yield show
            pace.is_complete = True
            if pace.progress is None:  # all trials are stored
                progress_bar.remove_task(task)
            else:
                progress_bar.update(task, completed=pace.progress.total)

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
        self._tell(f"Note: {text}.")

    def _tell(self, text: str) -> None:
        if not self.is_quiet:
            self.say(text)


def _seeds(seeds: tuple[int, ...]) -> str:
    if len(seeds) > _LISTED and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _identity_notes(pairs: list[Identity]) -> list[str]:
    """Return a note per set of variants that are identical, for all points of the grid where they are."""
    points: dict[tuple[str, ...], dict[Point, str]] = {}
    for point, of_point in itertools.groupby(pairs, lambda pair: pair.point):
        groups: list[tuple[set[str], str]] = []
        for pair in of_point:  # identity is transitive, and each pair of a group is listed
            group = next((names for names, _ in groups if pair.a in names), None)
            if group is None:
                groups.append(({pair.a, pair.b}, pair.reason))
            else:
                group.add(pair.b)
        for names, reason in groups:
            points.setdefault(tuple(sorted(names)), {})[point] = reason
    notes = []
    for names, reasons in points.items():
        (point, reason), *others = reasons.items()
        at = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in point)
        at = f" at {at}{f' and {len(others)} more points' if others else ''}" if at else ""
        *first, last = names
        notes.append(f"{', '.join(first)} and {last}{at} are identical by construction: {reason}")
    return notes


def _range_notes(experiment: Experiment, data: Dataset) -> list[str]:
    """Say that pixels are not in 0..1, where no scaling by the training set is asked for."""
    if data.unusual_range is None or experiment.data.scaling != "unit":
        return []
    low, high = data.unusual_range
    how = "floats are taken as they are" if data.x_train.dtype.kind == "f" else "bytes are divided by 255"
    return [f"pixels are {low:.3g} to {high:.3g} ({how}); data.scaling: min_max would map them to 0..1"]


def _engine_notes(trials: list[Trial], backend: Backend) -> list[str]:
    """Return a note on why a faster engine is unavailable, and one on the variants that it cannot train."""
    notes = [backend.note] if backend.note else []
    by_engine: dict[str, list[str]] = {}
    for trial in trials:
        by_engine.setdefault(backend.engine_for(trial.settings), []).append(trial.variant)
    if backend.engine != CHAINER and CHAINER in by_engine:
        names = ", ".join(dict.fromkeys(by_engine[CHAINER]))
        differs = ", whose rounding differs" if len(by_engine) > 1 else ""
        notes.append(f"no compiled kernels for {names}: trained by the Chainer engine on {backend.device}{differs}")
    return notes


class _PlainProgress:
    def __init__(self, say: Callable[[str], None], pace: bar.Pace):
        self.say, self.pace, self.last_tenth = say, pace, -1

    def __call__(self, progress: runner.Progress) -> None:
        self.pace.update(progress)
        tenth = _PLAIN_LINES * progress.done // progress.total
        if tenth == self.last_tenth or not progress.done:
            return
        self.last_tenth = tenth
        left = self.pace.left()
        diverged = f"  {self.pace.diverged} diverged" if self.pace.diverged else ""
        self.say(
            f"{100 * progress.done // progress.total:3} %  step {progress.record.step}  "
            f"loss {', '.join(bar.losses(progress))}{diverged}  {self.pace.elapsed:.0f} s"
            + ("" if left is None else f", {left:.0f} s left")
        )
