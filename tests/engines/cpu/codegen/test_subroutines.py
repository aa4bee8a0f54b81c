import numba
import numpy as np
import pytest

from bnrenorm.engines.cpu.codegen import decorators


@decorators.inlined
def _total(x, first):
    total = 0.0
    for i in range(first, len(x)):
        total += x[i]
    return total


def _ones(n):
    return np.ones(n).sum()


def test_a_part_has_no_code_but_in_kernels():
    """Kernels that the same process compiles would call it, and it is not optimised."""
    _total.compile((numba.float64[::1], numba.int64))
    part = _total.overloads[numba.float64[::1], numba.int64]
    engine = part.library.codegen._engine
    assert not engine.is_symbol_defined(part.fndesc.mangled_name)
    assert engine.is_symbol_defined(part.fndesc.env_name)


@pytest.mark.parametrize("way", ["kernel", "shared", "inlined", "literal"])
def test_no_kernel_counts_references(monkeypatch, way):
    """To count was a tenth of a step. As numba does not, it lets them make no array."""
    monkeypatch.setattr(decorators, "cache_folder", lambda: None)
    part = getattr(compiled, way)(_ones)
    caller = decorators.kernel(lambda n: part(n))
    with pytest.raises(numba.NumbaError, match="Only accept returning of array"):
        caller(3)
