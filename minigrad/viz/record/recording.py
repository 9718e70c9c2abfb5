"""Where a node was made: the line of the user's program, and the modules that were running.

Comes after `autograd/watch.py`, which asks for a note when a node is made, and nn's hooks, which tell when a module
begins and ends.  Outside `recording` neither is in force, and a program runs as if this file were not there.

    with viz.recording():                     node ──note──▶ Note(file, line, code, function, modules)
        loss = criterion(model(x), y)                                                         │
                                              ModuleCall("", "Net", 1), ModuleCall("hidden", "Linear", 1)
"""

from __future__ import annotations

import contextlib
import linecache
import sys
import threading
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minigrad.autograd import watch
from minigrad.autograd.node import OURS, SKIPPED, Node
from minigrad.errors import describe
from minigrad.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.nn.modules.module import Module

__all__ = ["ModuleCall", "Note", "Recorder", "described", "note_of", "noted_at", "recording", "stop_of"]

_hooking = threading.Lock()


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One call of a module.

    path    where the module is, from the outermost module: ``"encoder.layers.0"``; ``""`` is the outermost itself
    kind    the name of its class
    number  the how manieth call of the module inside the recording: 1, 2, ...; a cell called T times is T steps
    root    which outermost module the path is of: 1 for the first one called inside the recording, 2 for the second
    """

    path: str
    kind: str
    number: int
    root: int = 1


@dataclass(frozen=True, slots=True)
class Note:
    """Where a node was made.

    file, line  the innermost line of the program that is neither minigrad's own nor an installed library's
    code        the text of that line, without the space around it; ``""`` if it can't be read
    function    the name of the function the line stands in; ``"<module>"`` outside functions
    modules     the `ModuleCall`s that were running, the outermost first
    """

    file: str
    line: int
    code: str
    function: str
    modules: tuple[ModuleCall, ...]


def note_of(node) -> Note | None:
    """What was noted of a node (``tensor.grad_fn``); None for leaves and for nodes made outside `recording`."""
    note = getattr(node, "_note", None)
    return note if isinstance(note, Note) else None


def noted_at(error, line=None) -> Note | None:
    """The note of an operation that raised inside modules, if a `recording` that goes on still saw the error. `line` is
    a `described` line of the program; None: the one that is running."""
    recorder = getattr(watch.noting.get(), "__self__", None)
    if not isinstance(recorder, Recorder) or recorder.raised[0] is not error or not recorder.raised[1]:
        return None
    file, number, code, function = line or recorder.line(sys._getframe(1))
    return Note(file, number, code, function, recorder.raised[1])


@dataclass(slots=True)
class Stop:
    """A result that no_grad cut off: the array it is in, the op that made it, and the nodes it was made of."""

    array: weakref.ref
    op: str
    parents: tuple[weakref.ref, ...]


_stops: dict[int, Stop] = {}  # by the array's id


def note_stop(frame):
    """Note the result of an operation under no_grad, from the frame of its door."""
    names = frame.f_locals
    made, op = names.get("made", names.get("out")), names.get("op", frame.f_globals.get("op"))
    parents = [node for name, node in names.items() if name.startswith("n_") or name == "node"]
    parents += [tensor.node for tensor in names.get("tensors", ())] + list(names.get("nodes", ()))
    parents = [node for node in parents if isinstance(node, Node)]
    if isinstance(made, Tensor) and parents:
        key = id(made.array)
        gone = weakref.ref(made.array, lambda _: _stops.pop(key, None))
        _stops[key] = Stop(gone, op.name, tuple(map(weakref.ref, parents)))


def stop_of(array) -> tuple[str, list]:
    """(the op, the nodes that went into it) of an array computed under no_grad inside a `recording`; else ("", [])."""
    stop = _stops.get(id(array))
    if stop is None or stop.array() is not array:
        return "", []
    return stop.op, [node for parent in stop.parents if (node := parent()) is not None]


@contextlib.contextmanager
def recording(model=None):
    """recording(model=None).  Inside the block every operation of this thread that is recorded in the graph also notes
    the line of the program it comes from, and the modules it runs in.

    Drawings, steps and explanations of what was computed inside show these, and where no_grad() cut the graph off;
    without it they do without.  Inside the
    block an operation costs one or two microseconds more and a call of a module about ten, outside nothing.  Blocks may
    be nested: the innermost notes.

    model  the Module that paths are counted from. It is needed only where parts of a model are called one by one
           (``h = model.encode(x)``); else the outermost module that is called is the one

    Raises TypeError if `model` is something else.

    >>> import minigrad
    >>> from minigrad import nn, viz
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    >>> with viz.recording():
    ...     y = model(minigrad.ones(1, 2))
    >>> viz.note_of(y.grad_fn).modules[-1]
    ModuleCall(path='1', kind='Tanh', number=1, root=1)
    """
    from minigrad.nn.modules.hooks import register_module_forward_hook, register_module_forward_pre_hook
    from minigrad.nn.modules.module import Module

    if model is not None and not isinstance(model, Module):
        raise TypeError(f"recording(): argument 'model' must be a Module or None, not {describe(model)}")
    recorder = Recorder(model)
    with _hooking:  # two threads that come and go at once could lose each other's hooks
        handles = [register_module_forward_pre_hook(recorder.begin)]
        handles.append(register_module_forward_hook(recorder.end, always_call=True))
    tokens = watch.noting.set(recorder.note), watch.stopping.set(note_stop)
    watch.watch(+1)
    try:
        yield
    finally:
        recorder.raised = None, ()
        watch.watch(-1)
        watch.noting.reset(tokens[0])
        watch.stopping.reset(tokens[1])
        with _hooking:
            for handle in handles:
                handle.remove()


@dataclass(slots=True)
class _Running:
    """A module that is running: its call, and how often it has called each module of its own."""

    module: Module
    call: ModuleCall
    called: Counter


class Recorder:
    """Which line of the program and which modules run now: what one `recording` knows."""

    def __init__(self, model):
        self._thread = threading.get_ident()  # hooks are called for the modules of all threads
        self._model = model
        self._running: list[_Running] = []
        self.modules: tuple[ModuleCall, ...] = ()  # that run now
        self._roots: list[Module] = [] if model is None else [model]
        self._places: dict[int, list[str]] | None = None  # of the outermost module, by id
        self.raised: tuple = None, ()  # the error that came last, and the modules that ran when it was raised
        self._strays: list[tuple[Module, str]] = []  # modules that are nobody's attribute, and what they are called
        self._calls: Counter = Counter()
        self._passed: dict = {}  # code object -> whether it is minigrad's or a library's
        self._lines: dict = {}  # (code object, line) -> what a note says of it
        self._notes: dict = {}  # the same, with the modules that run now

    # ---- lines

    def note(self):
        """The note of a node that is being made: every node of a line and a module shares one."""
        frame = self._of_program(sys._getframe(2))
        key = frame.f_code, frame.f_lineno
        found = self._notes.get(key)
        if found is None:
            found = self._notes[key] = Note(*self._described(frame, key), self.modules)
        return found

    def line(self, frame):
        """(file, line, text of the line, function): the innermost of the program's in a frame and those below it."""
        frame = self._of_program(frame)
        return self._described(frame, (frame.f_code, frame.f_lineno))

    def _of_program(self, frame):
        """The innermost frame of the program's: a library that minigrad uses, or that the program hands tensors to, is
        passed over, unless all there is is a library."""
        passed, library = self._passed, None
        while frame is not None:
            code = frame.f_code
            if code not in passed:
                passed[code] = code.co_filename.startswith(SKIPPED)
            if not passed[code]:
                return frame
            if library is None and not code.co_filename.startswith(OURS):
                library = frame
            last, frame = frame, frame.f_back
        return library or last

    def _described(self, frame, key):
        if key not in self._lines:
            self._lines[key] = described(frame, frame.f_lineno)
        return self._lines[key]

    # ---- modules

    def begin(self, module, args):
        """A module is called."""
        if threading.get_ident() != self._thread:
            return
        root, path = self._place(module)
        self._calls[root, path] += 1
        call = ModuleCall(path, type(module).__name__, self._calls[root, path], root)
        self._running.append(_Running(module, call, Counter()))
        self._now()

    def end(self, module, args, result):
        """A module is done, or has raised: then hooks are called while the error is being handled."""
        if threading.get_ident() != self._thread:
            return
        error = sys.exc_info()[1]
        if error is not self.raised[0]:
            self.raised = error, self.modules
        if any(running.module is module for running in self._running):
            while self._running.pop().module is not module:
                pass  # left by a KeyboardInterrupt, of which hooks are not told
            self._now()

    def _now(self):
        self.modules = tuple([running.call for running in self._running])
        self._notes = {}

    def _place(self, module):
        """(root, path) of a module that is called now."""
        if not self._running:
            if self._model is not None:
                self._places = places_of(self._model)
                if id(module) in self._places:
                    return 1, self._places[id(module)][0]
            if not any(module is root for root in self._roots):
                self._roots.append(module)
            self._places = None
            return 1 + next(i for i, root in enumerate(self._roots) if root is module), ""
        above = self._running[-1]
        if self._places is None:
            self._places = places_of(self._running[0].module)
        places, prefix = self._places.get(id(module)), above.call.path and above.call.path + "."
        if places is None:
            return above.call.root, prefix + self._stray(module)
        near = [place for place in places if place.startswith(prefix)] or places
        turn = above.called[id(module)]
        above.called[id(module)] += 1
        return above.call.root, near[turn % len(near)]  # in two places of one parent: the first call is the first's

    def _stray(self, module):
        kind = type(module).__name__
        same = [(other, name) for other, name in self._strays if type(other).__name__ == kind]
        for other, name in same:
            if other is module:
                return name
        name = f"{kind}{len(same) + 1}" if same else kind
        self._strays.append((module, name))
        return name


def described(frame, line):
    """(file, line, text of the line, function) of a frame that stands at this line."""
    file = frame.f_code.co_filename
    return file, line, linecache.getline(file, line, frame.f_globals).strip(), frame.f_code.co_name


def places_of(model) -> dict[int, list[str]]:
    """{id of a module: the paths it can be reached by}: several for one that is shared."""
    places = {id(model): [""]}
    for path, module in model.named_modules():
        for name, child in module._modules.items():
            if child is not None:
                places.setdefault(id(child), []).append(f"{path}.{name}" if path else name)
    return places
