"""The progress of `bnrenorm.run` below a notebook's cell.

One output of IPython's `display` is rewritten, which needs nothing that a notebook lacks, and leaves its last state in
the stored file. Rich and tqdm need ipywidgets to draw a bar there, warn where it is missing, and leave an empty widget.
"""

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bnrenorm.runs import narration, runner
from bnrenorm.runs.pace import Pace
from bnrenorm.runs.session import Watcher

_SECONDS = 0.25  # between two updates; every one is a message to the browser
_STYLE = "overflow-wrap: anywhere; margin: 0.25em 0"


def is_running() -> bool:
    """Tell whether this process is a notebook's kernel, in Jupyter, VS Code or Colab: IPython's, but no terminal."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


class CellOutput(Watcher):
    """Shows a session in one output of the cell: what is trained, remarks, the compilation, and how far it is."""

    def __init__(self) -> None:
        self._lines: list[str] = []  # those that stay
        self._state = ""  # the line that changes
        self._share: float | None = None  # of the work that is done, in 0..1; None: no bar
        self._handle: Any = None
        self._shown = -_SECONDS  # when the output was last written

    def tell(self, text: str) -> None:
        """Show a line that stays."""
        self._lines.append(text)
        self._show()

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Show that kernels are being compiled, then how long it took."""
        started = time.monotonic()
        self._state = narration.COMPILING
        self._show()
        yield
        self._state = ""
        self.tell(f"Compiled in {time.monotonic() - started:.0f} s.")

    @contextmanager
    def training(self) -> Iterator[Callable[[runner.Progress], None]]:
        """Yield a function that shows a `runner.Progress`; what it showed last stays if the training is interrupted."""
        pace = Pace(time.monotonic)

        def show(progress: runner.Progress) -> None:
            pace.update(progress)
            if time.monotonic() - self._shown < _SECONDS and progress.done < progress.total:
                return
            self._share = progress.done / progress.total
            losses, left = ", ".join(narration.losses(progress)), pace.left()
            time_left = "" if left is None else f", {left:.0f} s left"
            self._state = f"{100 * self._share:.0f} %, step {progress.record.step}, loss {losses}{time_left}"
            self._show()

        yield show
        self._state = "" if pace.progress is None else f"Trained in {pace.elapsed:.0f} s."
        self._share = None
        self._show()

    def _show(self) -> None:
        lines = [*self._lines, *([self._state] if self._state else [])]
        marks = [html.escape(line) for line in lines]
        if self._share is not None:
            marks[-1] = f'<progress value="{self._share:.4f}" max="1"></progress> {marks[-1]}'
        content = {"text/plain": "\n".join(lines), "text/html": f'<div style="{_STYLE}">{"<br>".join(marks)}</div>'}
        if self._handle is None:
            from IPython.display import display  # there, as this is a notebook

            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
        self._shown = time.monotonic()
