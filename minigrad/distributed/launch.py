"""`minigrad launch`: start a program in several processes, say in one line what went wrong, and start it again.

``mpiexec`` does the starting. What MPICH's writes about a rank that died is left out in favour of one message with the
rank and the signal (what Open MPI's writes is left); everything else passes through unchanged.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from minigrad.distributed.errors import INSTALL
from minigrad.distributed.place import MARK

__all__ = ["add_arguments", "main", "run"]

PATIENCE = 5.0  # seconds that mpiexec has to end after a rank has failed: a host may be out of its reach
EPILOG = """\
After a failure the program is started again, up to --restarts times, and has to go on from its last checkpoint itself:
  path = Path("run.pt")
  if path.exists():
      state = minigrad.load(path)          # model, optimizer, epoch, ...
MINIGRAD_RESTART holds how often it was started again (0: the first time). RANK, WORLD_SIZE, LOCAL_RANK and
LOCAL_WORLD_SIZE are set as torchrun sets them.
"""
# What Hydra, MPICH's mpiexec, writes of a rank that died, line by line.
BANNER = re.compile(
    r"={60,}$|=   (BAD TERMINATION|PID|EXIT CODE|CLEANING UP|YOU CAN IGNORE)|YOUR APPLICATION TERMINATED WITH"
    r"|This typically refers to a problem with your app|Please see the FAQ page for debugging|Abort\(\d+\) on node"
    r"|\[mpiexec@.*\] (Sending|Press) Ctrl-C|Ctrl-C caught"
)
HYDRA = re.compile(r"\[(proxy:\d+|mpiexec)@.*\] (HYD|main)")  # its own errors: they follow from a rank's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("-n", "-np", type=int, metavar="N", help="how many processes (default: 1)")
    parser.add_argument(
        "--nproc-per-node", "--nproc_per_node", type=int, metavar="N", help="... on each host, as torchrun has it"
    )
    parser.add_argument("--hosts", metavar="A,B:2", help="where, as mpiexec takes it (default: on this machine)")
    parser.add_argument(
        "--restarts", "--max-restarts", "--max_restarts", type=int, default=0, metavar="K",
        help="how often to start again after a failure (default: 0)",
    )  # fmt: skip
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds that a collective may take (default: 1800)")
    parser.add_argument("--prefix", action="store_true", help="the rank before every line of output")
    parser.add_argument("--mpiexec", metavar="PATH", help="which mpiexec (default: beside this Python, or on the PATH)")
    parser.add_argument("-m", "--module", action="store_true", help="the program is a module, as python -m has it")
    parser.add_argument("program", help="a Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what it is given")


def find_mpiexec(given: str | None) -> str | None:
    """The mpiexec to use: of the same installation as this Python, if it has one."""
    if given is not None:
        return shutil.which(given)
    return shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


def command(options, mpiexec: str) -> list[str]:
    """What is run."""
    hosts = options.hosts.split(",") if options.hosts else []
    count = options.n or (options.nproc_per_node or 1) * max(1, len(hosts))
    hydra = "HYDRA" in subprocess.run([mpiexec, "--version"], capture_output=True, text=True).stdout
    words = [mpiexec, "-n", str(count)]
    if options.hosts:
        words += ["-hosts" if hydra else "--host", options.hosts]
    if options.prefix:
        words += ["-prepend-rank"] if hydra else ["--tag-output"]
    module = ["-m"] if options.module else []
    return [*words, *rank_command(*module, options.program, *options.arguments)]


def run(options) -> int:
    """Start the program, and again after a failure. Returns its exit code."""
    mpiexec = find_mpiexec(options.mpiexec)
    if mpiexec is None:
        print(f"minigrad launch: error: there is no mpiexec; {INSTALL}", file=sys.stderr)
        return 1
    if not options.module and not Path(options.program).is_file():
        print(f"minigrad launch: error: there is no file {options.program}", file=sys.stderr)
        return 2
    words = command(options, mpiexec)
    for attempt in range(options.restarts + 1):
        if attempt:
            print(f"minigrad launch: starting again ({attempt} of {options.restarts})", file=sys.stderr, flush=True)
        code = Job(words, attempt, options.timeout).wait()
        if code in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM):
            break
    return code


class Job:
    """One run of mpiexec."""

    def __init__(self, words: list[str], attempt: int, timeout: float | None) -> None:
        environment = {**os.environ, "MINIGRAD_RESTART": str(attempt)}
        if timeout is not None:
            environment["MINIGRAD_DISTRIBUTED_TIMEOUT"] = str(timeout)
        self.failed: dict | None = None  # what a rank told that failed
        self.leaving: set[int] = set()  # ... and which came to their end
        self.well: set[int] = set()  # which ended with exit code 0
        self.ended: dict | None = None  # the first that did not, or had a code, as its parent told (supervise.py)
        self.stopped = 0  # the signal that this process got
        self.heard = False  # whether mpiexec had the Ctrl-C as well
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.readers = [
            threading.Thread(target=self.pass_on, args=(source, target), daemon=True)
            for source, target in ((self.process.stdout, sys.stdout), (self.process.stderr, sys.stderr))
        ]
        for reader in self.readers:
            reader.start()

    def pass_on(self, source, target) -> None:
        """Copy what mpiexec writes, but for the lines that are read here."""
        rest = b""
        while data := os.read(source.fileno(), 65536):
            *lines, rest = (rest + data).split(b"\n")
            ours = [self.reads(line.decode(errors="replace")) for line in lines]
            if any(ours):  # an empty line before the banner is the banner's
                ours = [own or (not line and after) for line, own, after in zip(lines, ours, [*ours[1:], False])]
            shown = [line + b"\n" for line, own in zip(lines, ours) if not own]
            if rest and not rest.startswith((MARK[:1].encode(), b"=", b"YOUR", b"This", b"Please", b"Abort", b"[")):
                shown.append(rest)  # the beginning of a line, such as a bar of progress
                rest = b""
            elif not rest and shown and shown[-1] == b"\n":  # the banner begins with an empty line
                rest = shown.pop()
            write(target, b"".join(shown))
        write(target, rest)
        source.close()

    def reads(self, line: str) -> bool:
        """Whether a line was meant for the launcher."""
        if MARK in line:
            news = json.loads(line.partition(MARK)[2])
            if "failed" in news:
                self.failed = news
            elif "leaves" in news:
                self.leaving.add(news["leaves"])
            else:
                if not news["code"]:
                    self.well.add(news["ended"])
                if news["code"] or news["ended"] not in self.leaving:
                    self.ended = self.ended or news
            return True
        if (self.failed or self.ended or self.stopped) and HYDRA.match(line):
            return True
        self.heard = self.heard or "Ctrl-C" in line
        return BANNER.match(line) is not None

    def wait(self) -> int:
        """Wait for the end, say what went wrong if no rank did, and return the exit code."""

        def stop(number, frame):
            self.stopped = number
            if number == signal.SIGTERM:  # Ctrl-C goes to mpiexec, too
                self.process.terminate()

        handled = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
        before = [signal.signal(number, stop) for number in handled]
        try:
            code = self.until_end()
        finally:
            for number, handler in zip(handled, before):
                signal.signal(number, handler)
        for reader in self.readers:
            reader.join(1)
        if self.stopped:
            return 128 + self.stopped
        if self.failed is not None:
            return self.failed["code"]
        if self.ended is not None and len(self.well) < self.ended["of"]:
            code = code or 1  # after os._exit(0) of a rank, MPICH's may stop the others and end with 0
        if code:
            print(f"minigrad launch: {self.verdict(code)}", file=sys.stderr, flush=True)
        if self.ended is not None:
            code = self.ended["code"] or code
        return code if code >= 0 else 128 - code

    def until_end(self) -> int:
        """The exit code of mpiexec, which is killed if it does not end after a failure."""
        since = None
        while (code := self.process.poll()) is None:
            time.sleep(0.05)
            if self.stopped == signal.SIGINT and not self.heard:
                time.sleep(0.5)
                if not self.heard:  # a second one would be an order to kill
                    self.heard = True
                    self.process.send_signal(signal.SIGINT)
            if self.failed is not None:
                since = since or time.monotonic()
                if time.monotonic() - since > PATIENCE:
                    self.process.kill()
        return code

    def culprit(self) -> int:
        """The rank that failed, or -1 where that is not known."""
        if self.failed is not None:
            return self.failed["failed"]
        return self.ended["ended"] if self.ended is not None else -1

    def verdict(self, code: int) -> str:
        """What happened, where no rank could say it."""
        if self.ended is None:
            return f"mpiexec ended with exit code {code}"
        who = "rank {ended} (process {process} on {host})".format(**self.ended)
        code = self.ended["code"]
        if code >= 0:
            return f"{who} ended with exit code {code} and said nothing; the others were stopped"
        return f"{who} was ended by signal {-code} ({signal.strsignal(-code)}); the others were stopped"


def rank_command(*words: str) -> list[str]:
    """What mpiexec starts for each rank, to run a program (`runner.main`'s arguments)."""
    parent = str(Path(__file__).with_name("supervise.py"))
    return [sys.executable, "-I", "-S", parent, sys.executable, "-m", "minigrad.distributed.runner", *words]


def write(target, data: bytes) -> None:
    """Write bytes to one of this process's streams."""
    buffer = getattr(target, "buffer", None)
    if buffer is None:
        target.write(data.decode(errors="replace"))
    else:
        buffer.write(data)
    target.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m minigrad.distributed.launch``."""
    parser = argparse.ArgumentParser(prog="minigrad launch", description="Run a program in several processes, by MPI.")
    add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
