"""Lion. (Not in PyTorch.)"""

from __future__ import annotations

from minigrad.kernels.signs import lion_step
from minigrad.optim.optimizer import Optimizer, check_betas, check_lr, check_not_negative, flat, zeros

__all__ = ["Lion"]


class Lion(Optimizer):
    """Lion: every weight goes by the learning rate, in the direction of a running mean's sign. Not in PyTorch.

        p = p - lr · (sign(β₁ m + (1 - β₁) g) + λ p)       (weight_decay λ)
        m = β₂ m + (1 - β₂) g

    Its learning rate is to be 3 to 10 times smaller than AdamW's, its weight decay as many times larger.

    (X. Chen et al.: Symbolic Discovery of Optimization Algorithms, 2023, algorithm 2. Names and defaults are those of
    the authors' PyTorch version, github.com/google/automl/tree/master/lion)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        betas (tuple[float, float]): β₁ for the direction, β₂ for the running mean.
        weight_decay (float): λ, decoupled as in `AdamW`.
        maximize (bool): go up instead of down.

    State of each parameter: ``exp_avg`` m.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, *, maximize=False) -> None:
        check_lr(lr)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    def init_param(self, p, group):
        """A running mean of zero."""
        return {"exp_avg": zeros(p)}

    def constants(self, group):
        """The options as the kernel takes them."""
        return float(group["lr"]), *map(float, group["betas"]), float(group["weight_decay"]), bool(group["maximize"])

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        lion_step(*flat(p, g, state, "exp_avg"), *constants)
