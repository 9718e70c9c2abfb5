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

import numpy as np

from minigrad.autograd.door import direct
from minigrad.autograd.general import Unseen
from minigrad.autograd.modes import _batch, size_now
from minigrad.tensor import Tensor

__all__ = ["Batched", "all_at_once", "lift", "size_now"]


@contextlib.contextmanager
def all_at_once(size):
    """Inside, functions are applied to `size` examples at once."""
    token = _batch.set(size)
    try:
        yield
    finally:
        _batch.reset(token)


class Hidden(np.lib.mixins.NDArrayOperatorsMixin):
    """The `.array` of a `Batched` tensor: dtype and shape, and `Unseen` for whatever else it is asked."""

    __slots__ = ("dtype", "shape")

    def __init__(self, whole):
        self.dtype = np.dtype(whole.array.dtype, copy=True)  # equal, not the same: no door takes its fast path
        self.shape = whole._shape[1:]

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: int(np.prod(self.shape)))
    itemsize = property(lambda self: self.dtype.itemsize)

    def apply(self, op, inputs, attrs):
        return apply(op, inputs, attrs)

    def write(self, tensor, function, args):
        """``tensor = function(tensor, *args)``, in place."""
        raise Unseen(None)

    def unseen(self, *args, **kwargs):
        raise Unseen(self.apply)

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
    data = grad = property(_unseen, _unseen)
    requires_grad_ = _unseen

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
    if any([t is not None and isinstance(t.array, Hidden) and t.__class__ is not Batched for t in _all(inputs)]):
        raise Unseen(apply)  # a tensor that was made of a Hidden array behind our back
    rule = _aligned if op.pointwise else RULES.get(op.name)
    if rule is None:
        raise Unseen(apply)
    return rule(op, inputs, dict(zip(op.attrs, attrs, strict=True)))


def _all(inputs):
    return [t for each in inputs for t in (each if isinstance(each, list | tuple) else (each,))]


# ---- rules: rule(op, inputs, attributes), as the op's `forward` has them ---------------------------------------------


def _aligned(op, inputs, attrs):
    """Ops whose inputs are broadcast: dimensions of size 1 are put in after the batch until all have as many."""
    most = max([t.ndim for t in inputs if t is not None])
    wholes = [_padded(t, most) if isinstance(t, Batched) else t for t in inputs]
    return batched(direct(op)(*wholes, *attrs.values()))


def _padded(tensor, ndim):
    whole = tensor.whole
    missing = ndim - tensor.ndim
    return whole.reshape(whole._shape[0], *[1] * missing, *tensor._shape) if missing else whole


def _each(result):
    """An op's outputs, of all examples, as those of each."""
    if not isinstance(result, tuple):
        return batched(result)
    outputs = [batched(whole) for whole in result]
    return type(result)(*outputs) if hasattr(result, "_fields") else tuple(outputs)


def _same(op, inputs, attrs):
    """Ops of each element by itself."""
    return _each(direct(op)(inputs[0].whole, *attrs.values()))


def _of_matrices(op, inputs, attrs):
    """Ops of the last two dimensions, which take batches as they are."""
    if inputs[0].ndim < 2:
        raise Unseen(apply)
    return _same(op, inputs, attrs)


def _along(op, inputs, attrs):
    """Ops along dimensions: each is one further."""
    attrs = {name: _further(value) if name.startswith("dim") else value for name, value in attrs.items()}
    return _each(direct(op)(inputs[0].whole, *attrs.values()))


def _largest(op, inputs, attrs):
    return batched(inputs[0].whole.flatten(1).amax(1))


def _smallest(op, inputs, attrs):
    return batched(inputs[0].whole.flatten(1).amin(1))


def _prod(op, inputs, attrs):
    whole, dims = inputs[0].whole, attrs["dim"]
    if len(dims) != 1:
        raise Unseen(apply)
    return batched(whole.prod(dims[0] + 1, attrs["keepdim"]))


def _lifted_along(op, inputs, attrs):
    """As `_along`, of several tensors; all have the batch, which indices need not count then."""
    return batched(direct(op)(*[lift(t) for t in inputs], _further(attrs["dim"])))


def _further(dim):
    if isinstance(dim, tuple) and dim:
        return tuple([_further(d) for d in dim])
    if not isinstance(dim, int) or dim < 0:
        raise Unseen(apply)  # all dimensions, in one way or another: to the whole that would be the batch as well
    return dim + 1


def _reshape(op, inputs, attrs):
    whole = inputs[0].whole
    return batched(direct(op)(whole, (whole._shape[0], *attrs["shape"])))


def _expand(op, inputs, attrs):
    size = attrs["size"]
    whole = _padded(inputs[0], len(size))
    return batched(whole.expand(whole._shape[0], *size))


def _sum_to_size(op, inputs, attrs):
    whole, size = inputs[0].whole, attrs["size"]
    ones = [1] * (inputs[0].ndim - len(size))
    return batched(whole.sum_to_size(whole._shape[0], *ones, *size).reshape(whole._shape[0], *size))


def _permute(op, inputs, attrs):
    return batched(inputs[0].whole.permute(0, *[d + 1 for d in attrs["dims"]]))


def _transposed(op, inputs, attrs):
    return batched(inputs[0].whole.transpose(1, 2)) if inputs[0].ndim == 2 else inputs[0]


def _squeeze(op, inputs, attrs):
    whole, dims = inputs[0].whole, attrs["dim"]
    kept = [n for d, n in enumerate(inputs[0]._shape) if n != 1 or (dims is not ... and d not in dims)]
    return batched(whole.reshape(whole._shape[0], *kept))


def _getitem(op, inputs, attrs):
    return batched(direct(op)(inputs[0].whole, _key(attrs["index"])))


def _put_back(op, inputs, attrs):
    whole = inputs[0].whole
    return batched(direct(op)(whole, (whole._shape[0], *attrs["shape"]), _key(attrs["index"])))


def _pad_zeros(op, inputs, attrs):
    whole = inputs[0].whole
    shape = (whole._shape[0], *attrs["shape"])
    return batched(direct(op)(whole, shape, _further(attrs["dim"]), attrs["start"]))


def _key(key):
    """An index of slices, integers and at most one array (with more NumPy moves dimensions about), after the batch."""
    key = key if isinstance(key, tuple) else (key,)
    arrays = [item for item in key if isinstance(item, np.ndarray)]
    if any(isinstance(item, bool) for item in key) or (arrays and any(isinstance(item, int) for item in key)):
        raise Unseen(apply)
    if len(arrays) > 1:
        raise Unseen(apply)
    return (slice(None), *key)


def _flip(op, inputs, attrs):
    return batched(inputs[0].whole.flip(_further(attrs["dims"])))


def _pieces(op, inputs, attrs):
    """unbind and split."""
    *sizes, dim = attrs.values()
    return _each(direct(op)(inputs[0].whole, *sizes, _further(dim)))


def _pad(op, inputs, attrs):
    return batched(direct(op)(inputs[0].whole, ((0, 0), *attrs["width"]), attrs["value"]))


def _joined(op, inputs, attrs):
    """cat and stack."""
    return batched(direct(op)([lift(t) for t in inputs[0]], _further(attrs["dim"])))


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
        return batched(direct(op)(x.whole, weight, bias))
    out = x @ weight.transpose(-1, -2)
    return out if bias is None else out + bias


def _embedding(op, inputs, attrs):
    indices, weight = inputs
    if isinstance(weight, Batched):
        raise Unseen(apply)
    return batched(direct(op)(indices.whole, weight, *attrs.values()))


def _pool(op, inputs, attrs):
    """Poolings of (N, C, ...): the batch is merged with N."""
    whole = inputs[0].whole
    result = direct(op)(whole.reshape(-1, *whole._shape[2:]), *attrs.values())
    parts = [y.reshape(*whole._shape[:2], *y._shape[1:]) for y in (result if isinstance(result, tuple) else (result,))]
    return _each(tuple(parts)) if isinstance(result, tuple) else batched(parts[0])


def _convolution(op, inputs, attrs):
    """Weights shared by all: the batch is merged with N. Else each example's channels are groups of their own."""
    x, weight, bias = inputs
    if not isinstance(weight, Batched) and not isinstance(bias, Batched):
        whole = x.whole
        out = direct(op)(whole.reshape(-1, *whole._shape[2:]), weight, bias, *attrs.values())
        return batched(out.reshape(*whole._shape[:2], *out._shape[1:]))
    x, weight, size = lift(x), lift(weight), size_now()
    channels = x.transpose(0, 1).reshape(x._shape[1], -1, *x._shape[3:])
    attrs = {**attrs, "groups": size * attrs["groups"]}
    out = direct(op)(channels, weight.reshape(-1, *weight._shape[2:]), None, *attrs.values())
    out = batched(out.reshape(out._shape[0], size, -1, *out._shape[2:]).transpose(0, 1))
    return out if bias is None else out + bias.reshape(-1, *[1] * (out.ndim - 2))


def _layer_norm(op, inputs, attrs):
    x, weight, bias = inputs
    if not isinstance(weight, Batched) and not isinstance(bias, Batched):
        return batched(direct(op)(x.whole, weight, bias, *attrs.values()))
    out = batched(direct(op)(lift(x), None, None, *attrs.values()))
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _attended(op, inputs, attrs):
    query, key, value, mask, kept = inputs
    if mask is not None:
        mask = _padded(mask, query.ndim) if isinstance(mask, Batched) else mask
    kept = None if kept is None else lift(kept)
    return batched(direct(op)(lift(query), lift(key), lift(value), mask, kept, *attrs.values()))


def _reduced_loss(op, inputs, attrs):
    losses = inputs[0]
    return losses.mean() if attrs["how"] == "mean" else losses.sum()


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
    losses = direct(op)(*flat, *{**attrs, "reduction": "none"}.values()).reshape(classes._shape)
    if attrs["reduction"] == "none":
        return batched(losses)
    total = losses.sum(1)
    return batched(total / (classes != attrs["ignore_index"]).sum(1) if attrs["reduction"] == "mean" else total)


def _table(names, rule):
    return dict.fromkeys(names.split(), rule)


RULES = {
    **_table("clamp_tensors masked_fill where", _aligned),
    **_table("clamp_numbers clone to_dtype", _same),
    **_table("cholesky_lower inverse_matrix linalg_det linalg_eigvalsh linalg_matrix_exp", _of_matrices),
    **_table("linalg_svdvals tril triu", _of_matrices),
    **_table("all amax amin any argmax argmin cummax cummin cumprod cumsum diagonal kthvalue", _along),
    **_table("linalg_vector_norm log_softmax logcumsumexp logsumexp max_dim mean median_dim", _along),
    **_table("min_dim mode narrow select softmax sort std sum topk transpose unsqueeze var", _along),
    **_table("gather log_softmax_backward scatter_add softmax_backward", _lifted_along),
    **_table("reshape view", _reshape),
    **_table("split unbind", _pieces),
    **_table("cat stack", _joined),
    **_table("adaptive_average adaptive_max_pool avg_pool max_pool", _pool),
    **_table("cross_entropy_of_classes nll_of_classes", _of_classes),
    "attended": _attended,
    "convolution": _convolution,
    "embedding": _embedding,
    "expand": _expand,
    "flip": _flip,
    "getitem": _getitem,
    "layer_normalized": _layer_norm,
    "linear": _linear,
    "matmul": _matmul,
    "max_all": _largest,
    "min_all": _smallest,
    "mse": _mse,
    "pad_constant": _pad,
    "pad_zeros": _pad_zeros,
    "permute": _permute,
    "prod": _prod,
    "put_back": _put_back,
    "reduced_loss": _reduced_loss,
    "squeeze": _squeeze,
    "sum_to_size": _sum_to_size,
    "t": _transposed,
}
