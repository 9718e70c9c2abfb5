"""The end of a rank with an error: the others are told and stopped, and it is said once.

`guard_program` is called by `init_process_group`. An error that nothing caught, in any thread, goes through `fail`: the
others hear of it, one of those that failed at the same time (the lowest rank) writes its traceback and a line that
names the rank, and after a moment, in which the others may end by themselves (their waits raise, so that `finally`
blocks run), MPI stops them all.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import textwrap
import threading
import time
import traceback

from minigrad.distributed.errors import DistBackendError, PeerFailure
from minigrad.distributed.place import tell_launcher
from minigrad.distributed.watch import Watch

__all__: list[str] = []

SETTLE = 0.3  # seconds in which ranks that fail at the same time hear of each other
GRACE = 1.0  # seconds that the others have to end by themselves
LAST = 5  # seconds after which a process that cannot end is ended by the system


class Guard:
    """What stands between an error that nothing caught and the end of a process."""

    current: Guard | None = None

    def __init__(self, watch: Watch) -> None:
        Guard.current = self
        self.stays = False  # whether it watches until the end of the program (`minigrad launch`)
        self.watch, self.process = watch, os.getpid()
        self.hook, self.thread_hook = sys.excepthook, threading.excepthook
        self.failing = threading.Lock()
        sys.excepthook, threading.excepthook = self.uncaught, self.uncaught_in_thread
        atexit.register(self.leave)

    def uncaught(self, kind, error, trace) -> None:
        """`sys.excepthook`."""
        if os.getpid() != self.process:  # a child of this process, which has no part in MPI
            self.hook(kind, error, trace)
        else:
            self.fail(error, 1)

    def uncaught_in_thread(self, given) -> None:
        """`threading.excepthook`."""
        if os.getpid() != self.process or given.exc_value is None or given.exc_type is SystemExit:
            self.thread_hook(given)
        else:
            self.fail(given.exc_value, 1)

    def fail(self, error: BaseException, code: int) -> None:
        """End all ranks because of an error of this one. Returns where another rank does."""
        watch = self.watch
        if not self.failing.acquire(blocking=False):
            return
        watch.poll()
        if follows(error):
            return  # who failed first does it
        speaks = not watch.failed
        watch.leaving = True
        watch.tell_all(kind="failed", error=in_one_line(error), speaks=speaks)
        if not speaks:
            return
        wait_until(SETTLE, lambda: watch.gone() == watch.size - 1)
        if any(rank < watch.rank for rank, (_, speaks) in watch.failed.items() if speaks):
            return
        self.say(error)
        tell_launcher(failed=watch.rank, code=code)
        wait_until(GRACE, lambda: watch.gone() == watch.size - 1)
        self.stop_all(code)

    def stop_all(self, code: int) -> None:
        """End this process, and all others with it."""
        if "PMI_HOSTNAME" in os.environ:
            os._exit(code)  # Hydra, MPICH's mpiexec, then ends the others, and says less than to an abort
        end_in(LAST)  # an abort may wait for hosts that are out of reach
        self.watch.comm.Abort(code)

    def say(self, error: BaseException) -> None:
        """The one message."""
        watch = self.watch
        if isinstance(error, KeyboardInterrupt):
            said, too = "was interrupted", "was"
        else:
            said, too = f"{'gave up' if isinstance(error, DistBackendError) else 'failed'}: {in_one_line(error)}", "did"
        text = f"rank {watch.rank} of {watch.size} ({watch.names[watch.rank]}) {said}"
        if watch.failed:
            text += f" (as {too} rank {', '.join(map(str, sorted(watch.failed)))})"
        known = KeyboardInterrupt | SystemExit | DistBackendError  # whose text says all
        lines = [] if isinstance(error, known) else traceback.format_exception(error)
        sys.stdout.flush()
        sys.stderr.write("".join(lines) + f"minigrad.distributed: {text}\n")
        sys.stderr.flush()

    def leave(self) -> None:
        """At the end of the program, before MPI's own, which waits for all others."""
        if os.getpid() != self.process:
            return
        self.watch.end()
        if self.failing.locked() or self.watch.failed:
            end_in(LAST)

    def dismiss(self) -> None:
        """Stand aside: the process is on its own again."""
        if self.stays:
            return
        Guard.current = None
        atexit.unregister(self.leave)
        sys.excepthook, threading.excepthook = self.hook, self.thread_hook
        self.watch.end()


def follows(error: BaseException | None) -> bool:
    """Whether an error came of the failure of another rank."""
    while error is not None and not isinstance(error, PeerFailure):
        error = error.__cause__ or error.__context__
    return error is not None


def in_one_line(error: BaseException) -> str:
    """``ValueError: bad batch``: the last line of a traceback, or what an exit says."""
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r})"
    if isinstance(error, DistBackendError):
        return str(error)
    lines = traceback.format_exception_only(error)
    return textwrap.shorten("".join(lines[-1:] if isinstance(error, SyntaxError) else lines), 300)


def wait_until(seconds: float, ready) -> None:
    """Wait until something is so, or the time is over."""
    end = time.monotonic() + seconds
    while not ready() and time.monotonic() < end:
        time.sleep(0.01)


def end_in(seconds: int) -> None:
    """Let the system end this process, wherever it then is: MPI may wait at its end for ranks that are gone."""
    if hasattr(signal, "alarm") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
