"""What real programs name of complex numbers, sparse layouts and half precisions that are not here.

Where real numbers make the answer plain (`conj` of a real tensor is the tensor), it is given; the rest raises
NotImplementedError and names the alternative.
"""

from __future__ import annotations

from minigrad import dtypes
from minigrad.creation import tensors_only
from minigrad.tensor import Tensor

__all__ = [
    "complex", "conj", "imag", "polar", "real", "resolve_conj", "resolve_neg", "sparse_csr_tensor", "view_as_complex",
    "view_as_real",
]  # fmt: skip

_COMPLEX = "there are no complex tensors here; keep real and imaginary parts in a last dimension of size 2"
_SPARSE = "there are no sparse layouts here; use sparse_coo_tensor(), which makes a dense tensor, and nonzero()"


def _absent(name, why):
    def function(*args, **kwargs) -> Tensor:
        raise NotImplementedError(f"{name}(): {why}")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name}(...) raises NotImplementedError: {why}."
    return function


complex, polar, view_as_complex, view_as_real = (
    _absent(name, _COMPLEX) for name in ("complex", "polar", "view_as_complex", "view_as_real")
)
sparse_csr_tensor = _absent("sparse_csr_tensor", _SPARSE)


def _itself(name, what):
    def function(input) -> Tensor:
        tensors_only(name, input=input)
        return input

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name}(input) -> Tensor: the tensor itself, {what}. (PyTorch: torch.{name})"
    return function


def _dense(name):
    def function(self, *layout, **named) -> Tensor:
        return self

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name}() -> Tensor: the tensor itself: there are no sparse layouts. (PyTorch: Tensor.{name})"
    return function


conj = _itself("conj", "as it is real")
real = _itself("real", "as it is real")
resolve_conj = _itself("resolve_conj", "as there are no lazy conjugates")
resolve_neg = _itself("resolve_neg", "as there are no lazy negatives")


def imag(input) -> Tensor:
    """imag(input) raises RuntimeError, as PyTorch does for tensors that are not complex. (PyTorch: torch.imag)"""
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes: the tensor is real")


for _function in (conj, resolve_conj, resolve_neg):
    setattr(Tensor, _function.__name__, _function)
_parts = {
    "real": property(real, doc="The tensor itself, as it is real. (PyTorch: Tensor.real)"),
    "imag": property(imag, doc="Raises RuntimeError: the tensor is real. (PyTorch: Tensor.imag)"),
    "bfloat16": _absent("bfloat16", f"there are no {dtypes.bfloat16} tensors here; use half() or stay in float32"),
}
for _name, _part in _parts.items():
    setattr(Tensor, _name, _part)
for _name in ("coalesce", "to_dense", "to_sparse", "to_sparse_coo", "to_sparse_csr"):
    setattr(Tensor, _name, _dense(_name))
for _name in ("crow_indices", "col_indices", "indices", "values", "_indices", "_values", "_nnz"):
    setattr(Tensor, _name, _absent(_name, _SPARSE))
for _name in ("cfloat", "cdouble", "chalf"):
    setattr(Tensor, _name, _absent(_name, _COMPLEX))
