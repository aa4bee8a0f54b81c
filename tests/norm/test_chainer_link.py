"""The drop-in links compute what Chainer's links do, for all their arguments, shapes and dtypes."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import bnrenorm
from bnrenorm._compat import F, L, chainer
from tests.norm.drop_in import LIMITS, STATE, assert_alike, assert_trains_alike, batches, make_ours, state, train


@pytest.mark.parametrize(
    ("size", "shape"),
    [(3, (5, 3)), (3, (5, 3, 4)), (3, (5, 3, 4, 2)), (3, (5, 3, 4, 2, 2)), ((3, 4), (5, 3, 4)), ((3, 4), (5, 3, 4, 2))],
)
def test_every_shape_is_normalised_as_by_chainer(pair, rng, size, shape):
    ours, stock = (make(size) for make in pair)
    assert_trains_alike(ours, stock, batches(rng, shape))


@pytest.mark.parametrize(
    ("axis", "shape", "size"),
    [((0, 2, 3), (5, 4, 3, 2), 4), (0, (5, 4, 3), (4, 3)), ((0, 1), (5, 4, 3), 3), ([1], (3, 6), 3)],
)
@pytest.mark.parametrize("lazy", [True, False])
def test_every_axis_is_averaged_over_as_by_chainer(rng, axis, shape, size, lazy):
    ours, stock = (
        cls(size=None if lazy else size, axis=tuple(axis) if isinstance(axis, list) else axis)
        for cls in (bnrenorm.BatchNormalization, L.BatchNormalization)
    )
    assert (ours.avg_mean is None) == lazy
    assert_trains_alike(ours, stock, batches(rng, shape))


def test_renormalisation_has_the_axis_that_chainers_lacks(rng):
    """It is the link without it, on transposed x."""
    data = batches(rng, (4, 5, 3))
    over_two, plain = bnrenorm.BatchRenormalization(axis=(0, 1), **LIMITS), make_ours()
    for x in data:
        assert_allclose(over_two(x).array, plain(x.reshape(20, 3)).array.reshape(4, 5, 3), rtol=1e-6)
    assert_array_equal(over_two.avg_mean, plain.avg_mean)


@pytest.mark.parametrize(
    ("x_dtype", "dtype", "least"),
    [
        (np.float16, np.float16, np.float16),
        (np.float16, np.float32, np.float16),
        (np.float16, np.float64, np.float16),
        (np.float16, chainer.mixed16, np.float16),
        (np.float32, np.float32, np.float32),
        (np.float32, np.float64, np.float32),
        (np.float64, np.float64, np.float64),
    ],
)
def test_every_dtype_is_kept_as_by_chainer(pair, rng, x_dtype, dtype, least):
    ours, stock = (make(dtype=dtype) for make in pair)
    assert_trains_alike(ours, stock, batches(rng, (8, 3, 2), dtype=x_dtype), least)


def test_float64_data_meets_float32_statistics(rng):
    """The backward pass of Chainer's BatchRenormalization raises then."""
    wide, narrow = make_ours(dtype=np.float64), make_ours()
    data = batches(rng, dtype=np.float64)
    for got, want in zip(train(narrow, data), train(wide, data), strict=True):
        assert [array.dtype for array in got] == [np.float64, np.float64, np.float32, np.float32]
        for one, other in zip(got, want, strict=True):
            assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_float32_data_meets_float64_statistics(rng):
    """The statistics keep the digits that float32 would lose."""
    link = bnrenorm.BatchNormalization(3, dtype=np.float64)
    (x,) = batches(rng, (50, 3), count=1)
    ((y, *_),) = train(link, [x])
    assert y.dtype == np.float32
    assert_allclose(link.avg_mean, 0.1 * x.mean(axis=0, dtype=float), rtol=1e-12)
    assert_allclose(link.avg_var, 0.9 + 0.1 * x.astype(float).var(axis=0, ddof=1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, chainer.mixed16])
def test_the_configured_dtype_is_the_default(pair, dtype):
    with chainer.using_config("dtype", dtype):
        ours, stock = (make() for make in pair)
    for name, want in state(stock).items():
        assert_alike(state(ours)[name], want, np.float16)


def test_float16_does_not_overflow_in_long_batches(rng):
    """There are more than 65,504 values of a channel, and their squares add up to more than that."""
    link = bnrenorm.BatchNormalization(1, dtype=np.float16)
    y = link(rng.normal(1, 10, (70_000, 1)).astype(np.float16)).array
    assert_allclose([y.mean(dtype=float), y.std(dtype=float)], [0, 1], atol=1e-2)


@pytest.mark.parametrize("absent", [["use_gamma"], ["use_beta"], ["use_gamma", "use_beta"]])
def test_gamma_and_beta_may_be_absent(pair, rng, absent):
    ours, stock = (make(**dict.fromkeys(absent, False)) for make in pair)
    assert len(list(ours.params())) == 2 - len(absent)
    assert_trains_alike(ours, stock, batches(rng))


def test_initial_values_are_set_by_name():
    initial = {f"initial_{name}": np.float32([1, 2, 3]) + i for i, name in enumerate(STATE)}
    for cls in (bnrenorm.BatchNormalization, bnrenorm.BatchRenormalization):
        link = cls(3, **initial)
        for name, value in state(link).items():
            assert_array_equal(value, initial[f"initial_{name}"])


def test_arguments_have_the_places_of_chainers():
    values = (3, 0.5, 1e-3, np.float64, False, True, None, chainer.initializers.Constant(7), (0, 2), 4, 5)
    ours, stock = bnrenorm.BatchNormalization(*values), L.BatchNormalization(*values)
    assert (ours.decay, ours.eps, ours.axis) == (stock.decay, stock.eps, stock.axis)
    for name, want in state(stock).items():
        assert_alike(state(ours)[name], want)
    ours, stock = (
        cls(3, 2.0, 0.5, 0.7, 1e-3, np.float64) for cls in (bnrenorm.BatchRenormalization, L.BatchRenormalization)
    )
    for name in ("rmax", "dmax", "decay", "eps"):
        assert getattr(ours, name) == getattr(stock, name)
    with pytest.raises(TypeError, match="positional arguments"):  # of which Chainer's link mistakes one for another
        bnrenorm.BatchRenormalization(3, 2.0, 0.5, 0.7, 1e-3, np.float64, True)


def test_finetuning_collects_the_mean_over_all_batches(pair, rng):
    ours, stock = (make() for make in pair)
    data = batches(rng, count=4)
    for link in (ours, stock):
        train(link, data[:1])
        for _ in range(2):
            link.start_finetuning()
            train(link, data, call=lambda link, x: link(x, finetune=True))
        assert link.N == 4
    assert_alike(ours.avg_mean, stock.avg_mean)
    assert_alike(ours.avg_var, stock.avg_var)
    assert_allclose(ours.avg_mean, np.mean(data, axis=(0, 1)), rtol=1e-5)


@pytest.mark.parametrize("semantics", ["chainer", "paper"])
@pytest.mark.parametrize("finetune", [False, True])
def test_a_forgotten_pass_counts_once_and_has_the_same_gradients(rng, semantics, finetune):
    def make():
        return bnrenorm.BatchRenormalization(
            3, bnrenorm.Ramp(1, 3, length=3), bnrenorm.Ramp(0, 5, length=3), semantics=semantics
        )

    def call(link, x):
        return link(x, finetune=finetune)

    plain, forgetful, nested = (make() for _ in range(3))
    data = batches(rng, count=5)
    want = train(plain, data, call=call)
    once = train(forgetful, data, call=lambda link, x: F.forget(lambda x: call(link, x), x))
    twice = train(nested, data, call=lambda link, x: F.forget(lambda x: F.forget(lambda x: call(link, x), x), x))
    for got in (once, twice):
        assert_array_equal(
            np.concatenate([np.ravel(v) for batch in got for v in batch]),
            np.concatenate([np.ravel(v) for batch in want for v in batch]),
        )
    for link in (forgetful, nested):
        assert (link.step, link.N) == (plain.step, plain.N) == (5, 5 * finetune)
        for name, value in state(plain).items():
            assert_array_equal(state(link)[name], value)


@pytest.mark.parametrize("link", [bnrenorm.BatchNormalization(3), bnrenorm.BatchRenormalization(3, 1, 0)])
def test_batch_normalisation_trains_on_after_a_batch_with_a_nan_as_chainers_does(rng, link):
    data = batches(rng)
    data[1][0, 1] = np.nan
    assert_trains_alike(link, L.BatchNormalization(3), data)
    assert_array_equal(np.isfinite(train(link, data[:1])[0][0]).all(axis=0), True)
    assert_array_equal(np.isnan(link.avg_mean), [False, True, False])


@pytest.mark.parametrize("limits", [(1, 0.5), (1.5, 0)])
def test_one_limit_of_batch_normalisation_is_not_both(rng, limits):
    ours, stock = (
        cls(3, rmax=limits[0], dmax=limits[1]) for cls in (bnrenorm.BatchRenormalization, L.BatchRenormalization)
    )
    assert_trains_alike(ours, stock, batches(rng))


def test_renormalisation_does_not_hide_that_a_batch_had_a_nan(rng):
    link, data = make_ours(), batches(rng)
    data[1][0, 1] = np.nan
    y, *_ = train(link, data)[2]
    assert_array_equal(np.isnan(y).all(axis=0), [False, True, False])


def test_an_empty_batch_changes_nothing_and_has_gradients_of_0(pair, rng):
    link = pair[0]()
    train(link, batches(rng))
    before = copy.deepcopy(state(link))
    ((y, gx, ggamma, gbeta),) = train(link, batches(rng, (0, 3, 2), 1))
    assert y.shape == gx.shape == (0, 3, 2)
    assert_array_equal([ggamma, gbeta], np.zeros((2, 3)))
    assert link.step == 3
    for name, value in state(link).items():
        assert_array_equal(value, before[name])


def test_limits_have_chainers_names_too(rng):
    data = batches(rng)
    changed, given = bnrenorm.BatchRenormalization(3), bnrenorm.BatchRenormalization(3, 1.5, 0.5)
    assert (changed.rmax, changed.dmax) == (3, 5)
    changed.rmax, changed.dmax = np.float64(1.5), np.float64(0.5)
    assert (changed.r_max, changed.d_max) == (1.5, 0.5)
    assert_array_equal(train(changed, data)[-1][1], train(given, data)[-1][1])


def test_numbers_of_numpy_set_later_keep_float32(rng):
    link = make_ours()
    link.eps, link.decay = np.float64(1e-3), np.float64(0.5)
    y, gx, *_ = train(link, batches(rng))[0]
    assert y.dtype == gx.dtype == link.avg_var.dtype == np.float32


def test_print_shows_the_limits_of_an_uninitialised_link_too():
    assert "size=None" in str(bnrenorm.BatchNormalization(axis=0))
    shown = str(bnrenorm.BatchRenormalization(3, 2, semantics="paper"))
    for part in ("size=(3,)", "decay=0.99", "r_max=2", "d_max=5", "semantics=paper"):
        assert part in shown
