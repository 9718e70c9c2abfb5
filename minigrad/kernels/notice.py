"""Lines on stderr: each is said once in a process, and none with MINIGRAD_QUIET=1.

Whoever waits for the compiler is told why:

    with compiling("conv2d"):                     # numba's compilations report themselves (`dispatch.py`)
        ...

Not `warnings`: under `python -W error` these would end in the middle of a compilation.

Before this: nothing. After it: `cache.py`.
"""

import contextlib
import gc
import os
import sys
import threading
import time

PATIENCE = 1.0  # seconds that may go by in compilation without a word

_said = set()
_lock = threading.RLock()
_waiting = {"depth": 0, "spent": 0.0}


def say(text):
    """Write a line to stderr, unless it was said before."""
    with _lock:
        if text in _said or os.environ.get("MINIGRAD_QUIET"):
            return
        _said.add(text)
    with contextlib.suppress(AttributeError, OSError, ValueError):  # there is no stderr, or it was closed
        sys.stderr.write(f"minigrad: {text}\n")
        sys.stderr.flush()


@contextlib.contextmanager
def compiling(name):
    """What is inside compiles. When that has taken this process a second in all, it says so, while it goes on.

    Garbage is not collected meanwhile.
    """
    with _lock:
        _waiting["depth"] += 1
        outermost = _waiting["depth"] == 1
    if outermost:  # one compilation leads to others; threads take turns at the compiler
        began = time.perf_counter()
        timer = threading.Timer(max(0.0, PATIENCE - _waiting["spent"]), _explain, [name])
        timer.daemon = True
        timer.start()
        collecting = gc.isenabled()
        gc.disable()  # a compiler makes many objects that live long: looking through them takes 8 % of its time
    try:
        yield
    finally:
        with _lock:
            _waiting["depth"] -= 1
        if outermost:
            timer.cancel()
            if collecting:
                gc.enable()
            _waiting["spent"] += time.perf_counter() - began


def expect():
    """Nothing need be explained to who compiles on purpose."""
    _waiting["explained"] = True


def _explain(name):
    if "explained" not in _waiting:
        _waiting["explained"] = True
        say(
            f"compiling kernels for their first use (at the moment {name}). What is compiled is kept, so this happens "
            "once on a machine. `minigrad warmup` compiles all kernels ahead; MINIGRAD_QUIET=1 hides this line."
        )
