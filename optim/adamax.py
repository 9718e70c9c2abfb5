"""Adamax. (PyTorch: torch.optim.Adamax)"""

from __future__ import annotations

from minigrad.kernels.moments import adamax_step
from minigrad.optim.optimizer import (
    Optimizer,
    check_betas,
    check_lr,
    check_not_negative,
    flat,
    next_step,
    scalar,
    zeros,
)

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """Adamax: Adam with the largest gradient so far, which decays, in place of the mean square.

        g = g + λ p                               (weight_decay λ)
        m = β₁ m + (1 - β₁) g                    u = max(β₂ u, |g| + eps)
        p = p - lr / (1 - β₁ᵗ) · m / u

    (D. P. Kingma, J. Ba: Adam: A Method for Stochastic Optimization, 2015, section 7. PyTorch: torch.optim.Adamax)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        betas (tuple[float, float]): β₁ and β₂, how much of the mean and of the maximum stays.
        eps (float): keeps the division from exploding.
        weight_decay (float): λ.
        maximize (bool): go up instead of down.
        foreach, capturable: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter: ``step`` (0-dim), ``exp_avg`` m, ``exp_inf`` u.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step",)

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False,
        differentiable=False, capturable=False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """A running mean and a maximum of zero, and step 0."""
        return {"step": scalar(0), "exp_avg": zeros(p), "exp_inf": zeros(p)}

    def constants(self, group):
        """The options as the kernel takes them, behind the learning rate."""
        beta1, beta2 = map(float, group["betas"])
        return float(group["lr"]), (beta1, beta2, float(group["eps"]), float(group["weight_decay"]),
                                    bool(group["maximize"]))  # fmt: skip

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        lr, options = constants
        rate = lr / (1 - options[0] ** next_step(state))
        adamax_step(*flat(p, g, state, "exp_avg", "exp_inf"), rate, *options)
