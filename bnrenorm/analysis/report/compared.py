"""What two runs have in common and what not: verdicts of the same comparisons, settings, surroundings."""

from collections.abc import Sequence
from typing import Any

from bnrenorm.analysis.report import tables
from bnrenorm.analysis.report.tables import PAIR, Cell, Column, Table, difference_columns
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.analysis.verdicts import in_points
from bnrenorm.config.trial import point_text


def title(runs: Sequence[ExperimentResults], conclusions: Sequence[str]) -> str:
    """Return the conclusions of two runs in one line, or say that the runs compare different things."""
    pairs = [{(verdict["a"], verdict["b"]) for verdict in results.verdicts} for results in runs]
    variants = {results.experiment.variants for results in runs}
    if not pairs[0] & pairs[1] and (any(pairs) or len(variants) > 1):
        return "Two runs that compare different things"
    if len(set(conclusions)) == 1:
        return f"Both runs: {conclusions[0]}"
    return " ".join(f"{name}: {text}" for name, text in zip(_names(runs), conclusions, strict=True))


def tables_of(runs: Sequence[ExperimentResults]) -> list[Table]:
    """Return the verdicts of two runs next to each other, and the settings in which they differ."""
    names = _names(runs)
    return [_verdicts(runs, names), _settings(runs, names)]


def _names(runs: Sequence[ExperimentResults]) -> list[str]:
    names = [results.folder.name for results in runs]
    return names if len(set(names)) == len(names) else [f"{i} {name}" for i, name in enumerate(names, start=1)]


def _verdicts(runs: Sequence[ExperimentResults], names: list[str]) -> Table:
    by_run = [
        {(verdict["b"], verdict["a"], point_text(verdict["point"].items())): verdict for verdict in results.verdicts}
        for results in runs
    ]
    columns = [*PAIR, Column("grid point")]
    for name in names:
        columns += [*difference_columns("", f"{name}: "), Column("verdict")]
    rows: list[list[Cell]] = []
    for comparison in dict.fromkeys(key for one in by_run for key in one):
        row: list[Cell] = list(comparison)
        for one in by_run:
            verdict = one.get(comparison)
            row += [None] * 3 if verdict is None else in_points(verdict)
            row.append("not compared" if verdict is None else verdict["verdict"])
        rows.append(row)
    note = "Differences are in points. Each run's verdicts are its own: no test compares the runs with each other."
    return Table("both-verdicts", "Verdicts of both runs", columns, rows, note)


def _settings(runs: Sequence[ExperimentResults], names: list[str]) -> Table:
    described = {name: _described(results) for name, results in zip(names, runs, strict=True)}
    note = "Where a run's variants or grid points have several values of a setting, all are named."
    return tables.settings(described, "both-settings", "What differs between the runs", note)


def _described(results: ExperimentResults) -> dict[str, Any]:
    experiment = results.experiment
    values: dict[str, dict[str, None]] = {}
    for settings in experiment.settings.values():
        for name, value in tables.flattened(settings.model_dump(mode="json")):
            values.setdefault(name, {})[value] = None
    engines = sorted({str(result.provenance.get("engine")) for _, result in results.trials})
    return {
        "variants": ", ".join(experiment.variants),
        "seeds": ", ".join(map(str, experiment.seeds)),
        "images": f"{results.data.source} ({results.data.checksum[:12]})",
        "engine": ", ".join(engines),
        **{name: ", ".join(several) for name, several in values.items()},
    }
