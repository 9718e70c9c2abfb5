"""What runs, as it runs: every operation, gradient rule, optimizer step and module call of a function, with its time.

Before it: the engine, which knows nothing of this file.  After it: `trace.py`, which makes tables of what is seen.

Every operation goes through a generated function (`autograd/door.py`), and Python tells a profile function
(`sys.setprofile`) of every call and return, with the frame that holds the arguments and the value returned.  So nothing
is patched, recorded or kept, and a program that is not traced pays nothing.

    call   <minigrad door …> mul     ─▶ a `Step` begins: name, shapes of the arguments, the user's line
    call   anything else             ─▶ passed over; what that costs is taken off the clock
    return <minigrad door …> mul     ─▶ the step ends: shapes, dtype and bytes of the result
"""

from __future__ import annotations

import sys
import time
import weakref
from dataclasses import dataclass, field

import numpy as np

import minigrad
from minigrad.autograd import engine, function, inplace
from minigrad.autograd.node import PICK
from minigrad.nn.modules.module import Module
from minigrad.optim.optimizer import Optimizer
from minigrad.tensor import Tensor, wrap
from minigrad.trees import flatten
from minigrad.viz.graph.text import public_name
from minigrad.viz.record.recording import ModuleCall, Recorder

__all__ = ["BACKWARD", "FORWARD", "MODULE", "OPTIMIZER", "Observer", "Step"]

FORWARD, BACKWARD, OPTIMIZER, MODULE = "forward", "backward", "optimizer", "module"
DOOR = "<minigrad door"
CREATION = """
    arange bernoulli empty eye from_numpy full linspace multinomial normal ones rand randint randn randperm tensor zeros
""".split()
SETTINGS = (bool, int, float, str, tuple)
PROBES, ROUNDS = 20, 5  # of the calibration: calls, and how often they are timed


@dataclass(slots=True)
class Step:
    """One thing that ran.

    phase    FORWARD, BACKWARD, OPTIMIZER or MODULE (a module call: the steps inside it follow)
    op       the name of the operation; `label` is the sign a drawing shows for it
    inputs   (argument, shape, dtype) of its tensors;  `outputs` (shape, dtype) of its results
    settings  {argument: value} of its arguments that are numbers, texts or tuples of them
    bytes    of memory that it made for its results; 0 where they share an operand's, or a step inside made them
    start    seconds since the beginning;  `seconds` it took, what it called included;  `inside` those of steps in it
    parent   the position of the step it ran in, -1: none;  `depth` how many steps it ran in, modules not counted
    line     (file, line, text, function) of the program; a gradient rule has its operation's. None: not known
    modules  the `ModuleCall`s it ran in, the outermost first; a gradient rule has its operation's
    """

    phase: str
    op: str
    label: str = ""
    inputs: list[tuple] = field(default_factory=list)
    outputs: list[tuple] = field(default_factory=list)
    settings: dict = field(default_factory=dict)
    bytes: int = 0
    start: float = 0.0
    seconds: float = 0.0
    inside: float = 0.0
    parent: int = -1
    depth: int = 0
    line: tuple | None = None
    modules: tuple[ModuleCall, ...] = ()

    @property
    def alone(self) -> float:
        """Seconds it took itself, without the steps in it."""
        return max(0.0, self.seconds - self.inside)


class Observer:
    """Sees what `run` runs: `steps` in the order they began, the `seconds` it took, and `overhead`, which was taken off
    them for looking on."""

    def __init__(self):
        self.steps: list[Step] = []
        self.seconds = self.overhead = 0.0
        self._open: list[int] = []  # positions of the steps that run
        self._recorder = Recorder(None)
        self._special = _special_readers(self)
        self._arrays = weakref.WeakValueDictionary()  # memory by id, whose bytes are counted
        self._made_by = weakref.WeakKeyDictionary()  # node -> the step that made it

    def run(self, function, args, kwargs, timed=True):
        """What ``function(*args, **kwargs)`` gives. Not `timed`: what looking on costs is not measured. RuntimeError if
        a profiler runs that could not be put back."""
        before = sys.getprofile()
        if before is not None and not callable(before):
            raise RuntimeError(
                "another profiler is running (cProfile, or a tool built on it) and Python has room for one: "
                "stop it before"
            )
        look, measure, finish = self._profile_function()
        try:
            if timed:
                measure()
            sys.setprofile(look)
            return function(*args, **kwargs)
        finally:
            sys.setprofile(before)
            finish()

    def _profile_function(self):
        """(the function for `sys.setprofile`, one that measures what it costs, one for the end). What is hot is a local
        of the closure."""
        clock, known, steps, running = time.perf_counter, {}, self.steps, self._open
        each = off = last = 0.0  # seconds: that an event costs, that looking on has cost; the time of the last event
        began = clock()

        def look(frame, event, value):
            nonlocal off, last
            found = known.get(frame.f_code)
            if found is None:
                came = clock()
                found = known[frame.f_code] = self._reader_of(frame)
                off += clock() - came
            begin, end = found
            if begin is None or event[:2] == "c_":
                off += each
                return
            came = clock()
            now = came - began - off - each
            off += each - max(0.0, last - now)  # what is taken off never makes time go back
            last = now = max(last, now)
            if event == "call":
                step = begin(frame)
                step.start = now
                if running:
                    above = steps[running[-1]]
                    step.parent, step.depth = running[-1], above.depth + (above.phase != MODULE)
                running.append(len(steps))
                steps.append(step)
            elif running:
                step = steps[running.pop()]
                step.seconds = now - step.start
                if running:
                    steps[running[-1]].inside += step.seconds
                end(step, frame, value)
            off += clock() - came

        def watched(cost):
            """(seconds of a round of probes, how much of it is noted as looking on) if an event cost that much."""
            nonlocal each, off, last
            each, off, last = cost, 0.0, -1e9
            sys.setprofile(look)
            took = timed_probes()
            sys.setprofile(None)
            return took, off

        def measure():
            nonlocal each, off, last, began
            watched(0.0)
            count = -round(watched(-1.0)[1])  # a second is put on for each event: so many there are
            plain = min([timed_probes() for _ in range(ROUNDS)])
            seen = min([took - noted for took, noted in [watched(0.0) for _ in range(ROUNDS)]])
            self.steps.clear()
            each, off, last, began = max(0.0, seen - plain) / count, 0.0, 0.0, clock()

        def finish():
            self.seconds, self.overhead = clock() - began - off, off
            running.clear()

        return look, measure, finish

    # ---- which calls are steps

    def _reader_of(self, frame):
        """(what reads the call of a function, what reads its return); (None, None) for one that is no step."""
        code, space = frame.f_code, frame.f_globals
        if code in self._special:
            return self._special[code]
        if not code.co_filename.startswith(DOOR) or "written" in space:  # `written`: F.relu(inplace=), which calls relu
            return None, None
        names = _arguments(code)
        if "op" in space:
            op = space["op"]
            name = public_name(op.name)
            return self._forward(name, op.label if isinstance(op.label, str) else name, names), self._forward_end
        if "named" in space:
            name = public_name(code.co_name)
            return self._forward(name, name, names), self._forward_end
        return (self._rule, self._rule_end) if code.co_name.endswith("_backward") else (None, None)

    def _forward(self, op, label, names):
        def begin(frame):
            local = frame.f_locals
            given = [entry for name in names for entry in self._given(name, local.get(name))]
            step = Step(FORWARD, op, label, given, line=self._line(frame), modules=self._recorder.modules)
            step.settings = {name: local[name] for name in names if isinstance(local.get(name), SETTINGS)}
            return step

        return begin

    def _forward_end(self, step, frame, value):
        results = [value] if isinstance(value, Tensor) else value if isinstance(value, list | tuple) else []
        for out in results:
            if isinstance(out, Tensor):
                step.outputs.append(_told(out))
                step.bytes += self._fresh(out.array)
                node = out.node
                if node is not None:
                    self._made_by.setdefault(node.parents[0] if node.op is PICK else node, step)

    def _fresh(self, array):
        """The bytes of an array, if its memory is none that a step was given or has counted."""
        if not isinstance(array, np.ndarray):
            return 0
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if self._arrays.get(id(owner)) is owner:
            return 0
        self._arrays[id(owner)] = owner
        return array.nbytes

    def _given(self, name, value):
        """(name, shape, dtype) of an argument that is a tensor or an array, or a list of them."""
        named = enumerate(value) if isinstance(value, list | tuple) else [("", value)]
        found = [(f"{name}[{i}]" if i != "" else name, v) for i, v in named if isinstance(v, Tensor | np.ndarray)]
        for _, v in found:
            self._fresh(v.array if isinstance(v, Tensor) else v)
        return [(slot, *_told(v)) for slot, v in found]

    # ---- in place, of the user's own, creation

    def _in_place(self, frame):
        local = frame.f_locals
        op = local.get("op")
        name = f"{op.name if op is not None else local.get('name', 'write')}_"
        values = (local.get("self"), *local.get("args", ()))
        names = (*op.inputs, *op.attrs) if op is not None else ()
        slots = [names[i] if i < len(names) else f"argument {i}" for i in range(len(values))]
        given = [entry for slot, v in zip(slots, values, strict=True) for entry in self._given(slot, v)]
        return Step(FORWARD, name, name, given, line=self._line(frame), modules=self._recorder.modules)

    def _function(self, frame):
        local = frame.f_locals
        name = local["cls"].__name__
        values = (*local.get("args", ()), *local.get("kwargs", {}).values())
        given = [entry for i, v in enumerate(values) for entry in self._given(f"argument {i}", v)]
        return Step(FORWARD, name, name, given, line=self._line(frame), modules=self._recorder.modules)

    def _creation(self, frame):
        code = frame.f_code
        name = frame.f_locals.get("name", code.co_name)  # of `rand` and its kind a variable of the enclosing function
        name = name if isinstance(name, str) else code.co_name
        return Step(FORWARD, name, name, line=self._line(frame), modules=self._recorder.modules)

    # ---- backward

    def _walk(self, frame):
        return Step(BACKWARD, "backward", "backward", line=self._line(frame))

    def _rule(self, frame):
        local = frame.f_locals
        node = local["n"] if "n" in local else local["node"]
        made = self._made_by.get(node)
        op = node.op
        name = public_name(op.name)
        step = Step(BACKWARD, name, op.label if isinstance(op.label, str) else name)
        step.inputs = self._given("g", local["g"])
        if made is not None:
            step.line, step.modules = made.line, made.modules
        return step

    def _rule_end(self, step, frame, value):
        grads = value if isinstance(value, list | tuple) else []
        for grad in grads:
            if isinstance(grad, np.ndarray | Tensor):
                step.outputs.append(_told(grad))
                array = grad.array if isinstance(grad, Tensor) else grad
                step.bytes += self._fresh(array)

    # ---- optimizers and modules

    def _optimizer(self, frame):
        local = frame.f_locals
        name = frame.f_code.co_name if frame.f_code.co_name != "hooked" else "step"
        given = [_told(p) for group in local["self"].param_groups for p in group["params"]]
        step = Step(OPTIMIZER, f"{type(local['self']).__name__}.{name}", line=self._line(frame))
        step.inputs = [("params", *told) for told in given]
        return step

    def _module(self, frame):
        module = frame.f_locals["self"]
        self._recorder.begin(module, ())
        call = self._recorder.modules[-1]
        step = Step(MODULE, call.kind, line=self._line(frame), modules=self._recorder.modules)
        given = flatten((frame.f_locals.get("args", ()), frame.f_locals.get("kwargs", {})))[0]
        step.inputs = [("input", *_told(value)) for value in given if isinstance(value, Tensor)]
        return step

    def _module_end(self, step, frame, value):
        self._recorder.end(frame.f_locals["self"], (), value)
        step.outputs = [_told(out) for out in flatten(value)[0] if isinstance(out, Tensor)]

    def _line(self, frame):
        return self._recorder.line(frame.f_back)


def timed_probes() -> float:
    """Seconds of some calls that run Python like all of minigrad's and compute nothing. Python runs slower while it is
    watched, not only at the calls it tells of: so what looking on costs is measured on code of this kind."""
    x = wrap(np.zeros((2, 3), np.float32))
    came = time.perf_counter()
    for _ in range(PROBES):
        x.view(3, 2).transpose(0, 1).unsqueeze(0)
        x.reshape(6)
    return time.perf_counter() - came


def _no_end(step, frame, value):
    """Nothing is to be read of the result."""


def _special_readers(observer):
    """{code object: how it is read} of what is no generated function."""
    o = observer
    made = (inplace.method, inplace.rewriting, inplace.turning)  # each makes functions that share one code object
    codes = [const for maker in made for const in maker.__code__.co_consts if hasattr(const, "co_code")]
    readers = {code: (o._in_place, o._forward_end) for code in codes if code.co_name == "in_place"}
    for name in CREATION:
        readers[getattr(minigrad, name).__code__] = (o._creation, o._forward_end)
    readers[function.Function.apply.__func__.__code__] = (o._function, o._forward_end)
    readers[function.FunctionOp.rule.__code__] = (o._rule, o._rule_end)
    readers[engine.walk_back.__code__] = (o._walk, _no_end)
    readers[Optimizer.step.__code__] = (o._optimizer, _no_end)
    readers[Optimizer.zero_grad.__code__] = (o._optimizer, _no_end)
    readers[Module.__call__.__code__] = (o._module, o._module_end)
    return readers


def _arguments(code):
    """The names of a function's parameters."""
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    return code.co_varnames[:count]


def _told(value):
    """(shape, name of the dtype)."""
    array = value.array if isinstance(value, Tensor) else value
    shape = value._shape if isinstance(value, Tensor) else value.shape
    return tuple(shape), str(getattr(array, "dtype", ""))
