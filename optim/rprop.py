"""Resilient backpropagation. (PyTorch: torch.optim.Rprop)"""

from __future__ import annotations

from minigrad.kernels.signs import rprop_step
from minigrad.optim.optimizer import Optimizer, check_lr, flat, next_step, scalar, zeros

__all__ = ["Rprop"]


class Rprop(Optimizer):
    """Rprop: each weight goes by a step of its own, longer while its gradient keeps its sign, shorter when it turns.

        s = clamp(s · η₊, Γ₋, Γ₊)  if g g' > 0       (g' is the gradient before)
        s = clamp(s · η₋, Γ₋, Γ₊), g = 0  if g g' < 0
        p = p - sign(g) s

    For gradients of the whole data, not of batches. (M. Riedmiller, H. Braun: A Direct Adaptive Method for Faster
    Backpropagation Learning, 1993. PyTorch: torch.optim.Rprop)

    Args:
        params (iterable): tensors, pairs of name and tensor, or dicts of groups; see `Optimizer`.
        lr (float | Tensor): the first s.
        etas (tuple[float, float]): η₋ and η₊.
        step_sizes (tuple[float, float]): Γ₋ and Γ₊.
        maximize (bool): go up instead of down.
        foreach, capturable: accepted; every step is one fused kernel per parameter here.
        differentiable (bool): not supported (NotImplementedError).

    State of each parameter: ``step`` (0-dim), ``prev`` g', ``step_size`` s.

    Raises:
        ValueError: an option is out of its range, or there are no parameters.
    """

    numbers = ("step",)

    def __init__(
        self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None,
        maximize=False, differentiable=False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_param(self, p, group):
        """Step 0, no gradient before, steps of the learning rate."""
        return {"step": scalar(0), "prev": zeros(p), "step_size": zeros(p, float(group["lr"]))}

    def constants(self, group):
        """The options as the kernel takes them."""
        return [*map(float, group["etas"]), *map(float, group["step_sizes"]), bool(group["maximize"])]

    def update(self, p, g, state, constants):
        """One step of `p`, in place."""
        next_step(state)
        rprop_step(*flat(p, g, state, "prev", "step_size"), *constants)
