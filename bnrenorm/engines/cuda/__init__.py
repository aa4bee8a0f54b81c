"""The CUDA engine: training steps and evaluation by kernels of its own and cuBLAS, in place on the network's arrays."""
