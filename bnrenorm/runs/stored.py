"""The stored results of an experiment's trials, and those that cannot be used."""

from bnrenorm.config import Trial
from bnrenorm.runs.sealed import Damaged
from bnrenorm.runs.store import Store
from bnrenorm.training.records import TrialResults


def read(keys: dict[Trial, str], store: Store) -> tuple[list[tuple[Trial, TrialResults]], dict[str, Damaged]]:
    """Return the trials with their results, and by their keys why others cannot be used."""
    results, damaged = [], {}
    for trial, key in keys.items():
        try:
            results.append((trial, store.read(key)))
        except Damaged as error:
            damaged[key] = error
    return results, damaged
