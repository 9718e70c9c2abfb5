"""AdamW. (PyTorch: torch.optim.AdamW)"""

from __future__ import annotations

from minigrad.optim.adam import Adam

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam with decoupled weight decay: each step also shrinks p by ``1 - lr · weight_decay``.

    (I. Loshchilov, F. Hutter: Decoupled Weight Decay Regularization, 2019. PyTorch: torch.optim.AdamW)

    Arguments, state and errors as in `Adam`; `weight_decay` is 0.01 unless given.
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
        foreach=None, capturable=False, differentiable=False, fused=None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:  # also one that was saved by Adam, or before there was this option
            group["decoupled_weight_decay"] = True
