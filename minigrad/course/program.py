"""What every program of ``notebooks/scripts`` has: its options, a progress bar, a result line."""

from __future__ import annotations

import argparse
import sys

import minigrad

__all__ = ["options", "progress", "result"]

MOST = 2**32 - 1  # the largest seed of NumPy's older generators, and more than anything that is counted


def options(description, argv=None, **settings):
    """The options of a program, read from the command line, with the random streams of minigrad seeded.

    Args:
        description (str): the program's ``__doc__``; ``--help`` shows it.
        argv (list[str], optional): the arguments. Default: those of the command line.
        settings: name = (default, value in short form, help); ``hidden_size`` becomes ``--hidden-size``, of the
            default's type. A tuple of strings as default is a choice; the first is what counts without the option.
            A whole number is a count: it has to be at least 1.

    Returns:
        argparse.Namespace: the settings, `seed` (int), `short` (bool) and `quiet` (bool). An option that is given wins
        over the short form.

    Raises:
        SystemExit: after `--help`, and after a message that says which option is wrong and what it may be.

    A program that reads the command line also ends with one line, and no traceback, where Ctrl-C stops it.
    """
    if argv is None:
        sys.excepthook = _last_words
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (default, short, words) in settings.items():
        choices = default if isinstance(default, tuple) else None
        first = default[0] if choices else default
        said = (
            f"{words} (default: {first}; in short form: {short})" if short != first else f"{words} (default: {first})"
        )
        kind = _whole(1) if type(first) is int else type(first)
        parser.add_argument("--" + name.replace("_", "-"), type=kind, choices=choices,
                            metavar=_metavar(first, choices), help=said.replace("%", "%%"))  # fmt: skip
    parser.add_argument("--seed", type=_whole(0), metavar="N", default=0, help="of all random numbers (default: 0)")
    parser.add_argument("--short", action="store_true", help="a run of seconds that shows that it works, not how well")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    chosen = parser.parse_args(argv)
    for name, (default, short, _) in settings.items():
        if getattr(chosen, name) is None:
            full = default[0] if isinstance(default, tuple) else default
            setattr(chosen, name, short if chosen.short else full)
    minigrad.manual_seed(chosen.seed)
    return chosen


def _whole(least):
    def read(text):
        if not (text.strip().isdecimal() and least <= int(text) <= MOST):
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {MOST}, but got {text!r}")
        return int(text)

    return read


def _metavar(first, choices):
    return None if choices else "TEXT" if isinstance(first, str) else "N"


def _last_words(kind, error, trace):
    if issubclass(kind, KeyboardInterrupt):
        print("\nstopped · 멈췄습니다", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def progress(steps, label="", *, quiet=False):
    """Goes through `steps`, with a progress bar on the error stream where that is a terminal.

    Args:
        steps (Iterable): what is gone through; with a length, the bar knows its end.
        label (str): what stands before the bar.
        quiet (bool): no bar. Default: False
    """
    return iter(steps) if quiet or not sys.stderr.isatty() else _with_bar(steps, label)


def _with_bar(steps, label):
    from rich.console import Console
    from rich.progress import Progress

    # what is printed meanwhile goes above the bar, unless it goes into a file: there it has to stay
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        yield from bar.track(steps, description=label)


def result(text):
    """Prints a program's last line, ``result: ...``: what was reached, measured on what, by which seeds."""
    print(f"result: {text}")
