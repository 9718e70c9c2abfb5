"""How training is shown: a bar on a terminal, a few plain lines elsewhere (a pipe, a log file, CI)."""

from __future__ import annotations

import time

from minigrad.demo.training import Training

PLAIN_LINES = 15  # about how many, however many epochs
LONG_WAIT = 3.0  # seconds; a first step that took longer was compiling


class Clock:
    """Time left, judged by the steps taken so far without the first, which may have compiled kernels."""

    def __init__(self):
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

    def left(self, steps_left: int) -> str:
        if self.steps < 5:
            return "-:--"
        seconds = (time.perf_counter() - self.after_first) / (self.steps - 1) * steps_left
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def figures(training: Training) -> str:
    """Loss and accuracies as they stand: of the epoch under way, or of the last one where none is."""
    last = training.history[-1] if training.history else {}
    now = {"loss": training.loss, "accuracy": training.accuracy} if training.seen else last
    test = f"{last['test_accuracy']:6.1%}" if last else "     -"
    return f"loss {now['loss']:.4f} train {now['accuracy']:6.1%} test {test}"


class PlainLines:
    """The first step, then one line for each epoch (each several, where there are many)."""

    def __init__(self, training: Training):
        self.training, self.clock = training, Clock()
        self.every = -(-training.epochs // PLAIN_LINES)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def step(self) -> None:
        training, clock = self.training, self.clock
        clock.tick()
        if clock.steps == 1:
            print(f"first training step done: {figures(training)}{clock.compiling()}", flush=True)
        elif not training.batch and (training.epoch % self.every == 0 or training.epoch == training.epochs):
            left = clock.left(training.total_steps - training.steps)
            print(f"epoch {training.epoch:3d}/{training.epochs} {figures(training)} time left {left}", flush=True)


class Bar:
    """One bar over all steps, with the epoch, the loss, the accuracies and the time left."""

    def __init__(self, training: Training):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.training, self.clock = training, Clock()
        console = Console()
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=min(40, max(4, console.width - 70))),  # the text beside it has 70 columns
            TextColumn("{task.percentage:3.0f}% {task.fields[figures]} time left {task.fields[left]}"),
            console=console,
        )
        self.row = self.progress.add_task("", total=training.total_steps)
        self.show("the first run compiles kernels")

    def show(self, text: str) -> None:
        training = self.training
        epoch = min(training.epoch + 1, training.epochs)
        self.progress.update(
            self.row,
            completed=training.steps,
            figures=text,
            epoch=f"{epoch}/{training.epochs}",
            left=self.clock.left(training.total_steps - training.steps),
        )

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *exc):
        self.progress.stop()

    def step(self) -> None:
        self.clock.tick()
        self.show(figures(self.training))


def progress(training: Training, is_terminal: bool) -> Bar | PlainLines:
    return Bar(training) if is_terminal else PlainLines(training)
