"""`vmap`: a function of single examples, called on whole batches. (PyTorch: torch.vmap, torch.func.vmap)

In two ways, which give the same:

    all at once   the function is called once, on tensors that look like one example and hold all (`batched.py`).
                  Works as far as its ops have rules: pointwise ops, sums and their kind, products of matrices, linear
                  layers, softmax, the losses of classes, rearrangements, and `grad`, `vjp`, `jacrev` of these
    one by one    else: once for each example, and the results are stacked. Right for every function, branches on
                  values and `.item()` included (which PyTorch's vmap refuses), but as slow as a loop

Both are recorded like all else, so `vmap` nests with the transforms of `func.py`. The first way is given up at the
first thing it cannot do, a write to a tensor among them; so what func does besides computing (prints, lists it appends
to) happens once, or once for each example, or both.
"""

from __future__ import annotations

import functools

import numpy as np

import minigrad
from minigrad.batched import Batched, all_at_once, batched, size_now
from minigrad.random import default_generator
from minigrad.tensor import Tensor, wrap
from minigrad.trees import flatten, spread, tree_map, unflatten

__all__ = ["vmap"]


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None) -> function

    The function that applies func to each of a batch: ``vmap(f)(x)`` is ``stack([f(x[0]), f(x[1]), ...])``.

    in_dims: the dimension of the batch in the arguments (int; None: the argument is the same for all), one for all or a
    tuple with one for each, nested as the arguments are. out_dims: likewise where the batch goes in the outputs; None
    gives an output that is the same for all once. randomness: "error" (random numbers are a RuntimeError),
    "different" (each example draws its own) or "same". chunk_size has no effect. Keyword arguments are passed on as
    they are. func may be called on all examples at once or on each (see `help(minigrad.batching)`).

    Raises ValueError if sizes or dims do not fit, or an output is no tensor. (PyTorch: torch.vmap)

        >>> vmap(minigrad.dot)(minigrad.ones(2, 3), minigrad.ones(2, 3))
        tensor([3., 3.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args, **kwargs):
        name = _name(func)
        tree_map(lambda dim: _checked_out_dim(dim, name, out_dims), out_dims)
        leaves, spec = flatten(args)
        dims = _input_dims(args, in_dims, leaves, spec, name)
        size = _batch_size(leaves, dims)

        def call(example):
            return func(*unflatten(example, spec), **kwargs)

        state = default_generator.get_state()
        if size and randomness != "different" and size_now() is None:
            try:
                with all_at_once(size):
                    result = call([x if d is None else batched(x.movedim(d, 0)) for x, d in zip(leaves, dims)])
            except Exception:  # no rule, or an error of func's: one by one it works, or raises as it should
                default_generator.set_state(state)
            else:
                _check_random(randomness, state)
                return _from_batched(result, size, out_dims, name)
        results = []
        for example in _examples(leaves, dims, size):
            if randomness == "same":
                default_generator.set_state(state)
            results.append(call(example))
            if len(results) == 1:
                _check_random(randomness, state)
        _check_random(randomness, state)
        return _stacked(results, size, out_dims, name)

    return mapped


def _check_random(randomness, state):
    """In the mode "error": whether random numbers were drawn."""
    if randomness == "error" and not np.array_equal(state, default_generator.get_state()):
        default_generator.set_state(state)
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
            "randomness flags on vmap or perform the randomness operation out of vmap"
        )


def _name(func):
    if isinstance(func, functools.partial):
        return f"functools.partial({_name(func.func)}, ...)"
    return getattr(func, "__name__", repr(func))


def _checked_out_dim(dim, name, out_dims):
    if dim is not None and not isinstance(dim, int):
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints "
            "representing where in the outputs the vmapped dimension should appear."
        )


def _input_dims(args, in_dims, leaves, spec, name):
    """For each leaf of the arguments the dimension of the batch (not negative), or None."""
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, int | tuple):
        raise ValueError(
            f"{where}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, "
            f"got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    try:
        dims = spread(in_dims, spec)
    except ValueError as error:
        raise ValueError(f"{where}in_dims is not compatible with the structure of `inputs`. {error}") from None
    return [_input_dim(dim, leaf, where) for dim, leaf in zip(dims, leaves, strict=True)]


def _input_dim(dim, leaf, where):
    if dim is None:
        return None
    if not isinstance(dim, int):
        raise ValueError(
            f"{where}Got in_dim={dim} for an input but in_dim must be either an integer dimension or None."
        )
    if not isinstance(leaf, Tensor):
        raise ValueError(
            f"{where}Got in_dim={dim} for an input but the input is of type {type(leaf)}. We cannot vmap over "
            "non-Tensor arguments, please use None as the respective in_dim"
        )
    if not -leaf.ndim <= dim < leaf.ndim:
        raise ValueError(
            f"{where}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {leaf.ndim} so "
            f"expected in_dim to satisfy -{leaf.ndim} <= in_dim < {leaf.ndim}."
        )
    return dim % leaf.ndim


def _batch_size(leaves, dims):
    sizes = [leaf._shape[dim] for leaf, dim in zip(leaves, dims, strict=True) if dim is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0]


def _examples(leaves, dims, count):
    """The arguments' leaves for each example. An empty batch has one example of zeros, which says what comes out."""
    if not count:
        shapes = [None if d is None else leaf._shape[:d] + leaf._shape[d + 1 :] for leaf, d in zip(leaves, dims)]
        return [[x if s is None else minigrad.zeros(s, dtype=x.dtype) for x, s in zip(leaves, shapes)]]
    columns = [[x] * count if dim is None else _parts(x, dim, count) for x, dim in zip(leaves, dims)]
    return zip(*columns, strict=True)


def _parts(tensor, dim, count):
    """The tensor's examples, as views. Those of `unbind` have one node together, whose backward is one stacking, but
    may not be written to; without history they may, as in PyTorch."""
    if tensor.requires_grad:
        return tensor.unbind(dim)
    return [tensor.select(dim, i) for i in range(count)]


def _output_dims(result, spec, out_dims, name):
    """Where the batch goes in each leaf of the result."""
    single = isinstance(result, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1
    try:
        return spread(out_dims[0] if single else out_dims, spec)
    except ValueError as error:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
            f"`outputs`. {error}"
        ) from None


def _check_tensor(value, name):
    if not isinstance(value, Tensor):
        raise ValueError(
            f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(value)}. Did you mean to set "
            "out_dims= to None for output?"
        )


def _from_batched(result, size, out_dims, name):
    """The outputs of all examples, computed at once, with the batch where it belongs."""
    leaves, spec = flatten(result)
    dims = _output_dims(result, spec, out_dims, name)
    return unflatten([_whole(leaf, dim, size, name) for leaf, dim in zip(leaves, dims, strict=True)], spec)


def _whole(value, dim, size, name):
    if dim is None:
        if isinstance(value, Batched):
            raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
        return value
    _check_tensor(value, name)
    whole = value.whole if isinstance(value, Batched) else value.unsqueeze(0).expand(size, *value.shape).clone()
    return whole.movedim(0, dim) if dim else whole


def _stacked(results, size, out_dims, name):
    """The outputs of all examples, computed one by one, stacked in the structure of the first."""
    flat = [flatten(result) for result in results]
    columns, spec = list(zip(*[leaves for leaves, _ in flat], strict=True)), flat[0][1]
    if any(other != spec for _, other in flat):
        raise ValueError(f"vmap({name}, ...): `{name}` returned other structures for other examples")
    dims = _output_dims(results[0], spec, out_dims, name)
    return unflatten([_together(c, d, size, name) for c, d in zip(columns, dims, strict=True)], spec)


def _together(values, dim, size, name):
    """One output: the values of all examples stacked, or with dim None the one that they share."""
    if dim is None:
        if isinstance(values[0], Tensor) and any([not _same(values[0], value) for value in values]):
            raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
        return values[0]
    for value in values:
        _check_tensor(value, name)
    together = minigrad.stack(list(values), dim)
    return together if size else wrap(np.delete(together.array, 0, dim))


def _same(a, b):
    return a is b or (a._shape == b._shape and np.array_equal(a.array, b.array, equal_nan=a.is_floating_point()))
