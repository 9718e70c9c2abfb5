"""Optimizers under PyTorch's names: `SGD`, `Adam`, `AdamW`, and `lr_scheduler`.  Imports as ``minigrad.optim``.

    optimizer.py     what they share: parameter groups, state, `step`, `state_dict`
    sgd.py, adam.py  one update rule each, in two small methods over one fused kernel
    lr_scheduler.py  learning rates that change from epoch to epoch

A state saved by one of these resumes in PyTorch's of the same name, and the reverse.
"""

if __name__ == "optim":
    raise ImportError("the optimizers import as minigrad.optim: write `from minigrad import optim`")

from minigrad.optim import lr_scheduler
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
