"""What is remarked on a run before it trains."""

import dataclasses

import numpy as np
import pytest

from bnrenorm import config
from bnrenorm.engines.backend import CHAINER, CPU, CUDA, Backend
from bnrenorm.runs.remarks import remarks as remarks_of
from tests.helpers import COMPARED, FEW, experiment_of, some_digits

ENOUGH = COMPARED.replace("seeds: 2", "seeds: 6")
TANH = "{model: {activation: tanh}, norm: {kind: batch}}"
HERE = Backend(CPU, "cpu")


def remarks(experiment, backend, data=None):
    """Return the remarks on an experiment, or on the YAML text of one."""
    experiment = experiment_of(experiment) if isinstance(experiment, str) else experiment
    return remarks_of(experiment, experiment.trials(200), data or some_digits(200, 100), backend)


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
    of_shard = remarks_of(experiment, experiment.trials(200)[:1], data, backend)
    assert of_shard == [remark], "it is of the experiment, not of a shard"
    assert remarks(f"{text}\npublished: brn17", backend) == []


@pytest.mark.parametrize(
    ("norm", "reached"),
    [
        ("schedule: paper, warmup: 0", "r_max ends at 1.01 of 3, d_max at 0.0498 of 5"),  # 1 + 2 * 199 / 35,000
        ("warmup: 50%, ramp_r: 50%, ramp_d: 60%", "r_max ends at 2.98 of 3, d_max at 4.12 of 5"),  # 1 + 2 * 99 / 100
        ("warmup: 50%, ramp_r: 50%, ramp_d: 50%", None),
        ("warmup: 199, ramp_r: 5, ramp_d: 5", None),
        ("warmup: 100%", None),  # which is batch normalisation, and remarked as such
    ],
)
def test_a_schedule_that_the_training_cuts_short_is_remarked(norm, reached):
    text = ENOUGH.replace("steps: 4", "steps: 200").replace("r_max: 3, d_max: 5", norm)
    assert norm in text
    said = remarks(f"{text}grid: {{training.optimizer.lr: [0.1, 0.2]}}", HERE)
    named = [remark for remark in said if "schedule" in remark]
    at = "BRN at lr 0.1 and 1 more point"
    assert named == [f"{at}: the schedule is longer than the training: {reached}"] * (reached is not None)


@pytest.mark.parametrize(
    ("batch", "steps", "missed"),
    [
        ("{kind: sorted, size: 64}", 9, "9"),  # 3 batches of 64: the last 8 images are dropped
        ("{kind: sorted, size: 64, remainder: keep}", 9, None),
        ("{kind: sorted, size: 20}", 9, "9"),  # 180 of 200 images
        ("{kind: sorted, size: 20}", 2, "2, 3, 4, 5, 6, 7 and 2 others"),
        ("{kind: iid, size: 20, shuffle: false}", 9, "9"),
        ("{kind: iid, size: 64}", 9, None),
        ("{kind: non_iid, size: 20, classes: 2}", 9, None),
        ("full", 9, None),
    ],
)
def test_classes_that_no_batch_has_are_remarked(batch, steps, missed):
    data = dataclasses.replace(some_digits(200, 100), y_train=np.repeat(np.arange(10, dtype=np.uint8), 20))
    if "64" in batch:
        data.y_train[192:] = 9
        data.y_train[180:192] = 8
    said = remarks(experiment_of(ENOUGH, [f"training.batch={batch}", f"training.steps={steps}"]), HERE, data)
    expected = [] if missed is None else [f"no batch has an image of class {missed}: they come last in an epoch"]
    assert [remark.partition(", of which")[0] for remark in said] == expected


def test_columns_of_other_scales_are_remarked_until_they_are_scaled_by_themselves():
    scales = np.float32(10) ** np.arange(-4, 4).astype(np.float32)
    table = np.random.default_rng(0).random((300, 8), np.float32) * scales
    digits = some_digits(200, 100)
    data = dataclasses.replace(digits, x_train=table[:200], x_test=table[200:])
    for scaling in ("unit", "min_max", "z_score"):
        (said,) = remarks(experiment_of(ENOUGH, [f"data.scaling={scaling}"]), HERE, data)
        assert said.startswith("values differ in scale: some range over 0.00")
        assert said.endswith("data.scaling: z_score with data.scaling_axis: 0 would scale each by itself")
    assert remarks(experiment_of(ENOUGH, ["data.scaling=z_score", "data.scaling_axis=0"]), HERE, data) == []
    pixels = digits.x_train / np.float32(255)
    assert remarks(ENOUGH, HERE, dataclasses.replace(digits, x_train=pixels, x_test=pixels[:100])) == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.dropout.keep_hidden=0.5", ["model.dropout.keep_hidden does not reach BRN, with a value of its own: variants.BRN.model.dropout.keep_hidden"]),
        ("training.optimizer.lr=0.2", ["training.optimizer.lr does not reach BRN, with a value of its own: variants.BRN.training.optimizer"]),
        ("model.dropout.keep_hidden=0.9", []),
        ("training.batch=32", ["training.batch.size does not reach BRN, with a value of its own: variants.BRN.training.batch"]),
        ("norm.decay=0.5", []),
        ("model.hidden=[7]", []),
        ("variants.BN.model.hidden=[7]", []),
    ],
)  # fmt: skip
def test_an_override_that_does_not_reach_every_variant_is_remarked(override, said):
    text = ENOUGH.replace(
        "5}}", "5}, model: {dropout: {keep_hidden: 0.9}}, training: {batch: full, optimizer: {kind: adam}}}"
    )
    text = text.replace("{lr: 0.1}", "{kind: sgd, lr: 0.1}")  # a group of another kind replaces it
    found = remarks(experiment_of(text, [override]), Backend(CHAINER, "cpu"))
    assert found == said
