from typing import Any, NamedTuple

import numba
import numpy as np

from bnrenorm.fused import compiled


class _Pair(NamedTuple):
    x: Any
    y: Any


@compiled.inlined
def _total(x, first):
    total = 0.0
    for i in range(first, len(x)):
        total += x[i]
    return total


def _many_totals(pair, n):
    found = 0.0
    for i in range(n):
        found += _total(pair.x, i) + _total(pair.y, i)
    return found


def test_a_part_has_no_code_but_in_kernels():
    """Kernels that the same process compiles would call it, and it is not optimised."""
    _total.compile((numba.float64[::1], numba.int64))
    part = _total.overloads[numba.float64[::1], numba.int64]
    engine = part.library.codegen._engine
    assert not engine.is_symbol_defined(part.fndesc.mangled_name)
    assert engine.is_symbol_defined(part.fndesc.env_name)


def test_kernels_count_no_references(monkeypatch):
    monkeypatch.setattr(compiled, "cache_folder", lambda: None)
    kernel = compiled.kernel(_many_totals)
    x = np.arange(4.0)
    assert kernel(_Pair(x, 2 * x), 4) == 3 * (6 + 6 + 5 + 3)
    (code,) = kernel.inspect_llvm().values()
    assert "NRT_incref" not in code
    counting = numba.njit(_many_totals)
    assert counting(_Pair(x, 2 * x), 4) == 60
    (code,) = counting.inspect_llvm().values()
    assert "NRT_incref" in code
