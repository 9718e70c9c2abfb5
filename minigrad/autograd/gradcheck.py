"""gradcheck and gradgradcheck: analytical gradients against numerical ones.

For each input element x_i and each output element y_j the derivative dy_j/dx_i is computed twice: by the engine, from
one backward per output element, and numerically by the central difference ``(f(x + eps) - f(x - eps)) / (2 eps)``.
"""

from __future__ import annotations

import warnings

import numpy as np

from minigrad.autograd.engine import grad
from minigrad.autograd.modes import enable_grad, no_grad
from minigrad.tensor import Tensor, wrap

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """Raised by `gradcheck` and `gradgradcheck` where the gradients disagree."""


def _tuple(value):
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _float_outputs(func, inputs):
    return [o for o in _tuple(func(*inputs)) if isinstance(o, Tensor) and o.is_floating_point()]


def _numerical(func, inputs, x, eps):
    """d(output j)/d(x) for every output, (x.numel(), output.numel()) each."""
    array = x.array
    rows = []
    with no_grad():
        for place in np.ndindex(array.shape):
            before = array[place].copy()
            sides = []
            for step in (eps, -eps):
                array[place] = before + step
                sides.append([o.array.reshape(-1).copy() for o in _float_outputs(func, inputs)])
            array[place] = before
            rows.append([(high - low) / (2 * eps) for high, low in zip(*sides, strict=True)])
    return [np.array([row[j] for row in rows]) for j in range(len(rows[0]) if rows else 0)]


def _analytical(output, inputs, create=False):
    """d(output)/d(input) for every input, (input.numel(), output.numel()) each."""
    columns = [np.zeros((x.numel(), output.numel()), x.array.dtype) for x in inputs]
    if not output.requires_grad:
        return columns
    for j in range(output.numel()):
        seed = np.zeros(output.numel(), output.array.dtype)
        seed[j] = 1
        seed = wrap(seed.reshape(output.array.shape))
        for column, g in zip(columns, grad(output, inputs, seed, retain_graph=True, allow_unused=True), strict=True):
            if g is not None:
                column[:, j] = g.array.reshape(-1)
    return columns


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0,
              check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False, fast_mode=False,
              masked=None):  # fmt: skip
    """gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True) -> bool

    Whether the gradients of ``func(*inputs)`` with respect to the inputs that require grad (float64 ones: float32 is
    too coarse) are within ``atol + rtol * |numerical|`` of central differences. Raises GradcheckError (or returns
    False).
    Keywords after raise_exception are accepted as PyTorch has them and change nothing. (PyTorch: autograd.gradcheck)
    """
    inputs = _tuple(inputs)
    checked = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, "
            "but none of the them have requires_grad=True."
        )
    if any(x.array.dtype != np.float64 for x in checked):
        warnings.warn(
            "gradcheck: an input requires gradient and is not a double precision floating point. This check will "
            "likely fail if all the inputs are not of double precision floating point.",
            stacklevel=2,
        )
    try:
        with enable_grad():
            outputs = _float_outputs(func, inputs)
        for k, output in enumerate(outputs):
            for i, (x, analytical) in enumerate(zip(checked, _analytical(output, checked), strict=True)):
                if not x.numel():
                    continue
                numerical = _numerical(func, inputs, x, eps)[k]
                if not np.allclose(analytical, numerical, rtol, atol, equal_nan=True):
                    raise GradcheckError(
                        f"Jacobian mismatch for output {k} with respect to input {i},\nnumerical:{numerical}\n"
                        f"analytical:{analytical}\nlargest difference {np.nanmax(np.abs(analytical - numerical)):.3g}"
                    )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, gen_non_contig_grad_outputs=False,
                  raise_exception=True, nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=False,
                  check_batched_grad=False, fast_mode=False, masked=False):  # fmt: skip
    """gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True) -> bool

    `gradcheck` of the gradient: whether second derivatives agree with differences of first ones. grad_outputs: the
    gradients to start from (drawn at random from a fixed seed if not given). (PyTorch: autograd.gradgradcheck)
    """
    inputs = _tuple(inputs)
    outputs = _float_outputs(func, inputs)
    if grad_outputs is None:
        draw = np.random.default_rng(0)
        grad_outputs = [wrap(np.asarray(draw.uniform(0.5, 1.5, o.array.shape))).requires_grad_() for o in outputs]
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

    return gradcheck(first, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)
