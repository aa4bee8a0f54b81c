"""bnrenorm beside stock Chainer, PyTorch, JAX and the bare matrix products, in turn on one machine."""
