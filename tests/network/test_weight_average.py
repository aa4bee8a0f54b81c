import numpy as np
import pytest
from numpy.testing import assert_allclose

import bnrenorm
from bnrenorm._compat import L
from bnrenorm.network import mlp
from bnrenorm.network.weight_average import WeightAverage
from bnrenorm.norm import registry
from tests import oracle
from tests.helpers import trials_of


def network(text="seeds: 2", norm="{kind: batch}"):
    return mlp.build(trials_of(f"model: {{hidden: [4]}}\nnorm: {norm}\n{text}"), 3)


def arrays(net):
    return {name: parameter.array.copy() for name, parameter in net.namedparams()}


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_it_has_its_closed_form_with_a_decay_for_every_replica(rng, steps):
    net = network()
    average, start, seen = WeightAverage(net, [0.9, 0.5]), arrays(net), []
    for _ in range(steps):
        for parameter in net.params():
            parameter.array[...] = rng.normal(size=parameter.shape)
        average.update()
        seen.append(arrays(net))
    assert average.arrays.keys() == start.keys()
    for name, array in average.arrays.items():
        for replica, decay in enumerate([0.9, 0.5]):
            for place in np.ndindex(array.shape[1:]):
                values = [float(each[name][replica][place]) for each in seen]
                want = oracle.running(float(start[name][replica][place]), values, decay)
                assert_allclose(array[replica][place], want, rtol=1e-4, atol=1e-6)


def test_a_decay_of_zero_copies_and_constant_weights_are_a_fixed_point():
    net = network()
    average = WeightAverage(net, [0.0, 0.7])
    before = arrays(net)
    for parameter in net.params():
        parameter.array[0] += 1
    average.update()
    for name, array in average.arrays.items():
        assert (array[0] == dict(net.namedparams())[name].array[0]).all()
        assert_allclose(array[1], before[name][1], rtol=1e-6)


def test_the_averages_stand_in_for_the_parameters_while_the_context_lasts():
    net = network()
    average = WeightAverage(net, [0.9, 0.9])
    own = {name: parameter.array for name, parameter in net.namedparams()}
    for array in own.values():
        array += 1
    with average.in_place():
        assert all(parameter.array is average.arrays[name] for name, parameter in net.namedparams())
    assert all(parameter.array is own[name] for name, parameter in net.namedparams())
    with pytest.raises(RuntimeError, match="oops"), average.in_place():
        raise RuntimeError("oops")
    assert all(parameter.array is own[name] for name, parameter in net.namedparams())


def test_without_averages_nothing_is_kept_or_changed():
    net = network()
    average = WeightAverage(net, [None, None])
    before = {name: parameter.array for name, parameter in net.namedparams()}
    average.update()
    with average.in_place():
        assert all(parameter.array is before[name] for name, parameter in net.namedparams())
    assert average.arrays == {}


def test_a_users_links_are_averaged_each_by_its_replicas_decay(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    bnrenorm.register_norm("stock", L.BatchNormalization)
    net = network(norm="{kind: custom, name: stock}")
    average = WeightAverage(net, [0.9, 0.5])
    for link in net.norms[0]:
        link.beta.array[...] = 1
    average.update()
    for replica, want in enumerate([0.1, 0.5]):
        assert_allclose(average.arrays[f"/norms/0/{replica}/beta"], want, rtol=1e-6)
