"""jax and HIPS autograd under PyTorch's names, as far as the rows use them: rivals where they are installed.

Both are functions that differentiate functions: there is no tensor that remembers and no `backward`.  Rows that go
forward and back give their function to `both_ways`; rows that time a backward alone have no twin here.  What a
library lacks raises NoTwinError, and the row leaves it out.

jax is timed as its users run it: compiled, so the comparison is with a whole program's fusion, not with an eager op.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np

from bench.row import AUTOGRAD, JAX, NoTwinError
from bench.timing import Work


class Library(SimpleNamespace):
    """A module's worth of names; asking for another raises NoTwinError."""

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise NoTwinError(f"{self.__name__} has no {name} in the bench")


def load(name: str) -> Library:
    """A rival by name. Raises ImportError if it is not installed."""
    return {JAX: _jax, AUTOGRAD: _autograd}[name]()


def pointwise(xp, erf) -> dict:
    """Names that are the same formula in any NumPy-like module."""

    def sigmoid(x):
        return 1 / (1 + xp.exp(-x))

    def gelu(x, approximate="none"):
        if approximate == "tanh":
            return 0.5 * x * (1 + xp.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))
        return 0.5 * x * (1 + erf(x * 0.7071067811865476))

    return {
        "exp": xp.exp,
        "log": xp.log,
        "tanh": xp.tanh,
        "sigmoid": sigmoid,
        "relu": lambda x: xp.maximum(x, 0),
        "gelu": gelu,
        "silu": lambda x: x * sigmoid(x),
        "matmul": xp.matmul,
        "linear": lambda x, weight, bias: xp.matmul(x, weight.T) + bias,
    }


def reductions(xp) -> dict:
    """Names that shrink an array; softmax and what is made of it."""

    def log_softmax(x, dim):
        shifted = x - xp.max(x, axis=dim, keepdims=True)
        return shifted - xp.log(xp.sum(xp.exp(shifted), axis=dim, keepdims=True))

    def cross_entropy(x, target):
        return -xp.mean(log_softmax(x, 1)[np.arange(len(target)), target])

    def layer_norm(x, shape, weight, bias):
        mean = xp.mean(x, axis=-1, keepdims=True)
        variance = xp.mean((x - mean) ** 2, axis=-1, keepdims=True)
        return (x - mean) / xp.sqrt(variance + 1e-5) * weight + bias

    return {
        "sum": lambda x, dim=None: xp.sum(x, axis=dim),
        "mean": lambda x, dim=None: xp.mean(x, axis=dim),
        "var": lambda x, dim=None: xp.var(x, axis=dim, ddof=1),
        "argmax": lambda x, dim=None: xp.argmax(x, axis=dim),
        "softmax": lambda x, dim: xp.exp(log_softmax(x, dim)),
        "log_softmax": log_softmax,
        "cross_entropy": cross_entropy,
        "mse_loss": lambda x, target: xp.mean((x - target) ** 2),
        "layer_norm": layer_norm,
    }


def library(name, xp, functions, **more) -> Library:
    """The names of PyTorch over a NumPy-like module."""
    functional = Library(__name__=f"{name}'s functional", **functions)
    return Library(
        __name__=name, nn=Library(__name__=f"{name}'s nn", functional=functional),
        tensor=xp.asarray, ones=xp.ones, **functions, **more,
    )  # fmt: skip


def _jax() -> Library:
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # a call returns when its work is done

    def compiled(function):
        numbers = ("dim", "approximate", "shape", "padding")
        return jax.jit(function, static_argnames=[name for name in numbers if name in function.__code__.co_varnames])

    def conv2d(x, weight, bias=None, padding=0):
        around = [(padding, padding)] * 2
        names = ("NCHW", "OIHW", "NCHW")
        out = jax.lax.conv_general_dilated(x, weight, (1, 1), around, dimension_numbers=names)
        return out if bias is None else out + bias[:, None, None]

    def pool(start, op, finish):
        def pooled(x, size):
            window = (1, 1, size, size)
            return finish(jax.lax.reduce_window(x, start, op, window, window, "VALID"), size)

        return jax.jit(pooled, static_argnames="size")

    functions = {**pointwise(jnp, jax.scipy.special.erf), **reductions(jnp), "conv2d": conv2d}
    functions = {name: compiled(f) if hasattr(f, "__code__") else jax.jit(f) for name, f in functions.items()}
    functions["max_pool2d"] = pool(-jnp.inf, jax.lax.max, lambda x, size: x)
    functions["avg_pool2d"] = pool(0.0, jax.lax.add, lambda x, size: x / size**2)

    def both_ways(function, gradient_for, *arrays) -> Work:
        leaves = [jnp.asarray(array) for array in arrays]
        gradient = gradient_for(function(*leaves))

        @jax.jit
        def gradients(gradient, *leaves):
            out, back = jax.vjp(function, *leaves)
            return back(jnp.ones_like(out) if gradient is None else gradient)

        return Work(lambda: gradients(gradient, *leaves))

    return library(JAX, jnp, functions, both_ways=both_ways)


def _autograd() -> Library:
    import autograd.numpy as anp
    from autograd import make_vjp
    from autograd.scipy.special import erf

    def both_ways(function, gradient_for, *arrays) -> Work:
        gradients = make_vjp(lambda leaves: function(*leaves))
        gradient = gradient_for(function(*arrays))
        gradient = 1.0 if gradient is None else gradient
        return Work(lambda: gradients(arrays)[0](gradient))

    functions = {**pointwise(anp, erf), **reductions(anp)}
    return library(AUTOGRAD, np, functions, both_ways=both_ways)
