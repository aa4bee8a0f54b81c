"""What is said of a run before it trains."""

import dataclasses

import numpy as np
import pytest

from bnrenorm.engines.backend import CPU, Backend
from bnrenorm.runs import narration
from bnrenorm.runs.pace import Pace
from bnrenorm.runs.runner import Progress
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, experiment_of, opened, progress, some_digits, trials_of

ENOUGH = COMPARED.replace("seeds: 2", "seeds: 6")
TANH = "{model: {activation: tanh}, norm: {kind: batch}}"


@pytest.mark.parametrize(
    ("seeds", "text"), [("7", "seeds 0 to 6;"), ("6", "seeds 0, 1, 2, 3, 4, 5;"), ("[1, 0]", "seeds 1, 0;")]
)
def test_many_seeds_are_a_range(seeds, text):
    experiment = experiment_of(COMPARED.replace("seeds: 2", f"seeds: {seeds}"))
    assert text in narration.headline(experiment, {}, some_digits(200, 100), Backend(CPU, "cpu"))


def headline(text):
    experiment = experiment_of(text)
    return narration.headline(experiment, *opened(experiment, some_digits(200, 100)))


def test_images_for_validation_are_counted_by_themselves():
    assert "; 200 + 100 images of" in headline(COMPARED)
    assert "; 170 + 30 validation + 100 images of" in headline(f"{COMPARED}data: {{validation: 30}}")


def test_trials_that_differ_are_counted():
    assert "; 1 trial; " in headline("name: a\nseeds: 1")
    assert "; 4 trials; " in headline(COMPARED)
    assert "; 4 trials, of which 2 differ; " in headline(
        COMPARED.replace(
            "r_max: 3, d_max: 5", "r_max: 3, d_max: 5}}\n  same: {norm: {kind: renorm, r_max: 3, d_max: 5"
        ).replace("  BN: {norm: {kind: batch}}\n", "")
    )


def test_trials_without_a_result_are_counted_by_reason():
    one, two, _, other = experiment_of(COMPARED).trials(200)
    assert narration.failures({one: "full", other: "lost", two: "full"}) == [
        "2 trials have no result (2 of BN), and no pair is made of them: full",
        "1 trial has no result (1 of BRN), and no pair is made of it: lost",
    ]


@pytest.mark.parametrize(("loss", "text"), [(0.27354, "0.274"), (1.5e14, "1.5e14"), (2e-7, "2e-7"), (123.4, "123")])
def test_losses_are_short(loss, text):
    assert narration.losses(progress(2, (loss, loss)))[0] == f"BN {text}"


def test_replicas_that_stopped_early_have_not_diverged():
    """Engines train those no longer, and have no loss of them."""
    report = progress(2, (np.nan, np.nan))
    report.record.diagnosis["stopped"] = np.array([1.0, 0.0])
    assert narration.losses(report) == ["BN stopped", "BRN diverged"]
    pace = Pace()
    pace.update(report)
    assert pace.diverged == 1


def test_a_group_is_named_by_what_its_trials_have_in_common():
    text = "grid: {training.batch: [10, 20], training.optimizer.lr: [0.1, 0.2]}\nvariants: {BN: {norm: {kind: batch}}}"
    trials = [trial for trial in trials_of(text) if dict(trial.point)["training.batch"] == 10]
    told = Progress(1, 2, trials, Record(1, 1.0, {}), group=2, groups=7)
    assert narration.group(told) == ("group 2 of 7", "batch 10")
    assert narration.group(dataclasses.replace(told, groups=1)) == ("", "")
