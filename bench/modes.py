"""What `python -m bench` does, mode by mode: rows, scaling, limits, choices, memory, the page and all it shows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.progress import track
from rich.table import Table

from bench import choices, environment, limits, programs, regress, report, scaling
from bench import run as running
from bench.rows import all_rows, sized_rows
from bench.targets import ISSUE

ROOT = Path(__file__).resolve().parents[1]
SMOKE_MOST = 100_000  # the largest size in a smoke run: more is the same code for longer


class Mistake(Exception):
    """What the user can mend: said in one line."""


def choose(options) -> int:
    """Do what the command line asks for; the exit code."""
    if options.report:
        return write_page(*options.report)
    for asked, mode in (
        (options.choices, show_choices), (options.limits, show_limits), (options.memory, show_memory),
        (options.full, full), (options.scaling, show_scaling),
    ):  # fmt: skip
        if asked:
            return mode(options)
    return run_rows(options)


def select(rows, words):
    """The rows whose name holds every word."""
    return [row for row in rows if all(word.lower() in row.name.lower() for word in words)]


def chosen_rows(options):
    """The rows that the options ask for. Raises Mistake if there are none."""
    if options.ops:
        from bench.rows.ops import rows as source
    elif options.layouts:
        from bench.layouts import rows as source
    else:
        source = partial(all_rows, SMOKE_MOST) if options.smoke else all_rows
    found = sized_rows(options.sizes) if options.sizes else source()
    if options.family:
        found = [row for row in found if row.family in options.family]
    if options.issue:
        wanted = {name for line in ISSUE for name in line.names(row.name for row in found)}
        found = [row for row in found if row.name in wanted]
    found = [row for row in select(found, options.filter) if row.rivals == () or possible(row, options.against)]
    if not found:
        raise Mistake(f"no row's name holds {' and '.join(map(repr, options.filter))}; --list shows them")
    return found


def possible(row, against: Iterable[str]) -> bool:
    """Whether one of the rivals asked for may have a twin of a row."""
    return any(rival in row.rivals or rival in running.FUNCTIONAL for rival in against)


def effort(options) -> running.Effort:
    """How long rows may be timed."""
    chosen = running.QUICK if options.quick else running.FULL
    if options.rounds:
        passes = min(options.rounds, chosen.passes)
        chosen = replace(chosen, rounds=-(-options.rounds // passes), passes=passes, more=0)
    return replace(chosen, minutes=options.minutes) if options.minutes else chosen


def prepare(options):
    """Set the threads; (contestants, the machine described, clock)."""
    contestants = running.sides(options.against, options.threads)
    environment.set_threads(options.threads[0])
    others_work = any(side in options.against for side in running.FUNCTIONAL)
    clock_name, clock = environment.clock_for(max(options.threads), others_work)
    machine = environment.describe(options.threads, clock_name, environment.keep_heap())
    return contestants, machine, clock


def measured_limits(contestants) -> limits.Limits:
    """The machine's limits, with the products of every library that has some."""
    libraries = {side.lib.__name__: side.lib for name, side in contestants.items() if name in ("minigrad", "torch")}
    return limits.measure_limits(libraries.values())


def run_rows(options) -> int:
    """Time the rows (or run them once), show them, save, draw and compare as asked."""
    chosen, old = chosen_rows(options), None
    if options.list:
        print("\n".join(row.name for row in chosen))
        return 0
    if options.compare:
        old = loaded(options.compare)
    drawing = options.plot and plotting()
    out = report.console()
    contestants, machine, clock = prepare(options)
    report.print_environment(machine, out)
    if options.smoke:
        outcomes, stopped = checked(chosen, contestants)
        report.print_errors(outcomes, out)
        failed = sum(outcome.error is not None for outcome in outcomes)
        out.print(f"smoke: {len(outcomes) - failed} of {len(outcomes)} rows run and agree")
        return exit_code(failed, stopped)

    machine_limits = measured_limits(contestants)
    report.print_limits(machine_limits, out)
    how = effort(options)
    outcomes, stopped = running.time_rows(chosen, contestants, how, clock, watched)
    if stopped:
        out.print(
            f"stopped with figures of {len(outcomes)} of {len(chosen)} rows: this is what there is", style="yellow"
        )
    report.print_errors(outcomes, out)
    report.print_table(outcomes, out, machine_limits)
    report.print_summary(outcomes, out)
    report.print_targets(outcomes, out)
    settings = {"effort": vars(how), "against": list(options.against), "filter": options.filter}
    data = report.as_json(outcomes, machine, settings, machine_limits)
    save(options, data, out)
    if options.plot:
        drawn = drawing.draw(outcomes, machine, options.plot)
        out.print(f"drawn: {options.plot}" if drawn else "nothing drawn: no row has a rival to be compared with")
    worse = print_changes(old, data, stopped or len(chosen) < len(all_rows()), out) if old else 0
    return exit_code(sum(outcome.error is not None for outcome in outcomes) + worse, stopped)


def watched(things, what):
    """The things one by one, with a bar on stderr."""
    return track(things, what, console=report.console(sys.stderr), transient=True)


def checked(rows, contestants):
    """(each row run once on every side, whether Ctrl-C ended it before the last)."""
    done = []
    try:
        for row in watched(rows, "rows"):
            done.append(running.check(row, contestants))  # noqa: PERF401 (what was done stays when Ctrl-C ends it)
    except KeyboardInterrupt:
        return done, True
    return done, False


def exit_code(failed: int, stopped: bool) -> int:
    """130 is what shells say of a program that Ctrl-C ended."""
    return 130 if stopped else 1 if failed else 0


def save(options, data, out) -> None:
    """Write the run if a file was named."""
    if options.save:
        report.write_json(options.save, data)
        out.print(f"written: {options.save}")


def loaded(path: str) -> dict:
    """A saved run. Raises Mistake if it is none."""
    try:
        return regress.load(path)
    except ValueError as error:
        raise Mistake(str(error)) from None


def plotting():
    """The module that draws. Raises Mistake without matplotlib."""
    from bench import plot

    if not plot.available():
        raise Mistake("--plot needs matplotlib: pip install 'minigrad[plots]'")
    return plot


def print_changes(old, new, selected, out) -> int:
    """Name what became slower and faster beyond noise; how many became slower or are gone."""
    changes, missing = regress.compare(old, new), regress.gone(old, new, selected)
    pace = regress.drift(old, new)
    out.print(f"{len(changes)} rows compared; the machine was {pace:.2f} times as slow as then", highlight=False)
    for verdict, style in ((regress.SLOWER, "bold red"), (regress.FASTER, "green")):
        found = [change for change in changes if change.verdict == verdict]
        table = Table(title=f"{verdict}: {len(found)}", title_justify="left", title_style=style, box=None)
        for heading in ("", "measured by", "then", "now", "times"):
            table.add_column(heading, justify="left" if heading in ("", "measured by") else "right")
        for change in found if verdict == regress.SLOWER else reversed(found):
            show = report.duration if change.measure == "seconds" else report.factor
            table.add_row(change.name, change.measure, show(change.old), show(change.new), report.factor(change.factor))
        out.print(table if found else f"{verdict}: none")
    for name in missing:
        out.print(f"{name}: has no figures any more", style="bold red", highlight=False)
    return sum(change.verdict == regress.SLOWER for change in changes) + len(missing)


def show_limits(options) -> int:
    """What the machine can do at most."""
    out = report.console()
    contestants, machine, _ = prepare(options)
    report.print_environment(machine, out)
    report.print_limits(measured_limits(contestants), out)
    return 0


def show_choices(options) -> int:
    """The kernels that choose, each with its rule and its rows."""
    table = Table(box=None, pad_edge=False)
    for heading in ("kernel", "where", "numba answers", "rows"):
        table.add_column(heading, overflow="fold")
    for choice in choices.choices(row.name for row in all_rows()):
        sizes = ", ".join(name.rpartition(" ")[2] for name in choice.rows)
        table.add_row(choice.kernel, choice.module, choice.rule, f"kernel/{choice.kernel} {sizes}" if sizes else "none")
    report.console().print(table)
    return 0


def show_memory(options) -> int:
    """Peak memory of the training steps."""
    from bench import memory

    memory.print_peaks(report.console())
    return 0


def show_scaling(options) -> int:
    """Time per element over size of whatever holds the name."""
    sizes = list(options.sizes.values()) if options.sizes else scaling.default_sizes()
    chosen = select(sized_rows(scaling.labels(sizes)), [options.scaling, *options.filter])
    chosen = [row for row in chosen if possible(row, options.against)]
    if not chosen:
        raise Mistake(f"nothing that comes in sizes holds {options.scaling!r}; --list shows what there is")
    if options.plot:
        plotting()
    out = report.console()
    contestants, machine, clock = prepare(options)
    report.print_environment(machine, out)
    machine_limits = measured_limits(contestants)
    report.print_limits(machine_limits, out)
    how = replace(effort(options), passes=1, more=0)
    outcomes, stopped = running.time_rows(chosen, contestants, how, clock, watched)
    report.print_errors(outcomes, out)
    found = scaling.curves(outcomes, sizes)
    for curve in found:
        out.print(scaling.text(curve, machine_limits), highlight=False, markup=False, soft_wrap=True)
        out.print()
    data = report.as_json(outcomes, machine, {"scaling": options.scaling}, machine_limits)
    save(options, {**data, "curves": [scaling.as_json(curve) for curve in found]}, out)
    if options.plot and found:
        from bench import scaling_plot

        scaling_plot.draw(found, machine_limits, machine, options.plot)
        out.print(f"drawn: {options.plot}")
    return exit_code(sum(outcome.error is not None for outcome in outcomes), stopped)


HEAVY = "attention,conv,linear,sequence,step"  # families in which a second thread may find something to do
# What the page shows beside the rows, each measured in a process of its own: {section: options}.
SECTIONS = {
    "rows": (),
    "threads": ("--issue", "--family", HEAVY, "--quick", "--threads", "1,2", "--against", "torch"),
    "curves": ("--scaling", "elementwise/gelu [", "--against", "both"),
}


def full(options) -> int:
    """Everything that docs/benchmarks.md shows, into one file: the rows' run, with more sections."""
    began, failed, data = time.monotonic(), 0, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, given in SECTIONS.items():
            path = Path(folder) / f"{name}.json"
            print(f"--- {name}", flush=True)
            command = [sys.executable, "-m", "bench", *given, *handed_on(options, name), "--save", str(path)]
            failed += bool(subprocess.run(command, cwd=ROOT).returncode)
            if path.exists():
                part = json.loads(path.read_text())
                data.update(part if name == "rows" else {name: part["curves" if name == "curves" else "rows"]})
    if "rows" not in data:
        return 1
    data["choices"] = [vars(choice) for choice in choices.choices(row["name"] for row in data["rows"])]
    report.write_json(options.save, data)  # should what follows fail, this is there
    print("--- memory, and whole programs", flush=True)
    data["memory"] = measured_memory()
    data["programs"] = programs.table(programs.names(), rounds=1) if "torch" in options.against else ""
    data["minutes"] = (time.monotonic() - began) / 60
    report.write_json(options.save, data)
    print(f"written: {options.save}, after {data['minutes']:.1f} minutes")
    return exit_code(failed, False)


def handed_on(options, section: str) -> list[str]:
    """The options of a full run that one of its sections takes, too."""
    found = [] if section == "curves" else [word for text in options.filter for word in ("--filter", text)]
    if options.quick and section == "rows":
        found.append("--quick")
    if options.minutes and section == "rows":
        found += ["--minutes", str(options.minutes)]
    return found


def measured_memory() -> list[dict]:
    """Peak memory of the training steps."""
    from bench import memory

    return memory.peaks()


def write_page(page: str, path: str) -> int:
    """docs/benchmarks.md from a saved run."""
    from bench import page as pages

    data = loaded(path)
    try:
        for file in pages.write(Path(page), data):
            print(f"written: {file}")
    except pages.Stale as error:
        raise Mistake(str(error)) from None
    for name in pages.check_reasons(pages.Figures(data), pages.REASONS):
        print(f"missed, and no reason in bench/reasons.py: {name}")
    return 0
