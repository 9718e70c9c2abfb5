"""Pictures of training, models and data, with matplotlib (extra `plots`). One line each; each gives a `Figure`.

    data and classes    decision_boundary   where a classifier of points in the plane changes its mind
                        relu_regions        the linear regions of a ReLU network of two inputs (linear_regions: counted)
                        fits                models of one input as curves over their data
                        confusion_matrix    which class was taken for which
                        embedding           vectors as points in the plane, by PCA or t-SNE (pca: as numbers)
    training            loss_curve          loss and accuracy over the epochs, of one run or several
                        loss_surface        the loss as a landscape, of a function or a network
                        descent             the ways of optimizers over it (race: as numbers)
                        descent_movie       the same, moving: a page with a player, or a GIF
                        step_sizes          how far each goes per gradient (effective_rates: as numbers)
    inside a model      activations         functions and their derivatives (activation_curve: as numbers)
                        filters             what convolutions look for
                        feature_maps        what layers make of a picture
                        attention           who looks at whom
                        gates               LSTM and GRU over time (gate_values: as numbers)
    pictures            images              a grid of them

A `Figure` shows itself in a notebook; with a path it is saved, too (.png, .svg or .pdf). Tensors, arrays and lists are
taken alike. Models are run in evaluation mode, without recording, and are left as they were. Colours are Okabe and
Ito's, which the colour-blind can tell apart; Hangul is shown where a font that has it is installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigrad.viz.plots.contest import Race, descent, race
    from minigrad.viz.plots.curves import activation_curve, activations, fits
    from minigrad.viz.plots.decision import decision_boundary
    from minigrad.viz.plots.heads import attention
    from minigrad.viz.plots.landscape import loss_surface
    from minigrad.viz.plots.movie import Movie, descent_movie
    from minigrad.viz.plots.pictures import feature_maps, filters, images
    from minigrad.viz.plots.rates import effective_rates, step_sizes
    from minigrad.viz.plots.regions import Regions, linear_regions, relu_regions
    from minigrad.viz.plots.sequence import Gates, gate_values, gates
    from minigrad.viz.plots.training import confusion_matrix, loss_curve
    from minigrad.viz.plots.vectors import embedding, pca

_HOMES = {
    "attention": "heads",
    "activation_curve": "curves",
    "activations": "curves",
    "fits": "curves",
    "decision_boundary": "decision",
    "Race": "contest",
    "descent": "contest",
    "race": "contest",
    "embedding": "vectors",
    "pca": "vectors",
    "feature_maps": "pictures",
    "filters": "pictures",
    "images": "pictures",
    "loss_surface": "landscape",
    "Movie": "movie",
    "descent_movie": "movie",
    "effective_rates": "rates",
    "step_sizes": "rates",
    "Regions": "regions",
    "linear_regions": "regions",
    "relu_regions": "regions",
    "Gates": "sequence",
    "gate_values": "sequence",
    "gates": "sequence",
    "confusion_matrix": "training",
    "loss_curve": "training",
}

__all__ = [
    "Gates", "Movie", "Race", "Regions", "activation_curve", "activations", "attention", "confusion_matrix",
    "decision_boundary", "descent", "descent_movie", "effective_rates", "embedding", "feature_maps", "filters", "fits",
    "gate_values", "gates", "images", "linear_regions", "loss_curve", "loss_surface", "pca", "race", "relu_regions",
    "step_sizes",
]  # fmt: skip


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'minigrad.viz.plots' has no attribute {name!r}")
    globals()[name] = found = getattr(importlib.import_module(f"minigrad.viz.plots.{_HOMES[name]}"), name)
    return found


def __dir__():
    return sorted(__all__)
