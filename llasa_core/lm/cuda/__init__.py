"""Kernels for decoding on a GPU, in Triton; imported only where there is one."""
