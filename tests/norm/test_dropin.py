import inspect
import io

import numpy as np
import pytest
from numpy.testing import assert_allclose

import bnrenorm
from bnrenorm._compat import F, L, chainer
from bnrenorm.norm.affine import StackedAffine
from bnrenorm.norm.links import StackedNormalization
from bnrenorm.norm.semantics import PAPER


def trained(link, data):
    with chainer.using_config("train", True):
        return [link(x).array for x in data]


def test_batch_normalisation_agrees_with_chainers(rng):
    ours, stock = bnrenorm.BatchNormalization(4), L.BatchNormalization(4)
    data = rng.normal(2, 3, (10, 8, 4)).astype(np.float32)
    for got, want in zip(trained(ours, data), trained(stock, data), strict=True):
        assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    with chainer.using_config("train", False):
        assert_allclose(ours(data[0]).array, stock(data[0]).array, rtol=1e-4, atol=1e-5)
    assert_allclose(ours.avg_var, stock.avg_var, rtol=1e-5)


def test_the_signatures_name_chainers_arguments():
    """Help and completion show them; those of BN are in Chainer's order too."""
    bn, stock_bn = (inspect.signature(cls).parameters for cls in (bnrenorm.BatchNormalization, L.BatchNormalization))
    brn, stock_brn = (
        inspect.signature(cls).parameters for cls in (bnrenorm.BatchRenormalization, L.BatchRenormalization)
    )
    assert list(bn)[: len(stock_bn)] == list(stock_bn)
    assert set(stock_brn) | {"axis"} <= set(brn)
    for ours, stock in ((bn, stock_bn), (brn, stock_brn)):
        settings = [name for name in stock if name.startswith(("use_", "initial_", "axis"))]
        assert [ours[name].default for name in settings] == [stock[name].default for name in settings]


def test_renormalisation_agrees_with_chainers_on_images(rng):
    ours, stock = bnrenorm.BatchRenormalization(3, 1.5, 0.5), L.BatchRenormalization(3, rmax=1.5, dmax=0.5)
    data = rng.normal(1, 2, (5, 4, 3, 6, 5)).astype(np.float32)
    for got, want in zip(trained(ours, data), trained(stock, data), strict=True):
        assert got.shape == want.shape
        assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert_allclose(ours.avg_mean, stock.avg_mean, rtol=1e-4, atol=1e-6)
    assert_allclose(ours.avg_var, stock.avg_var, rtol=1e-4)


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5, 2)])
def test_gradients_agree_with_chainers(rng, shape):
    gradients = []
    values, weights = rng.normal(2, 3, shape).astype(np.float32), rng.normal(size=shape).astype(np.float32)
    for link in (bnrenorm.BatchRenormalization(4, 1.2, 0.1), L.BatchRenormalization(4, rmax=1.2, dmax=0.1)):
        x = chainer.Variable(values)
        link.cleargrads()
        with chainer.using_config("train", True):
            F.sum(link(x) * weights).backward()
        gradients.append((x.grad, link.gamma.grad, link.beta.grad))
    for got, want in zip(*gradients, strict=True):
        assert_allclose(got, want, rtol=1e-3, atol=1e-5)


def test_defaults_are_the_papers_limits_and_not_batch_normalisation(rng):
    data = rng.normal(2, 3, (3, 8, 4)).astype(np.float32)
    plain, renorm = (trained(link(4), data) for link in (bnrenorm.BatchNormalization, bnrenorm.BatchRenormalization))
    assert np.abs(renorm[0] - plain[0]).max() > 0.5


def test_a_schedule_is_a_function_of_the_step_and_survives_the_serializers(rng):
    data = rng.normal(2, 3, (6, 8, 4)).astype(np.float32)

    def make():
        return bnrenorm.BatchRenormalization(
            4, bnrenorm.Ramp(1, 3, start=2, length=3), bnrenorm.Ramp(0, 5, start=2, length=3)
        )

    link, other = make(), make()
    trained(link, data[:4])
    file = io.BytesIO()
    chainer.serializers.save_npz(file, link)
    file.seek(0)
    chainer.serializers.load_npz(file, other)
    assert other.step == 4
    for one, two in zip(trained(link, data[4:]), trained(other, data[4:]), strict=True):
        assert (one == two).all()


def test_the_papers_semantics_are_those_of_the_specification(rng):
    """The running std is kept as a variance, without loss: 100 steps agree with `StackedNormalization`."""
    one = np.ones((1, 1, 1))
    link = bnrenorm.BatchRenormalization(4, 1.5, 0.5, semantics="paper")
    stacked = StackedNormalization(
        StackedAffine(1, 4, "node"),
        r_max=bnrenorm.Ramp(1.5 * one, 1.5 * one),
        d_max=bnrenorm.Ramp(0.5 * one, 0.5 * one),
        semantics=PAPER,
        decay=PAPER.decay * one,
        eps=PAPER.eps * one,
    )
    for x in rng.normal(2, 3, (100, 8, 4)).astype(np.float32):
        x[:, 0] = 0  # a dead feature: its std is sqrt(eps)
        (got,), (want,) = trained(link, [x]), trained(stacked, [x[None]])
        assert_allclose(got, want[0], rtol=1e-5, atol=1e-6)
    assert_allclose(np.sqrt(link.avg_var + PAPER.eps), stacked.run_scale[0, 0], rtol=1e-6)


def test_works_in_a_users_chain_with_an_optimizer(rng):
    class Net(chainer.Chain):
        def __init__(self):
            super().__init__()
            with self.init_scope():
                self.conv = L.Convolution2D(1, 4, 3)
                self.norm = bnrenorm.BatchRenormalization(4)
                self.out = L.Linear(None, 2)

        def forward(self, x):
            return self.out(F.relu(self.norm(self.conv(x))))

    net = Net()
    optimizer = chainer.optimizers.Adam(0.01).setup(net)
    x = rng.normal(size=(20, 1, 8, 8)).astype(np.float32)
    t = (x.mean(axis=(1, 2, 3)) > 0).astype(np.int32)
    losses = []
    for _ in range(20):
        loss = F.softmax_cross_entropy(net(x), t)
        net.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.array))
    assert losses[-1] < losses[0] / 2
    assert net.norm.gamma.grad is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size is 0"),
        ({"size": 3, "r_max": 0.5}, "r_max is 0.5 at step 0"),
        ({"size": 3, "r_max": float("nan")}, "r_max is nan"),
        ({"size": 3, "r_max": float("inf")}, "r_max is inf"),
        ({"size": 3, "d_max": -1}, "d_max is -1.0"),
        ({"size": 3, "d_max": float("inf")}, "d_max is inf"),
        ({"size": 3, "decay": 1.0}, "decay is 1.0"),
        ({"size": 3, "decay": -0.1}, "decay is -0.1"),
        ({"size": 3, "eps": 0.0}, "eps is 0.0"),
        ({"size": 3, "eps": float("inf")}, "eps is inf"),
        ({"size": 3, "semantics": "keras"}, "semantics is 'keras'"),
        ({"size": 3, "r_max": 3.0, "rmax": 2}, "r_max=3.0 and rmax=2 are the same limit; give one"),
        ({"size": 3, "d_max": 0, "dmax": 0}, "d_max=0 and dmax=0 are the same limit"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(bnrenorm.InputError, match=message):
        bnrenorm.BatchRenormalization(**arguments)


def test_a_schedule_that_leaves_its_range_is_named_with_its_step(rng):
    link = bnrenorm.BatchRenormalization(4, lambda step: 2.0 - step)
    with pytest.raises(bnrenorm.InputError, match=r"r_max is 0.0 at step 2"):
        trained(link, rng.normal(size=(3, 8, 4)).astype(np.float32))


def test_other_shapes_are_refused():
    with pytest.raises(bnrenorm.InputError, match=r"\(2, 3, 4\)"):
        bnrenorm.BatchNormalization(4)(np.zeros((2, 3, 4), np.float32))
