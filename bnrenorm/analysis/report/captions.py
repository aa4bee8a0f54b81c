"""What stands below the report's charts: what lines, bands and crosses are, of this run."""

from collections.abc import Mapping
from typing import Any

from bnrenorm.analysis import intervals
from bnrenorm.analysis.over_steps import INTERVAL
from bnrenorm.analysis.report.cells import Cells
from bnrenorm.analysis.stats import MIN_PAIRS

_EARLY = (
    "Verdicts and tables are of the weights that were best on validation, and curves need not end there; that of a "
    "trial that stopped early goes on as these."
)


def seeds_drawn(frames: Mapping[str, Mapping[str, Any]]) -> str:
    """Say what is drawn of several seeds, by the data of a chart's frames (`charts.frame_of`)."""
    columns = [of for frame in frames.values() for of in frame["sources"].values()]
    most = max((count for of in columns for count in of.get("seeds", ())), default=1)
    if most <= 1:
        return "One seed."
    parts = []
    if any(low is not None for of in columns for low in of.get("low", ())):
        parts.append(f"Bands: {INTERVAL}, at each step by itself: of many steps some lie outside.")
        if intervals.LISTED < most <= intervals.COUNTED:
            parts.append("They come from random subsets of the seeds, the intervals in tables from all.")
    if any(of.get("xs") for of in columns):
        parts.append(f"Thick: mean over the seeds; thin: single seeds. Bands need {MIN_PAIRS}.")
    return " ".join(parts) or "No bands: all seeds have the same values."


def crosses(frames: Mapping[str, Mapping[str, Any]]) -> str:
    """Say what the crosses of trials that diverged are, if there are any."""
    if not any(frame["sources"]["ended"]["step"] for frame in frames.values()):
        return ""
    return "A red cross is the last value of a trial that diverged; means are of the seeds that have a value."


def early_stopping(cells: Cells) -> str:
    """Say that with early stopping curves need not end at the values that are judged."""
    return _EARLY if cells.results.stops_early else ""


def modes(cells: Cells) -> str:
    """Say what the two modes of the gap between them are, with the variants' settings."""
    settings = cells.results.experiment.settings.values()
    statistics = "of the batch"
    if any(one.training.micro_batch for one in settings):
        statistics = "of the images that are normalised together"
    dropout = ", and dropout where a variant has it" if any(one.model.dropout.drops for one in settings) else ""
    return (
        "Accuracy in inference mode (running statistics) less that in training mode "
        f"(statistics {statistics}{dropout}), of the same training images and weights: below 0 the network is worse at "
        "inference."
    )


def joined(*sentences: str) -> str:
    """Return those sentences of a caption that there are."""
    return " ".join(filter(None, sentences))
