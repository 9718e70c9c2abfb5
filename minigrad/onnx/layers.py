"""The ops of layers in the words of ONNX. Comes after `table.py`, which says how such functions are called."""

from __future__ import annotations

import numpy as np

from minigrad.onnx.table import TABLE, number, op

__all__ = ["TABLE"]


@op
def linear(g, out, x, weight, bias):
    if x.ndim == 2:
        return g.add("Gemm", [x, weight, bias], transB=1)
    product = g.add("MatMul", [x, g.add("Transpose", [weight], perm=[1, 0])])
    return product if bias is None else g.add("Add", [product, bias])


@op
def einsum2(g, out, x, other, first, second, left):
    return g.add("Einsum", [x, other], equation=f"{first},{second}->{left}")


def _window(stride, padding, dilation):
    return {"strides": list(stride), "pads": [*padding, *padding], "dilations": list(dilation)}


@op
def convolution(g, out, x, weight, bias, stride, padding, dilation, groups):
    return g.add("Conv", [x, weight, bias], group=groups, **_window(stride, padding, dilation))


@op
def convolution_input(g, out, x, weight, bias, shape, stride, padding, dilation, groups):
    kernel = weight._shape[2:]
    more = [
        size - ((n - 1) * s - 2 * p + d * (k - 1) + 1)
        for size, n, s, p, d, k in zip(out._shape[2:], x._shape[2:], stride, padding, dilation, kernel, strict=True)
    ]
    window = _window(stride, padding, dilation)
    return g.add("ConvTranspose", [x, weight, bias], group=groups, output_padding=more, **window)


@op
def max_pool(g, out, x, window, stride, padding, dilation, ceil_mode):
    return g.add(
        "MaxPool", [x], kernel_shape=list(window), ceil_mode=int(ceil_mode), **_window(stride, padding, dilation)
    )


@op
def avg_pool(g, out, x, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
    if divisor_override is not None:
        raise g.missing("avg_pool() with divisor_override")
    options = {"ceil_mode": int(ceil_mode), "count_include_pad": int(count_include_pad)}
    pads = {"strides": list(stride), "pads": [*padding, *padding]}
    return g.add("AveragePool", [x], kernel_shape=list(window), **options, **pads)


def _adaptive(name, kind):
    def write(g, out, x, output_size):
        if all([n == 1 for n in output_size]):
            return g.add(f"Global{kind}", [x])
        sizes = x._shape[-len(output_size) :]
        if any([n % size for n, size in zip(sizes, output_size, strict=True)]):
            if kind == "AveragePool" and len(output_size) == 2:
                return _averaged(g, x, output_size)
            raise g.missing(f"the op {name}() from {tuple(sizes)} to {tuple(output_size)}, no multiple of it,")
        window = [n // size for n, size in zip(sizes, output_size, strict=True)]
        return g.add(kind, [x], kernel_shape=window, strides=window)

    TABLE[name] = write


def _averaged(g, x, output_size):
    """Windows of different sizes: the averages of rows and of columns as products with matrices."""
    rows, columns = [
        np.array([[(start <= i < stop) / (stop - start) for i in range(n)] for start, stop in _windows(n, size)])
        for n, size in zip(x._shape[-2:], output_size, strict=True)
    ]
    dtype = x.array.dtype
    return g.add("MatMul", [g.constant(rows, dtype), g.add("MatMul", [x, g.constant(columns.T, dtype)])])


def _windows(n, size):
    """Where the windows of adaptive pooling begin and end."""
    return [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]


_adaptive("adaptive_average", "AveragePool")
_adaptive("adaptive_max_pool", "MaxPool")


@op
def batch_standardized(g, out, x, mean, var, weight, bias, eps):
    channels = x._shape[1]
    weight = weight if weight is not None else g.constant(np.ones(channels), x.array.dtype)
    bias = bias if bias is not None else g.constant(np.zeros(channels), x.array.dtype)
    return g.add("BatchNormalization", [x, weight, bias, mean, var], epsilon=float(eps))


@op
def batch_normalized(g, out, x, weight, bias, eps):
    """By the statistics of the input itself."""
    dims = [d for d in range(x.ndim) if d != 1]
    return _affine(g, _standardized(g, x, x, dims, eps), weight, bias, x.ndim - 2)


def _standardized(g, like, x, dims, eps):
    away = g.add("Sub", [x, g.add("ReduceMean", [x, g.ints(*dims)], keepdims=1)])
    var = g.add("ReduceMean", [g.add("Mul", [away, away]), g.ints(*dims)], keepdims=1)
    return g.add("Div", [away, g.add("Sqrt", [g.add("Add", [var, number(g, eps, like)])])])


def _affine(g, x, weight, bias, after):
    """Times weight plus bias, of each channel; `after` dimensions come after the channels."""
    for kind, factor in (("Mul", weight), ("Add", bias)):
        if factor is not None:
            x = g.add(kind, [x, g.add("Unsqueeze", [factor, g.ints(*range(1, after + 1))]) if after else factor])
    return x


@op
def layer_normalized(g, out, x, weight, bias, dims, eps):
    weight = weight if weight is not None else g.constant(np.ones(x._shape[-dims:]), x.array.dtype)
    return g.add("LayerNormalization", [x, weight, bias], axis=-dims, epsilon=float(eps))


@op
def rms_normalized(g, out, x, weight, dims, eps):
    square = g.add("ReduceMean", [g.add("Mul", [x, x]), g.ints(*range(-dims, 0))], keepdims=1)
    scaled = g.add("Div", [x, g.add("Sqrt", [g.add("Add", [square, number(g, eps, x)])])])
    return scaled if weight is None else g.add("Mul", [scaled, weight])


@op
def group_normalized(g, out, x, weight, bias, groups, eps):
    flat = g.add("Reshape", [x, g.ints(0, groups, -1)])
    done = g.add("Reshape", [_standardized(g, x, flat, [2], eps), g.add("Shape", [x])])
    return _affine(g, done, weight, bias, x.ndim - 2)


@op
def embedding(g, out, index, weight, padding_idx, by_frequency):
    return g.add("Gather", [weight, index])


@op
def softmax(g, out, x, dim):
    return g.add("Softmax", [x], axis=dim)


@op
def log_softmax(g, out, x, dim):
    return g.add("LogSoftmax", [x], axis=dim)


@op
def resampled(g, out, x, tables, kind):
    """interpolate() and the borders that pad() makes of the image itself: weighted elements along each axis."""
    name = g.name(x)
    for axis, taps in tables:
        parts = [g.add("Gather", [name, g.constant(places)], axis=axis) for places in taps.places.T]
        if taps.weights is not None:
            shape = (-1, *[1] * (x.ndim - axis - 1))
            weights = [g.constant(weights.reshape(shape), out.array.dtype) for weights in taps.weights.T]
            parts = [g.add("Mul", [part, weight]) for part, weight in zip(parts, weights, strict=True)]
        name = parts[0] if len(parts) == 1 else g.add("Sum", parts)
    return name


@op
def one_hot(g, out, x, num_classes):
    return g.add("OneHot", [x, g.constant(out._shape[-1], np.int64), g.constant([0, 1], np.int64)], axis=-1)


@op
def windows_as_columns(g, out, x, window, stride, padding, dilation):
    """Rows and columns are taken apart, one after the other: (N, C, H, W) -> (N, C, kh, H', kw, W')."""
    ph, pw = padding
    name = g.add("Pad", [x, g.ints(0, 0, ph, pw, 0, 0, ph, pw)]) if ph or pw else g.name(x)
    for axis, k, step, apart, n in zip((2, 4), window, stride, dilation, (x._shape[2] + 2 * ph, x._shape[3] + 2 * pw)):
        count = (n - apart * (k - 1) - 1) // step + 1
        places = np.arange(k)[:, None] * apart + np.arange(count) * step
        name = g.add("Gather", [name, g.constant(places, np.int64)], axis=axis)
    return g.add("Reshape", [g.add("Transpose", [name], perm=[0, 1, 2, 4, 3, 5]), g.shape(out._shape)])


@op
def attended(g, out, query, key, value, mask, kept, scale, is_causal):
    """softmax(query keyᵀ scale + mask) value; `kept` is dropout's, which there is none of in eval mode."""
    if kept is not None:
        raise g.missing("attention with dropout")
    dims = list(range(key.ndim))
    turned = g.add("Transpose", [key], perm=[*dims[:-2], dims[-1], dims[-2]])
    scores = g.add("MatMul", [g.add("Mul", [query, number(g, scale, query)]), turned])
    if is_causal:
        future = np.triu(np.full((query._shape[-2], key._shape[-2]), -np.inf), 1)
        scores = g.add("Add", [scores, number(g, future, query)])
    if mask is not None and mask.array.dtype.kind == "b":
        scores = g.add("Where", [mask, scores, number(g, -np.inf, query)])
    elif mask is not None:
        scores = g.add("Add", [scores, mask])
    return g.add("MatMul", [g.add("Softmax", [scores], axis=-1), value])
