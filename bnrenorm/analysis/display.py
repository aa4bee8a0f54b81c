"""Results as a notebook shows them below a cell: verdicts, a table and a figure, as HTML without a script."""

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bnrenorm.analysis import aggregates
from bnrenorm.analysis.report import write as report
from bnrenorm.analysis.verdicts import p_cell
from bnrenorm.config.trial import value_text
from bnrenorm.errors import one_line
from bnrenorm.numbers import points

if TYPE_CHECKING:
    from bnrenorm.analysis.results import ExperimentResults

_SENTENCES = 3  # more comparisons than this are a table
_ROWS = 60  # the middle of a longer table is left out; results.final and results.differences have all of it


def page(results: "ExperimentResults") -> str:
    """Return the results as HTML: a sentence or a row per verdict, the final values, a figure, the run folder."""
    verdicts = results.verdicts
    parts = [f"<p>{html.escape(results.headline)}</p>"]
    if len(verdicts) <= _SENTENCES:
        parts += [f"<p><b>{html.escape(verdict['sentence'])}</b></p>" for verdict in verdicts]
    else:
        parts.append(
            _table(_readable_differences(results.differences), "paired differences in test accuracy, in points")
        )
    parts += [f"<p>Caution: {html.escape(caution)}.</p>" for caution in results.cautions]
    parts.append(_table(_readable_values(results.final), "final values, mean ± standard deviation over seeds"))
    try:
        drawing = base64.b64encode(_figure(results)).decode()
        text = html.escape(" ".join(verdict["sentence"] for verdict in verdicts[:_SENTENCES]), quote=True)
        parts.append(f'<img style="max-width: 100%" alt="{text}" src="data:image/png;base64,{drawing}">')
    except Exception as error:  # whatever is wrong with Matplotlib costs neither the verdicts nor the table
        parts.append(f"<p>Not drawn: {html.escape(one_line(error))}</p>")
    path = html.escape(str(results.folder / report.FILE))
    parts.append(f"<p>Report, next to tables and figures: <code>{path}</code></p>")
    return "\n".join(parts)


def _figure(results: "ExperimentResults") -> bytes:
    """Draw test accuracies on the left and, where variants are compared, the paired differences on the right, as a PNG.

    The accuracies are those over the steps, or with a grid the final ones.
    """
    from matplotlib.figure import Figure  # not above: results need no Matplotlib

    from bnrenorm.analysis.plots.texts import legend_below

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, *right = figure.subplots(1, 2 if results.verdicts else 1, squeeze=False)[0]
    if len(results.experiment.points) == 1:
        results.plot.curves(left).legend(frameon=False, loc="lower right")  # accuracies rise
    else:
        results.plot.accuracy(left)
    for ax in right:
        legend_below(results.plot.difference(ax), columns=3)  # off the bars, whose marks it repeats
        ax.set_ylabel("difference (percentage points)")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, facecolor="white", metadata={"Software": None})  # on dark pages too
    return buffer.getvalue()


def _readable_values(final: pd.DataFrame) -> pd.DataFrame:
    """Return `aggregates.final_values` with a column of text per metric: "91.99 ± 0.21"."""
    keys, diverged = aggregates.keys_of(final), ["diverged"] if final["diverged"].to_numpy().any() else []
    shown: Any = _readable_point(final, keys[1:])[[*keys, "seeds", *diverged]]
    return shown.assign(**aggregates.texts(final))


def _readable_point(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return a table with the values of a grid's axes as in a config: 2 in a column with null, and not 2.0."""
    return table.assign(**{key: [value_text(value) for value in table[key]] for key in keys})


def _readable_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """Return `aggregates.differences` in percentage points, without what people do not read."""
    shown: Any = _readable_point(differences, aggregates.keys_of(differences, "difference"))
    shown = shown.drop(columns=["low", "high", "p", "pairs", "more_seeds"])
    shown["mean"] = ["" if np.isnan(value) else points(value) for value in differences["mean"]]
    shown["p_holm"] = ["" if np.isnan(p) else p_cell(p) for p in differences["p_holm"]]
    bounds = zip(differences["low"], differences["high"], strict=True)
    interval = ["" if np.isnan(low) else f"{points(low)} to {points(high)}" for low, high in bounds]
    shown.insert(list(shown.columns).index("mean") + 1, "95 % interval", interval)
    return shown.rename(columns={"p_holm": "p (Holm)"})


def _table(table: pd.DataFrame, title: str) -> str:
    """Return a table as HTML, its names escaped; it scrolls by itself where the page is narrow."""
    text = table.to_html(index=False, border=0, na_rep="", max_rows=_ROWS)
    return f'<div style="overflow-x: auto"><p>{html.escape(title)}</p>{text}</div>'
