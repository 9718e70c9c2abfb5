"""The layers, one family a file, in PyTorch's files (torch.nn.modules). They are used as ``nn.<name>``.

Each file's `__all__` is what it offers; nothing is listed twice.
"""

from minigrad.nn.modules import (
    activation,
    batchnorm,
    container,
    conv,
    dropout,
    flatten,
    linear,
    loss,
    normalization,
    pooling,
    sparse,
)
from minigrad.nn.modules.activation import *
from minigrad.nn.modules.batchnorm import *
from minigrad.nn.modules.container import *
from minigrad.nn.modules.conv import *
from minigrad.nn.modules.dropout import *
from minigrad.nn.modules.flatten import *
from minigrad.nn.modules.linear import *
from minigrad.nn.modules.loss import *
from minigrad.nn.modules.module import Module
from minigrad.nn.modules.normalization import *
from minigrad.nn.modules.pooling import *
from minigrad.nn.modules.sparse import *

_FAMILIES = (
    activation, batchnorm, container, conv, dropout, flatten, linear, loss, normalization, pooling, sparse,
)  # fmt: skip
__all__ = ["Module", *(name for family in _FAMILIES for name in family.__all__)]
