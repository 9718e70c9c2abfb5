"""What a row is: a name, and for each library a piece of work that means the same in both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.timing import Work

MINIGRAD, NUMPY, TORCH, JAX, AUTOGRAD = "minigrad", "numpy", "torch", "jax", "autograd"
TEXTBOOK = "textbook"  # the scalar engine of textbooks, `bench/textbook.py`: always there
FUNCTIONAL = (JAX, AUTOGRAD)  # rivals with their own ways: asked for every row, and left out where they have no twin

TWIN_BOUND = 1.05  # no kernel slower than its NumPy twin, beyond noise


class NoTwinError(LookupError):
    """Raised by a `setup` whose library has nothing of the kind (torch has no min_pool2d): that side is left out."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    name      "family/what size pass"; the part before the slash is the family
    setup     `setup(lib)` is given the module whose names to use (`minigrad` or `torch`) and returns a `Work`, or
              simply the callable to time.  All sides must compute the same: the smoke run compares what they return
    rivals    who can run it; "numpy" is minigrad itself with every kernel replaced by its NumPy twin
    targets   the ratio promised against a rival; the key "seconds" bounds minigrad's own time
    alike     False where the sides rightly differ (random draws, seconds)
    bytes     the least that has to move through memory, for the distance from the machine's limit; by default it is
              derived from what the work reads and returns (`traffic.py`), 0 leaves it out
    flops     additions and multiplications, likewise: derived from the products and convolutions that are called
    """

    name: str
    setup: Callable[[Any], Work | Callable[[], Any]]
    rivals: tuple[str, ...] = (NUMPY, TORCH)
    targets: Mapping[str, float] = field(default_factory=dict)
    alike: bool = True
    bytes: int | None = None
    flops: int | None = None

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]

    def work(self, lib) -> Work:
        work = self.setup(lib)
        return work if isinstance(work, Work) else Work(work)


def gradient_row(name, graph, size_rivals=(NUMPY, TORCH), **more) -> Row:
    """A row that times backward alone: `graph(lib)` returns a maker of (output, gradient, leaves), each used once."""

    def setup(lib):
        if hasattr(lib, "both_ways"):
            raise NoTwinError(f"{lib.__name__} goes forward and backward in one")

        def backward(prepared):
            output, gradient, _ = prepared
            output.backward(gradient)

        return Work(backward, graph(lib), result=lambda prepared: [leaf.grad for leaf in prepared[2]])

    return Row(name, setup, size_rivals, **more)
