"""Statistics: variance, standard deviation, covariance and correlation, sums and means that leave NaN out."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import warnings

import numpy as np

from minigrad.kernels import reduce as kernels
from minigrad.registry import FUNCTION, Op, composite, on_every_path
from minigrad.samples import S, constant, of
from minigrad.shapes import count, dims_or_all


@on_every_path("spread_arguments")
def spread_arguments(op, input, dim, unbiased, keepdim, correction):
    """The arguments of var and std, the older forms of them too; few elements are warned of, as PyTorch does."""
    if isinstance(dim, bool):  # var(unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    dims = dims_or_all(dim, input.ndim, op)
    if count(input.shape, dims) <= correction:
        warnings.warn(
            f"{op}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input "
            f"numel divided by output numel): {count(input.shape, dims)} elements are reduced, "
            f"correction is {correction}",
            stacklevel=4,
        )
    return input, dims, correction, keepdim


class var(Op):
    """var(input, dim=None, *, correction=1, keepdim=False) -> Tensor

    The variance over the dimensions `dim`: ``Σ (x - mean)² / max(0, N - correction)``. correction=1 is Bessel's.
    ``unbiased=False`` (old form) means correction=0. (PyTorch: torch.var)
    """

    fresh = wide_half = True

    def prepare(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        return spread_arguments("var", cast_float(input, None, "var"), dim, unbiased, keepdim, correction)

    def forward(input, /, dim, correction, keepdim):
        return kernels.var(input, dim, correction, keepdim)

    def grad_input(g, input, input_shape, dim, correction):
        n = count(input_shape, dim)
        scale = 2.0 / (n - correction) if n > correction else float("nan")
        return (scale * spread(g, input_shape, dim)) * (input - mean(input, dim, True))

    samples = of(
        lambda make: S(make(3, 4)),
        lambda make: S(make(2, 3, 4), -1, keepdim=True),
        lambda make: S(make(2, 3, 4), (0, 2)),
        lambda make: S(make(4, 5), 1, correction=0),
        lambda make: S(make(4, 5), 1, unbiased=False),
    )


class std(Op):
    """std(input, dim=None, *, correction=1, keepdim=False) -> Tensor

    The square root of `var`. (PyTorch: torch.std)
    """

    fresh = wide_half = True

    def prepare(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        return spread_arguments("std", cast_float(input, None, "std"), dim, unbiased, keepdim, correction)

    def forward(input, /, dim, correction, keepdim):
        return np.sqrt(kernels.var(input, dim, correction, keepdim))

    def grad_input(g, input, output, input_shape, dim, correction):
        freedom = count(input_shape, dim) - correction
        along = spread(g, input_shape, dim) / (
            spread(output, input_shape, dim) * (freedom if freedom > 0 else float("nan"))
        )
        return where(spread(output, input_shape, dim) == 0, 0.0, along) * (input - mean(input, dim, True))

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(3, 4), 1, keepdim=True))


SPREADS = of(
    lambda make: S(make(3, 4)),
    lambda make: S(make(2, 3, 4), -1, keepdim=True),
    lambda make: S(make(2, 3, 4), (0, 2), correction=0),
)


@composite(backward_name="VarMeanBackward0", public=(FUNCTION,), samples=SPREADS)
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """var_mean(input, dim=None, *, correction=1, keepdim=False) -> (var, mean)

    `var` and `mean` over the same dimensions. (PyTorch: torch.var_mean)
    """
    if np_dtype(input).kind != "f":
        raise RuntimeError("var_mean only support floating point and complex dtypes: convert with .float()")
    over = None if isinstance(dim, bool) else dim  # var_mean(input, unbiased)
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, over, keepdim)


@composite(backward_name="StdMeanBackward0", public=(FUNCTION,), samples=SPREADS)
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """std_mean(input, dim=None, *, correction=1, keepdim=False) -> (std, mean)

    `std` and `mean` over the same dimensions. (PyTorch: torch.std_mean)
    """
    if np_dtype(input).kind != "f":
        raise RuntimeError("std_mean only support floating point and complex dtypes: convert with .float()")
    over = None if isinstance(dim, bool) else dim
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, over, keepdim)


WITH_NAN = of(
    lambda make: S(np.array([[1.5, np.nan, 2.0], [np.nan, -1.0, 4.0]])),
    lambda make: S(np.array([[1.5, np.nan, 2.0], [np.nan, -1.0, 4.0]]), 1),
    lambda make: S(make(2, 3, 4), (0, -1), keepdim=True),
)


@composite(backward_name="NansumBackward0", out=True, samples=WITH_NAN)
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """nansum(input, dim=None, keepdim=False, *, dtype=None) -> Tensor

    `sum`, with NaN counted as zero. (PyTorch: torch.nansum)
    """
    return sum(input if np_dtype(input).kind != "f" else where(input != input, 0.0, input), dim, keepdim, dtype=dtype)


@composite(out=True, samples=WITH_NAN)
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """nanmean(input, dim=None, keepdim=False, *, dtype=None) -> Tensor

    `mean` of what is not NaN; NaN if nothing is left. (PyTorch: torch.nanmean)
    """
    if np_dtype(input).kind != "f":
        kind = type_name(np_dtype(input))
        raise RuntimeError(f"nanmean(): expected input to have floating point or complex dtype but got {kind}")
    return nansum(input, dim, keepdim, dtype=dtype) / sum(input == input, dim, keepdim)


@on_every_path("check_weights")
def check_weights(name, weights, kinds, observations):
    """The weights of `cov`: a vector with one of them, not negative, for each observation."""
    array = getattr(weights, "array", weights)
    if array.ndim > 1:
        raise RuntimeError(f"cov(): expected {name} to have one or fewer dimensions but got {name} with {array.ndim}")
    if array.dtype.kind not in kinds:
        expected = "integral" if "i" in kinds else "floating point"
        raise RuntimeError(f"cov(): expected {name} to have {expected} dtype but got {name} with {array.dtype} dtype")
    if array.size != observations:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{array.size} != {observations}"
        )
    if array.size and array.min() < 0:
        raise RuntimeError(f"cov(): {name} cannot be negative")


@composite(
    samples=of(
        lambda make: S(make(3, 5)),
        lambda make: S(make(5), correction=0),
        lambda make: S(make(2, 4), fweights=np.array([1, 2, 1, 3]), aweights=constant([0.5, 1.0, 2.0, 0.25])),
    )
)
def cov(input, *, correction=1, fweights=None, aweights=None):
    """cov(input, *, correction=1, fweights=None, aweights=None) -> Tensor

    The covariance matrix of the variables in the rows, (variables, observations) to (variables, variables); of one
    vector its variance. fweights: how often each observation is counted (integers); aweights: its importance.
    (PyTorch: torch.cov)
    """
    if input.ndim > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim}")
    if np_dtype(input).kind == "b":
        raise RuntimeError("cov(): bool dtype is not supported for input: convert with .float()")
    rows = to_float(input) if input.ndim == 2 else reshape(to_float(input), (1, -1))
    observations = rows.shape[1]
    for name, weights, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if weights is not None:
            check_weights(name, weights, kinds, observations)
    weights = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    if weights is None:
        total, middle = observations, sum(rows, 1, True) / observations if observations else sum(rows, 1, True)
    else:
        total = sum(weights)
        if observations and total == 0:
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
        middle = sum(rows * weights, 1, True) / total
    if aweights is not None and correction:
        freedom = total - correction * sum(weights * aweights) / total
    else:
        freedom = total - correction
    if freedom <= 0:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations",
            stacklevel=3,
        )
        freedom = freedom * freedom * 0.0
    away = rows - middle
    products = matmul(away, transpose(away if weights is None else away * weights, 0, 1))
    return squeeze(products / freedom)


@composite(samples=of(lambda make: S(make(3, 5)), lambda make: S(make(5))))
def corrcoef(input):
    """corrcoef(input) -> Tensor

    The matrix of the correlation coefficients of the variables in the rows: ``cov / (std stdᵀ)``, within [-1, 1].
    (PyTorch: torch.corrcoef)
    """
    if input.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    covariance = cov(input)
    if not covariance.ndim:
        return covariance / covariance
    deviation = sqrt(diagonal(covariance))
    return clamp(covariance / unsqueeze(deviation, 1) / unsqueeze(deviation, 0), -1.0, 1.0)
