"""`minigrad.linalg`: linear algebra under PyTorch's names; the op blocks that declare "linalg" (autograd/link.py).

A block or a composite in `minigrad/ops` is the one definition of what is here; only what cannot be had is said here.
"""

from minigrad.autograd.link import LINALGS, offering
from minigrad.errors import LinAlgError

__all__ = ["LinAlgError", "eig", "eigvals", *LINALGS]

COMPLEX = (
    "linalg.{0}(): complex numbers are not supported, and the eigenvalues of a matrix that is not symmetric are "
    "complex: for a symmetric matrix use linalg.{1}()"
)


def eig(A):
    """eig(A): NotImplementedError; for symmetric matrices there is `eigh`. (PyTorch: torch.linalg.eig)"""
    raise NotImplementedError(COMPLEX.format("eig", "eigh"))


def eigvals(A):
    """eigvals(A): NotImplementedError; for symmetric matrices there is `eigvalsh`. (PyTorch: torch.linalg.eigvals)"""
    raise NotImplementedError(COMPLEX.format("eigvals", "eigvalsh"))


__getattr__, __dir__ = offering(__name__, LINALGS)
globals().update(LINALGS)
