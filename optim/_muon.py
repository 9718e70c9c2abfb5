"""Muon. (PyTorch: torch.optim.Muon)"""

from __future__ import annotations

import math

from minigrad.kernels.factored import muon_step
from minigrad.optim.optimizer import Optimizer, check_lr, check_not_negative, misfit, zeros

__all__ = ["Muon"]


class Muon(Optimizer):
    """Muon: momentum whose singular values are all drawn near 1 before the step. For matrices only.

        b = μ b + (1 - μ) g                       (momentum μ)
        x = (1 - μ) g + μ b,  without nesterov  b
        x = x / |x|;  five times  x = A x + (B x xᵀ + C (x xᵀ)²) x
        p = (1 - lr λ) p - lr · √max(1, rows / columns) · x      (weight_decay λ)

    Biases, embeddings and the like are for another optimizer, e.g. `AdamW`. The iteration is rounded to bfloat16, as in
    PyTorch. (K. Jordan: Muon: An optimizer for hidden layers in neural networks, 2024. PyTorch: torch.optim.Muon)

    Args:
        params (iterable): matrices, pairs of name and matrix, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): learning rate.
        weight_decay (float): λ.
        momentum (float): μ.
        nesterov (bool): look ahead along the momentum.
        ns_coefficients (tuple[float, float, float]): A, B, C.
        eps (float): the least that the norm is taken for.
        ns_steps (int): how many times, below 100.
        adjust_lr_fn (str | None): "original" is the root above (None as well); "match_rms_adamw" is
            ``0.2 √max(rows, columns)`` instead, for a learning rate and a weight decay that suit AdamW (J. Liu et al.,
            Muon is Scalable for LLM Training, 2025).

    State of each parameter: ``momentum_buffer`` b.

    Raises:
        ValueError: an option is out of its range, a parameter is no matrix, or there are none.
    """

    def __init__(
        self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.775, 2.0315),
        eps=1e-7, ns_steps=5, adjust_lr_fn=None,
    ) -> None:  # fmt: skip
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        check_not_negative("{} should be >= 0 but is: {}", momentum=momentum)
        check_not_negative("weight decay should be >= 0 but is: {1}", weight_decay=weight_decay)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}"
                    )

    def init_param(self, p, group):
        """A momentum of zero."""
        return {"momentum_buffer": zeros(p)}

    def constants(self, group):
        """The group, once what the iteration needs is looked at."""
        if group["ns_steps"] >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(group["ns_coefficients"]) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        return group

    def update(self, p, g, state, group):  # type: ignore[override]
        """One step of `p`, in place."""
        if p.ndim != 2:
            raise ValueError("Param gradient must be a 2D matrix")
        buffer, lr = state["momentum_buffer"].array, float(group["lr"])
        if buffer.shape != p.shape:
            raise misfit("its momentum_buffer", buffer, p)
        if p.size == 0:
            return
        rows, columns = p.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            rate = lr * 0.2 * math.sqrt(max(rows, columns))
        else:
            rate = lr * math.sqrt(max(1, rows / columns))
        muon_step(
            p, g, buffer, float(group["momentum"]), group["nesterov"], group["ns_coefficients"], group["ns_steps"],
            group["eps"], rate, 1 - lr * float(group["weight_decay"]),
        )  # fmt: skip
