"""What a person sees while a comparison runs: what it is going to do, a bar on a terminal, plain lines elsewhere."""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bnrenorm.config import Experiment, Trial
from bnrenorm.config.identity import identities
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CHAINER, Backend
from bnrenorm.runs import runner
from bnrenorm.runs.estimate import estimate_seconds
from bnrenorm.runs.memory import need
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.session import Watcher

_PLAIN_LINES = 10  # progress lines of a whole run where there is no terminal


class Screen(Watcher):
    """Standard output, as a terminal or a file: shows a session while it runs."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)

    def opening(self, experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> None:
        """Say what is going to be trained and by what, and which variants are one computation."""
        self.say(
            f"{experiment.name}: {', '.join(experiment.variants)}; seeds {', '.join(map(str, experiment.seeds))}; "
            f"{len(trials)} trials; {len(data.x_train)} + {len(data.x_test)} images of {data.source}; "
            f"on {backend.device}"
        )
        for note in _engine_notes(trials, backend):
            self.say(f"Note: {note}.")
        for same in identities(trials):
            where = f" at {dict(same.point)}" if same.point else ""
            self.say(f"Note: {same.a} and {same.b}{where} are identical by construction: {same.reason}.")

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Show that kernels are being compiled, and how long it took."""
        started = time.perf_counter()
        self.say("Compiling the kernels for this, once on a machine ...")
        yield
        self.say(f"Compiled in {time.perf_counter() - started:.0f} s.")

    @contextmanager
    def training(self) -> Iterator[Callable[[runner.Progress], None]]:
        """Yield a function that shows each `runner.Progress`."""
        if not self.console.is_terminal:
            yield _PlainProgress(self.say)
            return
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps x networks, loss {task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task("training", loss="", start=False)

            def show(progress: runner.Progress) -> None:
                bar.start_task(task)
                bar.update(task, completed=progress.done, total=progress.total, loss=_loss(progress))

            yield show

    def rehearsal(self, plan: Plan, data: Dataset, backend: Backend) -> None:
        """Say what a plan would train, in what memory, and how long that takes by a short rehearsal."""
        self.say(f"{len(plan.keys)} trials, {len(plan.keys) - plan.missing} of them finished, {plan.missing} to train")
        seconds = 0.0
        for i, group in enumerate(plan.groups, start=1):
            variants = ", ".join(dict.fromkeys(trial.variant for trial in group))
            size = need(group[0], data, backend).of(len(group))
            took = estimate_seconds(group, data, backend)
            seconds += took
            self.say(f"group {i}: {len(group)} trials of {variants}: {size / 2**30:.2f} GiB, about {took:.0f} s")
        self.say(f"about {seconds:.0f} s in all; nothing was trained")

    def say(self, text: str) -> None:
        """Print a line as it is."""
        self.console.print(text, markup=False)


def _engine_notes(trials: list[Trial], backend: Backend) -> list[str]:
    """Say why the kernels are not used, and which variants the Chainer engine trains next to compiled ones."""
    notes = [backend.note] if backend.note else []
    by_engine: dict[str, list[str]] = {}
    for trial in trials:
        by_engine.setdefault(backend.engine_for(trial.settings), []).append(trial.variant)
    if len(by_engine) > 1:
        names = ", ".join(dict.fromkeys(by_engine[CHAINER]))
        notes.append(f"there are no kernels for {names}: the Chainer engine trains it, with other rounding")
    return notes


class _PlainProgress:
    def __init__(self, say: Callable[[str], None]):
        self.say, self.started, self.said = say, time.monotonic(), -1

    def __call__(self, progress: runner.Progress) -> None:
        tenth = _PLAIN_LINES * progress.done // progress.total
        if tenth == self.said or not progress.done:
            return
        self.said = tenth
        elapsed = time.monotonic() - self.started
        left = elapsed / progress.done * (progress.total - progress.done)
        share = 100 * progress.done // progress.total
        self.say(
            f"{share:3} %  step {progress.record.step}  loss {_loss(progress)}  {elapsed:.0f} s, {left:.0f} s left"
        )


def _loss(progress: runner.Progress) -> str:
    """Write the variants' training losses: mean over those networks that train now and have not diverged."""
    losses: dict[str, list[float]] = {trial.variant: [] for trial in progress.trials}
    for trial, loss in zip(progress.trials, progress.record.values["train_loss"], strict=True):
        if math.isfinite(loss):
            losses[trial.variant].append(float(loss))
    means = {variant: statistics.fmean(values) if values else math.nan for variant, values in losses.items()}
    return ", ".join(f"{variant} {mean:.4f}" for variant, mean in means.items())
