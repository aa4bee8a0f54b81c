"""Rows of numbers against the network's own arrays."""

import numpy as np
import pytest

from bnrenorm._compat import chainer
from bnrenorm.engines.cpu.ops.layout import AFFINE, RUN, WIDTH, B, W, layout_of
from bnrenorm.engines.cpu.parameters import StackedParameters
from bnrenorm.engines.replicas import Replicas
from bnrenorm.engines.spec import spec_of
from bnrenorm.network import mlp
from tests.helpers import trials_of

OPTIMIZERS = {
    "sgd": ({}, {}),
    "momentum_sgd": ({"exp_avg": "v"}, {}),
    "adam": ({"exp_avg": "m"}, {"exp_avg_sq": "v"}),
    "rmsprop": ({}, {"exp_avg_sq": "ms"}),
}


def stacked(kind, average="null", norm="{kind: batch}"):
    text = f"""
model: {{hidden: [5, 3]}}
norm: {norm}
training: {{optimizer: {{kind: {kind}}}}}
evaluation: {{average: {average}}}
seeds: 2
"""
    trials = trials_of(text, 100)
    group = Replicas(trials, mlp.build(trials, 7), chainer.get_device("@numpy"))
    layout = layout_of([7, 5, 3, 10], spec_of(trials[0].settings))
    return group, layout, StackedParameters(group.network, kind, group.average.arrays, layout.pitch)


def randomise(group, rng):
    for parameter in group.network.params():
        parameter.array[...] = rng.normal(size=parameter.shape)
        for state in parameter.update_rule.state.values():
            state[...] = rng.normal(size=state.shape)
    for array in group.average.arrays.values():
        array[...] = rng.normal(size=array.shape)
    for norm in group.network.batch_norms:
        norm.run_mean[...] = rng.normal(size=norm.run_mean.shape)
        norm.run_scale[...] = rng.normal(size=norm.run_scale.shape)


def in_layout(layout, row, depth):
    """Read W, b, gamma and beta of a layer from a row, by the layout alone."""
    fan_in, width = layout.layers[depth, :2]
    if depth:
        w = row[layout.layers[depth, W] :][: width * fan_in].reshape(width, fan_in)
    else:
        w = row[: fan_in * layout.pitch].reshape(fan_in, layout.pitch)[:, :width].T
    affine = layout.layers[depth, AFFINE]
    return w, row[layout.layers[depth, B] :][:width], row[affine:][:width], row[affine + width :][:width]


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_rows_hold_the_networks_numbers_where_the_layout_says(rng, kind):
    group, layout, rows = stacked(kind, average="0.5")
    randomise(group, rng)
    rows.load()
    network, names = group.network, {**OPTIMIZERS[kind][0], **OPTIMIZERS[kind][1]}
    for replica in range(2):
        own = rows.of(replica)
        for depth, linear in enumerate(network.linears):
            parameters = {f"/linears/{depth}/W": linear.W, f"/linears/{depth}/b": linear.b}
            if depth < 2:
                affine = network.norms[depth].affine
                parameters |= {f"/norms/{depth}/affine/gamma": affine.gamma, f"/norms/{depth}/affine/beta": affine.beta}
            kept = [("p", lambda path, parameter: parameter.array)]
            kept += [("average", lambda path, parameter: group.average.arrays[path])]
            kept += [
                (name, lambda path, parameter, key=key: parameter.update_rule.state[key]) for name, key in names.items()
            ]
            for name, array_of in kept:
                found = in_layout(layout, getattr(own, name), depth)
                for part, (path, parameter) in zip(found, parameters.items(), strict=False):
                    assert (part == array_of(path, parameter)[replica].reshape(part.shape)).all(), (name, path)
        for depth, norm in enumerate(network.batch_norms):
            offset, width = layout.layers[depth, RUN], layout.layers[depth, WIDTH]
            assert (own.run[offset : offset + width] == norm.run_mean[replica, 0]).all()
            assert (own.run[offset + width : offset + 2 * width] == norm.run_scale[replica, 0]).all()
        for name in ("exp_avg", "exp_avg_sq"):
            assert (len(getattr(own, name)) > 0) == (name in names)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("norm", ["{kind: batch}", "{kind: batch, affine: layer}", "{kind: layer}", "{kind: none}"])
def test_what_is_stored_is_what_was_loaded(rng, kind, norm):
    group, _, rows = stacked(kind, average="0.5", norm=norm)
    randomise(group, rng)
    want = group.state_dict()
    rows.load()
    randomise(group, rng)
    rows.store()
    got = group.state_dict()
    assert all(np.array_equal(got[name], want[name]) for name in want)


def test_running_statistics_come_and_go_by_themselves(rng):
    group, _, rows = stacked("momentum_sgd")
    randomise(group, rng)
    rows.load()
    p = rows.p.copy()
    want = [norm.run_scale.copy() for norm in group.network.batch_norms]
    randomise(group, rng)
    rows.store_statistics()
    assert all((norm.run_scale == scale).all() for norm, scale in zip(group.network.batch_norms, want, strict=True))
    randomise(group, rng)
    rows.load_statistics()
    assert (rows.p == p).all()
    assert (rows.run[:, :5] == group.network.batch_norms[0].run_mean[:, 0]).all()


def test_every_row_begins_with_a_cache_line():
    _, _, rows = stacked("adam")
    for array in (rows.p, rows.exp_avg, rows.exp_avg_sq):
        assert all(row.ctypes.data % 64 == 0 for row in array)
