"""What all optimizers share: parameter groups, one state per parameter, `step`, `zero_grad`, `state_dict`, hooks.

Before it: `hooks.py`. After it: `sgd.py`, `adam.py` and the others, which say in two methods what is theirs.

    class SignSGD(Optimizer):                              # an optimizer of one's own
        def __init__(self, params, lr=1e-3):
            super().__init__(params, {"lr": lr})

        def init_param(self, p, group):                    # the state of a parameter before its first step
            return {}

        def update(self, p, g, state, group):              # two arrays; p is changed in place
            p -= group["lr"] * np.sign(g)

Classes written for PyTorch, which override `step` and loop over ``self.param_groups`` themselves, work as well.
"""

from __future__ import annotations

import collections
import copy
import itertools
import warnings
from typing import Any

import numpy as np

from minigrad.autograd.modes import enable_grad
from minigrad.autograd.node import bump, bump_all
from minigrad.dtypes import float64, get_default_dtype
from minigrad.kernels.dispatch import get_backend
from minigrad.optim.hooks import Hooked, register_optimizer_step_post_hook, register_optimizer_step_pre_hook, with_hooks
from minigrad.optim.together import table_of
from minigrad.tensor import Tensor, wrap

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook", "required"]


class _Required:
    """Marks, among an optimizer's defaults, an option that every group has to give."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()


class Optimizer(Hooked):
    """Base class of all optimizers. (PyTorch: torch.optim.Optimizer)

    Args:
        params (iterable): tensors, or ``(name, tensor)`` pairs as from ``named_parameters()``, or dicts: one parameter
            group each, with its own options, e.g. ``[{"params": net.head.parameters(), "lr": 0.1}, ...]``.
        defaults (dict): the options of groups that do not give their own.

    Attributes:
        param_groups (list[dict]): the groups: ``"params"`` and the options, which may be changed at any time.
        state (dict): by parameter, a dict of what is remembered between steps (tensors of the parameter's shape).

    Raises:
        ValueError: no parameters; a parameter in two groups; one that is no leaf; an option without a value.
        TypeError: `params` is a tensor, a set, or holds something that is no tensor.
    """

    numbers: tuple[str, ...] = ()  # names of state that is a 0-dim tensor, and may be a number in an old state
    update_all: Any = None  # a method (table, constants) that does for a `together.Table` what `update` does for one
    state_names: Any = None  # and one that names the tensors of state, in the order of the table's columns
    _tables: dict[int, Any] = {}  # noqa: RUF012  by group; an optimizer has its own from its first step on
    _has_scheduler, _known_step = False, None  # whether there is one, and the `step` that the object itself had then

    def __init__(self, params, defaults) -> None:
        self.defaults = defaults
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a single "
                f"{type(params).__name__}: put it in a list"
            )
        self.state: dict[Any, dict] = collections.defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        """Take over `state`; a group that lacks an option, as one saved by an older version may, gets the default."""
        self.__dict__.update(state)
        self._tables = {}
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)
            _check_options(group)
            for p in group["params"]:
                kept = self.state.get(p, {})
                for name in self.numbers:
                    if name in kept and not isinstance(kept[name], Tensor):
                        kept[name] = scalar(kept[name])

    def __repr__(self):
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            options = [f"    {name}: {group[name]}\n" for name in sorted(group) if name != "params"]
            text += f"\nParameter Group {i}\n{''.join(options)}"
        return text + ")"

    # ---- groups

    def add_param_group(self, param_group) -> None:
        """Optimize these parameters too, e.g. layers that were frozen so far.

        Args:
            param_group (dict): ``"params"`` (a tensor or an iterable of them), and options other than the defaults.

        Raises: as the class does.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        given = param_group["params"]
        if isinstance(given, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        given = [given] if isinstance(given, Tensor) else list(given)
        params = [entry[1] if isinstance(entry, tuple) else entry for entry in given]
        names = [entry[0] for entry in given if isinstance(entry, tuple)]
        if names and len(names) != len(params):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        _check_options(param_group)
        if not all(p.is_leaf or p.retains_grad for p in params):
            raise ValueError("can't optimize a non-leaf Tensor: give the tensors that it was computed from")
        if len(set(params)) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters: they are updated once for each "
                "mention; this will cause an error in future",
                stacklevel=3,
            )
        known = {p for group in self.param_groups for p in group["params"]}
        if not known.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")
        if any(bool(names) != ("param_names" in group) for group in self.param_groups):
            raise ValueError(
                "all optimizer param groups should be with/without names. cannot add param group "
                f"{'with' if names else 'without'} names to the optimizer"
            )
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        self.param_groups.append(param_group)

    def zero_grad(self, set_to_none=True) -> None:
        """Drop the gradients of all parameters (``.grad`` is None), or with ``set_to_none=False`` fill them with 0."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    if p.node is not None and p.node is p.leaf:  # nearly always; spares two property calls
                        p.leaf.grad = None
                    elif p.grad is not None:
                        p.grad = None
                elif p.grad is not None:
                    p.grad.detach_().zero_()

    # ---- steps

    def init_param(self, p, group):
        """The state of parameter `p` (a Tensor) before its first step: a dict of tensors, or {}."""
        raise NotImplementedError(f"{type(self).__name__} must define init_param(p, group) and update(), or step()")

    def constants(self, group):
        """What one step needs of a group's options, worked out once for all its parameters: `update`'s last argument.
        Here: the group itself."""
        return group

    def update(self, p, g, state, constants):
        """One step of one parameter, in place.

        Args:
            p, g (ndarray): its values and its gradient, of one shape and dtype (float32 or float64), in C order.
            state (dict): what `init_param` made; its tensors are of that kind, too.
            constants: what `constants` returned for its group.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update(p, g, state, constants), or step()")

    @with_hooks
    def step(self, closure=None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure (Callable, optional): clears the gradients, computes the loss, calls backward and returns the loss.

        Returns:
            what `closure` returned, or None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group):
        params, grads, own = [], [], []
        for p in group["params"]:
            leaf = p.leaf
            grad = leaf.grad if leaf is not None and p.node is leaf else p.grad  # nearly always the first
            if grad is None:
                continue
            state = self.state.get(p)
            if not state:
                state = self.init_param(p, group)
                if state:
                    self.state[p] = state
            params.append(p)
            grads.append(grad)
            own.append(state)
        if not params:
            return
        constants = self.constants(group)
        together = self.update_all is not None and get_backend() != "numpy"
        if not (together and self._step_all(group, params, grads, own, constants)):
            with np.errstate(all="ignore"):  # what overflows is inf, silently, as in PyTorch
                self._step_each(params, grads, own, constants)

    def _step_all(self, group, params, grads, own, constants):
        """Update these parameters in one call; False, and nothing is done, where the kernel does not take them."""
        arrays = [p.array for p in params]
        try:
            for name in self.state_names(group):
                arrays += [state[name].array for state in own]
        except (KeyError, AttributeError):
            return False
        table = self._tables.get(id(group))
        if table is None or not table.is_of(arrays):
            table = table_of(arrays, len(params), bool(self.numbers))
            self._tables = {**self._tables, id(group): table}
        if table is None or not table.take([grad.array for grad in grads]):
            return False
        self.update_all(table, constants)
        bump_all(params, f"{type(self).__name__}.step")
        return True

    def _step_each(self, params, grads, own, constants):
        update, writer = self.update, f"{type(self).__name__}.step"
        for p, grad, state in zip(params, grads, own, strict=True):
            array, g = p.array, grad.array
            if p._shape != grad._shape:
                raise misfit("its gradient", g, array)
            if array.flags.c_contiguous and g.flags.c_contiguous and array.itemsize > 2:
                update(array, g, state, constants)
            else:
                self._update_aside(array, g, state, constants)
            bump(p, writer)

    def _update_aside(self, array, g, state, constants):
        """`update` by way of copies, for what kernels do not take: arrays that are not in C order, and float16, which
        is computed in float32 and rounded once."""
        half = array.dtype == np.float16

        def widened(a):
            return a.astype(np.float32 if half and a.dtype == np.float16 else a.dtype, order="C")

        values = widened(array)
        wide = {name: wrap(widened(part.array)) if isinstance(part, Tensor) else part for name, part in state.items()}
        self.update(values, widened(g), wide, constants)
        array[...] = values
        for name, part in wide.items():
            if isinstance(state.get(name), Tensor):
                state[name].array[...] = part.array
            else:  # a number, or a tensor that this step has made
                state[name] = wrap(part.array.astype(array.dtype)) if isinstance(part, Tensor) else part

    # ---- saving

    def state_dict(self):
        """The state and the options, as PyTorch lays them out; parameters are numbered in the order of the groups.

        ``{"state": {0: {"momentum_buffer": tensor(...)}, ...}, "param_groups": [{"lr": 0.1, ..., "params": [0]}]}``

        The tensors are those of the optimizer, not copies: take `copy.deepcopy` of it to keep a moment.
        """
        for hook in list(self._optimizer_state_dict_pre_hooks.values()):
            hook(self)
        numbers = {}
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(p, len(numbers))
        packed = {
            "state": {numbers[key] if isinstance(key, Tensor) else key: state for key, state in self.state.items()},
            "param_groups": [
                {**{name: option for name, option in group.items() if name != "params"},
                 "params": [numbers[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }  # fmt: skip
        for hook in list(self._optimizer_state_dict_post_hooks.values()):
            changed = hook(self, packed)
            packed = packed if changed is None else changed
        return packed

    def load_state_dict(self, state_dict) -> None:
        """Go on from what `state_dict` returned, here or in PyTorch (its tensors are taken as they are).

        Everything is copied; floating point state takes the dtype of its parameter, except ``"step"``.

        Raises:
            ValueError: the groups do not match in number or size, or a tensor of the state does not fit its parameter.
        """
        state_dict = dict(state_dict)
        for hook in list(self._optimizer_load_state_dict_pre_hooks.values()):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups, saved_groups = self.param_groups, state_dict["param_groups"]
        if len(groups) != len(saved_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: {len(saved_groups)}, and the optimizer "
                f"has {len(groups)}"
            )
        sizes = [len(group["params"]) for group in groups]
        saved_sizes = [len(group["params"]) for group in saved_groups]
        if sizes != saved_sizes:
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                f"its groups have {saved_sizes} parameters, the optimizer's {sizes}"
            )
        merged = []
        for group, saved in zip(groups, saved_groups):
            options = {name: copy.deepcopy(value) for name, value in saved.items() if name != "params"}
            if "param_names" in group:
                options.setdefault("param_names", group["param_names"])
            merged.append({"params": group["params"], **options})
        everywhere = itertools.chain.from_iterable
        params = dict(
            zip(everywhere(saved["params"] for saved in saved_groups), everywhere(group["params"] for group in groups))
        )
        state: dict[Any, dict] = collections.defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _adopt(value, params[key])
            else:
                state[key] = value
        former = self.__getstate__()
        self.__setstate__({"state": state, "param_groups": merged})
        try:
            self._check_state()
        except ValueError:
            self.__setstate__(former)
            raise
        for hook in list(self._optimizer_load_state_dict_post_hooks.values()):
            hook(self)

    def _check_state(self):
        """The kernels trust the shapes of the state, so what was loaded is held against what `init_param` makes."""
        if type(self).init_param is Optimizer.init_param:
            return
        everything = [(p, group) for group in self.param_groups for p in group["params"]]
        for i, (p, group) in enumerate(everything):
            state = self.state.get(p)
            for name, fresh in (self.init_param(p, group) if state else {}).items():
                if name not in state:
                    raise ValueError(
                        f"loaded state dict has no {name!r} for parameter {i}, only {sorted(state)}: it was not saved "
                        f"by {type(self).__name__} with these options"
                    )
                loaded = state[name]
                what = f"loaded state dict: {name!r} of parameter {i}"
                if isinstance(fresh, Tensor) and not isinstance(loaded, Tensor):
                    raise ValueError(f"{what} is {type(loaded).__name__}, expected a tensor")
                shape = fresh.shape if isinstance(fresh, Tensor) else p.shape
                if isinstance(loaded, Tensor) and loaded.shape != shape:
                    raise ValueError(f"{what} has shape {list(loaded.shape)}, expected {list(shape)}")


def _check_options(group):
    if group.get("differentiable"):
        raise NotImplementedError(
            "differentiable=True is not supported: to differentiate through an update, write it with operations, e.g. "
            "w = w - lr * autograd.grad(loss, w, create_graph=True)[0]"
        )


def _adopt(value, p, name=None):
    """A copy of one value of a saved state, for parameter `p`. Tensors may be of another library."""
    if isinstance(value, dict):
        return {key: _adopt(part, p, key) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_adopt(part, p) for part in value])
    if isinstance(value, Tensor) or hasattr(value, "__array__"):
        array = value.array if isinstance(value, Tensor) else np.asarray(value)
        return wrap(np.array(array, array.dtype if name == "step" else p.array.dtype, order="C"))
    return copy.deepcopy(value)


# ---- what subclasses are written with


def scalar(value, fused=None):
    """A number as state keeps it: a 0-dim tensor, float32 unless the default dtype is float64 (and not `fused`)."""
    wide = get_default_dtype() is float64 and not fused
    return wrap(np.array(value, np.float64 if wide else np.float32))


def zeros(p, value=0):
    """State of the shape and dtype of parameter `p`, filled with `value`."""
    return wrap(np.full(p.shape, value, p.array.dtype))


def next_step(state):
    """Count a step; returns its number, a float."""
    step = state["step"].array
    step[()] = number = step.item() + 1.0
    return number


def flat(p, g, state, *names):
    """Parameter, gradient and the state of these names (None where there is none), as arrays of one dimension: kernels
    are then not compiled anew for each number of dimensions, and they do not look at sizes."""
    arrays = [p, g]
    for name in names:
        part = state.get(name)
        array = None if part is None else part.array
        if array is not None and array.size != p.size:
            raise misfit(f"its {name}", array, p)
        arrays.append(array)
    return arrays if p.ndim == 1 else [None if a is None else a.ravel() for a in arrays]


def misfit(what, array, p):
    """The error for an array that has not the shape of the parameter any more. Kernels do not look."""
    return RuntimeError(
        f"step(): a parameter has shape {list(p.shape)}, but {what} has shape {list(array.shape)}: if its data were "
        "replaced by others of another shape, make a new optimizer"
    )


def check_lr(lr, message="Invalid learning rate: {}"):
    """The errors about a learning rate."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(message.format(lr))


def check_not_negative(message="Invalid {} value: {}", **options):
    """The error about the first of these options that is negative or NaN."""
    for name, value in options.items():
        if not value >= 0.0:
            raise ValueError(message.format(name, value))


def check_betas(betas):
    """The error about a share of a running mean outside of [0, 1)."""
    for i, beta in enumerate(betas[:2]):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def check_ways(foreach, fused, differentiable):
    """The errors about ways to run that exclude one another."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
