import numpy as np
import pytest

from bnrenorm.norm import formulas
from bnrenorm.norm.diagnosis import diagnose


def test_quantiles_shares_and_distances_of_known_statistics():
    """Eleven nodes of one replica whose raw r is 2^-5 .. 2^5 and raw d is -5 .. 5."""
    exponents = np.arange(-5.0, 6.0)
    std, mean = 2.0 ** exponents.reshape(1, 1, 11), exponents.reshape(1, 1, 11)
    zero, one = np.zeros_like(mean), np.ones_like(mean)
    r_max, d_max = 4 * one, 3.5 * one
    r, d = formulas.corrections(mean, std, zero, one, r_max, d_max)
    found = diagnose(mean, std, zero, one, r, d, r_max, d_max)
    assert found["r_50"] == 1
    assert found["r_95"] == 4
    assert found["d_05"] == -3.5
    assert found["d_50"] == 0
    assert found["r_clipped_high"] == found["r_clipped_low"] == pytest.approx(3 / 11)
    assert found["d_clipped_high"] == found["d_clipped_low"] == pytest.approx(2 / 11)
    assert found["mean_distance"] == pytest.approx(30 / 11)
    assert found["std_distance"] == pytest.approx(30 * np.log(2) / 11)


def test_a_correction_at_its_bound_is_not_clipped():
    """As of nodes that are always 0, in batch normalisation."""
    zero, one = np.zeros((1, 1, 3)), np.ones((1, 1, 3))
    for mean, d_max in ((zero, 0.0), (2 * one, 2.0), (-2 * one, 2.0)):
        found = diagnose(mean, one, zero, one, one, mean, 1.0, d_max)
        assert [found[f"{name}_clipped_{side}"][0] for name in "rd" for side in ("high", "low")] == [0] * 4


def test_one_value_per_replica_over_micro_batches(rng):
    mean, std = rng.normal(size=(3, 2, 5)), rng.uniform(1, 2, (3, 2, 5))
    one = np.ones((3, 2, 5))
    found = diagnose(mean, std, 0 * one, one, one, 0 * one, one, 0 * one)
    assert {value.shape for value in found.values()} == {(3,)}
    assert found["mean_distance"][2] == pytest.approx(np.abs(mean[2]).mean())
    assert (found["r_50"] == 1).all()


@pytest.mark.parametrize("shape", [(3, 2, 5), (1, 1, 400), (1, 1, 1), (2, 1, 2)])
def test_a_gpu_sorts_once_for_all_quantiles(fake_cupy, rng, shape):
    mean, std, d = rng.normal(size=(3, *shape)).astype(np.float32)
    arguments = [mean, np.exp(std), 0 * mean, 1 + 0 * mean, np.exp(std), d, 1 + 0 * mean, 0 * mean]
    got, want = diagnose(*map(fake_cupy.wrap, arguments)), diagnose(*arguments)
    assert fake_cupy.calls == ["sort"] * 2
    assert list(got) == list(want)
    for name, value in got.items():
        assert value.dtype == (np.float32 if name[2:].isdigit() else want[name].dtype)  # float64 by NumPy 1's quantile
        assert value.array == pytest.approx(want[name], rel=1e-5, abs=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(3, 2, 5), (1, 1, 400), (1, 1, 1), (2, 1, 2)])
def test_a_gpu_agrees(rng, shape):
    import cupy

    mean, std, d = rng.normal(size=(3, *shape)).astype(np.float32)
    arguments = [mean, np.exp(std), 0 * mean, 1 + 0 * mean, np.exp(std), d, 1 + 0 * mean, 0 * mean]
    got, want = diagnose(*map(cupy.asarray, arguments)), diagnose(*arguments)
    for name, value in got.items():
        assert value.get() == pytest.approx(want[name], rel=1e-5, abs=1e-6)
