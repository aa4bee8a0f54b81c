"""A way into kernels' subroutines, which Python cannot call by themselves."""

import types

import numba
import numba.extending


def entry(subroutine):
    """Compile a function that calls the subroutine."""

    @numba.njit
    def call(*arguments):
        return subroutine(*arguments)

    return call


def entries(module):
    """Do so for all compiled functions of a module."""
    functions = {name: value for name, value in vars(module).items() if numba.extending.is_jitted(value)}
    return types.SimpleNamespace(**{name: entry(value) for name, value in functions.items()})
