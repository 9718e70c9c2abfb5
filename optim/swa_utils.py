"""Running means of a network's weights: stochastic weight averaging, exponential moving averages.

    averaged = AveragedModel(net)                       # or multi_avg_fn=get_ema_multi_avg_fn(0.999)
    for epoch in range(100):
        train(...)                                      # calls optimizer.step()
        if epoch >= 75:
            averaged.update_parameters(net)
            swa_scheduler.step()                        # SWALR(optimizer, swa_lr=0.05)
    update_bn(loader, averaged)                         # the statistics of BatchNorm belong to the weights

(P. Izmailov et al.: Averaging Weights Leads to Wider Optima and Better Generalization, 2018.
PyTorch: torch.optim.swa_utils)
"""

from __future__ import annotations

import copy
import itertools
import math

import minigrad
from minigrad.autograd.modes import no_grad
from minigrad.nn.modules.batchnorm import _BatchNorm
from minigrad.nn.modules.module import Module
from minigrad.optim.lr_scheduler.base import LRScheduler, one_for_each_group

__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
    "update_bn",
]  # fmt: skip


def get_ema_multi_avg_fn(decay=0.999):
    """A function for `AveragedModel` that makes all its parameters moving averages, in place.

    ``averaged = decay · averaged + (1 - decay) · current``

    Raises:
        ValueError: `decay` is not between 0 and 1.
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list, current_param_list, _):
        for averaged, current in zip(ema_param_list, current_param_list, strict=True):
            if averaged.is_floating_point():
                averaged.lerp_(current, 1 - decay)
            else:
                averaged.copy_(averaged * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn():
    """A function for `AveragedModel` that makes all its parameters means of all that there were, in place."""

    @no_grad()
    def swa_update(averaged_param_list, current_param_list, num_averaged):
        share = float(1 / (num_averaged + 1))
        for averaged, current in zip(averaged_param_list, current_param_list, strict=True):
            if averaged.is_floating_point():
                averaged.lerp_(current, share)
            else:
                averaged.copy_(averaged + (current - averaged) * share)

    return swa_update


def get_ema_avg_fn(decay=0.999):
    """A function for `AveragedModel`: ``decay · averaged + (1 - decay) · current``, of one parameter.

    Raises:
        ValueError: `decay` is not between 0 and 1.
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """A function for `AveragedModel`: the mean of all that there were, of one parameter."""

    @no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def _check_decay(decay):
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


class AveragedModel(Module):
    """A copy of a network, whose weights become running means of the network's.

    Args:
        model (Module): is copied, as ``module``. Calling this calls the copy.
        device: accepted.
        avg_fn (Callable | None): from averaged parameter, current parameter and the number of models so far (an int64
            tensor) to the new averaged parameter. By default the mean of all models, `get_swa_avg_fn`.
        multi_avg_fn (Callable | None): the same for lists of parameters (of one dtype), in place.
        use_buffers (bool): average the buffers as well; otherwise they are copied each time.

    Buffers:
        n_averaged (int64): how many models there were. The first is copied.

    Raises:
        AssertionError: both functions are given.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", minigrad.tensor(0, dtype=minigrad.long, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """What the averaged network makes of it."""
        return self.module(*args, **kwargs)

    def _averaged_parts(self, model):
        return itertools.chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters()

    @no_grad()
    def update_parameters(self, model) -> None:
        """Take the weights that `model` has now into the means."""
        pairs = [(averaged.detach(), current.detach()) for averaged, current in
                 zip(self._averaged_parts(self.module), self._averaged_parts(model))]  # fmt: skip
        if self.n_averaged == 0:
            for averaged, current in pairs:
                averaged.copy_(current)
        elif self.multi_avg_fn is not None:
            by_dtype: dict = {}
            for pair in pairs:
                by_dtype.setdefault(pair[0].dtype, []).append(pair)
            for same in by_dtype.values():
                averaged_ones, current_ones = map(list, zip(*same))
                self.multi_avg_fn(averaged_ones, current_ones, self.n_averaged)
        else:
            average = self.avg_fn or get_swa_avg_fn()
            for averaged, current in pairs:
                averaged.copy_(average(averaged, current, self.n_averaged))
        if not self.use_buffers:
            for averaged, current in zip(self.module.buffers(), model.buffers(), strict=True):
                averaged.detach().copy_(current.detach())
        self.n_averaged += 1


@no_grad()
def update_bn(loader, model, device=None) -> None:
    """Compute the running statistics of all BatchNorm layers anew, from one pass over the data.

    Args:
        loader (iterable): batches: tensors, or lists and tuples that begin with one.
        model (Module): it is called with each batch, in training mode.
        device: accepted.
    """
    momenta = {module: module.momentum for module in model.modules() if isinstance(module, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None  # the mean of all batches
    for batch in loader:
        x = batch[0] if isinstance(batch, list | tuple) else batch
        model(x if device is None else x.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the current learning rate to `swa_lr` in `anneal_epochs` epochs, where it stays.

    Args:
        optimizer (Optimizer): whose groups' ``"lr"`` is set.
        swa_lr (float | list): the learning rate to end with, for all groups or one for each.
        anneal_epochs (int): how many epochs it takes.
        anneal_strategy (str): "cos" goes along half a cosine, "linear" in a straight line.
        last_epoch (int): -1 begins.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1) -> None:
        rates = one_for_each_group("swa_lr", optimizer, swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t):
        """How far from the first rate (0) to the last (1), at a share `t` of the epochs."""
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self):
        """The learning rates of this epoch, from the current ones."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = (
            self.anneal_func(max(0, min(1, number / max(1, self.anneal_epochs)))) for number in (step - 1, step)
        )
        rates = []
        for group in self.optimizer.param_groups:
            last = group["swa_lr"]
            first = last if before == 1 else (group["lr"] - before * last) / (1 - before)
            rates.append(last * now + first * (1 - now))
        return rates
