"""RAdam. (PyTorch: torch.optim.RAdam)"""

from __future__ import annotations

from minigrad.kernels.moments import radam_step
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

__all__ = ["RAdam"]


class RAdam(Optimizer):
    """RAdam: Adam that does without its second moment until that can be trusted, and then at first in part.

        g = g + λ p                               (weight_decay λ)
        m = β₁ m + (1 - β₁) g                    v = β₂ v + (1 - β₂) g²
        ρ∞ = 2 / (1 - β₂) - 1                     ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
        p = p - lr · m / (1 - β₁ᵗ) · (r √(1 - β₂ᵗ) / (√v + eps)  if ρ > 5, else 1)
            with  r² = (ρ - 4) (ρ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ)

    (L. Liu et al.: On the Variance of the Adaptive Learning Rate and Beyond, 2020. PyTorch: torch.optim.RAdam)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        betas (tuple[float, float]): β₁ and β₂, how much of the running means stays.
        eps (float): keeps the division from exploding.
        weight_decay (float): λ.
        decoupled_weight_decay (bool): shrink p by ``1 - lr λ`` instead, as `AdamW` does.
        maximize (bool): go up instead of down.
        foreach, capturable: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter: ``step`` (0-dim), ``exp_avg`` m, ``exp_avg_sq`` v.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step",)

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """Running means of zero, and step 0."""
        return {"step": scalar(0), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}

    def constants(self, group):
        """The options as the kernel takes them."""
        beta1, beta2 = map(float, group["betas"])
        lr, eps, weight_decay = (float(group[name]) for name in ("lr", "eps", "weight_decay"))
        return lr, beta1, beta2, eps, weight_decay, bool(group["decoupled_weight_decay"]), bool(group["maximize"])

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        _, beta1, beta2, *_ = constants
        step = next_step(state)
        correction2 = 1 - beta2**step
        most = 2 / (1 - beta2) - 1
        length = most - 2 * step * beta2**step / correction2
        rectifier = 0.0
        if length > 5.0:
            rectifier = ((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)) ** 0.5
        corrections = 1 - beta1**step, correction2**0.5, rectifier
        radam_step(*flat(p, g, state, "exp_avg", "exp_avg_sq"), *constants, *corrections)
