"""Engines take training steps and evaluate: the contract, the Chainer engine and the CPU engine."""
