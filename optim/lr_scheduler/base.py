"""What all schedulers share: the order of calls, their warnings, their state.

Before it: `minigrad.optim.optimizer`. After it: the other files here.
"""

from __future__ import annotations

import warnings

from minigrad.optim.optimizer import Optimizer
from minigrad.tensor import Tensor

__all__ = ["LRScheduler"]

EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler."
)


class LRScheduler:
    """Base class of the schedulers.

    Args:
        optimizer (Optimizer): whose groups' ``"lr"`` is set, at once and in each `step`.
        last_epoch (int): -1 begins; otherwise the epoch to go on from, with ``"initial_lr"`` in each group.

    Attributes:
        base_lrs (list[float]): the initial learning rates, one per group.
        last_epoch (int): the number of `step` calls so far.

    Raises:
        TypeError: `optimizer` is none. KeyError: ``last_epoch >= 0`` and a group has no ``"initial_lr"``.
    """

    _is_initial = False
    _get_lr_called_within_step = False

    def __init__(self, optimizer, last_epoch=-1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch "
                    ">= 0: load the optimizer's state first, or leave last_epoch out"
                )
        self.base_lrs = options_of(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        if not optimizer._has_scheduler:  # steps count from the first scheduler on
            optimizer._has_scheduler, optimizer._opt_called = True, False
            optimizer._known_step = vars(optimizer).get("step")
        self._initial_step()

    def _initial_step(self):
        """Set the rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self):
        """All that the scheduler remembers, as a dict: every attribute but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict) -> None:
        """Go on from a `state_dict` of the same scheduler, here or in PyTorch. Load the optimizer's state as well."""
        self.__dict__.update(state_dict)

    def get_last_lr(self):
        """The learning rates set last, a list with one for each group."""
        return self._last_lr

    def get_lr(self):
        """The learning rates of epoch `last_epoch`, a list with one for each group: what `step` will set."""
        self._warn_outside_step()
        scale = self._scale()
        if scale is None:
            return options_of(self.optimizer, "lr")
        return [group["lr"] * scale for group in self.optimizer.param_groups]

    def _scale(self):
        raise NotImplementedError(f"{type(self).__name__} must define get_lr()")

    def _warn_outside_step(self):
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.", stacklevel=3
            )

    def step(self, epoch=None) -> None:
        """Begin the next epoch: call it after the optimizer's `step`.

        A UserWarning tells if the optimizer has not stepped yet: the first learning rate would never be used.

        Args:
            epoch (int, optional): deprecated; jump to this epoch, by the closed formula where there is one.
        """
        if self._step_count == 1:
            self._warn_wrong_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        """Set the rates of the next epoch, or of `epoch`."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
        self._set_rates(self.get_lr if closed is None else closed)

    def _set_rates(self, get):
        self._get_lr_called_within_step = True
        try:
            values = get()
        finally:
            self._get_lr_called_within_step = False
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            set_option(group, "lr", value)
        self._last_lr = options_of(self.optimizer, "lr")

    def _warn_wrong_order(self):
        own_step = vars(self.optimizer).get("step")
        if own_step is not self.optimizer._known_step:
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. "
                "Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`.",
                stacklevel=3,
            )
        elif own_step is None and not self.optimizer._opt_called:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in the "
                "opposite order: `optimizer.step()` before `lr_scheduler.step()`. Failure to do this will result in "
                "skipping the first value of the learning rate schedule.",
                stacklevel=3,
            )


def check_optimizer(optimizer):
    """The error about what is no optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(rate):
    """A rate that does not change when the group's does: a tensor is copied."""
    return rate.clone() if isinstance(rate, Tensor) else rate


def options_of(optimizer, name):
    """The option of each group, copied."""
    return [copied(group[name]) for group in optimizer.param_groups]


def set_option(group, name, value):
    """Set an option of a group; one that is a tensor stays that tensor."""
    if isinstance(group[name], Tensor):
        group[name].fill_(float(value))
    else:
        group[name] = value


def one_for_each_group(name, optimizer, given):
    """A list with a value for each group, from such a list or from one value for all."""
    groups = len(optimizer.param_groups)
    if not isinstance(given, list | tuple):
        given = [given] * groups
    elif len(given) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(given)} values, "
            f"param_groups has {groups}."
        )
    return [copied(value) for value in given]
