"""The group's networks in training: their sums, their best weights, and their state."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import bnrenorm
from bnrenorm._compat import L, chainer
from bnrenorm.engines.replicas import Replicas, all_to_host
from bnrenorm.network import mlp
from bnrenorm.norm import registry
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
    assert group.sums.dtype == np.float64
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
    group = replicas("evaluation: {average: 0.5}")
    randomise(group, rng)
    own = group.parameters()
    assert len(own) == 3
    linears = {f"linears/{depth}/{name}" for depth in range(3) for name in "Wb"}
    norms = {
        f"norms/{depth}/{name}"
        for depth in range(2)
        for name in ("affine/gamma", "affine/beta", "run_mean", "run_scale")
    }
    assert set(own[0]) == linears | norms
    assert (own[1]["linears/0/W"] == group.network.linears[0].W.array[1]).all()
    assert own[2]["norms/0/affine/gamma"].shape == (1, 4)
    assert (own[2]["norms/0/run_mean"] == group.network.norms[0].run_mean[2]).all()


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


def test_a_state_of_another_dtype_or_shape_is_refused():
    group = replicas()
    state = group.state_dict()
    for other in (state["sums"].astype(np.float32), state["sums"][:2]):
        with pytest.raises(ValueError, match="another group"):
            group.load_state_dict({**state, "sums": other})


def test_links_of_a_users_own_and_their_averages_go_back_each_with_its_replica(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    bnrenorm.register_norm("stock", L.BatchNormalization)
    group = replicas(
        "norm: {kind: custom, name: stock}\ndata: {validation: 10}\nevaluation: {average: 0.5}\n"
        "training: {early_stopping: {patience: 2}}"
    )
    assert "/norms/0/1/gamma" in group.average.arrays
    for mark, better in enumerate([[True, True, True], [True, False, False], [False, True, False], [False] * 3], 1):
        for array in group._trained().values():
            array[...] = mark
        group.keep_best(np.array(better))
    group.rewind_to_best()
    for replica, want in enumerate([2, 3, 1]):
        links = [norm[replica] for norm in group.network.norms]
        own = [array for link in links for array in (link.gamma.array, link.avg_mean, link.avg_var)]
        own += [group.average.arrays[f"/norms/{depth}/{replica}/gamma"] for depth in range(2)]
        stacked = [group.network.linears[0].W.array, group.average.arrays["/linears/0/W"]]
        assert {float(value) for array in own for value in array.ravel()} == {want}
        assert {float(value) for array in stacked for value in array[replica].ravel()} == {want}


def test_values_come_to_the_host_in_one_copy(fake_cupy, rng):
    values = {
        "loss": rng.normal(size=3),
        "accuracy": rng.normal(size=3).astype(np.float32),
        "share": np.array([0, 1, 1]),
    }
    got = all_to_host({name: fake_cupy.wrap(value) for name, value in values.items()})
    assert list(got) == list(values)
    assert all(got[name].dtype == np.float64 and (got[name] == value).all() for name, value in values.items())
    assert fake_cupy.copies_out == 1
    assert all_to_host({}) == {}
    assert fake_cupy.copies_out == 1


def test_values_of_the_host_are_copied_as_they_are(rng):
    loss = rng.normal(size=3).astype(np.float32)
    got = all_to_host({"loss": loss})["loss"]
    assert got.dtype == np.float64
    assert (got == loss).all()


def test_a_state_is_taken_back_without_copying_the_present_one_to_the_host(rng, monkeypatch):
    group = replicas(STOPPING)
    randomise(group, rng)
    state = group.state_dict()
    other = replicas(STOPPING)

    def copy(*_):
        raise AssertionError("copied to the host")

    monkeypatch.setattr(chainer.cuda, "to_cpu", copy)
    monkeypatch.setattr("bnrenorm.engines.replicas._copy_to_host", copy)
    other.load_state_dict(state)
    assert (other.network.linears[0].W.array == state["weights/linears/0/W"]).all()
