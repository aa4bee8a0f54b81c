"""What trained the trials of a run, and what its reader should know before trusting it."""

from collections import Counter
from typing import Any

from bnrenorm.analysis.report.tables import Cell, Column, Table
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.family import too_few
from bnrenorm.numbers import counted

_LONGEST = 300  # characters of a value that a stored file gives
_ROWS = 200
_NAMES = ("engine", "device", "GPU", "processor", "BLAS", "threads", "versions", "commit", "command")
"""What is told of a provenance; its keys are in lower case."""


def sources(results: ExperimentResults) -> tuple[Table, list[int]]:
    """Return a row for every different provenance, and for every trial the number of its row, from 1."""
    made_by = [_without_date(result.provenance) for _, result in results.trials]
    dates: dict[tuple[str, ...], list[str]] = {}
    for entry, (_, result) in zip(made_by, results.trials, strict=True):
        dates.setdefault(entry, []).append(_text(result.provenance.get("date")))
    number = {entry: i for i, entry in enumerate(dates, start=1)}
    rows: list[list[Cell]] = [[number[entry], len(of), min(of), max(of), *entry] for entry, of in dates.items()]
    columns = list(map(Column, ("number", "trials", "first finished", "last finished", *_NAMES)))
    table = Table("provenance", "Provenance", columns, rows[:_ROWS], "Dates are in UTC.")
    return table, [number[entry] for entry in made_by]


def _without_date(provenance: dict[str, Any]) -> tuple[str, ...]:
    versions = provenance.get("versions")
    if isinstance(versions, dict):
        versions = ", ".join(f"{name} {version}" for name, version in versions.items())
    made_by = {**provenance, "versions": versions}
    return tuple(_text(made_by.get(name.lower())) for name in _NAMES)


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def notes(results: ExperimentResults) -> list[str]:
    """Return what a reader should know: what was said during the run, and what its results show."""
    experiment = results.experiment
    remarks = [*results.notes, *_missing(results)]
    remarks += diverged(results)
    if len(experiment.variants) > 1 and (few := too_few(len(experiment.seeds), 1, has_choice=False)):
        remarks.append(few)
    remarks += results.cautions
    return list(dict.fromkeys([*remarks, *_origins(results)]))


def command(results: ExperimentResults) -> str:
    """Return the command that repeats a run with its document, by the engine that trained it if it is one."""
    options = set()
    for _, result in results.trials:
        engine, device = (_text(result.provenance.get(key)) for key in ("engine", "device"))
        options.add(f" --engine {engine.replace('-', ' --')} --device {device.partition(':')[0]}")  # cuda --tf32
    return f"bnrenorm compare experiment.yaml{options.pop() if len(options) == 1 else ''}"


def diverged(results: ExperimentResults) -> list[str]:
    """Say how many trials of each variant diverged, where any did."""
    of = len(results.experiment.seeds) * len(results.experiment.points)
    counts = Counter(trial.variant for trial, result in results.trials if result.outcome == "diverged")
    return [f"{name} diverged in {count} of {counted(of, 'trial')}" for name, count in counts.items()]


def _missing(results: ExperimentResults) -> list[str]:
    experiment = results.experiment
    total = len(experiment.settings) * len(experiment.seeds)
    there = len(results.trials)
    return [f"not all trials are here: {there} of {total}"] if there < total else []


def _origins(results: ExperimentResults) -> list[str]:
    """Say where trials differ in what they were trained by, and where the source had been changed."""
    made_by = [result.provenance for _, result in results.trials]
    remarks = []
    for key, what in (("engine", "engines"), ("commit", "commits of bnrenorm")):
        values = sorted({_text(one.get(key)) or "unknown" for one in made_by})
        if len(values) > 1:
            remarks.append(f"trials of {len(values)} {what} are joined: {', '.join(values)}")
    versions = {str(one["versions"].get("bnrenorm")) for one in made_by if isinstance(one.get("versions"), dict)}
    if len(versions) > 1:
        remarks.append(f"trials of several versions of bnrenorm are joined: {', '.join(sorted(versions))}")
    if any(_text(one.get("commit")).endswith("-dirty") for one in made_by):
        remarks.append("some trials were trained by a source with changes that no commit holds")
    return remarks
