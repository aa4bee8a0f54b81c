import numpy as np
import pytest

from bnrenorm.engines.cpu.codegen import probe


def test_the_probe_passes_here_and_leaves_denormals_to_others():
    for _ in range(2):
        probe.run()
        assert np.array([np.finfo(np.float32).tiny]) / 2 > 0


@pytest.mark.parametrize("wrong", [-1, -2])  # the product, the sum
def test_a_wrong_result_is_an_error(monkeypatch, wrong):
    real = probe._probe

    def damaged(*arguments):
        real(*arguments)
        arguments[wrong].flat[1] += 1

    monkeypatch.setattr(probe, "_probe", damaged)
    with pytest.raises(ArithmeticError, match="expected"):
        probe.run()
