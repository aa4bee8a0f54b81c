# pyright: strict, reportMissingTypeStubs=false
"""What a type checker knows of the public names in a script of a user: `make lint` checks this file strictly."""

from pathlib import Path
from typing import assert_type

import numpy as np
import pandas as pd
import pytest

import bnrenorm
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.config import Experiment, Trial
from bnrenorm.norm import registry
from bnrenorm.training.records import TrialResults


def test_an_experiment():
    experiment = assert_type(bnrenorm.load("quick", seeds=range(3), training__steps=10), Experiment)
    assert assert_type(experiment.variants, tuple[str, ...]) == ("BN", "BRN")
    assert assert_type(experiment.seeds, tuple[int, ...]) == (0, 1, 2)
    for seeds in (3, [0, 1, 2], (0, 1, 2), {0, 1, 2}, np.arange(3)):
        assert bnrenorm.load("quick", seeds=seeds).seeds == experiment.seeds
    assert bnrenorm.load(Path("quick")).name == "quick"


def test_the_links(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "_registered", {})
    one = bnrenorm.BatchNormalization(3, use_beta=False, axis=0, initial_gamma=2)
    two = bnrenorm.BatchRenormalization(3, **bnrenorm.PAPER_SCHEDULE, semantics="paper")
    other = bnrenorm.BatchRenormalization(3, rmax=lambda step: 1.0 + step, dmax=5, use_gamma=False)
    assert assert_type(one.step, int) == assert_type(two.step, int) == other.step == 0
    assert assert_type(bnrenorm.PAPER_SCHEDULE["r_max"], bnrenorm.Ramp)(0) == 1
    bnrenorm.register_norm("typed", lambda width: bnrenorm.BatchNormalization(width), version="1")
    bnrenorm.register_norm("typed", bnrenorm.BatchNormalization, version="1")


def results_of_a_run(folder: Path) -> None:
    """Is only read."""
    results = assert_type(bnrenorm.run("quick", out=folder, device="cpu", axes="article"), ExperimentResults)
    for table in (results.curves, results.diagnostics, results.summary, results.final, results.differences):
        assert_type(table, pd.DataFrame)
    assert_type(results.trials, list[tuple[Trial, TrialResults]])
    assert_type(results.save(folder), Path)
    assert_type(results.folder, Path)
    results.plot.difference(only=("BN", "BRN"), at={"training.batch.size": 4})
