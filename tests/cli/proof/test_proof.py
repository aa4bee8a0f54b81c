"""The proof on a GPU, with experiments that are short on any device; and its command without one."""

import numpy as np
import pytest

from bnrenorm import _compat
from bnrenorm.cli import proof
from bnrenorm.cli.proof import bits, numbers, speed
from bnrenorm.cli.proof.rows import Row
from bnrenorm.engines.cuda.launches import Launches


@pytest.fixture
def short(monkeypatch):
    """Small and few experiments; a kernel of every source among them."""
    monkeypatch.setattr(numbers, "_CASES", [numbers._CASES[i] for i in (0, 2, 8, 11)])
    monkeypatch.setattr(numbers, "_PROVEN", {"full batch": numbers._PROVEN["full batch"]})
    monkeypatch.setattr(bits, "_COMPANIES", (1, 3))
    for name, value in (("COPY", 2**16), ("SQUARE", 32), ("IMAGES", (200, 50))):
        monkeypatch.setattr(speed, name, value)
    monkeypatch.setattr(speed, "_JOBS", {"batch of 32": ("training.batch: 32\nmodel.hidden: [20]", 2)})


@pytest.mark.gpu
@pytest.mark.slow
def test_every_check_is_fine_on_a_gpu(short):
    table = list(proof.prove("cuda:0"))
    assert [row for row in table if not row.ok] == []
    checks = " ".join(f"{row.check} {row.result}" for row in table)
    for word in ("card", "copy", "kernel middle, float64", "gradient", "200 steps in float64", "resume", "CUDA graph",
                 "company", "memory", "batch of 32"):  # fmt: skip
        assert word in checks
    assert ("kernel sweep, float32" in checks) is Launches(np.float32).has_tensor_cores


@pytest.mark.gpu
@pytest.mark.slow
def test_a_broken_kernel_is_a_bad_row(short, monkeypatch):
    right = Launches.enter

    def enter(self, z, bias, rows, *, relu, factor=None, partial=None):
        right(self, z, 2 * bias, rows, relu=relu, factor=factor, partial=partial)

    monkeypatch.setattr(Launches, "enter", enter)
    bad = [row.check for row in numbers.kernels("cuda:0") if not row.ok]
    assert bad == ["kernel enter, float32", "kernel enter, float64"]


def test_on_a_card_that_fails_each_check_is_a_bad_row_and_the_next_one_runs():
    table = list(proof.prove("cuda:99"))
    assert [row.check for row in table] == [
        *("card", "kernels", "kernels", "products", "gradient, small batches", "gradient, any batches"),
        *(f"{name}, {many} steps" for name in numbers._PROVEN for many in (200, 20)),
        *(*bits._JOBS, "memory", *speed._JOBS),
    ]
    assert not any(row.ok for row in table)


@pytest.mark.parametrize(("rows", "code"), [([Row("a", "b")], 0), ([Row("a", "b"), Row("c", "d", "e", False)], 1)])
def test_the_command_prints_a_table_and_tells_by_its_exit_code(call, monkeypatch, rows, code):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 1)
    monkeypatch.setattr("bnrenorm.engines.device.problem", lambda index: None)
    monkeypatch.setattr(proof, "prove", lambda device: iter(rows) if device == "cuda:0" else None)
    got, out, _ = call("doctor", "--device", "cuda")
    assert got == code
    assert out.splitlines() == ["| check | result | expected | |", "| --- | --- | --- | --- |", *map(str, rows)]


@pytest.mark.parametrize(
    ("device", "text"), [("cuda", "cuda:0: there is no such GPU"), ("auto", "expected cuda or cuda:N")]
)
def test_without_a_gpu_the_command_is_bad_input(call, monkeypatch, device, text):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 0)
    code, _, error = call("doctor", "--device", device)
    assert code == 2
    assert text in error
    assert len(error.splitlines()) == 1
