"""Optimizers under PyTorch's names: `SGD`, `Adam` ... `LBFGS`, and `lr_scheduler`.  Imports as ``minigrad.optim``.

    optimizer.py, hooks.py   what they share: parameter groups, state, `step`, `state_dict`
    sgd.py, adam.py ...      one update rule each, in two small methods over one fused kernel
    lbfgs.py                 the one that looks at all parameters together
    lr_scheduler/            learning rates that change from epoch to epoch
    swa_utils.py             running means of the weights

A state saved by one of these resumes in PyTorch's of the same name, and the reverse.
"""

if __name__ == "optim":
    raise ImportError("the optimizers import as minigrad.optim: write `from minigrad import optim`")

from minigrad.optim import lr_scheduler, swa_utils
from minigrad.optim._adafactor import Adafactor
from minigrad.optim._muon import Muon
from minigrad.optim.adadelta import Adadelta
from minigrad.optim.adagrad import Adagrad
from minigrad.optim.adam import Adam
from minigrad.optim.adamax import Adamax
from minigrad.optim.adamw import AdamW
from minigrad.optim.asgd import ASGD
from minigrad.optim.lbfgs import LBFGS
from minigrad.optim.lion import Lion
from minigrad.optim.nadam import NAdam
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.radam import RAdam
from minigrad.optim.rmsprop import RMSprop
from minigrad.optim.rprop import Rprop
from minigrad.optim.sgd import SGD
from minigrad.optim.sparse_adam import SparseAdam

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Muon", "NAdam",
    "Optimizer", "RAdam", "RMSprop", "Rprop", "SparseAdam", "lr_scheduler", "swa_utils",
]  # fmt: skip
