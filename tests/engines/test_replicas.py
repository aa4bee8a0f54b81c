"""The group's networks in training: their sums, their best weights, and their state."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.engines.replicas import Replicas
from bnrenorm.network import mlp
from tests.engines.groups import assert_same_bits
from tests.helpers import trials_of

STOPPING = "data: {validation: 10}\ntraining: {early_stopping: {patience: 2}}\n"


def replicas(text="", images=100):
    trials = trials_of(f"{text}\nmodel: {{hidden: [4, 3]}}\nseeds: 3", images)
    return Replicas(trials, mlp.build(trials, 6), chainer.get_device("@numpy"))


def randomise(group, rng):
    for parameter in group.network.params():
        parameter.array[...] = rng.normal(size=parameter.shape)
    for norm in group.network.batch_norms:
        norm.run_mean[...] = rng.normal(size=norm.run_mean.shape)


def test_training_means_are_over_the_steps_since_the_last_call():
    group = replicas()
    group.sums += [[1, 0.5], [2, 0], [3, 1]]
    group.sums += [[3, 0.5], [2, 1], [5, 1]]
    group.since = 2
    loss, accuracy = group.training_means()
    assert list(loss) == [2, 2, 4]
    assert list(accuracy) == [0.5, 0.5, 1]
    assert all((means == 0).all() for means in group.training_means())


def test_penalties_are_those_of_the_weights(rng):
    text = "evaluation: {penalty: true}\ntraining: {l1_decay: 0.5, weight_decay: 0.2}"
    group = replicas(text)
    randomise(group, rng)
    for i, penalty in enumerate(group.penalty()):
        weights = np.concatenate([linear.W.array[i].ravel() for linear in group.network.linears]).astype(float)
        assert penalty == pytest.approx(0.5 * abs(weights).sum() + 0.1 * (weights**2).sum(), rel=1e-6)
    assert not replicas("training: {l1_decay: 0.5}").penalty().any()


def test_affine_means(rng):
    group = replicas()
    randomise(group, rng)
    means = group.affine_means()
    assert sorted(means) == ["layer1_beta", "layer1_gamma", "layer2_beta", "layer2_gamma"]
    assert_allclose(means["layer2_gamma"], group.network.norms[1].affine.gamma.array.mean(axis=(1, 2)), rtol=1e-6)


def test_each_replica_goes_back_to_its_own_best(rng):
    group = replicas(STOPPING)
    states = []
    for better in ([True, True, True], [False, True, False], [False, False, True], [False, False, False]):
        randomise(group, rng)
        states.append(group.network.linears[1].W.array.copy())
        statistics = group.network.norms[0].run_mean.copy()
        group.keep_best(np.array(better))
        if better[2]:
            third = statistics[2]
    group.rewind_to_best()
    for replica, record in enumerate((0, 1, 2)):
        assert (group.network.linears[1].W.array[replica] == states[record][replica]).all()
    assert (group.network.norms[0].run_mean[2] == third).all()


def test_parameters_are_each_replicas_own(rng):
    group = replicas()
    randomise(group, rng)
    own = group.parameters()
    assert len(own) == 3
    assert (own[1]["linears/0/W"] == group.network.linears[0].W.array[1]).all()
    assert own[2]["norms/0/affine/gamma"].shape == (1, 4)


@pytest.mark.parametrize("text", ["", STOPPING, "training: {optimizer: {kind: adam}}\nevaluation: {average: 0.5}"])
def test_a_state_comes_back_bit_for_bit_and_shares_nothing(rng, text):
    group, other = replicas(text), replicas(text)
    randomise(group, rng)
    group.sums += 3.5
    group.since = 7
    for parameter in group.network.params():
        parameter.update_rule.t = 5
    for norm in group.network.batch_norms:
        norm.step = 9
    state = group.state_dict()
    other.load_state_dict(state)
    randomise(group, rng)  # the state is a copy
    assert_same_bits(other.state_dict(), state)
    assert other.since == 7
    assert {parameter.update_rule.t for parameter in other.network.params()} == {5}
    assert {norm.step for norm in other.network.batch_norms} == {9}


@pytest.mark.parametrize("text", ["norm: {kind: none}", "training: {optimizer: {kind: adam}}"])
def test_a_state_of_other_trials_is_refused_before_anything_changes(text):
    group = replicas()
    before = group.state_dict()
    with pytest.raises(ValueError, match="another group"):
        group.load_state_dict(replicas(text).state_dict())
    assert_same_bits(group.state_dict(), before)
