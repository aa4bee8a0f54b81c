"""The loop against stock Chainer: its links, its optimizer, its own way of writing the loop."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, L, chainer
from bnrenorm.network import mlp
from bnrenorm.training import loop
from tests import oracle
from tests.helpers import ENGINES, curves, some_digits, trials_of

STEPS = 10
RATES = (0.01, 0.05, 0.2)
NORMS = {
    "BN": ("{kind: batch}", L.BatchNormalization, {}),
    "BRN": ("{kind: renorm, r_max: 3, d_max: 5}", L.BatchRenormalization, {"rmax": 3.0, "dmax": 5.0}),
    "BRN off": ("{kind: renorm, r_max: 1, d_max: 0}", L.BatchRenormalization, {"rmax": 1.0, "dmax": 0.0}),
}


def trials(text, images=2000):
    return trials_of(text, images)


class Stock(chainer.Chain):
    def __init__(self, network, replica, norm):
        super().__init__()
        first, second = network.linears
        with self.init_scope():
            self.l1 = L.Linear(784, first.W.shape[1], initialW=first.W.array[replica].copy())
            self.bnorm1 = norm
            self.l2 = L.Linear(first.W.shape[1], 10, initialW=second.W.array[replica].copy())

    def forward(self, x):
        return self.l2(self.bnorm1(F.relu(self.l1(x))))


def train_stock(net, lr, data, steps):
    """The first article's loop; returns (steps, 4): training loss and accuracy, test loss and accuracy."""
    optimizer = chainer.optimizers.MomentumSGD(lr=lr, momentum=0.9).setup(net)
    x, t, x_test, t_test = data.scaled("train"), data.labels("train"), data.scaled("test"), data.labels("test")
    rows = []
    for _ in range(steps):
        with chainer.using_config("train", True):
            net.cleargrads()
            y = net(x)
            loss, accuracy = F.softmax_cross_entropy(y, t), F.accuracy(y, t)
            loss.backward()
            optimizer.update()
        with chainer.using_config("train", False):
            y = net(x_test)
            test = F.softmax_cross_entropy(y, t_test), F.accuracy(y, t_test)
        rows.append([float(v.array) for v in (loss, accuracy, *test)])
    return np.array(rows)


class Precise:
    """A data set in float64: float32 trainings part ways wherever a ReLU's input rounds to the other side of zero."""

    def __init__(self, data):
        self.labels, self.inputs = data.labels, data.inputs
        self.scaled = lambda split: data.scaled(split).astype(np.float64)
        self.split = lambda validation: [(x.astype(np.float64), t) for x, t in data.split(validation)]


def cast(network, dtype):
    for link in network.links():
        for parameter in link.params(include_uninit=False):
            parameter.array = parameter.array.astype(dtype)
        for name in ("run_mean", "run_scale", "avg_mean", "avg_var"):
            if name in vars(link):
                setattr(link, name, getattr(link, name).astype(dtype))
        if "_highprec_dtype" in vars(link):
            link._highprec_dtype = np.dtype(dtype)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-5), (np.float32, 5e-4)])
@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.slow
def test_three_replicas_with_their_own_rates_are_three_stock_trainings(digits, kind, dtype, rtol):
    norm, stock_norm, limits = NORMS[kind]
    text = f"model: {{hidden: [100]}}\nnorm: {norm}\ntraining: {{steps: {STEPS}}}\ngrid: {{training.optimizer.lr: {list(RATES)}}}"
    group = trials(text)
    network = mlp.build(group, 784)
    stock = [Stock(network, replica, stock_norm(100, **limits)) for replica in range(3)]
    data = Precise(digits) if dtype is np.float64 else digits
    for each in (network, *stock):
        cast(each, dtype)
    ours = curves(loop.Training(group, data, network=network))
    for replica, (net, lr) in enumerate(zip(stock, RATES, strict=True)):
        want = train_stock(net, lr, data, STEPS)
        assert_allclose(ours[:, ::2, replica], want[:, ::2], rtol=rtol)
        # one image of 2,000 (of 500) whose two best logits agree to rounding may fall to either side
        assert_allclose(ours[:, 1::2, replica], want[:, 1::2], atol=1e-7 if dtype is np.float64 else 0.00201)
        if dtype is np.float32:
            continue
        (link,) = network.norms
        arrays = [
            (network.linears[0].W.array[replica], net.l1.W.array),
            (network.linears[0].b.array[replica, 0], net.l1.b.array),
            (network.linears[1].W.array[replica], net.l2.W.array),
            (network.linears[1].b.array[replica, 0], net.l2.b.array),
            (link.affine.gamma.array[replica, 0], net.bnorm1.gamma.array),
            (link.affine.beta.array[replica, 0], net.bnorm1.beta.array),
            (link.run_mean[replica, 0], net.bnorm1.avg_mean),
            (link.run_scale[replica, 0], net.bnorm1.avg_var),
        ]
        for got, expected in arrays:
            assert got.dtype == np.float64
            assert_allclose(got, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def test_the_first_loss_is_the_oracles(digits):
    (trial,) = trials("model: {hidden: [30]}\nnorm: {kind: none}\ntraining: {steps: 1}")
    network = mlp.build([trial], 784)
    with chainer.using_config("train", False):
        logits = network(digits.scaled("train")).array[0]
    (record,) = loop.Training([trial], digits, network=network)
    want = [
        oracle.cross_entropy([float(v) for v in row], int(t))
        for row, t in zip(logits, digits.labels("train"), strict=True)
    ]
    assert record.values["train_loss"][0] == pytest.approx(np.mean(want), rel=1e-6)
    assert record.values["train_accuracy"][0] == np.mean(logits.argmax(axis=1) == digits.labels("train"))


@pytest.mark.slow
def test_alone_or_in_company_a_trial_has_the_same_bits():
    data = some_digits(777, 101)
    text = """
model: {hidden: [33, 17]}
training: {steps: 6}
variants: {A: {}, B: {norm: {kind: renorm, warmup: 2}}, C: {norm: {kind: batch, decay: 0.5}, training: {optimizer: {lr: 0.5}}}}
seeds: 2
"""
    group = trials(text, 777)
    together = curves(loop.Training(group, data))
    for replica, trial in enumerate(group):
        assert (curves(loop.Training([trial], data))[:, :, 0] == together[:, :, replica]).all()


def test_the_same_seed_twice_is_equal_and_another_differs(digits):
    group = trials("model: {hidden: [20]}\ntraining: {steps: 3}\nseeds: 2")
    one, two = curves(loop.Training(group, digits)), curves(loop.Training(group, digits))
    assert (one == two).all()
    assert (one[:, 0, 0] != one[:, 0, 1]).all()


def test_a_replica_that_diverges_leaves_the_others_untouched(digits):
    """NaN and infinity stay in their own replica, and raise no warning."""
    base = "model: {hidden: [20]}\ntraining: {steps: 12}\n"
    healthy = curves(loop.Training(trials(base), digits))
    pair = curves(loop.Training(trials(base + "variants: {A: {}, B: {training: {optimizer: {lr: 1.0e+20}}}}"), digits))
    assert (pair[:, :, 0] == healthy[:, :, 0]).all()
    assert not np.isfinite(pair[-1, 0, 1])


def test_chainers_mode_is_as_it_was(digits):
    """The loop sets chainer.config.train for its own steps and gives it back, also between records."""
    for mode in (True, False):
        with chainer.using_config("train", mode):
            for _ in loop.Training(trials("model: {hidden: [5]}\ntraining: {steps: 2}"), digits):
                assert chainer.config.train is mode


@pytest.mark.gpu
def test_a_gpu_trains_the_same_curves(digits):
    group = trials("model: {hidden: [100]}\ntraining: {steps: 10}\nvariants: {A: {}, B: {norm: {kind: renorm}}}")
    cpu, gpu = (curves(loop.Training(group, digits, device=device)) for device in ("cpu", "cuda:0"))
    assert_allclose(gpu[:, ::2], cpu[:, ::2], rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NORMS)
def test_fifty_full_batch_steps_of_the_cpu_engine_are_stock_chainers(digits, kind):
    norm, stock_norm, limits = NORMS[kind]
    (trial,) = trials(f"model: {{hidden: [100]}}\nnorm: {norm}\ntraining: {{steps: 50}}")
    network = mlp.build([trial], 784)
    stock = Stock(network, 0, stock_norm(100, **limits))
    ours = curves(loop.Training([trial], digits, network=network, engine="cpu"))[..., 0]
    want = train_stock(stock, 0.01, digits, 50)
    assert_allclose(ours[:, ::2], want[:, ::2], rtol=1e-4)
    assert_allclose(ours[:, 1::2], want[:, 1::2], atol=0.00201)


@pytest.mark.parametrize("engine", ENGINES)
def test_steps_are_taken_for_half_a_second_at_a_time(engine, monkeypatch):
    """So that an interrupt waits no longer: a step of 0.2 s is taken two at a time, one of 2 s alone.

    Of quick ones at most twice as many as before: the first ones say little of how long more will take.
    """
    for seconds, want in ((0.2, [1, 2, 2, 2]), (2.0, [1, 1, 1, 1]), (0.001, [1, 2, 4, 8])):
        text = "model: {hidden: [5]}\ntraining: {batch: 20, steps: 20}\nevaluation: {every: 20}"
        training = loop.Training(trials(text, 300), some_digits(300, 50), engine=engine)
        real, calls = training.engine.advance, []

        def advance(first, steps, *, observe, real=real, calls=calls):
            calls.append(steps)
            real(first, steps, observe=observe)

        training.engine.advance = advance
        monkeypatch.setattr(loop.time, "perf_counter", lambda calls=calls, seconds=seconds: seconds * sum(calls))
        for _, _ in zip(range(4), training, strict=False):
            pass
        assert calls == want


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_of_other_trials_or_of_no_step_is_refused_and_changes_nothing(engine):
    data = some_digits(300, 50)
    text = "model: {hidden: [5]}\ntraining: {batch: 20, steps: 3}"

    def training(more=""):
        return loop.Training(trials(text + more, 300), data, engine=engine)

    mine = training()
    before = {name: value.copy() for name, value in mine.state_dict().items()}
    for other in (training("\nseeds: 2"), training("\nnorm: {kind: none}")):
        with pytest.raises(ValueError, match="another group"):
            mine.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="another group"):
        mine.load_state_dict({**before, "best_value": np.zeros(1), "best_waited": np.zeros(1)})
    for step in (-1, 4, [2], [1, 2]):
        with pytest.raises(ValueError, match="of no step of this training"):
            mine.load_state_dict({**before, "step": np.array(step)})
    assert all((value == before[name]).all() for name, value in mine.state_dict().items())
