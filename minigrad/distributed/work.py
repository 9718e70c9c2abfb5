"""`Work`: the handle of something under way between ranks, and how it is waited for."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

from minigrad.distributed.errors import DistBackendError
from minigrad.futures import Future

__all__ = ["Work"]

SPIN = 100e-6  # seconds that a wait asks again at once, before it lets others have the core
LONGEST = 500e-6  # seconds of the longest sleep between two questions


class Work:
    """Something under way: what a collective returns with ``async_op=True``, and `isend` and `irecv` always.

    The tensors belong to the library until `wait` has returned or `is_completed` has said True.
    (PyTorch: torch.distributed.Work)
    """

    def __init__(self, test: Callable[[], bool], guard, timeout: float, finish=None, result=()) -> None:
        """test: whether it is done. guard: knows why it may never be (`watch.Begun`). timeout: seconds of a wait.
        finish: what is to be done then, once. result: the tensors that are written."""
        self._test, self._guard, self._timeout = test, guard, timeout
        self._finish, self._result = finish, result
        self._done, self._error = False, None

    def __repr__(self) -> str:
        return f"<Work {self._guard and self._guard.call}: {'done' if self._done else 'under way'}>"

    def is_completed(self) -> bool:
        """Whether it has ended, well or with an error; does not wait."""
        if not self._done:
            self._ask()
        return self._done

    def _ask(self) -> bool:
        try:
            if self._test():
                if self._finish is not None:
                    self._finish()
                self._end(None)
        except Exception as error:
            self._end(error)
        return self._done

    def _end(self, error) -> None:
        self._done, self._error, self._test, self._finish = True, error, done, None

    def wait(self, timeout: datetime.timedelta | float | None = None) -> bool:
        """Return True when it has ended well; raises its error. `timeout`: a timedelta (or seconds); None or zero: that
        of the group."""
        if not self._done:
            seconds = as_seconds(timeout) or self._timeout
            if not patient(self._ask, seconds, self._guard):
                raise DistBackendError(self._guard.overdue(seconds))
        if self._error is not None:
            raise self._error
        return True

    synchronize = wait

    def is_success(self) -> bool:
        """Whether it has ended without an error."""
        return self.is_completed() and self._error is None

    def exception(self) -> BaseException | None:
        """The error it ended with, or None."""
        return self._error

    def result(self) -> list:
        """The tensors that it wrote."""
        return list(self._result)

    def get_future(self) -> Future:
        """The same as a `futures.Future`, of the list of tensors that it wrote."""

        def wait():
            self.wait()
            return self.result()

        return Future.following(self.is_completed, wait)

    def source_rank(self) -> int:
        """The rank that a received message is from; only `recv` and `irecv` know one."""
        raise RuntimeError("source_rank(): only the Work of irecv has a source")


def as_seconds(timeout) -> float | None:
    """Seconds of a timedelta or number; None stays."""
    return timeout.total_seconds() if isinstance(timeout, datetime.timedelta) else timeout


def done() -> bool:
    """The test of what needs no other rank."""
    return True


def patient(ask: Callable[[], bool], seconds: float, guard) -> bool:
    """Ask until the answer is True (returned) or `seconds` are over (False); `guard.check` raises what ends it early.

    First at once again, then with sleeps that grow: ranks may be more than cores, and the one that is waited for needs
    one.
    """
    start = time.perf_counter()
    while not ask():
        guard.check()
        now = time.perf_counter() - start
        if now > seconds:
            return False
        if now > SPIN:  # to sleep brings the core back sooner than to yield it, where others are at work
            time.sleep(min(LONGEST, now / 16))
    return True
