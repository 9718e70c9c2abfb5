"""`minigrad warmup`: compile ahead what programs would otherwise wait for, once for each machine and version."""

from __future__ import annotations

import time

from minigrad.demo.tasks import TASKS
from minigrad.demo.training import Training
from minigrad.kernels.cache import cache_root
from minigrad.kernels.dispatch import KERNELS
from minigrad.train import Callback

SIZE = 64  # of the kernels' samples; what is compiled does not depend on it


def warm_up() -> None:
    """Run every kernel once, then a step of each of the demo's networks for what is fused on the way."""
    started = time.perf_counter()
    for name in sorted(KERNELS):
        kernel = KERNELS[name]
        if kernel.compiled is not None and kernel.samples is not None:
            report(f"kernel {name}", kernel.compiled, *kernel.samples(SIZE))
    for name, make in TASKS.items():
        report(f"network of the {name} demo", one_step, Training(make(0), 1, seed=0))
    print(f"ready after {time.perf_counter() - started:.1f} s; kept in {cache_root()}")


def report(what: str, function, *arguments) -> None:
    """Call the function and say how long that took."""
    began = time.perf_counter()
    function(*arguments)
    print(f"{time.perf_counter() - began:6.1f} s  {what}", flush=True)


class Stop(Callback):
    """Ends training after its first step."""

    def on_batch_end(self, trainer, logs):
        trainer.stop_training = True


def one_step(training: Training) -> None:
    """Forward, backward, an optimizer step, and forward again as in testing."""
    training.run(Stop(), verbose=0)
    training.evaluate(training.task.test)
