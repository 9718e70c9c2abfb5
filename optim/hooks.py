"""Functions that are called around `step`, `state_dict` and `load_state_dict`, of one optimizer or of all.

Before it: `minigrad.autograd.node`, for the handle. After it: `optimizer.py`, whose base class this is.
"""

from __future__ import annotations

import functools
import types
from typing import Any

from minigrad.autograd.node import Handle

__all__ = ["Hooked", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]

_before_all: dict[int, Any] = {}
_after_all: dict[int, Any] = {}
_NONE: Any = types.MappingProxyType({})  # what an optimizer has before its first hook, also one that skips `__init__`


def register_optimizer_step_pre_hook(hook) -> Handle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of any optimizer; see `register_step_pre_hook`.

    Returns a handle with `remove()`. (PyTorch: torch.optim.optimizer.register_optimizer_step_pre_hook)
    """
    return Handle(_before_all, hook)


def register_optimizer_step_post_hook(hook) -> Handle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of any optimizer. Returns a handle with `remove()`.

    (PyTorch: torch.optim.optimizer.register_optimizer_step_post_hook)
    """
    return Handle(_after_all, hook)


def with_hooks(step):
    """`step` between the hooks. A `step` that calls ``super().step()`` runs them once."""
    if getattr(step, "hooked", False):
        return step

    @functools.wraps(step)
    def hooked(self, *args, **kwargs):
        if self._in_step:
            return step(self, *args, **kwargs)
        self._opt_called = self._in_step = True
        try:
            args = (self, *args)
            for hook in [*_before_all.values(), *self._optimizer_step_pre_hooks.values()]:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not (isinstance(changed, tuple) and len(changed) == 2):
                        raise RuntimeError(
                            f"{step.__qualname__} pre-hooks must return None or a tuple of (new_args, new_kwargs), but "
                            f"got {changed}."
                        )
                    args, kwargs = changed
            result = step(*args, **kwargs)
            for hook in [*self._optimizer_step_post_hooks.values(), *_after_all.values()]:
                hook(self, args, kwargs)
            return result
        finally:
            self._in_step = False

    hooked.hooked = True
    return hooked


class Hooked:
    """What runs the hooks of an optimizer: its `step`, in whatever subclass it is defined, is wrapped."""

    _in_step = False  # inside of `step`
    _opt_called = False  # `step` was called since there is a scheduler
    _optimizer_step_pre_hooks = _optimizer_step_post_hooks = _NONE
    _optimizer_state_dict_pre_hooks = _optimizer_state_dict_post_hooks = _NONE
    _optimizer_load_state_dict_pre_hooks = _optimizer_load_state_dict_post_hooks = _NONE

    profile_hook_step = staticmethod(with_hooks)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = with_hooks(cls.step)

    def _add_hook(self, name, hook, prepend=False):
        return Handle(vars(self).setdefault(name, {}), hook, prepend)

    def register_step_pre_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return new ``(args, kwargs)`` (`args` begins
        with the optimizer). Returns a handle with `remove()`."""
        return self._add_hook("_optimizer_step_pre_hooks", hook)

    def register_step_post_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` after each step. Returns a handle with `remove()`."""
        return self._add_hook("_optimizer_step_post_hooks", hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Call ``hook(optimizer)`` before `state_dict`. Returns a handle with `remove()`."""
        return self._add_hook("_optimizer_state_dict_pre_hooks", hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Call ``hook(optimizer, state_dict)`` after `state_dict`; what it returns, if not None, is the result."""
        return self._add_hook("_optimizer_state_dict_post_hooks", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Call ``hook(optimizer, state_dict)`` before loading; what it returns, if not None, is loaded instead."""
        return self._add_hook("_optimizer_load_state_dict_pre_hooks", hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Call ``hook(optimizer)`` after loading. Returns a handle with `remove()`."""
        return self._add_hook("_optimizer_load_state_dict_post_hooks", hook, prepend)
