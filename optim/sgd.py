"""Stochastic gradient descent. (PyTorch: torch.optim.SGD)"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.optimizer import sgd_step, sgd_table
from minigrad.optim.optimizer import Optimizer, check_lr, check_not_negative, check_ways, flat
from minigrad.tensor import wrap

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

        g = g + λ p                               (weight_decay λ)
        b = g at first, then  μ b + (1 - τ) g     (momentum μ, dampening τ)
        p = p - lr · b,  or with nesterov  p - lr · (g + μ b)

    (Sutskever et al., On the importance of initialization and momentum in deep learning, 2013, with the learning rate
    outside of the buffer, as PyTorch has it. PyTorch: torch.optim.SGD)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        momentum (float): μ; 0 means none, and no state.
        dampening (float): τ.
        weight_decay (float): λ.
        nesterov (bool): look ahead along the momentum; needs momentum and no dampening.
        maximize (bool): go up instead of down.
        foreach, fused: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter, with momentum: ``momentum_buffer`` b.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False,
        foreach=None, differentiable=False, fused=None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(momentum=momentum, weight_decay=weight_decay)
        check_ways(foreach, fused, differentiable)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """With momentum, a buffer that the first step fills."""
        return {"momentum_buffer": None} if group["momentum"] else {}

    def state_names(self, group):
        """The state of a parameter."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def constants(self, group):
        """The options as the kernel takes them."""
        names = ("lr", "momentum", "dampening", "weight_decay")
        return [float(group[name]) for name in names] + [bool(group["nesterov"]), bool(group["maximize"])]

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        has_momentum = constants[1] != 0
        is_first = has_momentum and state.get("momentum_buffer") is None
        if is_first:
            state["momentum_buffer"] = wrap(np.empty_like(p))
        sgd_step(*flat(p, g, state, "momentum_buffer" if has_momentum else None), *constants, is_first)

    def update_all(self, table, constants):
        """One step of all parameters of a `Table`, in place; not the first."""
        sgd_table(table.table, table.kind, *constants)
