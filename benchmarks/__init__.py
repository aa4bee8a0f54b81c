"""Benchmark of bnrenorm against stock Chainer, PyTorch, JAX and the bare matrix products, on one machine."""
