"""`minigrad.sparse`: programs for sparse matrices, as those of graph networks, run on dense ones.

There is no sparse layout here. What makes a sparse tensor in PyTorch makes the dense tensor with the same entries, and
`to_sparse`, `to_dense` and `coalesce` return the tensor itself. Values and gradients are PyTorch's; memory and time are
those of the dense shape, and entries that are not named count as zeros: what depends on which ones are named
(`indices`, `values`, `sparse.softmax`) is not here.
"""

from __future__ import annotations

import minigrad
from minigrad.creation import as_tensor, tensors_only
from minigrad.dtypes import Size
from minigrad.tensor import Tensor

__all__ = ["addmm", "mm", "sparse_coo_tensor", "spmm", "sum"]


def sparse_coo_tensor(
    indices,
    values,
    size=None,
    *,
    dtype=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    check_invariants=None,
    is_coalesced=None,
) -> Tensor:
    """sparse_coo_tensor(indices, values, size=None, *, dtype=None, requires_grad=False) -> Tensor, which is dense

    out[indices[:, k]] += values[k] for every k, so entries named twice are added, as `coalesce` adds them.

    indices: (dimensions, entries), whole numbers. values: (entries, *rest). size: the shape, the least that holds all
    indices if not given. Gradients reach `values` unless requires_grad=True makes a leaf. The other arguments are
    accepted. (PyTorch: torch.sparse_coo_tensor)

    Raises:
        RuntimeError: shapes of indices, values and size that do not fit; an index outside of the size.
    """
    places, entries = as_tensor(indices).long(), as_tensor(values, dtype=dtype, device=device)
    if places.dim() != 2:
        raise RuntimeError(f"sparse_coo_tensor(): indices must be a matrix, but its shape is {tuple(places.shape)}")
    dimensions, count = places.shape
    rest = tuple(entries.shape[1:])
    if entries.dim() == 0 or entries.shape[0] != count:
        raise RuntimeError(
            f"sparse_coo_tensor(): indices name {count} entries, but values has the shape {tuple(entries.shape)}"
        )
    if count and int(places.min()) < 0:
        raise RuntimeError(f"sparse_coo_tensor(): found negative index {int(places.min())}")
    if size is None:
        least = (places.max(dim=1).values + 1).tolist() if count else [0] * dimensions
        size = (*least, *rest)
    size = tuple(size)
    if len(size) != dimensions + len(rest) or size[dimensions:] != rest:
        raise RuntimeError(
            f"sparse_coo_tensor(): size {size} does not fit {dimensions} rows of indices and values of "
            f"shape {tuple(entries.shape)}; expected {dimensions} lengths and then {rest}"
        )
    for dim, (place, length) in enumerate(zip(places, size, strict=False)):
        if count and int(place.max()) >= length:
            raise RuntimeError(
                f"sparse_coo_tensor(): size is inconsistent with indices: for dim {dim}, size is {length} but found "
                f"index {int(place.max())}"
            )
    if requires_grad:
        entries = entries.detach()
    out = entries.new_zeros(size)
    if dimensions:
        out = out.index_put(tuple(places), entries, accumulate=True)
    else:
        out = out + entries.sum(0)
    return out.requires_grad_() if requires_grad else out


def mm(mat1, mat2) -> Tensor:
    """mm(mat1, mat2) -> Tensor: the product of two matrices. (PyTorch: torch.sparse.mm)"""
    tensors_only("mm", mat1=mat1, mat2=mat2)
    return minigrad.mm(mat1, mat2)


spmm = mm


def addmm(mat, mat1, mat2, *, beta=1.0, alpha=1.0) -> Tensor:
    """addmm(mat, mat1, mat2, *, beta=1.0, alpha=1.0) -> Tensor: beta * mat + alpha * mat1 @ mat2.

    (PyTorch: torch.sparse.addmm)
    """
    return minigrad.addmm(mat, mat1, mat2, beta=beta, alpha=alpha)


def sum(input, dim=None, dtype=None) -> Tensor:
    """sum(input, dim=None, dtype=None) -> Tensor: the sum over `dim`, or over all. (PyTorch: torch.sparse.sum)"""
    return minigrad.sum(input, dim, dtype=dtype) if dim is not None else minigrad.sum(input, dtype=dtype)


def _typed(name, dtype):
    """The old constructor `sparse.FloatTensor(indices, values, size)` and its like."""

    def make(indices, values, size=None) -> Tensor:
        return sparse_coo_tensor(indices, values, None if size is None else Size(size), dtype=dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{name}(indices, values, size=None): `sparse_coo_tensor` of {dtype}. (PyTorch: torch.sparse.{name})"
    return make


FloatTensor = _typed("FloatTensor", minigrad.float32)
DoubleTensor = _typed("DoubleTensor", minigrad.float64)
LongTensor = _typed("LongTensor", minigrad.int64)
IntTensor = _typed("IntTensor", minigrad.int32)
