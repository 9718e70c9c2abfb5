"""`minigrad.func`: transforms of functions, under the names of torch.func: `grad`, `vjp`, `jacrev`, `vmap`, ...

A transform takes a function and gives a function; they nest in any order (`grad` of `grad`, `vmap` of `grad`, `jacrev`
of `jvp`). All are made of the tape in `autograd`:

    func's arguments ──enter──▶ tensors of the same memory, each with a node of its own ──func──▶ outputs
                                        ▲                                                        │
                                        └──────────── autograd.grad, recorded if need be ────────┘

*Only* the dependence through those new nodes is differentiated, so a tensor that is an argument of an inner transform
and used by the outer function as well is never confused with itself. What a transform returns keeps its history only
where that leads to a tensor of the caller's that requires grad; all else is detached (`levels.py`).

Forward mode (`jvp`, `jacfwd`, `linearize`) differentiates the backward: the gradient ``g(u) = Jᵀu`` is linear in `u`,
so the gradient of ``<g(u), t>`` with respect to `u` is ``J t`` (the "double backward trick"). That is exact, works for
every differentiable op, and costs two backward passes instead of one forward pass.

`vmap` is in `batching.py`, `functional_call` in `nn/utils/stateless.py`.
"""

from __future__ import annotations

import functools

import numpy as np

import minigrad
from minigrad.autograd.derivatives import grad as backward
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import new_version, node_of, record
from minigrad.batched import Batched, all_at_once, batched, lift, size_now
from minigrad.batching import vmap
from minigrad.levels import Level, pull, split, tensors_of, without_aux
from minigrad.nn.utils.stateless import functional_call, stack_module_state
from minigrad.registry import OPS
from minigrad.tensor import Tensor, wrap
from minigrad.trees import flatten, unflatten

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "stack_module_state", "value_and_grad", "vjp", "vmap",
]  # fmt: skip

UNITS = 1 << 22  # how many numbers the units of a Jacobian's rows that are computed at once may have


# ---- gradients -------------------------------------------------------------------------------------------------------


def _columns(pairs):
    return ([a for a, _ in pairs], [b for _, b in pairs])


def grad_and_value(func, argnums=0, has_aux=False):
    """grad_and_value(func, argnums=0, has_aux=False) -> function returning (gradient, value)

    As `grad`, and the value of ``func`` comes with the gradient: ``(gradient, value)``, or with has_aux
    ``(gradient, (value, aux))``. (PyTorch: torch.func.grad_and_value)
    """
    name = "grad_and_value(f)(*args)"

    @functools.wraps(func)
    def gradient_and_value(*args, **kwargs):
        leaves, spec, replaced = split(args, argnums)
        with Level() as level:
            variables, inside = _columns([level.enter(leaf) for leaf in leaves])
            output, aux = without_aux(func(*replaced(inside), **kwargs), has_aux, name)
            if not isinstance(output, Tensor):
                raise RuntimeError(f"{name}: Expected f(*args) to return a Tensor, got {type(output)}")
            if output.ndim:
                raise RuntimeError(
                    f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with {output.ndim} dims. Maybe "
                    "you wanted to use the vjp or jacrev APIs instead?"
                )
            tracked = level.tracks([output])
            found = pull(level, [output], variables, [None], tracked, retain_graph=tracked or has_aux)
            gradient = level.leave(unflatten(found, spec))
            value = level.leave(output)
            return gradient, ((value, level.leave(aux)) if has_aux else value)

    return gradient_and_value


def value_and_grad(func, argnums=0, has_aux=False):
    """value_and_grad(func, argnums=0, has_aux=False) -> function returning (value, gradient)

    `grad_and_value` with the value first: ``(value, gradient)``, or with has_aux ``((value, aux), gradient)``.
    (JAX's name and order; PyTorch has only torch.func.grad_and_value.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def value_and_gradient(*args, **kwargs):
        gradient, value = both(*args, **kwargs)
        return value, gradient

    return value_and_gradient


def grad(func, argnums=0, has_aux=False):
    """grad(func, argnums=0, has_aux=False) -> function

    The gradient of a function that returns a 0-dim tensor: ``grad(f)(x)`` is ``df/dx`` at x, of the structure and
    shape of x. Nobody's `.grad` changes, and x need not require grad.

    func: takes tensors, or tuples, lists and dicts of them. argnums: the argument (int) or arguments (tuple of ints:
    a tuple of gradients) to differentiate by. has_aux: func returns ``(output, aux)``, and the result is
    ``(gradient, aux)``. A `no_grad` inside func counts, one around the call does not. Raises RuntimeError if the output
    is not 0-dim, ValueError if the argument holds something other than tensors. (PyTorch: torch.func.grad)

        >>> from minigrad.func import grad, vmap
        >>> grad(grad(lambda x: x ** 3))(minigrad.tensor(2.0))
        tensor(12.)
        >>> vmap(grad(lambda w, x: (w * x).sum() ** 2), in_dims=(None, 0))(minigrad.ones(2), minigrad.eye(2))
        tensor([[2., 0.],
                [0., 2.]])
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient_of(*args, **kwargs):
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return gradient_of


class _Reverse:
    """A function that was run once, ready for products with its transposed Jacobian."""

    def __init__(self, func, args, argnums=None, has_aux=False):
        name = "vjp(f, *primals)"
        self.level = Level()
        leaves, self.spec, replaced = split(args, argnums)
        with self.level:
            self.variables, self.inputs = _columns([self.level.enter(leaf) for leaf in leaves])
            output, aux = without_aux(func(*replaced(self.inputs)), has_aux, name)
            self.outputs, self.output_spec = tensors_of(output, name)
            self.output, self.aux = self.level.leave(output), self.level.leave(aux) if has_aux else None
        for tensor in self.outputs:
            if not tensor.is_floating_point():
                raise RuntimeError(
                    "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype "
                    f"{tensor.dtype}"
                )
        self.tracked = self.level.tracks(self.outputs)

    def pull(self, outputs, cotangents, create_graph, retain_graph=True):
        """The gradients of the inputs, given those of these outputs."""
        self.level.recording = is_grad_enabled()
        create_graph = create_graph and (self.tracked or any([_requires_grad(g) for g in cotangents]))
        found = pull(self.level, outputs, self.variables, cotangents, create_graph, retain_graph)
        return [self.level.outside(g) for g in found]


def _requires_grad(value):
    return isinstance(value, Tensor) and value.requires_grad


def vjp(func, *primals, has_aux=False):
    """vjp(func, *primals, has_aux=False) -> (output, vjp_fn) or (output, vjp_fn, aux)

    Runs ``func(*primals)`` once. ``vjp_fn(cotangents)``, given one tensor for each tensor of the output (in its
    structure), returns the vector-Jacobian products as a tuple, one for each of the primals, in their structure. It may
    be called any number of times. (PyTorch: torch.func.vjp)
    """
    run = _Reverse(func, primals, has_aux=has_aux)

    def vjp_fn(cotangents, retain_graph=True, create_graph=None):
        given, spec = flatten(cotangents)
        if spec != run.output_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {spec!r}, primal output: {run.output_spec!r}"
            )
        create_graph = is_grad_enabled() if create_graph is None else create_graph
        return unflatten(run.pull(run.outputs, given, create_graph, retain_graph), run.spec)

    return (run.output, vjp_fn, run.aux) if has_aux else (run.output, vjp_fn)


def _each_unit(tensor, product, count, chunk_size=None):
    """``product(unit)``, a list of `count` tensors, for all units of the tensor's shape (1 in one place, else 0), each
    stacked; None where there is no dependence. All at once as in a `vmap`, if the ops have rules for that."""
    size = tensor.numel()
    chunk = min(size, chunk_size or max(1, UNITS // max(size, 1)))
    if chunk > 1 and size_now() is None:
        try:
            parts = [_at_once(_units(tensor, k, min(k + chunk, size)), product) for k in range(0, size, chunk)]
            return _columns_of(parts, minigrad.cat)
        except Exception:  # no rule; what else it may be is raised below
            pass
    rows = [product(wrap(_units(tensor, k, k + 1)[0])) for k in range(size)]
    return _columns_of(rows, minigrad.stack) if rows else [None] * count


def _units(tensor, first, end):
    units = np.zeros((end - first, *tensor._shape), tensor.array.dtype)
    units.reshape(end - first, -1)[range(end - first), range(first, end)] = 1
    return units


def _at_once(units, product):
    with all_at_once(len(units)):
        return [None if t is None else lift(t) for t in product(batched(wrap(units)))]


def _columns_of(rows, join):
    return [None if column[0] is None else join(list(column)) for column in zip(*rows, strict=True)]


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None):
    """jacrev(func, argnums=0, *, has_aux=False, chunk_size=None) -> function

    The Jacobian by reverse mode, one backward pass for each element of the output: for an output of shape S and an
    argument of shape T a tensor of shape S + T, in the structure of the output and in each place that of the
    argument. argnums and has_aux as in `grad`. chunk_size: how many rows are computed at once (see `vmap`; None: as
    many as reasonably fit). (PyTorch: torch.func.jacrev)
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def jacobian_of(*args):
        run = _Reverse(func, args, argnums, has_aux)
        jacobians = []
        for output in run.outputs:

            def rows(unit, output=output):
                return run.pull([output], [unit], is_grad_enabled())

            found = _each_unit(output, rows, len(run.inputs), chunk_size)
            shaped = [_shaped(j, output.shape + x.shape, x.dtype) for j, x in zip(found, run.inputs, strict=True)]
            jacobians.append(unflatten(shaped, run.spec))
        jacobian = unflatten(jacobians, run.output_spec)
        return (jacobian, run.aux) if has_aux else jacobian

    return jacobian_of


def _shaped(jacobian, shape, dtype):
    return minigrad.zeros(shape, dtype=dtype) if jacobian is None else jacobian.reshape(shape)


# ---- forward mode ----------------------------------------------------------------------------------------------------


class _Forward:
    """A function that was run once, ready for products with its Jacobian (see the top of this file)."""

    def __init__(self, func, args, argnums=None, has_aux=False, name="jvp(f, primals, tangents)"):
        self.level = level = Level()
        self.primals, self.spec, replaced = split(args, argnums)
        with level:
            self.variables, inside = _columns([self._enter(primal) for primal in self.primals])
            output, aux = without_aux(func(*replaced(inside)), has_aux, name)
            self.outputs, self.output_spec = tensors_of(output, name)
            self.output, self.aux = level.leave(output), level.leave(aux) if has_aux else None
            self.varying = [y for y in self.outputs if y.requires_grad]
            wholes = [level.whole(y) for y in self.varying]
            self.dummies = [level.leaf(minigrad.zeros_like(y)) for y in wholes]
            self.gradients = [None] * len(self.variables)
            if wholes:
                self.gradients = backward(wholes, self.variables, self.dummies, create_graph=True, allow_unused=True)
        self.tracked = level.tracks(self.outputs)

    def _enter(self, primal):
        """A variable to differentiate by, and a tensor for func, which may write to it."""
        if not primal.is_floating_point():
            raise ValueError(f"Expected primal to be floating point or complex, but got: {primal.dtype}")
        tensor = self.level.whole(primal)
        above = tensor if self.level.recording and tensor.requires_grad else self.level.leaf(tensor.detach())
        variable, inside = wrap(tensor.array), wrap(tensor.array)
        shape = tensor._shape
        variable.node = inside.node = record(OPS["view"], (node_of(above),), (shape,), shape, (shape,))
        inside.vc = above.vc or new_version(above)
        return variable, self.level.example(inside)

    def push(self, tangents):
        """The derivatives of the outputs along these tangents (None: zeros); None where there is no dependence."""
        pairs = [
            (g, self.level.whole(t))
            for g, t in zip(self.gradients, tangents, strict=True)
            if g is not None and t is not None and g.requires_grad
        ]
        self.level.recording = is_grad_enabled()
        found = dict.fromkeys(map(id, self.outputs))
        if pairs:
            create_graph = self.level.recording and (self.tracked or any([t.requires_grad for _, t in pairs]))
            create_graph = create_graph or any([isinstance(t, Batched) for _, t in pairs])  # see `pull`
            gs, ts = zip(*pairs)
            pushed = backward(gs, self.dummies, ts, True, create_graph, allow_unused=True)
            found.update(zip(map(id, self.varying), pushed, strict=True))
        tangents = [found[id(y)] for y in self.outputs]
        return [None if t is None else self.level.outside(self.level.example(t)) for t in tangents]

    def filled(self, tangents):
        """The output's tangents in its structure, zeros where there is no dependence."""
        full = [minigrad.zeros_like(y) if t is None else t for y, t in zip(self.outputs, tangents, strict=True)]
        return unflatten(full, self.output_spec)


def _checked_tangents(primals, spec, tangents, name):
    """The leaves of the tangents, which must be like those of the primals."""
    given, given_spec = flatten(tangents)
    if given_spec != spec:
        raise RuntimeError(
            f"{name}: Expected primals and tangents to have the same python structure. For example, if primals is a "
            f"tuple of 3 tensors, tangents also must be. Got primals with structure {spec!r} and tangents with "
            f"structure {given_spec!r}"
        )
    for argument, leaves in (("primals", primals), ("tangents", given)):
        if not leaves:
            raise RuntimeError(f"{name}: Expected {argument} to contain at least one Tensor.")
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                raise RuntimeError(f"{name}: Expected {argument} to only contain Tensors, got {type(leaf)}")
    for primal, tangent in zip(primals, given, strict=True):
        if not tangent.is_floating_point():
            raise ValueError(f"Expected tangent to be floating point or complex, but got: {tangent.dtype}")
        if tangent.shape != primal.shape:
            raise RuntimeError(
                f"{name}: a tangent has the shape of its primal: Tensor is of size {list(primal.shape)} while the "
                f"given tangent is of size {list(tangent.shape)}"
            )
    return given


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """jvp(func, primals, tangents, *, strict=False, has_aux=False) -> (output, tangents of the output)

    The derivative of ``func(*primals)`` along `tangents`, a tuple like `primals`: the Jacobian times a vector. Outputs
    that do not depend on the primals have tangents of zeros; with strict=True they are a RuntimeError. has_aux: func
    returns ``(output, aux)``, and aux comes as a third result. Computed by two backward passes, exactly (see
    `help(minigrad.func)`). (PyTorch: torch.func.jvp)
    """
    name = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{name}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    given = _checked_tangents(*flatten(primals), tangents, name)
    run = _Forward(func, primals, has_aux=has_aux)
    pushed = run.push(given)
    if strict and any([t is None for t in pushed]):
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed "
            "with strict=True."
        )
    result = run.output, run.filled(pushed)
    return (*result, run.aux) if has_aux else result


def linearize(func, *primals):
    """linearize(func, *primals) -> (output, jvp_fn)

    Runs ``func(*primals)`` once; ``jvp_fn(*tangents)`` is then the derivative along any tangents, each the price of one
    backward pass. (PyTorch: torch.func.linearize)
    """
    run = _Forward(func, primals)

    def jvp_fn(*tangents):
        given, spec = flatten(tangents)
        if spec != run.spec:
            raise RuntimeError(f"Expected the tangents {spec!r} to have the same argspec as the primals {run.spec!r}")
        for k, (tangent, primal) in enumerate(zip(given, run.primals, strict=True)):
            for what in ("shape", "dtype"):
                if getattr(tangent, what) != getattr(primal, what):
                    raise RuntimeError(
                        f"tangent:{k} with {what} {getattr(tangent, what)} in flattened pytree doesn't match the "
                        f"{what} {getattr(primal, what)} of the corresponding primal."
                    )
        return run.filled(run.push(given))

    return run.output, jvp_fn


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """jacfwd(func, argnums=0, has_aux=False, *, randomness="error") -> function

    The Jacobian by forward mode, column by column: what `jacrev` gives, better where the output is larger than the
    input. func runs once, so randomness makes no difference. (PyTorch: torch.func.jacfwd)
    """

    @functools.wraps(func)
    def jacobian_of(*args):
        run = _Forward(func, args, argnums, has_aux)
        found = [[] for _ in run.outputs]  # for each output, for each input
        for position, primal in enumerate(run.primals):

            def columns(unit, position=position):
                return run.push(_only(position, unit, len(run.primals)))

            by_output = _each_unit(primal, columns, len(run.outputs))
            for k, output in enumerate(run.outputs):
                found[k].append(_shaped(by_output[k], primal.shape + output.shape, output.dtype))
        jacobians = []
        for output, by_input in zip(run.outputs, found, strict=True):
            n = output.ndim
            turned = [j.permute(*range(j.ndim - n, j.ndim), *range(j.ndim - n)) if j.ndim else j for j in by_input]
            jacobians.append(unflatten(turned, run.spec))
        jacobian = unflatten(jacobians, run.output_spec)
        return (jacobian, run.aux) if has_aux else jacobian

    return jacobian_of


def _only(position, tensor, count):
    return [tensor if k == position else None for k in range(count)]


def hessian(func, argnums=0):
    """hessian(func, argnums=0) -> function

    The second derivatives of a function: the Jacobian of its Jacobian, reverse over reverse. For a 0-dim output and an
    argument of shape T a tensor of shape T + T; argnums as in `grad`. (PyTorch: torch.func.hessian)
    """
    return jacrev(jacrev(func, argnums), argnums)
