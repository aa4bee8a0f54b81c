"""What a person sees while a comparison runs: a bar on a terminal, plain lines elsewhere, then the tables."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bnrenorm import beside, layouts, runner
from bnrenorm.api import Results
from bnrenorm.config import Experiment, Trial
from bnrenorm.config.identity import Identity
from bnrenorm.data.dataset import Dataset
from bnrenorm.memory import need
from bnrenorm.plan import Plan, estimate_seconds

_PLAIN_LINES = 10  # progress lines of a whole run where there is no terminal


class Screen:
    """Standard output, as a terminal or a file."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)

    def opening(
        self, experiment: Experiment, trials: list[Trial], data: Dataset, on: str, identical: list[Identity]
    ) -> None:
        """Say what is going to be trained, and which variants are one computation."""
        self._print(
            f"{experiment.name}: {', '.join(experiment.variants)}; seeds {', '.join(map(str, experiment.seeds))}; "
            f"{len(trials)} trials; {len(data.x_train)} + {len(data.x_test)} images of {data.source}; on {on}"
        )
        for same in identical:
            where = f" at {dict(same.point)}" if same.point else ""
            self._print(f"Note: {same.a} and {same.b}{where} are identical by construction: {same.reason}.")

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Show that kernels are being compiled, and how long it took."""
        started = time.perf_counter()
        self._print("Compiling the kernels for this, once on a machine ...")
        yield
        self._print(f"Compiled in {time.perf_counter() - started:.0f} s.")

    @contextmanager
    def progress(self) -> Iterator[Callable[[runner.Progress], None]]:
        """Yield a function that shows each `runner.Progress`."""
        if not self.console.is_terminal:
            yield _PlainProgress(self._print)
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

    def rehearsal(self, plan: Plan, data: Dataset, on: str, kernels: str) -> None:
        """Say what a plan would train, in what memory, and how long that takes by a short rehearsal."""
        self._print(
            f"{len(plan.keys)} trials, {len(plan.keys) - plan.missing} of them finished, {plan.missing} to train"
        )
        seconds = 0.0
        for i, group in enumerate(plan.groups, start=1):
            variants = ", ".join(dict.fromkeys(trial.variant for trial in group))
            size = need(group[0], data, kernels).of(len(group))
            took = estimate_seconds(group, data, on, kernels)
            seconds += took
            self._print(f"group {i}: {len(group)} trials of {variants}: {size / 2**30:.2f} GiB, about {took:.0f} s")
        self._print(f"about {seconds:.0f} s in all; nothing was trained")

    def closing(self, results: Results, folder: Path) -> None:
        """Print the table of all variants, the verdicts, and where the files are."""
        if results.beside is not None:
            self.console.print(layouts.beside(results.beside), soft_wrap=False)
            self._print(beside.count(results.beside))
        else:
            self.console.print(layouts.summary(results.summary), soft_wrap=False)
        if len(results.experiment.variants) > 1 and len(results.experiment.points) > 1:
            self.console.print(layouts.verdicts(results.verdicts), soft_wrap=False)
        else:
            for verdict in results.verdicts:
                self._print(verdict["sentence"])
        if results.directions is not None:
            self.console.print(layouts.directions(results.directions), soft_wrap=False)
        if results.published is not None:
            self._print(f"Published: {results.published.source}")
        identical = [each for each in results.verdicts if each["verdict"] == "identical by construction"]
        if identical:
            largest = max(abs(value) for each in identical for value in each["differences"])
            self._print(
                f"The trained networks agree where they are identical by construction: largest difference in test "
                f"accuracy {100 * largest:.2f} points."
            )
        self._print(f"Curves, tables and figures: {folder}")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False)


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
    """Write the variants' training losses: mean over the seeds that train now."""
    losses: dict[str, list[float]] = {}
    for trial, loss in zip(progress.trials, progress.record.values["train_loss"], strict=True):
        losses.setdefault(trial.variant, []).append(float(loss))
    return ", ".join(f"{variant} {sum(values) / len(values):.4f}" for variant, values in losses.items())
