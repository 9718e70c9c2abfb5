"""`watch`: looks at some of the steps of a training loop, as many as its share of the time allows.

Before it: `passes.py`, `records.py`, `pace.py`, `live.py`.  One hook stays on the model while it is watched; all others
are there only during a step that is measured:

    model(x) ─▶ not due: nothing    due: a `Pass` is opened, the weights are copied
                                             │
    loss.backward() ─────────────────────────┤ gradients of the layers' outputs
                                             │
    optimizer.step() ────────────────────────┤ gradients of the parameters, ‖Δw‖/‖w‖
                                             ▼
                                   `Findings`; the next step is due when this one's cost is `budget` of the time

Without an optimizer (a loop that writes ``p -= lr * p.grad``) the next call of the model tells what has changed.
"""

from __future__ import annotations

import copy
import math
import threading
import time

import numpy as np

from minigrad.autograd.modes import size_now
from minigrad.errors import describe
from minigrad.nn import Module
from minigrad.nn.parameter import is_lazy
from minigrad.optim import Optimizer
from minigrad.optim.hooks import register_optimizer_step_post_hook
from minigrad.tensor import Tensor
from minigrad.viz.vitals.check import asleep, named_inputs
from minigrad.viz.vitals.live import view_for
from minigrad.viz.vitals.origin import graph_origin
from minigrad.viz.vitals.pace import Gate, Pace
from minigrad.viz.vitals.passes import Look, Pass, first_tensor, layers_of
from minigrad.viz.vitals.records import Findings, shape_of
from minigrad.viz.vitals.report import Health
from minigrad.viz.vitals.words import checked_language

__all__ = ["Watch", "watch"]

ALWAYS = 2  # steps at the start that are measured in any case
PATIENCE = 256  # calls of the model that a measured step waits for its backward and its update
PER_HOOK = 5e-6  # seconds that calling a hook costs outside of what is timed
FOR_MEASURING = 0.6  # of the budget where there is a live view; the rest is for drawing it


def watch(model, optimizer=None, *, budget=0.01, live="auto", language="en") -> Watch:
    """watch(model) -> Watch.  Look at a model while it is trained; see `health` for what is measured.

    ::

        with viz.watch(model) as w:
            for x, y in loader:                       # any training loop
                loss = loss_fn(model(x), y)
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                w.log(loss)                           # if you like: the loss too
        print(w.report())

    or ``w = viz.watch(model)``, the loop, ``w.close()``. On a terminal and in a notebook a table is shown that is
    updated while the loop runs. In `minigrad.train` give ``callbacks=[viz.HealthMonitor()]``.

    model      nn.Module; its calls with gradients on are counted as steps (those under no_grad are passed over)
    optimizer  look only at the steps of this one; default: of any optimizer that has parameters of the model
    budget     the share of the time that measuring and showing may take: 0.01 is 1 %. The first two steps are
               measured, then one whenever it is affordable; the hook that waits in between takes about 10 µs a step
               besides. None: every step, whatever it costs, e.g. to see in which step NaN appears
    live       True or False: whether to show the table while training; "auto": on a terminal and in a notebook
    language   "en" or "ko"

    A measured step needs memory for a copy of the weights. The model, its results and its random numbers are the same
    as if nobody looked.

    Raises TypeError or ValueError for arguments of another kind.
    """
    if not isinstance(model, Module):
        raise TypeError(f"watch(): argument 'model' must be a Module, not {describe(model)}")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"watch(): argument 'optimizer' must be an Optimizer or None, not {describe(optimizer)}")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int | float)):
        raise TypeError(f"watch(): argument 'budget' must be a number or None, not {describe(budget)}")
    if budget is not None and not 0 < budget < 1:
        raise ValueError(
            f"watch(): argument 'budget': got {budget}; expected a share between 0 and 1, e.g. 0.01, or None"
        )
    if live not in (True, False, "auto"):
        raise ValueError(f"watch(): argument 'live': got {live!r}; expected True, False or 'auto'")
    return Watch(model, optimizer, budget, live, checked_language(language, "watch()"))


class Watch:
    """A model being watched, until `close` or the end of the ``with`` block. Made by `watch`.

    steps     calls of the model with gradients on, so far
    measured  how many of them were measured
    spent     seconds spent on measuring and showing
    """

    def __init__(self, model, optimizer, budget, live, language):
        self.model, self.optimizer, self.language = model, optimizer, language
        self.findings = Findings()
        self.findings.of_model(model, layers_of(model))
        self.spent = 0.0
        self._budget = budget
        self._pass: Pass | None = None
        self._parameters = dict(model.named_parameters())
        self._before: dict[str, np.ndarray] = {}  # the weights, as they were when the step began
        self._versions: dict[str, int] = {}
        self._left: set[str] = set()
        self._begun = self._waited = 0
        self._cost = 0.0
        self._pace, self._due = Pace(), 0.0
        self._used: tuple[str, bytes] | None = None  # a gradient, as it was when an optimizer used it
        self._uncleared = False
        self._choosing = threading.Lock()
        self._view = view_for(live)
        share = FOR_MEASURING if self._view is not None else 1.0
        self._share = None if budget is None else budget * share
        self._view_due, self._view_share = 0.0, 1.0 if budget is None else budget * (1 - FOR_MEASURING)
        self._optimizer_hook = None
        self._gate = Gate(model, self._called)
        self._handle = model.register_forward_pre_hook(self._gate)
        self._closed = False
        self._returns = self._listen()

    def _listen(self):
        look = Look(self.model, self._returned)
        return self.model.register_forward_hook(look, with_kwargs=True, always_call=True)

    # ---- what the user calls

    @property
    def steps(self) -> int:
        """Calls of the model with gradients on, so far."""
        return self._gate.steps

    @property
    def measured(self) -> int:
        """How many steps were measured."""
        return self.findings.measured

    def log(self, loss) -> None:
        """Tell the loss of a step, a Tensor or a number: it is shown, and a loss that is NaN or rises is noticed.

        Tell it before ``backward()``, as it comes out of the loss function: then the operation that made it NaN is
        found at once, whether this step was measured or not.
        """
        value = float(loss.item() if isinstance(loss, Tensor) else loss)
        findings = self.findings
        first = findings.first_loss is None
        findings.told(self.steps, value, _classes_in(loss) if first and isinstance(loss, Tensor) else None)
        if findings.origin is None and not math.isfinite(value) and isinstance(loss, Tensor):
            findings.origin = graph_origin([loss])
            findings.origin_step = self.steps if findings.origin is not None else None

    def report(self) -> Health:
        """What is known so far. It does not change any more when the loop goes on."""
        findings, unknown = copy.deepcopy(self.findings), []
        findings.steps = self.steps
        if not findings.measured:
            unknown.append("no-pass")
        if not findings.backwards:
            unknown.append("no-backward")
        if not findings.updates:
            unknown.append("no-update")
        return Health(findings, unknown, self.language)

    @property
    def rows(self) -> list[dict]:
        """`report().rows`."""
        return self.report().rows

    @property
    def verdicts(self):
        """`report().verdicts`."""
        return self.report().verdicts

    def plot(self, path=None):
        """`report().plot(path)`."""
        return self.report().plot(path)

    def close(self) -> None:
        """Stop watching: all hooks are taken away, and the live view shows its last. A second call does nothing."""
        if self._pass is not None:
            if self._pass.finished and self._pass.backwards:
                if len(self._left) == len(self._before) and self._changed():
                    self._measure_by_hand()
                self._complete()
            else:
                self._discard()
        self._handle.remove()
        self._stop_listening()
        self._before, self._closed = {}, True
        if self._view is not None:
            self._view.close(self.report())
            self._view = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __repr__(self):
        state = "closed" if self._closed else "watching"
        return f"<Watch of {type(self.model).__name__}: {state}, {self.measured} of {self.steps} steps measured>"

    def __str__(self):
        return str(self.report())

    # ---- what hooks call

    def _called(self, now):
        """The model is called, and a step is due, or is being measured."""
        if size_now() is not None or not self._choosing.acquire(blocking=False):  # inside vmap; another thread is at it
            return
        try:
            self.findings.steps = self._gate.steps
            settling = self._pace.settling(now, self._gate.steps)
            if self._pass is not None:
                self._go_on_waiting()
            if self._pass is not None:
                pass
            elif self._begun < ALWAYS or self._budget is None:
                self._begin(now)
            elif settling:
                pass
            elif now < self._due:
                self._gate.due = self._due
            elif self._returns is None:  # a hook that is added now is called from the next call on
                self._pace.learn(now, self._gate.steps)
                self._returns = self._listen()
            else:
                self._begin(now)
        finally:
            self._choosing.release()

    def _begin(self, now):
        self._begun += 1
        self._waited, self._uncleared = 0, False
        self._pace.begin(now)
        self._parameters = dict(self.model.named_parameters())
        shapes = [(name, shape_of(p)) for name, p in self._parameters.items()]
        if shapes != [(p.name, p.shape) for p in self.findings.parameters]:  # layers came, or lazy ones got shapes
            self.findings.of_model(self.model, layers_of(self.model))
        trainable = {name: p for name, p in self._parameters.items() if p.requires_grad and not is_lazy(p)}
        self._before = {name: _copied(p.array, self._before.get(name)) for name, p in trainable.items()}
        self._versions = {name: p._version for name, p in trainable.items()}
        self._left = set(trainable)
        self.findings.asleep = asleep(self.model)
        self._pass = Pass(self.model).open()
        self._pass.on_backward = self._backward_began
        self._optimizer_hook = register_optimizer_step_post_hook(self._stepped)
        self._cost = time.perf_counter() - now

    def _returned(self, args, kwargs, output):
        """The model returns, or has raised (`output` is None)."""
        measured = self._pass
        if measured is None or measured.finished or not measured.is_mine():
            return
        started = time.perf_counter()
        last = first_tensor(output)
        measured.finish(named_inputs(args, kwargs), output)
        self._cost += time.perf_counter() - started
        if last is None:  # it raised, most likely
            self._rest(self._discard())
        elif measured.origin is not None or not last.requires_grad:
            self._complete()

    def _backward_began(self):
        """The first gradient arrives; those of the parameters are as the program left them."""
        if self._used is None or self._pass.backwards > 1:
            return
        name, before = self._used
        grad = self._parameters[name].grad if name in self._parameters else None
        self._uncleared = grad is not None and grad.array.tobytes() == before

    def _stepped(self, optimizer, args, kwargs):
        """An optimizer has made a step."""
        measured = self._pass
        if measured is None or not measured.finished or not measured.is_mine():
            return
        if self.optimizer is not None and optimizer is not self.optimizer:
            return
        started = time.perf_counter()
        owned = {id(p) for group in optimizer.param_groups for p in group["params"]}
        ours = [name for name, p in self._parameters.items() if id(p) in owned]
        if ours and measured.backwards:
            if self._uncleared and not self._waited:  # with another call in between, they may be cleared since
                self.findings.uncleared += 1
            self.findings.lr = tuple(float(group["lr"]) for group in optimizer.param_groups if "lr" in group)
            self._measure(ours, True)
            self._left -= set(ours)
        self._cost += time.perf_counter() - started
        if measured.backwards and not self._left:
            self._complete()

    def _measure(self, names, by_optimizer):
        """Look at gradients and updates of these parameters."""
        self.findings.updates += 1
        wanted = set(names)
        for parameter in self.findings.parameters:
            tensor = self._parameters[parameter.name]
            if by_optimizer:
                parameter.owned = bool(parameter.owned) or parameter.name in wanted
            if parameter.name in wanted:
                grad = tensor.grad
                parameter.measure(tensor, None if grad is None else grad.array)
                before = self._before.get(parameter.name)
                if before is not None and before.shape == tensor.array.shape:
                    parameter.update(self.findings.steps, before, tensor.array)
        if by_optimizer:
            smallest = min(names, key=lambda name: self._parameters[name].array.size)
            grad = self._parameters[smallest].grad
            self._used = None if grad is None or not grad.array.any() else (smallest, grad.array.tobytes())

    def _go_on_waiting(self):
        """The model is called again before the measured step has ended: is its update still to come?"""
        measured = self._pass
        self._waited += 1
        if not measured.is_mine():
            if self._waited > PATIENCE:
                self._discard()
            return
        if not measured.finished:  # it was left by an exception that hooks are not told of
            self._discard()
        elif self._waited > PATIENCE or len(self._left) < len(self._before):
            self._complete()
        elif measured.backwards and self._changed():
            self._measure_by_hand()
            self._complete()

    def _measure_by_hand(self):
        """The weights have changed, and no optimizer told: look at the update, and at gradients that are left."""
        grads = [self._parameters[name].grad for name in self._left]
        if any(grad is not None and grad.array.any() for grad in grads):
            self._measure(self._left, False)
            return
        self.findings.updates += 1
        for parameter in self.findings.parameters:
            if parameter.name in self._left:
                before, after = self._before[parameter.name], self._parameters[parameter.name].array
                parameter.update(self.findings.steps, before, after)
        self._left = set()

    def _changed(self):
        return any(self._parameters[name]._version != version for name, version in self._versions.items())

    def _complete(self):
        """The measured step has ended: note what was found, and say when the next is due."""
        measured, findings = self._pass, self.findings
        started = time.perf_counter()
        for parameter in findings.parameters:
            if parameter.name in self._left or parameter.name not in self._before:
                tensor = self._parameters[parameter.name]
                grad = tensor.grad
                if is_lazy(tensor):
                    continue
                if grad is not None or not tensor.requires_grad or (measured.backwards and self._optimized_elsewhere()):
                    parameter.measure(tensor, None if grad is None else grad.array)
        findings.take(findings.steps, measured.calls)
        findings.backwards += measured.backwards
        if findings.origin is None and measured.origin is not None:
            findings.origin, findings.origin_step = measured.origin, findings.steps
        self._cost += time.perf_counter() - started
        own = self._discard()
        self._rest(own)
        now = time.perf_counter()
        if self._view is not None and now >= self._view_due:
            self._view.update(findings, self.language)
            drawing = time.perf_counter() - now
            self.spent += drawing
            own += drawing
            pause = drawing / self._view_share if self._view_due else 0.0  # the first time it has to load rich
            self._view_due = now + max(pause, self._view.least)
        self._pace.end(own, alone=not self._waited)

    def _rest(self, own):
        """Let as much time pass as makes the cost of a measured step, `own` seconds as counted, affordable."""
        cost = own * self._pace.factor
        self.spent += cost
        if self._share is not None and self._begun >= ALWAYS:
            self._due = time.perf_counter() + cost * (1 / self._share - 1)
            self._stop_listening()

    def _optimized_elsewhere(self):
        """Whether an optimizer has made its step, so that a parameter without gradient really got none."""
        return len(self._left) < len(self._before)

    def _stop_listening(self):
        if self._returns is not None:
            self._returns.remove()
            self._returns = None

    def _discard(self):
        """Take away the hooks of a measured step; how many seconds were spent in them."""
        measured, self._pass = self._pass, None
        measured.close()
        if self._optimizer_hook is not None:
            self._optimizer_hook.remove()
            self._optimizer_hook = None
        return self._cost + measured.spent + PER_HOOK * 3 * len(measured.calls)


def _copied(array, room):
    """A copy of an array, in the room of an older one if it fits: fresh memory costs more than copying."""
    if room is None or room.shape != array.shape or room.dtype != array.dtype:
        return array.copy()
    np.copyto(room, array)
    return room


def _classes_in(loss) -> int | None:
    """How many classes there are, if the loss is a cross entropy: it is recorded with the shape of its logits."""
    front = [loss.node]
    for _ in range(4):
        front = [p for node in front if node is not None for p in node.parents if p is not None]
        for node in front:
            if node.op.name == "log_softmax" and len(node.shape) > 1:
                return node.shape[1]
    return None
