import io

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import L, chainer
from bnrenorm.norm.affine import StackedAffine
from bnrenorm.norm.links import StackedNormalization
from bnrenorm.norm.schedule import Ramp
from bnrenorm.norm.semantics import CHAINER, PAPER
from tests import oracle

R, N, D = 3, 7, 4
DECAY = np.array([0.9, 0.5, 0.99]).reshape(R, 1, 1)
EPS = np.array([1e-3, 1e-5, 0.1]).reshape(R, 1, 1)
R_MAX = np.array([1.0, 1.5, 3.0]).reshape(R, 1, 1)
D_MAX = np.array([0.0, 0.5, 5.0]).reshape(R, 1, 1)


def make(semantics=CHAINER, **changes):
    arguments = {"r_max": Ramp(R_MAX, R_MAX), "d_max": Ramp(D_MAX, D_MAX), "semantics": semantics}
    return StackedNormalization(StackedAffine(R, D, "node"), **{**arguments, "decay": DECAY, "eps": EPS, **changes})


def batches(rng, count):
    return rng.normal(2, 3, (count, R, N, D)).astype(np.float32)


def column(x, i, j):
    return [float(v) for v in x[i, :, j]]


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
@pytest.mark.parametrize("semantics", [CHAINER, PAPER])
def test_running_statistics_have_their_closed_form(rng, steps, semantics):
    link, data = make(semantics), batches(rng, steps)
    with chainer.using_config("train", True):
        for x in data:
            link(x)
    assert link.step == steps
    for i, j in np.ndindex(R, D):
        means, variances = zip(*(oracle.moments(column(x, i, j)) for x in data), strict=True)
        if semantics is CHAINER:
            kept = [var * N / (N - 1) for var in variances]
        else:
            kept = [(var + EPS[i, 0, 0]) ** 0.5 for var in variances]
        decay = DECAY[i, 0, 0]
        assert_allclose(link.run_mean[i, 0, j], oracle.running(0.0, means, decay), rtol=1e-5, atol=1e-6)
        assert_allclose(link.run_scale[i, 0, j], oracle.running(1.0, kept, decay), rtol=1e-5)


def test_output_uses_the_running_statistics_from_before_the_batch(rng):
    link, data = make(), batches(rng, 3)
    with chainer.using_config("train", True):
        for x in data:
            run_mean, run_std = link.run_mean.copy(), np.sqrt(link.run_scale + EPS)
            y = link(x).array
            for i, j in np.ndindex(R, D):
                running = float(run_mean[i, 0, j]), float(run_std[i, 0, j])
                limits = R_MAX[i, 0, 0], D_MAX[i, 0, 0]
                want = oracle.renorm_column(column(x, i, j), 1.0, 0.0, *running, *limits, EPS[i, 0, 0])
                assert_allclose(y[i, :, j], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("semantics", [CHAINER, PAPER])
def test_inference_uses_the_running_statistics_and_changes_nothing(rng, semantics):
    link, data = make(semantics), batches(rng, 3)
    with chainer.using_config("train", True):
        link(data[0])
    link.affine.gamma.array[...], link.affine.beta.array[...] = 2.0, 1.0
    before = {name: np.copy(value) for name, value in state(link).items()}
    with chainer.using_config("train", False):
        y = link(data[1]).array
    run_std = np.sqrt(link.run_scale + EPS) if semantics is CHAINER else link.run_scale
    assert_allclose(y, 2 * (data[1] - link.run_mean) / run_std + 1, rtol=1e-4, atol=1e-5)
    for name, value in state(link).items():
        assert (value == before[name]).all(), name


def test_inference_by_the_batchs_statistics_is_batch_normalisation(rng):
    link, (x,) = make(), batches(rng, 1)
    link.run_mean[...], link.use_batch_statistics = 7, True
    with chainer.using_config("train", False):
        y = link(x).array
    for i, j in np.ndindex(R, D):
        want = oracle.renorm_column(column(x, i, j), 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, EPS[i, 0, 0])
        assert_allclose(y[i, :, j], want, rtol=1e-4, atol=1e-5)
    assert (link.run_mean == 7).all()


def test_an_observed_batch_is_compared_with_the_running_statistics_from_before_it(rng):
    link, (x,) = make(), batches(rng, 1)
    link.run_scale[...], link.observing = 4, True
    with chainer.using_config("train", True):
        link(x)
    for i in range(R):
        run_std = (4 + EPS[i, 0, 0]) ** 0.5
        means, variances = zip(*(oracle.moments(column(x, i, j)) for j in range(D)), strict=True)
        ratios = (np.array(variances) + EPS[i, 0, 0]) ** 0.5 / run_std
        assert_allclose(link.diagnosis["mean_distance"][i], np.abs(means).mean() / run_std, rtol=1e-5)
        assert_allclose(link.diagnosis["std_distance"][i], np.abs(np.log(ratios)).mean(), rtol=1e-5)


def test_inference_has_a_gradient(rng):
    link = make()
    x = chainer.Variable(batches(rng, 1)[0])
    with chainer.using_config("train", False):
        y = link(x)
    y.grad = np.ones_like(y.array)
    y.backward()
    assert_allclose(x.grad, np.broadcast_to(1 / np.sqrt(1 + EPS), x.shape), rtol=1e-6)
    assert_allclose(link.affine.beta.grad, N)


def test_the_schedule_goes_by_the_links_own_step(rng):
    ramp = Ramp(1.0, R_MAX, start=2, length=0)
    link, data = make(r_max=ramp, d_max=Ramp(0.0, D_MAX, start=2)), batches(rng, 4)
    plain = make(r_max=Ramp(1.0, 1.0), d_max=Ramp(0.0, 0.0))
    with chainer.using_config("train", True):
        same = [bool((link(x).array == plain(x).array).all()) for x in data]
    assert same == [True, True, False, False]


def test_a_replica_does_not_depend_on_its_companions(rng):
    link, data = make(), batches(rng, 5)
    alone = StackedNormalization(
        StackedAffine(1, D, "node"),
        r_max=Ramp(R_MAX[1:2], R_MAX[1:2]),
        d_max=Ramp(D_MAX[1:2], D_MAX[1:2]),
        semantics=CHAINER,
        decay=DECAY[1:2],
        eps=EPS[1:2],
    )
    with chainer.using_config("train", True):
        for x in data:
            assert (link(x).array[1] == alone(x[1:2]).array[0]).all()
    assert (link.run_scale[1] == alone.run_scale[0]).all()


def test_everything_survives_chainers_serializers(rng):
    link, data = make(r_max=Ramp(1.0, R_MAX, length=9), d_max=Ramp(0.0, D_MAX, length=9)), batches(rng, 6)
    with chainer.using_config("train", True):
        for x in data[:3]:
            link(x)
        file = io.BytesIO()
        chainer.serializers.save_npz(file, link)
        file.seek(0)
        other = make(r_max=link.r_max, d_max=link.d_max)
        chainer.serializers.load_npz(file, other)
        for x in data[3:]:
            assert (link(x).array == other(x).array).all()
    assert link.step == other.step == 6


@pytest.mark.parametrize(("rmax", "dmax"), [(1.0, 0.0), (3.0, 5.0), (1.2, 0.1)])
def test_agrees_with_chainers_own_link_over_steps(rng, rmax, dmax):
    stock = L.BatchRenormalization(D, rmax=rmax, dmax=dmax, decay=0.9, eps=1e-3)
    one = np.ones((R, 1, 1))
    link = make(r_max=Ramp(rmax * one, rmax * one), d_max=Ramp(dmax * one, dmax * one), decay=0.9 * one, eps=1e-3 * one)
    with chainer.using_config("train", True):
        for x in batches(rng, 10):
            assert_allclose(
                link(np.broadcast_to(x[0], x.shape).copy()).array[2], stock(x[0]).array, rtol=1e-4, atol=1e-5
            )
    assert_allclose(link.run_mean[2, 0], stock.avg_mean, rtol=1e-5)
    assert_allclose(link.run_scale[2, 0], stock.avg_var, rtol=1e-5)


def state(link):
    return {**{name: value.array for name, value in link.namedparams()}, "m": link.run_mean, "s": link.run_scale}


def test_micro_batches_are_normalised_each_by_its_own_statistics(rng):
    """As if each were a replica with the same running statistics, which then take the mean over them. [BRN17, 4.2]"""
    m, parts = 4, 3
    link = make(micro_batch=m)
    link.run_mean[...], link.run_scale[...] = rng.normal(size=(R, 1, D)), rng.uniform(0.5, 9, (R, 1, D))
    link.affine.gamma.array[...] = rng.normal(1, 0.1, (R, 1, D))
    x, gy = (rng.normal(2, 3, (R, parts * m, D)).astype(np.float32) for _ in range(2))
    run_mean, run_scale = link.run_mean.copy(), link.run_scale.copy()
    variable = chainer.Variable(x)
    with chainer.using_config("train", True):
        y = link(variable)
    y.grad = gy
    y.backward()
    means, kept, gammas = [], [], []
    for part in range(parts):
        rows = slice(part * m, (part + 1) * m)
        alone = make()
        alone.run_mean[...], alone.run_scale[...] = run_mean, run_scale
        alone.affine.gamma.array[...] = link.affine.gamma.array
        own = chainer.Variable(x[:, rows])
        with chainer.using_config("train", True):
            want = alone(own)
        want.grad = gy[:, rows]
        want.backward()
        assert_allclose(y.array[:, rows], want.array, rtol=1e-5, atol=1e-6)
        assert_allclose(variable.grad[:, rows], own.grad, rtol=1e-4, atol=1e-6)
        means.append(alone.run_mean)
        kept.append(alone.run_scale)
        gammas.append(alone.affine.gamma.grad)
    assert_allclose(link.run_mean, np.mean(means, axis=0), rtol=1e-5, atol=1e-6)
    assert_allclose(link.run_scale, np.mean(kept, axis=0), rtol=1e-5)
    assert_allclose(link.affine.gamma.grad, np.sum(gammas, axis=0), rtol=1e-4, atol=1e-5)
    assert link.step == 1


def test_frozen_training_mode_changes_nothing(rng):
    link = make()
    before = {name: np.copy(value) for name, value in state(link).items()}
    link.frozen = True
    with chainer.using_config("train", True):
        link(batches(rng, 1)[0])
    assert link.step == 0
    for name, value in state(link).items():
        assert (value == before[name]).all(), name


def test_a_batch_of_one_image_is_beta_for_bn_and_d_for_brn(rng):
    link = make()
    link.affine.beta.array[...] = 0.5
    with chainer.using_config("train", True):
        y = link(rng.normal(3, 1, (R, 1, D)).astype(np.float32)).array
    assert (y[0] == 0.5).all()
    assert (y[2] != 0.5).all()
    assert np.isfinite(link.run_scale).all()


def test_constants_and_limits_are_copied_to_a_gpu_once_and_limits_again_while_they_ramp(fake_cupy):
    link = make(r_max=Ramp(1, R_MAX, start=2, length=3), d_max=Ramp(D_MAX, D_MAX))
    like, copies = fake_cupy.wrap(np.zeros((R, N, D), np.float32)), []
    for step in range(8):
        link.step = step
        r_max, d_max = (link._limit(name, like) for name in ("r_max", "d_max"))
        assert link.scale(like, N).shape == (R, N, D)
        assert (r_max.array == np.float32(link.r_max(step))).all()
        assert (d_max.array == D_MAX).all()
        assert r_max.dtype == d_max.dtype == np.float32
        copies.append(fake_cupy.copies_in)
    assert copies == [3, 3, 3, 4, 5, 6, 6, 6]  # r_max, d_max and eps; then r_max at the steps 3, 4 and 5
