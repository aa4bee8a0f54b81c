"""The proof of right numbers, on a card made of NumPy that is right, and on some that are not."""

import numpy as np
import pytest

from bnrenorm.cli.proof import numbers, products, rows
from bnrenorm.engines.cuda.rows import pieces_of
from tests.cli.proof.card import Card


class Steep(Card):
    """Gradients of weights are a thousandth too large."""

    def gradient(self, g, x, out):
        super().gradient(g, x, out)
        out *= 1.001


class Overstating(Card):
    """Trains as it should, and reports a loss of its batches of 40 images that is a thousandth too large."""

    def add_losses(self, partial, n, sums):
        super().add_losses(1.001 * partial if n == 40 else partial, n, sums)


def results(table):
    return {row.check: row.ok for row in table}


@pytest.mark.parametrize(("card", "ok"), [(Card, True), (Steep, False)])
def test_a_gradient_is_compared_with_differences_of_the_loss(use, card, ok):
    use(card)
    assert results(numbers.gradients("cpu")) == {
        "gradient by differences, small batches": True,  # by kernels of their own
        "gradient by differences, any batches": ok,
    }


@pytest.mark.slow
@pytest.mark.parametrize(("card", "ok"), [(Card, True), (Steep, False), (Overstating, False)])
def test_trainings_are_compared_with_the_cpu(use, monkeypatch, card, ok):
    use(card)
    monkeypatch.setattr(numbers, "_PROVEN", {"job": "training.batch: 40"})
    assert results(numbers.steps("cpu")) == {
        "job, losses of 200 steps in float64 against the CPU": ok,
        "job, losses of 20 steps in float32 against the CPU": ok,
    }


def test_a_kernel_is_judged_by_its_worst_launch_in_either_precision(use, monkeypatch):
    class Checked(Card):
        """Finds its errors when it takes a step, in float64 smaller ones."""

        def __init__(self, ops):
            super().__init__(ops.dtype)
            self.errors, self.found = {}, next(errors)

        def update_weights(self, tensor, gradient, context):
            super().update_weights(tensor, gradient, context)
            factor = 1e-5 if tensor.value.dtype == np.float64 else 1
            self.errors = {name: factor * error for name, error in self.found.items()}

    errors = iter(2 * [{"sweep": 1e-6, "enter": 1e-6}, {"enter": 3e-6}, {"enter": 1e-8}])
    use(Card)
    monkeypatch.setattr("bnrenorm.engines.cuda.checked.Checked", Checked)
    monkeypatch.setattr(numbers, "_CASES", [numbers._CASES[i] for i in (1, 4, 7)])
    assert [str(row) for row in numbers.kernels("cpu")] == [
        "| kernel enter, float32 | 3.0e-06 | below 5e-06 | ok |",
        "| kernel sweep, float32 | 1.0e-06 | below 5e-06 | ok |",
        "| kernel enter, float64 | 3.0e-11 | below 1e-10 | ok |",
        "| kernel sweep, float64 | 1.0e-11 | below 1e-10 | ok |",
    ]


@pytest.mark.parametrize("check", [True, False])
def test_launches_are_compared_with_biases_that_are_not_0(use, monkeypatch, check):
    use(Card)
    monkeypatch.setattr("bnrenorm.engines.cuda.checked.Checked", lambda ops: ops)
    data = rows.noise(20, 5, 3)
    training = rows.cuda_training(rows.trials("model: {hidden: [4]}", data), data, "cpu", check=check)
    assert [linear.b.array.any() for linear in training.engine.network.linears] == [check, check]


class Coarse(Card):
    """Products by tensor cores have errors of a thousandth."""

    def pixel_product(self, x, parts, runs, out):
        super().pixel_product(x, parts, runs, out)
        out *= 1.001


class Old(Card):
    has_tensor_cores = False


@pytest.mark.parametrize(("card", "faults"), [(Card, []), (Coarse, ["product of images and weights by tensor cores"])])
def test_both_kinds_of_products_are_compared_with_float64s(use, card, faults):
    assert pieces_of(products._IMAGES) == 2
    use(card)
    table = list(products.rows("cpu"))
    assert [row.check for row in table] == [
        f"product of {name} by {kind}"
        for kind in ("tensor cores", "float32")
        for name in ("images and weights", "gradients and images")
    ]
    assert [row.check for row in table if not row.ok] == faults


def test_an_old_card_has_no_tensor_cores_to_compare(use):
    use(Old)
    assert [(row.check, row.ok) for row in products.rows("cpu")] == [
        ("products by tensor cores", True),
        ("product of images and weights by float32", True),
        ("product of gradients and images by float32", True),
    ]
