"""Products of matrices, and the linear layer."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels.gemm import FEW, product, products
from minigrad.ops.window import refuse_dtype
from minigrad.registry import FUNCTIONAL, Op, composite, helper
from minigrad.samples import S, of


def same_dtype(op, a, b):
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {a.dtype} != {b.dtype} in {op}(): "
            "convert one with .to()"
        )


class matmul(Op):
    """matmul(input, other) -> Tensor

    The matrix product: (n, k) @ (k, m), vectors as rows or columns, and batches of matrices whose leading dimensions
    broadcast. (PyTorch: torch.matmul)
    """

    fresh, symbol, dunder, alias = True, "@", ("__matmul__",), ("linalg.matmul",)

    def backward_name(node):
        kinds = {(): "DotBackward0", (1,): "MvBackward0", (2,): "MmBackward0"}
        return kinds.get((len(node.shape),) if node.shape else (), "UnsafeViewBackward0")

    def forward(input, other, /):
        if input.dtype is not other.dtype:
            same_dtype("matmul", input, other)
        if input.dtype.kind == "b" and input.size and other.size:
            raise NotImplementedError("\"matmul\" not implemented for 'Bool': convert the input with .to()")
        if input.ndim == 2 == other.ndim and input.shape[1] == other.shape[0]:
            if input.size * other.shape[1] < FEW:
                return np.dot(input, other)  # 0.7 us less than matmul on small matrices
            return product(input, other, None)
        if input.ndim == 3 == other.ndim and input.shape[::2] == other.shape[:2]:
            return products(input, other)
        if input.ndim > 2 == other.ndim and input.shape[-1] == other.shape[0]:  # the rows of all in one product
            rows = product(input.reshape(math.prod(input.shape[:-1]), len(other)), other, None)
            return rows.reshape(*input.shape[:-1], other.shape[1])
        if not input.ndim or not other.ndim:
            raise RuntimeError(
                f"both arguments to matmul need to be at least 1D, but they are {input.ndim}D and {other.ndim}D"
            )
        try:
            return np.matmul(input, other)
        except ValueError:
            raise mismatch("matmul", input, other) from None

    def grad_input(g, other, input_shape):
        return matmul_grad_input(g, other, input_shape)

    def grad_other(g, input, other_shape):
        return matmul_grad_other(g, input, other_shape)

    samples = of(
        lambda make: S(make(3, 4), make(4, 2)),
        lambda make: S(make(4), make(4)),
        lambda make: S(make(3, 4), make(4)),
        lambda make: S(make(4), make(4, 2)),
        lambda make: S(make(2, 3, 4), make(4, 2)),
        lambda make: S(make(2, 1, 3, 4), make(5, 4, 2)),
        lambda make: S(make(2, 3, 4), make(4)),
        lambda make: S(make(4), make(2, 4, 3)),
    )


def mismatch(op, a, b):
    if a.ndim <= 2 and b.ndim <= 2:
        return RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({'x'.join(map(str, a.shape))} and "
            f"{'x'.join(map(str, b.shape))}) in {op}()"
        )
    return RuntimeError(
        f"{op}(): shapes {shape_text(a.shape)} and {shape_text(b.shape)} cannot be multiplied: the last dimension of "
        "the first must equal the last but one of the second, and leading dimensions must broadcast"
    )


@helper
def matmul_grad_input(g, other, input_shape):
    if len(input_shape) == 2 == other.ndim:
        return matmul(g, transpose(other, 0, 1))
    if other.ndim == 1:
        return unsqueeze(g, -1) * other if len(input_shape) > 1 else g * other
    if len(input_shape) == 1:
        return sum_to_size(squeeze(matmul(unsqueeze(g, -2), transpose(other, -1, -2)), -2), input_shape)
    return sum_to_size(matmul(g, transpose(other, -1, -2)), input_shape)


@helper
def matmul_grad_other(g, input, other_shape):
    if input.ndim == 2 == len(other_shape):
        return matmul(transpose(input, 0, 1), g)
    if input.ndim == 1:
        return g * input if len(other_shape) == 1 else sum_to_size(unsqueeze(input, -1) * unsqueeze(g, -2), other_shape)
    if len(other_shape) == 1:
        return sum_to_size(squeeze(matmul(transpose(input, -1, -2), unsqueeze(g, -1)), -1), other_shape)
    if len(other_shape) == 2:  # a weight shared by a batch: one product of flattened rows
        count = math.prod(input.shape[:-1])
        rows = reshape(input, (count, input.shape[-1]))
        return matmul(transpose(rows, 0, 1), reshape(g, (count, g.shape[-1])))
    return sum_to_size(matmul(transpose(input, -1, -2), g), other_shape)


@composite(out=True, samples=of(lambda make: S(make(3, 4), make(4, 2))))
def mm(input, mat2):
    """mm(input, mat2) -> Tensor: the product of two matrices, (n, k) @ (k, m). (PyTorch: torch.mm)"""
    if input.ndim != 2 or mat2.ndim != 2:
        raise RuntimeError(
            f"mm(): both arguments must be 2-D, but they are {input.ndim}-D and {mat2.ndim}-D; use matmul"
        )
    return matmul(input, mat2)


@composite(out=True, samples=of(lambda make: S(make(2, 3, 4), make(2, 4, 2))))
def bmm(input, mat2):
    """bmm(input, mat2) -> Tensor: products of batches of matrices, (b, n, k) @ (b, k, m). (PyTorch: torch.bmm)"""
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor: bmm() takes batches of matrices; use matmul for other shapes")
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(
            f"bmm(): Expected size for first two dimensions of batch2 tensor to be {input.shape[0]}, but got "
            f"{mat2.shape[0]}"
        )
    if np_dtype(input).kind == "b" and 0 not in (*input.shape, *mat2.shape):
        raise NotImplementedError("\"bmm\" not implemented for 'Bool': convert the inputs with .to()")
    return matmul(input, mat2)


@composite(out=True, samples=of(lambda make: S(make(3, 4), make(4))))
def mv(input, vec):
    """mv(input, vec) -> Tensor: a matrix times a vector, (n, m) @ (m). (PyTorch: torch.mv)"""
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected in mv(), but got {input.ndim}-D and {vec.ndim}-D; use matmul"
        )
    return matmul(input, vec)


@composite(out=True, samples=of(lambda make: S(make(4), make(4))))
def dot(input, tensor):
    """dot(input, tensor) -> Tensor: the sum of the products of two vectors. (PyTorch: torch.dot)"""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    return matmul(input, tensor)


@composite(out=True, alias=("ger",), samples=of(lambda make: S(make(3), make(4))))
def outer(input, vec2):
    """outer(input, vec2) -> Tensor: every product of two vectors' elements, (n) and (m) to (n, m).
    (PyTorch: torch.outer)"""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D arguments, but got {input.ndim}-D and {vec2.ndim}-D")
    return unsqueeze(input, 1) * vec2


def check_bias(input, weight, bias):
    """A bias that is not simply (out,): of the same dtype, it may have any shape that expands to the output's."""
    same_dtype("linear", input, bias)
    out = (*input.shape[:-1], *weight.shape[:-1])
    sizes = zip(bias.shape[::-1], out[::-1], strict=False)
    if bias.ndim > len(out) or any(b not in (1, n) for b, n in sizes):
        raise RuntimeError(
            f"The expanded size of the tensor ({weight.shape[0]}) must match the existing size ({bias.shape[-1]}): "
            f"linear() with a weight of shape {shape_text(weight.shape)} got a bias of {shape_text(bias.shape)}"
        )


class linear(Op):
    """linear(input, weight, bias=None) -> Tensor

    ``input @ weight.T + bias``: input (..., in), weight (out, in), bias (out); output (..., out). (PyTorch: F.linear)
    """

    public, fresh, optional = (FUNCTIONAL,), True, ("bias",)

    def backward_name(node):
        if len(node.shape) == 2:
            return "MmBackward0" if node.parents[2] is None else "AddmmBackward0"
        return "ViewBackward0" if len(node.shape) == 1 or node.parents[2] is not None else "UnsafeViewBackward0"

    def next_order(node):
        if node.parents[2] is None:
            return 0, 1
        return (2, 0, 1) if len(node.shape) == 2 else (0, 1, 2)  # as PyTorch's addmm(bias, input, weight.T)

    def forward(input, weight, bias=None, /):
        if input.dtype is not weight.dtype:
            same_dtype("linear", input, weight)
        if input.dtype.kind == "b" and input.size:
            refuse_dtype("linear", input, "b")
        if weight.ndim > 2:
            raise RuntimeError(f"linear(): expected a weight (out, in), but got {shape_text(weight.shape)}")
        if input.shape[-1:] != weight.shape[-1:]:
            raise RuntimeError(
                "mat1 and mat2 shapes cannot be multiplied "
                f"({'x'.join(map(str, input.shape))} and {'x'.join(map(str, weight.shape[::-1]))}) in linear(): the "
                f"input has {input.shape[-1] if input.ndim else 'no'} features, the weight takes {weight.shape[-1]}"
            )
        if bias is not None and (bias.dtype is not input.dtype or bias.shape != weight.shape[:-1]):
            check_bias(input, weight, bias)
        if input.ndim < 2 or weight.ndim < 2 or (bias is not None and bias.shape != weight.shape[:-1]):
            out = np.matmul(input, weight.T)
            return out if bias is None else np.add(out, bias, out=out) if np.ndim(out) else out + bias
        if input.ndim == 2:
            return (product.twin if input.size * len(weight) < FEW else product)(input, weight.T, bias)
        rows = product(input.reshape(math.prod(input.shape[:-1]), input.shape[-1]), weight.T, bias)
        return rows.reshape(*input.shape[:-1], len(weight))

    def grad_input(g, weight):
        return matmul(g, weight) if weight.ndim == 2 else unsqueeze(g, -1) * weight

    def grad_weight(g, input, weight_shape):
        return linear_grad_weight(g, input, weight_shape)

    def grad_bias(g, bias_shape):
        return clone(g) if g.shape == bias_shape else sum_to_size(g, bias_shape)

    samples = of(
        lambda make: S(make(5, 4), make(3, 4), make(3)),
        lambda make: S(make(2, 5, 4), make(3, 4)),
        lambda make: S(make(4), make(3, 4), make(3)),
    )


@helper
def linear_grad_weight(g, input, weight_shape):
    if len(weight_shape) == 1:
        return sum_to_size(unsqueeze(g, -1) * input, weight_shape)
    if g.ndim == 2:
        return matmul(t(g), input)
    return matmul(t(reshape(g, (-1, weight_shape[0]))), reshape(input, (-1, weight_shape[1])))
