"""Learning rates that fall and rise again: along a cosine, in cycles, in one cycle."""

from __future__ import annotations

import math
import types

from minigrad.optim.lr_scheduler.base import LRScheduler, check_optimizer, one_for_each_group, options_of, set_option

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]


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
            return options_of(self.optimizer, "lr")
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # at the bottom: the ratio below would be 0 / 0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [group["lr"] + (base - low) * rise for base, group in zip(self.base_lrs, groups)]
        here = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        return [here / before * (group["lr"] - low) + low for group in groups]

    def _get_closed_form_lr(self):
        here = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * here / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Down to `eta_min` along half a cosine, again and again: first in `T_0` epochs, then in `T_mult` times more.

    ``eta_min + (lr₀ - eta_min) · (1 + cos(π · T_cur / T_i)) / 2``, T_cur being the epochs since the last restart and
    T_i the length of this descent. `step` also takes a fraction of an epoch: ``scheduler.step(epoch + i / batches)``.
    (Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017)
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1) -> None:
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, float | int):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The learning rates at `T_cur`."""
        self._warn_outside_step()
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def step(self, epoch=None) -> None:
        """Begin the next epoch, or go to `epoch`, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur = self.T_cur + 1
            if self.T_cur >= self.T_i:
                self.T_cur = self.T_cur % self.T_i
                self.T_i = self.T_i * self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        elif epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:  # restarts are at T_0 (1 + T_mult + T_mult² + ...), a geometric series
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**restarts
        self.last_epoch = math.floor(epoch)
        self._set_rates(self.get_lr)


class _CyclesMomentum(LRScheduler):
    """A scheduler under which momentum (or Adam's β₁) falls while the learning rate rises."""

    def _begin_momentum(self, base_momentums, max_momentums, last_epoch):
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in defaults
        if last_epoch != -1:
            return
        for group, base, highest in zip(self.optimizer.param_groups, base_momentums, max_momentums, strict=True):
            self._set_momentum(group, highest)
            group["max_momentum"], group["base_momentum"] = highest, base

    def _set_momentum(self, group, momentum):
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_CyclesMomentum):
    """Up from `base_lr` to `max_lr` in a straight line, and down again, over and over.

    A cycle is `step_size_up` calls of `step` and `step_size_down` more; call it after each batch. (L. N. Smith,
    "Cyclical Learning Rates for Training Neural Networks", 2017)

    Args:
        optimizer (Optimizer): whose groups' ``"lr"`` is set.
        base_lr, max_lr (float | list): the bounds, for all groups or one for each.
        step_size_up, step_size_down (int): the second is the first unless given.
        mode (str): "triangular" keeps the height, "triangular2" halves it from cycle to cycle, "exp_range" multiplies
            it by `gamma` in each call.
        gamma (float): see "exp_range".
        scale_fn (Callable | None): instead of a mode: what the height is multiplied by, from the number of the cycle
            (`scale_mode` "cycle", from 1) or of the call ("iterations").
        scale_mode (str): see `scale_fn`.
        cycle_momentum (bool): let momentum, or Adam's β₁, go the other way, from `max_momentum` to `base_momentum`.
        base_momentum, max_momentum (float | list): its bounds.
        last_epoch (int): -1 begins; otherwise the call to go on from.

    Raises:
        TypeError: `optimizer` is none. ValueError: there is no such mode; a list is not as long as the groups; the
            optimizer has no momentum to cycle.
    """

    def __init__(
        self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0,
        scale_fn=None, scale_mode="cycle", cycle_momentum=True, base_momentum=0.8, max_momentum=0.9, last_epoch=-1,
    ) -> None:  # fmt: skip
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = one_for_each_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                set_option(group, "lr", rate)
        self.max_lrs = one_for_each_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = one_for_each_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = one_for_each_group("max_momentum", optimizer, max_momentum)
            self._begin_momentum(self.base_momentums, self.max_momentums, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x) -> float:
        """What the height is multiplied by in cycle `x`, or in call `x`."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / (2.0 ** (x - 1)) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self):
        """The learning rates of call `last_epoch`. Sets the momentum as well."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, base, highest in bounds:
                self._set_momentum(group, highest - (highest - base) * height * scale)
        return [base + (most - base) * height * scale for base, most in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self):
        """As in `LRScheduler`. Of `scale_fn`, only the attributes of a callable object are kept."""
        function = self._scale_fn_custom
        kept = None if function is None or isinstance(function, types.FunctionType) else dict(vars(function))
        return {**super().state_dict(), "_scale_fn_custom": kept}

    def load_state_dict(self, state_dict) -> None:
        """As in `LRScheduler`; `scale_fn` is the one given here."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"])


class OneCycleLR(_CyclesMomentum):
    """Up from a small learning rate to `max_lr`, then down to a much smaller one: once, over all of the training.

    From ``max_lr / div_factor`` to `max_lr` in the first `pct_start` of the calls, then to
    ``max_lr / div_factor / final_div_factor``; with `three_phase` back to the first in the same time before that. Call
    `step` after each batch. (L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
    Large Learning Rates", 2018)

    Args:
        optimizer (Optimizer): whose groups' ``"lr"`` is set.
        max_lr (float | list): the highest learning rate, for all groups or one for each.
        total_steps (int | None): how many calls; by default ``epochs * steps_per_epoch``.
        epochs, steps_per_epoch (int | None): see `total_steps`.
        pct_start (float): 0 to 1.
        anneal_strategy (str): "cos" goes along half a cosine, "linear" in a straight line.
        cycle_momentum (bool): let momentum, or Adam's β₁, go the other way, from `max_momentum` to `base_momentum`.
        base_momentum, max_momentum (float | list): its bounds.
        div_factor, final_div_factor (float), three_phase (bool): see above.
        last_epoch (int): -1 begins; otherwise the call to go on from.

    Raises:
        TypeError: `optimizer` is none. ValueError: an option is out of its range; the optimizer has no momentum to
            cycle; in `step`, there were more calls than `total_steps`. ZeroDivisionError: a phase has no length, as
            with ``pct_start=0.1`` of 10 calls, where the first of them is to be the lowest and the highest.
    """

    def __init__(
        self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3,
        anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0,
        final_div_factor=1e4, three_phase=False, last_epoch=-1,
    ) -> None:  # fmt: skip
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        rise = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
        if three_phase:
            phases = [
                (float(pct_start * self.total_steps) - 1, *rise),
                (float(2 * pct_start * self.total_steps) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (self.total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            phases = [
                (float(pct_start * self.total_steps) - 1, *rise),
                (self.total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"),
            ]
        names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        self._schedule_phases = [dict(zip(names, phase)) for phase in phases]
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        max_lrs = one_for_each_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, highest in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = highest / div_factor
                group["max_lr"] = highest
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            highest = one_for_each_group("max_momentum", optimizer, max_momentum)
            self._begin_momentum(one_for_each_group("base_momentum", optimizer, base_momentum), highest, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _anneal_func(self, start, end, share):
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self):
        """The learning rates of call `last_epoch`. Sets the momentum as well."""
        self._warn_outside_step()
        number, start = self.last_epoch, 0.0
        if number > self.total_steps:
            raise ValueError(f"Tried to step {number} times. The specified number of total steps is {self.total_steps}")
        *earlier, last = self._schedule_phases
        for phase in earlier:
            if number <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = last
        if phase["end_step"] == start:  # PyTorch divides by zero, without these words
            raise ZeroDivisionError(
                f"OneCycleLR(): a phase begins and ends with call {start:g}, as its length comes from pct_start and "
                f"total_steps={self.total_steps}. Choose another pct_start: above 1 / total_steps and below 1"
            )
        share = (number - start) / (phase["end_step"] - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                momenta = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._anneal_func(*momenta, share))
        return [
            self._anneal_func(group[phase["start_lr"]], group[phase["end_lr"]], share)
            for group in self.optimizer.param_groups
        ]


def _total_steps(total_steps, epochs, steps_per_epoch):
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    given = (
        {"epochs": epochs, "steps_per_epoch": steps_per_epoch} if total_steps is None else {"total_steps": total_steps}
    )
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return math.prod(given.values())
