"""An experiment as plain data for a file that repeats it, every default written out."""

from typing import Any

from bnrenorm.config import document, reader
from bnrenorm.config.build import build
from bnrenorm.config.document import Document
from bnrenorm.config.experiment import Experiment
from bnrenorm.errors import InputError

LISTED = 100
"""Cells that are listed one by one, each with all its settings; more would be too much for a reader."""


def plain(experiment: Experiment) -> dict[str, Any]:
    """Return a config that makes the same experiment: `Experiment.resolved`, or for many cells `variants` and a `grid`.

    Settings that all variants share stand at the top then.
    """
    resolved = {**experiment.resolved(), "published": experiment.published}
    data = experiment.document.data
    if len(experiment.settings) <= LISTED or "grid" not in data or isinstance(data.get("variants"), list):
        return resolved
    try:
        alone = build(Document("", {key: value for key, value in data.items() if key != "grid"}), experiment.plugins)
        variants = {name: settings.model_dump(mode="json") for (name, _), settings in alone.settings.items()}
        first, *others = variants.values()
        shared = {group for group in first if all(other[group] == first[group] for other in others)}
        short = {
            **{key: value for key, value in resolved.items() if key != "variants"},
            **{group: first[group] for group in first if group in shared},
            "variants": {
                name: {group: of[group] for group in of if group not in shared} for name, of in variants.items()
            },
            "grid": data["grid"],
        }
        again = build(document.parse(reader.dump(short), ""), experiment.plugins)
    except InputError:  # a grid that makes something possible which is not without it
        return resolved
    return short if again.resolved() == experiment.resolved() else resolved
