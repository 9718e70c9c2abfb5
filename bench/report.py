"""A run as a table in the terminal and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.limits import Limits
from bench.row import MINIGRAD, NUMPY
from bench.run import MET, MISSED, UNCLEAR, Outcome, geometric_mean

SCHEMA = 2
ROOM_FOR_QUARTILES = 2  # rivals; with more of them a line would not fit
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
    """As wide as the terminal; 140 columns where there is none (a log, a pipe), so that names are not cut."""
    plain = Console(file=file)
    return plain if plain.is_terminal else Console(file=file, width=140)


def print_environment(environment: dict, out: Console) -> None:
    known = " ".join(f"{name} {version}" for name, version in environment["versions"].items())
    out.print(f"[bold]{environment['cpu']}[/], {environment['cores']} cores, load {environment['load_average']}")
    out.print(f"{environment['system']}, Python {environment['python']}, {known}")
    heap = ", freed memory kept" if environment["heap_kept"] else ""
    threads = " and ".join(map(str, environment["threads"]))
    out.print(f"{threads} thread(s) each, {environment['clock']}{heap}")
    for library in environment["libraries"]:
        out.print(f"  {library}", style="dim", highlight=False)


def print_limits(limits: Limits, out: Console) -> None:
    """What the machine can do at most, on one core."""
    speeds = ", ".join(f"{volume(size)} {speed / 1e9:.0f}" for size, speed in limits.bandwidth)
    out.print(f"memory, GB/s by working set (STREAM triad): {speeds}", highlight=False, soft_wrap=True)
    flops = ", ".join(f"{dtype} {speed / 1e9:.0f}" for dtype, speed in limits.flops.items())
    caches = ", ".join(f"{name} {volume(size)}" for name, size in limits.caches.items())
    out.print(f"products, GFLOP/s (1024³, the best library): {flops}", highlight=False)
    out.print(f"caches: {caches or 'unknown'}", highlight=False)


def volume(size: float) -> str:
    """Bytes, readably: 24 KB, 1.5 MB."""
    return f"{size / 2**20:.3g} MB" if size >= 2**20 else f"{size / 2**10:.3g} KB"


def of_limit(outcome: Outcome, limits: Limits | None) -> float | None:
    """What part of minigrad's time the machine's limit is; None where neither bytes nor flops are known."""
    if limits is None or not outcome.samples.seconds or not (outcome.bytes or outcome.flops):
        return None
    return limits.seconds(outcome.bytes, outcome.flops) / outcome.samples.spread(MINIGRAD).median


def print_table(outcomes: Iterable[Outcome], out: Console, limits: Limits | None = None) -> None:
    """One table a family: times, per rival the median ratio with its quartiles, and the distance from the limit."""
    for family, group in groupby(outcomes, key=lambda outcome: outcome.row.family):
        group = list(group)
        sides = list(dict.fromkeys(side for outcome in group for side in outcome.samples.seconds))
        sides.sort(key=lambda side: (side.partition("@")[2], not side.startswith(MINIGRAD)))
        rivals = [side for side in sides if not side.startswith(MINIGRAD)]
        quartiles = len(rivals) <= ROOM_FOR_QUARTILES
        table = Table(title=family, title_justify="left", title_style="bold", pad_edge=False, box=None)
        table.add_column("", overflow="fold", no_wrap=False)
        for side in sides:
            table.add_column(side.replace("@", " ×"), justify="right", no_wrap=True)
            if side in rivals:
                table.add_column("ratio", justify="right", no_wrap=True)
            if side in rivals and quartiles:
                table.add_column("quartiles", justify="right", style="dim", no_wrap=True)
        if limits is not None:
            table.add_column("of limit", justify="right", style="dim", no_wrap=True)
        for outcome in group:
            name = outcome.row.name.partition("/")[2]
            if outcome.error:
                table.add_row(name, Text("failed", style="bold red"))
                continue
            cells = [name, *(cell for side in sides for cell in _cells(outcome, side, quartiles))]
            part = of_limit(outcome, limits)
            table.add_row(*cells, *([] if limits is None else [f"{part:.0%}" if part else ""]))
        out.print(table)
        out.print()


def _cells(outcome: Outcome, side: str, quartiles: bool) -> list:
    """A side's time; a rival's ratio, and its quartiles, too."""
    ours = side.startswith(MINIGRAD)
    if side not in outcome.samples.seconds:
        return [""] * (1 if ours else 3 if quartiles else 2)
    time = duration(outcome.samples.spread(side).median)
    if ours:
        return [time]
    ratio = outcome.ratio(side)
    shown = [time, Text(factor(ratio.median), style=colour(ratio.median))]
    return [*shown, f"{factor(ratio.low)}-{factor(ratio.high)}"] if quartiles else shown


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


def as_json(outcomes: list[Outcome], environment: dict, settings: dict, limits: Limits | None = None) -> dict:
    """The run as data. Times are seconds per call; `low` and `high` are quartiles; ratios are minigrad / rival."""
    rows = []
    for outcome in outcomes:
        entry = {"name": outcome.row.name, "family": outcome.row.family, "error": outcome.error}
        if outcome.samples.seconds:
            entry["rounds"] = len(outcome.samples.seconds[MINIGRAD])
            entry["seconds"] = {side: _spread(outcome.samples.spread(side)) for side in outcome.samples.seconds}
            entry["ratio"] = {rival: _spread(outcome.ratio(rival)) for rival in outcome.rivals}
            entry["least"] = {"bytes": outcome.bytes, "flops": outcome.flops}
            entry["of_limit"] = of_limit(outcome, limits)
        rows.append(entry)
    return {
        "schema": SCHEMA,
        "environment": environment,
        "settings": settings,
        "limits": limits and asdict(limits),
        "rows": rows,
        "targets": target_lines(outcomes),
    }


def write_json(path: str, data: dict) -> None:
    """Write beside the file first and move it into place: an interrupted run leaves the old file whole."""
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    beside.write_text(json.dumps(data, indent=1) + "\n")
    beside.replace(target)
