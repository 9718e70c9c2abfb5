"""`minigrad.backends`: the switches of libraries that PyTorch computes with. (PyTorch: torch.backends)

Programs set them (``torch.backends.cudnn.benchmark = True``), so they can be set and read; nothing here depends on
them. None of those libraries is used: whatever asks `is_available` hears no.
"""

from minigrad.backends import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]
