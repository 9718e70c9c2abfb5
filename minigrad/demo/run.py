"""The demo from start to end: check what was asked, train, save, show; and say what is happening."""

from __future__ import annotations

import time
from pathlib import Path

from minigrad.demo import INTERRUPTED, DemoError, checkpoint
from minigrad.demo.tasks import TASKS
from minigrad.demo.training import Interruption, Training

RUNS = Path("demo-runs")


def run(
    data: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    out: Path | None = None,
    plots: bool = True,
    resume: Path | None = None,
) -> int:
    """Do the whole demo and return the exit code; raises DemoError with one line for the user."""
    training = checkpoint.resume(resume, data, epochs, seed) if resume else fresh(data or "digits", epochs, seed or 0)
    folder = make_folder(out, training.task.name)
    print(opening(training, folder, resume), flush=True)
    started = time.perf_counter()
    try:
        with Interruption(lambda training: checkpoint.save(training, folder / checkpoint.NAME)) as interruption:
            training.run(interruption)
        if not training.finished:
            print(f"stopped in epoch {training.epoch + 1} of {training.wanted}, everything saved; go on with")
            print(f"    minigrad demo --resume {folder}")
            return INTERRUPTED
        seconds = time.perf_counter() - started
        print(closing(training, seconds), flush=True)
        print(left_behind(training, folder, seconds, plots))
    except OSError as error:
        raise DemoError(f"cannot write to {folder}: {error.strerror or error}") from error
    return 0


def fresh(data: str, epochs: int | None, seed: int) -> Training:
    task = TASKS[data](seed)
    return Training(task, epochs or task.epochs, seed)


def make_folder(out: Path | None, name: str) -> Path:
    """A folder of this run's own: `out`, which must not exist, or the next free number under demo-runs/."""
    number = 0
    while True:
        number += 1
        folder = out or RUNS / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if out:
                raise DemoError(f"--out {out} exists already; nothing was written, choose another") from None
        except OSError as error:
            raise DemoError(f"cannot make the folder {folder}: {error.strerror}") from error
        else:
            return folder


def opening(training: Training, folder: Path, resume: Path | None) -> str:
    task = training.task
    going_on = f", going on from {resume} after epoch {training.epoch}" if resume else ""
    return (
        f"training {task.architecture} on {len(task.train):,} {task.subject} for {training.wanted} epochs, "
        f"seed {training.seed}{going_on}; writing to {folder}"
    )


def closing(training: Training, seconds: float) -> str:
    accuracy, tests = training.history["val_accuracy"][-1], len(training.task.test)
    return (
        f"test accuracy {accuracy:.1%}: {round(accuracy * tests)} of {tests} {training.task.subject} "
        f"it had never seen ({seconds:.1f} s of training)"
    )


def left_behind(training: Training, folder: Path, seconds: float, plots: bool) -> str:
    """Write the pictures and the page; returns the list of what the folder holds."""
    from minigrad.demo import report  # only now: what it imports would delay the first training step

    written = report.write(training, folder, seconds, pictures=plots)
    written.append((checkpoint.NAME, "weights, optimizer and random states"))
    lines = [f"in {folder}:", *(f"    {file:24}{what}" for file, what in written)]
    if plots and not report.can_plot():
        lines.append("no curve and no confusion matrix: they need matplotlib (pip install 'minigrad[plots]')")
    return "\n".join(lines)
