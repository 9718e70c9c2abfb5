"""Attention of several heads with its projections: what nn.MultiheadAttention computes."""

# The names in composites are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math
import warnings

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTIONAL, composite, helper, np_dtype, on_every_path
from minigrad.samples import S


@on_every_path("check_heads")
def check_heads(query, key, value, embed_dim, num_heads, key_padding_mask, attn_mask, is_causal, packed):
    """PyTorch's conditions on the shapes of multi-head attention. packed: one weight holds all projections."""
    if query.ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor"
        )
    for name, given in (("key", key), ("value", value)):
        if given.ndim != query.ndim:
            raise AssertionError(
                f"For {query.ndim}-D query, expected {name} to be {query.ndim}-D but found {given.ndim}-D"
            )
    if key_padding_mask is not None and key_padding_mask.ndim != query.ndim - 1:
        raise AssertionError(
            f"For {query.ndim}-D query, expected key_padding_mask to be None or {query.ndim - 1}-D but found "
            f"{key_padding_mask.ndim}-D"
        )
    if attn_mask is not None:
        own = (num_heads, query.shape[0], key.shape[0])
        if attn_mask.ndim not in (2, 3) or (query.ndim == 2 and attn_mask.ndim == 3 and tuple(attn_mask.shape) != own):
            raise AssertionError(
                f"For {query.ndim}-D query, expected attn_mask to be None, 2-D or 3-D (without a batch of shape {own}) "
                f"but found {shape_text(attn_mask.shape)}"
            )
        if key_padding_mask is not None and np_dtype(attn_mask) != np_dtype(key_padding_mask):
            warnings.warn(
                "Support for mismatched key_padding_mask and attn_mask is deprecated. Use same type for both instead: "
                f"they are of {key_padding_mask.dtype} and {attn_mask.dtype}.",
                stacklevel=4,
            )
    if query.shape[-1] != embed_dim:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim}, but got {query.shape[-1]}")
    if embed_dim % num_heads:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    if key.shape[:-1] != value.shape[:-1]:
        raise AssertionError(
            f"key's sequence and batch dims {shape_text(key.shape[:-1])} do not match value's "
            f"{shape_text(value.shape[:-1])}"
        )
    if packed and key.shape[-1] != value.shape[-1]:
        raise AssertionError(
            f"key shape {shape_text(key.shape)} does not match value shape {shape_text(value.shape)}: one weight that "
            "projects both needs them alike"
        )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint: make one with "
            "nn.Transformer.generate_square_subsequent_mask"
        )


@helper
def added_mask(name, mask, like):
    """A mask as numbers to add to the scores: of a bool mask, -inf where it is True."""
    if mask is None:
        return None
    if np_dtype(mask).kind == "f":
        return mask
    if np_dtype(mask).kind != "b":
        raise AssertionError(f"only bool and floating types of {name} are supported, but got {mask.dtype}")
    return masked_fill(zeros_of(mask.shape, np_dtype(like)), mask, -math.inf)


@helper
def in_heads(projected, heads):
    """Projected (length, N, E) as (N, heads, length, E / heads)."""
    length, batch, width = projected.shape
    return permute(reshape(projected, (length, batch, heads, width // heads)), (1, 2, 0, 3))


@helper
def part_of(parameter, k, size):
    """The k-th of the parts of `size` rows that a parameter consists of."""
    return None if parameter is None else narrow(parameter, 0, k * size, size)


def multihead_samples(make):
    """Packed projections with each kind of mask, then separate ones with biases, and a single sample."""
    parameters = make(12, 4), make(12)
    out = make(4, 4), make(4)
    query, key = make(3, 2, 4, low=-1, high=1), make(5, 2, 4, low=-1, high=1)
    padding = np.array([[False, False, True, False, True], [False, False, False, False, True]])
    yield S(query, key, key, 4, 2, *parameters, None, None, False, 0.0, *out, key_padding_mask=padding)
    yield S(query, key, key, 4, 2, *parameters, make(1, 1, 4), make(1, 1, 4), True, 0.0, *out, attn_mask=make(3, 5))
    separate = {"q_proj_weight": make(4, 4), "k_proj_weight": make(4, 3), "v_proj_weight": make(4, 2)}
    yield S(
        make(3, 4), make(5, 3), make(5, 2), 4, 2, None, make(12), None, None, False, 0.0, *out,
        use_separate_proj_weight=True, average_attn_weights=False, **separate,
    )  # fmt: skip


@composite(public=(FUNCTIONAL,), samples=multihead_samples)
def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """multi_head_attention_forward(query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, ...)
    -> (Tensor, Tensor or None)

    Query (L, N, E), key (S, N, K) and value (S, N, V), or without N, are projected and cut into heads; each head
    attends, ``softmax(q kᵀ / √(E / heads) + mask) v``; the heads side by side are projected to (L, N, E). Also returns
    the weights (N, L, S), the mean of the heads', or (N, heads, L, S), or None without need_weights. Masks are bools,
    True where not to look, or numbers to add: attn_mask (L, S) or (N * heads, L, S), key_padding_mask (N, S).
    (Vaswani et al. 2017, arXiv:1706.03762; F.multi_head_attention_forward)
    """
    check_heads(
        query, key, value, embed_dim_to_check, num_heads, key_padding_mask, attn_mask, is_causal,
        not use_separate_proj_weight,
    )  # fmt: skip
    single, alike = query.ndim == 2, query is key and key is value
    if single:
        query, key, value = unsqueeze(query, 1), unsqueeze(key, 1), unsqueeze(value, 1)
        key_padding_mask = None if key_padding_mask is None else unsqueeze(key_padding_mask, 0)
    (length, batch, width), size = query.shape, key.shape[0]
    if not use_separate_proj_weight and in_proj_weight is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    weights_in = q_proj_weight, k_proj_weight, v_proj_weight
    if use_separate_proj_weight and (q_proj_weight is None or k_proj_weight is None or v_proj_weight is None):
        raise AssertionError(
            "use_separate_proj_weight is True but q_proj_weight, k_proj_weight or v_proj_weight is None"
        )
    if alike and not use_separate_proj_weight:
        q, k, v = split(linear(query, in_proj_weight, in_proj_bias), width, -1)
    else:
        if not use_separate_proj_weight:
            weights_in = [part_of(in_proj_weight, i, width) for i in range(3)]
        q = linear(query, weights_in[0], part_of(in_proj_bias, 0, width))
        k = linear(key, weights_in[1], part_of(in_proj_bias, 1, width))
        v = linear(value, weights_in[2], part_of(in_proj_bias, 2, width))

    mask, padding = added_mask("attn_mask", attn_mask, q), added_mask("key_padding_mask", key_padding_mask, q)
    if mask is not None:
        shape = (batch * num_heads, length, size)
        if tuple(mask.shape) not in (shape, shape[1:]):
            raise RuntimeError(
                f"The shape of the {mask.ndim}D attn_mask is {tuple(mask.shape)}, but should be {shape[1:]} or {shape}."
            )
        mask = reshape(mask, (batch, num_heads, length, size)) if mask.ndim == 3 else mask
    if padding is not None and tuple(padding.shape) != (batch, size):
        raise AssertionError(f"expecting key_padding_mask shape of {(batch, size)}, but got {tuple(padding.shape)}")
    if (bias_k is None) != (bias_v is None):
        raise AssertionError("bias_k and bias_v go together: one of them is None")
    if bias_k is not None:
        if static_k is not None or static_v is not None:
            raise AssertionError("bias_k and bias_v cannot be added to static_k or static_v")
        k = cat([k, expand(bias_k, (1, batch, width))])
        v = cat([v, expand(bias_v, (1, batch, width))])
    for name, static in (("static_k", static_k), ("static_v", static_v)):
        if static is not None and (static.shape[0], static.shape[2]) != (batch * num_heads, width // num_heads):
            raise AssertionError(
                f"expecting {name} of shape ({batch * num_heads}, S, {width // num_heads}), but got "
                f"{shape_text(static.shape)}"
            )
    split_up = (batch, num_heads, -1, width // num_heads)
    q = in_heads(q, num_heads)
    k = in_heads(k, num_heads) if static_k is None else reshape(static_k, split_up)
    v = in_heads(v, num_heads) if static_v is None else reshape(static_v, split_up)
    if add_zero_attn:
        zeros_ = zeros_of((batch, num_heads, 1, width // num_heads), np_dtype(k))
        k, v = cat([k, zeros_], 2), cat([v, zeros_], 2)
    if padding is not None:
        padding = reshape(padding, (batch, 1, 1, size))
        mask = padding if mask is None else mask + padding
    added = k.shape[2] - size if static_k is None else 0  # positions that every query may look at
    if mask is not None and added:
        mask = pad(mask, (0, added))
    causal = is_causal and not need_weights and padding is None  # then the hint stands for the mask

    dropped = dropout_p if training else 0.0
    if need_weights:
        scores = matmul(q * (1.0 / math.sqrt(width // num_heads)), transpose(k, 2, 3))
        weights = softmax(scores if mask is None else scores + mask, -1)
        if dropped:
            weights = dropout(weights, dropped)
        heads = matmul(weights, v)
        if average_attn_weights:
            weights = mean(weights, 1)
        if single:
            weights = squeeze(weights, 0)
    else:
        heads, weights = scaled_dot_product_attention(q, k, v, None if causal else mask, dropped, causal), None
    joined = reshape(permute(heads, (2, 0, 1, 3)), (length, batch, width))
    out = linear(joined, out_proj_weight, out_proj_bias)
    return (squeeze(out, 1) if single else out), weights
