"""What an op is, and what is made of it.

Comes after `ops/pointwise.py` in the reading path: that file shows blocks, this one says what a block means.
A block is a class that is never instantiated, only read:

    class tanh(Pointwise):                                # the name is the op's name
        \"\"\"tanh(input) -> Tensor ...\"\"\"                   # the docstring is the function's and the method's
        numpy = np.tanh                                   # the NumPy function, if there is one
        def scalar(input): return math.tanh(input)        # one number in, one number out
        def grad_input(g, output): return g * (1 - output * output)
        samples = unary(-20, 20)                          # what tests and bench run

`scalar` and the rules `grad_<input>` are written in the *op language*: Python arithmetic plus the names of other ops
(`exp`, `where`, `sum` ...).  They are never called as they stand.  The same code object is bound to four sets of names,
and each binding is a different program:

                       ┌─ TENSORS  names are the recorded functions   → backward of backward, any order
    one code object  ──┼─ ARRAYS   names are the NumPy kernels         → the plain backward; the NumPy twin of `scalar`
                       ├─ JIT      names are numba scalar functions    → the whole rule as one fused loop
                       └─ NUMBERS  names are functions of a float      → one number at a time (the scalar engine)

So a pointwise op needs no hand-written backward kernel, and fused == rule holds by construction.  `bind` does it, in
one line: a function is code and globals, and a block's code gets other globals (JIT: `kernels/pointwise.py`).

The arguments of a rule say what is saved for it: an input, `output`, an auxiliary output, an attribute, or only
`<input>_shape` / `<input>_dtype`.  Nothing else is kept alive.  Undoing broadcasting is the engine's work, not the
rule's.

Ops that are not pointwise give `forward(input, ..., /, attribute, ...)`: tensors before the slash, attributes after
it; arrays in, arrays out.  `prepare` (optional) is the public signature where that is richer than `forward`'s: it
checks and normalises, and returns forward's arguments.  Ops whose backward is best done in one piece give
`vjp(g, ...)`, returning a gradient per tensor input, in the op language (the truth), and may add `fused(g, ...)`, the
same on arrays in one kernel, used only when the backward is not itself being recorded.
"""

from __future__ import annotations

import collections
import functools
import types
from typing import Any

import numpy as np

__all__ = [
    "ARRAYS",
    "IN_PLACE",
    "NOT_GIVEN",
    "NUMBERS",
    "OPS",
    "TENSORS",
    "Op",
    "Plain",
    "Pointwise",
    "bind",
    "composite",
    "helper",
    "on_every_path",
]

OPS: dict[str, type[Op]] = {}  # every block, by name
COMPOSITES: dict[str, Any] = {}  # public functions made of ops
HELPERS: dict[str, types.FunctionType] = {}  # private functions of the op language, shared by rules

TENSORS: dict[str, Any] = {}  # filled by autograd/door.py, which knows Tensor
ARRAYS: dict[str, Any] = {}
NUMBERS: dict[str, Any] = {}

FUNCTION, METHOD, FUNCTIONAL, INPLACE = "function", "method", "functional", "inplace"
LINALG, SPECIAL = "linalg", "special"
IN_PLACE = (FUNCTION, METHOD, INPLACE)


class _NotGiven:
    """The default of an argument that may be left out, but not be None."""

    def __repr__(self):
        return "<not given>"


NOT_GIVEN = _NotGiven()


class Op:
    """A block that gives `forward`. Subclasses may set what follows; the rest is read off their code.

    public       where the op is known: any of "function" (minigrad.X), "method" (Tensor.X), "functional"
                 (minigrad.nn.functional.X), "inplace" (Tensor.X_), "linalg", "special" (minigrad.linalg.X, where the
                 block is called linalg_X: names of blocks are unique)
    dunder       the Python operators it serves, e.g. ("__add__", "__radd__")
    alias        further public names of the same op: "absolute", or with a place of its own, "special.expit"
    symbol       what a drawing shows, if not the name: a string, or a function of the node
    backward_name  what PyTorch prints as grad_fn, if not <Name>Backward0: a string, or a function of the node
    next_order   the order in which `next_functions` shows the inputs, if it is not theirs: a function of the node
    fresh        its gradients are arrays of its own, so the engine may keep them without a copy
    view         its output may share the memory of its first input ("always": it does, by strides NumPy does not know)
    nout, aux    names of the outputs after the first (not differentiable), and how many outputs are public
    result       name of the named tuple that several outputs come in
    first        name of the first output in the named tuple, if not "values"
    pieces       names of its outputs, where all are differentiable (svd): the rules may save them by these names, and
                 `vjp` gets a list of gradients, None for outputs that were not used
    optional     tensor inputs that may be None
    multi        forward returns a list of any length; the rule gets a list of gradients
    broadcasts   the shapes of its inputs may differ, and gradients are summed back to them
    wide_half    with float16 its kernel, and its rules outside a recorded backward, compute in float32 and round once
    samples      function of a maker that yields `samples.Sample`s, for tests and bench
    torch        name of PyTorch's function, where it is not the op's
    """

    name: str  # the class's, without the `_` of a Python keyword
    public: tuple = (FUNCTION, METHOD)
    dunder: tuple = ()
    alias: tuple = ()
    symbol = None
    backward_name = None
    fresh = view = multi = broadcasts = pointwise = False
    aux: tuple = ()
    returned_aux: tuple = ()
    pieces: tuple = ()
    first = "values"
    nout = 1
    result: str | None = None
    optional: tuple = ()
    samples = None
    torch: str | None = None
    numpy = None
    inplace_keyword = False  # nn.functional.X takes inplace=
    keeps_layout = False  # the result lies in memory as the input does (clone), not in C order
    out_casts = False  # out= may have another dtype that the result can be cast to
    wide_half = False
    variadic = False  # the one tensor input is a list of tensors (cat, stack)

    def __init_subclass__(cls):
        body = cls.__dict__
        if "scalar" not in body and "forward" not in body:
            return  # a family's base class, such as Pointwise
        cls.name = cls.__name__.rstrip("_")
        if cls.pieces:
            cls.multi, cls.aux = True, cls.pieces
        cls.returned_aux = cls.aux[: cls.nout - 1]  # saved as tensors: their reader may write into them
        cls.label = cls.symbol or cls.name
        cls.label_backward = cls.backward_name or "".join(w.capitalize() for w in cls.name.split("_")) + "Backward0"
        _read_signature(cls, body.get("scalar") or body["forward"])
        _read_rules(cls, body)
        cls.rare = cls.multi
        _claim(cls.name, cls)
        OPS[cls.name] = cls


class Pointwise(Op):
    """A block that gives `scalar`: one number of each input makes one number of output, whatever the shapes.

    floats       integer inputs are computed in the default float type (exp, div), not in their own
    boolean      the result is a bool (comparisons)
    array        the formula on arrays, where that is not `scalar` itself (NumPy has no erf)
    one          the formula on one Python number, where Python's arithmetic would give another kind of thing (complex)
    kinds        NumPy's kinds of the dtypes it has a meaning for: "iuf" refuses bools (NotImplementedError)
    no_bools     a sentence: the op refuses bools, and this is what it says (RuntimeError)
    number       which inputs may be Python numbers: "last" (not the first; the rule), "one" (either of two, not both),
                 "any", or "none"
    counts_bools bools are computed as int64
    check        a function of the operands as they were given, called unless they are float tensors of one dtype: it
                 raises where PyTorch takes numbers, 0-dim tensors or dtypes differently
    check_attributes  a function of the attributes; raises where they make no sense
    keywords     a function of the op language called instead when a keyword-only argument is not at its default,
                 e.g. ``add(input, other, *, alpha=1)``; its signature is then the public one
    wide_last    with float16, the last input is used in float32 where it is a number ("number"), or that or a 0-dim
                 tensor ("scalar"): ``half * 65536`` does not overflow before it is multiplied
    numbers_fit  its attributes are numbers that float16 must be able to hold
    own_half     float16 is computed in float16 itself, not in float32 and rounded once
    jit_forward  False: `scalar` is never compiled (NumPy's function is used on every backend)
    jit_rules    False: the rules are run on arrays, not fused (they use what numba has no loop for)
    """

    public: tuple = IN_PLACE
    fresh = pointwise = broadcasts = True
    floats = boolean = False
    out_casts = True
    kinds, number, counts_bools = "biuf", "last", False
    jit_forward = jit_rules = True
    one = keywords = array = no_bools = check = check_attributes = wide_last = None
    own_half = numbers_fit = False


class Plain(Pointwise):
    """A pointwise op that runs on NumPy with every backend: a loop compiled for it would gain nothing."""

    jit_forward = jit_rules = False


class Activation(Pointwise):
    """A pointwise op of `nn.functional`; float in, float out, nothing else in."""

    public = (FUNCTIONAL,)
    floats, kinds = True, "f"


def positional(function):
    """(names before `/`, names after it, their defaults) of a block's function; without `/`, all come before it."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    split = code.co_posonlyargcount or len(names)
    defaults = function.__defaults__ or ()
    given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    return names[:split], names[split:], given


RESERVED = {"n", "out", "owner", "v", "x", "y", "z"}  # locals of the generated functions


def _read_signature(cls, function):
    cls.inputs, cls.attrs, cls.attr_defaults = positional(function)
    taken = RESERVED & {*cls.inputs, *cls.attrs, *cls.aux}
    if taken:
        raise TypeError(f"op {cls.name}: {sorted(taken)} cannot be names of inputs, outputs or attributes; rename them")


def _read_rules(cls, body):
    """Collect the rules and what they save."""
    cls.vjp = body.get("vjp")
    cls.rules = {name: body["grad_" + name] for name in cls.inputs if "grad_" + name in body}
    if cls.vjp:
        cls.rules = {name: cls.vjp for name in cls.inputs if name not in body.get("constant", ())}
    cls.needs = {name: positional(rule)[0][1:] for name, rule in cls.rules.items()}
    for name, wanted in cls.needs.items():
        unknown = [w for w in wanted if not _is_save(cls, w) and w not in cls.attrs]
        if unknown:
            raise TypeError(
                f"op {cls.name}: the rule for {name!r} asks for {unknown}; it can have the inputs {list(cls.inputs)}, "
                f"'output', {list(cls.aux)}, the attributes {list(cls.attrs)}, and <input>_shape or <input>_dtype"
            )
    named = [w for wanted in cls.needs.values() for w in wanted if _is_save(cls, w)]
    cls.saved = tuple(dict.fromkeys(named))
    if "g" in cls.saved:
        raise TypeError(f"op {cls.name}: an input called g cannot be saved: in a rule that name is the gradient")
    cls.saves_output = "output" in cls.saved
    cls.holds = any(name in (*cls.inputs, *cls.aux, "output") for name in cls.saved)  # memory, to be freed by backward
    cls.passed_on = {name for name, rule in cls.rules.items() if rule.__code__.co_code == _PASS_ON.__code__.co_code}
    if cls.fresh and cls.passed_on:  # `return g` hands on an array that others hold
        cls.fresh = False


def _is_save(cls, name):
    if name in cls.inputs or name in cls.aux or name == "output":
        return True
    stem, _, what = name.rpartition("_")
    return what in ("shape", "dtype") and stem in cls.inputs


def _PASS_ON(g):
    return g


def _claim(name, function):
    """All families share the names of the op language: one that is taken is an error."""
    if any(name in space for space in (OPS, COMPOSITES, HELPERS, NUMBERS)):
        raise ValueError(f"{name!r} is defined twice in the op language: the second time in {function.__module__}")


def composite(public=(FUNCTION, METHOD), alias=(), samples=None, torch=None, out=False, backward_name=None):
    """Declare a public function made of other ops: derivatives of any order come with it. out: it takes `out=`;
    "pointwise": which may be an input.
    backward_name: what PyTorch prints as grad_fn, where that is not the name of the last op: a string, or a function
    of the node.

    Its body is written in the op language, and may use only what tensors and arrays share besides ops
    (`.shape`, `.ndim`, arithmetic).
    """

    def declare(function):
        name = function.__name__.rstrip("_")
        _claim(name, function)
        function.public, function.alias, function.samples = public, alias, samples
        function.torch, function.dunder, function.out = torch, (), out
        function.backward_name = backward_name
        COMPOSITES[name] = function
        return function

    return declare


def helper(function):
    """Declare a private function of the op language, for rules to share. It is bound as the rules are."""
    _claim(function.__name__, function)
    HELPERS[function.__name__] = function
    return function


def bind(function, names):
    """The same code with other globals: what a rule's names mean is decided here."""
    bound = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    bound.__kwdefaults__, bound.__doc__, bound.__qualname__ = (
        function.__kwdefaults__,
        function.__doc__,
        function.__qualname__,
    )
    return bound


class Binding:
    """One of the four meanings: `names` is shared by all; each module's own helpers and constants lie beneath it."""

    def __init__(self, names):
        self.names = names
        self._globals = {}

    def __call__(self, function):
        module = function.__globals__
        if id(module) not in self._globals:
            self._globals[id(module)] = {**module, **self.names}
        return bind(function, self._globals[id(module)])

    def refresh(self):
        """Let every function bound so far see the ops as they are now (blocks may name ops defined further down)."""
        for space in self._globals.values():
            space.update(self.names)


tensors, arrays, numbers = Binding(TENSORS), Binding(ARRAYS), Binding(NUMBERS)


def on_every_path(name):
    """Give a plain function (of shapes, dtypes) the same meaning in all bindings."""

    def declare(function):
        _claim(name, function)
        TENSORS[name] = ARRAYS[name] = NUMBERS[name] = function
        return function

    return declare


# What the op language calls these builtins, whose own names are ops there.
for _builtin in (abs, all, min):
    on_every_path("builtin_" + _builtin.__name__)(_builtin)


HALF, FLOAT = np.dtype(np.float16), np.dtype(np.float32)


def in_float32(function):
    """A function of arrays that for float16 ones computes in float32 and rounds once, as PyTorch's kernels do."""

    def program(*args):
        if args[0].dtype is not HALF:
            return function(*args)
        result = function(*[_converted(arg, HALF, FLOAT) for arg in args])
        with np.errstate(over="ignore", under="ignore"):
            if isinstance(result, tuple | list):
                return tuple([_converted(each, FLOAT, HALF) for each in result])
            return _converted(result, FLOAT, HALF)

    return program


def _converted(value, source, target):
    is_array = isinstance(value, np.ndarray | np.generic)
    return np.asarray(value, target) if is_array and value.dtype == source else value


def forward_on_arrays(op):
    """An op's `forward`, bound to the arrays' names."""
    forward = arrays(op.__dict__["forward"])
    return in_float32(forward) if op.wide_half else forward


def array_program(op):
    """The op on arrays, by its public signature: what its name means inside a rule that runs on arrays."""
    body = op.__dict__
    if op.pointwise:
        return op.numpy or op.array or arrays(body["scalar"])
    forward = forward_on_arrays(op)
    if "prepare" not in body:
        return forward if op.nout == 1 else lambda *a, **k: forward(*a, **k)[: op.nout]
    prepare = arrays(body["prepare"])
    if op.nout == 1:
        return lambda *args, **kwargs: forward(*prepare(*args, **kwargs))
    return lambda *args, **kwargs: forward(*prepare(*args, **kwargs))[: op.nout]


def link_arrays():
    """Fill ARRAYS and NUMBERS once all blocks are read."""
    for name, op in OPS.items():
        ARRAYS[name] = array_program(op)
        if op.pointwise:
            NUMBERS[name] = numbers(op.one or op.__dict__["scalar"])
    NUMBERS["where"] = lambda condition, input, other: input if condition else other
    for space, binding in ((ARRAYS, arrays), (NUMBERS, numbers)):
        for name, function in (*HELPERS.items(), *COMPOSITES.items()):
            space[name] = binding(function)


@on_every_path("np_dtype")
def np_dtype(x) -> np.dtype:
    """The NumPy dtype of a tensor, an array or a number."""
    array = getattr(x, "array", x)
    return np.asarray(array).dtype if array.__class__ in (bool, int, float) else array.dtype


@on_every_path("named_tuple")
@functools.cache
def named_tuple(name, fields):
    """The type of an op's several outputs: a named tuple that prints as PyTorch's ``torch.return_types.max``."""
    base = collections.namedtuple(name, fields)

    def text(self):
        inner = ",\n".join(f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{name}(\n{inner})"

    return type(name, (base,), {"__slots__": (), "__repr__": text, "__module__": "minigrad.return_types"})
