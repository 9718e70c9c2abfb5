"""Layers that look up rows of a table: Embedding, EmbeddingBag."""

from __future__ import annotations

import minigrad
from minigrad.autograd import no_grad
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """A table of vectors: what the two embeddings share."""

    def _set_table(self, num_embeddings, embedding_dim, padding_idx, weight, requires_grad, device, dtype):
        """Make the table, or take over `weight`."""
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError(
                    f"{self._get_name()}(): argument 'padding_idx': got {padding_idx}; expected it within "
                    f"num_embeddings ({num_embeddings})"
                )
            padding_idx %= num_embeddings
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        if weight is None:
            table = minigrad.empty((num_embeddings, embedding_dim), device=device, dtype=dtype)
            self.weight = Parameter(table, requires_grad)
            self.reset_parameters()
        else:
            if tuple(weight.shape) != (num_embeddings, embedding_dim):
                raise AssertionError(
                    f"Shape of weight {tuple(weight.shape)} does not match num_embeddings and embedding_dim "
                    f"{(num_embeddings, embedding_dim)}"
                )
            self.weight = Parameter(weight, requires_grad)

    def reset_parameters(self) -> None:
        """Draw the table anew; the padding row is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def _settings(self, *names):
        """The text of those of the settings that are not as usual."""
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "mode": ""}
        given = [(name, getattr(self, name)) for name in names]
        return "".join(f", {name}={value!r}" for name, value in given if value != usual[name])


class Embedding(_Table):
    """A table of vectors, looked up by integer: ``y = weight[input]``.

    Input: integers ``(*)`` in ``[0, num_embeddings)``; output ``(*, embedding_dim)``.

    Args:
        num_embeddings (int): how many vectors.
        embedding_dim (int): their size.
        padding_idx (int, optional): this row starts as zeros and gets no gradient.
        max_norm (float, optional), norm_type (float): `forward` scales rows in use whose norm of that order is larger
            down to `max_norm`, in the table itself.
        scale_grad_by_freq (bool): divide the gradient of a row by how often it is used.
        sparse (bool): accepted; gradients are dense.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the table.

    Attributes:
        weight: ``(num_embeddings, embedding_dim)``, initially drawn from N(0, 1).

    PyTorch: torch.nn.Embedding
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._set_table(num_embeddings, embedding_dim, padding_idx, _weight, not _freeze, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer around a given table, ``(num_embeddings, embedding_dim)``; with `freeze` it is not trained."""
        if embeddings.dim() != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        rows, cols = embeddings.shape
        return cls(
            rows, cols, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight=embeddings, _freeze=freeze
        )

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        text = self._settings("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq")
        return f"{self.num_embeddings}, {self.embedding_dim}{text}" + (", sparse=True" if self.sparse else "")


class EmbeddingBag(_Table):
    """Sums, means or maxima of bags of vectors of a table: ``y_b = mode of weight[i] for i in bag b``.

    Input: integers ``(B, L)``, B bags of L, or ``(L,)`` with `offsets` ``(B,)``, where in it each bag begins;
    `per_sample_weights` (mode "sum"), of the input's shape, are factors of the vectors. Output ``(B, embedding_dim)``;
    an empty bag gives zeros.

    Args:
        num_embeddings (int): how many vectors.
        embedding_dim (int): their size.
        max_norm (float, optional), norm_type (float): `forward` scales rows in use whose norm of that order is larger
            down to `max_norm`, in the table itself.
        scale_grad_by_freq (bool): divide the gradient of a row by how often it is used (PyTorch's CPU kernel takes the
            count of another row). Not with "max".
        mode (str): "sum", "mean" or "max".
        sparse (bool): accepted; gradients are dense. Not with "max".
        include_last_offset (bool): whether `offsets` has one more element, where the last bag ends.
        padding_idx (int, optional): this row starts as zeros, gets no gradient and does not count in its bag.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the table.

    Attributes:
        weight: ``(num_embeddings, embedding_dim)``, initially drawn from N(0, 1).

    PyTorch: torch.nn.EmbeddingBag
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self._set_table(num_embeddings, embedding_dim, padding_idx, _weight, True, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """A layer around a given table, ``(num_embeddings, embedding_dim)``; with `freeze` it is not trained."""
        if embeddings.dim() != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        made = cls(
            *embeddings.shape,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            mode=mode,
            sparse=sparse,
            _weight=embeddings,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )
        made.weight.requires_grad_(not freeze)
        return made

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        text = self._settings("max_norm", "norm_type", "scale_grad_by_freq", "mode", "padding_idx")
        return f"{self.num_embeddings}, {self.embedding_dim}{text}"
