"""Engines take training steps and evaluate: the contract, the Chainer engine, the CPU engine and the CUDA engine."""
