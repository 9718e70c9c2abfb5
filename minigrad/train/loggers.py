"""Callbacks that write the figures of each epoch: as CSV, as lines of JSON, for TensorBoard."""

from __future__ import annotations

import csv
import functools
import json
import os
from typing import TYPE_CHECKING

from minigrad.serialization.files import write
from minigrad.train.callbacks import Callback

if TYPE_CHECKING:
    from minigrad.train.trainer import Trainer

__all__ = ["CSVLogger", "JSONLogger", "TensorBoard"]


class _FileLogger(Callback):
    """A file with one line for each epoch.

    At the start of a run the file is begun anew; a run that goes on from a checkpoint keeps the lines of the epochs
    before it and drops those of epochs that have to be done again.
    """

    rank_0_only = True

    def __init__(self, path) -> None:
        self.path = os.fspath(path)

    def on_train_begin(self, trainer: Trainer) -> None:
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        kept = self.lines()[: self.heading + trainer.epoch] if trainer.epoch else []
        write(self.path, [line.encode() for line in kept])

    heading = 0  # how many lines stand above those of the epochs

    def lines(self) -> list[str]:
        """What the file holds now, line by line; nothing if there is none."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8", newline="") as file:
            return file.readlines()


class CSVLogger(_FileLogger):
    """Writes ``epoch,loss,accuracy,...``: a heading and one line for each epoch, at once, so that it can be watched.

    Args:
        path (str | PathLike): the file; anew at the start of a run, continued when a run is resumed.
    """

    heading = 1

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        lines, row = self.lines(), {"epoch": trainer.epoch, **logs}
        columns = next(csv.reader(lines[:1]), [])
        new = [name for name in row if name not in columns]
        with open(self.path, "w" if new else "a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns + new, lineterminator="\n")
            if new:  # the heading; the rows before have nothing there
                writer.writeheader()
                writer.writerows(csv.DictReader(lines))
            writer.writerow(row)


class JSONLogger(_FileLogger):
    """Writes one JSON object a line for each epoch: ``{"epoch": 1, "loss": ...}``. Figures that are nan or infinite are
    written as null, which JSON has no number for.

    Args:
        path (str | PathLike): the file; anew at the start of a run, continued when a run is resumed.
    """

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        finite = {name: value if abs(value) < float("inf") else None for name, value in logs.items()}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": trainer.epoch, **finite}) + "\n")


class TensorBoard(Callback):
    """Writes the figures of each epoch for TensorBoard, which shows them with ``tensorboard --logdir DIR``.

    Args:
        log_dir (str | PathLike): the folder.

    Raises:
        ImportError: the package tensorboardX is not installed.
    """

    rank_0_only = True

    def __init__(self, log_dir="runs") -> None:
        from minigrad.utils.tensorboard import SummaryWriter

        self.make_writer = functools.partial(SummaryWriter, os.fspath(log_dir))

    def on_train_begin(self, trainer: Trainer) -> None:
        self.writer = self.make_writer()

    def on_epoch_end(self, trainer: Trainer, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            self.writer.add_scalar(name, value, trainer.epoch)
        self.writer.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        self.writer.close()
