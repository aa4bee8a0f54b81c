"""What the numbers of a run say against trusting its verdicts: few test images, networks that only guess."""

from collections import Counter

import pandas as pd

from bnrenorm.analysis import stats
from bnrenorm.analysis.verdicts import Verdict
from bnrenorm.data.described import Described
from bnrenorm.numbers import counted, listed

_ROUNDING = 1e-9  # of a mean of equal accuracies


def cautions(verdicts: list[Verdict], final: pd.DataFrame, data: Described) -> list[str]:
    """Return remarks on verdicts, and on the table `aggregates.final_values` behind them; no full stops."""
    return [*_few_images(verdicts, data), *_guessing(final, data)]


def _few_images(verdicts: list[Verdict], data: Described) -> list[str]:
    """Say where variants are called equivalent on so few test images that one of them is more than the margin."""
    images = data.test
    if images * stats.MARGIN >= 1 or all(verdict["verdict"] != "equivalent" for verdict in verdicts):
        return []
    return [f"equivalent on {images} test images, of which one is {100 / images:.3g} %: it says little of other images"]


def _guessing(final: pd.DataFrame, data: Described) -> list[str]:
    """Name the variants that end no better than one label for all test images, with how many of their grid points."""
    if not data.most_frequent:
        return []
    share = data.most_frequent / data.test
    rows = list(zip(final["variant"], final["test_accuracy"], strict=True))
    points = Counter(name for name, _ in rows)
    guessing = Counter(name for name, accuracy in rows if accuracy <= share + _ROUNDING)
    if not guessing:
        return []
    names = [
        f"{name} at {count} of {counted(points[name], 'grid point')}" if points[name] > 1 else name
        for name, count in guessing.items()
    ]
    end = "ends" if len(names) == 1 else "end"
    return [
        f"{listed(names)} {end} no better than guessing: the most frequent label alone is right for "
        f"{100 * share:.2f} % of the test images"
    ]
