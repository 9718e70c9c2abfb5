"""The demo's training: a `Trainer` that knows its task, and takes an interruption as a wish to go on later."""

from __future__ import annotations

import signal
from typing import Any

from minigrad import Generator
from minigrad.demo.tasks import Task
from minigrad.nn.functional import cross_entropy
from minigrad.optim import AdamW
from minigrad.optim.lr_scheduler import StepLR
from minigrad.train import LRSchedule, ModelCheckpoint, Trainer
from minigrad.utils.data import DataLoader


class Training(Trainer):
    """A task's network on its way to `wanted` epochs; `resumed` is the state to go on from, if there is one."""

    def __init__(self, task: Task, wanted: int, seed: int):
        super().__init__(task.model, AdamW(task.model.parameters(), lr=task.learning_rate), cross_entropy, ["accuracy"])
        self.task, self.wanted, self.seed = task, wanted, seed
        self.resumed: dict[str, Any] | None = None
        self.schedule = LRSchedule(StepLR(self.optimizer, step_size=max(1, wanted * 2 // 3), gamma=0.2))
        shuffle = Generator().manual_seed(seed)
        self.loader = DataLoader(task.train, batch_size=task.batch_size, shuffle=True, generator=shuffle)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return self.epoch >= self.wanted

    @property
    def rows(self) -> list[dict[str, float]]:
        """The history, a dict for each epoch."""
        return [dict(zip(self.history, values, strict=True)) for values in zip(*self.history.values(), strict=True)]

    def run(self, *callbacks, verbose="auto") -> None:
        """Train to the end, or until a callback says stop."""
        self.fit(
            self.loader,
            epochs=self.wanted,
            validation_data=self.task.test,
            callbacks=[self.schedule, *callbacks],
            verbose=verbose,
            resume=self.resumed,
        )


class Interruption(ModelCheckpoint):
    """Saves with `save(training)` after each epoch; and, inside ``with``, Ctrl-C only asks to stop and save, so that no
    step is cut in half. A second one insists."""

    remembered = ()

    def __init__(self, save):
        super().__init__("")
        self.write = save
        self.asked = False

    def __enter__(self):
        self.before = signal.signal(signal.SIGINT, self.ask)
        return self

    def __exit__(self, *exc):
        signal.signal(signal.SIGINT, self.before)

    def ask(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def save(self, trainer, logs):
        self.write(trainer)

    def on_batch_end(self, trainer, logs):
        trainer.stop_training |= self.asked

    def on_train_end(self, trainer):
        if not trainer.finished:
            self.write(trainer)
