"""`minigrad.nn.functional`: the functions of the op blocks that declare "functional", under PyTorch's names.

Nothing is defined here: a block or a composite in `minigrad/ops` is the one definition (CONTRIBUTING shows how to add
one), and `autograd.link` hangs it into this module too.
"""

from minigrad.autograd.link import FUNCTIONALS, offering

__getattr__, __dir__ = offering(__name__, FUNCTIONALS)
globals().update(FUNCTIONALS)
