"""gradcheck and gradgradcheck: analytical gradients against numerical ones.

For each input element x_i and each output element y_j the derivative dy_j/dx_i is computed twice: by the engine, from
one backward per output element, and numerically by the central difference ``(f(x + eps) - f(x - eps)) / (2 eps)``.
fast_mode compares one number for each pair of input and output, ``u · J v`` for random, never negative u and v.
"""

from __future__ import annotations

import sys
import types
import warnings

import numpy as np

from minigrad.autograd.derivatives import grad
from minigrad.autograd.modes import enable_grad, no_grad
from minigrad.tensor import Tensor, wrap

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """Raised by `gradcheck` and `gradgradcheck` where the gradients disagree."""


def _tuple(value):
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _float_outputs(func, inputs):
    return [o for o in _tuple(func(*inputs)) if isinstance(o, Tensor) and o.is_floating_point()]


def _difference(func, inputs, x, step, eps):
    """(f(x + step) - f(x - step)) / 2 eps, a vector for every output."""
    array, sides = x.array, []
    before = array.copy()
    with no_grad():
        for moved in (before + step, before - step):
            array[...] = moved
            sides.append([o.array.reshape(-1).copy() for o in _float_outputs(func, inputs)])
    array[...] = before
    return [(high - low) / (2 * eps) for high, low in zip(*sides, strict=True)]


def _numerical(func, inputs, x, eps):
    """d(output)/d(x) for every output, (x.numel(), output.numel()) each."""
    rows = []
    for place in np.ndindex(x.array.shape):
        step = np.zeros_like(x.array)
        step[place] = eps
        rows.append(_difference(func, inputs, x, step, eps))
    return [np.array(columns) for columns in zip(*rows, strict=True)]


def _pulled_back(output, inputs, seed):
    """The gradients of the inputs from one of an output, as arrays; None for inputs that it does not depend on."""
    if not output.requires_grad:
        return [None] * len(inputs)
    found = grad(output, inputs, wrap(seed), retain_graph=True, allow_unused=True)
    return [None if g is None else g.array for g in found]


def _analytical(output, inputs):
    """d(output)/d(input) for every input, (input.numel(), output.numel()) each."""
    columns = [np.zeros((x.numel(), output.numel()), x.array.dtype) for x in inputs]
    for j in range(output.numel()):
        seed = np.zeros(output.numel(), output.array.dtype)
        seed[j] = 1
        for column, g in zip(columns, _pulled_back(output, inputs, seed.reshape(output.array.shape)), strict=True):
            if g is not None:
                column[:, j] = g.reshape(-1)
    return columns


class _Full:
    """All of a Jacobian."""

    def numerical(self, func, inputs, x, i, eps, outputs):
        return _numerical(func, inputs, x, eps)

    def analytical(self, k, output, inputs):
        return _analytical(output, inputs)

    def scale(self, k, i):
        return 1.0


class _Fast:
    """One number of each Jacobian."""

    def __init__(self, inputs, outputs):
        draw = np.random.default_rng(0)
        self.v = [self._direction(draw, x) for x in inputs]
        self.u = [self._direction(draw, o) for o in outputs]

    def _direction(self, draw, tensor):
        values = draw.random(tensor.array.shape) + 0.1
        return np.asarray(values / max(np.linalg.norm(values), 1e-300), tensor.array.dtype)

    def numerical(self, func, inputs, x, i, eps, outputs):
        changes = _difference(func, inputs, x, eps * self.v[i], eps)
        return [np.sum(change * u.reshape(-1)) for change, u in zip(changes, self.u, strict=True)]

    def analytical(self, k, output, inputs):
        found = _pulled_back(output, inputs, self.u[k])
        return [np.sum(g * v) if g is not None else 0.0 for g, v in zip(found, self.v, strict=True)]

    def scale(self, k, i):
        return self.u[k].sum() * self.v[i].sum()


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0,
              check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
              check_batched_forward_grad=False, check_forward_ad=False, check_backward_ad=True, fast_mode=False,
              masked=None):  # fmt: skip
    """gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0, ...) -> bool

    Whether the gradients of ``func(*inputs)`` with respect to the inputs that require grad (float64 ones: float32 is
    too coarse) are within ``atol + rtol * |numerical|`` of central differences; whether a second backward gives the
    same within nondet_tol; and (check_undefined_grad) whether backward stands outputs without a gradient. fast_mode
    compares one random projection only. Raises GradcheckError (or returns False). Only the plain backward is
    checked: asking for checks of batched or forward derivatives raises NotImplementedError; masked is about sparse
    tensors, which do not exist here.
    (PyTorch: autograd.gradcheck)
    """
    if check_batched_grad or check_batched_forward_grad or check_forward_ad:
        raise NotImplementedError("gradcheck(): only the plain backward is checked here; leave these False")
    inputs = _tuple(inputs)
    checked = _checked(inputs)
    try:
        with enable_grad():
            outputs = _float_outputs(func, inputs)
        if check_backward_ad:
            way = _Fast(checked, outputs) if fast_mode else _Full()
            _compare(func, inputs, checked, outputs, way, eps, atol, rtol, nondet_tol)
            _check_zeros(checked, outputs, check_undefined_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _checked(inputs):
    """The inputs whose gradients are checked, if they can be."""
    checked = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, "
            "but none of the them have requires_grad=True."
        )
    for k, x in enumerate(checked):
        if x.array.size and any(step == 0 and n > 1 for step, n in zip(x.array.strides, x.array.shape, strict=True)):
            raise RuntimeError(
                f"The {k}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call .contiguous "
                "on the input before passing it to gradcheck."
            )
    if any(x.array.dtype != np.float64 for x in checked):
        warnings.warn(
            "gradcheck: an input requires gradient and is not a double precision floating point. This check will "
            "likely fail if all the inputs are not of double precision floating point.",
            stacklevel=3,
        )
    return checked


def _compare(func, inputs, checked, outputs, way, eps, atol, rtol, nondet_tol):
    numerical = [way.numerical(func, inputs, x, i, eps, outputs) for i, x in enumerate(checked)]
    for k, output in enumerate(outputs):
        again = way.analytical(k, output, checked)
        for i, analytical in enumerate(way.analytical(k, output, checked)):
            if not checked[i].numel():
                continue
            expected = numerical[i][k]
            if not np.allclose(analytical, expected, rtol, atol * way.scale(k, i), equal_nan=True):
                raise GradcheckError(
                    f"Jacobian mismatch for output {k} with respect to input {i},\nnumerical:{expected}\n"
                    f"analytical:{analytical}\nlargest difference {np.nanmax(np.abs(analytical - expected)):.3g}"
                )
            if not np.allclose(analytical, again[i], rtol=0, atol=nondet_tol, equal_nan=True):
                raise GradcheckError(
                    f"Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    f"gives different values, although analytical gradient matches numerical gradient. The tolerance "
                    f"for nondeterminism was {nondet_tol}."
                )


def _check_zeros(checked, outputs, undefined):
    """Gradients of zero give zeros, for all outputs at once and (undefined) for each while the others have none."""
    differentiable = [o for o in outputs if o.requires_grad]
    for roots in [differentiable, *[[o] for o in differentiable if undefined and len(differentiable) > 1]]:
        if not roots:
            continue
        zeros = [wrap(np.zeros_like(o.array)) for o in roots]
        for x, g in zip(checked, grad(roots, checked, zeros, retain_graph=True, allow_unused=True), strict=True):
            if g is None:
                continue
            if np.any(g.array != 0):
                raise GradcheckError("backward not multiplied by grad_output")
            if g.array.dtype != x.array.dtype or g._shape != x._shape:
                raise GradcheckError("grad is incorrect type or shape")


def _random_like(draw, output, strided):
    """A gradient for an output; strided: every second element of a larger array."""
    values = draw.uniform(0.5, 1.5, (*output.array.shape, 2 if strided else 1)).astype(output.array.dtype)
    return wrap(values[..., 0]).requires_grad_()


def gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, gen_non_contig_grad_outputs=False,
                  raise_exception=True, nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=False,
                  check_batched_grad=False, check_fwd_over_rev=False, check_rev_over_rev=True, fast_mode=False,
                  masked=False):  # fmt: skip
    """gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True) -> bool

    `gradcheck` of the gradient: whether second derivatives agree with differences of first ones. grad_outputs: the
    gradients to start from (drawn at random from a fixed seed if not given). (PyTorch: autograd.gradgradcheck)
    """
    inputs = _tuple(inputs)
    outputs = _float_outputs(func, inputs)
    if grad_outputs is None:
        draw = np.random.default_rng(0)
        grad_outputs = [_random_like(draw, o, gen_non_contig_grad_outputs) for o in outputs]
    grad_outputs = _tuple(grad_outputs)
    wanted = [k for k, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]

    def first(*everything):
        args, seeds = everything[: len(inputs)], everything[len(inputs) :]
        with enable_grad():
            args = tuple(
                [x.detach().requires_grad_() if k in wanted and not x.requires_grad else x for k, x in enumerate(args)]
            )
            results = [(o, s) for o, s in zip(_float_outputs(func, args), seeds, strict=True) if o.requires_grad]
            grads = grad(
                [o for o, _ in results], [args[k] for k in wanted], [s for _, s in results], create_graph=True,
                allow_unused=True, materialize_grads=True,
            )  # fmt: skip
        return tuple([g for g in grads if g.requires_grad]) or grads

    if check_fwd_over_rev:
        raise NotImplementedError("gradgradcheck(): only the plain backward is checked here; leave it False")
    return gradcheck(
        first, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad, check_batched_grad=check_batched_grad,
        check_backward_ad=check_rev_over_rev, fast_mode=fast_mode, masked=masked,
    )  # fmt: skip


class _CallableModule(types.ModuleType):
    """`import minigrad.autograd.gradcheck` puts this module where the function was; it can be called as well."""

    __call__ = staticmethod(gradcheck)


sys.modules[__name__].__class__ = _CallableModule
