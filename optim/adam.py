"""Adam. (PyTorch: torch.optim.Adam)"""

from __future__ import annotations

from minigrad.kernels.optimizer import adam_step, adam_table
from minigrad.optim.optimizer import (
    Optimizer,
    check_betas,
    check_lr,
    check_not_negative,
    check_ways,
    flat,
    next_step,
    scalar,
    zeros,
)
from minigrad.tensor import Tensor

__all__ = ["Adam"]


class Adam(Optimizer):
    """Adam: each weight moves by a running mean of its gradient over the root of a running mean of its square.

        m = β₁ m + (1 - β₁) g                    v = β₂ v + (1 - β₂) g²
        p = p - lr · (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + eps)

    (D. P. Kingma, J. Ba: Adam: A Method for Stochastic Optimization, 2015. PyTorch: torch.optim.Adam)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        betas (tuple[float, float]): β₁ and β₂, how much of the running means stays.
        eps (float): keeps the division from exploding.
        weight_decay (float): λ; ``g + λ p`` is used for g.
        amsgrad (bool): divide by the largest v so far (Reddi et al., On the Convergence of Adam and Beyond, 2018).
        maximize (bool): go up instead of down.
        decoupled_weight_decay (bool): shrink p by ``1 - lr λ`` instead, as `AdamW` does.
        foreach, fused, capturable: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter: ``step`` (float32, 0-dim), ``exp_avg`` m, ``exp_avg_sq`` v, with amsgrad
    ``max_exp_avg_sq``.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step",)

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None,
        maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_not_negative(epsilon=eps)
        for i, beta in enumerate(betas):
            if isinstance(beta, Tensor) and beta.numel() != 1:
                raise ValueError(f"Tensor betas[{i}] must be 1-element")
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        check_ways(foreach, fused, differentiable)
        if not any(all(isinstance(beta, kind) for beta in betas) for kind in (float, Tensor)):
            raise ValueError("betas must be either both floats or both Tensors")
        defaults = {
            "lr": lr,
            "betas": tuple([float(beta) for beta in betas]),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """Running means of zero, and step 0."""
        return {"step": scalar(0, group["fused"]), **{name: zeros(p) for name in self.state_names(group)[1:]}}

    def state_names(self, group):
        """The state of a parameter."""
        names = ("step", "exp_avg", "exp_avg_sq")
        return (*names, "max_exp_avg_sq") if group["amsgrad"] else names

    def constants(self, group):
        """The options as the kernel takes them."""
        (beta1, beta2), lr, eps = group["betas"], float(group["lr"]), float(group["eps"])
        decoupled, maximize = bool(group["decoupled_weight_decay"]), bool(group["maximize"])
        weight_decay = float(group["weight_decay"])
        return group["amsgrad"], (lr, float(beta1), float(beta2), eps, weight_decay, decoupled, maximize)

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        amsgrad, options = constants
        largest = "max_exp_avg_sq" if amsgrad else None
        adam_step(*flat(p, g, state, "exp_avg", "exp_avg_sq", largest), *options, next_step(state))

    def update_all(self, table, constants):
        """One step of all parameters of a `Table`, in place."""
        adam_table(table.table, table.kind, table.counter, *constants[1])
