"""`autograd.functional`: products with Jacobians and Hessians of a function, and these matrices themselves.

The older of two interfaces, under the names of torch.autograd.functional: one call computes for one point. (The newer
one, `minigrad.func`, transforms functions.) All are a few calls of `autograd.grad`; `jvp` and `hvp`, forward products,
differentiate the backward: the gradient ``g(u) = Jᵀu`` is linear in `u`, so the gradient of ``<g(u), v>`` with respect
to `u` is ``J v``.

inputs and outputs are a tensor or a tuple of tensors, and results have their structure. With ``create_graph=True``
results can be differentiated again; else they have no history. With ``strict=True`` an output that does not depend on
an input is a RuntimeError; else its derivative is zeros.
"""

from __future__ import annotations

import numpy as np

from minigrad.autograd.derivatives import grad
from minigrad.autograd.modes import enable_grad, is_grad_enabled, set_grad_enabled
from minigrad.registry import OPS, TENSORS
from minigrad.tensor import Tensor, wrap

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

OUTPUTS = "outputs of the user-provided function"


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """vjp(func, inputs, v=None, create_graph=False, strict=False) -> (output, product)

    ``func(*inputs)``, and `v` times the Jacobian: in the structure of the inputs. v: like the output; not needed if
    that has one element. (PyTorch: torch.autograd.functional.vjp)
    """
    with enable_grad():
        was_tuple, inputs, outputs, outputs_were_tuple = _run("vjp", func, inputs, create_graph, strict)
        v = _vector("vjp", v, outputs, outputs_were_tuple, create_graph, "user-provided function returns")
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = _grads(outputs, inputs, v, create_graph)
        product = _filled(found, inputs, strict, create_graph, "back")
    return _result(outputs, outputs_were_tuple, create_graph), _result(product, was_tuple, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """jvp(func, inputs, v=None, create_graph=False, strict=False) -> (output, product)

    ``func(*inputs)``, and its Jacobian times `v`: in the structure of the output. v: like the inputs; not needed if
    there is one, of one element. Computed by two backward passes. (PyTorch: torch.autograd.functional.jvp)
    """
    with enable_grad():
        was_tuple, inputs = _entered("jvp", inputs, create_graph)
        v = _vector("jvp", v, inputs, was_tuple, create_graph, "input to the user-provided function is")
        outputs_were_tuple, outputs = _outputs("jvp", func, inputs, strict)
        dummies = tuple([_zeros(y).requires_grad_() for y in outputs])
        transposed = _grads(outputs, inputs, dummies, True)
        _check_tracked(transposed, "grad_inputs", strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = _grads(transposed, dummies, v, create_graph)
        product = _filled(found, outputs, strict, create_graph, "back_trick")
    return _result(outputs, outputs_were_tuple, create_graph), _result(product, outputs_were_tuple, create_graph)


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode") -> Tensor

    The Jacobian: for an output of shape S and an input of shape T a tensor of shape S + T. Of several outputs or inputs
    tuples: ``jacobian[i][j]`` for output i and input j, without the level that was a single tensor.

    strategy: "reverse-mode" (a backward for each element of the output) or "forward-mode" (one for each element of the
    inputs; as in PyTorch only with vectorize, and without strict and create_graph). vectorize changes the speed in
    PyTorch; here it does not. (PyTorch: torch.autograd.functional.jacobian)
    """
    _check_strategy(strategy)
    if strategy == "forward-mode":
        return _jacobian_by_columns(func, inputs, create_graph, strict, vectorize)
    with enable_grad():
        was_tuple, inputs, outputs, outputs_were_tuple = _run("jacobian", func, inputs, create_graph, strict)
        if vectorize and strict:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
                "Please either set `strict=False` or `vectorize=False`."
            )
        rows = []
        for i, output in enumerate(outputs):
            found = [_row(output, unit, inputs, i, strict, create_graph) for unit in _basis(output)]
            columns = zip(*found, strict=True) if found else [()] * len(inputs)
            rows.append([_joined(c, output, x) for c, x in zip(columns, inputs, strict=True)])
        return _matrix(rows, outputs_were_tuple, was_tuple, create_graph)


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode")

    The second derivatives of a function that returns one element: for inputs of shapes S and T a tensor of shape S + T;
    of a tuple of inputs a tuple of tuples. The options are those of `jacobian`. (PyTorch:
    torch.autograd.functional.hessian)
    """
    was_tuple, inputs = _as_tuple(inputs, "inputs", "hessian")
    _check_strategy(outer_jacobian_strategy)

    def one_element(*inside):
        output = func(*inside)
        output_was_tuple, outputs = _as_tuple(output, OUTPUTS, "hessian")
        _check_tracked(outputs, "outputs", strict)
        _check_one_element("hessian", output_was_tuple, outputs)
        return TENSORS["reshape"](output, ())

    def gradient(*inside):
        found = jacobian(one_element, inside, create_graph=True)
        _check_tracked(found, "jacobian", strict)
        return found

    found = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found if was_tuple else found[0][0]


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """vhp(func, inputs, v=None, create_graph=False, strict=False) -> (output, product)

    ``func(*inputs)``, which must be one element, and `v` times its Hessian: in the structure of the inputs, which v
    has too. (PyTorch: torch.autograd.functional.vhp)
    """
    with enable_grad():
        was_tuple, inputs, v, outputs, gradient = _gradient("vhp", func, inputs, v, create_graph, strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = _grads(gradient, inputs, v, create_graph)
        product = _filled(found, inputs, strict, create_graph, "double_back")
    return _result(outputs, False, create_graph), _result(product, was_tuple, create_graph)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """hvp(func, inputs, v=None, create_graph=False, strict=False) -> (output, product)

    ``func(*inputs)``, which must be one element, and its Hessian times `v`. Where second derivatives are continuous
    that is the same as `vhp`, which is faster. (PyTorch: torch.autograd.functional.hvp)
    """
    with enable_grad():
        was_tuple, inputs, v, outputs, gradient = _gradient("hvp", func, inputs, v, create_graph, strict)
        dummies = tuple([_zeros(x).requires_grad_() for x in inputs])
        transposed = _grads(gradient, inputs, dummies, True)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = _grads(transposed, dummies, v, create_graph)
        product = _filled(found, inputs, strict, create_graph, "double_back_trick")
    return _result(outputs, False, create_graph), _result(product, was_tuple, create_graph)


# ---- running the function --------------------------------------------------------------------------------------------


def _as_tuple(value, argument, name):
    """(whether it was a tuple, it as a tuple); TypeError unless it is made of tensors."""
    was_tuple = isinstance(value, tuple)
    values = value if was_tuple else (value,)
    for k, each in enumerate(values):
        if not isinstance(each, Tensor):
            found = (
                f"value at index {k} has type {type(each)}" if was_tuple else f"given {argument} has type {type(each)}"
            )
            raise TypeError(
                f"The {argument} given to {name} must be either a Tensor or a tuple of Tensors but the {found}."
            )
    return was_tuple, values


def _enter(tensors, create_graph, requires_grad=True):
    """New tensors over the same memory, so that a tensor that func also uses directly is not taken for its argument."""
    return tuple(
        [
            OPS["view"].function(x, x.shape)
            if create_graph and x.requires_grad
            else x.detach().requires_grad_(requires_grad)
            for x in tensors
        ]
    )


def _entered(name, inputs, create_graph):
    was_tuple, inputs = _as_tuple(inputs, "inputs", name)
    return was_tuple, _enter(inputs, create_graph)


def _outputs(name, func, inputs, strict):
    were_tuple, outputs = _as_tuple(func(*inputs), OUTPUTS, name)
    _check_tracked(outputs, "outputs", strict)
    return were_tuple, outputs


def _run(name, func, inputs, create_graph, strict):
    """The inputs as they are differentiated by, and the outputs."""
    was_tuple, inputs = _entered(name, inputs, create_graph)
    were_tuple, outputs = _outputs(name, func, inputs, strict)
    return was_tuple, inputs, outputs, were_tuple


def _vector(name, v, like, like_was_tuple, create_graph, subject):
    """The vector of a product, checked against the tensors it must be like; None where ones are meant."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"The vector v can only be None if the {subject} a single Tensor with a single element.")
        return None
    v = _enter(_as_tuple(v, "v", name)[1], create_graph, requires_grad=False)
    if len(v) != len(like):
        if like_was_tuple:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for k, (mine, other) in enumerate(zip(v, like, strict=True)):
        if mine.shape != other.shape:
            entry = f"Entry {k} in " if like_was_tuple else ""
            raise RuntimeError(f"{entry}v has invalid size: should be {other.shape!r} but got {mine.shape!r}.")
    return v


def _gradient(name, func, inputs, v, create_graph, strict):
    """For products with a Hessian: the inputs, the vector, the output and the recorded gradient."""
    was_tuple, inputs = _entered(name, inputs, create_graph)
    v = _vector(name, v, inputs, was_tuple, create_graph, "input to the user-provided function is")
    were_tuple, outputs = _outputs(name, func, inputs, strict)
    _check_one_element(name, were_tuple, outputs)
    gradient = _grads(outputs, inputs, None, True)
    _check_tracked(gradient, "jacobian", strict)
    return was_tuple, inputs, v, outputs, gradient


def _check_one_element(name, was_tuple, outputs):
    if was_tuple:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")


def _check_strategy(strategy):
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            f'Expected strategy to be either "forward-mode" or "reverse-mode", but got {strategy!r}. Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to '
            'use "reverse-mode".'
        )


# ---- gradients and zeros ---------------------------------------------------------------------------------------------


def _grads(outputs, inputs, vectors, create_graph, retain_graph=None):
    """`autograd.grad`, for outputs that may be None or have no history; None where there is no dependence."""
    vectors = [None] * len(outputs) if vectors is None else vectors
    pairs = [(y, g) for y, g in zip(outputs, vectors, strict=True) if y is not None and y.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    ys, gs = zip(*pairs)
    return grad(ys, inputs, gs, retain_graph, create_graph, allow_unused=True)


def _zeros(tensor):
    return wrap(np.zeros(tensor._shape, tensor.array.dtype))


def _basis(tensor):
    """The tensors of this shape that are 1 in one place and 0 elsewhere, in order."""
    for k in range(tensor.numel()):
        unit = _zeros(tensor)
        unit.array.reshape(-1)[k] = 1
        yield unit


NOT_IN_STRICT = " This is not allowed in strict mode."
INDEPENDENT = {  # what strict mode says of a gradient that is None, by where it was computed
    "back": "The output of the user-provided function is independent of input {0}." + NOT_IN_STRICT,
    "back_trick": "The gradient with respect to the input is independent of entry {0} in the grad_outputs when using "
    "the double backward trick to compute forward mode gradients." + NOT_IN_STRICT,
    "double_back": "The jacobian of the user-provided function is independent of input {0}." + NOT_IN_STRICT,
    "double_back_trick": "The hessian of the user-provided function is independent of entry {0} in the grad_jacobian. "
    "This is not allowed in strict mode as it prevents from using the double backward trick to replace forward mode "
    "AD.",
}
UNTRACKED = {  # and of a result that has no history
    "hessian": "The hessian of the user-provided function with respect to input {0} is independent of the input. This "
    "is not allowed in strict mode. You should ensure that your function is thrice differentiable and that the hessian "
    "depends on the inputs.",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided function with respect to "
    "input {0} is independent of the input. This is not allowed in strict mode. You should ensure that your function "
    "is twice differentiable and that the jacobian depends on the inputs (this would be violated by a linear function "
    "for example).",
    "grad_inputs": "The gradient with respect to input {0} is independent of the inputs of the user-provided function."
    + NOT_IN_STRICT,
    "outputs": "Output {0} of the user-provided function does not require gradients. The outputs must be computed in a "
    "differentiable manner from the input when running in strict mode.",
}


def _check_tracked(tensors, what, strict):
    """In strict mode: all of them have a history."""
    for k, tensor in enumerate(tensors if strict else ()):
        if tensor is None:
            raise RuntimeError(INDEPENDENT["back"].format(k))
        if not tensor.requires_grad:
            raise RuntimeError(UNTRACKED[what].format(k))


def _filled(found, like, strict, create_graph, stage):
    """Zeros for what is None; in strict mode an error."""
    for k, g in enumerate(found if strict else ()):
        if g is None:
            raise RuntimeError(INDEPENDENT[stage].format(k))
        if create_graph and not g.requires_grad:
            what = "hessian" if "double" in stage else "jacobian"
            raise RuntimeError(
                f"The {what} of the user-provided function is independent of input {k}. This is not allowed in strict "
                "mode when create_graph=True."
            )
    return [_zeros(x) if g is None else g for x, g in zip(like, found, strict=True)]


def _result(tensors, was_tuple, create_graph):
    """Tensors for the caller, in the structure that was given."""
    done = tuple(tensors) if create_graph else tuple([tensor.detach() for tensor in tensors])
    return done if was_tuple else done[0]


# ---- Jacobians -------------------------------------------------------------------------------------------------------


def _row(output, unit, inputs, i, strict, create_graph):
    """The gradient of one element of output i."""
    found = _grads((output,), inputs, (unit,), create_graph, True)
    for k, g in enumerate(found if strict else ()):
        if g is None:
            raise RuntimeError(
                f"Output {i} of the user-provided function is independent of input {k}. This is not allowed in strict "
                "mode."
            )
        if create_graph and not g.requires_grad:
            raise RuntimeError(
                f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in "
                "strict mode when create_graph=True."
            )
    return [_zeros(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


def _joined(rows, output, given):
    shape = (*output._shape, *given._shape)
    return TENSORS["reshape"](TENSORS["stack"](list(rows)), shape) if rows else wrap(np.zeros(shape, given.array.dtype))


def _jacobian_by_columns(func, inputs, create_graph, strict, vectorize):
    if create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for "
            "`vectorize=True`."
        )
    with enable_grad():
        was_tuple, inputs, outputs, outputs_were_tuple = _run("jacobian", func, inputs, False, False)
        dummies = tuple([_zeros(y).requires_grad_() for y in outputs])
        transposed = _grads(outputs, inputs, dummies, True)
        columns = []  # for each input, for each of its elements, for each output
        for g, x in zip(transposed, inputs, strict=True):
            pushed = [_grads((g,), dummies, (unit,), False, True) for unit in _basis(x)]
            columns.append([_filled(column, outputs, False, False, "back") for column in pushed])
        rows = [
            [_turned([column[i].array for column in columns[j]], y, x) for j, x in enumerate(inputs)]
            for i, y in enumerate(outputs)
        ]
    return _matrix(rows, outputs_were_tuple, was_tuple, False)


def _turned(columns, output, given):
    shape = (*output._shape, *given._shape)
    return wrap(np.stack(columns, -1).reshape(shape) if columns else np.zeros(shape, output.array.dtype))


def _matrix(rows, outputs_were_tuple, inputs_were_tuple, create_graph):
    """Rows of tensors as tuples, without the levels that were single tensors."""
    done = tuple([_result(row, inputs_were_tuple, create_graph) for row in rows])
    return done if outputs_were_tuple else done[0]


# ---- autograd.grad(is_grads_batched=True) ----------------------------------------------------------------------------


def batched_grad(roots, chosen, grads, retain_graph, options):
    """`autograd.grad` for each index of the first dimension of the gradients, stacked."""
    counts = {len(g) for g in grads if g is not None and g.ndim}
    if any([g is not None and not g.ndim for g in grads]):
        raise IndexError("grad(): with is_grads_batched=True the grad_outputs need a first dimension, but one is 0-dim")
    if len(counts) != 1:
        raise ValueError(
            "grad(): with is_grads_batched=True the grad_outputs need a first dimension of one size, but their shapes "
            f"are {[None if g is None else list(g._shape) for g in grads]}"
        )
    (count,) = counts
    for k, (root, g) in enumerate(zip(roots, grads, strict=True)):
        if g is not None and g._shape[1:] != root._shape:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{k}] has a shape of {g.shape!r} and output[{k}] has "
                f"a shape of {root.shape!r}. If you only want some tensors in `grad_output` to be considered batched, "
                "consider using vmap."
            )
    select, found = TENSORS["select"], []
    for i in range(count):
        each = [None if g is None else select(g, 0, i) for g in grads]
        retain = True if i < count - 1 else retain_graph
        found.append(grad(roots, chosen, each, retain, *options))
    if not count:
        return tuple([wrap(np.zeros((0, *tensor._shape), tensor.array.dtype)) for tensor in chosen])
    return tuple([None if column[0] is None else TENSORS["stack"](column) for column in zip(*found, strict=True)])
