"""`minigrad.nn.functional`: the functions of the op blocks that declare "functional", under PyTorch's names.

Nothing is defined here: a block or a composite in `minigrad/ops` is the one definition (CONTRIBUTING shows how to add
one), and `autograd.link` hangs it into this module too.
"""

from minigrad.autograd.link import FUNCTIONALS


def __getattr__(name):
    try:
        return FUNCTIONALS[name]
    except KeyError:
        raise AttributeError(f"module 'minigrad.nn.functional' has no attribute {name!r}") from None


def __dir__():
    return sorted([*globals(), *FUNCTIONALS])


globals().update(FUNCTIONALS)
