"""The diagnosis of what kernels left, against numbers by hand."""

import numpy as np
import pytest

from bnrenorm.engines.cpu.last_step import LastStep
from bnrenorm.engines.cpu.ops.layout import layout_of
from bnrenorm.engines.spec import spec_of
from tests.helpers import trials_of


def last_step(micro_batch=0):
    (trial,) = trials_of("model: {hidden: [4, 2]}", 100)
    layout = layout_of([9, 4, 2, 3], spec_of(trial.settings))
    return LastStep(2, [4, 2], layout, micro_batch, 5)


@pytest.mark.parametrize(("micro_batch", "parts"), [(0, 1), (10, 3)])
def test_arrays_are_as_large_as_the_batch_needs(micro_batch, parts):
    step = last_step(micro_batch)
    step.allocate(1, 30)
    assert step.statistics[1].shape == (2, parts, 6, 4)
    assert step.logits[1].shape == (5, 3)
    step.allocate(1, 4 if not micro_batch else 10)
    assert step.logits[1].shape == ((4, 3) if not micro_batch else (5, 3))


def test_the_diagnosis_is_by_layer_and_replica():
    step = last_step()
    for replica in range(2):
        step.allocate(replica, 30)
        step.statistics[replica][...] = np.nan  # beyond a layer's width nothing may be read
    mean, std, run_mean, run_std = [3.0, 1.0], [2.0, 8.0], [1.0, 1.0], [1.0, 4.0]
    r, d = [1.5, 1.5], [0.5, 0.0]
    for replica in range(2):
        step.statistics[replica][0] = 1
        step.statistics[replica][1, 0, :, :2] = mean, std, r, d, run_mean, run_std
    step.statistics[1][1, 0, 0, :2] = [-1, 1]
    limits = np.full((2, 1, 1), 1.5), np.full((2, 1, 1), 0.5)
    found = step.diagnosis(*limits)
    assert list(found["layer2_r_50"]) == [1.5, 1.5]
    assert list(found["layer2_d_50"]) == [0.25, 0.25]
    assert list(found["layer2_r_clipped_high"]) == [1, 1]  # 2 > 1.5
    assert list(found["layer2_d_clipped_high"]) == [0.5, 0]  # 2 > 0.5, 0
    assert list(found["layer2_d_clipped_low"]) == [0, 0.5]  # -2 < -0.5
    assert found["layer2_mean_distance"] == pytest.approx([1, 1])
    assert found["layer2_std_distance"] == pytest.approx([np.log(2)] * 2)
    assert found["layer1_mean_distance"] == pytest.approx([0, 0])
