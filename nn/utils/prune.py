"""Pruning: weights, or whole channels, are held at zero by a mask. PyTorch: torch.nn.utils.prune

A parameter `weight` that is pruned becomes three things::

    weight_orig   the parameter, whole: this is what is trained and saved
    weight_mask   a buffer of its shape, 1 where the weight is kept and 0 where it is pruned
    weight        weight_orig · weight_mask, an ordinary attribute; a forward pre-hook computes it before every forward

No gradient passes a mask's zeros, so what is pruned is not trained either. `remove` makes the product the parameter
again. A parameter can be pruned several times: each method then sees only what the earlier ones kept, and the hook is a
`PruningContainer`, the list of them. The tensors keep their size: zeros save neither memory nor time here.

Sources: LeCun, Denker, Solla, Optimal Brain Damage (1990); Han, Pool, Tran, Dally, Learning both Weights and
Connections for Efficient Neural Networks (2015); of channels, Li et al., Pruning Filters for Efficient ConvNets (2017).
"""

from __future__ import annotations

from collections.abc import Iterable

import minigrad
from minigrad.nn.modules.module import Module
from minigrad.nn.utils.convert_parameters import parameters_to_vector
from minigrad.nn.utils.prune_base import (
    BasePruningMethod,
    PruningContainer,
    check_scores,
    kind_of,
    narrowed,
    prunes,
    tensor_of,
)
from minigrad.nn.utils.prune_methods import (
    CustomFromMask,
    Identity,
    L1Unstructured,
    LnStructured,
    RandomStructured,
    RandomUnstructured,
)
from minigrad.tensor import Tensor

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "PruningContainer",
    "RandomStructured", "RandomUnstructured", "custom_from_mask", "global_unstructured", "identity", "is_pruned",
    "l1_unstructured", "ln_structured", "random_structured", "random_unstructured", "remove",
]  # fmt: skip


def identity(module: Module, name: str) -> Module:
    """`Identity` for a parameter: `weight_orig`, a `weight_mask` of ones, and the hook. Returns the module.

    PyTorch: torch.nn.utils.prune.identity
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: int | float) -> Module:
    """Prune numbers of a parameter at random; `amount` as in `RandomUnstructured`. Returns the module.

    PyTorch: torch.nn.utils.prune.random_unstructured
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: int | float, importance_scores: Tensor | None = None) -> Module:
    """Prune the numbers of a parameter that are smallest in size, or in that of their `importance_scores` (a tensor of
    the parameter's shape); `amount` as in `L1Unstructured`. Returns the module.

    Example:
        >>> import minigrad
        >>> from minigrad import nn
        >>> from minigrad.nn.utils import prune
        >>> layer = nn.Linear(4, 1)
        >>> layer.weight.data = minigrad.tensor([[0.5, -0.1, 0.2, -2.0]])
        >>> layer = prune.l1_unstructured(layer, "weight", amount=2)
        >>> layer.weight
        tensor([[ 0.5000, -0.0000,  0.0000, -2.0000]], grad_fn=<MulBackward0>)
        >>> [name for name, _ in layer.named_parameters()]
        ['bias', 'weight_orig']

    PyTorch: torch.nn.utils.prune.l1_unstructured
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: int | float, dim: int) -> Module:
    """Prune channels of a parameter, along `dim`, at random; `amount` as in `RandomStructured`. Returns the module.

    PyTorch: torch.nn.utils.prune.random_structured
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module,
    name: str,
    amount: int | float,
    n: float | str,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Prune the channels of a parameter, along `dim`, whose n-norm is smallest, or that of their `importance_scores` (a
    tensor of the parameter's shape); `amount` and `n` as in `LnStructured`. Returns the module.

    PyTorch: torch.nn.utils.prune.ln_structured
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs,
) -> None:
    """Prune several parameters as if they were one long vector: what goes is the least of all, in whatever layer.

    Each parameter then has `CustomFromMask` with its part of the mask.

    Args:
        parameters: pairs (module, name of its parameter).
        pruning_method: a class whose `PRUNING_TYPE` is "unstructured".
        importance_scores (dict, optional): {(module, name): a tensor of the parameter's shape}, to choose by in place
            of the parameters; those that are not in it stand for themselves.
        kwargs: for ``pruning_method(...)``, such as `amount`, which here is of all parameters together.

    Raises:
        TypeError: if `parameters` has no pairs, `importance_scores` is no dict of tensors, or the method is of another
            type.
        AttributeError: if a module has nothing of the name.
        AssertionError: if scores have another shape than their parameter.

    PyTorch: torch.nn.utils.prune.global_unstructured
    """
    if not isinstance(parameters, Iterable):
        raise TypeError(
            f"global_unstructured(): parameters is {kind_of(parameters)}, not an Iterable; expected pairs like "
            "[(model.conv1, 'weight'), (model.fc, 'weight')]"
        )
    importance_scores = {} if importance_scores is None else importance_scores
    if not isinstance(importance_scores, dict):
        raise TypeError(
            f"global_unstructured(): importance_scores is {kind_of(importance_scores)}, expected a dict of "
            "(module, name) to a tensor"
        )
    places = list(parameters)
    for place in places:
        if not isinstance(place, tuple | list) or len(place) != 2:
            raise TypeError(
                f"global_unstructured(): parameters has what is {kind_of(place)}, expected pairs (module, name) like "
                "(model.fc, 'weight')"
            )
    tensors = [tensor_of("global_unstructured()", module, name) for module, name in places]
    scores = [
        importance_scores.get((module, name), tensor) for (module, name), tensor in zip(places, tensors, strict=True)
    ]
    for (module, name), tensor, score in zip(places, tensors, scores, strict=True):
        check_scores("global_unstructured()", score, tensor, f"'{name}' of {module._get_name()}")
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f"global_unstructured(): {pruning_method.__name__} is of PRUNING_TYPE '{method.PRUNING_TYPE}', expected "
            "one of 'unstructured', such as L1Unstructured: the channels of several layers do not compare"
        )
    masks = [
        getattr(module, name + "_mask", minigrad.ones_like(tensor))
        for (module, name), tensor in zip(places, tensors, strict=True)
    ]
    mask = narrowed(method, parameters_to_vector(scores), parameters_to_vector(masks))
    for (module, name), tensor, part in zip(places, tensors, mask.split([t.numel() for t in tensors]), strict=True):
        custom_from_mask(module, name, part.view_as(tensor))


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune a parameter by a mask of its shape, 0 where a number goes. Returns the module.

    PyTorch: torch.nn.utils.prune.custom_from_mask
    """
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module: Module, name: str) -> Module:
    """Make the pruned tensor an ordinary parameter, and take the hook away. What is pruned stays zero, but is trained
    from now on. Returns the module. ValueError if the parameter is not pruned.

    PyTorch: torch.nn.utils.prune.remove
    """
    for key, hook in module._forward_pre_hooks.items():
        if prunes(hook, name):
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"remove: '{name}' of {module._get_name()} is not pruned; prune it before, or leave remove out")


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of one within it, is pruned. (PyTorch: torch.nn.utils.prune.is_pruned)"""
    return any(
        isinstance(hook, BasePruningMethod) for each in module.modules() for hook in each._forward_pre_hooks.values()
    )
