"""Results that are still to come. (PyTorch: torch.futures)

`distributed.Work.get_future()` gives them; hooks of `DistributedDataParallel` return them. What waits for messages has
no thread of its own: `done` and `wait` move it on, and call what `then` was given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """A value that is not there yet. (PyTorch: torch.futures.Future)

    Args:
        devices: accepted.
    """

    def __init__(self, *, devices=None) -> None:
        self._there = threading.Event()
        self._value: Any = None
        self._error: Exception | None = None
        self._callbacks: list[Callable] = []
        self._source: Any = None  # what has `done()` and `wait()`, and completes this one when it is there

    @classmethod
    def following(cls, is_done: Callable[[], bool], wait: Callable[[], Any]) -> Future:
        """A future of something that has to be asked: `is_done` says whether it is there, without waiting; `wait` waits
        for it and returns the value, or raises."""
        future = cls()
        future._source = _Asked(future, is_done, wait)
        return future

    def done(self) -> bool:
        """Whether there is a value, or an error."""
        if not self._there.is_set() and self._source is not None:
            self._source.done()
        return self._there.is_set()

    def wait(self) -> Any:
        """Wait for the value and return it; raises the error, if it came to that."""
        if not self._there.is_set() and self._source is not None:
            self._source.wait()
        self._there.wait()
        return self.value()

    def value(self) -> Any:
        """The value, which has to be there; raises the error, if it came to that."""
        if not self._there.is_set():
            raise RuntimeError("value(): the future is not completed; call wait()")
        if self._error is not None:
            raise self._error
        return self._value

    def set_result(self, result) -> None:
        """Complete it with a value. RuntimeError if it is completed already."""
        if self._there.is_set():
            raise RuntimeError("Attempting to mark a completed Future as complete again.")
        self._value = result
        self._there.set()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def set_exception(self, result: Exception) -> None:
        """Complete it with an error, which `wait` and `value` raise."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._error = result
        self.set_result(None)

    def add_done_callback(self, callback: Callable[[Future], None]) -> None:
        """Call ``callback(self)`` when it is completed, at once if it is."""
        if self._there.is_set():
            callback(self)
        else:
            self._callbacks.append(callback)

    def then(self, callback: Callable[[Future], Any]) -> Future:
        """A future of ``callback(self)``, called when this one is completed; an error in it is the error of the new."""
        following = type(self)()
        following._source = self

        def complete(future):
            try:
                result = callback(future)
            except Exception as error:
                following.set_exception(error)
            else:
                following.set_result(result)

        self.add_done_callback(complete)
        return following


class _Asked:
    """The source of a future that has to be asked."""

    def __init__(self, future, is_done, wait):
        self._future, self._is_done, self._wait = future, is_done, wait

    def done(self):
        if self._is_done():
            self.wait()

    def wait(self):
        try:
            value = self._wait()
        except Exception as error:
            self._future.set_exception(error)
        else:
            self._future.set_result(value)


def collect_all(futures: list[Future]) -> Future:
    """A future of the list of these futures, completed when all are. (PyTorch: torch.futures.collect_all)"""

    def wait():
        for future in futures:
            try:
                future.wait()
            except Exception:  # noqa: PERF203 - each is to be waited for; its own `value` tells
                continue
        return futures

    return Future.following(lambda: all([future.done() for future in futures]), wait)


def wait_all(futures: list[Future]) -> list[Any]:
    """Wait for all; returns their values, or raises the first error. (PyTorch: torch.futures.wait_all)"""
    collect_all(futures).wait()
    return [future.value() for future in futures]
