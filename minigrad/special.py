"""`minigrad.special`: special functions under PyTorch's names; the op blocks that declare "special" (autograd/link.py).

Nothing is defined here: a block or a composite in `minigrad/ops` is the one definition.
"""

from minigrad.autograd.link import SPECIALS, offering

__getattr__, __dir__ = offering(__name__, SPECIALS)
globals().update(SPECIALS)
