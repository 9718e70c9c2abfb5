"""`python -m bench`: see `--help`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from bench import environment


def parser() -> argparse.ArgumentParser:
    make = argparse.ArgumentParser(
        prog="python -m bench",
        description="Time minigrad against its NumPy twins and against torch. Ratios below 1: minigrad is faster.",
    )
    make.add_argument(
        "--against", choices=("numpy", "torch", "both"), help="the rivals (default: both where torch is installed)"
    )
    make.add_argument("--filter", metavar="TEXT", action="append", default=[], help="only rows whose name holds TEXT")
    make.add_argument("--ops", action="store_true", help="the rows derived from the op blocks' own samples instead")
    make.add_argument("--threads", type=positive, default=1, metavar="N", help="threads for every side (default: 1)")
    make.add_argument("--rounds", type=positive, default=15, metavar="N", help="samples of each side (default: 15)")
    make.add_argument("--json", type=output, metavar="FILE", help="write the run as JSON")
    make.add_argument("--plot", type=output, metavar="FILE", help="draw the ratios (png, svg or pdf; needs matplotlib)")
    make.add_argument("--list", action="store_true", help="name the rows and stop")
    make.add_argument("--smoke", action="store_true", help="run each row once, compare the sides, time nothing")
    return make


def positive(text: str) -> int:
    """A count, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, but got {text!r}")
    return int(text)


def output(text: str) -> str:
    """A file that can be written, for argparse: better said before the run than after it."""
    folder = os.path.dirname(os.path.abspath(text))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK) or os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {folder} must be a folder that may be written to")
    return text


def rivals(choice: str | None) -> tuple[str, ...]:
    """Which rivals to run; raises ValueError if torch is asked for by name and is not there."""
    has_torch = importlib.util.find_spec("torch") is not None
    if choice in ("torch", "both") and not has_torch:
        raise ValueError(f"--against {choice} needs torch, which is not installed here; try --against numpy")
    if choice is None:
        choice = "both" if has_torch else "numpy"
    return ("numpy", "torch") if choice == "both" else (choice,)


def select(rows, words):
    """The rows whose name holds every word."""
    return [row for row in rows if all(word.lower() in row.name.lower() for word in words)]


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    make = parser()
    options = make.parse_args(argv)
    try:
        against = rivals(options.against)
    except ValueError as error:
        make.error(str(error))
    environment.pin_threads(options.threads, argv)
    return run(make, options, against)


def run(make, options, against) -> int:
    """Everything that must not be imported before the thread counts are set."""
    from rich.progress import track

    from bench import report
    from bench import run as running

    if options.ops:
        from bench.rows.ops import rows as source
    else:
        from bench.rows import all_rows as source

    chosen = [row for row in select(source(), options.filter) if row.rivals == () or set(row.rivals) & set(against)]
    if not chosen:
        make.error(f"no row's name holds {' and '.join(map(repr, options.filter))}; --list shows them")
    if options.list:
        print("\n".join(row.name for row in chosen))
        return 0
    if options.plot:
        from bench import plot

        if not plot.available():
            make.error("--plot needs matplotlib: pip install 'minigrad[plots]'")
    out = report.console()
    contestants = running.sides(against)
    environment.set_threads(options.threads)
    clock_name, clock = running.clock_for(options.threads)
    machine = environment.describe(options.threads, clock_name, environment.keep_heap())
    report.print_environment(machine, out)

    outcomes, stopped = [], False
    try:
        for row in track(chosen, "rows", console=report.console(sys.stderr), transient=True):
            if options.smoke:
                outcomes.append(running.check(row, contestants))
            else:
                outcomes.append(running.time_row(row, contestants, options.rounds, clock))
    except KeyboardInterrupt:
        stopped = True
        out.print(f"stopped after {len(outcomes)} of {len(chosen)} rows; this is what there is", style="yellow")
    report.print_errors(outcomes, out)
    failed = sum(outcome.error is not None for outcome in outcomes)
    if options.smoke:
        out.print(f"smoke: {len(outcomes) - failed} of {len(outcomes)} rows run and agree")
        return exit_code(failed, stopped)

    report.print_table(outcomes, out)
    report.print_summary(outcomes, out)
    report.print_targets(outcomes, out)
    settings = {"rounds": options.rounds, "against": list(against), "filter": options.filter, "ops": options.ops}
    if options.json:
        report.write_json(options.json, report.as_json(outcomes, machine, settings))
        out.print(f"written: {options.json}")
    if options.plot:
        drawn = plot.draw(outcomes, machine, options.plot)
        out.print(f"drawn: {options.plot}" if drawn else "nothing drawn: no row has a rival to be compared with")
    return exit_code(failed, stopped)


def exit_code(failed: int, stopped: bool) -> int:
    """130 is what shells say of a program that Ctrl-C ended."""
    return 130 if stopped else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
