"""`HealthMonitor`: `watch` as a callback of `minigrad.train`."""

from __future__ import annotations

from minigrad.train.callbacks import Callback
from minigrad.viz.vitals.report import Health
from minigrad.viz.vitals.watch import Watch, watch
from minigrad.viz.vitals.words import checked_language

__all__ = ["HealthMonitor"]


class HealthMonitor(Callback):
    """Watches the model while `Trainer.fit` trains it, and says at the end what it found.

    Args:
        budget (float, optional): the share of the time that it may take; None: every step is measured.
        verbose (bool): print the table and the verdicts at the end; if False they are only in `report()`.
        language (str): "en" or "ko".

    ::

        monitor = viz.HealthMonitor()
        trainer.fit(x, y, epochs=10, callbacks=[monitor])
        monitor.report().plot("health.png")
    """

    def __init__(self, budget: float | None = 0.01, verbose: bool = True, language: str = "en") -> None:
        self.budget, self.verbose = budget, verbose
        self.language = checked_language(language, "HealthMonitor()")
        self.watch: Watch | None = None

    def report(self) -> Health:
        """What is known so far."""
        if self.watch is None:
            raise RuntimeError("HealthMonitor.report(): no training was watched yet; give it to fit(callbacks=[...])")
        return self.watch.report()

    def on_train_begin(self, trainer) -> None:
        self.watch = watch(
            trainer.model, trainer.optimizer, budget=self.budget, live=False, language=self.language
        )  # fmt: skip

    def on_batch_end(self, trainer, logs) -> None:
        assert self.watch is not None
        self.watch.log(logs["loss"])

    def on_train_end(self, trainer) -> None:
        assert self.watch is not None
        self.watch.close()
        if self.verbose:
            self.report().show()
