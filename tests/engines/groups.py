"""Groups of trials for tests of the engines, how far two states lie apart, and what records must agree in."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines import device as devices
from bnrenorm.engines.chainer import ChainerEngine
from bnrenorm.engines.cuda.engine import CudaEngine
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.precision import to_double
from bnrenorm.training import loop
from tests.helpers import ENGINES, some_digits, trials_of

WITHOUT_AND_WITH_GPU = ("reference", pytest.param("cuda", marks=pytest.mark.gpu))
"""The CUDA engine whose kernels NumPy computes, and on a GPU."""

ALL_ENGINES = (*ENGINES, *WITHOUT_AND_WITH_GPU)

SETTINGS = {
    "BN after": "norm: {kind: batch}",
    "BN before": "norm: {kind: batch}\nmodel.order: linear-norm-activation",
    "BRN": "norm: {kind: renorm, r_max: 1.5, d_max: 0.5, warmup: 1, ramp_r: 4, ramp_d: 2}",
    "BRN before, paper": "norm: {kind: renorm, semantics: paper}\nmodel.order: linear-norm-activation",
    "none": "norm: {kind: none}",
    "none before": "norm: {kind: none}\nmodel.order: linear-norm-activation",
    "layer": "norm: {kind: layer}",
    "layer before": "norm: {kind: layer}\nmodel.order: linear-norm-activation",
    "one gamma a layer": "norm: {kind: batch, affine: layer, affine_lr: 0.3}",
    "no gamma": "norm: {kind: batch, affine: none}",
    "three layers": "norm: {kind: renorm}\nmodel.hidden: [12, 9, 16]",
    "three layers before": "norm: {kind: batch, affine: layer}\nmodel.order: linear-norm-activation\nmodel.hidden: [12, 9, 16]",
    "micro": "norm: {kind: renorm}\ntraining.micro_batch: 10",
    "decay, average": "norm: {kind: batch}\ntraining.weight_decay: 0.1\nevaluation.average: 0.7",
    "sgd": "norm: {kind: none}\ntraining.optimizer.kind: sgd",
    "adam": "norm: {kind: none}\ntraining.optimizer: {kind: adam, lr: 0.01, eps: 0.001}",
    "rmsprop": "norm: {kind: none}\ntraining.optimizer: {kind: rmsprop, lr: 0.01, eps: 0.001}",
    "both decays": "norm: {kind: none}\ntraining.weight_decay: 0.1\ntraining.l1_decay: 0.01",
    "mean gradient": "norm: {kind: batch, affine: layer, affine_gradient: mean, affine_lr: 3}",
    "dropout": "norm: {kind: batch}\nmodel.dropout: {form: exact, keep_input: 0.7, keep_hidden: 0.4}",
    "dropout before": "norm: {kind: renorm}\nmodel.order: linear-norm-activation\nmodel.dropout: {form: exact, keep_hidden: 0.6}",
    "dropout, adam": "norm: {kind: none}\ntraining.optimizer: {kind: adam, lr: 0.01, eps: 0.001}\n"
    "model.dropout: {form: exact, keep_input: 0.5}",
}

SMALL, FULL = "{kind: iid, size: 20}", "full"


def coarse_digits(train=500, test=100):
    """Return the first digits as a data set, of 8 x 8 pixels: the centre, every second one of it."""
    data = some_digits(train, test)
    few = slice(6, 22, 2)
    return dataclasses.replace(data, x_train=data.x_train[:, few, few], x_test=data.x_test[:, few, few])


def group(settings, batch=FULL, images=500, **more):
    """Return two trials of hidden layers (30, 20); settings: lines of `key: value`, more: keys with __ for dots."""
    pairs = [tuple(line.split(": ", 1)) for line in settings.split("\n")]
    pairs += [("training.batch", batch), *((key.replace("__", "."), value) for key, value in more.items())]
    overrides = [f"{key}={value}" for key, value in pairs]
    return trials_of("model: {hidden: [30, 20]}\nseeds: 2", images, overrides)


def training_of(trials, data, engine, *, float64=False, device="cuda:0"):
    """Return a `loop.Training` by one of ALL_ENGINES; float64: in double precision, for which the CPU has no kernels.

    device: that of the engine "cuda".
    """
    device = device if engine == "cuda" else "cpu"
    if engine != "reference" and not float64:
        return loop.Training(trials, data, engine=engine, device=device)
    made = loop.Training(trials, data, engine="chainer", device=device)
    replicas, inputs = made.engine.replicas, made.engine.inputs
    if float64:
        to_double(replicas, inputs)
    engines = {"chainer": ChainerEngine, "reference": partial(CudaEngine, ops=Reference()), "cuda": CudaEngine}
    with devices.using(device):
        made.engine = engines[engine](replicas, inputs)
    return made


def pair(trials, data, engine):
    """Return the same training by the Chainer engine on the CPU and by an engine, both in float64."""
    return (training_of(trials, data, name, float64=True) for name in ("chainer", engine))


def advance(training, steps):
    """Take steps of a `loop.Training`, without a record."""
    training.engine.advance(training.step, steps, observe=False)
    training.step += steps


def presences(ops, name, begin):
    """Return a list that gets, of every later call of an operation, whether each of two arguments is there, from `begin` on."""
    real, seen = getattr(ops, name), []

    def call(*arguments):
        seen.append(tuple(argument is not None for argument in arguments[begin : begin + 2]))
        real(*arguments)

    setattr(ops, name, call)
    return seen


def records(trials, data, engine):
    """Train to the end; return (values, diagnosis) of every record."""
    return [(record.values, record.diagnosis) for record in training_of(trials, data, engine) if record is not None]


def distance(one, other):
    """Return the largest difference of two states, as a share of the largest number of its sort (weights, ...)."""
    sorts = {}
    for name, value in one.items():
        sort = (name.partition("/")[0], name.rpartition("/")[2] if name.startswith(("optimizer", "kept")) else "")
        scale, difference = sorts.get(sort, (0, 0))
        if value.size:
            scale = max(scale, np.abs(value).max())
            difference = max(difference, np.abs(value.astype(float) - other[name]).max())
        sorts[sort] = scale, difference
    return max(difference / (scale or 1) for scale, difference in sorts.values())


def assert_same_numbers(got, want, rtol=2e-5):
    """Compare records' values or diagnoses: accuracies to one image of the smallest set (100), all others to rtol.

    A quantile of d, or a distance, may be near 0 and is a sum of cancelling numbers: 2e-5 there is rounding, with NumPy 1
    and the BLAS that comes with it.
    """
    assert got.keys() == want.keys()
    for name in want:
        tolerance = {"rtol": 0, "atol": 0.0101} if name.endswith("accuracy") else {"rtol": rtol, "atol": 3e-5}
        assert_allclose(got[name], want[name], **tolerance, err_msg=name)


def assert_same_bits(got, want):
    """Compare two state_dicts bit for bit."""
    assert got.keys() == want.keys()
    different = [name for name in want if got[name].tobytes() != want[name].tobytes()]
    assert not different


def assert_same_values(got, want, limit):
    """Compare two dicts of arrays, the values or diagnoses of records in float64."""
    assert got.keys() == want.keys()
    for name in want:
        assert_allclose(got[name], want[name], rtol=limit, atol=limit, err_msg=name)


def assert_same_training(chain, compiled, limit=1e-9):
    """Train both to the end, and compare records, diagnosis and the last state."""
    want, got = ([record for record in training if record is not None] for training in (chain, compiled))
    for ours, theirs in zip(got, want, strict=True):
        assert_same_values(ours.values, theirs.values, limit)
        assert_same_values(ours.diagnosis, theirs.diagnosis, limit)
    assert distance(chain.state_dict(), compiled.state_dict()) < limit
