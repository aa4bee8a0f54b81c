"""Training and evaluation compiled for a CPU: a whole step of one replica without leaving its core's cache.

`norm.formulas` and the Chainer engine are the specification; every kernel is tested against them.
"""
