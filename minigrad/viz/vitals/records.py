"""What is known of a model's layers and parameters over a window of measured steps: the data that verdicts are of.

Before it: `passes.py`, which measures one pass.  After it: `verdicts.py`, `report.py` and `picture.py`.
Only numbers are kept, no tensor; the window is the last `WINDOW` measured steps, the history is thinned to stay short.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from minigrad.nn.parameter import is_lazy
from minigrad.viz.vitals.measure import Stats, stats_of, sums_of
from minigrad.viz.vitals.origin import Origin
from minigrad.viz.vitals.passes import TOLD_APART, Call

__all__ = ["WINDOW", "Findings", "Layer", "Parameter", "Series", "shape_of"]

WINDOW = 20  # measured steps that verdicts are about
KEPT = 256  # points of a curve
ALIKE = 1e-4  # of the largest number of a row


class Series:
    """A curve that does not grow beyond `KEPT` points: when it is full every second one is dropped, and from then on
    only every second one is taken."""

    def __init__(self):
        self.steps: list[int] = []
        self.values: list[float] = []
        self._every = self._seen = 0

    def add(self, step, value):
        """A value measured at a step."""
        self._seen += 1
        if self._seen % (1 << self._every):
            return
        self.steps.append(step)
        self.values.append(float(value))
        if len(self.steps) >= KEPT:
            self.steps, self.values = self.steps[1::2], self.values[1::2]
            self._every += 1


@dataclass(slots=True)
class Layer:
    """A layer, or an activation called as a function, in the order of the forward pass.

    path, number  its path in the model; which of its calls in a pass (0: all together)
    calls         how many in the last pass; 0: it was not called
    out, grad     `Stats` of its last output, and of the gradient of the loss with respect to that
    op            "relu", "relu6", "sigmoid" or "tanh" if that is what its output comes from
    hidden        whether a layer with weights comes after it
    """

    path: str
    kind: str
    number: int = 0
    calls: int = 0
    out: Stats | None = None
    grad: Stats | None = None
    op: str = ""
    hidden: bool = False
    several: bool = False  # rows of this path
    parameters: list[Parameter] = field(default_factory=list)
    norms: deque = field(default_factory=lambda: deque(maxlen=WINDOW))  # of the gradient
    shares: deque = field(default_factory=lambda: deque(maxlen=WINDOW))  # saturated
    masks: deque = field(default_factory=lambda: deque(maxlen=WINDOW))  # (units alive, samples)
    history: Series = field(default_factory=Series)  # of the gradient's norm

    @property
    def title(self) -> str:
        """What a table calls it."""
        name = self.path or "(model)"
        if self.several and self.number:
            return f"{name} ({self.number})"
        return f"{name} ×{self.calls}" if self.calls > 1 else name

    @property
    def label(self) -> str:
        """What a sentence calls it: ``"0 (Linear)"``."""
        return f"{self.title} ({self.kind})" if self.kind and self.kind not in self.path else self.title

    @property
    def weights(self) -> list[Parameter]:
        """Its parameters of at least two dimensions."""
        return [p for p in self.parameters if len(p.shape) > 1]

    @property
    def saturated(self) -> float | None:
        """The share of saturated outputs, the median over the window."""
        return statistics.median(self.shares) if self.shares else None

    @property
    def dead(self) -> float | None:
        """The share of units that were zero for every sample of the window."""
        sizes = {mask.size for mask, _ in self.masks}
        if not self.masks or len(sizes) > 1:
            return None
        return 1.0 - float(np.logical_or.reduce([mask for mask, _ in self.masks]).mean())

    @property
    def seen(self) -> int:
        """How many samples (and places, of images and sequences) `dead` is about."""
        return sum(samples for _, samples in self.masks)

    @property
    def grad_norm(self) -> float | None:
        """The norm of the gradient of its output, the median over the window."""
        return statistics.median(self.norms) if self.norms else None


@dataclass(slots=True)
class Parameter:
    """A parameter.

    state   "": not known yet; "ok"; "frozen" (requires_grad=False); "none" (no gradient came); "zero" (only zeros);
            "bad" (the gradient has NaN or infinity)
    grad    `Stats` of its gradient; `norm` of its values
    alike   whether all rows of a weight are the same, and the rows of its gradient too: they stay so for ever
    owned   whether an optimizer that was seen to step has it; None if none was seen
    ratios  ‖Δw‖/‖w‖ of the steps of the window; largest: the largest ever, and at which step
    """

    name: str
    shape: tuple
    state: str = ""
    grad: Stats | None = None
    norm: float = 0.0
    bad: bool = False
    alike: bool = False
    owned: bool | None = None
    ratios: deque = field(default_factory=lambda: deque(maxlen=WINDOW))
    largest: tuple[float, int] = (0.0, 0)
    history: Series = field(default_factory=Series)

    @property
    def ratio(self) -> float | None:
        """The update-to-weight ratio, the median over the window."""
        return statistics.median(self.ratios) if self.ratios else None

    def measure(self, tensor, grad):
        """Look at the values and the gradient (an array or None) as they are now."""
        values = tensor.array
        self.norm = _norm(values)
        self.bad = not math.isfinite(self.norm) and not bool(np.isfinite(values).all())
        self.grad, self.alike = None, False
        if not tensor.requires_grad:
            self.state = "frozen"
        elif grad is None:
            self.state = "none"
        else:
            self.grad = stats_of(grad, zeros=False)
            self.state = "bad" if self.grad.nonfinite else "zero" if self.grad.norm == 0 and grad.size else "ok"
            self.alike = self.state == "ok" and _rows_alike(values) and _rows_alike(grad)

    def update(self, step, before, after):
        """A step has changed the values from `before` to `after`. What `before` holds is overwritten."""
        size = _norm(before)
        with np.errstate(all="ignore"):
            change = _norm(np.subtract(after, before, out=before))
        if size > 0:
            self.largest = max(self.largest, (change / size, step))
            self.ratios.append(change / size)
            self.history.add(step, change / size)


def _norm(array):
    squares = sums_of(np.ravel(array, order="K"))[1]
    return math.sqrt(squares) if squares >= 0 else math.nan


def _rows_alike(array):
    """Whether all rows are the same, but for rounding."""
    if array.ndim < 2 or len(array) < 2 or array[0].size == 0:
        return False
    bound = ALIKE * float(np.abs(array[0]).max())
    first = np.abs(array[1] - array[0]).max() <= bound  # spares the rest, nearly always
    return bool(first) and bool((np.abs(array - array[0]) <= bound).all())


def shape_of(parameter) -> tuple:
    """The shape of a parameter; () while it is lazy."""
    return () if is_lazy(parameter) else tuple(parameter.shape)


@dataclass(slots=True)
class Findings:
    """All that is known: of layers (in the order of the pass, then those that were not called) and of parameters.

    loss        the loss that was told last, `first_loss` the first; classes: of a cross entropy, or None
    lr          the learning rates of the optimizer's groups, if one was seen
    uncleared   steps whose backward found the gradients of the step before still there
    asleep      layers that behave otherwise in training, while the model was in evaluation mode
    """

    layers: list[Layer] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    origin: Origin | None = None
    origin_step: int | None = None
    loss: float | None = None
    first_loss: float | None = None
    best_loss: float | None = None
    classes: int | None = None
    lr: tuple[float, ...] = ()
    steps: int = 0
    measured: int = 0
    backwards: int = 0
    updates: int = 0
    uncleared: int = 0
    asleep: tuple[str, ...] = ()
    losses: Series = field(default_factory=Series)

    def of_model(self, model, layers):
        """Learn a model's parameters, and its layers ((path, module) pairs) while none has been called."""
        self.parameters = [Parameter(name, shape_of(p)) for name, p in model.named_parameters()]
        self.layers = [Layer(path, type(module).__name__) for path, module in layers]
        self._share_out()

    def take(self, step, calls: list[Call]):
        """Add a measured pass."""
        self.measured += 1
        grouped: dict[tuple[str, int], list[Call]] = {}
        counts: dict[str, int] = {}
        for call in calls:
            counts[call.path] = counts.get(call.path, 0) + 1
        with_weights = {layer.path for layer in self.layers if layer.parameters}
        for call in calls:
            together = call.path in with_weights or counts[call.path] > TOLD_APART or counts[call.path] == 1
            grouped.setdefault((call.path, 0 if together else call.number), []).append(call)
        known = {(layer.path, layer.number): layer for layer in self.layers}
        order = []
        for (path, number), same in grouped.items():
            layer = known.pop((path, number), None) or Layer(path, same[0].kind, number)
            layer.several = counts[path] > 1
            _add(layer, step, same)
            order.append(layer)
        again = {layer.path for layer in order}
        order += [layer for layer in known.values() if layer.calls or layer.path not in again]  # not called this time
        self.layers = order
        self._share_out()

    def _share_out(self):
        """Give each layer the parameters under its path, and note which have layers with weights after them."""
        first: dict[str, Layer] = {}
        for layer in self.layers:
            layer.parameters = []
            first.setdefault(layer.path, layer)
        for parameter in self.parameters:
            path = parameter.name.rpartition(".")[0]
            while path and path not in first:
                path = path.rpartition(".")[0]
            if path not in first:
                first[path] = Layer(path, "")
                self.layers.append(first[path])
            first[path].parameters.append(parameter)
        later = False
        for layer in reversed(self.layers):
            layer.hidden = later
            later = later or (bool(layer.weights) and layer.calls > 0)

    def told(self, step, loss, classes=None):
        """The loss of a step."""
        self.loss = loss
        self.losses.add(step, loss)
        if self.first_loss is None:
            self.first_loss, self.classes = loss, classes
        if math.isfinite(loss):
            self.best_loss = loss if self.best_loss is None else min(loss, self.best_loss)


def _add(layer, step, calls):
    layer.calls = len(calls)
    layer.out = Stats.pooled([call.out for call in calls])
    grads = [call.grad for call in calls if call.grad is not None]
    layer.grad = Stats.pooled(grads) if grads else None
    if layer.grad is not None:
        layer.norms.append(layer.grad.norm)
        layer.history.add(step, layer.grad.norm)
    layer.op = calls[0].op if all(call.op == calls[0].op for call in calls) else ""
    if calls[0].saturated is not None and layer.op:
        layer.shares.append(sum(call.saturated * call.out.size for call in calls) / max(layer.out.size, 1))
    if calls[0].alive is not None and layer.op and len({call.alive.size for call in calls}) == 1:
        alive = np.logical_or.reduce([call.alive for call in calls])
        layer.masks.append((alive, sum(call.samples for call in calls)))
