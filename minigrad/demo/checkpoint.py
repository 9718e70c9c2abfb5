"""One file with all that is needed to go on as if nothing had happened: weights, optimizer, schedule, random states.

It is read with suspicion: a file that is damaged, or that is something else, is named in one line and left alone.
"""

from __future__ import annotations

from pathlib import Path

import minigrad
from minigrad.demo import DemoError
from minigrad.demo.tasks import TASKS
from minigrad.demo.training import Training

FORMAT = "minigrad demo, 2"
NAME = "checkpoint.pt"


def save(training: Training, path: Path) -> None:
    """Write the state between two batches; the file appears whole or not at all."""
    state = {
        "format": FORMAT,
        "data": training.task.name,
        "seed": training.seed,
        "epochs": training.wanted,
        "run": training.state_dict(),
    }
    minigrad.save(state, path)


def resume(path: Path, data: str | None, epochs: int | None, seed: int | None) -> Training:
    """The training that `path` (a checkpoint, or a folder of the demo) holds; options given must agree with it."""
    if path.is_dir():
        path /= NAME
    state = read(path)
    for option, given in (("data", data), ("seed", seed)):
        if given is not None and given != state[option]:
            raise DemoError(f"{path} was trained with --{option} {state[option]}, not {given}; leave the option out")
    epochs = epochs or state["epochs"]
    try:
        training = Training(TASKS[state["data"]](state["seed"]), epochs, state["seed"])
        training.callbacks = [training.schedule]  # as `run` will; `fit` loads again, but a misfit is said before
        training.load_state_dict(state["run"])
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise DemoError(f"{path} does not fit the demo's network: {first_line(error)}") from error
    if training.finished:
        raise DemoError(f"{path} has {training.epoch} epochs already; give more with --epochs to go on")
    training.resumed = state["run"]
    return training


def read(path: Path) -> dict:
    """The checkpoint as it was saved, with every part there."""
    try:
        state = minigrad.load(path)
    except FileNotFoundError:
        raise DemoError(f"there is no checkpoint {path}") from None
    except Exception as error:  # whatever a damaged file makes a reader say
        raise DemoError(f"{path} cannot be read as a checkpoint: {first_line(error)}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT or state.get("data") not in TASKS:
        raise DemoError(f"{path} is not a checkpoint of this demo")
    return state


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
