"""`health`: one look at a model, after a step as it is, or with one forward and backward made on the side.

Before it: `passes.py`, `records.py`.  The pass on the side is made with a copy of the model, of the loss and of the
optimizer, so that buffers, gradients, modes and counters of the user's are not touched; random states are put back.
"""

from __future__ import annotations

import copy

import numpy as np

import minigrad
from minigrad.autograd.modes import enable_grad
from minigrad.errors import describe
from minigrad.nn import CrossEntropyLoss, Module
from minigrad.nn import functional as F
from minigrad.nn.parameter import is_lazy
from minigrad.tensor import Tensor
from minigrad.trees import tree_map
from minigrad.viz.record.recording import recording
from minigrad.viz.record.untouched import same_randomness
from minigrad.viz.vitals.origin import graph_origin
from minigrad.viz.vitals.passes import Pass, layers_of, tensors_in
from minigrad.viz.vitals.records import Findings
from minigrad.viz.vitals.report import Health
from minigrad.viz.vitals.words import checked_language

__all__ = ["asleep", "health", "named_inputs"]


def health(model, x=None, y=None, loss_fn=None, *, optimizer=None, language="en") -> Health:
    """health(model, x=None, y=None, loss_fn=None) -> Health.  How a model is doing: for each layer its output and the
    gradient that came to it, saturated and dead units, the size of steps, NaN with the operation that made it; and what
    to do about it, in words.

    ``health(model)`` after ``loss.backward()`` (or after a step) looks at the weights and gradients that are there, and
    says what it could not know. With `x` it runs one forward, and with `loss_fn` one backward, on a copy of the model:
    nothing of yours changes, no weight, buffer, gradient, hook, mode or random state. Hooks of your own do run, and see
    the copy.

    model      nn.Module, in the mode (train or eval) it is to be looked at in
    x          its input: a Tensor or array, or a tuple or list of several, or a dict of keyword arguments
    y          the target, given on to `loss_fn`
    loss_fn    ``loss_fn(output, y)``, or ``loss_fn(output)`` if there is no `y`; gives a 0-dim Tensor. Or its name in
               nn.functional, e.g. ``"cross_entropy"``
    optimizer  the optimizer of the model: its next step is made too, on the copy, for the update-to-weight ratio
    language   "en" or "ko"

    A norm is √Σv², a std is that of all elements (biased). Gradients are those of the loss with respect to a layer's
    output. A sigmoid's or tanh's output is saturated within 1 % of its range from an end, a ReLU's unit is dead if it
    is zero for every sample (and place: a unit of a convolution is a channel).

    Raises TypeError or ValueError for arguments of another kind; whatever `model` and `loss_fn` raise comes through.

    >>> import minigrad
    >>> from minigrad import nn, viz
    >>> deep = nn.Sequential(*[layer for _ in range(20) for layer in (nn.Linear(8, 8), nn.Sigmoid())], nn.Linear(8, 3))
    >>> x, y = minigrad.randn(64, 8), minigrad.zeros(64, dtype=minigrad.int64)
    >>> viz.health(deep, x, y, "cross_entropy").verdicts[0].rule
    'vanishing-gradient'
    """
    if not isinstance(model, Module):
        raise TypeError(f"health(): argument 'model' must be a Module, not {describe(model)}")
    checked_language(language, "health()")
    if x is None and not (y is None and loss_fn is None and optimizer is None):
        raise ValueError(
            "health(): argument 'x': got None; y, loss_fn and optimizer need the input to run the model on"
        )
    if x is None:
        return _as_it_is(model, language)
    if loss_fn is None and not (y is None and optimizer is None):
        raise ValueError(
            "health(): argument 'loss_fn': got None, but a target or an optimizer was given; give "
            "loss_fn(output, y), or a name such as 'cross_entropy'"
        )
    return _on_the_side(model, _arguments(x), y, _loss_function(loss_fn), optimizer, language)


def _as_it_is(model, language):
    findings, unknown = Findings(), ["no-pass"]
    findings.of_model(model, layers_of(model))
    for parameter, (_, tensor) in zip(findings.parameters, model.named_parameters(), strict=True):
        if not is_lazy(tensor):
            parameter.measure(tensor, _gradient_of(tensor))
    if any(p.grad is not None for p in findings.parameters):
        findings.backwards = 1
    elif findings.parameters:
        unknown.append("no-grads")
    unknown.append("no-update")
    return Health(findings, unknown, language, "measured-none")


def _gradient_of(tensor):
    grad = tensor.grad
    return None if grad is None else grad.array


def _on_the_side(model, arguments, y, loss_fn, optimizer, language):
    findings, unknown = Findings(), []
    try:
        model, optimizer, loss_fn = copy.deepcopy((model, optimizer, loss_fn))
    except Exception as error:
        raise RuntimeError(f"health(): the model (or loss_fn, or optimizer) can't be copied: {error}") from error
    args, kwargs = arguments
    measured = Pass(model, thorough=True)
    inputs = named_inputs(args, kwargs)
    with same_randomness(), recording(model), enable_grad():
        try:
            measured.open()
            output = model(*args, **kwargs)
            measured.finish(inputs, output)
            findings.of_model(model, layers_of(model))  # now that lazy layers have their shapes
            if loss_fn is None:
                unknown.append("no-loss")
            else:
                loss = _loss_of(loss_fn, output, y)
                findings.told(0, loss.item(), _classes_of(loss_fn, output))
                _backward(model, measured, loss, findings, optimizer)
        finally:
            measured.close()
    findings.take(0, measured.calls)
    findings.steps, findings.backwards = 1, measured.backwards
    findings.origin = measured.origin
    findings.asleep = asleep(model)
    if optimizer is None:
        unknown.append("no-update")
    return Health(findings, unknown, language, "measured-one")


def _backward(model, measured, loss, findings, optimizer):
    """The gradients of the copy's parameters, and a step of the copy's optimizer."""
    if measured.origin is None:
        measured.origin = graph_origin([loss], calls=measured.calls)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    tensors = dict(model.named_parameters())
    if names and loss.requires_grad:
        measured.also_look_at(loss)
        grads = minigrad.autograd.grad(loss, [tensors[name] for name in names], allow_unused=True, retain_graph=True)
    else:
        grads = [None] * len(names)
    found = dict(zip(names, grads, strict=True))
    for parameter in findings.parameters:
        grad = found.get(parameter.name)
        tensors[parameter.name].grad = grad
        parameter.measure(tensors[parameter.name], None if grad is None else grad.array)
    if optimizer is not None and measured.origin is None:
        before = {p.name: tensors[p.name].array.copy() for p in findings.parameters}
        owned = {id(p) for group in optimizer.param_groups for p in group["params"]}
        optimizer.step()
        findings.lr = tuple(float(group["lr"]) for group in optimizer.param_groups if "lr" in group)
        findings.updates = 2  # it is known which parameters the optimizer has
        for parameter in findings.parameters:
            parameter.owned = id(tensors[parameter.name]) in owned
            parameter.update(0, before[parameter.name], tensors[parameter.name].array)


def _arguments(x):
    """(args, kwargs) for the model."""
    x = tree_map(_copied, x)
    if isinstance(x, dict):
        return (), x
    return tuple(x) if isinstance(x, tuple | list) else (x,), {}


def _copied(value):
    """A tensor without history, whose numbers the model or the loss may write over."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return minigrad.tensor(value) if isinstance(value, np.ndarray) else value


def named_inputs(args, kwargs) -> dict[str, Tensor]:
    """The float tensors that a model is given, by position or name."""
    pairs = [(str(i), value) for i, value in enumerate(args)] + list(kwargs.items())
    named = {}
    for name, value in pairs:
        found = list(tensors_in(value))
        for i, tensor in enumerate(found):
            named[f"{name}.{i}" if len(found) > 1 else name] = tensor
    return named


def _loss_function(loss_fn):
    if isinstance(loss_fn, str):
        try:
            return getattr(F, loss_fn)
        except AttributeError:
            text = f"health(): argument 'loss_fn': there is no {loss_fn!r} in nn.functional; e.g. 'cross_entropy'"
            raise ValueError(text) from None
    if loss_fn is not None and not callable(loss_fn):
        raise TypeError(f"health(): argument 'loss_fn' must be callable or a name, not {describe(loss_fn)}")
    return loss_fn


def _loss_of(loss_fn, output, y):
    loss = loss_fn(output) if y is None else loss_fn(output, tree_map(_copied, y))
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise ValueError(
            f"health(): argument 'loss_fn': it gave {describe(loss)}; expected a Tensor with one element, e.g. the mean"
        )
    return loss.reshape(())


def _classes_of(loss_fn, output) -> int | None:
    """How many classes a cross entropy chooses among, if that is what the loss is."""
    if not (isinstance(loss_fn, CrossEntropyLoss) or loss_fn is F.cross_entropy):
        return None
    return output.shape[1] if isinstance(output, Tensor) and output.ndim > 1 else None


def asleep(model) -> tuple[str, ...]:
    """The layers that behave otherwise in training but are in evaluation mode, although they could be in training."""
    kinds = ("Dropout", "BatchNorm", "RReLU")
    names = [path for path, m in model.named_modules() if not m.training and type(m).__name__.startswith(kinds)]
    return tuple(names)
