"""`minigrad.linalg`: linear algebra under PyTorch's names; the op blocks that declare "linalg" (autograd/link.py).

Nothing is defined here: a block or a composite in `minigrad/ops` is the one definition.
"""

from minigrad.autograd.link import LINALGS
from minigrad.errors import LinAlgError

__all__ = ["LinAlgError", *LINALGS]


def __getattr__(name):
    try:
        return LINALGS[name]
    except KeyError:
        raise AttributeError(f"module 'minigrad.linalg' has no attribute {name!r}") from None


def __dir__():
    return sorted([*globals(), *LINALGS])


globals().update(LINALGS)
