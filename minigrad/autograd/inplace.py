"""Writing in place, with the graph kept right: `x.add_(y)`, `x[mask] = 0`, `out += residual`, writes through views.

Comes after `door.py`.  An in-place op computes its result, copies it into the tensor's memory, dates the write, and
gives the tensor a new history.  If the tensor is a view, it is the *base's* history that changes: a `CopySlices` node
says "the base as it was, except for this part", and every other view of that base derives its history anew when asked
(`node.node_of`).  What is refused is refused as PyTorch refuses it.
"""

from __future__ import annotations

import functools

import numpy as np

from minigrad.autograd.engine import fit
from minigrad.autograd.general import (
    F32,
    F64,
    Unseen,
    as_tensor,
    check_castable,
    constant,
    general,
    not_a_tensor,
    numbers_given,
    operands,
    python_numbers,
    quiet,
    run_kernel,
)  # fmt: skip
from minigrad.autograd.modes import is_grad_enabled, size_now
from minigrad.autograd.node import (
    AMBIGUOUS,
    COPY_SLICES,
    FREED,
    LEAF,
    base_of,
    bump,
    extra_of,
    move_retained,
    multi_view_text,
    node_of,
    record,
)  # fmt: skip
from minigrad.errors import shape_text
from minigrad.memory import check_overlap
from minigrad.registry import ARRAYS, OPS, TENSORS
from minigrad.tensor import Tensor, wrap

LEAF_TEXT = "a leaf Variable that requires grad is being used in an in-place operation."


def check_writable(tensor):
    """PyTorch's check, in its order; called where some input requires grad and recording is on."""
    view = tensor._view
    if view is not None:
        if view.mode in ("multi", "function"):
            raise RuntimeError(multi_view_text(view, "is being modified inplace"))
        if view.mode == "no_grad":
            raise RuntimeError(
                "A view was created in no_grad mode and is being modified inplace with grad mode enabled. " + AMBIGUOUS
            )
        base = base_of(view).node
        if tensor.requires_grad and (base is None or base.op is LEAF):
            raise RuntimeError("a view of " + LEAF_TEXT + " Write under no_grad(), or to a view of a clone().")
    if tensor.node is not None and tensor.node.op is LEAF:
        raise RuntimeError(LEAF_TEXT + " Write under no_grad(), or to a clone().")


def write(op, tensor, args=(), attrs=()):
    """tensor = op(tensor, *args), in the tensor's own memory and with its history. Returns the tensor."""
    if not isinstance(tensor.array, np.ndarray):
        return tensor.array.write(tensor, op.function, (*args, *attrs))
    if op.pointwise:
        inputs, attrs = operands(op, (tensor, *args), tensor), python_numbers(attrs)
    else:
        inputs = [tensor, *[as_tensor(a, tensor.array.dtype, op, i) for i, a in zip(op.inputs[1:], args, strict=True)]]
    # Computed in a wider dtype, the result is converted, and recorded so.
    if inputs[0].array.dtype != tensor.array.dtype:
        return write(OPS["copy"], tensor, (general(op, (tensor, *args), attrs),))
    for other in inputs[1:]:
        if other.vc is not None and other.vc is tensor.vc and other is not tensor:
            check_overlap(tensor.array, other.array, op.name + "_")
    nodes = tuple([node_of(t) for t in inputs])
    recording = is_grad_enabled() and (any([n is not None for n in nodes]) or base_requires_grad(tensor))
    if recording:
        check_writable(tensor)
        if not op.rules:
            raise RuntimeError(f"{op.name}_(): not differentiable: write to a detach() or under no_grad()")
        # A rule will need the old values of what is written to: keep a copy of them, of every alias.
        inputs = [
            _as_it_was(t, n) if i in op.saved and (t is tensor or (t.vc is not None and t.vc is tensor.vc)) else t
            for i, t, n in zip(op.inputs, inputs, nodes, strict=True)
        ]
    arrays = [t.array for t in inputs]
    result = run_kernel(op, arrays, attrs) if op.pointwise else quiet.run(op.namespace["kernel"], *arrays, *attrs)
    if result.shape != tensor._shape:
        raise RuntimeError(
            f"{op.name}_: output with shape {shape_text(tensor._shape)} doesn't match the broadcast shape "
            f"{shape_text(result.shape)}"
        )
    store(tensor.array, result)
    version = bump(tensor, op.name + "_")
    if recording:
        shapes = tuple([t._shape for t in inputs])
        given = attrs or numbers_given((tensor, *args))
        node = record(op, nodes, op.keep(nodes, inputs, tensor.array), tensor._shape, given, shapes)
        if op.saves_output:
            extra_of(node).vc = version
        rebase(tensor, node)
    return tensor


def operand_of_write(tensor, other):
    """The array of what is written to a float tensor or computed with it, where it needs no conversion, shares no
    memory with the tensor and nothing is to be recorded; else None."""
    if isinstance(other, Tensor):
        if other.array.dtype is not tensor.array.dtype or (other.vc is not None and other.vc is tensor.vc):
            return None
        return None if is_grad_enabled() and (other.node is not None or other._view is not None) else other.array
    return constant(other, tensor.array.dtype).array if other.__class__ is float or other.__class__ is int else None


def write_at_once(kernel, tensor, args, writer):
    """``kernel(tensor, *args, out=tensor)`` on arrays, where that is all that `write` would do: nothing is recorded,
    looked into or converted. False, and nothing is done, in all other cases."""
    x = tensor.array
    if x.__class__ is not np.ndarray or not (x.dtype is F32 or x.dtype is F64) or not x.flags.writeable:
        return False
    if is_grad_enabled() and (tensor.node is not None or tensor._view is not None):
        return False
    arrays = [operand_of_write(tensor, other) for other in args]
    if any([array is None for array in arrays]):
        return False
    check_not_at_once()
    try:
        quiet.run(kernel, x, *arrays, x)
    except (TypeError, ValueError):
        return False
    bump(tensor, writer)
    return True


# What is rounded correctly is the same whoever computes it: NumPy here, a compiled loop where it is not in place.
ROUNDED = frozenset({np.add, np.subtract, np.multiply, np.true_divide, np.negative, np.sqrt})


def overwrite(x, values, out):
    """A kernel for `write_at_once`: the values themselves."""
    np.copyto(out, values)


def turn(op, tensor, args, kwargs):
    """Make a tensor the view of itself that a view op gives, as `x.t_()` does. Returns the tensor."""
    is_leaf = tensor.node is not None and tensor.node.op is LEAF
    if is_grad_enabled() and is_leaf:
        raise RuntimeError(LEAF_TEXT + f" {op.name}_() changes its shape: use {op.name}().")
    was = tensor
    if tensor._view is None and tensor.vc is not None and not is_leaf:  # it may have views: they go on as views of this
        was = wrap(tensor.array)
        was.node, was.vc = tensor.node, tensor.vc
    alone = tensor.vc is None
    out = op.function(was, *args, **kwargs)
    tensor.array, tensor._shape = out.array, out._shape
    if not is_leaf:
        tensor.node = out.node
        if not alone:
            tensor._view = out._view
        if was is not tensor:
            out._view.mode = None
    if tensor.leaf is not None:
        tensor.leaf.shape = out._shape
    bump(tensor, op.name + "_")
    return tensor


def base_requires_grad(tensor):
    """Whether the tensor is a view, made under no_grad, of a tensor that requires grad."""
    return tensor._view is not None and base_of(tensor._view).node is not None


def _as_it_was(tensor, node):
    old = wrap(tensor.array.copy())
    old.node = node
    return old


def not_writable():
    """The error of a write to memory that must not be written to."""
    return RuntimeError(
        "unsupported operation: the tensor's memory is read-only or shared by several elements (an expanded view). "
        "Please clone() the tensor before writing to it."
    )


def check_not_at_once():
    """A `vmap` that computes all examples at once may be given up half way: what would be written, waits for the way
    one by one."""
    if size_now() is not None:
        raise Unseen(None)


def store(target, values):
    """Copy values into an array, converted and broadcast, without NumPy's warnings."""
    check_not_at_once()
    if not target.flags.writeable:
        target = writable(target, np.size(values) if any(values.strides) else 1)
    quiet.run(np.copyto, target, values, "unsafe")


def writable(array, count):
    """A read-only array for writing, if it is so only because it is (a part of) an expanded view."""
    repeats = any(step == 0 and n > 1 for step, n in zip(array.strides, array.shape, strict=True))
    array = array.view()
    try:
        array.flags.writeable = count == 1 or not repeats
    except ValueError:
        raise not_writable() from None
    if not array.flags.writeable:
        raise not_writable()
    return array


def rebase(tensor, node):
    """Make `node` the history of what was written: of the tensor, or of the base it is a view of."""
    if tensor._view is None:
        move_retained(tensor.node, node)
        tensor.node = node
        return
    base = base_of(tensor._view)
    attrs = (tensor._view.chain, _axis_order(base.array))
    slices = record(COPY_SLICES, (base.node, *node.parents[1:]), (node,), base._shape, attrs)
    move_retained(base.node, slices)
    base.node = slices


def method(op):
    """The Tensor method `X_` of a pointwise op."""
    count, defaults, names = len(op.inputs), op.attr_defaults, op.attrs
    keywords = op.__dict__.get("keywords")
    quick, writer = op.numpy in ROUNDED and not (op.check or names), op.name + "_"

    def in_place(self, *args, **kwargs):
        if not isinstance(self, Tensor):
            raise not_a_tensor(op.name + "_", "input", self)
        if quick and not kwargs and len(args) == count - 1 and write_at_once(op.numpy, self, args, writer):
            return self
        if keywords is not None and kwargs:
            return rewrite(self, op.name, op.function, args, kwargs)
        if kwargs or len(args) != count - 1 + len(names):
            args = _arrange(op, args, kwargs, defaults)
        if op.check_attributes is not None:
            op.check_attributes(*args[count - 1 :])
        return write(op, self, args[: count - 1], tuple(args[count - 1 :]))

    in_place.__name__ = in_place.__qualname__ = op.name + "_"
    in_place.__doc__ = f"In-place form of `{op.name}`: writes the result into this tensor's memory and returns it."
    in_place.__module__ = "minigrad"
    in_place.__wrapped__ = op.function  # `help` and `inspect.signature` show its parameters
    return in_place


def rewrite(tensor, name, function, args, kwargs):
    """``tensor = function(tensor, *args, **kwargs)`` in the tensor's memory: for what `write` does not do in one step.
    The history of the result becomes the tensor's; that of a view is a copy into its base."""
    if not isinstance(tensor, Tensor):
        raise not_a_tensor(name + "_", "input", tensor)
    if not isinstance(tensor.array, np.ndarray):
        return tensor.array.write(tensor, functools.partial(function, **kwargs), args)
    given = [tensor, *[a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]]
    old = tensor
    if is_grad_enabled() and (any([node_of(t) is not None for t in given]) or base_requires_grad(tensor)):
        check_writable(tensor)
        old = _as_it_was(tensor, node_of(tensor))  # the rules will need the values as they are now
        args = [_not_written(a, tensor, old) for a in args]
        kwargs = {key: _not_written(a, tensor, old) for key, a in kwargs.items()}
    result = function(old, *args, **kwargs)
    check_castable(name, result.array.dtype, tensor)
    if result._shape != tensor._shape:
        raise RuntimeError(
            f"{name}_: output with shape {shape_text(tensor._shape)} doesn't match the broadcast shape "
            f"{shape_text(result._shape)}"
        )
    node = node_of(result)
    if node is None or tensor._view is not None or result.array.dtype != tensor.array.dtype:
        return write(OPS["copy"], tensor, (result,))
    store(tensor.array, result.array)
    bump(tensor, name + "_")
    rebase(tensor, node)
    return tensor


def _not_written(arg, tensor, old):
    """An argument as it is before the write."""
    if arg is tensor:
        return old
    if isinstance(arg, Tensor) and arg.vc is not None and arg.vc is tensor.vc:
        return TENSORS["clone"](arg)
    return arg


def rewriting(name, function):
    """The Tensor method `X_` of an op that is not pointwise, or of a function made of ops."""

    def in_place(self, *args, **kwargs):
        return rewrite(self, name, function, args, kwargs)

    in_place.__name__ = in_place.__qualname__ = name + "_"
    in_place.__doc__ = f"In-place form of `{name}`: writes the result into this tensor's memory and returns it."
    in_place.__module__ = "minigrad"
    in_place.__wrapped__ = function
    return in_place


def turning(op):
    """The Tensor method `X_` of a view."""

    def in_place(self, *args, **kwargs):
        return turn(op, self, args, kwargs)

    in_place.__name__ = in_place.__qualname__ = op.name + "_"
    in_place.__doc__ = f"In-place form of `{op.name}`: gives this tensor that shape and returns it."
    in_place.__module__, in_place.__wrapped__ = "minigrad", op.function
    return in_place


def _arrange(op, args, kwargs, defaults):
    """Positional and keyword arguments in the order of the op's parameters after the first."""
    order = (*op.inputs[1:], *op.attrs)
    if len(args) > len(order):
        raise TypeError(f"{op.name}_() takes {len(order) + 1} positional arguments but {len(args) + 1} were given")
    values = dict(zip(order, args, strict=False))
    for name, value in kwargs.items():
        if name not in order:
            raise TypeError(f"{op.name}_() got an unexpected keyword argument {name!r}")
        if name in values:
            raise TypeError(f"{op.name}_() got multiple values for argument {name!r}")
        values[name] = value
    missing = [name for name in order if name not in values and name not in defaults]
    if missing:
        raise TypeError(f"{op.name}_() missing required argument: {missing[0]!r}")
    return [values[name] if name in values else defaults[name] for name in order]


def _slices(node, g, copy, replay, assign, program):
    """Backward of a write to a part: the part's gradient goes through the write, the rest passes on."""
    if node.saved is None:
        raise RuntimeError(FREED)
    (inner,), (chain, order) = node.saved, node.attrs
    rest = copy(g, order)  # laid out as the base is, so that its views are views here too
    part = replay(chain, rest)
    grads = fit(getattr(inner.op, program)(inner, copy(part, tuple(range(part.ndim)))), inner, program)
    if node.parents[0] is None:
        return (None, *grads[1:])
    assign(part, grads[0])
    return (rest, *grads[1:])


def _axis_order(array):
    """The axes from the one with the largest steps through memory to the one with the smallest."""
    return tuple(sorted(range(array.ndim), key=lambda d: -abs(array.strides[d])))


def _replay_arrays(chain, array):
    for op, attrs, *_ in chain:
        array = op.namespace["kernel"](array, *attrs)
    return array


def _replay_tensors(chain, tensor):
    for op, attrs, *_ in chain:
        tensor = op.function(tensor, *attrs)
    return tensor


def _assign_array(part, grad):
    store(part, np.asarray(0) if grad is None else grad)


def _assign_tensor(part, grad):
    write(OPS["copy"], part, (0.0 if grad is None else grad,))


COPY_SLICES.saved, COPY_SLICES.holds = ("node",), True
COPY_SLICES.run = lambda n, g: _slices(n, g, ARRAYS["copy_laid_out"], _replay_arrays, _assign_array, "run")
COPY_SLICES.rule = lambda n, g: _slices(n, g, TENSORS["copy_laid_out"], _replay_tensors, _assign_tensor, "rule")
