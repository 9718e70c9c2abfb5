"""Weight normalisation by a hook, in PyTorch's old way; the new way is `parametrizations.weight_norm`."""

from __future__ import annotations

import warnings

from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]


def norms_except_dim(v: Tensor, dim: int) -> Tensor:
    """The 2-norms of the parts of `v` along `dim`, with the other dimensions of size 1; of -1, the norm of all."""
    if dim == -1:
        return v.norm()
    parts = v.transpose(0, dim)
    return parts.reshape(parts.shape[0], -1).norm(dim=1).view([-1 if d == dim else 1 for d in range(v.dim())])


def normalized(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """``g v / ‖v‖``."""
    return v * (g / norms_except_dim(v, dim))


class WeightNorm:
    """The forward pre-hook that computes the weight. (PyTorch: torch.nn.utils.weight_norm.WeightNorm)"""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight, of the parameters as they are now."""
        return normalized(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    def __call__(self, module: Module, inputs) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """The parameter becomes ``g v / ‖v‖``: its length `weight_g` and its direction `weight_v` are trained apart.

    Deprecated, as in PyTorch: use `parametrizations.weight_norm`.

    Args:
        module (Module): what has the parameter.
        name (str): its name.
        dim (int, optional): the dimension along which there is a length for each part; None: one length in all.

    Source: Salimans and Kingma, Weight Normalization (2016). PyTorch: torch.nn.utils.weight_norm
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    if find_hook(module, WeightNorm, name) is not None:
        raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
    hook, weight = WeightNorm(name, dim), getattr(module, name)
    delattr(module, name)
    module.register_parameter(name + "_g", Parameter(norms_except_dim(weight.detach(), hook.dim)))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    hook(module, None)
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again. ValueError if it is not normalised.

    PyTorch: torch.nn.utils.remove_weight_norm
    """
    found = find_hook(module, WeightNorm, name)
    if found is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    key, hook = found
    weight = hook.compute_weight(module).detach()
    for suffix in ("", "_g", "_v"):
        delattr(module, name + suffix)
    module.register_parameter(name, Parameter(weight))
    del module._forward_pre_hooks[key]
    return module


def find_hook(module, kind, name):
    """The forward pre-hook of this kind for the parameter of this name, as (key, hook), or None."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            return key, hook
    return None
