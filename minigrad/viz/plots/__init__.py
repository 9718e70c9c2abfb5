"""Pictures of training, models and data, with matplotlib (extra `plots`). One line each; each gives a `Figure`.

    decision_boundary   where a classifier of points in the plane changes its mind
    relu_regions        the linear regions of a ReLU network of two inputs; linear_regions: the same as numbers

    loss_curve          loss and accuracy over the epochs, of one run or several
    confusion_matrix    which class was taken for which

A `Figure` shows itself in a notebook; with a path it is saved, too (.png, .svg or .pdf). Tensors, arrays and lists are
taken alike. Models are run in evaluation mode, without recording, and are left as they were.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigrad.viz.plots.decision import decision_boundary
    from minigrad.viz.plots.regions import Regions, linear_regions, relu_regions
    from minigrad.viz.plots.training import confusion_matrix, loss_curve

_HOMES = {
    "Regions": "regions",
    "confusion_matrix": "training",
    "decision_boundary": "decision",
    "linear_regions": "regions",
    "loss_curve": "training",
    "relu_regions": "regions",
}

__all__ = ["Regions", "confusion_matrix", "decision_boundary", "linear_regions", "loss_curve", "relu_regions"]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'minigrad.viz.plots' has no attribute {name!r}")
    return getattr(importlib.import_module(f"minigrad.viz.plots.{_HOMES[name]}"), name)


def __dir__():
    return sorted(__all__)
