"""Who takes training steps: the contract, the Chainer engine, and the CPU engine."""
