"""Data-parallel training measured: `python -m bench.distributed`.

    python -m bench.distributed                  tables on the terminal
    python -m bench.distributed --write          into docs/distributed.md, between its marks
    python -m bench.distributed --slow 1gbit     the two ranks over a link of that rate, too (Linux, as root)

Measured are: messages between two ranks, the time of a step against the number of ranks, with the sums of gradients
overlapped with the backward and after it, bytes moved, bytes of optimizer state, and the same training in PyTorch over
gloo, in runs that take turns. From these `links.py` computes what more ranks on faster and slower links would do.
`ranks.py` is what runs in each process.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
from pathlib import Path

from bench.links import LINKS, RANKS, Here, forecast, halving, ring
from bench.page import table
from bench.report import duration, volume
from minigrad.distributed.launch import find_mpiexec

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "distributed.md"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# MPICH's ranks on one host use shared memory; so told they speak TCP, as hosts do.
TCP = {"MPIR_CVAR_NOLOCAL": "1", "MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp"}
SLOWED = "ip link set lo up && tc qdisc add dev lo root tbf rate {rate} burst 256kb latency 100ms && exec "


MESSAGES = """\
Measured on {machine}, one thread in each rank; {rounds} rounds of {steps} steps each, medians. The machine has other
work, too, so times vary from run to run; ratios are taken within a round. More ranks than cores take turns: their times
show that it works, not how it scales.

### Messages

Half the time of MPI's own message there and back, and `all_reduce` over two ranks as a program sees it; the fastest
tenth.

{messages}

{means}
"""
STEPS = """\
### A step

The same batch in each rank; buckets of 1 MB. Bytes: those of the gradients, which over two ranks in a ring each rank
sends once. "After the backward" sends the same buckets when the backward is through. Where ranks share a host, what
sends is the processor that also computes, so there is little to be had from overlapping.

{table}
"""
SLOW = """\
Two ranks over a link of {rate} (TCP; a loopback slowed by `tc tbf`), which does not take the processor's time:

{slow}
"""
TORCH = """\
### Against PyTorch

Two ranks, the same model, batch, buckets and optimizer; runs of the two took turns. The ratio is minigrad's time over
PyTorch's: the median of the rounds, and their range.

{torch}
"""
STATE = """\
### Memory of the optimizer

Adam's state in one process: whole, and with `ZeroRedundancyOptimizer`. A parameter is not divided, so one large layer
is the least that a share can be.

{state}
"""
EXPECTED = """\
### Expected with more ranks

Computed, not measured: how efficient a step of N ranks is, each with the batch of one rank here, and in brackets the
share of the sums' time that the backward hides. With a ring, a sum of S bytes takes

    T(S, N) = call + 2 (N − 1) · latency + 2 (N − 1)/N · S / bandwidth

and with recursive halving and doubling, which MPI chooses for many ranks, 2 ⌈log₂ N⌉ latencies. A bucket is sent when
it is full and the one before it is through; when each is full was measured in one rank. What is left of the sums when
the backward ends lengthens the step: efficiency = step of one / step of N.

The call ({call}), latency ({latency}) and bandwidth ({bandwidth}) of the software are those measured here over TCP. To
them comes the link ({links}; usual figures, assumed): latencies add up, and so do the times of a byte.

{expected}
"""


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": path, "MINIGRAD_QUIET": "1", **more}


def mpiexec() -> str:
    """The program that starts processes; SystemExit where there is none."""
    found = find_mpiexec(None)
    if found is None:
        raise SystemExit("bench.distributed: there is no mpiexec (pip install mpi4py mpich)")
    return found


def minigrad(ranks: int, what: str, steps: int, *chosen: str, slow: str | None = None, **more: str) -> dict:
    """What `bench.ranks` finds in so many processes of minigrad."""
    command = [mpiexec(), "-n", str(ranks), sys.executable, "-m", "bench.ranks", what, str(steps), *chosen]
    if slow:  # in a network of its own, whose loopback is as slow as that
        command = ["unshare", "-n", "sh", "-c", SLOWED.format(rate=slow) + " ".join(command)]
    done = subprocess.run(command, cwd=ROOT, env=environment(**more), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def pytorch(ranks: int, steps: int, *chosen: str) -> dict:
    """The same in PyTorch over gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", "bench.ranks", "torch", str(steps), *chosen]
    started = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=port),
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    printed = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise RuntimeError("bench.distributed: PyTorch's ranks failed")
    return json.loads(printed[0].splitlines()[-1])


def spread(values) -> str:
    """The median, with the smallest and the largest behind it."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} – {max(values):.2f})"


class Bench:
    """All that is measured, in rounds that take turns. See the head of this file."""

    def __init__(self, rounds: int, steps: int, slow: str | None) -> None:
        self.rounds, self.steps, self.slow = rounds, steps, slow
        self.with_torch = importlib.util.find_spec("torch") is not None
        self.seconds: dict[tuple, list[float]] = {}  # (model, side): the median of each round
        self.slowed: dict[tuple, list[float]] = {}

    def run(self) -> None:
        """Measure; takes some minutes."""
        self.messages = {
            "shared memory": minigrad(2, "messages", 100),
            "TCP": minigrad(2, "messages", 100, **TCP),
        }
        self.timelines = minigrad(1, "timeline", self.steps)
        self.state = {ranks: minigrad(ranks, "memory", 1) for ranks in (2, 4)}
        for k in range(self.rounds):
            sides = [
                lambda: self.note(minigrad(1, "minigrad", self.steps), "1 rank, {}"),
                lambda: self.note(minigrad(2, "minigrad", self.steps), "2 ranks, {}"),
                lambda: self.note(minigrad(4, "minigrad", self.steps), "4 ranks, {}"),
            ]
            if self.with_torch:
                sides.append(lambda: self.note(pytorch(2, self.steps), "torch, {}"))
            for side in sides if k % 2 else reversed(sides):
                side()
            if self.slow:
                found = minigrad(2, "minigrad", self.steps, slow=self.slow, **TCP)
                self.note(found, "2 ranks, {}", self.slowed)

    def note(self, found, side, where=None) -> None:
        where = self.seconds if where is None else where
        for model, ways in found.items():
            for way, times in ways.items():
                where.setdefault((model, side.format(way)), []).append(statistics.median(times))

    # ---- what came out

    def here(self, way: str) -> Here:
        """The latency, the bandwidth and the cost of a call, over one way between ranks."""
        ping, mpi, added = (
            {int(size): seconds for size, seconds in self.messages[way][what].items()}
            for what in ("ping", "mpi", "sum")
        )
        shortest, longest = min(ping), max(ping)
        bandwidth = (longest - shortest) / (ping[longest] - ping[shortest])
        return Here(max(0.0, added[shortest] - mpi[shortest]), ping[shortest], bandwidth)

    def message_table(self) -> str:
        rows = []
        for size in self.messages["TCP"]["ping"]:
            cells = [
                duration(self.messages[way][what][size]) for what in ("ping", "sum") for way in ("shared memory", "TCP")
            ]
            rows.append([volume(int(size)) if int(size) >= 1024 else f"{size} B", *cells])
        heads = ["bytes", "message, shared memory", "message, TCP", "`all_reduce`, shared memory", "`all_reduce`, TCP"]
        return table(heads, rows, range(5))

    def step_table(self) -> str:
        heads = ["model", "bytes sent by each of 2", "1 rank", "2 ranks", "after the backward", "4 ranks", "hidden"]
        rows = []
        for model in self.timelines:
            size = sum(bytes_ for _, bytes_ in self.timelines[model]["buckets"])
            times = {side: self.seconds[model, side] for m, side in self.seconds if m == model}
            over, after = times["2 ranks, overlapped"], times["2 ranks, after"]
            names = ("1 rank, alone", "2 ranks, overlapped", "2 ranks, after", "4 ranks, overlapped")
            cells = [duration(statistics.median(times[name])) for name in names]
            rows.append([model, volume(size), *cells, spread([a / b for a, b in zip(over, after)])])
        heads[-1] = "overlapped / after"
        return table(heads, rows, range(1, 7))

    def slow_table(self) -> str:
        rows = []
        for model in self.timelines:
            over, after = (self.slowed[model, f"2 ranks, {way}"] for way in ("overlapped", "after"))
            cells = [duration(statistics.median(times)) for times in (over, after)]
            rows.append([model, *cells, spread([a / b for a, b in zip(over, after)])])
        return table(["model", "overlapped", "after the backward", "overlapped / after"], rows, range(1, 4))

    def torch_table(self) -> str:
        rows = []
        for model in self.timelines:
            ours, theirs = self.seconds[model, "2 ranks, overlapped"], self.seconds[model, "torch, overlapped"]
            cells = [duration(statistics.median(times)) for times in (ours, theirs)]
            rows.append([model, *cells, spread([a / b for a, b in zip(ours, theirs)])])
        return table(["model", "minigrad over MPI", "PyTorch over gloo", "ratio"], rows, range(1, 4))

    def state_table(self) -> str:
        rows = [
            [model, volume(self.state[2][model][0]), *[volume(self.state[n][model][1]) for n in (2, 4)]]
            for model in self.timelines
        ]
        return table(["model", "whole", "the largest share of 2", "the largest share of 4"], rows, range(1, 4))

    def forecast_table(self) -> str:
        rows = []
        for model, line in self.timelines.items():
            for link in LINKS:
                cells = []
                for ranks in RANKS:
                    for way in (ring, halving):
                        found = forecast(line["buckets"], line["step"], ranks, link, self.here("TCP"), way)
                        cells.append(f"{found.efficiency:.0%} ({found.hidden:.0%})")
                rows.append([model, link.name, *cells])
        heads = [f"{ranks} ranks, {way}" for ranks in RANKS for way in ("ring", "halving")]
        return table(["model", "link", *heads], rows, range(2, 8))

    def page(self) -> str:
        """All of it, in Markdown."""
        parts = [MESSAGES, STEPS, SLOW if self.slow else "", TORCH if self.with_torch else "", STATE, EXPECTED]
        here = self.here("TCP")
        return "\n".join(filter(None, parts)).format(
            machine=f"{processor()}, {os.cpu_count()} cores",
            rounds=self.rounds,
            steps=self.steps,
            messages=self.message_table(),
            means="\n".join(in_words(way, self.here(way)) for way in self.messages),
            table=self.step_table(),
            rate=self.slow,
            slow=self.slow_table() if self.slow else "",
            torch=self.torch_table() if self.with_torch else "",
            state=self.state_table(),
            call=duration(here.call),
            latency=duration(here.latency),
            bandwidth=f"{here.bandwidth / 1e9:.2f} GB/s",
            links="; ".join(f"{x.name}: {duration(x.latency)} and {x.bandwidth / 1e9:.2f} GB/s" for x in LINKS),
            expected=self.forecast_table(),
        )


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*:\s*(.*)", info.read_text()) if info.exists() else None
    return named[1] if named else platform.processor() or platform.machine()


def in_words(way: str, here: Here) -> str:
    """A line on one way between ranks."""
    return (
        f"- {way}: latency {duration(here.latency)}, bandwidth {here.bandwidth / 1e9:.2f} GB/s; a call of `all_reduce` "
        f"takes {duration(here.call)} beyond MPI's own"
    )


def into_page(text: str, page: str) -> str:
    """The page with what lies between its marks replaced."""
    marks = r"(<!-- measured: python -m bench.distributed --write -->\n).*(<!-- end -->)"
    if not re.search(marks, page, re.S):
        raise SystemExit(f"bench.distributed: {PAGE} has not the marks between which the tables stand")
    return re.sub(marks, lambda found: f"{found[1]}\n{text}\n{found[2]}", page, flags=re.S)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.distributed", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side, taking turns (default: 5)")
    parser.add_argument("--steps", type=int, default=20, help="steps of each model in a run (default: 20)")
    parser.add_argument("--slow", metavar="RATE", help="measure over a slowed link, too: 1gbit (Linux, as root)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/distributed.md")
    given = parser.parse_args()
    bench = Bench(given.rounds, given.steps, given.slow)
    bench.run()
    text = bench.page()
    print(text)
    if given.write:
        PAGE.write_text(into_page(text, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
