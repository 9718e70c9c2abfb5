"""How training is shown: a bar on a terminal, a few plain lines elsewhere (a pipe, a log file, CI)."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from minigrad.train.callbacks import Callback

if TYPE_CHECKING:
    from minigrad.train.trainer import Trainer

__all__ = ["display"]

PLAIN_LINES = 15  # about how many, however many epochs
LONG_WAIT = 3.0  # seconds; a first step that took longer was compiling
IN_PERCENT = ("accuracy", "precision", "recall", "f1")


def display(verbose) -> Callback:
    """What shows a run: 0 nothing, 1 a bar, 2 lines, "auto" a bar on a terminal and lines elsewhere."""
    if verbose == "auto":
        verbose = 1 if sys.stdout.isatty() else 2
    kinds = {0: Callback, 1: Bar, 2: PlainLines}
    if verbose not in kinds:
        raise ValueError(f"fit(): argument 'verbose': got {verbose!r}; expected 0, 1, 2 or 'auto'")
    return kinds[verbose]()


def figures(logs) -> str:
    """Names and values in one line: ``loss 0.1234 accuracy  97.1%``. Of several validated ones not the loss."""
    left_out = {"lr"} | ({"val_loss"} if sum(name.startswith("val_") for name in logs) > 1 else set())
    return " ".join(
        f"{name} {value:6.1%}" if name.removeprefix("val_") in IN_PERCENT else f"{name} {value:.4f}"
        for name, value in logs.items()
        if name not in left_out
    )


class Clock:
    """Time left, judged by the steps taken so far without the first, which may have compiled kernels."""

    def __init__(self) -> None:
        self.started = self.after_first = time.perf_counter()
        self.steps = 0

    def tick(self) -> None:
        self.steps += 1
        if self.steps == 1:
            self.after_first = time.perf_counter()

    def compiling(self) -> str:
        """What to say of a first step that took long."""
        seconds = self.after_first - self.started
        return f" (after {seconds:.0f} s of compiling kernels, kept for later runs)" if seconds > LONG_WAIT else ""

    def left(self, steps_left: int | None) -> str:
        if self.steps < 5 or steps_left is None:
            return "-:--"
        seconds = (time.perf_counter() - self.after_first) / (self.steps - 1) * steps_left
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def steps_left(trainer: Trainer) -> int | None:
    """Batches to come, if that is known."""
    if trainer.steps_per_epoch is None:
        return None
    return (trainer.epochs - trainer.epoch) * trainer.steps_per_epoch - trainer.batch


class PlainLines(Callback):
    """The first step, then one line for each epoch (each several, where there are many)."""

    rank_0_only = True

    def on_train_begin(self, trainer: Trainer) -> None:
        self.clock = Clock()
        self.every = -(-trainer.epochs // PLAIN_LINES)

    def on_batch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        self.clock.tick()
        if self.clock.steps == 1:
            print(f"first training step done: {figures(logs)}{self.clock.compiling()}", flush=True)

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        if trainer.epoch % self.every == 0 or trainer.epoch == trainer.epochs or trainer.stop_training:
            left = self.clock.left(steps_left(trainer))
            print(f"epoch {trainer.epoch:3d}/{trainer.epochs} {figures(logs)} time left {left}", flush=True)


class Bar(Callback):
    """One bar over all steps, with the epoch, the figures and the time left."""

    rank_0_only = True

    def on_train_begin(self, trainer: Trainer) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.clock = Clock()
        self.last: dict[str, float] = {}
        console = Console()
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=min(40, max(4, console.width - 80))),  # the text beside it has about 80 columns
            TextColumn("{task.percentage:3.0f}% {task.fields[figures]} time left {task.fields[left]}"),
            console=console,
        )
        total = trainer.steps_per_epoch and trainer.epochs * trainer.steps_per_epoch
        self.row = self.progress.add_task("", total=total, epoch="", figures="", left="")
        self.show(trainer, "the first run compiles kernels")
        self.progress.start()

    def show(self, trainer: Trainer, text: str) -> None:
        epoch = min(trainer.epoch + 1, trainer.epochs)
        self.progress.update(
            self.row,
            completed=trainer.step,
            figures=text,
            epoch=f"{epoch}/{trainer.epochs}",
            left=self.clock.left(steps_left(trainer)),
        )

    def on_batch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        self.clock.tick()
        self.show(trainer, figures(self.last | logs))

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        self.last = {name: value for name, value in logs.items() if name.startswith("val_")}
        self.show(trainer, figures(logs))

    def on_train_end(self, trainer: Trainer) -> None:
        self.progress.stop()
