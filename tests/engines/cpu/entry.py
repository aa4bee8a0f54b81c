"""A way into kernels' inner functions, which Python cannot call by themselves."""

import types

import numba
from numba.core.registry import CPUDispatcher


def entry(function):
    """Compile a function that calls the inner one."""

    @numba.njit
    def call(*arguments):
        return function(*arguments)

    return call


def entries(module):
    """Do so for all inner functions of a module."""
    found = {name: each for name, each in vars(module).items() if isinstance(each, CPUDispatcher)}
    return types.SimpleNamespace(**{name: entry(each) for name, each in found.items()})
