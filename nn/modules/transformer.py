"""Transformers: layers of attention, each followed by a small network for every position, and stacks of them.

Masks are those of `MultiheadAttention`: bools, True where not to look, or numbers that are added to the scores. Tensors
are ``(L, N, E)``, with `batch_first` ``(N, L, E)``, and of a single example ``(L, E)``. The layers of a stack are deep
copies of one layer, so they begin with the same weights (`Transformer` draws them anew).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import minigrad
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.activation import GELU, ReLU
from minigrad.nn.modules.attention import MultiheadAttention
from minigrad.nn.modules.container import ModuleList
from minigrad.nn.modules.dropout import Dropout
from minigrad.nn.modules.linear import Linear
from minigrad.nn.modules.module import Module
from minigrad.nn.modules.normalization import LayerNorm
from minigrad.tensor import Tensor

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class _Layer(Module):
    """What the layers of both kinds share: ``x + block(x)`` with a normalisation, after the sum or before the block.

    The blocks are the attentions that `_attentions` names, then the small network; each has a norm and a dropout.
    """

    _attentions: ClassVar[tuple[str, ...]]
    self_attn: MultiheadAttention
    norm1: LayerNorm
    norm2: LayerNorm
    dropout1: Dropout
    dropout2: Dropout

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        factory = {"bias": bias, "device": device, "dtype": dtype}
        blocks = range(1, len(self._attentions) + 2)
        for name in self._attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **factory))
        self.linear1 = Linear(d_model, dim_feedforward, **factory)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **factory)
        self.norm_first = norm_first
        for i in blocks:
            setattr(self, f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, **factory))
        for i in blocks:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation_relu_or_gelu = _relu_or_gelu(activation)
        self.activation = _get_activation_fn(activation) if isinstance(activation, str) else activation

    def _add(self, x, block, norm, *args):
        return x + block(norm(x), *args) if self.norm_first else norm(x + block(x, *args))

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        attended, _ = self.self_attn(
            x, x, x, key_padding_mask=key_padding_mask, need_weights=False, attn_mask=attn_mask, is_causal=is_causal
        )
        return self.dropout1(attended)


class TransformerEncoderLayer(_Layer):
    """Self-attention, then ``W_2 activation(W_1 x)`` at every position; around each a residual and a normalisation.

    ``x = norm1(x + attention(x))``, ``x = norm2(x + feedforward(x))``, with dropout inside; with `norm_first`
    ``x = x + attention(norm1(x))``, ``x = x + feedforward(norm2(x))``.

    Input and output ``(S, N, d_model)``, see the module's docstring.

    Args:
        d_model (int): size of the vectors.
        nhead (int): how many heads attention has.
        dim_feedforward (int): size of the hidden layer.
        dropout (float): probability, for the attention weights and after each linear layer.
        activation (str or function): "relu", "gelu", or a function or module.
        layer_norm_eps (float): `eps` of the normalisations.
        batch_first (bool): whether the tensors are (N, S, E) instead of (S, N, E).
        norm_first (bool): whether to normalise before the blocks.
        bias (bool): whether the linear layers and normalisations have one.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Source: Vaswani et al., Attention Is All You Need (2017); Xiong et al., On Layer Normalization in the Transformer
    Architecture (2020) for `norm_first`. PyTorch: torch.nn.TransformerEncoderLayer
    """

    _attentions = ("self_attn",)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """One layer.

        Args:
            src_mask (Tensor, optional): ``(S, S)`` or ``(N * nhead, S, S)``.
            src_key_padding_mask (Tensor, optional): ``(N, S)``.
            is_causal (bool): a promise that `src_mask` is the causal one.
        """
        x = self._add(src, self._sa_block, self.norm1, src_mask, src_key_padding_mask, is_causal)
        return self._add(x, self._ff_block, self.norm2)

    def _ff_block(self, x):
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(_Layer):
    """Self-attention of the target, attention of the target to the memory, then a small network at every position.

    As `TransformerEncoderLayer`, with a third block between the two: ``x = norm2(x + attention(x, memory, memory))``.

    Target and output ``(T, N, d_model)``, memory ``(S, N, d_model)``, see the module's docstring.

    Args: those of `TransformerEncoderLayer`.

    Source: Vaswani et al., Attention Is All You Need (2017). PyTorch: torch.nn.TransformerDecoderLayer
    """

    _attentions = ("self_attn", "multihead_attn")
    multihead_attn: MultiheadAttention
    norm3: LayerNorm
    dropout3: Dropout

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """One layer.

        Args:
            tgt_mask (Tensor, optional): ``(T, T)`` or ``(N * nhead, T, T)``.
            memory_mask (Tensor, optional): ``(T, S)`` or ``(N * nhead, T, S)``.
            tgt_key_padding_mask, memory_key_padding_mask (Tensor, optional): ``(N, T)`` and ``(N, S)``.
            tgt_is_causal, memory_is_causal (bool): promises that the mask is the causal one.
        """
        x = self._add(tgt, self._sa_block, self.norm1, tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        x = self._add(
            x, self._mha_block, self.norm2, memory, memory_mask, memory_key_padding_mask, memory_is_causal
        )  # fmt: skip
        return self._add(x, self._ff_block, self.norm3)

    def _mha_block(self, x, mem, attn_mask, key_padding_mask, is_causal=False):
        attended, _ = self.multihead_attn(
            x, mem, mem, key_padding_mask=key_padding_mask, need_weights=False, attn_mask=attn_mask, is_causal=is_causal
        )
        return self.dropout2(attended)

    def _ff_block(self, x):
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """A stack of encoder layers, one after the other, and perhaps a normalisation at the end.

    Input and output ``(S, N, d_model)``, see the module's docstring.

    Args:
        encoder_layer (TransformerEncoderLayer): copied `num_layers` times.
        num_layers (int): how many.
        norm (Module, optional): what comes last.
        enable_nested_tensor (bool): there are no nested tensors here, but as in PyTorch, where they would be used
            (see `forward`) the output is zero at padding.
        mask_check (bool): accepted; padding is left out wherever it stands.

    PyTorch: torch.nn.TransformerEncoder
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = enable_nested_tensor and _could_be_nested(encoder_layer)
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """All layers.

        In evaluation mode, without gradients, with a padding mask alone whose padding stands at the end, and with
        `batch_first` and layers as PyTorch's own, the output is zero at padding (before `norm`), as PyTorch's is.

        Args:
            mask (Tensor, optional): ``(S, S)`` or ``(N * nhead, S, S)``.
            src_key_padding_mask (Tensor, optional): ``(N, S)``.
            is_causal (bool, optional): a promise that `mask` is the causal one; None looks whether it is.
        """
        causal = _is_causal(mask, is_causal, _length(src, self.layers[0].self_attn.batch_first))
        output = src
        for layer in self.layers:
            output = layer(output, src_mask=mask, is_causal=causal, src_key_padding_mask=src_key_padding_mask)
        if src_key_padding_mask is not None and mask is None and self.use_nested_tensor:
            padding = src_key_padding_mask != 0
            if self._zeros_padding(src, padding):
                output = output.masked_fill(padding.unsqueeze(-1), 0.0)
        return output if self.norm is None else self.norm(output)

    def _zeros_padding(self, src, padding):
        if src.dim() != 3 or self.layers[0].training:
            return False
        if minigrad.is_grad_enabled() and (src.requires_grad or any(p.requires_grad for p in self.layers.parameters())):
            return False
        return bool((padding[:, 1:] >= padding[:, :-1]).all())


class TransformerDecoder(Module):
    """A stack of decoder layers, one after the other, and perhaps a normalisation at the end.

    Target and output ``(T, N, d_model)``, memory ``(S, N, d_model)``, see the module's docstring.

    Args:
        decoder_layer (TransformerDecoderLayer): copied `num_layers` times.
        num_layers (int): how many.
        norm (Module, optional): what comes last.

    PyTorch: torch.nn.TransformerDecoder
    """

    def __init__(self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """All layers. The arguments are those of `TransformerDecoderLayer`; `tgt_is_causal` of None looks whether
        `tgt_mask` is causal."""
        causal = _is_causal(tgt_mask, tgt_is_causal, _length(tgt, self.layers[0].self_attn.batch_first))
        output = tgt
        for layer in self.layers:
            output = layer(
                output,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    """An encoder of the source and a decoder of the target that attends to what the encoder gives.

    Source ``(S, N, d_model)`` and target ``(T, N, d_model)`` give ``(T, N, d_model)``, see the module's docstring.
    Embeddings, positions and the last layer are not part of it.

    Args:
        d_model (int): size of the vectors.
        nhead (int): how many heads attention has.
        num_encoder_layers, num_decoder_layers (int): how many layers.
        dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype: those of
            `TransformerEncoderLayer`.
        custom_encoder, custom_decoder (Module, optional): what to use instead of a stack of layers.

    Source: Vaswani et al., Attention Is All You Need (2017). PyTorch: torch.nn.Transformer
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = F.relu,
        custom_encoder: Any | None = None,
        custom_decoder: Any | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        factory = {"bias": bias, "device": device, "dtype": dtype}
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first)

        def stack(kind, layer, count):
            return kind(layer(*settings, **factory), count, LayerNorm(d_model, eps=layer_norm_eps, **factory))

        self.encoder: Any = custom_encoder
        if custom_encoder is None:
            self.encoder = stack(TransformerEncoder, TransformerEncoderLayer, num_encoder_layers)
        self.decoder: Any = custom_decoder
        if custom_decoder is None:
            self.decoder = stack(TransformerDecoder, TransformerDecoderLayer, num_decoder_layers)
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Encode `src` and decode `tgt`. The arguments are those of `TransformerEncoder` and `TransformerDecoder`.

        Raises:
            RuntimeError: if the batches differ in size, or the vectors are not of size `d_model`.
        """
        n = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(n) != tgt.size(n):
            raise RuntimeError(
                f"the batch number of src and tgt must be equal, got shapes {tuple(src.shape)} and {tuple(tgt.shape)}"
            )
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError(
                f"the feature number of src and tgt must be equal to d_model={self.d_model}, got shapes "
                f"{tuple(src.shape)} and {tuple(tgt.shape)}"
            )
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )  # fmt: skip
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device=None, dtype=None) -> Tensor:
        """The causal mask ``(sz, sz)``: 0 where position i may look (up to i), -inf beyond."""
        return minigrad.full((sz, sz), float("-inf"), dtype=dtype, device=device).triu(1)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)


def _get_clones(module, N):
    return ModuleList([copy.deepcopy(module) for _ in range(N)])


def _get_activation_fn(activation):
    if activation not in ACTIVATIONS:
        raise RuntimeError(f"activation should be relu/gelu (or a function), not {activation}")
    return ACTIVATIONS[activation]


def _length(x, batch_first):
    return x.size(1 if x.dim() == 3 and batch_first else 0)


def _is_causal(mask, hint, length):
    """Whether a mask is the causal one: the hint, or without one what the mask says."""
    if hint is not None or mask is None:
        return hint is True
    if mask.shape != (length, length):
        return False
    future = minigrad.ones((length, length), dtype=minigrad.bool).triu(1)
    wanted = future if mask.dtype == minigrad.bool else minigrad.where(future, float("-inf"), 0.0)
    return bool((mask == wanted).all())


def _could_be_nested(layer):
    """Whether PyTorch's fast path could run this layer; then it leaves padding out, and zeros come back for it."""
    return (
        isinstance(layer, TransformerEncoderLayer)
        and not layer.norm_first
        and layer.self_attn.batch_first
        and layer.self_attn._qkv_same_embed_dim
        and layer.self_attn.in_proj_bias is not None
        and layer.activation_relu_or_gelu
        and layer.norm1.eps == layer.norm2.eps
        and layer.self_attn.num_heads % 2 == 0
    )


def _relu_or_gelu(activation):
    """1, 2, or 0 for another one: what PyTorch's layers note."""
    if activation in ("relu", F.relu) or isinstance(activation, ReLU):
        return 1
    return 2 if activation in ("gelu", F.gelu) or isinstance(activation, GELU) else 0
