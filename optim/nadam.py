"""NAdam. (PyTorch: torch.optim.NAdam)"""

from __future__ import annotations

from minigrad.kernels.moments import nadam_step
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

__all__ = ["NAdam"]


class NAdam(Optimizer):
    """NAdam: Adam that looks ahead along its momentum, as Nesterov's does.

        g = g + λ p                               (weight_decay λ)
        m = β₁ m + (1 - β₁) g                    v = β₂ v + (1 - β₂) g²
        μₜ = β₁ (1 - ½ · 0.96 ** (t ψ))           M = μ₁ μ₂ ⋯ μₜ
        p = p - lr · (μₜ₊₁ m / (1 - M μₜ₊₁) + (1 - μₜ) g / (1 - M)) / (√(v / (1 - β₂ᵗ)) + eps)

    (T. Dozat: Incorporating Nesterov Momentum into Adam, 2016. PyTorch: torch.optim.NAdam)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        betas (tuple[float, float]): β₁ and β₂, how much of the running means stays.
        eps (float): keeps the division from exploding.
        weight_decay (float): λ.
        momentum_decay (float): ψ.
        decoupled_weight_decay (bool): shrink p by ``1 - lr λ`` instead, as `AdamW` does.
        maximize (bool): go up instead of down.
        foreach, capturable: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter: ``step`` and ``mu_product`` M (0-dim), ``exp_avg`` m, ``exp_avg_sq`` v.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step", "mu_product")

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False, differentiable=False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """Running means of zero, step 0 and the product of no factors."""
        return {"step": scalar(0), "mu_product": scalar(1), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}

    def constants(self, group):
        """The options as the kernel takes them, behind the decay of the momentum."""
        beta1, beta2 = map(float, group["betas"])
        lr, eps, weight_decay = (float(group[name]) for name in ("lr", "eps", "weight_decay"))
        decoupled, maximize = bool(group["decoupled_weight_decay"]), bool(group["maximize"])
        return float(group["momentum_decay"]), (lr, beta1, beta2, eps, weight_decay, decoupled, maximize)

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        momentum_decay, options = constants
        lr, beta1, beta2, *_ = options
        step, product = next_step(state), state["mu_product"].array
        mu, mu_next = (beta1 * (1.0 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1))
        product *= mu
        so_far = product.item()
        rate_g, rate_m = lr * (1.0 - mu) / (1.0 - so_far), lr * mu_next / (1.0 - so_far * mu_next)
        nadam_step(*flat(p, g, state, "exp_avg", "exp_avg_sq"), *options, rate_g, rate_m, 1 - beta2**step)
