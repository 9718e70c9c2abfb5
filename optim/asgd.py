"""Averaged stochastic gradient descent. (PyTorch: torch.optim.ASGD)"""

from __future__ import annotations

from minigrad.kernels.signs import asgd_step
from minigrad.optim.optimizer import Optimizer, check_lr, check_not_negative, flat, next_step, scalar, zeros

__all__ = ["ASGD"]


class ASGD(Optimizer):
    """Stochastic gradient descent that also keeps the mean of the weights, in its state.

        g = g + κ p                               (weight_decay κ)
        p = (1 - λ η) p - η g                     a = a + μ (p - a)
        η = lr / (1 + λ lr t) ** α                μ = 1 / max(1, t - t₀)

    (B. T. Polyak, A. B. Juditsky: Acceleration of Stochastic Approximation by Averaging, 1992.
    PyTorch: torch.optim.ASGD)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        lambd (float): λ.
        alpha (float): α.
        t0 (float): t₀, the step at which the averaging begins; before it a is p.
        weight_decay (float): κ.
        maximize (bool): go up instead of down.
        foreach, capturable: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter: ``step``, ``eta`` η and ``mu`` μ (0-dim), ``ax`` a.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step", "eta", "mu")

    def __init__(
        self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False,
        differentiable=False, capturable=False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """Step 0, the learning rate, a mean of which the first step is all."""
        return {"step": scalar(0), "eta": scalar(float(group["lr"])), "mu": scalar(1), "ax": zeros(p)}

    def constants(self, group):
        """The options as numbers."""
        names = ("lr", "lambd", "alpha", "t0", "weight_decay")
        return [float(group[name]) for name in names] + [bool(group["maximize"])]

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        lr, lambd, alpha, t0, weight_decay, maximize = constants
        step, eta, mu = next_step(state), state["eta"].array, state["mu"].array
        asgd_step(*flat(p, g, state, "ax"), lambd, eta.item(), mu.item(), weight_decay, maximize)
        eta[()] = scalar(lr / (1 + lambd * lr * step) ** alpha).array
        mu[()] = scalar(1 / max(1, step - t0)).array
