"""Hooks: functions that a module calls around its `forward` and when gradients pass it.

Second part of `Module`.  A module without hooks never comes here: `Module.__call__` goes straight to `forward`.
Hooks are kept as ``{kind: {id: Hook}}``, in the order in which they run; `EVERYWHERE` holds those of all modules.

A backward hook needs to know when the gradient reaches the module's output and its input.  Both ends are marked by
`Boundary`, an identity in the graph whose backward tells the `Passage` of this call:

    loss ── ... ── Boundary ──▶ forward's graph ──▶ Boundary ── ... inputs      (arrows: the way of the gradient)
                  grad_output                      grad_input, and the hooks run
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import NamedTuple

import minigrad
from minigrad.autograd import Function
from minigrad.autograd.node import Handle, tick
from minigrad.nn.modules.attributes import Attributes
from minigrad.tensor import Tensor

__all__ = [
    "Hookable",
    "register_module_backward_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]

EVERYWHERE: dict[str, dict[int, Hook]] = {}


class Hook(NamedTuple):
    """A function and how it is called."""

    call: Callable
    with_kwargs: bool = False
    always_call: bool = False


# How PyTorch calls the hooks of each kind, and the marks of those that have some.
KINDS = {
    "backward_pre": "_backward_pre_hooks",
    "backward": "_backward_hooks",
    "forward": "_forward_hooks",
    "forward_pre": "_forward_pre_hooks",
    "state_dict": "_state_dict_hooks",
    "state_dict_replace": "_state_dict_replacing_hooks",  # a kind of ours; PyTorch keeps these with the others
    "state_dict_pre": "_state_dict_pre_hooks",
    "load_pre": "_load_state_dict_pre_hooks_with_module",  # PyTorch wraps these; a name of ours keeps them apart
    "load_post": "_load_state_dict_post_hooks",
}
MARKS = {
    "_forward_hooks_with_kwargs": ("forward", "with_kwargs"),
    "_forward_hooks_always_called": ("forward", "always_call"),
    "_forward_pre_hooks_with_kwargs": ("forward_pre", "with_kwargs"),
}


class HookHandle(Handle):
    """A handle that leaves no empty dict behind: a module whose hooks are all removed is as fast as before."""

    def __init__(self, hooks, kind, hook, prepend=False) -> None:
        self._owner, self._kind = hooks, kind
        super().__init__(hooks.setdefault(kind, {}), hook, prepend)

    def __getstate__(self):
        return {"_owner": {}, "_kind": self._kind, "_hooks": {}, "id": self.id}  # the module joins them again

    def remove(self):
        super().remove()
        if not self._hooks and self._owner.get(self._kind) is self._hooks:
            del self._owner[self._kind]


def hooks_of(module, kind):
    """The hooks of all modules, then the module's own."""
    return [*EVERYWHERE.get(kind, {}).items(), *module._hooks.get(kind, {}).items()]


def call_with_hooks(module, args, kwargs):
    """`module.forward(*args, **kwargs)` with every hook run at its place."""
    forward_hooks, done, result = hooks_of(module, "forward"), set(), None
    try:
        args, kwargs = run_pre_hooks(module, args, kwargs)
        passage = Passage.of(module)
        if passage:
            args = passage.enter(args)
        result = module.forward(*args, **kwargs)
        for key, hook in forward_hooks:
            done.add(key)
            result = run_forward_hook(hook, module, args, kwargs, result)
        return passage.leave(result) if passage else result
    except Exception:
        for key, hook in forward_hooks:
            if hook.always_call and key not in done:
                try:
                    result = run_forward_hook(hook, module, args, kwargs, result)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that was silenced as "
                        f"another error was raised in forward: {error}",
                        stacklevel=3,
                    )
        raise


def run_pre_hooks(module, args, kwargs):
    """The arguments, as the forward pre-hooks leave them."""
    for _, hook in hooks_of(module, "forward_pre"):
        if hook.with_kwargs:
            changed = hook.call(module, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
        else:
            changed = hook.call(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    return args, kwargs


def run_forward_hook(hook, module, args, kwargs, result):
    """The result, as the forward hook leaves it."""
    changed = hook.call(module, args, kwargs, result) if hook.with_kwargs else hook.call(module, args, result)
    return result if changed is None else changed


class Boundary(Function):
    """The identity; its backward hands the gradients to `notify` and passes on what that returns."""

    @staticmethod
    def forward(ctx, notify, *tensors):
        ctx.notify = notify
        ctx.set_materialize_grads(False)  # None says that no gradient came
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx, *grads):
        return (None, *ctx.notify(grads))


class Passage:
    """One call of a module with backward hooks: what its two boundaries know of each other."""

    def __init__(self, module, pre_hooks, hooks) -> None:
        self.module, self.pre_hooks, self.hooks = module, pre_hooks, hooks
        self.grad_output = None
        self.inputs = self.outputs = 0  # how many there are
        self.marked_inputs = self.marked_outputs = ()  # the positions of those that require grad
        self.blanks: dict = {}  # shape and dtype of the inputs that are tensors, by position

    @classmethod
    def of(cls, module):
        """A passage, or None if the module has no backward hooks."""
        if not EVERYWHERE and module._hooks.keys().isdisjoint(("backward_pre", "backward")):  # nearly always
            return None
        pre_hooks = [hook.call for _, hook in hooks_of(module, "backward_pre")]
        hooks = [hook.call for _, hook in hooks_of(module, "backward")]
        return cls(module, pre_hooks, hooks) if pre_hooks or hooks else None

    def enter(self, args):
        """The arguments, with those that require grad behind a boundary."""
        self.inputs = len(args)
        self.blanks = {i: (arg.shape, arg.dtype) for i, arg in enumerate(args) if isinstance(arg, Tensor)}
        args, self.marked_inputs = self._mark(args, self._input_grads)
        return args

    def leave(self, result):
        """The result behind a boundary."""
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                stacklevel=4,
            )
            return result
        results = (result,) if isinstance(result, Tensor) else result
        self.outputs = len(results)
        results, self.marked_outputs = self._mark(results, self._output_grads)
        return results[0] if isinstance(result, Tensor) else results

    @staticmethod
    def _mark(values, notify):
        marked = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
        if not marked:
            return values, ()
        replaced = list(values)
        for i, tensor in zip(marked, Boundary.apply(notify, *[values[i] for i in marked]), strict=True):
            replaced[i] = tensor
        return tuple(replaced), marked

    def _output_grads(self, grads):
        self.grad_output = spread(grads, self.marked_outputs, self.outputs)
        for hook in self.pre_hooks:
            changed = hook(self.module, self.grad_output)
            if changed is not None:
                self.grad_output = checked(changed, self.outputs, "Backward pre hook", "grad_output")
        if not self.marked_inputs:  # no gradient will arrive at an input: the hooks run now
            for hook in self.hooks:
                changed = hook(self.module, (None,) * self.inputs, self.grad_output)
                if changed is not None and any(grad is not None for grad in as_tuple(changed)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return None or "
                        "None for all gradients."
                    )
        return [self.grad_output[i] for i in self.marked_outputs]

    def _input_grads(self, grads):
        if self.grad_output is None:  # it came past the output, as in the backward of a backward: not this passage
            return grads
        grad_input = list(spread(grads, self.marked_inputs, self.inputs))
        for i, (shape, dtype) in self.blanks.items():
            if grad_input[i] is None:  # as in PyTorch, every tensor has a gradient, if only zeros
                grad_input[i] = minigrad.zeros(shape, dtype=dtype)
        grad_input = tuple(grad_input)
        for hook in self.hooks:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = checked(changed, self.inputs, "Backward hook", "grad_input")
        self.grad_output = None  # a second backward through a kept graph starts afresh
        return [grad_input[i] for i in self.marked_inputs]


def as_tuple(value):
    """A single gradient as a tuple of one."""
    return value if isinstance(value, tuple) else (value,)


def spread(grads, positions, count):
    """A tuple of `count` gradients, None where there is none."""
    at = dict(zip(positions, grads, strict=True))
    return tuple(at.get(i) for i in range(count))


def checked(grads, count, who, what):
    """What a backward hook returned, as a tuple of `count`."""
    grads = as_tuple(grads)
    if len(grads) != count:
        raise RuntimeError(f"{who} returned an invalid number of {what}, got {len(grads)}, but expected {count}")
    return grads


class Calls(MutableMapping):
    """The hooks of one kind as PyTorch's programs find them, {id: function}: to look at, count, clear or delete."""

    __slots__ = ("_kind", "_owner")

    def __init__(self, hooks, kind) -> None:
        self._owner, self._kind = hooks, kind

    def __getitem__(self, key):
        return self._owner.get(self._kind, {})[key].call

    def __setitem__(self, key, function):
        self._owner.setdefault(self._kind, {})[key] = Hook(function)

    def __delitem__(self, key):
        hooks = self._owner.get(self._kind, {})
        del hooks[key]
        if not hooks:
            del self._owner[self._kind]

    def __iter__(self):
        return iter(self._owner.get(self._kind, {}))

    def __len__(self):
        return len(self._owner.get(self._kind, {}))

    def __repr__(self):
        return repr(OrderedDict(self))


def _calls_of_kind(kind):
    """The property under which PyTorch's programs find the hooks of one kind."""

    def replace(self, hooks):
        self._hooks.pop(kind, None)
        Calls(self._hooks, kind).update(hooks)

    def delete(self):
        self._hooks.pop(kind, None)

    return property(lambda self: Calls(self._hooks, kind), replace, delete)


def _hooks_of_kind(kind):
    """The same of the kinds that are kept as plain functions."""

    def replace(self, hooks):
        self._hooks[kind] = hooks

    def delete(self):
        self._hooks.pop(kind, None)

    return property(lambda self: self._hooks.setdefault(kind, {}), replace, delete)


def _with_kwargs(kind):
    """The property that says which hooks of a kind take keyword arguments, as {id: True}."""
    return property(lambda self: {key: True for key, hook in self._hooks.get(kind, {}).items() if hook.with_kwargs})


def without_module(hook, module, *args):
    """Call a hook that does not want the module. (A function of the file, so that it can be pickled.)"""
    return hook(*args)


class Hookable(Attributes):
    """The hook side of `Module`. Every method returns a handle whose ``remove()`` takes the hook away."""

    _hooks: dict[str, dict]

    def __getstate__(self):
        state = super().__getstate__()
        kinds = state.pop("_hooks")
        for kind, name in KINDS.items():
            state[name] = OrderedDict((key, getattr(hook, "call", hook)) for key, hook in kinds.get(kind, {}).items())
        for name, (kind, mark) in MARKS.items():
            marked = [key for key, hook in kinds.get(kind, {}).items() if getattr(hook, mark)]
            state[name] = OrderedDict.fromkeys(marked, True)
        state["_is_full_backward_hook"] = True if kinds.get("backward") else None
        return state

    def __setstate__(self, state):
        state = dict(state)
        kinds = {kind: dict(state.pop(name, ())) for kind, name in KINDS.items()}
        fresh = {key: tick() for hooks in kinds.values() for key in hooks}  # another process may have given them too
        for kind in ("forward", "forward_pre", "backward", "backward_pre"):
            kinds[kind] = {key: Hook(call) for key, call in kinds[kind].items()}
        for name, (kind, mark) in MARKS.items():
            for key in state.pop(name, ()):
                kinds[kind][key] = kinds[kind][key]._replace(**{mark: True})
        state.pop("_is_full_backward_hook", None)
        kinds = {kind: {fresh[key]: hook for key, hook in hooks.items()} for kind, hooks in kinds.items() if hooks}
        super().__setstate__({**state, "_hooks": kinds})
        for handle in state.values():
            if isinstance(handle, HookHandle) and handle.id in fresh:
                handle._owner, handle._hooks, handle.id = kinds, kinds[handle._kind], fresh[handle.id]

    _forward_hooks = _calls_of_kind("forward")
    _forward_pre_hooks = _calls_of_kind("forward_pre")
    _forward_hooks_with_kwargs = _with_kwargs("forward")
    _forward_pre_hooks_with_kwargs = _with_kwargs("forward_pre")
    _backward_hooks = _calls_of_kind("backward")
    _backward_pre_hooks = _calls_of_kind("backward_pre")
    _state_dict_hooks = _hooks_of_kind("state_dict")
    _state_dict_pre_hooks = _hooks_of_kind("state_dict_pre")
    _load_state_dict_pre_hooks = _hooks_of_kind("load_pre")
    _load_state_dict_post_hooks = _hooks_of_kind("load_post")

    def register_forward_pre_hook(self, hook, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call ``hook(module, args)`` before `forward`; it may return new arguments (a tuple, or a single one).

        With ``with_kwargs=True`` it is ``hook(module, args, kwargs)`` and may return ``(args, kwargs)``.
        ``prepend=True`` puts it before the hooks already there. (PyTorch: torch.nn.Module.register_forward_pre_hook)
        """
        return HookHandle(self._hooks, "forward_pre", Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Call ``hook(module, args, output)`` after `forward`; it may return another output.

        With ``with_kwargs=True`` it is ``hook(module, args, kwargs, output)``. ``always_call=True`` calls it even if
        `forward` raised (output None). ``prepend=True`` puts it before the hooks already there.
        (PyTorch: torch.nn.Module.register_forward_hook)
        """
        return HookHandle(self._hooks, "forward", Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook, prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_output)`` when the gradient of the module's output is known.

        `grad_output` is a tuple with None for outputs that are no tensors; the hook may return another, which is used
        instead. (PyTorch: torch.nn.Module.register_full_backward_pre_hook)
        """
        return HookHandle(self._hooks, "backward_pre", Hook(hook), prepend)

    def register_full_backward_hook(self, hook, prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the module's inputs are known.

        Both are tuples over the positional arguments and the outputs, None for what is no tensor. The hook may return
        another `grad_input`, which goes on instead. (PyTorch: torch.nn.Module.register_full_backward_hook)
        """
        return HookHandle(self._hooks, "backward", Hook(hook), prepend)

    def register_backward_hook(self, hook) -> Handle:
        """PyTorch's deprecated hook; here it is `register_full_backward_hook`."""
        return self.register_full_backward_hook(hook)

    def register_state_dict_pre_hook(self, hook) -> Handle:
        """Call ``hook(module, prefix, keep_vars)`` before this module's part of `state_dict` is collected."""
        return HookHandle(self._hooks, "state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook) -> Handle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` afterwards; it may change `state_dict` in place."""
        return HookHandle(self._hooks, "state_dict", hook)

    def register_load_state_dict_pre_hook(self, hook) -> Handle:
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)``
        before this module loads its part; it may change `state_dict` in place."""
        return HookHandle(self._hooks, "load_pre", hook)

    def _register_load_state_dict_pre_hook(self, hook, with_module=False) -> Handle:
        """`register_load_state_dict_pre_hook`, by default of a hook without the argument `module`."""
        return HookHandle(self._hooks, "load_pre", hook if with_module else functools.partial(without_module, hook))

    def _register_state_dict_hook(self, hook) -> Handle:
        """`register_state_dict_post_hook` of a hook that may return another dict, to be used in place of the one it was
        given."""
        return HookHandle(self._hooks, "state_dict_replace", hook)

    def register_load_state_dict_post_hook(self, hook) -> Handle:
        """Call ``hook(module, incompatible_keys)`` after this module has loaded; it may change the two lists in place,
        e.g. clear ``incompatible_keys.missing_keys`` so that strict loading passes."""
        return HookHandle(self._hooks, "load_post", hook)


def register_module_forward_pre_hook(hook) -> Handle:
    """`Module.register_forward_pre_hook` for all modules at once. For debugging and profiling."""
    return HookHandle(EVERYWHERE, "forward_pre", Hook(hook))


def register_module_forward_hook(hook, *, with_kwargs: bool = False, always_call: bool = False) -> Handle:
    """`Module.register_forward_hook` for all modules at once. For debugging and profiling."""
    return HookHandle(EVERYWHERE, "forward", Hook(hook, with_kwargs, always_call))


def register_module_backward_hook(hook) -> Handle:
    """PyTorch's deprecated hook; here it is `register_module_full_backward_hook`."""
    return register_module_full_backward_hook(hook)


def register_module_full_backward_pre_hook(hook) -> Handle:
    """`Module.register_full_backward_pre_hook` for all modules at once. For debugging and profiling."""
    return HookHandle(EVERYWHERE, "backward_pre", Hook(hook))


def register_module_full_backward_hook(hook) -> Handle:
    """`Module.register_full_backward_hook` for all modules at once. For debugging and profiling."""
    return HookHandle(EVERYWHERE, "backward", Hook(hook))
