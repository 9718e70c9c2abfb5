"""Batches of sequences of different lengths: padded to one length, or packed without padding. PyTorch's
torch.nn.utils.rnn.

Sequences a1 a2 a3, b1, c1 c2 as a padded batch, and packed, in the order of their lengths:

    a1 a2 a3           data         a1 c1 b1 a2 c2 a3
    b1  0  0           batch_sizes   3        2     1        how many sequences have a first, second, third element
    c1 c2  0           sorted_indices  0 2 1                 which sequence is the longest, the next, ...
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad.tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence_(NamedTuple):
    """The fields of a `PackedSequence`."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """Sequences without padding, as recurrent layers take and return them. Made by `pack_padded_sequence` and
    `pack_sequence`.

    Attributes:
        data: ``(sum of the lengths, *)``: the first elements of all sequences, the longest sequence first, then the
            second elements of those that have one, and so on.
        batch_sizes: int64 ``(longest length,)``: how many sequences have a first element, a second one, ...
        sorted_indices: int64 ``(N,)``: the sequences by falling length; None if they were given in that order.
        unsorted_indices: int64 ``(N,)``: the inverse of `sorted_indices`.

    PyTorch: torch.nn.utils.rnn.PackedSequence
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Any = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ):
        if batch_sizes is None:
            if not (isinstance(data, list | tuple) and len(data) == 2):
                raise AssertionError("PackedSequence: expected (data, batch_sizes) where batch_sizes is left out")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With the data converted as by `Tensor.to`; itself, if there is nothing to convert."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """On the CPU, where it is; further arguments are those of `to`."""
        return self.to(*args, **kwargs) if args or kwargs else self

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Raises RuntimeError: there is no GPU here."""
        self.data.cuda(*args, **kwargs)  # raises
        return self

    def pin_memory(self) -> PackedSequence:
        """Itself, as a new tuple: memory that is not moved to a GPU need not be pinned."""
        return type(self)(self.data.pin_memory(), *self[1:])

    def double(self) -> PackedSequence:
        """``to(float64)``."""
        return self.to(dtype=minigrad.float64)

    def float(self) -> PackedSequence:
        """``to(float32)``."""
        return self.to(dtype=minigrad.float32)

    def half(self) -> PackedSequence:
        """``to(float16)``."""
        return self.to(dtype=minigrad.float16)

    def long(self) -> PackedSequence:
        """``to(int64)``."""
        return self.to(dtype=minigrad.int64)

    def int(self) -> PackedSequence:
        """``to(int32)``."""
        return self.to(dtype=minigrad.int32)

    def short(self) -> PackedSequence:
        """``to(int16)``."""
        return self.to(dtype=minigrad.int16)

    def char(self) -> PackedSequence:
        """``to(int8)``."""
        return self.to(dtype=minigrad.int8)

    def byte(self) -> PackedSequence:
        """``to(uint8)``."""
        return self.to(dtype=minigrad.uint8)

    @property
    def is_cuda(self) -> bool:
        """False: everything is on the CPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """False: there is no device that memory is pinned for."""
        return self.data.is_pinned()


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation (1-D int64) that undoes this one; None of None.
    (PyTorch: torch.nn.utils.rnn.invert_permutation)"""
    if permutation is None:
        return None
    return minigrad.empty_like(permutation).scatter_(0, permutation, minigrad.arange(permutation.numel()))


def packed_rows(sizes, batch):
    """Where each packed row lies among the rows of all steps, when each step has `batch` of them."""
    return np.concatenate([step * batch + np.arange(size) for step, size in enumerate(sizes)])


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | list[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch.

    Args:
        input (Tensor): ``(L, N, *)``, or ``(N, L, *)`` if batch_first.
        lengths (Tensor or list of ints): the length of each of the N sequences, at least 1 and at most L.
        batch_first (bool): whether the first dimension of input is that of the sequences.
        enforce_sorted (bool): the lengths must fall; False sorts the sequences (and the layers' states with them).

    Raises:
        RuntimeError: wrong lengths, or an empty input.

    PyTorch: torch.nn.utils.rnn.pack_padded_sequence
    """
    lengths = (
        lengths.to(minigrad.int64) if isinstance(lengths, Tensor) else minigrad.as_tensor(lengths, dtype=minigrad.int64)
    )
    order = None
    if not enforce_sorted:
        lengths, order = lengths.sort(descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = input.transpose(0, 1)
    counts = lengths.numpy()
    check_lengths(input, counts)
    sizes = (counts[:, None] > np.arange(counts[0])).sum(0)
    steps, batch = input.shape[:2]
    data = input.reshape(steps * batch, *input.shape[2:])
    if sizes.sum() < steps * batch:
        data = data.index_select(0, minigrad.from_numpy(packed_rows(sizes, batch)))
    return PackedSequence(data, minigrad.from_numpy(sizes), order)


def check_lengths(input, lengths):
    """PyTorch's conditions on the lengths of the sequences in input (L, N, *)."""
    if not input.numel():
        raise RuntimeError("Cannot pack empty tensors.")
    if len(lengths) != input.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={input.shape[1]})"
        )
    if lengths.min() <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if (np.diff(lengths) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement."
        )
    if lengths[0] > input.shape[0]:
        raise RuntimeError(
            f"pack_padded_sequence(): expected lengths of at most {input.shape[0]}, the steps of the input, but got "
            f"{lengths[0]}"
        )


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Undo `pack_padded_sequence`: (the padded batch, the lengths), the sequences in their original order.

    Args:
        sequence (PackedSequence): what a recurrent layer returned, for example.
        batch_first (bool): (N, L, *) instead of (L, N, *).
        padding_value (float): what stands beyond the end of a sequence.
        total_length (int, optional): L, instead of the longest length; ValueError if it is less.

    PyTorch: torch.nn.utils.rnn.pad_packed_sequence
    """
    sizes = sequence.batch_sizes.numpy()
    data, steps = sequence.data.narrow(0, 0, int(sizes.sum())), len(sizes)
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    batch = int(sizes[0])
    padded = data
    if len(data) < steps * batch:
        padded = minigrad.full((steps * batch, *data.shape[1:]), padding_value, dtype=data.dtype)
        padded = padded.index_copy(0, minigrad.from_numpy(packed_rows(sizes, batch)), data)
    padded = padded.reshape(steps, batch, *data.shape[1:])
    if batch_first:
        padded = padded.transpose(0, 1)
    lengths = minigrad.from_numpy((sizes[:, None] > np.arange(batch)).sum(0))
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, order), lengths[order]


def pad_sequence(
    sequences: Tensor | list[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences ``(length, *)`` as one padded tensor ``(L, N, *)``, or ``(N, L, *)`` if batch_first; L is the longest
    length.

    Args:
        sequences (iterable of Tensors): alike except for their lengths.
        batch_first (bool): which dimension comes first.
        padding_value (float): what the shorter ones are filled up with.
        padding_side (str): "right" or "left".

    PyTorch: torch.nn.utils.rnn.pad_sequence
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence(): received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    for k, sequence in enumerate(sequences):
        if not isinstance(sequence, Tensor):
            raise TypeError(f"pad_sequence(): expected Tensor as element {k}, but got {type(sequence).__name__}")
        if not sequence.ndim:
            raise RuntimeError(f"pad_sequence(): expected sequences (length, *), but element {k} has no dimensions")
    dtype, longest = sequences[0].dtype, max([sequence.size(0) for sequence in sequences])
    padded = []
    for sequence in sequences:
        rest = minigrad.full((longest - len(sequence), *sequence.shape[1:]), padding_value, dtype=dtype)
        parts = [sequence.to(dtype), rest]
        padded.append(minigrad.cat(parts if padding_side == "right" else parts[::-1]))
    return minigrad.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Undo `pad_sequence`: the first ``lengths[n]`` elements of each sequence. Unlike PyTorch's, it leaves its argument
    as it is. (PyTorch: torch.nn.utils.rnn.unpad_sequence)"""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    places = minigrad.arange(padded_sequences.shape[1])
    return [each[places < length] for each, length in zip(padded_sequences, lengths, strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences ``(length, *)``; arguments as in `pack_padded_sequence`.
    (PyTorch: torch.nn.utils.rnn.pack_sequence)"""
    lengths = [sequence.size(0) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Undo `pack_sequence`: the list of sequences. (PyTorch: torch.nn.utils.rnn.unpack_sequence)"""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
