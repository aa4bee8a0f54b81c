"""Training and judging on a CPU, compiled: a whole step of one replica without leaving its core's cache.

`norm.formulas` and the Chain of `model` are the specification; every kernel is tested against them.
"""
