"""Trials with the accuracies that a test gives them."""

import numpy as np

from bnrenorm.training.records import TrialResults
from tests.helpers import trials_of


def trained(accuracies, diverged=(), grid="", settings="", own=None):
    """Return trials whose test accuracies are given by variant, in the order of the seeds, at every grid point.

    accuracies: None stands for a seed that was not trained. diverged: (variant, seed) pairs. own: settings by variant.
    """
    widths = {name: f"{{model: {{hidden: [{width}]}}}}" for width, name in enumerate(accuracies, 1)}
    variants = ", ".join(f"{name}: {(own or widths).get(name, '{}')}" for name in accuracies)
    seeds = max(map(len, accuracies.values()))
    results = []
    for trial in trials_of(f"variants: {{{variants}}}\nseeds: {seeds}\ntraining: {{steps: 1}}\n{settings}{grid}"):
        values = accuracies[trial.variant]
        if trial.seed < len(values) and (accuracy := values[trial.seed]) is not None:
            outcome = "diverged" if (trial.variant, trial.seed) in diverged else "finished"
            records = {"step": [1], "epoch": [1.0], "train_loss": [1.0], "train_accuracy": [0.5], "test_loss": [2.0]}
            records["test_accuracy"] = [accuracy]
            results.append((trial, TrialResults(outcome, 1.5, records, {"engine": "cpu", "device": "cpu"})))
    return results


def seeds_about(mean, seeds=6):
    """Accuracies about a mean, the same deviations for every mean."""
    return list(mean + 0.001 * np.random.default_rng(seeds).standard_normal(seeds))


def all_diverged(*names, seeds=6):
    return [(name, seed) for name in names for seed in range(seeds)]
