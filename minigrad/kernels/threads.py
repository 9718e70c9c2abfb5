"""Threads: how many may compute, and `share`, which divides the work of a kernel among them.

    def work(first, last):                        # images first..last, a call of a `jit` function: without the
        convolve(first, last, x, weight, out)     # interpreter lock

    share(work, len(x), least=4)

    caller  ──┬── part 0 ───────────────┬── return       Parts wait in a list; who is free takes the next one,
    helper    └┄ wakes ┄── part 1 ──────┘                the caller too. Helpers are sleeping Python threads.

Why neither OpenMP (numba's `prange`) nor the BLAS library's own threads: these wait for one another in loops. Where
another program holds a core, each such wait costs a slice of the scheduler's time. Here nobody spins, and nobody waits
for a helper that has not begun: its part is still in the list, and the caller takes it. Two threads, measured:

    work of ...                        0.1 ms   0.2 ms   0.5 ms   2 ms     on an idle machine, time against one thread's
    shared here                        1.5      1.0      0.7      0.55     (waking a thread takes some 50 µs)
    two threads of OpenBLAS                     0.6               0.55
    256 x 256 matrices, cores taken    0.24 ms with one, 0.29 ms shared here, 10 to 16 ms with two of OpenBLAS

**The default is one thread, for kernels and BLAS**, and so `import minigrad` limits NumPy's BLAS to one. It is the one
choice that is never slow, gives the same bits on every machine, and leaves the other cores to other processes. What
counts is, in this order: `set_num_threads`, the variable MINIGRAD_NUM_THREADS, the variable OMP_NUM_THREADS, 1.

Before this: nothing. After it: the drivers of the heavy kernels.
"""

import contextlib
import contextvars
import functools
import os
import threading
from _queue import SimpleQueue  # `queue` would load more than it

import numpy as np  # noqa: F401  (loads the BLAS library that is to be limited)

__all__ = ["get_num_threads", "on_change", "set_num_threads", "share"]


def get_num_threads():
    """How many threads may compute one operation. (PyTorch: torch.get_num_threads)

    1, unless `set_num_threads`, MINIGRAD_NUM_THREADS or OMP_NUM_THREADS said otherwise.
    """
    return _threads


def set_num_threads(count):
    """Let heavy kernels and NumPy's BLAS use `count` threads, in the whole process. (PyTorch: torch.set_num_threads)

    Small operations stay on one thread; shared are those of some tenths of a millisecond. BLAS libraries loaded by
    now are told through threadpoolctl; Apple's Accelerate takes no orders (set VECLIB_MAXIMUM_THREADS).
    Where other programs keep the cores busy, one thread is the fastest. A program that is run again with as many
    threads prints the same digits; with another number the last one may differ, as the gradients of a convolution's
    weights are added up in as many parts.

    Args:
        count (int): at least 1. More than the machine has cores makes nothing faster.

    Raises:
        TypeError: `count` is not an int.
        ValueError: `count` is less than 1.
    """
    global _threads
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"set_num_threads(): expected count to be an int, but got {type(count).__name__}")
    if count < 1:
        raise ValueError(f"set_num_threads(): expected count to be at least 1, but got {count}")
    with _lock:
        changed = (count > 1) != (_threads > 1)
        _threads = count
        _blas.cache_clear()  # another library may have been loaded since
        _limit_blas(1 if _sharing else count)
    if changed:
        for callback in _watchers:
            callback()


def on_change(callback):
    """Call `callback()` when one thread has become several, or several one: for whoever keeps functions that do not
    ask on every call. Returns `callback`, so this can be used as a decorator."""
    _watchers.append(callback)
    return callback


def share(work, count, least=1):
    """Call `work(first, last)` on near-equal parts of `range(count)`, on as many threads as are allowed.

    The bounds depend on `count`, `least` and `get_num_threads()` only, never on who is faster: what is computed in
    parts comes out the same each time. Returns when all parts are done. Inside a part `share` divides no further, and
    BLAS keeps to one thread. Helpers see the caller's context variables (`np.errstate`).

    Args:
        work (Callable): releases the interpreter lock for most of its time; parts must not write to the same memory.
        count (int): how many pieces there are; with 0, `work` is not called.
        least (int): fewer pieces than this are not worth a thread of their own: less than 0.2 ms of work.

    Raises:
        BaseException: what a part raised; the first part's if several did.
    """
    parts = min(_threads, count // least)
    if parts > 1 and not getattr(_here, "in_part", False):
        _share(work, count, parts)
    elif count > 0:
        work(0, count)


def _share(work, count, parts):
    job = _Job(work, [(count * k // parts, count * (k + 1) // parts) for k in reversed(range(parts))])
    _start_helpers(parts - 1)
    _here.in_part = True
    _count_sharing(1)
    try:
        for _ in range(parts - 1):
            _inbox.put((contextvars.copy_context(), job))
        job.compute()
        job.wait()
    finally:
        _count_sharing(-1)
        _here.in_part = False
        job.work = None  # a helper that wakes too late finds the job in its inbox, and nothing held by it
    job.raise_first_error()


class _Job:
    """One call of `share`: the parts that nobody has begun, how many are unfinished, what they raised."""

    __slots__ = ("all_done", "errors", "lock", "parts", "unfinished", "work")

    def __init__(self, work, parts):
        self.work, self.parts, self.unfinished, self.errors = work, parts, len(parts), []
        self.lock, self.all_done = threading.Lock(), threading.Lock()
        self.all_done.acquire()

    def compute(self):
        """Take parts until there is none; `list.pop` gives each to one thread."""
        while self.parts:
            with contextlib.suppress(IndexError):  # another thread was faster
                self._finish(*self.parts.pop())

    def _finish(self, first, last):
        try:
            self.work(first, last)
        except BaseException as error:  # Ctrl-C too: the caller has to wait for the others before it may go
            self.errors.append((first, error))
        with self.lock:
            self.unfinished -= 1
            if not self.unfinished:
                self.all_done.release()

    def wait(self):
        """Until every part is finished."""
        try:
            self.all_done.acquire()
        except BaseException:  # Ctrl-C: the helpers still write to the caller's arrays
            self.all_done.acquire()
            raise

    def raise_first_error(self):
        if self.errors:
            try:
                raise min(self.errors, key=lambda pair: pair[0])[1]
            finally:
                self.errors.clear()  # an error refers to its frames, and these to this job


# --------------------------------------------------------------------------------------------------------------------
# The helpers: daemon threads that are started when first needed and then sleep at the inbox.


def _help(inbox):
    """The life of a helper."""
    _here.in_part = True
    while (order := inbox.get()) is not None:
        context, job = order
        context.run(job.compute)
        del order, context, job  # not held while asleep


def _start_helpers(count):
    with _lock:
        while len(_helpers) < count:
            helper = threading.Thread(target=_help, args=(_inbox,), name=f"minigrad-{len(_helpers) + 1}", daemon=True)
            try:
                helper.start()
            except RuntimeError:  # the system gives no more threads: those there are, or the caller, do it all
                return
            _helpers.append(helper)


def _stop_helpers():
    """Before a fork: a child gets memory, but no threads, and Python warns of processes that have some."""
    if getattr(_here, "in_part", False):
        return
    with _lock:
        stopped = _helpers.copy()
        _helpers.clear()
        for _ in stopped:
            _inbox.put(None)
    for helper in stopped:
        helper.join(timeout=1)  # one that needs a lock of ours would never end; the child gets new ones in any case


def _fresh():
    """The state of a process without helpers: at the start, and in the child of a fork."""
    global _here, _lock, _inbox, _helpers, _sharing
    _here, _lock, _inbox, _helpers, _sharing = threading.local(), threading.RLock(), SimpleQueue(), [], 0


def _after_fork():
    shared = _sharing
    _fresh()
    if shared:  # by another thread of the parent: BLAS is still at one
        _limit_blas(_threads)


# --------------------------------------------------------------------------------------------------------------------
# BLAS: as many threads as we have, but one while parts are computed, or each part would want all of them.


@functools.cache
def _blas():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


def _limit_blas(count):
    for library in _blas():
        library.set_num_threads(count)


def _count_sharing(change):
    global _sharing
    with _lock:
        _sharing += change
        if _sharing == max(change, 0):  # the first that comes, the last that goes
            _limit_blas(1 if _sharing else _threads)


def _threads_at_start(environment=os.environ):
    """What the environment says. OMP_NUM_THREADS belongs to others too and may hold a list, "4,2", or nonsense."""
    ours = environment.get("MINIGRAD_NUM_THREADS")
    if ours:
        if not ours.isdecimal() or int(ours) < 1:
            raise ValueError(f"MINIGRAD_NUM_THREADS: expected a whole number from 1 on, but got {ours!r}")
        return int(ours)
    others = environment.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return max(int(others), 1) if others.isdecimal() else 1


_threads, _watchers = 1, []
_fresh()
set_num_threads(_threads_at_start())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_stop_helpers, after_in_child=_after_fork)
