import pytest

from bnrenorm.engines.cpu.codegen import probe


def test_the_probe_passes_here():
    probe.run()
    probe.run()


def test_a_wrong_result_is_an_error(monkeypatch):
    monkeypatch.setattr(probe, "_probe", lambda *arguments: None)
    with pytest.raises(ArithmeticError, match="expected"):
        probe.run()
