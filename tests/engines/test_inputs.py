"""The images of a group: split, scaled by the training images alone, on the device."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.engines.inputs import Inputs
from tests.helpers import batch_at, some_digits, trials_of


@pytest.fixture(scope="module")
def few():
    return some_digits(300, 120)


def inputs(data, text=""):
    (trial,) = trials_of(text, 300)
    return Inputs(trial.settings, data, chainer.get_device("@numpy"))


def test_the_training_set_is_bytes_over_255(few):
    got = inputs(few)
    assert_allclose(got.images, few.x_train.reshape(300, 784) / 255, rtol=1e-6)
    assert got.images.dtype == np.float32
    assert (got.labels == few.y_train).all()
    assert got.labels.dtype == np.int32
    assert list(got.eval_sets) == ["test"]
    images, labels = got.eval_sets["test"]
    assert_allclose(images, few.x_test.reshape(120, 784) / 255, rtol=1e-6)
    assert (labels == few.y_test).all()


def test_a_validation_split_is_kept_apart(few):
    got = inputs(few, "data: {validation: 100}\nevaluation: {training_set: true}")
    assert list(got.eval_sets) == ["test", "validation", "train"]
    kept, kept_labels = got.eval_sets["validation"]
    assert (len(got.images), len(kept)) == (200, 100)
    together = np.r_[np.c_[got.images, got.labels], np.c_[kept, kept_labels]]
    everything = np.c_[few.scaled("train"), few.labels("train")]
    assert (np.sort(together, axis=0) == np.sort(everything, axis=0)).all()
    assert got.eval_sets["train"] == (got.images, got.labels)


def test_scaling_is_fitted_to_the_images_learned_from(few):
    got = inputs(few, "data: {validation: 100, scaling: z_score}")
    learning = few.split(100)[0][0].astype(float)
    mean, std = learning.mean(), learning.std()
    for ours, raw in ((got.images, learning), (got.eval_sets["test"][0], few.scaled("test"))):
        assert_allclose(ours, (raw - mean) / std, rtol=1e-3, atol=1e-4)


def test_the_sampler_draws_from_the_images_learned_from(few):
    got = inputs(few, "data: {validation: 100}\ntraining: {batch: {kind: iid, size: 20}}")
    epoch = np.concatenate([batch_at(got.sampler, 0, step) for step in range(10)])
    assert sorted(epoch) == list(range(200))
