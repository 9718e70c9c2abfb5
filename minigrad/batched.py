"""Tensors with a batch in them that nobody sees: how `vmap` computes all examples at once.

A `Batched` tensor has the shape of one example, and holds the tensor of all of them (`whole`, the batch in front). Ops
find that out by themselves: its `.array` is no array but a `Hidden`, which knows dtype and shape and raises `Unseen`
when anything reaches for the numbers. The op's door catches that and asks for a rule:

    x.sum(0)  ──▶ door: prepare, kernel(Hidden) ──Unseen──▶ RULES["sum"]: whole.sum(1) ──▶ Batched
                                                       │
                                                       └─ no rule: Unseen goes on up to vmap, which loops instead

So nothing can be computed wrongly for want of a rule, whatever else looks at the numbers (`.item()`, ``if x > 0``,
in-place writes, NumPy) ends in the loop too, and the doors pay nothing for it. What the rules compute with are ordinary
tensors: they are recorded as ever, and `func.grad` inside a vmap differentiates the whole batch by one backward pass.
"""

from __future__ import annotations

import contextlib
import contextvars

import numpy as np

from minigrad.autograd.general import Unseen
from minigrad.tensor import Tensor

__all__ = ["Batched", "all_at_once", "lift", "size_now"]

_size = contextvars.ContextVar("minigrad_batch", default=None)
size_now = _size.get  # how many examples are computed at once just now, or None


@contextlib.contextmanager
def all_at_once(size):
    """Inside, functions are applied to `size` examples at once."""
    token = _size.set(size)
    try:
        yield
    finally:
        _size.reset(token)


class Hidden(np.lib.mixins.NDArrayOperatorsMixin):
    """The `.array` of a `Batched` tensor: dtype and shape, and `Unseen` for whatever else it is asked."""

    __slots__ = ("dtype", "shape")

    def __init__(self, whole):
        self.dtype = np.dtype(
            whole.array.dtype, copy=True
        )  # equal but not the same: the doors' fast paths see no float
        self.shape = whole._shape[1:]

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: int(np.prod(self.shape)))
    itemsize = property(lambda self: self.dtype.itemsize)

    def apply(self, op, inputs, attrs):
        return apply(op, inputs, attrs)

    def unseen(self, *args, **kwargs):
        raise Unseen(apply)

    __array__ = __array_ufunc__ = __array_function__ = __getitem__ = __setitem__ = __len__ = __iter__ = unseen
    __bool__ = __int__ = __float__ = __index__ = __contains__ = __getattr__ = __reduce_ex__ = unseen


def _unseen(self, *args):
    raise Unseen(apply)


class Batched(Tensor):
    """One example for all: see the top of this file."""

    __slots__ = ("hidden", "whole")
    array = property(lambda self: self.hidden)
    node = vc = leaf = _view = property(_unseen, _unseen)  # only `whole` has a history
    requires_grad = property(lambda self: self.whole.requires_grad)
    requires_grad_ = data = grad = _unseen

    def detach(self):
        return batched(self.whole.detach())


def batched(whole):
    """The tensor that stands for each example of `whole`."""
    out = object.__new__(Batched)
    out.whole, out.hidden, out._shape = whole, Hidden(whole), whole._shape[1:]
    return out


def lift(tensor):
    """The tensor of all examples, the batch in front; one that is the same for all is expanded."""
    if isinstance(tensor, Batched):
        return tensor.whole
    return tensor.unsqueeze(0).expand(size_now(), *tensor._shape)


def apply(op, inputs, attrs):
    """The op on all examples at once. `Unseen` if there is no rule."""
    if any(
        [t is not None and not isinstance(t.array, np.ndarray) and t.__class__ is not Batched for t in _all(inputs)]
    ):
        raise Unseen(apply)  # a tensor that was made from a Hidden array behind our back
    rule = _aligned if op.pointwise else RULES.get(op.name)
    if rule is None:
        raise Unseen(apply)
    return rule(op, inputs, dict(zip(op.attrs, attrs, strict=True)))


def _all(inputs):
    return [t for each in inputs for t in (each if isinstance(each, list | tuple) else (each,))]


# ---- rules: rule(op, inputs, attributes), as the op's `forward` has them ---------------------------------------------


def _aligned(op, inputs, attrs):
    """Ops whose inputs are broadcast: dimensions of size 1 are put in after the batch until all have as many."""
    most = max([t.ndim for t in inputs])
    wholes = [_padded(t, most) if isinstance(t, Batched) else t for t in inputs]
    return batched(op.function(*wholes, *attrs.values()))


def _padded(tensor, ndim):
    whole = tensor.whole
    missing = ndim - tensor.ndim
    return whole.reshape(whole._shape[0], *[1] * missing, *tensor._shape) if missing else whole


def _same(op, inputs, attrs):
    """Ops of each element by itself."""
    return batched(op.function(inputs[0].whole, *attrs.values()))


def _along(op, inputs, attrs):
    """Ops along dimensions: each is one further."""
    attrs = {name: _further(value) if name.startswith("dim") else value for name, value in attrs.items()}
    result = op.function(inputs[0].whole, **attrs)
    return type(result)(*map(batched, result)) if isinstance(result, tuple) else batched(result)


def _further(dim):
    if isinstance(dim, tuple) and dim:
        return tuple([_further(d) for d in dim])
    if not isinstance(dim, int) or dim < 0:
        raise Unseen(apply)  # all dimensions, in one way or another: to the whole that would be the batch as well
    return dim + 1


def _reshape(op, inputs, attrs):
    whole = inputs[0].whole
    return batched(op.function(whole, (whole._shape[0], *attrs["shape"])))


def _expand(op, inputs, attrs):
    size = attrs["size"]
    whole = _padded(inputs[0], len(size))
    return batched(whole.expand(whole._shape[0], *size))


def _permute(op, inputs, attrs):
    return batched(inputs[0].whole.permute(0, *[d + 1 for d in attrs["dims"]]))


def _transposed(op, inputs, attrs):
    return batched(inputs[0].whole.transpose(1, 2)) if inputs[0].ndim == 2 else inputs[0]


def _squeeze(op, inputs, attrs):
    dims = attrs["dim"]
    dims = [d for d, n in enumerate(inputs[0]._shape) if n == 1] if dims is None else dims
    return batched(inputs[0].whole.squeeze(tuple([d + 1 for d in dims])))


def _getitem(op, inputs, attrs):
    """Slices, integers and at most one array: with more NumPy moves dimensions about."""
    key = attrs["index"]
    key = key if isinstance(key, tuple) else (key,)
    arrays = [item for item in key if isinstance(item, np.ndarray)]
    if any(isinstance(item, bool) for item in key) or (arrays and any(isinstance(item, int) for item in key)):
        raise Unseen(apply)
    if len(arrays) > 1:
        raise Unseen(apply)
    return batched(op.function(inputs[0].whole, (slice(None), *key)))


def _unbind(op, inputs, attrs):
    return tuple([batched(part) for part in op.function(inputs[0].whole, attrs["dim"] + 1)])


def _joined(op, inputs, attrs):
    """cat and stack."""
    return batched(op.function([lift(t) for t in inputs[0]], _further(attrs["dim"])))


def _matmul(op, inputs, attrs):
    """Vectors are made matrices of one row or one column, and the dimensions before the last two are aligned."""
    a, b = inputs
    if not a.ndim or not b.ndim:
        raise Unseen(apply)
    row, column = a.ndim == 1, b.ndim == 1
    a, b = a.unsqueeze(0) if row else a, b.unsqueeze(1) if column else b
    most = max(a.ndim, b.ndim)
    a, b = [_padded(t, most) if isinstance(t, Batched) else t for t in (a, b)]
    product = a @ b
    product = product.squeeze(-1) if column else product
    return batched(product.squeeze(-1 if column else -2) if row else product)


def _linear(op, inputs, attrs):
    x, weight, bias = inputs
    if not isinstance(weight, Batched) and not isinstance(bias, Batched):
        return batched(op.function(x.whole, weight, bias))
    out = x @ weight.transpose(-1, -2)
    return out if bias is None else out + bias


def _mse(op, inputs, attrs):
    difference = inputs[0] - inputs[1]
    return (difference * difference).sum() * attrs["scale"]


def _of_classes(op, inputs, attrs):
    """cross_entropy and nll_loss of (N, C) and (N): each example's mean is over those of its rows that count."""
    x, target, weight = inputs
    if weight is not None or x.ndim != 2:
        raise Unseen(apply)
    logits, classes = lift(x), lift(target)
    flat = logits.reshape(-1, logits._shape[-1]), classes.reshape(-1), None
    losses = op.function(*flat, **{**attrs, "reduction": "none"}).reshape(classes._shape)
    if attrs["reduction"] == "none":
        return batched(losses)
    total = losses.sum(1)
    return batched(total / (classes != attrs["ignore_index"]).sum(1) if attrs["reduction"] == "mean" else total)


RULES = (
    dict.fromkeys(("where", "masked_fill", "clamp_tensors"), _aligned)
    | dict.fromkeys(("clone", "clamp_numbers", "contiguous_copy", "to_dtype"), _same)
    | dict.fromkeys(
        (
            "all", "amax", "amin", "any", "argmax", "argmin", "cumsum", "flip", "log_softmax", "logsumexp", "max_dim",
            "mean", "min_dim", "narrow", "prod", "select", "softmax", "sort", "std", "sum", "topk", "transpose",
            "unsqueeze", "var", "vector_norm",
        ),
        _along,
    )
    | dict.fromkeys(("reshape", "view"), _reshape)
    | dict.fromkeys(("cat", "stack"), _joined)
    | dict.fromkeys(("cross_entropy_of_classes", "nll_of_classes"), _of_classes)
    | {
        "expand": _expand, "getitem": _getitem, "linear": _linear, "matmul": _matmul, "mse": _mse, "permute": _permute,
        "squeeze": _squeeze, "t": _transposed, "unbind": _unbind,
    }
)  # fmt: skip
