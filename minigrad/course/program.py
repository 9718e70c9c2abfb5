"""What every program of ``notebooks/scripts`` has: its options, a progress bar, a result line."""

from __future__ import annotations

import argparse
import sys

import minigrad

__all__ = ["options", "progress", "result"]


def options(description, argv=None, **settings):
    """The options of a program, read from the command line, with the random streams of minigrad seeded.

    Args:
        description (str): the program's ``__doc__``; ``--help`` shows it.
        argv (list[str], optional): the arguments. Default: those of the command line.
        settings: name = (default, value in short form, help); ``hidden_size`` becomes ``--hidden-size``, of the
            default's type. A tuple of strings as default is a choice; the first is what counts without the option.

    Returns:
        argparse.Namespace: the settings, `seed` (int), `short` (bool) and `quiet` (bool). An option that is given wins
        over the short form.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (default, short, words) in settings.items():
        choices = default if isinstance(default, tuple) else None
        first = default[0] if choices else default
        said = (
            f"{words} (default: {first}; in short form: {short})" if short != first else f"{words} (default: {first})"
        )
        parser.add_argument("--" + name.replace("_", "-"), type=type(first), choices=choices,
                            metavar=_metavar(first, choices), help=said.replace("%", "%%"))  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: 0)")
    parser.add_argument("--short", action="store_true", help="a run of seconds that shows that it works, not how well")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    chosen = parser.parse_args(argv)
    for name, (default, short, _) in settings.items():
        if getattr(chosen, name) is None:
            full = default[0] if isinstance(default, tuple) else default
            setattr(chosen, name, short if chosen.short else full)
    minigrad.manual_seed(chosen.seed)
    return chosen


def _metavar(first, choices):
    return None if choices else "TEXT" if isinstance(first, str) else "N"


def progress(steps, label="", *, quiet=False):
    """Goes through `steps`, with a progress bar on the error stream where that is a terminal.

    Args:
        steps (Iterable): what is gone through; with a length, the bar knows its end.
        label (str): what stands before the bar.
        quiet (bool): no bar. Default: False
    """
    if quiet or not sys.stderr.isatty():
        return iter(steps)
    from rich.console import Console
    from rich.progress import track

    return track(steps, label, console=Console(stderr=True), transient=True)


def result(text):
    """Prints a program's last line, ``result: ...``: what was reached, measured on what, by which seeds."""
    print(f"result: {text}")
