"""Adam for gradients that are mostly zero. (PyTorch: torch.optim.SparseAdam)"""

from __future__ import annotations

import numpy as np

from minigrad.optim.optimizer import Optimizer, check_betas, check_lr, misfit, zeros

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam that touches only the rows with a gradient, as those of ``nn.Embedding(..., sparse=True)``.

        m = β₁ m + (1 - β₁) g                    v = β₂ v + (1 - β₂) g²
        p = p - lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + eps)

    Here gradients are dense arrays, also those of sparse layers, so "has a gradient" is: not all of the row is zero.
    PyTorch looks at the layout instead, and refuses gradients that are not sparse. (PyTorch: torch.optim.SparseAdam)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        betas (tuple[float, float]): β₁ and β₂, how much of the running means stays.
        eps (float): keeps the division from exploding.
        maximize (bool): go up instead of down.

    State of each parameter: ``step`` (int), ``exp_avg`` m, ``exp_avg_sq`` v.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False) -> None:
        check_lr(lr)
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def init_param(self, p, group):
        """Running means of zero, and step 0."""
        return {"step": 0, "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}

    def update(self, p, g, state, group):  # type: ignore[override]
        """One step of the rows of `p` that have a gradient, in place."""
        m, v = state["exp_avg"].array, state["exp_avg_sq"].array
        if m.shape != p.shape or v.shape != p.shape:
            raise misfit("its running mean", m, p)
        state["step"] = step = state["step"] + 1
        p, g, m, v = (np.atleast_1d(array) for array in (p, g, m, v))
        rows = np.flatnonzero(g.reshape(len(g), -1).any(axis=1)) if g.size else []
        if len(rows) == 0:
            return
        beta1, beta2 = map(float, group["betas"])
        d = -g[rows] if group["maximize"] else g[rows]
        a, b = m[rows], v[rows]
        a += (d - a) * (1 - beta1)
        b += (d * d - b) * (1 - beta2)
        m[rows], v[rows] = a, b
        rate = float(group["lr"]) * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
        p[rows] -= rate * (a / (np.sqrt(b) + float(group["eps"])))
