"""The parent of each rank under `minigrad launch`: ``python supervise.py COMMAND ...``; it knows how its child ended.

When a rank is killed, mpiexec ends all others at once, and may then take any of them for the first. Here the child's
end is told to the launcher before mpiexec hears of it. Run as a file, with nothing but the standard library.
"""

import json
import os
import signal
import subprocess
import sys

RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")


def main(command: list[str]) -> int:
    """Run the command and return what it ended with, as a shell does (128 + the signal)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # mpiexec gives it to the child, too
    child = subprocess.Popen(command, close_fds=False)  # MPI's connection to mpiexec is one of them
    code = child.wait()
    rank, size = told(RANK, 0), told(SIZE, 1)
    news = {"ended": rank, "of": size, "code": code, "process": child.pid, "host": os.uname().nodename}
    sys.stderr.write("\x1eminigrad " + json.dumps(news) + "\n")
    sys.stderr.flush()
    return code if code >= 0 else 128 - code


def told(names: tuple, default: int) -> int:
    """A number that mpiexec has put into the environment."""
    return next((int(os.environ[name]) for name in names if name in os.environ), default)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
