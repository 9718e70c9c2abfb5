"""Spectral normalisation by a hook, in PyTorch's old way; the new way is `parametrizations.spectral_norm`."""

from __future__ import annotations

import minigrad
from minigrad.autograd import no_grad
from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.nn.utils.weight_norm import find_hook
from minigrad.tensor import Tensor

__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight with `dim` first and all others as one."""
    others = [d for d in range(weight.dim()) if d != dim]
    return weight.permute(dim, *others).reshape(weight.shape[dim], -1)


def default_dim(module: Module) -> int:
    """The dimension of a weight's outputs: 0, but for transposed convolutions 1."""
    return 1 if getattr(module, "transposed", False) else 0


def random_unit(like: Tensor, size: int, eps: float) -> Tensor:
    """A vector of length 1 in a random direction."""
    return F.normalize(like.new_empty(size).normal_(0, 1), dim=0, eps=eps)


class SpectralNorm:
    """The forward pre-hook that computes the weight. (PyTorch: torch.nn.utils.spectral_norm.SpectralNorm)"""

    _version = 1

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.name = name
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """The weight divided by its largest singular value, as the vectors u and v know it."""
        weight, u, v = (getattr(module, self.name + suffix) for suffix in ("_orig", "_u", "_v"))
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix.mv(v), dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()  # the next forward changes the buffers before this one's backward
        return weight / minigrad.dot(u, matrix.mv(v))

    def __call__(self, module: Module, inputs) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))

    def note_version(self, module, state_dict, prefix, local_metadata) -> None:
        """The hook of `state_dict` that notes, for PyTorch, how the buffers are to be read."""
        local_metadata.setdefault("spectral_norm", {})[self.name + ".version"] = self._version


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """The parameter is divided by its largest singular value, so that the layer lengthens no vector.

    That value is found by power iteration, a step at each forward in training. What is trained is `weight_orig`; the
    vectors are the buffers `weight_u` and `weight_v`. There is also `parametrizations.spectral_norm`.

    Args:
        module (Module): what has the parameter.
        name (str): its name.
        n_power_iterations (int): steps at each forward.
        eps (float): against division by zero.
        dim (int, optional): the dimension of the outputs; None: 0, of transposed convolutions 1.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018).
    PyTorch: torch.nn.utils.spectral_norm
    """
    hook = SpectralNorm(name, n_power_iterations, default_dim(module) if dim is None else dim, eps)
    if find_hook(module, SpectralNorm, name) is not None:
        raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
    weight = module._parameters[name]
    if weight is None:
        raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    height, width = as_matrix(weight.detach(), hook.dim).shape
    u, v = (random_unit(weight.detach(), size, eps) for size in (height, width))
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.data)
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(hook)
    module.register_state_dict_post_hook(hook.note_version)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again. ValueError if it is not normalised.

    PyTorch: torch.nn.utils.remove_spectral_norm
    """
    found = find_hook(module, SpectralNorm, name)
    if found is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    key, hook = found
    weight = hook.compute_weight(module, do_power_iteration=False).detach()
    for suffix in ("", "_u", "_v", "_orig"):
        delattr(module, name + suffix)
    module.register_parameter(name, Parameter(weight))
    del module._forward_pre_hooks[key]
    notes = module._hooks["state_dict"]
    del notes[next(key for key, note in notes.items() if getattr(note, "__self__", None) is hook)]
    return module
