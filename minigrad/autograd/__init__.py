"""Automatic differentiation: recording (`door`), the graph (`node`), the walk (`engine`), and the user's names.

Importing this package only reaches the modes; the rest is loaded with minigrad itself.
"""

import importlib
from typing import TYPE_CHECKING

from minigrad.autograd.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

__all__ = [
    "Function", "GradcheckError", "Variable", "anomaly_mode", "backward", "detect_anomaly", "enable_grad",
    "functional", "grad", "gradcheck", "gradgradcheck", "graph", "inference_mode", "is_grad_enabled",
    "is_inference_mode_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip

if TYPE_CHECKING:  # the names that `__getattr__` brings
    from minigrad.autograd import anomaly_mode, graph
    from minigrad.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
    from minigrad.autograd.derivatives import backward, grad
    from minigrad.autograd.function import Function, Variable
    from minigrad.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

_HOME = {
    "Function": "function", "backward": "derivatives", "grad": "derivatives", "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck", "GradcheckError": "gradcheck", "Variable": "function",
    "detect_anomaly": "anomaly_mode", "set_detect_anomaly": "anomaly_mode",
}  # fmt: skip
_MODULES = ("anomaly_mode", "collector", "function", "functional", "graph")


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module("minigrad.autograd." + name)
    if name not in _HOME:
        raise AttributeError(f"module 'minigrad.autograd' has no attribute {name!r}")
    module = importlib.import_module("minigrad.autograd." + _HOME[name])
    for known, home in _HOME.items():  # after this `autograd.gradcheck` is the function, not the module it is in
        if home == _HOME[name]:
            globals()[known] = getattr(module, known)
    return globals()[name]
