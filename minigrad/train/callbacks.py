"""Callbacks: what happens beside the training itself, at the points that a loop has.

A callback's attributes named in `remembered` are part of a checkpoint, so that a run taken up again goes on with them.
"""

from __future__ import annotations

import copy
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigrad.optim.lr_scheduler import ReduceLROnPlateau

if TYPE_CHECKING:
    from minigrad.train.trainer import Trainer

__all__ = ["Callback", "EarlyStopping", "LRSchedule", "ModelCheckpoint"]


class Callback:
    """Base class: override what is needed. `logs` has the figures so far, of the epoch under way or just ended.

    Setting ``trainer.stop_training = True`` in any of them ends the run after the batch.

    Where several processes train, each calls its callbacks, but for those with ``rank_0_only``, which only rank 0 does.
    After an epoch `logs` are the same in all, after a batch they are the process's own.
    """

    remembered: tuple[str, ...] = ()
    rank_0_only = False

    def on_train_begin(self, trainer: Trainer) -> None:
        """Before the first epoch, after a checkpoint was read."""

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last epoch, however the run ended."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch."""

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        """After an epoch and its validation."""

    def on_batch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        """After each training batch."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to hold of this callback."""
        return {name: getattr(self, name) for name in self.remembered}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        for name in self.remembered:
            setattr(self, name, state[name])


class _Watching(Callback):
    """What callbacks share that look for the best value of one figure."""

    remembered: tuple[str, ...] = ("best",)

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{type(self).__name__}(): argument 'mode': got {mode!r}; expected 'auto', 'min' or 'max'")
        if mode == "auto":  # higher is better for these
            mode = "max" if monitor.removeprefix("val_") in ("accuracy", "precision", "recall", "f1", "r2") else "min"
        self.monitor, self.sign, self.min_delta = monitor, 1 if mode == "max" else -1, abs(min_delta)
        self.best: float | None = None

    def is_better(self, logs: dict[str, float]) -> bool:
        """Whether the figure is the best so far; it is noted then."""
        if self.monitor not in logs:
            raise ValueError(
                f"{type(self).__name__}(): there is no figure {self.monitor!r} to monitor, only {sorted(logs)}; "
                "figures that begin with 'val_' need validation_data"
            )
        value = logs[self.monitor]
        if math.isnan(value) or (self.best is not None and self.sign * (value - self.best) <= self.min_delta):
            return False
        self.best = value
        return True


class EarlyStopping(_Watching):
    """Ends the run when a figure has stopped getting better.

    Args:
        monitor (str): the figure, e.g. "val_loss", "val_accuracy", "loss".
        patience (int): the run ends when so many epochs in a row have passed without a new best; 0 is as 1.
        min_delta (float): how much better counts.
        mode (str): "min", "max", or "auto", which knows that accuracies and the like should rise.
        restore_best_weights (bool): leave the model as it was in its best epoch.

    Attributes:
        best (float): the best value; `stopped_epoch`: the epoch that ended the run (1 is the first), or None.

    Source: Prechelt, Early Stopping - But When? (1998). Keras: EarlyStopping
    """

    remembered = ("best", "waited", "best_weights", "stopped_epoch")

    def __init__(
        self, monitor="val_loss", patience: int = 0, min_delta=0.0, mode="auto", restore_best_weights: bool = False
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.restore_best_weights = patience, restore_best_weights
        self.waited = 0
        self.best_weights: dict[str, Any] | None = None
        self.stopped_epoch: int | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        if not trainer.step:  # a new run
            self.waited, self.best, self.best_weights, self.stopped_epoch = 0, None, None, None
        trainer.stop_training |= self.stopped_epoch is not None  # a run that had ended is resumed: it has ended

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        if self.is_better(logs):
            self.waited = 0
            if self.restore_best_weights:
                self.best_weights = copy.deepcopy(trainer.module.state_dict())
            return
        self.waited += 1
        if self.waited >= max(self.patience, 1):
            self.stopped_epoch = trainer.epoch
            trainer.stop_training = True

    def on_train_end(self, trainer: Trainer) -> None:
        if self.best_weights is not None:
            trainer.module.load_state_dict(self.best_weights)


class ModelCheckpoint(_Watching):
    """Saves the run, so that ``fit(resume=path)`` goes on as if nothing had happened; or the model's weights alone.

    Args:
        path (str | PathLike): where to; may hold figures, e.g. ``"run-{epoch:03d}-{val_loss:.3f}.pt"``. The file
            appears whole or not at all.
        every (int, optional): after so many batches, too; default: only after each epoch.
        save_best_only (bool): only when `monitor` is better than ever.
        weights_only (bool): only ``model.state_dict()``, from which no run can be resumed.
        monitor (str), mode (str): the figure and its direction, as in `EarlyStopping`.

    Keras: ModelCheckpoint
    """

    def __init__(
        self, path, every: int | None = None, save_best_only=False, weights_only=False, monitor="val_loss", mode="auto"
    ) -> None:
        super().__init__(monitor, mode)
        if every is not None and every < 1:
            raise ValueError(f"ModelCheckpoint(): argument 'every': got {every}; expected at least 1, or None")
        if every is not None and save_best_only:
            raise ValueError("ModelCheckpoint(): save_best_only goes by epochs; leave 'every' out")
        self.path, self.every = os.fspath(path), every
        self.save_best_only, self.weights_only = save_best_only, weights_only

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        if not self.save_best_only or self.is_better(logs):
            self.save(trainer, logs)

    def on_batch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        if self.every and trainer.step % self.every == 0:
            self.save(trainer, logs)

    def save(self, trainer: Trainer, logs: dict[str, float]) -> None:
        """Write the file now."""
        known = {"epoch": trainer.epoch, "step": trainer.step, **logs}
        try:
            path = Path(self.path.format(**known))
        except KeyError as error:
            raise ValueError(
                f"ModelCheckpoint(): there is no figure {error} for the path {self.path!r}, only {sorted(known)}; "
                "figures that begin with 'val_' need validation_data, and are there after an epoch, not a batch"
            ) from None
        if trainer.rank == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        trainer.save(path, weights_only=self.weights_only)


class LRSchedule(Callback):
    """Steps a scheduler of `optim.lr_scheduler`, and puts the learning rate among the figures, as "lr".

    Args:
        scheduler: made for the trainer's optimizer.
        every (str): "epoch" or "batch", when it steps.
        monitor (str): the figure that `ReduceLROnPlateau` looks at.
    """

    def __init__(self, scheduler, every: str = "epoch", monitor: str = "val_loss") -> None:
        if every not in ("epoch", "batch"):
            raise ValueError(f"LRSchedule(): argument 'every': got {every!r}; expected 'epoch' or 'batch'")
        if every == "batch" and isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError("LRSchedule(): ReduceLROnPlateau looks at the figures of an epoch; expected every='epoch'")
        self.scheduler, self.every, self.monitor = scheduler, every, monitor

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        logs["lr"] = float(self.scheduler.optimizer.param_groups[0]["lr"])
        if self.every == "epoch":
            if not isinstance(self.scheduler, ReduceLROnPlateau):
                self.scheduler.step()
            elif self.monitor in logs:
                self.scheduler.step(logs[self.monitor])
            else:
                raise ValueError(f"LRSchedule(): there is no figure {self.monitor!r} to monitor, only {sorted(logs)}")

    def on_batch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        if self.every == "batch":
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        return self.scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scheduler.load_state_dict(state)
