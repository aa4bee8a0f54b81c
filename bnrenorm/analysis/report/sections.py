"""A run's part of the page as data: what the template shows of `ExperimentResults`."""

import itertools
from dataclasses import dataclass

from bnrenorm.analysis.report import answer, charts, corrections, forest, printed, provenance, tables, words
from bnrenorm.analysis.report.answer import Line
from bnrenorm.analysis.report.cells import Cells
from bnrenorm.analysis.report.chart import Chart
from bnrenorm.analysis.report.tables import Table
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.config import seeds
from bnrenorm.config.trial import point_text
from bnrenorm.numbers import counted

_COLUMNS = 12  # of the table of settings that differ; with more variants and grid points it would not be read


@dataclass(frozen=True)
class Section:
    """All that the page shows of one run."""

    name: str
    question: str
    answer: list[Line]
    letters: str
    facts: list[str]
    charts: list[Chart]
    left_out: str
    tables: list[Table]
    notes: list[str]
    files: dict[str, str]
    repeat: str
    if_there: str


def section(results: ExperimentResults) -> Section:
    """Return a run's part of the page. Its numbers are those of the tables and verdicts that the run folder holds."""
    cells = Cells(results)
    drawn = [
        forest.forest(results.verdicts),
        charts.curves(cells),
        charts.differences(cells),
        corrections.corrections(cells),
        charts.gap(cells),
    ]
    there = [chart for chart in drawn if chart is not None]
    question, lines = words.question(results), answer.answer(results)
    said = " ".join([question, *(f"{line.text} {line.numbers}" for line in lines)])
    return Section(
        name=results.folder.name,
        question=question,
        answer=lines,
        letters=words.letters(results, said),
        facts=_facts(results),
        charts=[chart for chart in there if not chart.is_empty],
        left_out=_left_out([chart.title for chart in there if chart.is_empty], results),
        tables=_tables(results),
        notes=provenance.notes(results),
        files={name: _text(content) for name, content in results.experiment.files().items()},
        repeat=provenance.command(results),
        if_there="" if results.experiment.data.path is None else ", if its images are where they were",
    )


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode(errors="replace")


def _left_out(titles: list[str], results: ExperimentResults) -> str:
    """Say which charts are not drawn and why, in one line; "" if all are."""
    if not titles:
        return ""
    reason = "; ".join(provenance.diverged(results))
    return f"Not drawn, for want of finite values{f' ({reason})' if reason else ''}: {', '.join(titles)}."


def _facts(results: ExperimentResults) -> list[str]:
    """Return what was trained, in a few short phrases."""
    experiment, data = results.experiment, results.data
    facts = [f"{counted(len(experiment.variants), 'variant')}: {', '.join(experiment.variants)}"]
    if len(experiment.points) > 1:
        axes = ", ".join(key for key, _ in experiment.points[0])
        facts.append(f"{len(experiment.points)} grid points: {axes}")
    there, of = len(results.trials), len(experiment.settings) * len(experiment.seeds)
    trials = counted(of, "trial") if there == of else f"{there} of {counted(of, 'trial')}"
    facts.append(f"{'seed' if len(experiment.seeds) == 1 else 'seeds'} {seeds.listed(experiment.seeds)}: {trials}")
    images = "MNIST digits" if data.source == "mnist" else data.source
    facts.append(f"{data.train} + {data.test} images of {images} ({data.checksum[:12]}), on {results.device}")
    return facts


def _tables(results: ExperimentResults) -> list[Table]:
    axes = [key for key, _ in results.experiment.points[0]]
    origin, made_by = provenance.sources(results)
    made = [
        tables.verdicts(results.verdicts) if results.verdicts else None,
        tables.variants(results.summary, axes, f"Losses: {results.loss}. {results.training_values}".strip()),
        printed.table(results),
        _settings(results),
        tables.trials(results.summary, axes, made_by),
        origin,
    ]
    return [table for table in made if table is not None]


def _settings(results: ExperimentResults) -> Table:
    experiment = results.experiment
    cells = list(itertools.product(experiment.points, experiment.variants))  # so that few show all variants
    few = {
        f"{variant}{', ' * bool(point)}{point_text(point)}": experiment.settings[variant, point].model_dump(mode="json")
        for point, variant in cells[:_COLUMNS]
    }
    note = "All other settings are the same; the document below has them."
    if len(cells) > _COLUMNS:
        note = f"The first {_COLUMNS} of {len(cells)} variants and grid points; the document below has all."
    return tables.settings(few, "settings", "Settings that differ", note)
