"""Modules whose initial weights do not matter. PyTorch: torch.nn.utils.init"""

from __future__ import annotations

import inspect

from minigrad.nn.modules.module import Module
from minigrad.random import fork_rng

__all__ = ["skip_init"]


def skip_init(module_cls: type[Module], *args, **kwargs) -> Module:
    """``module_cls(*args, **kwargs)`` with parameters of which nothing may be expected: random numbers are drawn, but
    the stream of the seed goes on as if not.

    Raises:
        RuntimeError: if it is no class of modules, or (PyTorch's condition) takes no argument `device`.

    PyTorch: torch.nn.utils.skip_init
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    with fork_rng():
        return module_cls(*args, **kwargs)
