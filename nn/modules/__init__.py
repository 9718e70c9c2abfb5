"""The layers, one family a file, in PyTorch's files (torch.nn.modules). They are used as ``nn.<name>``.

Each file's `__all__` is what it offers; nothing is listed twice.
"""

from typing import TYPE_CHECKING

from minigrad.nn.modules import (
    activation,
    adaptive,
    batchnorm,
    channelshuffle,
    container,
    conv,
    distance,
    dropout,
    flatten,
    fold,
    instancenorm,
    linear,
    loss,
    normalization,
    padding,
    pixelshuffle,
    pooling,
    rnn,
    sparse,
    transformer,
    upsampling,
)
from minigrad.nn.modules.activation import *
from minigrad.nn.modules.adaptive import *
from minigrad.nn.modules.batchnorm import *
from minigrad.nn.modules.channelshuffle import *
from minigrad.nn.modules.container import *
from minigrad.nn.modules.conv import *
from minigrad.nn.modules.distance import *
from minigrad.nn.modules.dropout import *
from minigrad.nn.modules.flatten import *
from minigrad.nn.modules.fold import *
from minigrad.nn.modules.instancenorm import *
from minigrad.nn.modules.linear import *
from minigrad.nn.modules.loss import *
from minigrad.nn.modules.module import Module
from minigrad.nn.modules.normalization import *
from minigrad.nn.modules.padding import *
from minigrad.nn.modules.pixelshuffle import *
from minigrad.nn.modules.pooling import *
from minigrad.nn.modules.rnn import *
from minigrad.nn.modules.sparse import *
from minigrad.nn.modules.transformer import *
from minigrad.nn.modules.upsampling import *

if not TYPE_CHECKING:  # type checkers cannot add lists up; what the star imports bring is public to them anyway
    __all__ = ["Module"]
    __all__ += activation.__all__
    __all__ += adaptive.__all__
    __all__ += batchnorm.__all__
    __all__ += channelshuffle.__all__
    __all__ += container.__all__
    __all__ += conv.__all__
    __all__ += distance.__all__
    __all__ += dropout.__all__
    __all__ += flatten.__all__
    __all__ += fold.__all__
    __all__ += instancenorm.__all__
    __all__ += linear.__all__
    __all__ += loss.__all__
    __all__ += normalization.__all__
    __all__ += padding.__all__
    __all__ += pixelshuffle.__all__
    __all__ += pooling.__all__
    __all__ += rnn.__all__
    __all__ += sparse.__all__
    __all__ += transformer.__all__
    __all__ += upsampling.__all__
