"""Random tensors, by PyTorch's streams (`random.py` has the streams; this file wraps them in tensors).

The same seed gives the numbers PyTorch gives on a CPU. generator= takes a `Generator`; without it the default one,
which `manual_seed` sets.
"""

from __future__ import annotations

import numpy as np

from minigrad import dtypes, random, random_rejection
from minigrad.autograd.inplace import check_writable, store, write
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import bump, node_of
from minigrad.autograd.outputs import into
from minigrad.creation import dtype_for, laid_out_as, made, size_of, tensors_only
from minigrad.errors import describe, message
from minigrad.inspection import broadcast_shapes
from minigrad.registry import OPS, TENSORS
from minigrad.shapes import index_of
from minigrad.tensor import Tensor, wrap

__all__ = [
    "bernoulli", "binomial", "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like",
    "randn", "randn_like", "randperm",
]  # fmt: skip


random.Generator._as_tensor = staticmethod(wrap)


def _source(generator):
    if generator is not None and not isinstance(generator, random.Generator):
        raise TypeError(f"argument 'generator' must be a Generator, not {type(generator).__name__}")
    return random.default_generator if generator is None else generator


def _random(name, draw, what):
    """`rand` and `randn`: a tensor of a given shape, its numbers drawn by a method of the generator."""

    def function(
        *args,
        size=None,
        generator=None,
        dtype=None,
        layout=None,
        device=None,
        pin_memory=False,
        requires_grad=False,
        out=None,
    ):
        if out is not None:
            return into(out, function, *args, size=size, generator=generator, dtype=dtype_for(out, dtype))
        shape = size_of(args, size, name)
        return made(draw(_source(generator), shape, dtypes.as_numpy(dtype, name)), requires_grad, device)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name}(*size, generator=None, dtype=None) -> Tensor: {what}. (PyTorch: torch.{name})"
    return function


rand = _random("rand", lambda source, shape, dtype: source.uniform(shape, dtype=dtype), "uniform in [0, 1)")
randn = _random("randn", lambda source, shape, dtype: source.normal(shape, dtype=dtype), "standard normal")


def randint(
    low=0,
    high=None,
    size=None,
    *,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    out=None,
):
    """randint(low=0, high, size, *, generator=None, dtype=int64) -> Tensor: integers in [low, high).
    (PyTorch: torch.randint)"""
    if out is not None:
        return into(out, randint, low, high, size, generator=generator, dtype=dtype_for(out, dtype))
    if size is None and isinstance(high, tuple | list):  # randint(high, size)
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None:
        raise TypeError("randint() missing required argument: 'size'")
    if hasattr(size, "__index__"):
        raise TypeError(f"randint(): argument 'size' must be tuple of ints, not {type(size).__name__}: write ({size},)")
    low, high = index_of(low, "randint", "low"), index_of(high, "randint", "high")
    kind, shape = dtypes.as_numpy(dtype or dtypes.int64, "randint"), size_of((size,), None, "randint")
    return made(_source(generator).randint(low, high, shape, kind), requires_grad, device)


def randperm(
    n, *, generator=None, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False, out=None
):
    """randperm(n, *, generator=None, dtype=int64) -> Tensor: the integers below n in random order.
    (PyTorch: torch.randperm)"""
    if out is not None:
        return into(out, randperm, n, generator=generator, dtype=dtype_for(out, dtype))
    kind = dtypes.as_numpy(dtype or dtypes.int64, "randperm")
    return made(_source(generator).randperm(n, kind), requires_grad, device)


def _as_the_input(name, function, fill):
    """`rand_like` and its kind: the function for the input's shape and dtype; `fill` is the in-place method that draws
    the same numbers in the order of memory, where that is another one."""

    def like(
        input,
        *args,
        generator=None,
        dtype=None,
        layout=None,
        device=None,
        requires_grad=False,
        memory_format=dtypes.preserve_format,
        **bounds,
    ):
        tensors_only(name + "_like", input=input)
        if memory_format is not dtypes.contiguous_format and not input.array.flags.c_contiguous:
            array = laid_out_as(np.empty, input, dtype, memory_format, name + "_like")
            drawn = getattr(wrap(array), fill)(*args, *bounds.values(), generator=generator)
            return made(drawn.array, requires_grad, device)
        dtypes.only_plain_format(memory_format, name + "_like")
        bounds["size"] = input.shape
        return function(
            *args,
            **bounds,
            generator=generator,
            dtype=dtype or input.dtype,
            device=device,
            requires_grad=requires_grad,
        )

    like.__name__ = like.__qualname__ = name + "_like"
    return like


rand_like, randn_like = _as_the_input("rand", rand, "uniform_"), _as_the_input("randn", randn, "normal_")
randint_like = _as_the_input("randint", randint, "random_")
rand_like.__doc__ = "rand_like(input) -> Tensor: `rand` of the input's shape and dtype. (PyTorch: torch.rand_like)"
randn_like.__doc__ = "randn_like(input) -> Tensor: `randn` of the input's shape and dtype. (PyTorch: torch.randn_like)"
randint_like.__doc__ = (
    "randint_like(input, low=0, high) -> Tensor: `randint` of the input's shape and dtype. (torch.randint_like)"
)


def normal(
    mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False, out=None,
):  # fmt: skip
    """normal(mean, std) -> Tensor;  normal(mean, std, size) -> Tensor

    Normal numbers; mean and std may be tensors, one number drawn for each of their elements. (PyTorch: torch.normal)
    """
    if out is not None:
        return into(out, normal, mean, std, size, generator=generator, dtype=dtype_for(out, dtype))
    source = _source(generator)
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        broadcast_shapes(*[x._shape for x in (mean, std) if isinstance(x, Tensor)])  # an error where they do not
        drawn = source.normal_tensors(*[x.array if isinstance(x, Tensor) else x for x in (mean, std)])
        return made(drawn, requires_grad, device)
    if size is None:
        raise TypeError("normal(): numbers as mean and std need a size: normal(mean, std, size)")
    shape = size_of((size,), None, "normal")
    return made(source.normal(shape, mean, std, dtypes.as_numpy(dtype)), requires_grad, device)


def bernoulli(input, p=None, *, generator=None, out=None):
    """bernoulli(input) -> Tensor: 1 with the probability the input gives at each place, else 0. (torch.bernoulli)"""
    if out is not None:
        return into(out, bernoulli, input, p, generator=generator)
    probability = input.array if p is None else p
    return wrap(_source(generator).bernoulli(probability, input._shape, input.array.dtype))


def multinomial(input, num_samples, replacement=False, *, generator=None, out=None):
    """multinomial(input, num_samples, replacement=False) -> LongTensor

    Indices drawn with the weights in each row of the input ((n) or (m, n), not negative, not summing to zero).
    (PyTorch: torch.multinomial)
    """
    if out is not None:
        return into(out, multinomial, input, num_samples, replacement, generator=generator)
    if input.array.dtype.kind != "f":
        raise RuntimeError(f"multinomial(): expects floating-point probabilities, but got {input.dtype!r}")
    return wrap(_source(generator).multinomial(input.array, num_samples, replacement))


def poisson(input, generator=None) -> Tensor:
    """poisson(input, generator=None) -> Tensor

    Poisson numbers of the rates that the input gives at each place, in its dtype. (PyTorch: torch.poisson)
    """
    tensors_only("poisson", input=input)
    return wrap(random_rejection.poisson(_source(generator), input.array))


def binomial(count, prob, generator=None) -> Tensor:
    """binomial(count, prob, generator=None) -> Tensor

    How many of `count` trials succeed, each with probability `prob`, elementwise with broadcasting; both floating
    point, of one dtype. (PyTorch: torch.binomial)
    """
    tensors_only("binomial", count=count, prob=prob)
    if count.dtype != prob.dtype:
        raise RuntimeError(f"binomial(): Found dtype {prob.dtype} but expected {count.dtype}, that of count, for prob")
    broadcast_shapes(count._shape, prob._shape)
    return wrap(random_rejection.binomial(_source(generator), count.array, prob.array))


def _filler(name, draw, doc):
    """An in-place method that overwrites the tensor with random numbers."""

    def method(self, *args, generator=None, **kwargs):
        array = self.array  # PyTorch fills in the order of memory, whatever the order of the dimensions
        recording = is_grad_enabled() and node_of(self) is not None
        if recording:
            check_writable(self)
        axes = sorted(range(array.ndim), key=lambda d: -array.strides[d])
        target = array.transpose(axes)
        drawn = draw(array, target.shape, _source(generator), *args, **kwargs)
        if recording:  # the gradient of the old values is zero
            return write(OPS["copy"], self, (wrap(np.broadcast_to(drawn, target.shape).transpose(np.argsort(axes))),))
        store(target, drawn)
        bump(self, name)
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = doc
    setattr(Tensor, name, method)


def _float_of(array, op):
    if array.dtype.kind != "f":
        raise NotImplementedError(message(op, "self", describe(array), "a floating-point tensor"))
    return array.dtype


def _draw_uniform(array, shape, source, low=0.0, to=1.0, **named):
    return source.uniform(shape, named.pop("from", low), to, _float_of(array, "uniform_"), **named)


def _draw_normal(array, shape, source, mean=0.0, std=1.0):
    return source.normal(shape, mean, std, _float_of(array, "normal_"), serial=not array.flags.c_contiguous)


def _draw_bernoulli(array, shape, source, p=0.5):
    return source.bernoulli(p.array if isinstance(p, Tensor) else p, shape, array.dtype)


def _draw_random(array, shape, source, *bounds):
    if not bounds:
        return source.random(shape, array.dtype)
    low, high = (0, *bounds) if len(bounds) == 1 else bounds
    return source.randint(low, high, shape, array.dtype)


_filler("uniform_", _draw_uniform, "uniform_(from=0, to=1): uniform numbers in [from, to), in place. (Tensor.uniform_)")
_filler("normal_", _draw_normal, "normal_(mean=0, std=1): normal numbers, in place. (PyTorch: Tensor.normal_)")
_filler("bernoulli_", _draw_bernoulli, "bernoulli_(p=0.5): 1 with probability p, else 0, in place. (Tensor.bernoulli_)")
_filler("random_", _draw_random, "random_(low=0, high): integers in [low, high), in place. (PyTorch: Tensor.random_)")
_filler(
    "exponential_",
    lambda array, shape, source, lambd=1.0: source.exponential(shape, lambd, _float_of(array, "exponential_")),
    "exponential_(lambd=1): exponential numbers of that rate, in place. (PyTorch: Tensor.exponential_)",
)

_filler(
    "cauchy_",
    lambda array, shape, source, median=0.0, sigma=1.0: source.cauchy(
        shape, median, sigma, _float_of(array, "cauchy_")
    ),
    "cauchy_(median=0, sigma=1): Cauchy numbers, in place. (PyTorch: Tensor.cauchy_)",
)
_filler(
    "log_normal_",
    lambda array, shape, source, mean=1.0, std=2.0: source.log_normal(
        shape, mean, std, _float_of(array, "log_normal_")
    ),
    "log_normal_(mean=1, std=2): exponentials of normal numbers, in place. (PyTorch: Tensor.log_normal_)",
)
_filler(
    "geometric_",
    lambda array, shape, source, p: source.geometric(p, shape, array.dtype),
    "geometric_(p): how many trials of probability p until the first success, in place. (PyTorch: Tensor.geometric_)",
)

for _method in (bernoulli, multinomial):
    setattr(Tensor, _method.__name__, _method)


def bernoulli_like(input, keep):
    """1 with probability `keep`, else 0, laid out in memory as the input is, and drawn in that order."""
    if input.array.flags.c_contiguous:
        return wrap(random.default_generator.bernoulli(keep, input._shape, input.array.dtype))
    array = np.empty_like(input.array)
    axes = sorted(range(array.ndim), key=lambda d: -array.strides[d])
    target = array.transpose(axes)
    target[...] = random.default_generator.bernoulli(keep, target.shape, array.dtype)
    return wrap(array)


def rrelu_noise(input, lower, upper, training):
    """1 where the input is positive; elsewhere a slope of its own (training), drawn in order, or their mean."""
    x = input.array
    noise = np.ones(x.shape, x.dtype)
    negative = x <= 0
    count = int(np.count_nonzero(negative))
    noise[negative] = (
        random.default_generator.uniform(count, lower, upper, np.float64) if training else (lower + upper) / 2
    )
    return wrap(noise)


TENSORS["bernoulli_like"], TENSORS["rrelu_noise"] = bernoulli_like, rrelu_noise
TENSORS["bernoulli_mask"] = lambda shape, keep, dtype: wrap(
    random.default_generator.bernoulli(keep, tuple(shape), dtype)
)
TENSORS["exponential_draws"] = lambda shape, dtype: wrap(random.default_generator.exponential(tuple(shape), 1.0, dtype))
