"""Scaling by the training set's statistics."""

import numpy as np
import pytest

from bnrenorm.data import scaling


@pytest.fixture
def images(rng):
    found = rng.uniform(3, 5, (200, 7)).astype(np.float32)
    found[:, 2] = 4  # a pixel that never changes
    return found


def test_as_they_are(images):
    assert scaling.fit("unit", None, images)(images) is images


@pytest.mark.parametrize("axis", [None, 0])
def test_min_max_and_z_score(images, axis):
    low, high = images.min(axis=axis), images.max(axis=axis)
    scaled = scaling.fit("min_max", axis, images)(images)
    assert scaled.dtype == np.float32
    changing = [0, 1, 3, 4, 5, 6]
    assert scaled[:, changing].min(axis=axis) == pytest.approx(0 * low if axis is None else [0] * 6, abs=1e-6)
    assert scaled[:, changing].max(axis=axis) == pytest.approx(0 * high + 1 if axis is None else [1] * 6, abs=1e-6)
    scaled = scaling.fit("z_score", axis, images)(images)
    if axis is None:
        assert (scaled.mean(), scaled.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, rel=1e-5))
    else:
        assert scaled[:, changing].mean(axis=0) == pytest.approx([0] * 6, abs=1e-5)
        assert scaled[:, changing].std(axis=0) == pytest.approx([1] * 6, rel=1e-5)
        assert (scaled[:, 2] == 0).all()


@pytest.mark.parametrize("kind", ["min_max", "z_score"])
@pytest.mark.parametrize("axis", [None, 0])
def test_pixels_that_differ_by_more_than_float32_holds(kind, axis):
    images = np.array([[-3e38, 3e38], [3e38, -3e38], [0, 0]], np.float32)
    low, middle, high = (0, 0.5, 1) if kind == "min_max" else (-(1.5**0.5), 0, 1.5**0.5)
    want = [[low, high], [high, low], [middle, middle]]
    assert scaling.fit(kind, axis, images)(images) == pytest.approx(np.array(want), rel=1e-6)


def test_other_images_are_scaled_by_the_training_sets_numbers(images):
    scale = scaling.fit("min_max", None, images)
    spread = images.max() - images.min()
    assert scale(images[:1] + spread) == pytest.approx(scale(images[:1]) + 1, rel=1e-5)
