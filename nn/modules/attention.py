"""Attention of several heads as a layer. PyTorch keeps it in `activation.py`, from where it can be imported too."""

from __future__ import annotations

import minigrad
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.linear import NonDynamicallyQuantizableLinear
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Each position of the query takes the mean of the values, weighted by how well their keys fit to it.

    ``concat(head_1, ..., head_h) W_Oᵀ`` with ``head_i = softmax(q_i k_iᵀ / √d + mask) v_i``; ``q_i, k_i, v_i`` are the
    i-th parts, of size ``d = embed_dim / num_heads``, of the projected query, key and value.

    Query ``(L, N, embed_dim)``, key ``(S, N, kdim)`` and value ``(S, N, vdim)`` give ``(L, N, embed_dim)`` and the
    weights ``(N, L, S)``; with `batch_first` N comes first; without N all are of one example.

    Args:
        embed_dim (int): size of the vectors that come out, and of the query's.
        num_heads (int): a divisor of `embed_dim`.
        dropout (float): the probability of a weight to be zeroed in training.
        bias (bool): whether the projections add one.
        add_bias_kv (bool): whether a learned key and value are added to the sequence.
        add_zero_attn (bool): whether a key and value of zeros are added to it.
        kdim, vdim (int, optional): sizes of the key's and the value's vectors, if not `embed_dim`.
        batch_first (bool): whether the tensors are (N, L, E) instead of (L, N, E).
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        in_proj_weight: ``(3 * embed_dim, embed_dim)``, the projections of query, key and value; if `kdim` or `vdim`
            differ it is None, and there are `q_proj_weight`, `k_proj_weight` and `v_proj_weight` instead.
            Xavier-uniform.
        in_proj_bias: ``(3 * embed_dim,)``, initially 0, or None.
        out_proj: the last projection, a linear layer.
        bias_k, bias_v: ``(1, 1, embed_dim)``, Xavier-normal, or None.

    Raises:
        ValueError: if `embed_dim` or `num_heads` is not positive.
        AssertionError: if `embed_dim` is not a multiple of `num_heads`.

    Source: Vaswani et al., Attention Is All You Need (2017). PyTorch: torch.nn.MultiheadAttention
    """

    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        device=None,
        dtype=None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "MultiheadAttention(): embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads}"
            )
        if embed_dim % num_heads:
            raise AssertionError(
                "MultiheadAttention(): embed_dim must be divisible by num_heads, got "
                f"embed_dim={embed_dim} and num_heads={num_heads}"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        factory = {"device": device, "dtype": dtype}
        if self._qkv_same_embed_dim:
            self.in_proj_weight = Parameter(minigrad.empty((3 * embed_dim, embed_dim), **factory))
            for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
                self.register_parameter(name, None)
        else:
            self.q_proj_weight = Parameter(minigrad.empty((embed_dim, embed_dim), **factory))
            self.k_proj_weight = Parameter(minigrad.empty((embed_dim, self.kdim), **factory))
            self.v_proj_weight = Parameter(minigrad.empty((embed_dim, self.vdim), **factory))
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", Parameter(minigrad.empty(3 * embed_dim, **factory)) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **factory)
        self.bias_k = self.bias_v = None
        if add_bias_kv:
            self.bias_k = Parameter(minigrad.empty((1, 1, embed_dim), **factory))
            self.bias_v = Parameter(minigrad.empty((1, 1, embed_dim), **factory))
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The attended values and the weights.

        Masks are of bools, True where not to look, or of numbers that are added to the scores. A row that may look
        nowhere gives NaN with `need_weights` and zeros without.

        Args:
            key_padding_mask (Tensor, optional): ``(N, S)``, which keys to leave out.
            need_weights (bool): whether to return the weights; without them it is faster.
            attn_mask (Tensor, optional): ``(L, S)`` or ``(N * num_heads, L, S)``.
            average_attn_weights (bool): return the mean of the heads' weights; False gives ``(N, num_heads, L, S)``.
            is_causal (bool): a promise that `attn_mask`, which is needed all the same, is the causal one.

        Returns:
            the result and the weights, or None in their place.
        """
        turned = self.batch_first and query.dim() == 3
        if turned:
            turn = {id(each): each.transpose(0, 1) for each in (query, key, value)}  # one tensor stays one tensor
            query, key, value = turn[id(query)], turn[id(key)], turn[id(value)]
        attended, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (attended.transpose(0, 1) if turned else attended), weights

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Both masks as one, and its kind: 1 is a padding mask alone, ``(N, L)`` as given; 2 is one for every query,
        ``(N, num_heads, L, L)``, the sum of both; without masks ``(None, None)``. The query is ``(N, L, E)``.
        """
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, length, _ = query.shape
        if attn_mask.dim() == 3:
            merged = attn_mask.view(batch, -1, length, length)
        else:
            merged = attn_mask.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            padding = key_padding_mask.view(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
            merged = merged + padding
        return merged, 2
