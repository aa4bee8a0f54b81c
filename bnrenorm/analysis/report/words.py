"""The report's first words: the question, what its letters stand for."""

import re

from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.analysis.verdicts import Verdict
from bnrenorm.numbers import listed

_ABBREVIATIONS = (
    ("BN", "batch", "batch normalisation"),
    ("BRN", "renorm", "batch renormalisation (Ioffe, 2017)"),
)
_ALIKE = "the same seed gives every variant the same initial weights and batches"
_APART = (
    "seed by seed; the same seed gives the same initial weights only to variants with the same layers, and the same "
    "batches only to those with the same settings of batches"
)


def paired(results: ExperimentResults) -> str:
    """Return what the variants of a pair have in common."""
    return _ALIKE if results.experiment.begins_alike else _APART


def question(results: ExperimentResults) -> str:
    """Return the question that the experiment's config asks, or one made of its variants."""
    asked, names = results.experiment.question, results.experiment.variants
    if asked:
        return f"{asked[0].upper()}{asked[1:]}"
    if len(names) == 1:
        return f"How does {names[0]} train?"
    if base := results.experiment.baseline:
        others = [name for name in names if name != base]
        return f"What {'does' if len(others) == 1 else 'do'} {listed(others)} gain on {base}?"
    comparative = "higher" if len(names) == 2 else "highest"
    return f"Which of {', '.join(names[:-1])} and {names[-1]} has the {comparative} test accuracy?"


def letters(results: ExperimentResults, said: str) -> str:
    """Return what the abbreviations and terms mean that occur in the variants' names or in what is said."""
    kinds = {name: settings.norm.kind for (name, _), settings in results.experiment.settings.items()}
    used = f"{said} {' '.join(results.experiment.variants)}"
    parts = [
        f"{term}: {meaning}"
        for term, kind, meaning in _ABBREVIATIONS
        if re.search(rf"\b{term}\b", used) and kinds.get(term, kind) == kind  # a variant may use the name otherwise
    ]
    terms = {"points": "percentage points of accuracy", "paired": paired(results)}
    parts += [f"“{term}”: {meaning}" for term, meaning in terms.items() if re.search(rf"(?<!grid )\b{term}\b", said)]
    return f"{'; '.join(parts)}." if parts else ""


def pair(verdict: Verdict) -> str:
    """Return which difference a verdict is about: "BRN - BN", as in its numbers."""
    return f"{verdict['b']} - {verdict['a']}"
