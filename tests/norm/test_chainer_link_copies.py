"""Copies, pickles and files of the drop-in links go on where the link was, and Chainer's links read them."""

import copy
import io
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import bnrenorm
from bnrenorm._compat import F, L, chainer
from tests.norm.drop_in import LIMITS, assert_alike, assert_trains_alike, batches, infer, make_ours, state, train


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
    ours.copyparams(stock)
    assert ours.step == 3
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
