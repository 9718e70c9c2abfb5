"""A module as a function of its parameters: `functional_call`; and many models' parameters as one stack.

PyTorch: torch.func.functional_call, torch.func.stack_module_state, torch.nn.utils.stateless.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import minigrad
from minigrad.tensor import Tensor

__all__ = ["functional_call", "stack_module_state"]

MISSING = object()


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False)

    ``module(*args, **kwargs)`` computed with other parameters and buffers; the module itself stays as it is.

    parameter_and_buffer_dicts: {name: tensor} with the names of `named_parameters()` and `named_buffers()`, or several
    such dicts; what is not named is the module's own. What the module assigns to a named buffer is put into the dict.
    args: a tuple of arguments, or the one argument. tie_weights: parameters that are one tensor under two names stay so
    (ValueError if the two are given different tensors). strict: RuntimeError unless exactly the module's names are
    given. (PyTorch: torch.func.functional_call)
    """
    given = _merged(parameter_and_buffer_dicts)
    known = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    values = _tied(given, known) if tie_weights else given
    if strict:
        _check_names(module, values, known)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _exchanged(module, values, given):
        return module(*args, **(kwargs or {}))


def _merged(dicts):
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, Sequence):
        raise ValueError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(dicts)}"
        )
    if not all(isinstance(each, dict) for each in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    names = [name for each in dicts for name in each]
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    return {name: tensor for each in dicts for name, tensor in each.items()}


def _tied(given, known):
    """The tensors given, also under the other names of the module's tensors they stand for."""
    names_of = {}
    for name, tensor in known.items():
        names_of.setdefault(id(tensor), []).append(name)
    values = dict(given)
    for names in names_of.values():
        tensors = [given[name] for name in names if name in given]
        if any(tensor is not tensors[0] for tensor in tensors):
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(names)}, which are tied. Consider using "
                "tie_weights=False"
            )
        if tensors:
            values.update(dict.fromkeys(names, tensors[0]))
    return values


def _check_names(module, values, known):
    unexpected, missing = [n for n in values if n not in known], [n for n in known if n not in values]
    faults = [f"Unexpected key(s): {', '.join(map(repr, unexpected))}."] if unexpected else []
    faults += [f"Missing key(s): {', '.join(map(repr, missing))}."] if missing else []
    if faults:
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(faults))


@contextlib.contextmanager
def _exchanged(module, values, given):
    """Inside, the module has these tensors. Afterwards its own are back, and `given` has what the module had last."""
    places = {}
    for name, value in values.items():
        if not (value is None or isinstance(value, Tensor)):
            raise TypeError(f"functional_call(): {value!r}, given for {name!r}, is not an instance of torch.Tensor")
        path, _, attribute = name.rpartition(".")
        owner = module.get_submodule(path)
        if isinstance(getattr(type(owner), attribute, None), property):
            raise ValueError(
                f"functional_call(): {name!r} is computed from other tensors (it is parametrized): give these instead, "
                f"e.g. {name.removesuffix(attribute)}parametrizations.{attribute}.original"
            )
        places[name] = owner.__dict__, attribute
    before = {name: space.get(attribute, MISSING) for name, (space, attribute) in places.items()}
    try:
        for name, (space, attribute) in places.items():
            space[attribute] = values[name]
        yield
    finally:
        given.update({name: places[name][0][places[name][1]] for name in given})
        for name, (space, attribute) in places.items():
            if before[name] is MISSING:
                space.pop(attribute, None)
            else:
                space[attribute] = before[name]


def stack_module_state(models):
    """stack_module_state(models) -> (params, buffers)

    The parameters and buffers of several models of one class, stacked: two dicts {name: tensor with a first dimension
    of ``len(models)``}, for `functional_call` under `vmap`. The stacks are new leaves, which require grad where the
    models' parameters do. RuntimeError if the models differ in class, mode or requires_grad.
    (PyTorch: torch.func.stack_module_state)
    """
    if not len(models):
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if any(type(model) is not type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    return (
        _stacked([dict(model.named_parameters()) for model in models]),
        _stacked([dict(model.named_buffers()) for model in models]),
    )


def _stacked(states):
    return {name: _stack([state[name] for state in states], name) for name in states[0]}


def _stack(tensors, name):
    wanted = {tensor.requires_grad for tensor in tensors}
    if len(wanted) > 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    together = minigrad.stack(tensors)
    return together.detach().requires_grad_() if wanted.pop() else together
