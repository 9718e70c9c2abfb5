"""What a traceback tells of a failed operation: which one it is, what it was given, and what things are called.

Nothing was observed before the error: the exception's own frames hold the operands.  Read from the outermost in:

    train.py       <module>      the user's: names of tensors and modules
    module.py      __call__      a module that was running
    model.py       forward       the user's again: the line to be shown
    module.py      __call__
    linear.py      forward
    <minigrad …>   linear        the failed operation: the first one inside the innermost code that is no operation
    linalg.py      forward       how it works inside
"""

from __future__ import annotations

from dataclasses import dataclass, field

from minigrad.autograd import engine
from minigrad.autograd.node import LIBRARIES, OURS, Node
from minigrad.nn.modules.module import Module
from minigrad.registry import NOT_GIVEN, OPS, TENSORS
from minigrad.tensor import Tensor
from minigrad.viz.graph.text import public_name
from minigrad.viz.record.recording import described

__all__ = ["Failure", "failure_of"]

DOOR = "<minigrad door"
ENGINE = "minigrad.autograd.engine"
WRAPPERS = ("minigrad.autograd.link", "minigrad.protocol")  # the operation stands behind what these define
OPERATIONS = (
    "minigrad.autograd", "minigrad.conversion", "minigrad.creation", "minigrad.door", "minigrad.exchange",
    "minigrad.functional", "minigrad.linalg", "minigrad.nn", "minigrad.ops", "minigrad.protocol", "minigrad.ranges",
    "minigrad.sampling", "minigrad.tensor",
)  # fmt: skip
UNSAID = (None, False, NOT_GIVEN)  # arguments not worth a line
LISTED = 12  # tensors shown of one argument that is a list


@dataclass(slots=True)
class Failure:
    """What is known of an error.

    op       the name of what failed; ``""`` if it was no operation of minigrad, but the program itself
    inside   what in it raised, if it is made of others: ``"step matmul"``, ``"hook f"``
    tensors  (argument, Tensor) in the order of the arguments
    others   (argument, value) of arguments that are no tensors
    line     (file, line, text of the line, function) of the user's program, or None
    model    the outermost module that was running, or None
    names    (name, Tensor) of what the program's variables call it, the best name first
    node     the node whose gradient rule raised, if this was in a backward pass
    roots    tensors whose graph the backward pass went through, or that the program has in hand
    """

    error: BaseException
    op: str = ""
    inside: str = ""
    tensors: list = field(default_factory=list)
    others: list = field(default_factory=list)
    line: tuple | None = None
    model: Module | None = None
    names: list = field(default_factory=list)
    node: Node | None = None
    roots: list = field(default_factory=list)


def failure_of(error, traceback) -> Failure:
    """Read an exception and its traceback."""
    failure, steps = Failure(error), _steps(traceback)
    frames = [frame for frame, _ in steps]
    last = _innermost_of_program(frames)
    if last >= 0:
        failure.line = described(*steps[last])
    modules = [frame.f_locals.get("self") for frame in frames if _in_nn(frame)]
    failure.model = next((module for module in modules if _is_whole(module)), None)
    failure.names = _names(frames, last)
    walk = max((i for i, frame in enumerate(frames) if _is_walk(frame)), default=-1)
    if walk >= 0:
        _read_backward(failure, frames, walk)
        return failure
    entry = _entry(frames, last)
    if entry is None:
        failure.roots = _tensors_of(frames[last]) if last >= 0 else []
    else:
        _read_call(failure, frames, entry)
    return failure


def _steps(traceback):
    """(frame, line) of each step of the traceback, the outermost first."""
    steps = []
    while traceback is not None:
        steps.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return steps


def _is_ours(frame):
    return frame.f_code.co_filename.startswith(OURS)


def _innermost_of_program(frames):
    """The position of the innermost frame that is the user's: a library that minigrad calls is not."""
    last, entered = -1, False
    for i, frame in enumerate(frames):
        if _is_ours(frame):
            entered = True
        elif not (entered and frame.f_code.co_filename.startswith(LIBRARIES)):
            last = i
    return last


def _name_of_module(frame):
    return frame.f_globals.get("__name__", "")


def _in_nn(frame):
    return _is_ours(frame) and _name_of_module(frame).startswith("minigrad.nn.modules")


def _is_walk(frame):
    return _name_of_module(frame) == ENGINE and isinstance(frame.f_locals.get("node"), Node)


# ---- which operation


def _entry(frames, last):
    """The position of the frame of the operation that the innermost user's or module's code called; None: there is
    none."""
    start = last + 1
    inside = [i for i in range(start, len(frames)) if _in_nn(frames[i])]
    if inside and inside[-1] == len(frames) - 1:  # a module raised by itself
        module = frames[inside[-1]].f_locals.get("self")
        own = [i for i in inside if frames[i].f_locals.get("self") is module]
        forwards = [i for i in own if frames[i].f_code.co_name == "forward"]
        return (forwards or own or inside)[0]
    if inside:
        start = inside[-1] + 1
    if start >= len(frames) or not _is_operation(frames[start]):
        return None
    while start + 1 < len(frames) and _is_wrapper(frames[start]) and _is_operation(frames[start + 1]):
        start += 1
    return start


def _is_operation(frame):
    return _is_door(frame) or (_is_ours(frame) and _name_of_module(frame).startswith(OPERATIONS))


def _is_wrapper(frame):
    return _name_of_module(frame) in WRAPPERS or frame.f_code.co_name == "where_or_nonzero"


def _is_door(frame):
    return frame.f_code.co_filename.startswith(DOOR)


def _read_call(failure, frames, entry):
    frame = frames[entry]
    failure.op, arguments = _call(frame)
    doors = [public_name(frame.f_code.co_name) for frame in frames[entry + 1 :] if _is_door(frame)]
    failure.inside = f"step {doors[-1]}" if doors and doors[-1].rstrip("_") != failure.op.rstrip("_") else ""
    usual = _defaults(frame)
    for name, value in arguments:
        found = list(_spread(name, value))
        if found:
            failure.tensors += found
        elif not any(value is unsaid for unsaid in UNSAID) and not (name in usual and _equal(usual[name], value)):
            failure.others.append((name, value))


def _call(frame):
    """(name of the operation, its (argument, value) pairs) of a frame."""
    names, local = frame.f_code, frame.f_locals
    if names.co_name == "in_place" and _name_of_module(frame) == "minigrad.autograd.inplace":
        op = local.get("op")
        given = [("input", local["self"]), *((f"argument {i}", v) for i, v in enumerate(local["args"], 1))]
        if op is not None:
            given = list(zip((*op.inputs, *op.attrs), (local["self"], *local["args"]), strict=False))
        name = (op.name if op is not None else local.get("name", "write")) + "_"
        return name, given + list(local["kwargs"].items())
    count = names.co_argcount + names.co_kwonlyargcount
    given = [(name, local[name]) for name in names.co_varnames[:count] if name in local]
    if names.co_flags & 0x04:  # *args
        name = names.co_varnames[count]
        values = local.get(name, ())
        if any(isinstance(value, Tensor) for value in values):
            given += [(f"{name}[{i}]", value) for i, value in enumerate(values)]
        elif values:
            given.append((name, values))
        count += 1
    if names.co_flags & 0x08:  # **kwargs
        given += list(local.get(names.co_varnames[count], {}).items())
    name = names.co_name
    owner = local.get("self", local.get("cls"))
    if isinstance(owner, Module):
        kind, own = type(owner).__name__, name in ("forward", "__call__", "__init__", "call_with_hooks")
        return kind if own else f"{kind}.{name}", [(n, v) for n, v in given if v is not owner]
    if isinstance(owner, type) and not isinstance(owner, Tensor):  # Function.apply
        return owner.__name__, [(n, v) for n, v in given if v is not owner]
    if name == "__init__":
        return type(owner).__name__, given[1:]
    return public_name(name.strip("_") if name.startswith("__") else name), given


def _defaults(frame):
    """{argument: default} of a door."""
    function = TENSORS.get(frame.f_code.co_name) if _is_door(frame) else None
    code = getattr(function, "__code__", None)
    if code is None:
        return {}
    names, values = code.co_varnames[: code.co_argcount], function.__defaults__ or ()
    return {**dict(zip(names[len(names) - len(values) :], values, strict=True)), **(function.__kwdefaults__ or {})}


def _equal(a, b):
    return type(a) is type(b) and isinstance(a, bool | int | float | str) and a == b


def _spread(name, value):
    """(name, Tensor) of an argument that is a tensor, or a list of them."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, list | tuple) and value and all(isinstance(item, Tensor) for item in value):
        for i, item in enumerate(value[:LISTED]):
            yield f"{name}[{i}]", item


def _read_backward(failure, frames, walk):
    """An error while gradients were computed: the node whose rule raised, and the graph that was walked."""
    failure.node = frames[walk].f_locals["node"]
    failure.op = f"backward of {_name_of(failure.node)}"
    start = max((i for i, f in enumerate(frames) if f.f_code is engine.walk_back.__code__ and i <= walk), default=0)
    for frame in reversed(frames[:start]):
        if not _is_ours(frame):
            break
        given = frame.f_locals.get("tensors", frame.f_locals.get("outputs"))
        found = [t for t in (given if isinstance(given, list | tuple) else [given]) if isinstance(t, Tensor)]
        if found:
            failure.roots = found
    inner = [frame for frame in frames[walk + 1 :] if not _name_of_module(frame).startswith("minigrad.autograd")]
    doors = [frame.f_code.co_name for frame in inner if _is_door(frame)]
    step = next((name for name in reversed(doors) if not name.endswith("_backward")), "")
    hooks = [frame for frame in frames[walk + 1 :] if not _is_ours(frame)]
    if step:
        failure.inside = f"step {step}"
    elif hooks and OPS.get(failure.node.op.name) is failure.node.op:  # a Function's own backward is no hook
        failure.inside = f"hook {hooks[0].f_code.co_name}"


def _name_of(node):
    label = node.op.label
    return label(node) if callable(label) else label


# ---- what things are called


def _names(frames, last):
    """What the variables of the program call tensors, innermost first."""
    pairs = []
    for frame in reversed(frames[: last + 1]):
        if not _is_ours(frame):
            pairs += [(name, value) for name, value in _variables(frame) if isinstance(value, Tensor)]
            for name, value in _variables(frame):
                if _is_whole(value):
                    pairs += [(f"{name}.{path}", tensor) for path, tensor in value.named_parameters()]
    best: dict = {}
    for name, tensor in pairs:
        best.setdefault(id(tensor) if tensor.node is None else id(tensor.node), (name, tensor))
    return list(best.values())


def _is_whole(module):
    """Whether it is a module whose `__init__` has run."""
    return isinstance(module, Module) and "_parameter_names" in vars(module)


def _variables(frame):
    """The variables that a frame of the user's names, its own first, without IPython's (`_`, `_12`)."""
    seen = dict(frame.f_locals)
    for name in frame.f_code.co_names:
        if name in frame.f_globals:
            seen.setdefault(name, frame.f_globals[name])
    return [(name, value) for name, value in seen.items() if not name.startswith("_")]


def _tensors_of(frame):
    """The tensors with a history that a frame has in hand; those that others were computed from are left out."""
    found = {id(v.node): v for _, v in _variables(frame) if isinstance(v, Tensor) and v.node is not None}
    below: set = set()
    todo = [tensor.node for tensor in found.values()]
    while todo:
        for parent in todo.pop().parents:
            if parent is not None and id(parent) not in below:
                below.add(id(parent))
                todo.append(parent)
    return [tensor for key, tensor in found.items() if key not in below and tensor.node.parents]
