"""Pictures of training and of models, with matplotlib (extra `plots`). One line each; each gives a `Figure`."""

from minigrad.viz.plots.training import confusion_matrix, loss_curve

__all__ = ["confusion_matrix", "loss_curve"]
