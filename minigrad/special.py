"""`minigrad.special`: special functions under PyTorch's names; the op blocks that declare "special" (autograd/link.py).

Nothing is defined here: a block or a composite in `minigrad/ops` is the one definition.
"""

from minigrad.autograd.link import SPECIALS


def __getattr__(name):
    try:
        return SPECIALS[name]
    except KeyError:
        raise AttributeError(f"module 'minigrad.special' has no attribute {name!r}") from None


def __dir__():
    return sorted([*globals(), *SPECIALS])


globals().update(SPECIALS)
