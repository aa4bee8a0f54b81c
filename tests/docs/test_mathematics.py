"""The examples of docs/mathematics.md, by the scalar oracle."""

import re

import pytest

from bnrenorm.norm.semantics import SEMANTICS
from tests import oracle
from tests.docs import pages

PAGE = "docs/mathematics.md"
LIMITS = {"BN": (1.0, 0.0), "BRN": (1.25, 0.5)}
GAMMA, BETA, EPS, RUN_MEAN, RUN_STD = 2.0, 0.5, 1.5, 1.0, 1.5


def numbers(cell):
    return [float(value) for value in cell.split(",")]


def example():
    heading, *rows = next(rows for rows in pages.tables(PAGE) if rows[0][0] == "quantity")
    return {name: {row[0]: numbers(row[i]) for row in rows} for i, name in enumerate(heading[1:], start=1)}


def test_the_example_names_these_values():
    sentence = re.search(r"One feature, four examples.*", pages.text(PAGE))[0]
    values = dict(re.findall(r"(\w+) = ([\d.]+)", sentence))
    want = {"gamma": GAMMA, "beta": BETA, "eps": EPS, "run_mean": RUN_MEAN, "run_std": RUN_STD, "std": 2}
    assert {name: float(value.rstrip(".")) for name, value in values.items()} == {**want, "r_max": 1.25, "d_max": 0.5}


@pytest.mark.parametrize("kind", ["BN", "BRN"])
def test_forward_and_backward(kind):
    page = example()[kind]
    mean, var = oracle.moments(page["x"])
    std = (var + EPS) ** 0.5
    r, d = oracle.corrections(mean, std, RUN_MEAN, RUN_STD, *LIMITS[kind])
    assert [mean, std, r, d] == pytest.approx([page[name][0] for name in ("mean", "std", "r", "d")])
    y = oracle.renorm_column(page["x"], GAMMA, BETA, RUN_MEAN, RUN_STD, *LIMITS[kind], EPS)
    assert y == pytest.approx(page["y"])
    gx, ggamma, gbeta = oracle.renorm_column_gradient(page["gy"], page["x"], GAMMA, r, d, EPS)
    assert gx == pytest.approx(page["gx"])
    assert [ggamma, gbeta] == pytest.approx([page["ggamma"][0], page["gbeta"][0]])


def test_running_statistics():
    mean, var = oracle.moments(example()["BRN"]["x"])
    std = (var + EPS) ** 0.5
    scales = {"chainer": (RUN_STD**2 - EPS, var * 4 / 3), "paper": (RUN_STD, std)}
    for name, run_mean, before, run_scale in pages.table(PAGE, "semantics", "run_mean"):
        start, new = scales[name]
        decay = SEMANTICS[name].decay
        assert float(before) == pytest.approx(start)
        assert float(run_mean) == pytest.approx(oracle.running(RUN_MEAN, [mean], decay))
        assert float(run_scale) == pytest.approx(oracle.running(start, [new], decay), abs=1e-5)


def test_the_semantics_defaults():
    for name, _, _, decay, eps in pages.table(PAGE, "norm.semantics"):
        assert (SEMANTICS[name].decay, SEMANTICS[name].eps) == (float(decay), float(eps))
