"""`Trainer`: the loop over epochs and batches, and what a checkpoint of it holds.

Before it: `batches.py`, `ranks.py`. After it: `metrics.py`, `callbacks.py`.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.tensor import Tensor
from minigrad.train.batches import as_batches, generators_of, parts
from minigrad.train.callbacks import Callback, ModelCheckpoint
from minigrad.train.metrics import as_metric, ratio
from minigrad.train.progress import display
from minigrad.train.ranks import Alone, Ranks

__all__ = ["Trainer"]

FORMAT = "minigrad.train, 1"


class Trainer:
    """Trains a model, measures it and uses it. (The manner is that of Keras's compile, fit, evaluate and predict)

    Args:
        model (nn.Module): called with the inputs of a batch.
        optimizer (Optimizer | str): or the name of a class in `optim`, which then gets all parameters and `lr`.
        loss (Callable | str): ``loss(output, target)``, the mean over a batch; or the name of one in `nn.functional`.
        metrics (iterable): `Metric`, functions ``(output, target) -> mean over the batch``, or "accuracy",
            "precision", "recall", "f1", "r2".
        lr (float, optional): the learning rate of an optimizer given by name; default: its own.
        l1 (float), l2 (float): ``l1 Σ|w| + l2 Σw²`` is added to the loss, over the parameters with more than one
            dimension (weights, not biases).
        clip_norm (float, optional), clip_value (float, optional): bounds of the gradients' common norm, and of each
            number of them.
        distributed (bool | dict): let all processes that were started together (``mpiexec -n 4 python program.py``,
            ``minigrad launch``) train one model, by `nn.parallel.DistributedDataParallel`; a dict has its arguments.
            Each takes its share of the data, in batches of `batch_size`: N processes do what one does with batches N
            times as large. The figures are those of all; what is shown and logged is so by rank 0, which writes the
            checkpoints, too. A run may be resumed by another number of processes. All processes have to make the same
            calls. Started alone, it is one process, and gives the same program's files.

    Attributes:
        history (dict[str, list[float]]): by figure, a value for each epoch: "loss", the metrics, and with
            validation_data the same with "val_" before.
        epoch (int): how many epochs are finished; `batch`: batches done of the epoch under way; `step`: in all.
        stop_training (bool): set it to end the run after the batch; set in one process, it ends it in all.
        model (nn.Module): what `training_step` calls: the model, or where several processes train it, the
            `DistributedDataParallel` around it; `module` is the model in both cases.
        rank (int): the number of this process, 0 where there is one.

    To train in another way, e.g. with a loss of several parts, override `training_step`.
    """

    def __init__(
        self, model: nn.Module, optimizer, loss: Callable | str, metrics: Iterable = (), *, lr: float | None = None,
        l1: float = 0.0, l2: float = 0.0, clip_norm: float | None = None, clip_value: float | None = None,
        distributed: bool | dict[str, Any] = False,
    ) -> None:  # fmt: skip
        options = distributed if isinstance(distributed, dict) else {}
        self.ranks = Alone(model) if distributed is False else Ranks(model, options)
        self.model, self.rank = self.ranks.model, self.ranks.rank
        self.optimizer = _named_optimizer(optimizer, model, lr) if isinstance(optimizer, str) else optimizer
        self.loss = _named_loss(loss) if isinstance(loss, str) else loss
        self.metrics = [as_metric(metric) for metric in metrics]
        names = ["loss", *[metric.name for metric in self.metrics]]
        if len(set(names)) < len(names):
            raise ValueError(f"Trainer(): argument 'metrics': expected a name of its own for each figure, got {names}")
        if lr is not None and not isinstance(optimizer, str):
            raise ValueError("Trainer(): argument 'lr': the optimizer given has a learning rate; leave lr out")
        self.l1, self.l2, self.clip_norm, self.clip_value = l1, l2, clip_norm, clip_value
        self.callbacks: list[Callback] = []
        self.savers: list[ModelCheckpoint] = []
        self._start_run()

    def _start_run(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch = self.batch = self.step = self.epochs = 0
        self.steps_per_epoch: int | None = None
        self.stop_training = False
        self._figures = _Figures(self.metrics)
        self._generators: list[minigrad.Generator] = []
        self._at_start: dict[str, Any] | None = None
        self._at_save: dict[str, Any] | None = None

    @property
    def module(self) -> nn.Module:
        """The model itself, without what several processes put around it."""
        return self.model.module if isinstance(self.model, nn.parallel.DistributedDataParallel) else self.model

    def training_step(self, batch) -> tuple[Tensor, Tensor, Tensor]:
        """``(loss, output, target)`` of a batch; the loss is differentiated, the other two are for the metrics.

        Args:
            batch: as the data give it: a list of inputs and a target, or a lone tensor.
        """
        inputs, target = parts(batch)
        output = self.model(*inputs)
        return self.loss(output, target), output, target

    def penalty(self) -> Tensor | float:
        """What `l1` and `l2` add to the loss."""
        weights = [p for p in self.module.parameters() if p.ndim > 1] if self.l1 or self.l2 else []
        absolute = sum([w.abs().sum() for w in weights]) if self.l1 else 0.0
        squares = sum([w.square().sum() for w in weights]) if self.l2 else 0.0
        return self.l1 * absolute + self.l2 * squares

    # ---- training

    def fit(
        self, x, y=None, *, epochs: int = 1, batch_size: int = 32, shuffle: bool = True, validation_data=None,
        callbacks: Iterable[Callback] = (), verbose="auto", resume=None,
    ) -> dict[str, list[float]]:  # fmt: skip
        """Train for some epochs. Called again, it trains on, with a new history.

        Args:
            x: tensors or ndarrays (one, or a tuple of several inputs), a `Dataset`, a `DataLoader` or another iterable
                of batches. A batch is ``(inputs..., target)``, or a lone tensor that is its own target.
            y: the targets, if `x` is tensors or arrays.
            epochs (int): how often to go through the data; with `resume` in all.
            batch_size (int), shuffle (bool): for tensors and data sets; a loader has its own.
            validation_data: as `x`, or ``(x, y)``; measured after each epoch.
            callbacks (iterable of Callback): asked in this order, those that save last.
            verbose: 0 silent, 1 a bar, 2 lines; "auto" is a bar on a terminal, lines elsewhere.
            resume (str | PathLike | dict, optional): a checkpoint that `ModelCheckpoint` or `save` wrote, or a
                `state_dict`. The run goes on from there as if it had never stopped, to the last bit: with the same
                data, callbacks and code around it. (Only what `persistent_workers` draw is not in a checkpoint.)

        Returns:
            `history`.

        Raises:
            ValueError: no batches; a checkpoint of something else, or of a run with other callbacks.
        """
        callbacks = list(callbacks)
        loader = as_batches("fit()", x, y, batch_size, shuffle)
        validation = None if validation_data is None else as_batches("fit()", validation_data, None, batch_size)
        self._start_run()
        self._generators = generators_of(loader, validation)
        self.savers = [callback for callback in callbacks if isinstance(callback, ModelCheckpoint)]
        self.callbacks = [callback for callback in callbacks if not isinstance(callback, ModelCheckpoint)]
        if resume is not None:
            self.load_state_dict(resume if isinstance(resume, dict) else self.ranks.read(resume))
        loader = self.ranks.training_data(loader)
        validation = None if validation is None else self.ranks.validation_data(validation)
        self.epochs = epochs
        self.steps_per_epoch = _length(loader)
        self.callbacks.append(display(verbose))
        begun: list[Callback] = []
        try:
            for callback in (*self._called(), *self.savers):
                callback.on_train_begin(self)
                begun.append(callback)
            self.stop_training = self.ranks.any(self.stop_training)
            while self.epoch < epochs and not self.stop_training:
                self._run_epoch(loader, validation)
        finally:
            with contextlib.ExitStack() as ends:  # each is told, also if one before it raises
                for callback in reversed(begun):
                    ends.callback(callback.on_train_end, self)
        return self.history

    def _called(self) -> list[Callback]:
        """The callbacks that this process calls, but for those that save, which all do."""
        return [callback for callback in self.callbacks if self.rank == 0 or not callback.rank_0_only]

    def _tell(self, event: str, *args) -> None:
        for callback in (*self._called(), *self.savers):
            getattr(callback, event)(self, *args)

    def _run_epoch(self, loader, validation) -> None:
        for batch in self._batches(loader):
            self._train_on(batch)
            self._tell("on_batch_end", self._figures.compute())
            self.stop_training = self.ranks.any(self.stop_training)
            if self.stop_training:
                return
        if not self.batch:
            raise ValueError(
                "fit(): the data gave no batches; an iterator gives them only once, use a list or a loader"
            )
        self.ranks.end_epoch()
        self._figures.load(self.ranks.sums(self._figures))
        logs = self._figures.compute()
        if validation is not None:
            logs |= {f"val_{name}": value for name, value in self._measure(validation).items()}
        self.epoch, self.batch = self.epoch + 1, 0
        for callback in self._called():
            callback.on_epoch_end(self, logs)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        for callback in self.savers:
            callback.on_epoch_end(self, logs)
        self.stop_training = self.ranks.any(self.stop_training)

    def _batches(self, loader):
        """The batches of an epoch, or those that were left of it when a checkpoint was made."""
        if self._at_save is None or not self.batch:
            if self._at_save is not None:
                self._set_random_states(self._at_save)
            self._at_save = None
            self._figures.reset()
            self.model.train()
            self.ranks.begin_epoch(loader, self.epoch)
            self._tell("on_epoch_begin")
            self._at_start = self._random_states()
            return iter(loader)
        # What is drawn to get where the run was is then set right.
        self._set_random_states(self._at_start)
        batches = self.ranks.rest_of_epoch(loader, self.epoch, self.batch)
        self._set_random_states(self._at_save)
        self._at_save = None
        self.model.train()
        return batches

    def _train_on(self, batch) -> None:
        seen = []  # more than once only by L-BFGS, which looks at several points; the first is where the step began

        def closure():
            self.optimizer.zero_grad()
            loss, output, target = self.training_step(batch)
            loss = loss + self.penalty() if self.l1 or self.l2 else loss
            loss.backward()
            if self.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.module.parameters(), self.clip_norm)
            if self.clip_value is not None:
                nn.utils.clip_grad_value_(self.module.parameters(), self.clip_value)
            seen.append((loss.item(), output.detach(), target))
            return self.ranks.mean(loss)

        self.optimizer.step(closure)
        self._figures.update(*seen[0])
        self.ranks.count(len(seen[0][2]))
        self.batch += 1
        self.step += 1

    # ---- use

    def evaluate(self, x, y=None, *, batch_size: int = 32) -> dict[str, float]:
        """The loss and the metrics on data, in evaluation mode: ``{"loss": ..., "accuracy": ...}``.

        Args:
            x, y, batch_size: as in `fit`.
        """
        return self._measure(self.ranks.validation_data(as_batches("evaluate()", x, y, batch_size)))

    def _measure(self, batches) -> dict[str, float]:
        of_training = copy.deepcopy(self._figures.sums())
        figures, whole = _Figures(self.metrics), self.model
        try:
            self.model = self.module  # shares may be unequal: nothing that waits for other processes
            with _evaluating(self.module):
                for batch in batches:
                    loss, output, target = self.training_step(batch)
                    figures.update(float(loss + self.penalty()), output, target)
            figures.load(self.ranks.sums(figures))
            return figures.compute()
        finally:
            self.model = whole
            self._figures.load(of_training)

    def predict(self, x, *, batch_size: int = 32) -> Tensor:
        """The model's outputs for all of `x`, in evaluation mode, ``(N, *)``.

        Args:
            x: tensors or ndarrays (one, or a list of several inputs), or a `Dataset` or loader, whose targets (the
                last of several parts of a batch) are passed over.
            batch_size (int): for tensors.
        """
        if isinstance(x, list | tuple):  # several inputs, and no target among them
            x = (*x, x[0])
        with _evaluating(self.module):
            outputs = [self.module(*parts(batch)[0]) for batch in as_batches("predict()", x, None, batch_size)]
        return minigrad.cat(outputs)

    # ---- checkpoints

    def state_dict(self) -> dict[str, Any]:
        """All that a run consists of, between two batches. Where several processes train, all have to call it; that of
        rank 0 is whole."""
        return {
            "format": FORMAT,
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "history": self.history,
            "sums": [sums.tolist() for sums in self.ranks.sums(self._figures)],
            "model": self.module.state_dict(),
            "optimizer": self.ranks.optimizer_state(self.optimizer),
            "callbacks": [[type(c).__name__, c.state_dict()] for c in (*self.callbacks, *self.savers)],
            "random_at_epoch_start": self._at_start,
            "random": self._random_states(),
            "ranks": self.ranks.state(self._random_states()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Be where a `state_dict` was taken; `fit` does it, after it has been given its data and callbacks."""
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ValueError("this is not a checkpoint of a Trainer: it was not written by Trainer.save")
        saved = [(name, kept) for name, kept in state["callbacks"] if kept]
        present = [c for c in (*self.callbacks, *self.savers) if c.state_dict()]
        if [type(c).__name__ for c in present] != [name for name, _ in saved]:
            raise ValueError(
                f"the checkpoint is of a run with the callbacks {[name for name, _ in saved]}, but this one has "
                f"{[type(c).__name__ for c in present]}; give the same, in the same order"
            )
        random_states = self.ranks.load_state(state.get("ranks"), state["batch"])
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for callback, (_, kept) in zip(present, saved, strict=True):
            callback.load_state_dict(kept)
        self.epoch, self.batch, self.step = state["epoch"], state["batch"], state["step"]
        self.history = {name: list(values) for name, values in state["history"].items()}
        if self.rank == 0:  # they are those of all processes
            self._figures.load(state["sums"])
        self._at_start, self._at_save = state["random_at_epoch_start"], random_states or state["random"]

    def save(self, path, *, weights_only: bool = False) -> None:
        """Write the run to a file, from which ``fit(resume=path)`` goes on; or only the model's `state_dict`.

        The file appears whole or not at all.
        """
        self.ranks.write(self.module.state_dict() if weights_only else self.state_dict(), path)

    def _random_states(self):
        """The states of all that programs draw random numbers from, as plain numbers and tensors."""
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - what users of the old functions draw from
        return {
            "default": minigrad.get_rng_state(),
            "loaders": [generator.get_state() for generator in self._generators],
            "python": random.getstate(),
            "numpy": (kind, keys.tolist(), *rest),
        }

    def _set_random_states(self, states) -> None:
        minigrad.set_rng_state(states["default"])
        if len(states["loaders"]) != len(self._generators):
            raise ValueError(
                f"the checkpoint is of a run whose loaders had {len(states['loaders'])} generators of their own, but "
                f"this one has {len(self._generators)}; give the same loaders"
            )
        for generator, state in zip(self._generators, states["loaders"], strict=True):
            generator.set_state(state)
        random.setstate(states["python"])
        np.random.set_state(states["numpy"])  # noqa: NPY002


class _Figures:
    """The loss and the metrics, summed up over batches."""

    def __init__(self, metrics) -> None:
        self.metrics = metrics
        self.reset()

    def reset(self) -> None:
        self.loss = np.zeros(2)
        for metric in self.metrics:
            metric.reset()

    def update(self, loss: float, output: Tensor, target: Tensor) -> None:
        self.loss += (loss * len(target), len(target))
        for metric in self.metrics:
            metric.update(output, target)

    def compute(self) -> dict[str, float]:
        return {"loss": ratio(*self.loss)} | {metric.name: metric.compute() for metric in self.metrics}

    def sums(self) -> list[np.ndarray]:
        return [self.loss, *[metric.sums for metric in self.metrics]]

    def joined(self, parts) -> list[np.ndarray]:
        """The sums over several processes, from what `sums` gave in each."""
        loss, *rest = zip(*parts, strict=True)
        return [sum(loss), *[metric.joined(each) for metric, each in zip(self.metrics, rest, strict=True)]]

    def load(self, sums) -> None:
        self.loss = np.array(sums[0])
        for metric, kept in zip(self.metrics, sums[1:], strict=True):
            metric.sums = np.array(kept)


@contextlib.contextmanager
def _evaluating(model):
    """Evaluation mode and no gradients inside; the mode of before afterwards, that of each part."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with minigrad.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _length(loader) -> int | None:
    """How many batches there are, if that is known."""
    try:
        return len(loader)
    except TypeError:  # a generator, or a loader of a data set without a length
        return None


def _named_optimizer(name, model, lr):
    kind = getattr(optim, name, None)
    if not (isinstance(kind, type) and issubclass(kind, optim.Optimizer)):
        raise ValueError(f"Trainer(): argument 'optimizer': there is no {name!r} in minigrad.optim; e.g. 'Adam'")
    return kind(model.parameters()) if lr is None else kind(model.parameters(), lr=lr)


def _named_loss(name):
    try:
        return getattr(F, name)
    except AttributeError:
        raise ValueError(
            f"Trainer(): argument 'loss': there is no {name!r} in minigrad.nn.functional; e.g. 'cross_entropy'"
        ) from None
