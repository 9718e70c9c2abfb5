"""The methods of `prune`: what they choose to prune, and from what numbers."""

from __future__ import annotations

import numbers

import minigrad
from minigrad.nn.modules.module import Module
from minigrad.nn.utils.prune_base import BasePruningMethod, dim_of, kind_of
from minigrad.tensor import Tensor

__all__ = [
    "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "RandomStructured", "RandomUnstructured",
]  # fmt: skip


class Identity(BasePruningMethod):
    """Prunes nothing: the mask is ones (or what earlier methods left). For the names and the hook alone.

    PyTorch: torch.nn.utils.prune.Identity
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask

    @classmethod
    def apply(cls, module: Module, name: str):  # type: ignore[override]  # its own arguments, as PyTorch's
        """`BasePruningMethod.apply` with these arguments."""
        return super().apply(module, name)


class RandomUnstructured(BasePruningMethod):
    """Prunes numbers at random, the same ones as PyTorch for the seed.

    Args:
        amount (int or float): how many; a float is the fraction of those that are left, from 0 to 1.

    Raises:
        TypeError, ValueError: for another amount; when it prunes, ValueError for more than there are.

    PyTorch: torch.nn.utils.prune.RandomUnstructured
    """

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: int | float) -> None:
        self.amount = _checked_amount(type(self), amount)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _count(self, t.numel())
        if count == 0:  # then no random number is drawn
            return default_mask.clone()
        return _without(default_mask, minigrad.rand_like(t).reshape(-1).topk(count).indices)

    @classmethod
    def apply(cls, module: Module, name: str, amount: int | float):  # type: ignore[override]  # its own arguments, as PyTorch's
        """`BasePruningMethod.apply` with these arguments."""
        return super().apply(module, name, amount=amount)


class L1Unstructured(BasePruningMethod):
    """Prunes the numbers of smallest size ``|w|``.

    Args:
        amount (int or float): how many; a float is the fraction of those that are left, from 0 to 1.

    Raises:
        TypeError, ValueError: for another amount; when it prunes, ValueError for more than there are.

    Source: Han, Pool, Tran, Dally, Learning both Weights and Connections for Efficient Neural Networks (2015).
    PyTorch: torch.nn.utils.prune.L1Unstructured
    """

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: int | float) -> None:
        self.amount = _checked_amount(type(self), amount)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _count(self, t.numel())
        return _without(default_mask, t.detach().abs().reshape(-1).topk(count, largest=False).indices)

    @classmethod
    def apply(  # type: ignore[override]  # its own arguments, as PyTorch's
        cls, module: Module, name: str, amount: int | float, importance_scores: Tensor | None = None
    ):
        """`BasePruningMethod.apply` with these arguments."""
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


class RandomStructured(BasePruningMethod):
    """Prunes channels at random, the same ones as PyTorch for the seed.

    Args:
        amount (int or float): how many; a float is the fraction of those that are left, from 0 to 1.
        dim (int): the dimension along which the channels lie.

    Raises:
        TypeError, ValueError: for another amount; when it prunes, ValueError for more than there are and for tensors of
            less than two dimensions.
        IndexError: when it prunes, if the tensor has no dimension `dim`.

    PyTorch: torch.nn.utils.prune.RandomStructured
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount: int | float, dim: int = -1) -> None:
        self.amount = _checked_amount(type(self), amount)
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        size = _channels(self, t)
        count = _count(self, size)
        if count == 0:  # then no random number is drawn
            return default_mask
        chance = minigrad.rand(size)
        return _only(default_mask, t, self.dim, chance > chance.kthvalue(count).values)

    @classmethod
    def apply(cls, module: Module, name: str, amount: int | float, dim: int = -1):  # type: ignore[override]  # its own arguments, as PyTorch's
        """`BasePruningMethod.apply` with these arguments."""
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(BasePruningMethod):
    """Prunes the channels of smallest n-norm.

    Args:
        amount (int or float): how many; a float is the fraction of those that are left, from 0 to 1.
        n (int, float, inf, -inf, "fro", "nuc"): the norm, as in `minigrad.norm`.
        dim (int): the dimension along which the channels lie.

    Raises:
        TypeError, ValueError: for another amount; when it prunes, ValueError for more than there are and for tensors of
            less than two dimensions.
        IndexError: when it prunes, if the tensor has no dimension `dim`.

    Source: Li et al., Pruning Filters for Efficient ConvNets (2017), with n = 1.
    PyTorch: torch.nn.utils.prune.LnStructured
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount: int | float, n: float | str, dim: int = -1) -> None:
        self.amount = _checked_amount(type(self), amount)
        self.n = n
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        size = _channels(self, t)
        count = _count(self, size)
        if count == 0:
            return default_mask
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        return _only(
            default_mask, t, self.dim, minigrad.norm(t.detach(), p=self.n, dim=others).topk(size - count).indices
        )

    @classmethod
    def apply(  # type: ignore[override]  # its own arguments, as PyTorch's
        cls,
        module: Module,
        name: str,
        amount: int | float,
        n: float | str,
        dim: int,
        importance_scores: Tensor | None = None,
    ):
        """`BasePruningMethod.apply` with these arguments."""
        return super().apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)


class CustomFromMask(BasePruningMethod):
    """Prunes what a given mask says, together with what is pruned already.

    Args:
        mask (Tensor): of the parameter's shape, 0 or False where a number is to be pruned.

    PyTorch: torch.nn.utils.prune.CustomFromMask
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        if not isinstance(mask, Tensor):
            raise TypeError(
                f"CustomFromMask: mask is {kind_of(mask)}, expected a Tensor; make one by minigrad.tensor(mask)"
            )
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Their product. AssertionError if the mask's shape is not that of the parameter."""
        if self.mask.shape != default_mask.shape:
            raise AssertionError(
                f"CustomFromMask: a mask of shape {tuple(self.mask.shape)} for a tensor of shape "
                f"{tuple(default_mask.shape)}; expected the same shape"
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)

    @classmethod
    def apply(cls, module: Module, name: str, mask: Tensor):  # type: ignore[override]  # its own arguments, as PyTorch's
        """`BasePruningMethod.apply` with these arguments."""
        return super().apply(module, name, mask=mask)


def _without(mask, indices):
    """A copy of the mask with zeros at the indices of its flat form."""
    left = mask.reshape(-1).clone()
    left[indices] = 0
    return left.view(mask.shape)


def _only(mask, t, dim, channels):
    """The mask, in t's dtype, with zeros outside of the channels: a mask of them, or their indices."""
    kept = minigrad.zeros_like(t)
    kept.transpose(0, dim)[channels] = 1
    return kept * mask.to(dtype=t.dtype)


def _checked_amount(kind, amount):
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"{kind.__name__}: amount={amount!r} is {kind_of(amount)}, expected an int or a float")
    if amount < 0 or not (isinstance(amount, numbers.Integral) or amount <= 1):
        raise ValueError(
            f"{kind.__name__}: amount={amount}, expected a whole number from 0, how many, or a float from 0 to 1, the "
            "fraction"
        )
    return amount


def _count(method, size):
    """How many of `size` are to be pruned."""
    if not isinstance(method.amount, numbers.Integral):
        return round(method.amount * size)
    if method.amount > size:
        raise ValueError(
            f"{type(method).__name__}: amount={method.amount} of the {size} that are left to prune; expected at most "
            "that many, or a fraction"
        )
    return int(method.amount)


def _channels(method, t):
    """How many channels there are."""
    if t.dim() < 2:
        raise ValueError(
            f"{type(method).__name__}: a tensor of shape {tuple(t.shape)} has no channels, expected two dimensions or "
            "more; L1Unstructured and RandomUnstructured prune single numbers"
        )
    return t.shape[dim_of(method, t)]
