"""Benchmark of bnrenorm against PyTorch on a GPU: all contenders in one process, and the roofline of the card."""
