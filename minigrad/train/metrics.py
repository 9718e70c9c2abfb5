"""Metrics: what is told of predictions beside the loss. They add up over the batches of an epoch.

A metric of one's own is a function of ``(output, target)`` that gives the mean over the batch, or a `Metric`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minigrad.tensor import Tensor

__all__ = ["F1", "R2", "Accuracy", "Mean", "Metric", "Precision", "Recall"]


class Metric:
    """A figure over many batches: sums that `update` adds to, and `compute` makes a number of.

    Attributes:
        name (str): under which the figure stands in the history.
        sums (ndarray): float64; all that is kept between batches, so that a checkpoint can hold it.
    """

    name: str
    sums: np.ndarray

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError

    def update(self, output: Tensor, target: Tensor) -> None:
        """Take in a batch."""
        raise NotImplementedError

    def compute(self) -> float:
        """The figure over all batches since `reset`; nan if there was none."""
        raise NotImplementedError

    def joined(self, parts: list[np.ndarray]) -> np.ndarray:
        """The `sums` of all batches, from those that several processes have of theirs. Here: they add up."""
        return sum([part for part in parts if part.size], np.zeros(()))


class Mean(Metric):
    """The mean over all examples of a function that gives the mean over a batch.

    Args:
        function (Callable): of ``(output, target)``; gives a tensor of one element, or a number.
        name (str, optional): default: the function's.
    """

    def __init__(self, function: Callable, name: str | None = None) -> None:
        self.function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.reset()

    def reset(self) -> None:
        self.sums = np.zeros(2)

    def update(self, output: Tensor, target: Tensor) -> None:
        self.sums += (float(self.function(output, target)) * len(target), len(target))

    def compute(self) -> float:
        return ratio(*self.sums)


class Accuracy(Metric):
    """The share of predictions that are right.

    Scores ``(N, C, *)`` against class numbers ``(N, *)``: right is what has its class among the `top_k` highest scores.
    Classes below 0 (as the ``ignore_index`` of losses is) do not count. Scores of the shape of the target are taken as
    yes or no: right is what lies on its target's side of `threshold`.

    Args:
        top_k (int): how many guesses count.
        threshold (float): from which score on it is a yes: 0 for logits, 0.5 for probabilities.
    """

    def __init__(self, top_k: int = 1, threshold: float = 0.0, name: str = "accuracy") -> None:
        self.top_k, self.threshold, self.name = top_k, threshold, name
        self.reset()

    def reset(self) -> None:
        self.sums = np.zeros(2)

    def update(self, output: Tensor, target: Tensor) -> None:
        if output.shape == target.shape:
            right = (output > self.threshold) == (target > 0.5)
        else:
            _check_classes(self, output, target)
            best = output.argmax(1, keepdim=True) if self.top_k == 1 else output.topk(self.top_k, 1).indices
            right = (best == target.unsqueeze(1)).any(1)[target >= 0]
        self.sums += (right.sum().item(), right.numel())

    def compute(self) -> float:
        return ratio(*self.sums)


def _check_classes(metric, output, target):
    """ValueError if these are not the scores of several classes and the numbers of the right ones."""
    if output.ndim < 2 or output.shape[1] < 2 or (output.shape[0], *output.shape[2:]) != tuple(target.shape):
        raise ValueError(
            f"{type(metric).__name__}: expected scores (N, C, *) of at least two classes and targets (N, *), or both "
            f"of one shape, but got {tuple(output.shape)} and {tuple(target.shape)}"
        )


class _Counting(Metric):
    """What precision, recall and F1 share: per class, how often it was found rightly, found, and there.

    The mean is over the classes that were found or are there ("macro", as in scikit-learn); of yes and no it is the
    figure of the yes. A figure that would be 0/0 is 0.
    """

    def __init__(self, threshold: float = 0.0, name: str | None = None) -> None:
        self.threshold = threshold
        self.name = name or type(self).__name__.lower()
        self.reset()

    def reset(self) -> None:
        self.sums = np.zeros((3, 0))

    def update(self, output: Tensor, target: Tensor) -> None:
        if output.shape == target.shape:
            found, there = ((t > edge).numpy().ravel() for t, edge in ((output, self.threshold), (target, 0.5)))
            counts = np.array([[np.sum(found & there)], [np.sum(found)], [np.sum(there)]], float)
        else:
            _check_classes(self, output, target)
            classes, counts_in = output.shape[1], target.numpy() >= 0
            found, there = output.argmax(1).numpy()[counts_in], target.numpy()[counts_in]
            groups = (found[found == there], found, there)
            counts = np.array([np.bincount(group, minlength=classes) for group in groups], float)
        self.sums = counts + (self.sums if self.sums.size else 0)

    def compute(self) -> float:
        if not self.sums.size:
            return float("nan")
        occurs = (self.sums[1:] > 0).any(0) if self.sums.shape[1] > 1 else slice(None)
        above, below = self.fraction(*self.sums[:, occurs])
        return ratio(np.sum(above / np.maximum(below, 1)), len(below))

    def fraction(self, right, found, there):
        """(numerators, denominators), by class, of how often a class was found rightly, found, and there."""
        raise NotImplementedError


class Precision(_Counting):
    """Of what was taken for a class, the share that is of it: ``right / found``; the mean over the classes.

    Scores ``(N, C, *)`` against class numbers ``(N, *)``, or yes and no: scores of the shape of the target. Classes
    below 0 do not count.

    Args:
        threshold (float): from which score on it is a yes: 0 for logits, 0.5 for probabilities.
    """

    def fraction(self, right, found, there):
        return right, found


class Recall(_Counting):
    """Of what is of a class, the share that was found: ``right / there``, averaged as in `Precision`."""

    def fraction(self, right, found, there):
        return right, there


class F1(_Counting):
    """The harmonic mean of precision and recall: ``2 right / (found + there)``, averaged as in `Precision`."""

    def fraction(self, right, found, there):
        return 2 * right, found + there


class R2(Metric):
    """How much of the target's variance is explained: ``1 - Σ(y - ŷ)² / Σ(y - ȳ)²``, over all numbers."""

    name = "r2"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sums = np.zeros(4)

    def update(self, output: Tensor, target: Tensor) -> None:
        if output.shape != target.shape:
            raise ValueError(
                f"R2: expected outputs of the shape of the target {tuple(target.shape)}, but got {tuple(output.shape)}"
            )
        if not target.numel():
            return
        y, estimate = target.numpy().astype(float), output.numpy().astype(float)
        own = [y.size, y.mean(), np.square(y - y.mean()).sum(), np.square(y - estimate).sum()]
        self.sums = self.joined([self.sums, np.array(own)])

    def joined(self, parts):
        whole = np.zeros(4)
        for size, mean, spread, errors in [part for part in parts if part[0]]:
            before, total, ahead = whole[0], whole[0] + size, mean - whole[1]
            # Two parts' squares about their own means, and those of the means' distance: no difference of large sums.
            more = spread + ahead**2 * before * size / total
            whole = np.array([total, whole[1] + ahead * size / total, whole[2] + more, whole[3] + errors])
        return whole

    def compute(self) -> float:
        _, _, spread, errors = self.sums
        return 1 - ratio(errors, spread)


def ratio(above, below) -> float:
    """``above / below``; nan for nothing of nothing."""
    return float(above / below) if below else float("nan")


NAMED = {"accuracy": Accuracy, "precision": Precision, "recall": Recall, "f1": F1, "r2": R2}


def as_metric(metric) -> Metric:
    """A `Metric` from a name, a function or a metric."""
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str) and metric in NAMED:
        return NAMED[metric]()
    if callable(metric):
        return Mean(metric)
    raise ValueError(f"metrics: got {metric!r}; expected a Metric, a function or one of {sorted(NAMED)}")
