"""The command `minigrad`: demo, info, launch, warmup.

What the user can mend is said in one line on stderr, with a nonzero exit and no traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from minigrad import __version__
from minigrad.demo import INTERRUPTED, DemoError
from minigrad.distributed.launch import add_arguments as launch_arguments


class Parser(argparse.ArgumentParser):
    """One line for an error, where argparse would print the usage too."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (default: the command line's) and return its exit code."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parser() -> Parser:
    top = Parser(prog="minigrad", description="A deep learning library to read, to watch and to use.")
    top.add_argument("--version", action="version", version=f"minigrad {__version__}")
    top.set_defaults(run=lambda options: run_help(top))
    commands = top.add_subparsers(title="commands", metavar="")

    demo = commands.add_parser("demo", help="train a small network on real data, in under a minute")
    demo.set_defaults(run=run_demo)
    demo.add_argument("--data", choices=("digits", "iris"), help="what to learn (default: digits)")
    demo.add_argument("--epochs", type=whole_number(1), metavar="N", help="how often to go through the data")
    demo.add_argument("--seed", type=whole_number(0), metavar="N", help="of everything random (default: 0)")
    demo.add_argument("--out", type=Path, metavar="DIR", help="a new folder for the results (default: demo-runs/...)")
    demo.add_argument("--no-plots", action="store_true", help="leave the pictures out")
    demo.add_argument("--resume", type=Path, metavar="PATH", help="go on from a checkpoint or a folder of the demo")

    info = commands.add_parser("info", help="print versions, the kernels in use and where they are cached")
    info.set_defaults(run=run_info)

    warmup = commands.add_parser("warmup", help="compile the kernels now, so that later programs start fast")
    warmup.set_defaults(run=run_warmup)
    warmup.add_argument("--jobs", type=whole_number(1), metavar="N", help="processes (default: one for each core)")

    launch = commands.add_parser("launch", help="run a program in several processes, by MPI")
    launch.set_defaults(run=run_launch)
    launch_arguments(launch)
    return top


def whole_number(least: int):
    """An argument type: a whole number from `least` to 2^63 - 1."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = -1
        if not least <= number < 2**63:
            raise argparse.ArgumentTypeError(f"expected a whole number, {least} or more, got {text!r}")
        return number

    return convert


def run_help(top: Parser) -> int:
    top.print_help()
    return 0


def run_demo(options) -> int:
    from minigrad.demo.run import run

    try:
        return run(
            data=options.data,
            epochs=options.epochs,
            seed=options.seed,
            out=options.out,
            plots=not options.no_plots,
            resume=options.resume,
        )
    except DemoError as error:
        print(f"minigrad demo: error: {error}", file=sys.stderr)
        return 1


def run_info(options) -> int:
    from minigrad.info import describe

    print(describe())
    return 0


def run_launch(options) -> int:
    from minigrad.distributed.launch import run

    return run(options)


def run_warmup(options) -> int:
    from minigrad.warmup import warm_up

    return warm_up(options.jobs)
