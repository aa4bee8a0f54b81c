import sys

import pytest

from bnrenorm.cli.commands import doctor
from bnrenorm.data import mnist
from bnrenorm.norm import formulas


def by_name():
    return {finding.what: finding for finding in doctor.examine()}


def test_a_sound_machine_is_found_sound():
    found = by_name()
    assert set(found) == {"Python", "NumPy", "Chainer", "BLAS", "kernels", "GPU", "digits", "links"}
    assert all(finding.ok for finding in found.values())


def test_without_numba_the_formulas_serve(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    finding = by_name()["kernels"]
    assert finding.ok
    assert "the formulas serve, several times slower" in finding.found
    assert finding.mend == "pip install --upgrade numba"


def test_tampered_digits_are_found_with_what_mends_them(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "FILE", tmp_path / "missing.npz")
    mnist.digits.cache_clear()
    finding = by_name()["digits"]
    mnist.digits.cache_clear()
    assert not finding.ok
    assert "pip install" in finding.mend


@pytest.mark.parametrize("name", ["corrections", "forward", "moments"])
def test_wrong_arithmetic_is_found(monkeypatch, name):
    real = getattr(formulas, name)

    def wrong(*arguments):
        found = real(*arguments)
        return (found[0] * 1.001, *found[1:]) if isinstance(found, tuple) else found * 1.001

    monkeypatch.setattr(formulas, name, wrong)
    assert not by_name()["links"].ok


def test_a_chainer_that_does_not_import_is_a_finding_and_not_a_crash(monkeypatch):
    monkeypatch.setitem(sys.modules, "chainer", None)
    finding = by_name()["chainer"]
    assert not finding.ok
    assert "pip install chainer==7.8.1" in finding.mend


def test_another_chainer_is_found_with_what_mends_it(monkeypatch):
    from bnrenorm import _compat

    monkeypatch.setattr(_compat.chainer, "__version__", "7.8.0")
    finding = by_name()["Chainer"]
    assert not finding.ok
    assert "pip install chainer==7.8.1" in finding.mend


def test_a_gpu_is_named_with_its_cupy(monkeypatch):
    monkeypatch.setattr(doctor._compat, "gpu_count", lambda: 2)
    monkeypatch.setattr(doctor.environment, "gpu", lambda on: "H200")
    monkeypatch.setattr(doctor.environment, "versions", lambda: {"python": "3.13.0", "cupy-cuda12x": "14.2.0"})
    assert doctor._gpu().found == "H200 (2 in all), cupy-cuda12x 14.2.0"
