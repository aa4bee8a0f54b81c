"""The stored results of an experiment's trials, with what is wrong with those that cannot be used."""

from bnrenorm.config import Trial
from bnrenorm.runs.sealed import Spoilt
from bnrenorm.runs.store import Store
from bnrenorm.training.records import TrialResults


def read(keys: dict[Trial, str], store: Store) -> dict[Trial, TrialResults | Spoilt]:
    """Return the result of each trial, or why it cannot be used."""
    results: dict[Trial, TrialResults | Spoilt] = {}
    for trial, key in keys.items():
        try:
            results[trial] = store.read(key)
        except Spoilt as error:
            results[trial] = error
    return results


def complete(results: dict[Trial, TrialResults | Spoilt], store: Store) -> list[tuple[Trial, TrialResults]]:
    """Return results that are all there. Raises OSError if some are not."""
    complete = [(trial, result) for trial, result in results.items() if isinstance(result, TrialResults)]
    if len(complete) < len(results):
        raise OSError(f"{store.trials}: {len(results) - len(complete)} results were written, but cannot be read")
    return complete
