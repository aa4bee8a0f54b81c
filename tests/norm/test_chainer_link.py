"""The drop-in links do what Chainer's links do: arguments, shapes, dtypes, copies, files and errors."""

import copy
import io
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import bnrenorm
from bnrenorm._compat import F, L, chainer

LIMITS = {"rmax": 1.5, "dmax": 0.5}
PAIRS = {
    "BN": (bnrenorm.BatchNormalization, L.BatchNormalization, {}),
    "BRN": (bnrenorm.BatchRenormalization, L.BatchRenormalization, LIMITS),
}
TOLERANCES = {
    "float16": {"rtol": 2e-2, "atol": 2e-2},
    "float32": {"rtol": 1e-3, "atol": 1e-5},
    "float64": {"rtol": 1e-7, "atol": 1e-9},
}
STATE = ("gamma", "beta", "avg_mean", "avg_var")


@pytest.fixture(params=PAIRS)
def pair(request):
    """Return makers of our link and of Chainer's."""
    ours, stock, limits = PAIRS[request.param]
    return tuple(lambda size=3, cls=cls, **named: cls(size, **limits, **named) for cls in (ours, stock))


def make_ours(**named):
    return bnrenorm.BatchRenormalization(3, **LIMITS, **named)


def batches(rng, shape=(5, 3), count=3, dtype=np.float32):
    return [rng.normal(2, 3, shape).astype(dtype) for _ in range(count)]


def state(link):
    """Return parameters and statistics as arrays; None for a parameter that is not used."""
    return {name: getattr(getattr(link, name), "array", getattr(link, name)) for name in STATE}


def train(link, data, gy=None, call=lambda link, x: link(x)):
    """Return y, gx and the gradients of gamma and beta for each batch, in training mode."""
    results = []
    for batch in data:
        x = chainer.Variable(batch)
        link.cleargrads()
        with chainer.using_config("train", True):
            y = call(link, x)
            y.grad = np.linspace(-1, 1, y.size, dtype=y.dtype).reshape(y.shape) if gy is None else gy
            y.backward()
        grads = [None if parameter is None else parameter.grad for parameter in (link.gamma, link.beta)]
        results.append([y.array, x.grad, *grads])
    return results


def infer(link, x):
    with chainer.using_config("train", False):
        return link(x).array


def assert_alike(got, want, dtype=np.float32):
    """Compare within the errors of a dtype; None equals None."""
    if want is None:
        assert got is None
        return
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert_allclose(got, want, **TOLERANCES[np.dtype(dtype).name])


def assert_trains_alike(ours, stock, data, dtype=np.float32):
    for got, want in zip(train(ours, data), train(stock, data), strict=True):
        for one, other in zip(got, want, strict=True):
            assert_alike(one, other, dtype)
    assert_alike(infer(ours, data[0]), infer(stock, data[0]), dtype)
    for name, want in state(stock).items():
        assert_alike(state(ours)[name], want, dtype)


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


@pytest.mark.parametrize("mode", ["init", "copy", "share"])
def test_copies_are_those_of_chainer(pair, rng, mode):
    ours, stock = (make() for make in pair)
    data = batches(rng)
    for link in (ours, stock):
        train(link, data)
        link.gamma.array[...] = 7
    first, second = ours.copy(mode), stock.copy(mode)
    for name, want in state(second).items():
        assert_alike(state(first)[name], want)
    assert_trains_alike(first, second, data)
    for name, want in state(stock).items():
        assert_alike(state(ours)[name], want)


def test_repeated_and_in_a_sequential_it_trains(rng):
    block = chainer.Sequential(L.Linear(3, 3), make_ours(), F.relu)
    model = block.repeat(2)
    assert not np.array_equal(model[0][0].W.array, model[1][0].W.array)
    train_model = chainer.Sequential(*make_ours().repeat(2))
    for link in train_model:
        assert_array_equal(link.gamma.array, [1, 1, 1])
    with chainer.using_config("train", True):
        F.sum(model(batches(rng)[0])).backward()
    assert "BatchRenormalization" in str(model)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda link: pickle.loads(pickle.dumps(link))])
def test_a_pickle_goes_on_with_the_same_bits(rng, duplicate):
    link = bnrenorm.BatchRenormalization(3, **bnrenorm.PAPER_SCHEDULE, semantics="paper")
    data = batches(rng)
    train(link, data)
    other = duplicate(link)
    assert other.step == 3
    assert_array_equal(train(other, data)[-1][0], train(link, data)[-1][0])


def written(link):
    file = io.BytesIO()
    chainer.serializers.save_npz(file, link)
    file.seek(0)
    return file


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("semantics", ["chainer", "paper"])
@pytest.mark.parametrize("lazy", [True, False])
def test_files_of_chainers_links_load_and_theirs_load_ours(pair, rng, strict, semantics, lazy):
    stock = pair[1]()
    data = batches(rng)
    train(stock, data)
    size = {"size": None, "axis": 0} if lazy else {}
    ours = pair[0](**size, semantics=semantics, eps=2e-5)
    chainer.serializers.load_npz(written(stock), ours, strict=strict)
    assert_allclose(infer(ours, data[0]), infer(stock, data[0]), rtol=1e-5)
    train(ours, data)
    assert ours.step == 3
    back = pair[1]()
    chainer.serializers.load_npz(written(ours), back, strict=strict)
    assert_allclose(infer(back, data[0]), infer(ours, data[0]), rtol=1e-5)


def test_a_file_without_statistics_is_not_passed_over_in_silence():
    ours = make_ours()
    with pytest.raises(KeyError, match="avg_"):
        chainer.serializers.NpzDeserializer({"gamma": np.ones(3), "beta": np.ones(3), "N": np.array(0)}).load(ours)
    with pytest.warns(UserWarning, match="no running statistics for this link"):
        chainer.serializers.NpzDeserializer({"gamma": np.ones(3)}, strict=False).load(ours)
    chainer.serializers.NpzDeserializer({}, strict=False).load(ours)  # a new layer: nothing of it is there


def test_values_are_copied_from_chainers_links_and_from_ours(rng):
    data = batches(rng)
    stock, ours, other = L.BatchRenormalization(3, **LIMITS), make_ours(), make_ours()
    train(stock, data)
    ours.copyparams(stock)
    assert ours.step == 0
    train(ours, data)
    other.copyparams(ours, copy_persistent=False)
    assert other.step == 0
    other.copyparams(ours)
    assert other.step == 3
    assert_array_equal(infer(other, data[0]), infer(ours, data[0]))


def test_hdf5_files_hold_everything(rng, tmp_path):
    pytest.importorskip("h5py")
    link, lazy = make_ours(), bnrenorm.BatchRenormalization(axis=0, **LIMITS)
    stock, other = L.BatchNormalization(3), make_ours()
    data = batches(rng)
    for each in (link, stock):
        train(each, data)
    chainer.serializers.save_hdf5(str(tmp_path / "ours.h5"), link)
    chainer.serializers.load_hdf5(str(tmp_path / "ours.h5"), lazy)
    assert lazy.step == 3
    assert_array_equal(infer(lazy, data[0]), infer(link, data[0]))
    chainer.serializers.save_hdf5(str(tmp_path / "stock.h5"), stock)
    chainer.serializers.load_hdf5(str(tmp_path / "stock.h5"), other)
    assert_array_equal(other.avg_var, stock.avg_var)


@pytest.mark.parametrize("shape", [(2, 4), (2, 5, 3, 4), (2, 1), (3,), ()])
@pytest.mark.parametrize("mode", [True, False])
def test_another_shape_is_refused_in_both_modes(pair, shape, mode):
    x = np.zeros(shape, np.float32)
    ours, stock = (make() for make in pair)
    with chainer.using_config("train", mode), pytest.raises(chainer.utils.type_check.InvalidType) as refusal:
        ours(x)
    assert isinstance(refusal.value, bnrenorm.InputError)
    assert str(refusal.value).startswith(f"x has shape {shape}, expected (3,) on the axes other than (0,")
    assert "\n" not in str(refusal.value)
    if shape:
        with chainer.using_config("train", mode), pytest.raises(chainer.utils.type_check.InvalidType):
            stock(x)


def test_a_wrong_first_batch_does_not_fix_the_size(rng):
    link = bnrenorm.BatchNormalization(axis=(0, 2))
    for shape in ((5, 3), (5, 0, 2)):
        with pytest.raises(bnrenorm.InputError, match="expected at least 1 feature on the axes other than"):
            link(np.zeros(shape, np.float32))
    assert link(batches(rng, (5, 4, 2))[0]).shape == (5, 4, 2)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"size": {}}, "size is {}, expected an int, a tuple of ints or None"),
        ({"size": 3.5}, "size is 3.5"),
        ({"size": "3"}, "size is '3'"),
        ({"size": (3, None)}, r"size is \(3, None\)"),
        ({"axis": "0"}, "axis is '0'"),
        ({"decay": "0.9"}, "decay is '0.9', expected a number"),
        ({"eps": [1e-5]}, r"eps is \[1e-05\]"),
        ({"r_max": None}, "r_max is None"),
        ({"rmax": "3"}, "r_max is '3'"),
        ({"d_max": lambda step: "5"}, "d_max is '5'"),
        ({"dtype": np.int32}, "dtype is int32, expected float16"),
        ({"dtype": "no"}, "no"),
        ({"momentum": 0.9}, "momentum is called decay here"),
        ({"initial_gamma": [1, 2]}, "invalid type of initializer"),
    ],
)
def test_an_argument_of_another_type_is_a_type_error(named, message):
    with pytest.raises(TypeError, match=message) as refusal:
        bnrenorm.BatchRenormalization(**{"size": 3, **named})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("axis", [(2, 0), (-1,), (0, 0), ()])
def test_an_axis_that_chainer_refuses_late_is_refused_at_once(axis):
    with pytest.raises(bnrenorm.InputError, match="expected the axes to average over, in ascending order from 0 on"):
        bnrenorm.BatchNormalization(3, axis=axis)


def test_calls_that_chainer_refuses_are_refused(rng):
    (x,) = batches(rng, count=1)
    for link in (bnrenorm.BatchNormalization(3), L.BatchNormalization(3)):
        with pytest.raises(ValueError, match="test argument is not supported anymore"):
            link(x, test=True)
        with pytest.raises(TypeError):
            link(x, True)
        with pytest.raises(TypeError, match="unknown"):
            link(x, unknown=1)
    for cls in (bnrenorm.BatchNormalization, bnrenorm.BatchRenormalization, L.BatchNormalization):
        with pytest.raises(RuntimeError, match="size or axis is required"):
            cls()


def test_integers_are_no_data():
    with pytest.raises(bnrenorm.InputError, match="x has dtype int64, expected float16, float32 or float64"):
        bnrenorm.BatchNormalization(3)(np.zeros((2, 3), np.int64))


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


def test_one_example_is_warned_of_where_chainer_warns(pair):
    x = np.ones((1, 3), np.float32)
    for link in (bnrenorm.BatchNormalization(3), L.BatchNormalization(3)):
        with pytest.warns(UserWarning, match="batch"):
            link(x)
    make_ours()(x)


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
