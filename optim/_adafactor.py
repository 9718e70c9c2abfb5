"""Adafactor. (PyTorch: torch.optim.Adafactor)"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.factored import adafactor_step
from minigrad.optim.optimizer import Optimizer, check_lr, check_not_negative, misfit, next_step, scalar, zeros
from minigrad.tensor import wrap

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor: of the mean squares of a matrix it keeps those of rows and columns only.

        ρ = min(lr, 1 / √t)                       a = max(ε₂, rms(p)) · ρ
        p = (1 - lr λ) p                          (weight_decay λ)
        v = running mean of g², with the share t ** beta2_decay for the new; for matrices
            r cᵀ / max(mean(r), ε₁)  from the means of rows r and of columns c
        u = g / max(√v, ε₁)
        p = p - a · u / max(1, rms(u) / d)

    (N. Shazeer, M. Stern: Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018.
    PyTorch: torch.optim.Adafactor)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate, the most that ρ can be.
        beta2_decay (float): at most 0.
        eps (tuple[float | None, float]): ε₁ and ε₂; None is the machine epsilon of the parameter's dtype.
        d (float): steps with a larger root mean square are scaled down to it.
        weight_decay (float): λ.
        foreach: accepted; every step is one fused kernel per parameter here.
        maximize (bool): go up instead of down.

    State of each parameter: ``step`` (0-dim); of two and more dimensions ``row_var`` and ``col_var``, by the last two
    dimensions; of others ``variance``.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step",)

    def __init__(
        self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, foreach=None,
        maximize=False,
    ) -> None:  # fmt: skip
        least = "{} should be >= 0 but is: {}"
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        check_not_negative(least, epsilon1=0 if eps[0] is None else eps[0], epsilon2=eps[1])
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        check_not_negative(least, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """Mean squares of zero, and step 0."""
        if p.ndim < 2:
            return {"step": scalar(0), "variance": zeros(p)}
        row, column = (*p.shape[:-1], 1), (*p.shape[:-2], 1, p.shape[-1])
        means = {name: wrap(np.zeros(shape, p.array.dtype)) for name, shape in (("row_var", row), ("col_var", column))}
        return {"step": scalar(0), **means}

    def constants(self, group):
        """The options as numbers."""
        eps1, eps2 = group["eps"]
        numbers = [float(group[name]) for name in ("lr", "beta2_decay", "weight_decay", "d")]
        return *numbers, None if eps1 is None else float(eps1), float(eps2), bool(group["maximize"])

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        lr, beta2_decay, weight_decay, d, eps1, eps2, maximize = constants
        step, is_factored = next_step(state), p.ndim > 1
        row = state["row_var" if is_factored else "variance"].array
        col = state["col_var"].array if is_factored else None
        if row.shape != ((*p.shape[:-1], 1) if is_factored else p.shape) or (
            is_factored and col.shape != (*p.shape[:-2], 1, p.shape[-1])
        ):
            raise misfit("its row_var or variance", row, p)
        if p.size == 0:
            return
        rows, columns = p.shape[-2:] if is_factored else (1, p.size)
        depth = p.size // (rows * columns)
        p, g, row = p.reshape(depth, rows, columns), g.reshape(depth, rows, columns), row.reshape(depth, rows, -1)
        col = col.reshape(depth, 1, columns) if is_factored else None
        eps1 = float(np.finfo(p.dtype).eps) if eps1 is None else eps1
        share, rho = step**beta2_decay, min(lr, 1 / step**0.5)
        adafactor_step(p, g, row, col, share, rho, lr, weight_decay, eps1, eps2, d, maximize)
