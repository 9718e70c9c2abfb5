"""What the ranks tell each other beside the tensors: so that no rank waits in silence for one that will not come.

Each process has one `Watch`, on a communicator of its own, which it looks at whenever it waits, and four times a second
from a thread. Three things are said there:

    call    "I begin this collective", to the next rank of the group, at each one. If the words are not those of the
            receiver's own call of that number, the ranks have gone apart, and both calls can be named.
    news    "I failed, with this error", "I have ended", to all.
    where   a question, asked before a wait is given up: which collective was the last, and where is the program now?
            The thread answers, also where the program hangs (unless it hangs in C, holding Python's lock).

None of them delays a collective: nobody waits for a `call`, it is compared whenever it arrives.
"""

from __future__ import annotations

import collections
import linecache
import math
import os
import pickle
import socket
import sys
import threading
import time
from typing import Any

from mpi4py import MPI

from minigrad.autograd.node import SKIPPED, user_line
from minigrad.distributed.errors import DistBackendError, PeerFailure
from minigrad.distributed.work import patient

__all__: list[str] = []

CALL, NEWS = 1, 2  # MPI's tags
PACE = 0.25  # seconds between two looks of the thread
ANSWER_IN = 2.0  # seconds that a rank has to say where it is
STOP_IN = 10.0  # seconds after the news of a failure in which this process ends, whatever it does
FAREWELL = 0.2  # seconds in which ranks that end together hear so of each other
LINGER = 1.0  # seconds that what an ended rank sent last may be on its way


class Log:
    """The collectives of one group, as this rank began them, counted from 1."""

    def __init__(self, key: str, members: list[int], own: int) -> None:
        self.key, self.members = key, members
        place = members.index(own)
        self.left, self.right = members[place - 1], members[(place + 1) % len(members)]
        self.number, self.words, self.line = 0, "", ("", 0)
        self.calls: dict[int, tuple[str, str]] = {}  # ours, that the left one did not name yet
        self.ahead: dict[int, tuple[str, str]] = {}  # the left one's, that we did not begin yet
        self.departed: dict[int, tuple[float, int]] = {}  # who left the group: (when, number of its last collective)


class Watch:
    """The ears and mouth of one process; see above."""

    def __init__(self, comm, names: list[str]) -> None:
        self.comm, self.names = comm, names  # a name is "host, process 123"
        self.rank, self.size = comm.rank, comm.size
        self.logs: dict[str, Log] = {}
        self.failed: dict[int, tuple[str, bool]] = {}  # rank: (its error, whether it will say so)
        self.ended: dict[int, tuple[float, dict[str, int]]] = {}  # rank: (when, number of its last call in each group)
        self.making: dict[str, set[int]] = {}  # who makes a group
        self.answers: dict[int, dict] = {}
        self.mismatch: str | None = None
        self.leaving = False
        self._heard = 0.0  # when the first failure became known
        self._status = MPI.Status()
        self._sent: collections.deque = collections.deque()  # (request, bytes) that may still be read by MPI
        self._saying, self._looking = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="minigrad.distributed watch", daemon=True)
        self._thread.start()

    # ---- saying

    def _say(self, data: bytes, to: int, tag: int) -> None:
        with self._saying:
            while self._sent and self._sent[0][0].Test():
                self._sent.popleft()
            self._sent.append((self.comm.Isend(data, to, tag), data))

    def tell(self, to, **news: Any) -> None:
        """Send some news to ranks."""
        data = pickle.dumps(news)
        for rank in to:
            if rank != self.rank:
                self._say(data, rank, NEWS)

    def tell_all(self, **news: Any) -> None:
        """Send some news to all other ranks."""
        self.tell(range(self.size), **news)

    def begin(self, log: Log, words: str) -> Begun:
        """Note that a collective begins here. Raises if the ranks have gone apart."""
        log.number += 1
        log.words, log.line = words, user_line()
        where = in_short(log.line)
        self._say(f"{log.key}\0{log.number}\0{words}\0{where}".encode(), log.right, CALL)
        theirs = log.ahead.pop(log.number, None)
        if theirs is None:
            log.calls[log.number] = words, where
        else:
            self._compare(log, log.number, (words, where), theirs)
        self.poll()
        self.check()
        return Begun(self, log, words, where)

    def message(self, peer: int | None, words: str) -> Message:
        """Note that a message to or from rank `peer` begins here."""
        return Message(self, peer, f"{words} ({in_short(user_line())})")

    def assemble(self, key: str, members: list[int], seconds: float, words: str) -> None:
        """Wait until all members make the group `key`, which each has opened before."""
        self.tell(members, kind="making", key=key)
        others = set(members) - {self.rank}

        def all_here():
            return others <= self.making.get(key, set())

        guard = self.message(None, words)
        if not patient(all_here, seconds, guard):
            missing = sorted(others - self.making.get(key, set()))
            raise DistBackendError(self.report_peers(missing, guard.call, seconds))
        del self.making[key]

    def open(self, key: str, members: list[int]) -> Log:
        """The log of a new group."""
        log = self.logs[key] = Log(key, members, self.rank)
        return log

    def close(self, log: Log) -> None:
        """Forget a group that this rank leaves. The others, who may still be in it, learn how far this one came."""
        del self.logs[log.key]
        if not self._stop.is_set():
            self.tell(log.members, kind="left", key=log.key, number=log.number)

    # ---- hearing

    def poll(self) -> None:
        """Take in what others said. Never waits."""
        if not self._looking.acquire(blocking=False):
            return  # another thread is at it
        try:
            status = self._status
            while self.comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG, status):
                data = bytearray(status.count)
                source, tag = status.source, status.tag
                self.comm.Recv(data, source, tag)
                if tag == CALL:
                    self._hear_call(data.decode())
                else:
                    self._hear_news(source, pickle.loads(data))
        finally:
            self._looking.release()

    def gone(self) -> int:
        """How many of the others are known to have failed or ended."""
        self.poll()
        return len(self.failed.keys() | self.ended.keys())

    def _hear_call(self, text: str) -> None:
        key, number, words, where = text.split("\0")
        log = self.logs.get(key)
        if log is None:  # a group that this rank has left
            return
        own = log.calls.pop(int(number), None)
        if own is None:
            log.ahead[int(number)] = words, where
        else:
            self._compare(log, int(number), own, (words, where))

    def _compare(self, log: Log, number: int, own: tuple[str, str], theirs: tuple[str, str]) -> None:
        if own[0] != theirs[0]:
            self.mismatch = (
                f"the ranks do not call the same: as number {number} of {log.key}, rank {self.rank} called {own[0]} "
                f"({own[1]}), rank {log.left} called {theirs[0]} ({theirs[1]})"
            )

    def _hear_news(self, source: int, news: dict) -> None:
        kind = news["kind"]
        if kind == "failed":
            self.failed[source] = news["error"], news["speaks"]
        elif kind == "ended":
            self.ended[source] = time.monotonic(), news["numbers"]
        elif kind == "making":
            self.making.setdefault(news["key"], set()).add(source)
        elif kind == "left":
            if news["key"] in self.logs:
                self.logs[news["key"]].departed[source] = time.monotonic(), news["number"]
        elif kind == "where?":
            self.tell([source], kind="here", place=whereabouts(), calls={k: state(v) for k, v in self.logs.items()})
        else:
            self.answers[source] = news

    def _look(self) -> None:
        while not self._stop.wait(PACE):
            self.poll()
            if self.failed:
                self._heard = self._heard or time.monotonic()
                if time.monotonic() - self._heard > STOP_IN:  # who failed should have ended us, and could not
                    os._exit(1)

    def check(self) -> None:
        """Raise what has been heard that makes going on senseless."""
        if self.mismatch is not None:
            raise DistBackendError(self.mismatch)
        if self.failed and not self.leaving:
            rank, (error, _) = next(iter(self.failed.items()))
            raise PeerFailure(f"rank {rank} failed: {error}")

    def check_departed(self, log: Log, number: int, call: str) -> None:
        """Raise if a rank has ended, or left the group, before it came to collective `number`."""
        known = {
            rank: (when, numbers.get(log.key, 0), "ended")
            for rank, (when, numbers) in list(self.ended.items())
            if rank in log.members
        }
        known.update((rank, (when, last, f"left {log.key}")) for rank, (when, last) in list(log.departed.items()))
        for rank, (when, last, how) in known.items():
            if last < number and time.monotonic() - when > LINGER:
                raise DistBackendError(
                    f"rank {rank} ({self.names[rank]}) has {how} without coming to {call}, which rank {self.rank} "
                    f"waits for; it had called {last} collectives, rank {self.rank} {number}"
                )

    # ---- asking

    def ask(self, ranks) -> dict[int, dict]:
        """What the ranks answer to the question where they are; who does not answer is left out."""
        self.answers.clear()
        self.tell(ranks, kind="where?")
        until = time.monotonic() + ANSWER_IN
        missing = {rank for rank in ranks if rank != self.rank}
        while missing and time.monotonic() < until:
            time.sleep(0.01)
            self.poll()
            self.check()
            missing -= self.answers.keys()
        return dict(self.answers)

    def report(self, log: Log, number: int, call: str, seconds: float) -> str:
        """Who keeps a collective from ending, in words."""
        answers = self.ask(log.members)
        silent, late = [], []  # who is silent comes first: the others may only wait for it
        for rank in log.members:
            if rank == self.rank:
                continue
            if rank not in answers:
                silent.append(f"rank {rank} ({self.names[rank]}) does not answer: stopped, killed, or cut off")
                continue
            there, words, where = answers[rank]["calls"].get(log.key, (0, "", ""))
            if there < number:
                last = f"it was last at number {there}, {words} ({where})" if there else "it has called none"
                late.append(f"rank {rank} has not arrived: {last}, and is now {answers[rank]['place']}")
        lines = silent + late or ["all ranks have arrived: what they send does not get through"]
        return f"{call} did not end in {seconds:g} s: " + "; ".join(lines)

    def report_peers(self, ranks: list[int], call: str, seconds: float) -> str:
        """What keeps ranks from their part in something, in words."""
        answers = self.ask(ranks)
        lines = [
            f"rank {other} is {answers[other]['place']}"
            if other in answers
            else f"rank {other} ({self.names[other]}) does not answer: stopped, killed, or cut off"
            for other in ranks
        ]
        return f"{call} did not end in {seconds:g} s: " + "; ".join(lines)

    # ---- the end

    def end(self) -> None:
        """Tell the others that this process ends here, and stop listening."""
        self._stop.set()
        self._thread.join()
        self.poll()
        still = [rank for rank in range(self.size) if rank not in self.ended]  # who ended reads nothing any more
        self.tell(still, kind="ended", numbers={key: log.number for key, log in self.logs.items()})
        until = time.monotonic() + FAREWELL
        while self.gone() < self.size - 1 and time.monotonic() < until:
            time.sleep(0.001)


class Begun:
    """A collective under way: what a wait for it asks the `Watch`."""

    __slots__ = ("call", "log", "number", "watch")

    def __init__(self, watch: Watch, log: Log, words: str, where: str) -> None:
        self.watch, self.log, self.number = watch, log, log.number
        self.call = f"{words} (number {log.number} of {log.key}, {where})"

    def check(self) -> None:
        """Raise if it cannot end."""
        self.watch.poll()
        self.watch.check()
        if self.watch.ended or self.log.departed:
            self.watch.check_departed(self.log, self.number, self.call)

    def overdue(self, seconds: float) -> str:
        """Why it did not end."""
        return self.watch.report(self.log, self.number, self.call, seconds)


class Message:
    """A message under way to or from rank `peer` (None: from any), as `Begun`."""

    __slots__ = ("call", "peer", "watch")

    def __init__(self, watch: Watch, peer: int | None, call: str) -> None:
        self.watch, self.peer, self.call = watch, peer, call

    def check(self) -> None:
        """Raise if it cannot end."""
        self.watch.poll()
        self.watch.check()
        if self.peer is None:
            return
        when, _ = self.watch.ended.get(self.peer, (math.inf, {}))
        if time.monotonic() - when > LINGER:
            name = self.watch.names[self.peer]
            raise DistBackendError(f"rank {self.peer} ({name}) has ended without its part in {self.call}")

    def overdue(self, seconds: float) -> str:
        """Why it did not end."""
        others = [rank for rank in range(self.watch.size) if rank != self.watch.rank]
        return self.watch.report_peers(others if self.peer is None else [self.peer], self.call, seconds)


def state(log: Log) -> tuple[int, str, str]:
    """The last collective of a group: its number, in words, and its line."""
    return log.number, log.words, in_short(log.line)


def in_short(line: tuple[str, int]) -> str:
    """``train.py:17``."""
    return f"{os.path.basename(line[0])}:{line[1]}"


def whereabouts() -> str:
    """Where the program (its main thread) is: ``at train.py:18: time.sleep(100)``."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    innermost = frame
    while frame is not None and frame.f_code.co_filename.startswith((*SKIPPED, "<frozen")):
        frame = frame.f_back
    if frame is None:
        frame = innermost
    if frame is None:
        return "at its end"
    name = frame.f_code.co_filename
    code = linecache.getline(name, frame.f_lineno).strip()
    return f"at {in_short((name, frame.f_lineno))}" + (f": {code}" if code else "")


def own_name() -> str:
    """How messages call this process."""
    return f"{socket.gethostname()}, process {os.getpid()}"
