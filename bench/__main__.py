"""`python -m bench`: see `--help`. What each mode does is in `modes.py`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from bench import environment

RIVALS = ("numpy", "torch", "jax", "autograd")  # autograd is HIPS's
EXAMPLES = """examples:
  python -m bench --filter relu                          rows whose name holds "relu"
  python -m bench --against torch --threads 1,2          one and two threads, side by side
  python -m bench --save new.json --compare old.json     name what became slower; exit code 1 if anything did
  python -m bench --scaling gelu                         time per element over size, and where the curve bends
  python -m bench --layouts --filter softmax             kernels on transposed, sliced, broadcast, empty inputs
  python -m bench --full --save run.json                 everything that docs/benchmarks.md shows
  python -m bench --report docs/benchmarks.md run.json   that page, from a saved run
"""


def parser() -> argparse.ArgumentParser:
    make = argparse.ArgumentParser(
        prog="python -m bench",
        description="Time minigrad against its NumPy twins and against other libraries. Ratios below 1: minigrad is "
        "faster.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = make.add_argument_group("what is timed")
    what.add_argument("--filter", metavar="TEXT", action="append", default=[], help="only rows whose name holds TEXT")
    what.add_argument("--family", type=lambda text: text.split(","), metavar="A,B", help="only rows of these families")
    what.add_argument("--sizes", type=sizes, metavar="N,N", help="the families that come in sizes, at these: 1e3,1e5")
    what.add_argument("--issue", action="store_true", help="only the rows that the issue's table of targets names")
    what.add_argument("--ops", action="store_true", help="the rows derived from the op blocks' own samples instead")
    what.add_argument("--layouts", action="store_true", help="each kernel on awkward inputs instead")
    what.add_argument(
        "--against", type=rivals, metavar="WHOM",
        help=f"the rivals: some of {', '.join(RIVALS)} with commas between, 'both' (numpy, torch) or 'all' that are "
        "installed (default: numpy, and torch where it is installed)",
    )  # fmt: skip
    how = make.add_argument_group("how")
    how.add_argument("--threads", type=counts, default=(1,), metavar="N", help="threads for every side: 1, or 1,2")
    how.add_argument("--rounds", type=positive, metavar="N", help="samples of each side (default: 15, and on demand)")
    how.add_argument("--minutes", type=positive, metavar="N", help="after which no further pass is begun (default: 7)")
    how.add_argument("--quick", action="store_true", help="few samples: a look, not a figure")
    how.add_argument("--smoke", action="store_true", help="run each row once, compare the sides, time nothing")
    made = make.add_argument_group("what is made of it")
    made.add_argument("--save", type=output, metavar="FILE", help="write the run as JSON")
    made.add_argument("--plot", type=output, metavar="FILE", help="draw it (png, svg or pdf; needs matplotlib)")
    made.add_argument("--compare", metavar="OLD.json", help="name what became slower or faster since a saved run")
    other = make.add_argument_group("instead of a run")
    other.add_argument("--list", action="store_true", help="name the rows and stop")
    other.add_argument("--choices", action="store_true", help="the kernels that choose numba or NumPy, and how")
    other.add_argument("--limits", action="store_true", help="what the machine can do at most")
    other.add_argument("--memory", action="store_true", help="peak memory of the training steps")
    other.add_argument("--scaling", metavar="NAME", help="time per element over size, of what holds NAME")
    other.add_argument("--full", action="store_true", help="everything that docs/benchmarks.md shows; with --save")
    other.add_argument("--report", nargs=2, metavar=("PAGE.md", "RUN.json"), help="write the page from a --full run")
    return make


def positive(text: str) -> int:
    """A count, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, but got {text!r}")
    return int(text)


def counts(text: str) -> tuple[int, ...]:
    """Numbers of threads: "1", or "1,2"."""
    return tuple(dict.fromkeys(positive(part) for part in text.split(",")))


def sizes(text: str) -> dict[str, int]:
    """{label: size}: "1e3,100000" and the like, as they are written."""
    found = {}
    for part in text.split(","):
        try:
            size = float(part)
        except ValueError:
            size = 0.0
        if not 1 <= size < 2**40 or size != int(size):
            raise argparse.ArgumentTypeError(f"expected whole numbers from 1 with commas between, but got {text!r}")
        found[part.strip()] = int(size)
    return found


def rivals(text: str) -> tuple[str, ...]:
    """The rivals asked for; those that are not installed are left out of "all", and missed when they are named."""
    if text == "all":
        return tuple(rival for rival in RIVALS if installed(rival))
    named = ("numpy", "torch") if text == "both" else tuple(dict.fromkeys(text.split(",")))
    for rival in named:
        if rival not in RIVALS:
            raise argparse.ArgumentTypeError(f"expected some of {', '.join(RIVALS)}, 'both' or 'all', got {rival!r}")
        if not installed(rival):
            raise argparse.ArgumentTypeError(f"{text!r} needs {rival}, which is not installed here; try numpy")
    return named


def installed(rival: str) -> bool:
    """Whether a rival can be imported here."""
    return rival == "numpy" or importlib.util.find_spec(rival) is not None


def output(text: str) -> str:
    """A file that can be written, for argparse: better said before the run than after it."""
    folder = os.path.dirname(os.path.abspath(text))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK) or os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {folder} must be a folder that may be written to")
    return text


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    make = parser()
    options = make.parse_args(argv)
    if options.against is None:
        options.against = ("numpy", "torch") if installed("torch") else ("numpy",)
    options.against = (*options.against, "textbook")  # the scalar engine's own rival
    if options.full and not options.save:
        make.error("--full needs --save FILE: the page is made from it")
    environment.pin_threads(max(options.threads), argv)

    from bench import modes  # not before the numbers of threads are set: it loads NumPy

    try:
        return modes.choose(options)
    except modes.Mistake as mistake:
        make.error(str(mistake))


if __name__ == "__main__":
    sys.exit(main())
