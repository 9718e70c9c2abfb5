"""Adagrad. (PyTorch: torch.optim.Adagrad)"""

from __future__ import annotations

from minigrad.kernels.adaptive import adagrad_step
from minigrad.optim.optimizer import (
    Optimizer,
    check_lr,
    check_not_negative,
    check_ways,
    flat,
    next_step,
    scalar,
    zeros,
)

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Adagrad: each weight's learning rate falls with the sum of its squared gradients.

        g = g + λ p                               (weight_decay λ)
        s = s + g²
        p = p - lr / (1 + (t - 1) η) · g / (√s + eps)

    (J. Duchi, E. Hazan, Y. Singer: Adaptive Subgradient Methods, 2011. PyTorch: torch.optim.Adagrad)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        lr_decay (float): η.
        weight_decay (float): λ.
        initial_accumulator_value (float): what s begins with.
        eps (float): keeps the division from exploding.
        maximize (bool): go up instead of down.
        foreach, fused: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter, from the beginning: ``step`` (0-dim), ``sum`` s.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step",)

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *,
        maximize=False, differentiable=False, fused=None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(
            lr_decay=lr_decay, weight_decay=weight_decay, initial_accumulator_value=initial_accumulator_value,
            epsilon=eps,
        )  # fmt: skip
        check_ways(foreach, fused, differentiable)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = self.init_param(p, group)

    def init_param(self, p, group):
        """Step 0, and the sum that every parameter begins with."""
        value = self.defaults["initial_accumulator_value"]
        return {"step": scalar(0, group["fused"]), "sum": zeros(p, value)}

    def constants(self, group):
        """The options as the kernel takes them, behind those that give the rate of a step."""
        lr, lr_decay, eps, weight_decay = (float(group[name]) for name in ("lr", "lr_decay", "eps", "weight_decay"))
        return lr, lr_decay, (eps, weight_decay, bool(group["maximize"]))

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        lr, lr_decay, options = constants
        rate = lr / (1 + (next_step(state) - 1) * lr_decay)
        adagrad_step(*flat(p, g, state, "sum"), rate, *options)

    def share_memory(self) -> None:
        """Does nothing: processes do not share optimizers here."""
