import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.engines.mode_gap import IMAGES
from bnrenorm.training import loop
from tests.conftest import some_digits


def training(text, data):
    return loop.Training(build(document.parse(f"name: a\n{text}", "x.yaml")).trials(len(data.x_train)), data)


@pytest.mark.parametrize("batch", ["4", "{kind: non_iid, classes: 1, size: 20}"])
@pytest.mark.parametrize("norm", ["{kind: batch}", "{kind: renorm}"])
def test_both_modes_see_the_next_batches_with_the_weights_of_the_step(digits, batch, norm):
    """By hand: a copy of the network before the update is run batch by batch in training mode, then in inference mode."""
    job = training(
        f"model: {{hidden: [8]}}\nnorm: {norm}\ntraining: {{batch: {batch}, steps: 3}}\nevaluation: {{every: 1}}",
        digits,
    )
    size = job.sampler.batch.size
    real, found = job.gap.measure, []

    def spy(logits, step):
        got = real(logits, step)
        right = []
        state = [(norm.run_mean.copy(), norm.run_scale.copy(), norm.step) for norm in job.network.norms]
        indices = [job.sampler.indices(0, step + 1 + i) for i in range(-(-IMAGES // size))]
        for batch in indices:
            with chainer.using_config("train", True):
                y = job.network(job.images[batch][None]).array[0]
            right.extend(y.argmax(axis=1) == job.labels[batch])
            for norm, (mean, scale, number) in zip(job.network.norms, state, strict=True):
                norm.run_mean[...], norm.run_scale[...], norm.step = mean, scale, number
        with chainer.using_config("train", False):
            calm = job.network(job.images[np.concatenate(indices)]).array[0].argmax(axis=1)
        found.append((got, np.mean(right), np.mean(calm == job.labels[np.concatenate(indices)])))
        return got

    job.gap.measure = spy
    records = [record for record in job if record is not None]
    assert len(found) == 3
    for record, (got, right, calm) in zip(records, found, strict=True):
        assert_allclose(got["training_mode_accuracy"], right, atol=0.0021)
        assert_allclose(got["inference_mode_accuracy"], calm, atol=0.0021)
        assert record.diagnosis["training_mode_accuracy"] == got["training_mode_accuracy"]


def test_a_large_batch_is_its_own_probe(digits):
    job = training("model: {hidden: [8]}\ntraining: {batch: full, steps: 1}", digits)
    with chainer.using_config("train", True):
        norm = job.network.norms[0]
        norm.frozen = True
        logits = job.network(job.images).array[0]
        norm.frozen = False
    (record,) = [record for record in job if record is not None]
    assert record.diagnosis["training_mode_accuracy"][0] == np.mean(
        logits[:IMAGES].argmax(axis=1) == job.labels[:IMAGES]
    )


def test_without_normalisation_there_is_no_gap(digits):
    (record,) = list(training("norm: {kind: none}\ntraining: {batch: 4, steps: 1}", digits))
    assert record is not None
    assert record.diagnosis == {}


def test_the_diagnosis_of_batch_normalisation_is_r_one_and_d_zero(digits):
    job = training("model: {hidden: [8, 8]}\ntraining: {batch: 4, steps: 2}", digits_few := some_digits(200, 50))
    assert len(digits_few.x_train) == 200
    record = list(job)[-1]
    assert record is not None
    for layer in (1, 2):
        assert record.diagnosis[f"layer{layer}_r_05"] == record.diagnosis[f"layer{layer}_r_95"] == 1
        assert record.diagnosis[f"layer{layer}_d_50"] == 0
        assert record.diagnosis[f"layer{layer}_mean_distance"] > 0
