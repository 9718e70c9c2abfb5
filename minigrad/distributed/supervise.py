"""The parent of each rank under `minigrad launch`: ``python supervise.py COMMAND ...``; it knows how its child ended.

When a rank is killed, mpiexec ends all others at once, and may then take any of them for the first. Here the child's
end is told to the launcher before mpiexec hears of it. Run as a file, with nothing but the standard library and the
file beside it: the package would take NumPy's time and memory once more for each rank.
"""

import json
import os
import runpy
import signal
import subprocess
import sys

PLACE = runpy.run_path(os.path.join(os.path.dirname(__file__), "place.py"))


def main(command: list[str]) -> int:
    """Run the command and return what it ended with, as a shell does (128 + the signal)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # mpiexec gives it to the child, too
    child = subprocess.Popen(command, close_fds=False)  # MPI's connection to mpiexec is one of them
    code = child.wait()
    rank, size, *_ = PLACE["place"]()
    news = {"ended": rank, "of": size, "code": code, "process": child.pid, "host": os.uname().nodename}
    sys.stderr.write(PLACE["MARK"] + json.dumps(news) + "\n")
    sys.stderr.flush()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
