"""The progress of a comparison: what will be trained, then a bar on a terminal or plain lines elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import IO, Any

from rich.progress import BarColumn, Progress
from rich.status import Status

from bnrenorm.cli import bar
from bnrenorm.cli.printer import Printer
from bnrenorm.cli.sheet import Sheet
from bnrenorm.numbers import counted
from bnrenorm.runs import narration, runner, session
from bnrenorm.runs.estimate import estimates
from bnrenorm.runs.memory import need
from bnrenorm.runs.pace import Pace
from bnrenorm.runs.session import Watcher

_PARTS = 10  # plain progress has a line at the first report and one for each part of the run
_WIDE = 100  # columns from which on there is room for the bar itself


class Screen(Watcher):
    """Shows a session while it runs, by a `Printer` of those options: on standard output if they name no other file.

    A quiet one shows only what is printed by `say` and `table`, the results. `has_begun`: the training; `is_closed`:
    whoever read the output has gone, as `head` does, or a disk is full, and the rest is printed nowhere.
    """

    def __init__(self, *, is_quiet: bool = False, **options: Any):
        self.printer, self.is_quiet = Printer(**options), is_quiet
        self.has_begun = self.is_closed = False
        console = self.printer.console
        console.on_broken_pipe = lambda: self._abandon(console.file)  # Rich's own would end the process

    def say(self, text: str) -> None:
        """Print a line."""
        with self._writing(self.printer.console.file):
            self.printer.say(text)

    def table(self, sheet: Sheet) -> None:
        """Print a table."""
        with self._writing(self.printer.console.file):
            self.printer.table(sheet)

    @contextmanager
    def _writing(self, file: IO[str]) -> Iterator[None]:
        """Go on in silence where nothing more can be written: no training ends because the disk of a log is full."""
        try:
            yield
        except OSError as error:
            self._abandon(file)
            if not isinstance(error, BrokenPipeError):
                console = self.printer.console
                name = "error" if console.stderr and file is console.file else "output"
                with suppress(OSError):  # both may be one file
                    print(f"bnrenorm: standard {name}: {error.strerror}; the rest is not printed", file=sys.stderr)

    def _abandon(self, file: IO[str]) -> None:
        self.is_closed = True
        self.printer.console.quiet |= file is self.printer.console.file
        with open(os.devnull, "w") as nowhere:  # what is buffered would fail again at the end
            os.dup2(nowhere.fileno(), file.fileno())

    def document(self, text: str) -> None:
        """Print a text on standard output as it is, wherever everything else is printed."""
        with self._writing(sys.stdout):
            print(text, flush=True)

    @contextmanager
    def training(self) -> Iterator[Callable[[runner.Progress], None]]:
        """Yield a function that shows a `runner.Progress`: as a bar on a terminal, as up to eleven lines elsewhere."""
        pace, console, self.has_begun = Pace(), self.printer.console, True
        if self.is_quiet:
            yield lambda progress: None
            return
        if not self.printer.is_terminal or console.is_dumb_terminal:
            yield _PlainProgress(self.say, pace)
            return
        width = console.width
        shown = [BarColumn(bar_width=width // 4)] if width > _WIDE else []
        line = bar.Line(pace, lambda: width - len(shown) * (width // 4 + 1))
        progress_bar = Progress(*shown, line, console=console, refresh_per_second=4)
        with self._moving(progress_bar):
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

    def rehearsal(self, of: session.Rehearsal) -> None:
        """Print what a run would train, with memory and with time from timing a few steps; train nothing."""
        plan, data, backend = of.plan, of.data, of.backend
        differ = plan.different
        trials = counted(differ, f"{'different ' * (differ < len(plan.keys))}trial")
        self.say(f"{trials}, {differ - plan.missing} finished, {plan.missing} to train")
        session.compile_kernels(plan, backend, self)
        total = 0.0
        for i, (group, (seconds, is_timed)) in enumerate(
            zip(plan.groups, estimates(plan.groups, data, backend), strict=True), start=1
        ):
            variants = ", ".join(dict.fromkeys(trial.variant for trial in group))
            size = need(group[0], data, backend).of(len(group)) / 2**30
            how = "" if is_timed else ", by its size"
            trials = counted(len(group), "trial")
            self.say(f"group {i}: {trials} of {variants}: {size:.2f} GiB, about {seconds:.0f} s{how}")
            total += seconds
        shared = f", of which {of.devices} devices do a part each" if of.devices > 1 else ""
        self.say(f"about {total:.0f} s in all{shared}; nothing was trained")

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Say on a terminal what is being done, as long as it is; nothing stays there."""
        console = self.printer.console
        is_shown = self.printer.is_terminal and not (self.is_quiet or console.is_dumb_terminal)
        with self._moving(Status(text, console=console)) if is_shown else nullcontext():
            yield

    @contextmanager
    def _moving(self, shown: Progress | Status) -> Iterator[None]:
        """Show something that moves; a terminal that is closed meanwhile ends neither it nor what is being done."""
        file = self.printer.console.file
        with self._writing(file):
            shown.start()
        try:
            yield
        finally:
            with self._writing(file):
                shown.stop()

    def tell(self, text: str) -> None:
        """Print a line that a quiet screen leaves out."""
        if not self.is_quiet:
            self.say(text)


class _PlainProgress:
    def __init__(self, say: Callable[[str], None], pace: Pace):
        self.say, self.pace, self.last_part = say, pace, -1

    def __call__(self, progress: runner.Progress) -> None:
        self.pace.update(progress)
        part = _PARTS * progress.done // progress.total
        if part == self.last_part or not progress.done:
            return
        self.last_part = part
        left = self.pace.left()
        so_far = " so far" * (progress.groups > 1)
        diverged = f"  {self.pace.diverged} diverged{so_far}" if self.pace.diverged else ""
        group, at = narration.group(progress)
        place = f"{group}{f' ({at})' if at else ''}  " if group else ""
        self.say(
            f"{100 * progress.done // progress.total:3} %  {place}step {progress.record.step}  "
            f"loss {', '.join(narration.losses(progress))}{diverged}  {self.pace.elapsed:.0f} s"
            + ("" if left is None else f", {left:.0f} s left")
        )
