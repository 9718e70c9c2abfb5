"""`minigrad.profiler`: there is none; `viz.trace` lists what ran. (PyTorch: torch.profiler)

`record_function` and the names of settings are accepted; profiling is refused, with the alternative named.
"""

from __future__ import annotations

import contextlib
import enum

from minigrad.harmless import refusing

__all__ = ["ProfilerActivity", "record_function"]

__getattr__ = refusing(
    __name__,
    "ExecutionTraceObserver ProfilerAction itt kineto_available profile schedule supported_activities "
    "tensorboard_trace_handler",
    NotImplementedError,
    "there is no profiler here; use minigrad.viz.trace(function, *args), which lists each operation with its time, "
    "bytes and line, or python -m cProfile -s cumtime program.py",
)


class ProfilerActivity(enum.Enum):
    """What PyTorch's profiler can watch; by name only. (PyTorch: torch.profiler.ProfilerActivity)"""

    CPU = 0
    CUDA = 2
    XPU = 1


@contextlib.contextmanager
def record_function(name: str, args: str | None = None):
    """A context or decorator without effect: nothing records. (PyTorch: torch.profiler.record_function)"""
    yield
