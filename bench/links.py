"""What a step would take with more processes and other links, from what was measured here.

A sum over N ranks in a ring, in which each sends 2(N - 1) messages of 1/N of the bytes S to its neighbour:

    T(S, N) = call + 2 (N - 1) · latency + 2 (N - 1)/N · S / bandwidth

(Patarasuk and Yuan, Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations, 2009.) MPI chooses recursive
halving and doubling where that is better: the same bytes in 2 ⌈log₂ N⌉ messages (Thakur, Rabenseifner and Gropp,
Optimization of Collective Communication Operations in MPICH, 2005). `latency` and `bandwidth` have two parts, as a
message passes both the software, measured here, and the link:

    latency = latency here + latency of the link          1/bandwidth = 1/bandwidth here + 1/bandwidth of the link

Buckets are sent one after the other, each as soon as it is full, so of the sum's time only what is left when the
backward is through lengthens the step; the rest is overlapped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A way between two machines: seconds for the shortest message, bytes in a second."""

    name: str
    latency: float
    bandwidth: float


# Line rates less 6 % for headers; the latencies are usual ones: a switch and two cards, TCP's own being measured here.
ETHERNET_10 = Link("10 GbE", 15e-6, 10e9 / 8 * 0.94)
FAST_100 = Link("100 Gb", 1.5e-6, 100e9 / 8 * 0.94)
LINKS = (ETHERNET_10, FAST_100)
RANKS = (8, 64, 512)


@dataclass(frozen=True)
class Here:
    """What was measured on this machine: seconds that a call of `all_reduce` costs beyond MPI's messages, seconds of
    the shortest message, bytes in a second of long ones."""

    call: float
    latency: float
    bandwidth: float

    def over(self, link: Link) -> Link:
        """A link with the software at its ends."""
        return Link(link.name, self.latency + link.latency, 1 / (1 / self.bandwidth + 1 / link.bandwidth))


def ring(size: float, ranks: int, link: Link) -> float:
    """Seconds of a sum of `size` bytes in a ring."""
    return 2 * (ranks - 1) * link.latency + 2 * (ranks - 1) / ranks * size / link.bandwidth


def halving(size: float, ranks: int, link: Link) -> float:
    """Seconds of a sum of `size` bytes by recursive halving and doubling."""
    return 2 * math.ceil(math.log2(ranks)) * link.latency + 2 * (ranks - 1) / ranks * size / link.bandwidth


@dataclass(frozen=True)
class Forecast:
    """A step: its seconds, those of the sums in it, and the share of these that the backward hides."""

    seconds: float
    sums: float
    hidden: float
    efficiency: float


def forecast(buckets, step: float, ranks: int, link: Link, here: Here, algorithm=ring) -> Forecast:
    """A step of so many ranks, each with the batch of one.

    Args:
        buckets: (seconds from the start of the step until it is full, bytes) of each, in order.
        step (float): seconds of a step of one rank.
    """
    path, free, sums = here.over(link), 0.0, 0.0
    for full, size in buckets:
        seconds = here.call + algorithm(size, ranks, path)
        free = max(free, full) + seconds
        sums += seconds
    backward_ends = buckets[-1][0]
    longer = max(0.0, free - backward_ends)
    return Forecast(step + longer, sums, 1 - longer / sums, step / (step + longer))
