"""Numba kernels on plain arrays. They know nothing of Tensors or gradients."""
