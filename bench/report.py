"""A run as a table in the terminal and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.row import MINIGRAD, NUMPY
from bench.run import MET, MISSED, UNCLEAR, Outcome, geometric_mean

SCHEMA = 1
STYLE = {MET: "green", UNCLEAR: "yellow", MISSED: "bold red"}


def duration(seconds: float) -> str:
    """Three digits and a unit: 843 ns, 12.3 us, 1.20 ms, 2.41 s."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 999.5 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def factor(ratio: float) -> str:
    """Two decimals, or two digits where those would say 0.00."""
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def colour(ratio: float) -> str:
    """Green where minigrad is faster, plain for a tie, then yellow and red."""
    if ratio <= 0.5:
        return "bold green"
    if ratio <= 0.95:
        return "green"
    if ratio <= 1.05:
        return "default"
    return "yellow" if ratio <= 1.3 else "red"


def console(file=None) -> Console:
    """As wide as the terminal; 120 columns where there is none (a log, a pipe), so that names are not cut."""
    plain = Console(file=file)
    return plain if plain.is_terminal else Console(file=file, width=120)


def print_environment(environment: dict, out: Console) -> None:
    known = " ".join(f"{name} {version}" for name, version in environment["versions"].items())
    out.print(f"[bold]{environment['cpu']}[/], {environment['cores']} cores, load {environment['load_average']}")
    out.print(f"{environment['system']}, Python {environment['python']}, {known}")
    heap = ", freed memory kept" if environment["heap_kept"] else ""
    out.print(f"{environment['threads']} thread(s) each, {environment['clock']}{heap}")
    for library in environment["libraries"]:
        out.print(f"  {library}", style="dim", highlight=False)


def print_table(outcomes: Iterable[Outcome], out: Console) -> None:
    """One table a family: times, and per rival the median ratio with its quartiles."""
    for family, group in groupby(outcomes, key=lambda outcome: outcome.row.family):
        group = list(group)
        rivals = list(dict.fromkeys(rival for outcome in group for rival in outcome.rivals))
        table = Table(title=family, title_justify="left", title_style="bold", pad_edge=False, box=None)
        table.add_column("", overflow="fold", no_wrap=False)
        table.add_column("minigrad", justify="right", no_wrap=True)
        for rival in rivals:
            table.add_column(rival, justify="right", no_wrap=True)
            table.add_column("ratio", justify="right", no_wrap=True)
            table.add_column("quartiles", justify="right", style="dim", no_wrap=True)
        for outcome in group:
            name = outcome.row.name.partition("/")[2]
            if outcome.error:
                table.add_row(name, Text("failed", style="bold red"))
                continue
            cells = [name, duration(outcome.samples.spread(MINIGRAD).median)]
            for rival in rivals:
                if rival not in outcome.rivals:
                    cells += ["", "", ""]
                    continue
                ratio = outcome.ratio(rival)
                cells.append(duration(outcome.samples.spread(rival).median))
                cells.append(Text(factor(ratio.median), style=colour(ratio.median)))
                cells.append(f"{factor(ratio.low)}-{factor(ratio.high)}")
            table.add_row(*cells)
        out.print(table)
        out.print()


def target_lines(outcomes: list[Outcome]) -> list[dict]:
    """The promises: one line per target row, and one for all twins together with the rows that break it."""
    lines = []
    for outcome in outcomes:
        for against, bound in outcome.row.targets.items():
            verdict = outcome.verdict(against)
            if verdict is None:
                continue
            if against == "seconds":
                what, value = outcome.row.name, outcome.samples.spread(MINIGRAD).median
            else:
                what, value = f"{outcome.row.name} / {against}", outcome.ratio(against).median
            lines.append({"target": what, "bound": bound, "value": value, "verdict": verdict, "rows": []})
    twins = [outcome for outcome in outcomes if NUMPY in outcome.rivals]
    if twins:
        worst = max(outcome.ratio(NUMPY).median for outcome in twins)
        missed = [outcome.row.name for outcome in twins if outcome.verdict(NUMPY) == MISSED]
        unclear = [outcome.row.name for outcome in twins if outcome.verdict(NUMPY) == UNCLEAR]
        verdict = MISSED if missed else UNCLEAR if unclear else MET
        what = f"every row / NumPy twin ({len(twins)} rows, the slowest shown)"
        bound = min(outcome.bounds()[NUMPY] for outcome in twins)
        lines.append({"target": what, "bound": bound, "value": worst, "verdict": verdict, "rows": missed + unclear})
    return lines


def print_targets(outcomes: list[Outcome], out: Console) -> None:
    lines = target_lines(outcomes)
    if not lines:
        return
    table = Table(title="issue targets", title_justify="left", title_style="bold", pad_edge=False, box=None)
    for heading, justify in (("", "left"), ("bound", "right"), ("measured", "right"), ("", "left")):
        table.add_column(heading, justify=justify)
    for line in lines:
        verdict = Text(line["verdict"], style=STYLE[line["verdict"]])
        table.add_row(line["target"], f"{line['bound']:.2f}", factor(line["value"]), verdict)
    out.print(table)
    by_name = {outcome.row.name: outcome for outcome in outcomes}
    for line in lines:
        for name in line["rows"]:
            outcome = by_name[name]
            ratio = outcome.ratio(NUMPY)
            out.print(
                f"  {name}: {ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})",
                style=STYLE[outcome.verdict(NUMPY)],
                highlight=False,
            )


def print_summary(outcomes: list[Outcome], out: Console) -> None:
    """Geometric mean per rival, and how many rows are ahead."""
    for rival in dict.fromkeys(rival for outcome in outcomes for rival in outcome.rivals):
        ratios = [outcome.ratio(rival).median for outcome in outcomes if rival in outcome.rivals]
        ahead = sum(ratio < 1 for ratio in ratios)
        out.print(
            f"against {rival}: geometric mean {geometric_mean(ratios):.2f} over {len(ratios)} rows, faster in {ahead}",
            highlight=False,
        )
    out.print("ratio = minigrad's time / rival's: below 1, minigrad is faster", style="dim")


def print_errors(outcomes: list[Outcome], out: Console) -> None:
    for outcome in outcomes:
        if outcome.error:
            out.print(f"{outcome.row.name} failed:", style="bold red", highlight=False)
            out.print(outcome.error.rstrip(), markup=False, highlight=False)


def _spread(spread) -> dict:
    return {"median": spread.median, "low": spread.low, "high": spread.high}


def as_json(outcomes: list[Outcome], environment: dict, settings: dict) -> dict:
    """The run as data. Times are seconds per call; `low` and `high` are quartiles; ratios are minigrad / rival."""
    rows = []
    for outcome in outcomes:
        entry = {"name": outcome.row.name, "family": outcome.row.family, "error": outcome.error}
        if outcome.samples.seconds:
            entry["rounds"] = len(outcome.samples.seconds[MINIGRAD])
            entry["seconds"] = {side: _spread(outcome.samples.spread(side)) for side in outcome.samples.seconds}
            entry["ratio"] = {rival: _spread(outcome.ratio(rival)) for rival in outcome.rivals}
        rows.append(entry)
    return {
        "schema": SCHEMA,
        "environment": environment,
        "settings": settings,
        "rows": rows,
        "targets": target_lines(outcomes),
    }


def write_json(path: str, data: dict) -> None:
    """Write beside the file first and move it into place: an interrupted run leaves the old file whole."""
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    beside.write_text(json.dumps(data, indent=1) + "\n")
    beside.replace(target)
