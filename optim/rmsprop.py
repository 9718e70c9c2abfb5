"""RMSprop. (PyTorch: torch.optim.RMSprop)"""

from __future__ import annotations

from minigrad.kernels.adaptive import rmsprop_step
from minigrad.optim.optimizer import Optimizer, check_lr, check_not_negative, flat, next_step, scalar, zeros

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """RMSprop: the gradient over the root of a running mean of its square.

        g = g + λ p                               (weight_decay λ)
        v = α v + (1 - α) g²
        m = α m + (1 - α) g                       (centered; else m = 0)
        d = g / (√(v - m²) + eps)
        p = p - lr · d,  or with momentum μ  b = μ b + d;  p = p - lr · b

    (T. Tieleman, G. Hinton: Lecture 6.5 - RMSProp, 2012; centered: A. Graves, Generating Sequences With Recurrent
    Neural Networks, 2013. PyTorch: torch.optim.RMSprop)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        alpha (float): α, how much of the running means stays.
        eps (float): keeps the division from exploding.
        weight_decay (float): λ.
        momentum (float): μ; 0 means none.
        centered (bool): divide by an estimate of the standard deviation instead.
        maximize (bool): go up instead of down.
        foreach, capturable: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter: ``step`` (0-dim), ``square_avg`` v, with momentum ``momentum_buffer`` b, centered
    ``grad_avg`` m.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step",)

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False,
        foreach=None, maximize=False, differentiable=False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_not_negative(epsilon=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """Running means of zero, and step 0."""
        state = {"step": scalar(0), "square_avg": zeros(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros(p)
        if group["centered"]:
            state["grad_avg"] = zeros(p)
        return state

    def constants(self, group):
        """The names of the optional state, and the options as the kernel takes them."""
        names = ("grad_avg" if group["centered"] else None, "momentum_buffer" if group["momentum"] > 0 else None)
        options = [float(group[name]) for name in ("lr", "alpha", "eps", "weight_decay", "momentum")]
        return names, [*options, bool(group["maximize"])]

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        names, options = constants
        next_step(state)
        rmsprop_step(*flat(p, g, state, "square_avg", *names), *options)
