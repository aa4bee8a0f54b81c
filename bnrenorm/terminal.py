"""What a person sees while a comparison runs: a bar on a terminal, plain lines elsewhere, then the tables."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bnrenorm import published, runner
from bnrenorm.api import Results
from bnrenorm.config import Experiment, Trial
from bnrenorm.config.identity import Identity
from bnrenorm.data.dataset import Dataset
from bnrenorm.memory import need
from bnrenorm.plan import Plan, estimate_seconds

_HUGE = 1e4  # a mean beyond this is that of a network that diverges
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
        self.console.print(_table(results.summary), soft_wrap=False)
        if len(results.experiment.points) > 1:
            self.console.print(_verdicts(results.verdicts), soft_wrap=False)
        else:
            for verdict in results.verdicts:
                self._print(verdict["sentence"])
        if results.directions is not None:
            self.console.print(_directions(results.directions), soft_wrap=False)
            self._print(f"Published: {published.read(str(results.experiment.published)).source}")
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
        if tenth == self.said:
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


def _table(summary: Any) -> Table:
    """Lay the variants out with their final and best values; over a grid with the final ones only."""
    keys = list(summary.columns[: list(summary.columns).index("seed")])
    grid = len(keys) > 1
    title = f"{'final values, ' if grid else ''}mean ± standard deviation over seeds"
    table = _new_table(title)
    for key in keys if grid else [*keys, ""]:
        table.add_column(key.rpartition(".")[2], overflow="fold")
    for heading in ("training loss", "test loss", "training %", "test %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for cell, rows in summary.groupby(keys, sort=False):
        names = [str(name) for name in (cell if isinstance(cell, tuple) else (cell,))]
        for when in ("final",) if grid else ("final", "best"):
            losses = [_mean_and_spread(rows[f"{when}_{split}_loss"], 4) for split in ("train", "test")]
            shares = [_mean_and_spread(100 * rows[f"{when}_{split}_accuracy"], 2) for split in ("train", "test")]
            table.add_row(*names, *([] if grid else [when]), *losses, *shares)
        diverged = int((rows["outcome"] == "diverged").sum())
        if diverged:
            table.add_row(*names, *([] if grid else [""]), f"{diverged} of {len(rows)} diverged")
        if not grid:
            table.add_section()
    return table


def _verdicts(verdicts: list[dict[str, Any]]) -> Table:
    """Lay the verdicts of a grid out, a section for every pair of variants."""
    metric = verdicts[0]["metric"].removeprefix("final_").replace("_", " ") if verdicts else ""
    table = _new_table(f"paired differences in {metric} (percentage points), p after Holm's correction")
    for key in verdicts[0]["point"] if verdicts else ():
        table.add_column(key.rpartition(".")[2])
    table.add_column("difference")
    for heading in ("mean", "95 % interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    pairs = list(dict.fromkeys((verdict["a"], verdict["b"]) for verdict in verdicts))
    for a, b in pairs:
        for verdict in (each for each in verdicts if (each["a"], each["b"]) == (a, b)):
            table.add_row(*(str(value) for value in verdict["point"].values()), f"{b} - {a}", *_row(verdict))
        table.add_section()
    return table


def _directions(found: pd.DataFrame) -> Table:
    table = _new_table("published and measured differences (percentage points)")
    keys = list(found.columns[: list(found.columns).index("a")])
    for heading in (*keys, "difference"):
        table.add_column(heading)
    for heading in ("published", "measured"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in found.to_dict("records"):
        table.add_row(
            *(str(row[key]) for key in keys),
            f"{row['b']} - {row['a']}",
            f"{row['published_difference']:+.1f}",
            f"{row['mean']:+.2f}",
            str(row["agreement"]),
        )
    return table


def _row(verdict: dict[str, Any]) -> tuple[str, str, str, str]:
    """Write a verdict's mean, interval, p and words; what a verdict does not have stays empty."""
    mean, low, high, p = (verdict[name] for name in ("mean", "low", "high", "p_holm"))
    words, more = verdict["verdict"], verdict["more_seeds"]
    diverged = "".join(f"; {count} {name} diverged" for name, count in verdict["diverged"].items() if count)
    if words == "identical by construction":
        return "0", "", "", words
    return (
        "" if mean is None else f"{100 * mean:+.2f}",
        "" if low is None else f"{100 * low:+.2f} to {100 * high:+.2f}",
        "" if p is None else f"{p:.2g}",
        (f"{words}: {more} more seed{'s' * (more > 1)} needed" if more else words) + diverged,
    )


def _new_table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True
    )


def _mean_and_spread(values: pd.Series, digits: int) -> str:
    """Write a mean and, with more than one seed, the standard deviation: "0.2795 ± 0.0012"."""
    mean, spread = values.mean(), values.std(ddof=1)
    style = f".{digits}f" if abs(mean) < _HUGE else ".1e"
    return f"{mean:{style}}" + (f" ± {spread:{style}}" if np.isfinite(spread) else "")
