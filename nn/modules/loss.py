"""Losses as layers: each calls the function of `minigrad.nn.functional` that computes it.

`reduction` says what becomes of the single losses: "mean" (default) their mean, "sum" their sum, "none" all of them.
PyTorch's older `size_average` and `reduce` are accepted with a warning and turned into a reduction.

The losses are in three files: how far numbers are from their targets (`loss_distance.py`), how unlikely the targets are
(`loss_likelihood.py`), by how much a margin is missed (`loss_margin.py`).
"""

# ruff: noqa: F403

from typing import TYPE_CHECKING

from minigrad.nn.modules import loss_distance, loss_likelihood, loss_margin
from minigrad.nn.modules.loss_base import _Loss as _Loss
from minigrad.nn.modules.loss_base import _WeightedLoss as _WeightedLoss
from minigrad.nn.modules.loss_distance import *
from minigrad.nn.modules.loss_likelihood import *
from minigrad.nn.modules.loss_margin import *

if not TYPE_CHECKING:
    __all__ = [*loss_distance.__all__, *loss_likelihood.__all__, *loss_margin.__all__]
