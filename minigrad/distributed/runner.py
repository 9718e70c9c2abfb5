"""What `minigrad launch` starts on every rank: ``python -m minigrad.distributed.runner [-m] prog.py arguments``.

The ranks meet before the program begins, so that an error in its first line, too, is said once and stops all.
"""

from __future__ import annotations

import atexit
import os
import runpy
import signal
import sys
from pathlib import Path

from minigrad.distributed.place import place, tell_launcher
from minigrad.distributed.world import default_seconds, join, load_mpi

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Run a program as one of the ranks."""
    size = set_names()
    atexit.register(tell_launcher, leaves=place()[0])  # what os._exit does not come to
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which supervise.py does not hear
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # whole lines, so that those of the ranks do not mix
            stream.reconfigure(line_buffering=True, write_through=False)
    mpi = load_mpi(default_seconds()) if size > 1 else None
    guard = join(mpi, default_seconds()) if mpi is not None else None
    if guard is not None:
        guard.stays = True
    module = arguments[0] == "-m"
    sys.argv = arguments[1:] if module else arguments
    try:
        if module:
            sys.path.insert(0, os.getcwd())
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))
            runpy.run_path(sys.argv[0], run_name="__main__")
    except BaseException as error:
        if guard is None or (isinstance(error, SystemExit) and not error.code):
            raise
        guard.fail(without_runner(error), exit_code(error))
        return 1
    return 0


def set_names() -> int:
    """Set what torchrun sets, for programs that read it. Returns the number of ranks."""
    rank, size, local, local_size = place()
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(local), LOCAL_WORLD_SIZE=str(local_size))
    os.environ.setdefault("MASTER_ADDR", "localhost")
    os.environ.setdefault("MASTER_PORT", "29500")
    return size


def without_runner(error: BaseException) -> BaseException:
    """The error, its traceback beginning in the program."""
    ours = (__file__, str(Path(__file__).with_name("spawned.py")), runpy.__file__, "<frozen runpy>")
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    return error.with_traceback(trace)


def exit_code(error: BaseException) -> int:
    """What the process would end with."""
    if not isinstance(error, SystemExit):
        return 1
    return error.code & 255 if isinstance(error.code, int) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
