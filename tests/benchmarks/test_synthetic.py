import numpy as np
import pytest

from benchmarks import synthetic


@pytest.mark.parametrize("lit", [0.5, 1.0])
def test_pictures_have_the_share_of_lit_pixels_and_are_the_same_twice(lit):
    data, again = (synthetic.pictures(lit, 1000, 200) for _ in range(2))
    assert data.x_train.shape == (1000, 28, 28)
    assert np.mean(data.x_train != 0) == pytest.approx(lit, abs=0.005)
    assert np.mean(data.x_test != 0) == pytest.approx(lit, abs=0.005)
    assert data.checksum == again.checksum
    assert set(data.y_train) == set(range(10))


def test_classes_can_be_told_apart_but_not_by_one_pixel():
    data = synthetic.pictures(0.5, 2000, 500)
    x, t = data.scaled("train"), data.y_train
    means = np.stack([x[t == k].mean(axis=0) for k in range(10)])
    nearest = ((data.scaled("test")[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.6 < (nearest == data.y_test).mean() <= 1
