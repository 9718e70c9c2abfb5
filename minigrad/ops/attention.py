"""Products of three: attention, and the bilinear layer."""

# The names in composites are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import attention as kernels
from minigrad.registry import FUNCTION, FUNCTIONAL, Op, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, of


@on_every_path("check_attention")
def check_attention(query, key, value, attn_mask, is_causal):
    """PyTorch's conditions on the arguments of attention."""
    dtypes = [np_dtype(query), np_dtype(key), np_dtype(value)]
    if not dtypes[0] == dtypes[1] == dtypes[2]:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
        )
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be at least 2 dimensional, but got query.dim(): "
            f"{query.ndim}, key.dim(): {key.ndim} and value.dim(): {value.ndim} instead."
        )
    if attn_mask is not None:
        if is_causal:
            raise RuntimeError("Explicit attn_mask should not be set when is_causal=True")
        if np_dtype(attn_mask) not in (np.dtype(bool), dtypes[0]):
            raise RuntimeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{attn_mask.dtype} and query.dtype: {query.dtype} instead."
            )


@on_every_path("some")
def some(mask):
    """Whether a mask is anywhere true."""
    return bool(getattr(mask, "array", mask).any())


@on_every_path("future")
def future(shape, dtype):
    """What is added to the scores so that position i sees the keys up to i: -inf beyond the diagonal."""
    return np.triu(np.full(shape, -np.inf, dtype), 1)


@helper
def attention_weights(query, key, mask, scale, is_causal):
    """Softmax of the scores where a mask (bool: True takes part; floats: added) lets them; rows of which nothing is
    left are zeros, not NaN."""
    scores = matmul(query * scale, transpose(key, -2, -1))
    if mask is None:
        return softmax(scores + future(scores.shape[-2:], np_dtype(scores)) if is_causal else scores, -1)
    if np_dtype(mask).kind == "b":
        mask = masked_fill(zeros_of(mask.shape, np_dtype(scores)), logical_not(mask), -math.inf)
    scores = scores + mask
    shut = all(scores == -math.inf, -1, True)
    if not some(shut):
        return softmax(scores, -1)
    return where(shut, 0.0, softmax(where(shut, 0.0, scores), -1))


BACKWARD_NAME = "ScaledDotProductFlashAttentionForCpuBackward0"


class attended(Op):
    """``(softmax(query keyᵀ scale + mask) * kept) value`` in one kernel, which keeps none of the weights: the form of
    `scaled_dot_product_attention` where no gradient of the mask is wanted."""

    public, fresh, wide_half = (), True, True
    optional, constant = ("mask", "kept"), ("mask", "kept")
    aux, symbol, backward_name = ("known",), "attention", BACKWARD_NAME

    def forward(query, key, value, mask, kept, /, scale, is_causal):
        return kernels.attention(query, key, value, kernels.added(mask, query.dtype), kept, scale, is_causal)

    def vjp(g, query, key, value, mask, kept, output, known, scale, is_causal):
        weights = attention_weights(query, key, mask, scale, is_causal)
        along = matmul(g, transpose(value, -2, -1))
        along = softmax_backward(along if kept is None else along * kept, weights, query.ndim - 1) * scale
        grad_value = matmul(transpose(weights if kept is None else weights * kept, -2, -1), g)
        return matmul(along, key), matmul(transpose(along, -2, -1), query), grad_value, None, None

    def fused(g, query, key, value, mask, kept, output, known, scale, is_causal):
        inputs = query, key, value, kernels.added(mask, query.dtype), kept, scale, is_causal
        return *kernels.attention_backward(g, *inputs, output, known), None, None


@on_every_path("wants_gradient")
def wants_gradient(x):
    """Whether gradients of it are wanted."""
    return getattr(x, "requires_grad", False)


@on_every_path("in_one_kernel")
def in_one_kernel(query, key, value, mask, dropout_p):
    """The batch that `attended` can do all in one: nothing empty, no gradient of the mask, nothing hidden drawn; or
    None. And whether the three have it already, without broadcasting."""
    shapes = [tuple(x.shape) for x in (query, key, value)]
    batches = [shape[:-2] for shape in shapes]
    batch, alike = batches[0], batches[0] == batches[1] == batches[2]
    if not alike:
        try:
            batch = np.broadcast_shapes(*batches)
        except ValueError:
            return None, False
    (length, width), (size, deep), (places, out) = [shape[-2:] for shape in shapes]
    if size != places or width != deep or not length * width * size * out or 0 in batch or dropout_p == 1:
        return None, False
    if dropout_p and not all([type(getattr(x, "array", x)) is np.ndarray for x in (query, key, value)]):
        return None, False  # within vmap each example has its own dropout
    if mask is not None:
        given, wanted = tuple(mask.shape)[::-1], (*batch, length, size)[::-1]
        fits = 2 <= len(given) <= len(wanted) and all([n in (1, m) for n, m in zip(given, wanted, strict=False)])
        if not fits or wants_gradient(mask):
            return None, False
    return batch, alike


def attention_samples(make):
    """Each kind of mask, groups of queries, and a scale."""
    yield S(make(2, 3, 4), make(2, 5, 4), make(2, 5, 3))
    yield S(make(2, 3, 4), make(2, 3, 4), make(2, 3, 4), is_causal=True)
    yield S(
        make(3, 4), make(3, 4), make(3, 2), np.array([[True, True, False], [False, False, False], [False, True, True]])
    )
    yield S(make(3, 4), make(3, 4), make(3, 2), make(3, 3), scale=0.7)
    yield S(make(1, 4, 2, 3), make(1, 2, 2, 3), make(1, 2, 2, 3), enable_gqa=True)


@composite(public=(FUNCTIONAL,), samples=attention_samples)
def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
    enable_gqa=False) -> Tensor

    ``softmax(query keyᵀ * scale + mask) value``: query (..., L, E), key (..., S, E) and value (..., S, V) give
    (..., L, V). attn_mask broadcasts to (..., L, S): bools (True takes part) or floats that are added; is_causal lets
    position i see the keys up to i. scale is 1/√E by default. dropout_p drops weights, whatever the mode. enable_gqa
    lets key and value have fewer heads (dimension -3) than the query. Rows that see nothing give zeros.
    (Vaswani et al. 2017, arXiv:1706.03762; F.scaled_dot_product_attention)
    """
    tensors_only("scaled_dot_product_attention", query=query, key=key, value=value)
    check_attention(query, key, value, attn_mask, is_causal)
    float_only("scaled_dot_product_attention", query)
    if enable_gqa and query.ndim > 2 and tuple(key.shape[:-2]) == tuple(value.shape[:-2]) != tuple(query.shape[:-2]):
        check_heads_served(query, key)
        return grouped_attention(query, key, value, attn_mask, dropout_p, is_causal, scale)
    if enable_gqa:
        key, value = for_all_heads(query, key), for_all_heads(query, value)
    if scale is None:
        width = query.shape[-1]
        scale = 1.0 / math.sqrt(width) if width else math.inf
    batch, alike = in_one_kernel(query, key, value, attn_mask, dropout_p)
    if batch is not None:
        if not alike:
            query, key, value = [expand(x, (*batch, *x.shape[-2:])) for x in (query, key, value)]
        kept = None
        if dropout_p:
            shape = (*query.shape[:-1], key.shape[-2])
            kept = bernoulli_mask(shape, 1 - dropout_p, np_dtype(query)) / (1 - dropout_p)
        return attended(query, key, value, attn_mask, kept, float(scale), bool(is_causal))
    weights = attention_weights(query, key, attn_mask, scale, is_causal)
    if dropout_p:
        weights = dropout(weights, dropout_p)
    return matmul(weights, value)


@helper
def grouped_attention(query, key, value, mask, *rest):
    """Attention in which a head of key and value serves a group of those of the query: that gets its own dimension."""
    heads, served = query.shape[-3], key.shape[-3]
    query = reshape(query, (*query.shape[:-3], served, heads // served, *query.shape[-2:]))
    if mask is not None and mask.ndim > 2:
        parts = (served, heads // served) if mask.shape[-3] == heads else (mask.shape[-3], 1)
        mask = reshape(mask, (*mask.shape[:-3], *parts, *mask.shape[-2:]))
    out = scaled_dot_product_attention(query, unsqueeze(key, -3), unsqueeze(value, -3), mask, *rest)
    return reshape(out, (*out.shape[:-4], heads, *out.shape[-2:]))


@on_every_path("check_heads_served")
def check_heads_served(query, given):
    if query.ndim < 3 or given.ndim < 3 or not given.shape[-3] or query.shape[-3] % given.shape[-3]:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query, but got query of shape "
            f"{shape_text(query.shape)} and key or value of shape {shape_text(given.shape)}"
        )


@helper
def for_all_heads(query, given):
    """A key or value with as many heads as the query: each serves a group of them."""
    check_heads_served(query, given)
    groups = query.shape[-3] // given.shape[-3]
    shape = tuple(given.shape)
    spread_ = expand(unsqueeze(given, -3), (*shape[:-2], groups, *shape[-2:]))
    return reshape(spread_, (*shape[:-3], query.shape[-3], *shape[-2:]))


@composite(
    public=(FUNCTION, FUNCTIONAL),
    samples=of(
        lambda make: S(make(3, 4), make(3, 2), make(5, 4, 2), make(5)),
        lambda make: S(make(2, 3, 4), make(2, 3, 2), make(5, 4, 2)),
        lambda make: S(make(4), make(2), make(3, 4, 2)),
    ),
)
def bilinear(input1, input2, weight, bias=None):
    """bilinear(input1, input2, weight, bias=None) -> Tensor

    ``input1 weight[k] input2ᵀ + bias[k]`` for each output k: input1 (..., A), input2 (..., B), weight (out, A, B), bias
    (out) give (..., out). (PyTorch: F.bilinear)
    """
    if input1.ndim != input2.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}")
    if tuple(input1.shape[:-1]) != tuple(input2.shape[:-1]):
        raise RuntimeError(
            f"bilinear(): input batch dimensions do not match: got {shape_text(input1.shape)} and "
            f"{shape_text(input2.shape)}"
        )
    if weight.ndim != 3:
        error = IndexError if weight.ndim < 3 else RuntimeError
        raise error(f"bilinear(): expected a weight of shape (out, in1, in2), but got {shape_text(weight.shape)}")
    dtypes = [given.dtype for given in (input1, input2, weight, bias) if given is not None]
    if len(set(dtypes)) > 1:
        raise RuntimeError(f"bilinear(): All tensors must have the same dtype, got {dtypes}")
    out, one, other = weight.shape
    if input1.shape[-1] != one or input2.shape[-1] != other:
        raise RuntimeError(
            f"bilinear(): inputs of sizes {input1.shape[-1]} and {input2.shape[-1]} do not match weight of shape "
            f"{shape_text(weight.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (out,):
        raise RuntimeError(f"bilinear(): bias size does not match weight size: got {shape_text(bias.shape)} but {out}")
    if np_dtype(input1).kind == "b" and not input_size(input1):
        return zeros_of((*input1.shape[:-1], out), np.bool_)  # the only product of bools that PyTorch has
    left = matmul(input1, reshape(permute(weight, (1, 0, 2)), (one, out * other)))
    y = sum(reshape(left, (*input1.shape[:-1], out, other)) * unsqueeze(input2, -2), -1)
    return y if bias is None else y + bias
