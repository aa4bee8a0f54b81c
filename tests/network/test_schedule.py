"""The values of every step for every replica: limits by the paper's ramps, rates with Adam's bias correction."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.network.schedule import AFFINE_LR, D_MAX, LR, R_MAX, Schedule
from tests.helpers import trials_of

TEXT = """
training: {steps: 60, optimizer: {lr: 0.1}}
variants:
  BN: {}
  none: {norm: {kind: none}, training: {optimizer: {lr: 0.2}}}
  BRN: {norm: {kind: renorm, r_max: 3, d_max: 5, warmup: 10, ramp_r: 20, ramp_d: 10, affine_lr: 0.5}}
"""


def test_limits_are_one_and_zero_without_renormalisation_and_ramps_with_it():
    schedule = Schedule(trials_of(TEXT))
    assert schedule.r_max(0).shape == schedule.d_max(0).shape == (3, 1, 1)
    for step, r_max, d_max in [(0, 1, 0), (10, 1, 0), (15, 1.5, 2.5), (20, 2, 5), (30, 3, 5), (1000, 3, 5)]:
        assert schedule.r_max(step).ravel().tolist() == [1, 1, r_max]
        assert schedule.d_max(step).ravel().tolist() == [0, 0, d_max]


def test_gamma_and_beta_have_a_rate_of_their_own_where_it_is_given():
    still = Schedule(trials_of("norm: {kind: batch, affine_lr: 0}\ntraining: {optimizer: {lr: 0.1}}"))
    assert still.affine_lr.item() == 0
    schedule = Schedule(trials_of(TEXT))
    assert schedule.lr.dtype == schedule.affine_lr.dtype == np.float32
    assert_allclose(schedule.lr.ravel(), [0.1, 0.2, 0.1], rtol=1e-6)
    assert_allclose(schedule.affine_lr.ravel(), [0.1, 0.2, 0.5], rtol=1e-6)


@pytest.mark.parametrize("first", [0, 13])
def test_the_table_has_the_values_of_every_step(first):
    schedule = Schedule(trials_of(TEXT))
    table = schedule.table(first, 20)
    assert (table.shape, table.dtype) == ((20, 3, 4), np.float32)
    for row, values in enumerate(table):
        assert (values[:, R_MAX] == np.float32(schedule.r_max(first + row).ravel())).all()
        assert (values[:, D_MAX] == np.float32(schedule.d_max(first + row).ravel())).all()
        assert (values[:, LR] == schedule.lr.ravel()).all()
        assert (values[:, AFFINE_LR] == schedule.affine_lr.ravel()).all()


def test_a_table_does_not_depend_on_where_it_begins():
    text = TEXT.replace("optimizer: {lr: 0.1}", "optimizer: {kind: adam, lr: 0.1}")
    schedule = Schedule(trials_of(text.replace("optimizer: {lr: 0.2}", "optimizer: {lr: 0.2, beta1: 0.5}")))
    whole = schedule.table(0, 50)
    assert (schedule.table(30, 20) == whole[30:]).all()
    assert schedule.table(7, 0).shape == (0, 3, 4)


def test_every_replica_has_its_own_rate_and_its_own_correction():
    text = """
variants:
  one: {training: {optimizer: {kind: adam, lr: 0.01, beta1: 0.5, beta2: 0.9}}}
  two: {training: {optimizer: {kind: adam, lr: 0.03}}, norm: {kind: batch, affine_lr: 0.7}}
  none: {training: {optimizer: {kind: sgd, lr: 0.2}}}
"""
    table = Schedule(trials_of(text)).table(7, 5)
    for s, t in enumerate(range(8, 13)):
        one, two = (np.sqrt(1 - beta2**t) / (1 - beta1**t) for beta1, beta2 in ((0.5, 0.9), (0.9, 0.999)))
        assert_allclose(table[s, :, LR], [0.01 * one, 0.03 * two, 0.2], rtol=1e-7)
        assert_allclose(table[s, :, AFFINE_LR], [0.01 * one, 0.7 * two, 0.2], rtol=1e-7)


def test_adams_rate_is_chainers():
    """With its bias correction: `chainer.optimizers.Adam` has it as alpha_t, after t steps."""
    adam = "{kind: adam, lr: 0.01, beta1: 0.8, beta2: 0.99}"
    text = f"training: {{optimizer: {adam}}}\nnorm: {{kind: batch, affine_lr: 0.03}}"
    table = Schedule(trials_of(text)).table(0, 5)[:, 0]
    for name, lr in ((LR, 0.01), (AFFINE_LR, 0.03)):
        link = chainer.Link()
        with link.init_scope():
            link.x = chainer.Parameter(np.zeros(1, np.float32))
        optimizer = chainer.optimizers.Adam(lr, beta1=0.8, beta2=0.99).setup(link)
        for values in table:
            link.x.grad = np.ones(1, np.float32)
            optimizer.update()
            assert values[name] == pytest.approx(link.x.update_rule.alpha_t, rel=1e-6)
