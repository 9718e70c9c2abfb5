"""Learning rates that fall by a formula of the epoch: steps, lines, powers, functions of one's own."""

from __future__ import annotations

import bisect
import collections
import types

from minigrad.optim.lr_scheduler.base import LRScheduler, check_optimizer, copied

__all__ = [
    "ConstantLR", "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "PolynomialLR", "StepLR",
]  # fmt: skip


class ClosedForm(LRScheduler):
    """A scheduler whose rates are the initial ones times a formula of the epoch."""

    def _get_closed_form_lr(self):
        scale = self._closed_scale()
        return [base * scale for base in self.base_lrs]


class StepLR(ClosedForm):
    """Multiply the learning rate by `gamma` every `step_size` epochs: ``lr₀ · gamma ** (epoch // step_size)``."""

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _scale(self):
        return None if self.last_epoch == 0 or self.last_epoch % self.step_size else self.gamma

    def _closed_scale(self):
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(ClosedForm):
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


class ConstantLR(ClosedForm):
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


class LinearLR(ClosedForm):
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


class ExponentialLR(ClosedForm):
    """Multiply the learning rate by `gamma` every epoch: ``lr₀ · gamma ** epoch``."""

    def __init__(self, optimizer, gamma, last_epoch=-1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _scale(self):
        return None if self._is_initial else self.gamma

    def _closed_scale(self):
        return self.gamma**self.last_epoch


class PolynomialLR(ClosedForm):
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


class LambdaLR(LRScheduler):
    """The initial learning rate times a function of the epoch.

    Args:
        optimizer (Optimizer), last_epoch (int): as in `LRScheduler`.
        lr_lambda (Callable | list): from the epoch (int) to a factor; or a list of such functions, one for each group.
    """

    def __init__(self, optimizer, lr_lambda, last_epoch=-1) -> None:
        check_optimizer(optimizer)
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
            return [copied(group["lr"]) for group in groups]
        return [group["lr"] * function(self.last_epoch) for function, group in zip(self.lr_lambdas, groups)]
