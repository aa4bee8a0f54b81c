import numpy as np
import pytest

from bnrenorm.runs import memory
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.errors import InputError
from tests.conftest import some_digits


@pytest.mark.parametrize(("text", "want"), [("4GiB", 2**32), ("500 MB", 5 * 10**8), ("1.5KiB", 1536), ("7", 7)])
def test_memory_is_read_with_its_unit(text, want):
    assert memory.parse_memory(text) == want


@pytest.mark.parametrize("text", ["", "4 gigs", "-1GiB", "0", "GiB"])
def test_other_memory_is_refused(text):
    with pytest.raises(InputError, match="--memory .*expected a size such as 4GiB"):
        memory.parse_memory(text)


@pytest.mark.parametrize("kernels", ["fused", "formulas"])
def test_a_group_takes_what_its_replicas_take_and_something_besides(kernels):
    data = some_digits(2000, 500)

    def need(text):
        (trial,) = build(document.parse(f"name: a\n{text}", "x.yaml")).trials(2000)
        return memory.need(trial, data, kernels)

    full, wide = need("model: {hidden: [100]}"), need("model: {hidden: [200]}")
    assert wide.of(3) - wide.of(2) > 1.5 * (full.of(3) - full.of(2))
    assert full.fitting(full.of(5)) == 5
    assert full.fitting(1) == 1
    assert full.fixed > data.x_train.nbytes * 5  # bytes, and as float32
    assert need("training: {optimizer: {kind: adam}}").each >= need("training: {optimizer: {kind: sgd}}").each


def test_fused_replicas_share_their_activations():
    data = some_digits(2000, 500)
    (trial,) = build(document.parse("name: a", "x.yaml")).trials(2000)
    fused, formulas = (memory.need(trial, data, kernels) for kernels in ("fused", "formulas"))
    lit, tested = (np.count_nonzero(x) for x in (data.x_train, data.x_test))
    assert fused.fixed - formulas.fixed == 4 * 2000 * (400 + 10) + 8 * (2 * lit + tested)
    assert fused.each < formulas.each
