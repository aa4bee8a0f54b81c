"""The report's first words: the question, and the verdicts of many comparisons in a few lines."""

from pathlib import Path
from typing import Any

from bnrenorm import config as configs
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.config import header
from bnrenorm.errors import InputError

Verdict = dict[str, Any]

_SENTENCES = 6  # up to this number, the comparisons' own sentences are the answer
_POINTS = 6  # grid points that a line names


def question(results: ExperimentResults) -> str:
    """Return the question in the header of the experiment's config, or one made of its variants."""
    experiment = results.experiment
    shipped = configs.shipped().get(experiment.name)
    for path in (Path(experiment.document.source), shipped):
        asked = _asked(path, experiment.variants) if path is not None else ""
        if asked:
            return f"{asked[0].upper()}{asked[1:]}"
    names = experiment.variants
    if len(names) == 1:
        return f"How does {names[0]} train?"
    return f"Which of {', '.join(names[:-1])} and {names[-1]} has the higher test accuracy?"


def _asked(path: Path, variants: tuple[str, ...]) -> str:
    """Return a config's question, if the config can be read and has these variants; else nothing."""
    try:
        if path.is_file() and configs.load(path).variants == variants:
            return header.read(path).question
    except (InputError, OSError, ValueError):  # the file may have changed since the run
        pass
    return ""


def answer(results: ExperimentResults) -> list[str]:
    """Return the verdicts in sentences, BN against BRN first: their own where there are few, else a line per pair."""
    verdicts = sorted(results.verdicts, key=lambda verdict: not _is_decisive(results, verdict))
    if not verdicts:
        return ["One variant: there is nothing to compare."]
    if len(verdicts) <= _SENTENCES:
        return [f"{_at(verdict)}{verdict['sentence']}" for verdict in verdicts]
    pairs: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for verdict in verdicts:
        outcomes = pairs.setdefault((verdict["a"], verdict["b"]), {})
        outcomes.setdefault(verdict["verdict"], []).append(verdict["point"])
    return [
        f"{b} against {a}: {'; '.join(_outcome(*item, len(results.experiment.points)) for item in outcomes.items())}."
        for (a, b), outcomes in pairs.items()
    ]


def _is_decisive(results: ExperimentResults, verdict: Verdict) -> bool:
    """Tell whether a comparison is one of batch normalisation and renormalisation, or of kinds of these."""
    point = tuple(verdict["point"].items())
    kinds = {results.experiment.settings[verdict[name], point].norm.kind for name in ("a", "b")}
    return kinds <= {"batch", "renorm"}


def _at(verdict: Verdict) -> str:
    return f"{point(verdict['point'])}: " if verdict["point"] else ""


def _outcome(verdict: str, points: list[dict[str, Any]], of: int) -> str:
    """Return "BRN better at micro_batch 2, 4 and 8"."""
    if of == 1:
        return verdict
    if len(points) == of:
        return f"{verdict} at all {of} grid points"
    shorter = points if len(points) <= _POINTS else points[:_POINTS]
    if len(points[0]) == 1:
        ((key, _),) = points[0].items()
        named = [shown(value) for one in shorter for value in one.values()]
        before = f"{key.rpartition('.')[2]} "
    else:
        named, before = [f"({point(one)})" for one in shorter], ""
    if len(shorter) < len(points):
        named.append(f"{len(points) - len(shorter)} more")
    listed = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    return f"{verdict} at {before}{listed}"


def point(values: dict[str, Any]) -> str:
    """Return a grid point in words, each axis by the last part of its key: "micro_batch 2, lr 0.1"."""
    return ", ".join(f"{key.rpartition('.')[2]} {shown(value)}" for key, value in values.items())


def shown(value: Any) -> str:
    """Return a value as a config would show it."""
    if value is None or value != value:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def pair(verdict: Verdict) -> str:
    """Return which difference a verdict is about: "BRN - BN", as in its numbers."""
    return f"{verdict['b']} - {verdict['a']}"
