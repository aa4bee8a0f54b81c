"""The compiled update rules against Chainer's own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.engines import spec
from bnrenorm.engines.cpu.ops import optimizer
from bnrenorm.engines.spec import Hyperparams
from tests.engines.cpu.entry import entries

inner = entries(optimizer)
NONE = dict.fromkeys(Hyperparams._fields, 0)
RULES = {
    "sgd": (chainer.optimizers.SGD(lr=0.1), {}),
    "momentum_sgd": (chainer.optimizers.MomentumSGD(lr=0.1, momentum=0.7), {"momentum": 0.7}),
    "adam": (
        chainer.optimizers.Adam(alpha=0.1, beta1=0.8, beta2=0.95, eps=1e-6),
        {"one_minus_beta1": 0.2, "one_minus_beta2": 0.05, "optimizer_eps": 1e-6},
    ),
    "rmsprop": (chainer.optimizers.RMSprop(lr=0.1, alpha=0.9, eps=1e-6), {"alpha": 0.9, "optimizer_eps": 1e-6}),
}


def test_every_rule_has_a_code_of_its_own():
    assert RULES.keys() == spec.CODES.keys()
    assert len(set(spec.CODES.values())) == len(RULES)


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("decays", [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_updates_are_chainers(rng, kind, decays):
    """Five steps of parameters 2 to 12 of 13, of which one begins at 0, which has no sign; the others stay."""
    rule_of_chainer, numbers = RULES[kind]
    hyper = Hyperparams(*(np.float32(value) for value in {**NONE, **numbers}.values()))
    parameter = chainer.Parameter(rng.normal(size=13).astype(np.float32))
    parameter.array[4] = 0
    p = parameter.array.copy()
    before = p.copy()
    exp_avg, exp_avg_sq = (np.zeros(13, np.float32) for _ in range(2))
    rule = rule_of_chainer.create_update_rule()
    rule.add_hook(chainer.optimizer_hooks.WeightDecay(decays[0]))
    rule.add_hook(chainer.optimizer_hooks.Lasso(decays[1]))
    for t in range(1, 6):
        g = rng.normal(size=13).astype(np.float32)
        parameter.grad = g.copy()
        rule.update(parameter)
        lr = 0.1 * (np.sqrt(1 - 0.95**t) / (1 - 0.8**t) if kind == "adam" else 1)
        scalars = map(np.float32, (lr, *decays))
        inner.apply_update(spec.CODES[kind], hyper, p, 2, g[2:], exp_avg, exp_avg_sq, *scalars)
        assert_allclose(p[2:], parameter.array[2:], rtol=1e-5, atol=1e-6)
        assert (p[:2] == before[:2]).all()
    names = {"momentum_sgd": {"v": exp_avg}, "adam": {"m": exp_avg, "v": exp_avg_sq}, "rmsprop": {"ms": exp_avg_sq}}
    for name, state in names.get(kind, {}).items():
        assert_allclose(state[2:], rule.state[name][2:], rtol=1e-5, atol=1e-6)
    assert not np.any([exp_avg[:2], exp_avg_sq[:2]])


def test_updates_have_one_rounding(rng):
    """Rounded are momentum's lr g and RMSprop's new square, and not what they are added to; l2 p is not."""
    p, g, old = (rng.normal(size=400).astype(np.float32) for _ in range(3))
    lr, rate, l1, l2 = (np.float32(value) for value in (0.1, 0.7, 0.2, 0.3))
    hyper = Hyperparams(*(np.float32(value) for value in {**NONE, "momentum": rate, "alpha": rate}.values()))

    def fused(a, b, c):
        return (np.multiply(a, b, dtype=np.longdouble) + c).astype(np.float32)

    decayed = fused(l2, p, g) + l1 * np.sign(p)
    velocity, square, new = old.copy(), np.abs(old), decayed * decayed
    want = fused(rate, velocity, -(lr * decayed)), fused(rate, square - new, new)
    for kind, state in (("momentum_sgd", velocity), ("rmsprop", square)):
        inner.apply_update(spec.CODES[kind], hyper, p.copy(), 0, g.copy(), state, state, lr, l2, l1)
    assert (velocity == want[0]).all()
    assert (square == want[1]).all()
