"""`Function`: an operation of the user's own, with its forward and its backward written by hand.

It is recorded as any op is, by a node whose op is made from the class.  Forward runs without recording; backward runs
on tensors, and is itself recorded when create_graph asks for it.  The node keeps the context, the context keeps what
was saved, and neither keeps the outputs: a saved output is held by its array, so that no cycle arises.
"""

from __future__ import annotations

import functools
import inspect
import warnings
import weakref
from typing import NamedTuple

import numpy as np

from minigrad.autograd.inplace import check_writable, rebase
from minigrad.autograd.modes import is_grad_enabled, no_grad
from minigrad.autograd.node import FREED, PICK, SpecialOp, as_view, bump, new_version, node_of, record
from minigrad.autograd.rules import stale
from minigrad.autograd.watch import Packed, WatchedNode, pack
from minigrad.errors import shape_text
from minigrad.registry import OPS, TENSORS
from minigrad.tensor import Tensor, wrap

__all__ = ["Function", "FunctionCtx", "Variable", "once_differentiable"]


class Saved(NamedTuple):
    """A tensor kept for backward: its memory (or what a saved-tensors hook made of it), its history, its version, and
    which output it was (None: an input)."""

    array: np.ndarray | Packed
    node: object
    version: object
    output: int | None


class FunctionCtx:
    """What forward leaves for backward: `save_for_backward`, attributes of any name, and remarks on the outputs."""

    def __init__(self, inputs):
        self._tensors, self._dirty, self._constant, self._materialize = (), (), (), True
        self._saved = None  # set when the node is made: the tensors as `Saved`
        self._node = _no_node  # a weak reference: the node holds this
        self._inputs = {k: (x._shape, x.array.dtype) for k, x in enumerate(inputs) if isinstance(x, Tensor)}
        self._count = len(inputs)
        self.needs_input_grad = tuple([isinstance(x, Tensor) and node_of(x) is not None for x in inputs])

    def save_for_backward(self, *tensors):
        """Keep tensors (or None) for backward, where they are `ctx.saved_tensors`."""
        for tensor in tensors:
            if not (tensor is None or isinstance(tensor, Tensor)):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument is of type {type(tensor).__name__}"
                )
        self._tensors = tensors

    def save_for_forward(self, *tensors):
        """For `jvp`, which is never called here: nothing is kept."""

    def mark_dirty(self, *tensors):
        """Say which inputs forward wrote to in place; they must be returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors):
        """Say which outputs have no gradient (they are made not to require grad)."""
        self._constant = tensors

    def set_materialize_grads(self, value):
        """Whether backward gets zeros (True, the default) or None for outputs that were not used."""
        self._materialize = bool(value)

    @property
    def saved_tensors(self):
        """What `save_for_backward` kept, each with the history it had. RuntimeError once freed or written to since."""
        if self._saved is None:
            return self._tensors
        node = self._node()
        if node is None or node.saved is None:
            raise RuntimeError(FREED)
        return tuple([None if saved is None else _unpacked(saved, node) for saved in self._saved])

    def _keep(self, outputs):
        """Turn the saved tensors into `Saved`, now that the outputs are known."""
        places = {id(output): k for k, output in enumerate(outputs)}
        self._saved = tuple([None if t is None else _packed(t, places.get(id(t))) for t in self._tensors])
        self._tensors = self._dirty = self._constant = ()


def _no_node():
    return None


def _packed(tensor, output):
    kept = pack(tensor)
    kept = kept if isinstance(kept, Packed) else tensor.array
    node, version = node_of(tensor), tensor.vc or new_version(tensor)
    return Saved(kept, node, version, output if node is None else None)


def _unpacked(saved, node):
    if isinstance(saved.array, Packed):
        tensor = wrap(saved.array.tensor().array)
    else:
        if saved.version.time > node.seq:
            stale(node, saved.version, "a tensor")
        tensor = wrap(saved.array)
        tensor.vc = saved.version
    tensor.node = saved.node
    if saved.output is not None:
        tensor.node = record(PICK, (node,), (), tensor._shape, saved.output) if node.op.multi else node
    return tensor


class FunctionNode(WatchedNode):
    """The node of a `Function`: its attributes are those of the ctx, which in PyTorch it is."""

    __slots__ = ()

    def __getattr__(self, name):
        if name[:2] == "__" or self.saved is None:
            if name == "saved_tensors":
                raise RuntimeError(FREED)
            raise AttributeError(f"{self.name()!r} object has no attribute {name!r}")
        return getattr(self.saved[0], name)


class FunctionOp:
    """The op of a `Function` class, as nodes need one. `several`: forward returned a tuple, and outputs are picked."""

    attrs = inputs = ()
    saved = ("context",)
    saves_output = pointwise = fresh = False
    holds = True

    def __init__(self, function, several):
        self.name = self.label = function.__name__
        self.label_backward = function.__name__ + "Backward"
        self.function, self.rare, self.multi = function, several, several
        self.node = type(self.label_backward, (FunctionNode,), {"__slots__": ()})  # its name is seen in type(grad_fn)

    def run(self, node, g):
        """The plain backward: arrays in, arrays out."""
        grads = [x if x is None else wrap(np.asarray(x)) for x in g] if self.multi else wrap(np.asarray(g))
        return [None if x is None else x.array for x in self.rule(node, grads)]

    def rule(self, node, g):
        """Call the user's backward, on tensors, and check what it returns."""
        if node.saved is None:
            raise RuntimeError(FREED)
        (context,) = node.saved
        result = _backward_of(self.function)(context, *(g if self.multi else [g]))
        result = result if isinstance(result, tuple) else (result,)
        if len(result) < context._count or any(extra is not None for extra in result[context._count :]):
            raise RuntimeError(
                f"function {self.label_backward} returned an incorrect number of gradients (expected {context._count}, "
                f"got {len(result)}): give one for each argument of forward, None for those that are not tensors"
            )
        return [self._checked(result[k], k, *what) for k, what in context._inputs.items()]

    def _checked(self, grad, position, shape, dtype):
        if grad is not None and not isinstance(grad, Tensor):
            raise RuntimeError(f"{self.label_backward}: expected Variable or None (got {type(grad).__name__})")
        if grad is None:
            return None
        if grad.array.dtype != dtype:
            grad = TENSORS["to_dtype"](grad, dtype)
        if grad._shape != shape and _expands_to(shape, grad._shape):
            grad = TENSORS["sum_to_size"](grad, shape)
        if grad._shape != shape:
            raise RuntimeError(
                f"Function {self.label_backward} returned an invalid gradient at index {position} - got "
                f"{shape_text(grad._shape)} but expected shape compatible with {shape_text(shape)}"
            )
        return grad


def _op_of(function, several):
    """The op of a class, made once and kept on the class itself, so that it goes when the class does."""
    ops = function.__dict__.get("_ops")
    if ops is None:
        ops = function._ops = {}
    if several not in ops:
        ops[several] = FunctionOp(function, several)
    return ops[several]


def _backward_of(function):
    """The class's backward, which may be called vjp."""
    if function.vjp is Function.vjp:
        return function.backward
    if function.backward is not Function.backward:
        raise RuntimeError(
            "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement "
            "one of them."
        )
    return function.vjp


class Function:
    """A differentiable operation of your own: subclass, write two static methods, call `apply`.

        class Cube(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x ** 3
            @staticmethod
            def backward(ctx, grad_output):          # one gradient per argument of forward
                x, = ctx.saved_tensors
                return grad_output * 3 * x ** 2
        y = Cube.apply(x)

    ``forward(x)`` without ctx together with ``setup_context(ctx, inputs, output)`` works as well.
    (PyTorch: torch.autograd.Function)
    """

    def __init__(self, *args, **kwargs):
        warnings.warn(
            f"{type(self).__name__} should not be instantiated: methods of autograd functions are static, so call "
            f"{type(self).__name__}.apply(...)",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args, **kwargs):
        raise RuntimeError(f"Legacy autograd function object was called: use {type(self).__name__}.apply(...)")

    @staticmethod
    def forward(*args, **kwargs):
        """Compute the result from tensors and other values; the first argument is ctx unless setup_context is given."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Save what backward needs, if forward does not take ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradient of each argument of forward, from those of its outputs. `vjp` is another name for it."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward
    generate_vmap_rule = False

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """PyTorch's rule for forward mode: may be written, is never called: `func.jvp` differentiates backward."""
        raise NotImplementedError("jvp: never called here; func.jvp differentiates `backward`")

    @staticmethod
    def vmap(info, in_dims, *args):
        """PyTorch's rule for batching: may be written, is never called: `vmap` runs the examples one by one."""
        raise NotImplementedError("vmap: never called here; minigrad.vmap runs a Function on one example at a time")

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run forward, recorded if an input requires grad. backward gives gradients for the arguments in the order in
        which they are here: those by name come last, or with setup_context, where forward has them."""
        apart = cls.setup_context is not Function.setup_context
        if apart:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        given = (*args, *kwargs.values())
        nodes = tuple([node_of(arg) for arg in given if isinstance(arg, Tensor)])
        context = FunctionCtx(given)
        recording = is_grad_enabled() and any(node is not None for node in nodes)
        with no_grad():
            if apart:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(context, given, result)
            else:
                result = cls.forward(context, *args, **kwargs)
        if not recording:
            for tensor in context._dirty:
                bump(tensor, cls.__name__)
            return result
        outputs = cls._recorded(context, given, nodes, result if isinstance(result, tuple) else (result,))
        return outputs if isinstance(result, tuple) else outputs[0]

    @classmethod
    def _recorded(cls, context, args, nodes, outputs):
        """The outputs with their history."""
        several, constant, dirty = len(outputs) > 1, context._constant, context._dirty
        shapes = tuple([o._shape if isinstance(o, Tensor) else () for o in outputs])
        for tensor in dirty:
            if not _among(tensor, outputs):
                raise RuntimeError(
                    "Some elements marked as dirty during the forward method were not returned as output. The inputs "
                    "that are modified inplace must all be outputs of the Function."
                )
            check_writable(tensor)
            if tensor._view is not None and several:
                raise RuntimeError(
                    "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot "
                    "return more than one Tensor. This is not supported by the current autograd engine."
                )
            bump(tensor, cls.__name__)  # before the node is made: it may save what was written
        op = _op_of(cls, several)
        node = record(op, nodes, (context,), shapes if several else shapes[0], make=op.node)
        context._node = weakref.ref(node)
        context._keep(outputs)  # before the outputs get their history: a saved output is told by having none
        made = []
        for k, output in enumerate(outputs):
            if isinstance(output, Tensor) and output.array.dtype.kind == "f" and not _among(output, constant):
                mine = record(PICK, (node,), (), output._shape, k) if several else node
                if _among(output, dirty):
                    rebase(output, mine)
                else:
                    if _among(output, args):
                        same = wrap(output.array)
                        as_view(OPS["view"], output, same, (output._shape,), (output._shape,))
                        output = same
                    if output._view is not None:  # its memory is an input's: writes to it would miss this node
                        output._view.mode = "function"
                    output.node = mine
            made.append(output)
        return tuple(made)


def _differentiated_twice(node, g):
    raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


ONCE = SpecialOp("once_differentiable", "Error", False)
ONCE.run = ONCE.rule = _differentiated_twice


def once_differentiable(fn):
    """Decorate a `backward` that cannot be differentiated itself: it runs without recording, and an attempt at second
    derivatives raises RuntimeError. (PyTorch: torch.autograd.function.once_differentiable)"""

    @functools.wraps(fn)
    def backward(ctx, *grads):
        with no_grad():
            results = fn(ctx, *grads)
        nodes = tuple([node_of(g) for g in grads if isinstance(g, Tensor)])
        if not is_grad_enabled() or all(node is None for node in nodes):
            return results
        several = isinstance(results, tuple)
        marked = []
        for result in results if several else (results,):
            if isinstance(result, Tensor):
                result = result.detach()
                result.node = record(ONCE, nodes, (), result._shape)
            marked.append(result)
        return tuple(marked) if several else marked[0]

    return backward


def _expands_to(shape, larger):
    """Whether a tensor of `shape` could be expanded to the shape `larger`."""
    lead = len(larger) - len(shape)
    return lead >= 0 and all(n in (1, m) for n, m in zip(shape, larger[lead:], strict=True))


def _among(tensor, tensors):
    return any(tensor is other for other in tensors)


def Variable(data, requires_grad=False, volatile=None):
    """Variable(data, requires_grad=False) -> Tensor

    The tensor itself; kept for old programs. (PyTorch: torch.autograd.Variable)
    """
    return data.requires_grad_() if requires_grad else data
