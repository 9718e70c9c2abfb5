"""Learning rates that change from epoch to epoch, under PyTorch's names. (PyTorch: torch.optim.lr_scheduler)

    scheduler = StepLR(optimizer, step_size=30, gamma=0.1)
    for epoch in range(100):
        train(...)                  # calls optimizer.step()
        scheduler.step()            # after it, once per epoch

Like PyTorch's, they are chained: each `step` scales the rates that the groups have now, so several schedulers can work
on one optimizer, and the numbers are PyTorch's to the last bit. A scheduler of that kind is two formulas:

    _scale()          what this epoch multiplies the current rates by; None leaves them
    _closed_scale()   what the initial rates are multiplied by at `last_epoch`; only for the deprecated ``step(epoch)``

Others, and those of users, override `get_lr()`.
"""

from __future__ import annotations

import bisect
import collections
import math
import types
import warnings

from minigrad.optim.optimizer import Optimizer
from minigrad.tensor import Tensor

__all__ = [
    "ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
    "MultiplicativeLR", "PolynomialLR", "ReduceLROnPlateau", "StepLR",
]  # fmt: skip

_EPOCH_IS_DEPRECATED = (
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
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch "
                    ">= 0: load the optimizer's state first, or leave last_epoch out"
                )
        self.base_lrs = [_copied(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        if not optimizer._has_scheduler:  # steps count from the first scheduler on
            optimizer._has_scheduler, optimizer._opt_called = True, False
        self._step_count = 0
        self._is_initial = True
        self.step()
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
            return [_copied(group["lr"]) for group in self.optimizer.param_groups]
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
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                warnings.warn(_EPOCH_IS_DEPRECATED, stacklevel=2)
                self.last_epoch = epoch
                closed = getattr(self, "_get_closed_form_lr", None)
                values = self.get_lr() if closed is None else closed()
        finally:
            self._get_lr_called_within_step = False
        for group, value in zip(self.optimizer.param_groups, values):
            _set_rate(group, value)
        self._last_lr = [_copied(group["lr"]) for group in self.optimizer.param_groups]

    def _warn_wrong_order(self):
        if "step" in vars(self.optimizer):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. "
                "Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`.",
                stacklevel=3,
            )
        elif not self.optimizer._opt_called:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in the "
                "opposite order: `optimizer.step()` before `lr_scheduler.step()`. Failure to do this will result in "
                "skipping the first value of the learning rate schedule.",
                stacklevel=3,
            )


_LRScheduler = LRScheduler  # its former name, which many programs subclass


class _ClosedForm(LRScheduler):
    """A scheduler whose rates are the initial ones times a formula of the epoch."""

    def _get_closed_form_lr(self):
        scale = self._closed_scale()
        return [base * scale for base in self.base_lrs]


class StepLR(_ClosedForm):
    """Multiply the learning rate by `gamma` every `step_size` epochs: ``lr₀ · gamma ** (epoch // step_size)``."""

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _scale(self):
        return None if self.last_epoch == 0 or self.last_epoch % self.step_size else self.gamma

    def _closed_scale(self):
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(_ClosedForm):
    """Multiply the learning rate by `gamma` at each of the epochs `milestones`, twice where one is mentioned twice."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1) -> None:
        self.milestones = collections.Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _scale(self):
        times = self.milestones[self.last_epoch]
        return self.gamma**times if times else None

    def _closed_scale(self):
        return self.gamma ** bisect.bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(_ClosedForm):
    """Multiply the learning rate by `factor` (0 to 1) until epoch `total_iters`, then undo it."""

    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"Constant multiplicative factor expected to be between 0 and 1. Got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _scale(self):
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else None

    def _closed_scale(self):
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(_ClosedForm):
    """From `start_factor` times the learning rate to `end_factor` times it, in a straight line, by `total_iters`."""

    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal to 1. "
                f"Got {start_factor}"
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(f"Ending multiplicative factor expected to be between 0 and 1. Got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _scale(self):
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return None
        slope = self.end_factor - self.start_factor
        return 1.0 + slope / (self.total_iters * self.start_factor + (self.last_epoch - 1) * slope)

    def _closed_scale(self):
        slope = self.end_factor - self.start_factor
        return self.start_factor + slope * min(self.total_iters, self.last_epoch) / self.total_iters


class ExponentialLR(_ClosedForm):
    """Multiply the learning rate by `gamma` every epoch: ``lr₀ · gamma ** epoch``."""

    def __init__(self, optimizer, gamma, last_epoch=-1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _scale(self):
        return None if self._is_initial else self.gamma

    def _closed_scale(self):
        return self.gamma**self.last_epoch


class PolynomialLR(_ClosedForm):
    """Down to 0 at epoch `total_iters`: ``lr₀ · (1 - epoch / total_iters) ** power``."""

    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _scale(self):
        if self._is_initial or self.last_epoch > self.total_iters:
            return None
        left, left_before = (1.0 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        return (left / left_before) ** self.power

    def _closed_scale(self):
        return (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power


class CosineAnnealingLR(LRScheduler):
    """From the learning rate down to `eta_min` in `T_max` epochs along half a cosine, and up again after.

    ``eta_min + (lr₀ - eta_min) · (1 + cos(π · epoch / T_max)) / 2`` (Loshchilov and Hutter, "SGDR", 2017; no restarts)
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The learning rates of epoch `last_epoch`, computed from the current ones, as PyTorch does."""
        self._warn_outside_step()
        groups, low = self.optimizer.param_groups, self.eta_min
        if self._is_initial:
            return [_copied(group["lr"]) for group in groups]
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # at the bottom: the ratio below would be 0 / 0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [group["lr"] + (base - low) * rise for base, group in zip(self.base_lrs, groups)]
        here = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        return [here / before * (group["lr"] - low) + low for group in groups]

    def _get_closed_form_lr(self):
        here = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * here / 2 for base in self.base_lrs]


class LambdaLR(LRScheduler):
    """The initial learning rate times a function of the epoch.

    Args:
        optimizer (Optimizer), last_epoch (int): as in `LRScheduler`.
        lr_lambda (Callable | list): from the epoch (int) to a factor; or a list of such functions, one for each group.
    """

    def __init__(self, optimizer, lr_lambda, last_epoch=-1) -> None:
        _check_optimizer(optimizer)
        groups = len(optimizer.param_groups)
        if not isinstance(lr_lambda, list | tuple):
            lr_lambda = [lr_lambda] * groups
        elif len(lr_lambda) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
        for function in lr_lambda:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        self.lr_lambdas = list(lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The learning rates of epoch `last_epoch`."""
        self._warn_outside_step()
        return [base * function(self.last_epoch) for function, base in zip(self.lr_lambdas, self.base_lrs)]

    def state_dict(self):
        """As in `LRScheduler`. Of the functions, only the attributes of callable objects are kept; functions and
        lambdas are None."""
        functions = types.FunctionType | types.BuiltinFunctionType
        kept = [None if isinstance(f, functions) else dict(vars(f)) for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": kept}

    def load_state_dict(self, state_dict) -> None:
        """As in `LRScheduler`; the functions are the ones given here."""
        self.__dict__.update({name: value for name, value in state_dict.items() if name != "lr_lambdas"})
        for function, kept in zip(self.lr_lambdas, state_dict["lr_lambdas"]):
            if kept is not None:
                function.__dict__.update(kept)


class MultiplicativeLR(LambdaLR):
    """Multiply the learning rate every epoch by a function of the epoch. Arguments as in `LambdaLR`."""

    def get_lr(self):
        """The learning rates of epoch `last_epoch`."""
        self._warn_outside_step()
        groups = self.optimizer.param_groups
        if self._is_initial:
            return [_copied(group["lr"]) for group in groups]
        return [group["lr"] * function(self.last_epoch) for function, group in zip(self.lr_lambdas, groups)]


class ReduceLROnPlateau(LRScheduler):
    """Multiply the learning rate by `factor` when a number has not got better for more than `patience` epochs.

    Args:
        optimizer (Optimizer): whose groups' ``"lr"`` is set.
        mode (str): "min" if less is better (a loss), "max" if more is (an accuracy).
        factor (float): below 1.
        patience (int): so many epochs without an improvement are borne.
        threshold, threshold_mode: an improvement is better than ``best · (1 ∓ threshold)`` ("rel") or
            ``best ∓ threshold`` ("abs").
        cooldown (int): after a reduction, so many epochs are not counted.
        min_lr (float | list): no rate goes below; one number, or one for each group.
        eps (float): smaller changes of a rate are not made.
    """

    def __init__(
        self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0,
        min_lr=0, eps=1e-8,
    ) -> None:  # fmt: skip
        if factor >= 1.0:
            raise ValueError(f"Factor should be < 1.0. Got {factor}")
        _check_optimizer(optimizer)
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown! Expected 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown! Expected 'rel' or 'abs'")
        groups = len(optimizer.param_groups)
        if isinstance(min_lr, list | tuple) and len(min_lr) != groups:
            raise ValueError(f"expected {groups} min_lrs, got {len(min_lr)}")
        self.factor = factor
        self.optimizer = optimizer
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = list(min_lr) if isinstance(min_lr, list | tuple) else [min_lr] * groups
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = [_copied(group["lr"]) for group in optimizer.param_groups]
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics, epoch=None) -> None:  # type: ignore[override]
        """Look at this epoch's number.

        Args:
            metrics (float | Tensor): the number watched, e.g. the loss on the validation set.
            epoch (int, optional): deprecated.
        """
        current = float(metrics)
        if epoch is not None:
            warnings.warn(_EPOCH_IS_DEPRECATED, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = [_copied(group["lr"]) for group in self.optimizer.param_groups]

    @property
    def in_cooldown(self):
        """Whether epochs are not being counted, after a reduction."""
        return self.cooldown_counter > 0

    def _is_better(self, value):
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            bound = self.best * (1.0 + sign * self.threshold)
        else:
            bound = self.best + sign * self.threshold
        return value < bound if self.mode == "min" else value > bound

    def _reduce(self):
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"The number of param groups in the `optimizer` ({len(groups)}) differs from when "
                    f"`ReduceLROnPlateau` was initialized ({len(self.min_lrs)}), as a group was added. "
                    "Please modify the `min_lrs` field to match the length of the `optimizer` "
                    "param groups."
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, lowest in zip(groups, self.min_lrs):
            old = float(group["lr"])
            new = max(old * self.factor, lowest)
            if old - new > self.eps:
                _set_rate(group, new)


def _check_optimizer(optimizer):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def _copied(rate):
    """A rate that does not change when the group's does: a tensor is copied."""
    return rate.clone() if isinstance(rate, Tensor) else rate


def _set_rate(group, value):
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(float(value))
    else:
        group["lr"] = value
