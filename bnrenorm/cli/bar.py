"""One line that tells how far a training is: steps, time left, diverged networks, and as many losses as fit."""

import math
from collections.abc import Callable

from rich.cells import cell_len
from rich.progress import ProgressColumn, Task
from rich.text import Text

from bnrenorm.runs import narration
from bnrenorm.runs.pace import Pace

_MORE = ", ..."


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
    return text + _fitting("  loss ", narration.losses(progress), width - cell_len(text))


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


def _clock(seconds: float) -> str:
    """Write seconds as 0:09, 12:34 or 1:02:03."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
