"""Learning rates that change from epoch to epoch, under PyTorch's names. (PyTorch: torch.optim.lr_scheduler)

    scheduler = StepLR(optimizer, step_size=30, gamma=0.1)
    for epoch in range(100):
        train(...)                  # calls optimizer.step()
        scheduler.step()            # after it, once per epoch

Like PyTorch's, they are chained: each `step` scales the rates that the groups have now, so several schedulers can work
on one optimizer, and the numbers are PyTorch's to the last bit. A scheduler of that kind is two formulas:

    _scale()          what this epoch multiplies the current rates by; None leaves them
    _closed_scale()   what the initial rates are multiplied by at `last_epoch`; only for the deprecated ``step(epoch)``

Others, and those of users, override `get_lr()`.

    base.py       the order of calls, warnings, state
    decay.py      steps, lines, powers, functions of one's own
    waves.py      cosines and cycles
    plateau.py    lower when nothing gets better
    combined.py   several as one
"""

from minigrad.optim.lr_scheduler.base import EPOCH_DEPRECATION_WARNING, LRScheduler
from minigrad.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from minigrad.optim.lr_scheduler.decay import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from minigrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minigrad.optim.lr_scheduler.waves import CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR

_LRScheduler = LRScheduler  # its former name, which many programs subclass

__all__ = [
    "EPOCH_DEPRECATION_WARNING", "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
    "CyclicLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR",
    "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip
