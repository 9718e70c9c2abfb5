"""Adadelta. (PyTorch: torch.optim.Adadelta)"""

from __future__ import annotations

from minigrad.kernels.adaptive import adadelta_step
from minigrad.optim.optimizer import Optimizer, check_lr, check_not_negative, flat, next_step, scalar, zeros

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Adadelta: steps as large as the steps before, in proportion to the gradients before.

        g = g + λ p                               (weight_decay λ)
        v = ρ v + (1 - ρ) g²
        d = √(u + eps) / √(v + eps) · g
        u = ρ u + (1 - ρ) d²
        p = p - lr · d

    (M. D. Zeiler: ADADELTA: An Adaptive Learning Rate Method, 2012. PyTorch: torch.optim.Adadelta)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): what the step is multiplied by.
        rho (float): ρ, 0 to 1: how much of the running means stays.
        eps (float): keeps the roots from zero; the first steps are this large.
        weight_decay (float): λ.
        maximize (bool): go up instead of down.
        foreach, capturable: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter: ``step`` (0-dim), ``square_avg`` v, ``acc_delta`` u.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step",)

    def __init__(
        self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *, capturable=False, maximize=False,
        differentiable=False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative(epsilon=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """Running means of zero, and step 0."""
        return {"step": scalar(0), "square_avg": zeros(p), "acc_delta": zeros(p)}

    def constants(self, group):
        """The options as the kernel takes them."""
        return [float(group[name]) for name in ("lr", "rho", "eps", "weight_decay")] + [bool(group["maximize"])]

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        next_step(state)
        adadelta_step(*flat(p, g, state, "square_avg", "acc_delta"), *constants)
