"""`minigrad.nn`: layers, losses and how to start and hold their parameters. PyTorch's torch.nn.

In reading order: `parameter.py`, `modules/module.py` (and the three files it names), `modules/linear.py`, then any
layer; `init.py` (initial weights), `functional.py` (the same functions without modules), `utils/`, `parallel.py`.
"""

if __name__ == "nn":
    raise ImportError(
        "import minigrad.nn, not nn: Python found the folder nn/ because it runs in the repository's root, and "
        "importing it by that name would make a second copy of every class. Write `from minigrad import nn`."
    )

from typing import TYPE_CHECKING

from minigrad.nn import attention, common_types, functional, init, modules, parallel, parameter, utils
from minigrad.nn.modules import *
from minigrad.nn.modules.utils import factory_kwargs
from minigrad.nn.parallel import DataParallel
from minigrad.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

if not TYPE_CHECKING:
    __all__ = ["Buffer", "DataParallel", "Parameter", "UninitializedBuffer", "UninitializedParameter", "factory_kwargs"]
    __all__ += ["attention", "common_types", "functional", "init", "modules", "parallel", "parameter", "utils"]
    __all__ += modules.__all__
