"""What is said of a run before it trains."""

import dataclasses

import numpy as np
import pytest

from bnrenorm import config
from bnrenorm.engines.backend import CHAINER, CPU, CUDA, Backend
from bnrenorm.runs import narration
from bnrenorm.runs.pace import Pace
from bnrenorm.runs.runner import Progress
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, FEW, experiment_of, opened, progress, some_digits, trials_of

ENOUGH = COMPARED.replace("seeds: 2", "seeds: 6")
TANH = "{model: {activation: tanh}, norm: {kind: batch}}"


@pytest.mark.parametrize(
    ("seeds", "text"), [("7", "seeds 0 to 6;"), ("6", "seeds 0, 1, 2, 3, 4, 5;"), ("[1, 0]", "seeds 1, 0;")]
)
def test_many_seeds_are_a_range(seeds, text):
    experiment = experiment_of(COMPARED.replace("seeds: 2", f"seeds: {seeds}"))
    assert text in narration.headline(experiment, {}, some_digits(200, 100), Backend(CPU, "cpu"))


def remarks(experiment, backend, data=None):
    """Return the remarks on an experiment, or on the YAML text of one."""
    experiment = experiment_of(experiment) if isinstance(experiment, str) else experiment
    return narration.remarks(experiment, experiment.trials(200), data or some_digits(200, 100), backend)


@pytest.mark.parametrize(
    ("pixels", "scaling", "remark"),
    [
        (np.float32(200), "unit", "pixels are 0 to 200 (floats are taken as they are)"),
        (np.uint8(1), "unit", "pixels are 0 to 0.00392 (bytes are divided by 255)"),
        (np.float32(1), "unit", None),
        (np.float32(200), "z_score", None),
    ],
)
def test_pixels_outside_the_usual_range_are_said_once(pixels, scaling, remark):
    lit = some_digits(200, 100).x_train > 100
    data = dataclasses.replace(some_digits(200, 100), x_train=lit * pixels, x_test=lit[:100] * pixels)
    said = remarks(experiment_of(ENOUGH, [f"data.scaling={scaling}"]), Backend(CPU, "cpu"), data)
    assert said == ([f"{remark}; data.scaling: min_max would map them to 0..1"] if remark else [])


def test_variants_without_kernels_are_named_in_one_line():
    text = ENOUGH.replace("seeds: 6", "seeds: 7").replace("  BRN: ", f"  tanh: {TANH}\n  BRN: ")
    (remark,) = remarks(text, Backend(CPU, "cpu"))
    assert remark == (
        "no compiled kernels for tanh (model.activation: tanh): trained by the Chainer engine on cpu, whose rounding "
        "differs"
    )
    assert remarks(text, Backend(CHAINER, "cpu")) == [], "one engine trains all variants"
    _, remark = remarks(f"name: a\nvariants: {{tanh: {TANH}}}", Backend(CUDA, "cuda:1"))
    assert remark == ("no compiled kernels for tanh (model.activation: tanh): trained by the Chainer engine on cuda:1")


def test_a_backend_that_cannot_use_the_kernels_says_why():
    why = "numba is missing; the Chainer engine trains, several times slower"
    assert remarks(ENOUGH, Backend(CHAINER, "cpu", why)) == [why]


def test_identical_variants_are_one_remark_with_their_grid_point():
    """The grid of `limits` has a point with r_max 1 and d_max 0, where renormalisation is batch normalisation."""
    (remark,) = remarks(config.load("limits"), Backend(CPU, "cpu"))
    assert remark.startswith(
        "BN, BRN at once and BRN warmed up at r_max 1, d_max 0 are identical by construction: in BRN at once r"
    )


def test_identical_variants_at_several_points_are_one_remark():
    text = ENOUGH.replace("r_max: 3, d_max: 5", "r_max: 1, d_max: 0")
    (remark,) = remarks(f"{text}grid: {{training.optimizer.momentum: [0.5, 0.9, 0]}}", Backend(CPU, "cpu"))
    assert remark.startswith("BN and BRN at momentum 0.5 and 2 more points are identical by construction")


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


def test_a_single_variant_is_remarked_unless_it_is_compared_with_published_numbers():
    assert remarks("name: a", Backend(CPU, "cpu")) == ["one variant: nothing is compared"]
    assert remarks("name: a\npublished: article2/l1", Backend(CPU, "cpu")) == []


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        (COMPARED, FEW),
        (f"{ENOUGH}grid: {{training.optimizer.momentum: [0.5, 0.9]}}", "6 seeds can show no variant to be better unless one diverges: of 2 "
         "comparisons, p < .05 after Holm's correction needs at least 7"),
        (ENOUGH.replace("  BN:", "  none: {norm: {kind: none}}\n  BN:"), "6 seeds can show no variant to be better unless one diverges: of "
         "3 comparisons, p < .05 after Holm's correction needs at least 7; with a baseline there are fewer comparisons"),
    ],
)  # fmt: skip
def test_too_few_seeds_are_told_before_anything_is_trained(text, remark):
    experiment = experiment_of(text)
    data, backend = some_digits(200, 100), Backend(CHAINER, "cpu")
    assert remarks(experiment, backend) == [remark]
    of_shard = narration.remarks(experiment, experiment.trials(200)[:1], data, backend)
    assert of_shard == [remark], "it is of the experiment, not of a shard"
    assert remarks(f"{text}\npublished: brn17", backend) == []


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
