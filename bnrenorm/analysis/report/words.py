"""The report's first words: the question, what its letters stand for."""

import re
from pathlib import Path
from typing import Any

from bnrenorm import config as configs
from bnrenorm import disk
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.config import header
from bnrenorm.errors import InputError

Verdict = dict[str, Any]

_ABBREVIATIONS = (
    ("BN", "batch", "batch normalisation"),
    ("BRN", "renorm", "batch renormalisation (Ioffe, 2017)"),
)
_TERMS = {
    "points": "percentage points of accuracy",
    "paired": "the same seed gives every variant the same initial weights and batches",
}


def question(results: ExperimentResults) -> str:
    """Return the question in the header of the experiment's config, or one made of its variants."""
    experiment = results.experiment
    shipped = {_named(name): path for name, path in configs.shipped().items()}.get(_named(experiment.name))
    for path in (Path(experiment.document.source), shipped):
        asked = _asked(path, experiment.variants) if path is not None else ""
        if asked:
            return f"{asked[0].upper()}{asked[1:]}"
    names = experiment.variants
    if len(names) == 1:
        return f"How does {names[0]} train?"
    return f"Which of {', '.join(names[:-1])} and {names[-1]} has the higher test accuracy?"


def _named(config: str) -> str:
    """Return the name of a shipped config without regard to signs: article2/l1 names its experiment article2-l1."""
    return re.sub("[/_-]", "-", config)


def _asked(path: Path, variants: tuple[str, ...]) -> str:
    """Return a config's question, if the config can be read and has these variants; else nothing."""
    try:
        if disk.is_file(path) and configs.load(path).variants == variants:
            return header.read(path).question
    except (InputError, OSError, ValueError):  # the file may have changed since the run
        pass
    return ""


def letters(results: ExperimentResults, said: str) -> str:
    """Return what the abbreviations and terms mean that occur in the variants' names or in what is said."""
    kinds = {name: settings.norm.kind for (name, _), settings in results.experiment.settings.items()}
    used = f"{said} {' '.join(results.experiment.variants)}"
    parts = [
        f"{term}: {meaning}"
        for term, kind, meaning in _ABBREVIATIONS
        if re.search(rf"\b{term}\b", used) and kinds.get(term, kind) == kind  # a variant may use the name otherwise
    ]
    parts += [f"“{term}”: {meaning}" for term, meaning in _TERMS.items() if re.search(rf"(?<!grid )\b{term}\b", said)]
    return f"{'; '.join(parts)}." if parts else ""


def pair(verdict: Verdict) -> str:
    """Return which difference a verdict is about: "BRN - BN", as in its numbers."""
    return f"{verdict['b']} - {verdict['a']}"
