"""docs/benchmarks.md, written from a saved `--full` run: the issue's table first, then what stands behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.limits import Limits
from bench.reasons import REASONS
from bench.report import duration, factor, volume
from bench.row import MINIGRAD, NUMPY, TORCH
from bench.run import MET, MISSED, UNCLEAR, geometric_mean, judged
from bench.scaling import from_json
from bench.targets import ISSUE, Line, Part, issue_bounds
from minigrad.utils.benchmark.rounds import Spread

GUIDE = """\
# Benchmarks

*Written by `python -m bench --report docs/benchmarks.md RUN.json` from one run on one machine; do not edit. To make
your own: `make bench`, or `python -m bench --help`.*

## How to read this

- **A ratio is minigrad's time divided by the other's.** 0.50 means half the time, 1 a tie, 2 twice the time. Below 1,
  minigrad is faster.
- **Against PyTorch** means the same lines of code run in PyTorch {torch} in the same process, on the CPU, op by op
  (eager), with its default settings, unless the row says otherwise ("torch fused"). **Against the twin** means minigrad
  itself with every compiled kernel replaced by the few lines of NumPy that define it.
- **How a number comes about.** Both sides are timed in turns, in shuffled order, and the ratio is taken inside each
  turn, so that what else the machine does hits both. The clock is the processor time of the thread. Shown is the
  median; behind it, in brackets, the quartiles: half of all turns lay between them.
- **met** / **within noise** / **MISSED**: the median keeps to the bound; or only the lower quartile does; or neither.
  A miss has its reason beside it where a profile has shown it.
- **Of limit** says how near a row comes to what this machine can do at all: the time that moving its data through
  memory, or doing its multiplications, takes at the highest speed measured here, as a part of minigrad's time. Data is
  counted once in and once out, so 100 % can be passed only where a cache helps. Small rows are far from any limit:
  there the time goes into calling, not computing.
- Differences of less than 5 % mean nothing on a shared machine.
"""

MEMORY = """\
What a step takes at its peak above what stays (parameters, the optimizer's state, gradients of the step before), each
library in a process of its own."""
CHOICES = """\
Most kernels always answer with their numba form. These ask first, because NumPy is faster for some arguments:"""
THREADS = "Wall clock, here; “gain” is one thread's time over two's."
PROGRAMS = """\
The scripts of `tests/programs` in both libraries, by changing the import lines; processor time with one thread."""


CLEARLY = 0.9  # a row is met for good if its upper quartile is below so much of the bound


class Stale(ValueError):
    """A reason was given for a row that is not missed."""


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> str:
    """A table in Markdown; the columns `right` are set right."""
    headings, right = list(headings), set(right)
    marks = ["---:" if k in right else "---" for k in range(len(headings))]
    lines = [headings, marks, *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '¦') for cell in line)} |" for line in lines)


def spread_of(entry: Mapping) -> Spread:
    return Spread(entry["median"], entry["low"], entry["high"])


class Figures:
    """The ratios to torch of one run, memory included, by row name."""

    def __init__(self, data: dict):
        self.rows = {row["name"]: row for row in data["rows"]}
        self.ratios = {
            name: spread_of(row["ratio"][TORCH]) for name, row in self.rows.items() if TORCH in row.get("ratio", {})
        }
        for peak in data.get("memory", []):
            if peak["ratio"] == peak["ratio"]:  # there was a torch to compare with
                self.ratios[peak["name"]] = Spread(*[peak["ratio"]] * 3)

    @property
    def names(self) -> list[str]:
        """Everything that was asked for, measured or not."""
        return list(dict.fromkeys([*self.rows, *self.ratios]))

    def verdicts(self, part: Part) -> dict[str, str | None]:
        """{row: met, within noise, not met, or None for a row without figures}."""
        return {
            name: judged(self.ratios[name], part.bound) if name in self.ratios else None
            for name in part.names(self.names)
        }


def check_reasons(figures: Figures, reasons: Mapping[str, str]) -> list[str]:
    """The missed rows that have no reason yet. Raises Stale for a reason whose row is clearly met (a run with other
    luck would say the same) or none of the table's."""
    parts = [part for line in ISSUE for part in line.parts]
    verdicts = {name: verdict for part in parts for name, verdict in figures.verdicts(part).items()}
    bounds = {name: CLEARLY * part.bound for part in parts for name in part.names(figures.ratios)}
    stale = [
        name
        for name in reasons
        if not issue_bounds(name) or (name in bounds and figures.ratios[name].high <= bounds[name])
    ]
    if stale:
        raise Stale(f"bench/reasons.py has reasons for rows that are not missed: {', '.join(stale)}")
    return [name for name, verdict in verdicts.items() if verdict == MISSED and name not in reasons]


def issue_line(line: Line, figures: Figures, reasons: Mapping[str, str]) -> list[str]:
    """Work, promise, worst measured ratio of each part, verdict, reasons."""
    verdicts = [figures.verdicts(part) for part in line.parts]
    together = {name: verdict for each in verdicts for name, verdict in each.items()}
    measured = [name for name, verdict in together.items() if verdict is not None]
    worst = [max((figures.ratios[n].median for n, v in each.items() if v), default=None) for each in verdicts]
    shown = " / ".join("–" if value is None else factor(value) for value in worst)
    missed = [name for name in measured if together[name] == MISSED]
    verdict = f"**MISSED** ({len(missed)} of {len(measured)} rows)" if missed else f"met (rows: {len(measured)})"
    unclear = sum(together[name] == UNCLEAR for name in measured)
    verdict += f", {unclear} within noise" if unclear else ""
    if line.mean is not None and measured:
        mean = geometric_mean(figures.ratios[name].median for name in measured)
        shown = f"mean {factor(mean)}, worst {shown}"
        verdict += "" if mean <= line.mean else f"; **mean MISSED** ({line.mean})"
    silent = [
        *(n for n, v in together.items() if v is None),
        *(p for p, v in zip(line.parts, verdicts, strict=True) if not v),
    ]
    if silent:
        verdict += f"; **not measured**: {len(silent)}" if measured else ""
    why = [f"`{name}`: {reasons[name]}" for name in together if name in reasons and together[name] != MET]
    return [line.work, line.promise, shown, verdict if measured else "**not measured**", "<br>".join(why)]


def issue_rows(figures: Figures) -> list[list[str]]:
    """Every row of the issue's table."""
    found = []
    for line in ISSUE:
        for part in line.parts:
            for name, verdict in figures.verdicts(part).items():
                seconds = figures.rows.get(name, {}).get("seconds", {})
                times = [duration(seconds[side]["median"]) if side in seconds else "" for side in (MINIGRAD, TORCH)]
                ratio = figures.ratios.get(name)
                limit = figures.rows.get(name, {}).get("of_limit")
                found.append([
                    name, *times, bracketed(ratio), f"{part.bound:g}", f"{limit:.0%}" if limit else "", said(verdict)
                ])  # fmt: skip
    return found


def said(verdict: str | None) -> str:
    return {MET: "met", UNCLEAR: "within noise", MISSED: "**MISSED**", None: "not measured"}[verdict]


def bracketed(ratio: Spread | None) -> str:
    """0.52 (0.50–0.55)."""
    if ratio is None:
        return ""
    if ratio.low == ratio.high:
        return factor(ratio.median)
    return f"{factor(ratio.median)} ({factor(ratio.low)}–{factor(ratio.high)})"


def machine(data: dict) -> str:
    """What the run was made on."""
    env = data["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in env["versions"].items())
    libraries = "".join(f"\n- {library}" for library in env["libraries"])
    minutes = f" The run took {data['minutes']:.0f} minutes." if "minutes" in data else ""
    return (
        f"{env['cpu']}, {env['cores']} cores, {env['system']}, Python {env['python']}; {versions}. Measured on "
        f"{env['date']}, one thread each, {env['clock']}; load average at the start {env['load_average']}.{minutes}\n"
        f"{libraries}"
    )


def limits_text(limits: Limits) -> str:
    """Bandwidth by working set, product speed, caches."""
    speeds = table(
        ["working set", *(volume(size) for size, _ in limits.bandwidth)],
        [["GB/s", *(f"{speed / 1e9:.0f}" for _, speed in limits.bandwidth)]],
        range(1, len(limits.bandwidth) + 1),
    )
    flops = " and ".join(f"{speed / 1e9:.0f} GFLOP/s in {dtype}" for dtype, speed in limits.flops.items())
    caches = ", ".join(f"{name} {volume(size)}" for name, size in limits.caches.items()) or "unknown"
    return (
        f"One core streams (`a = b + s·c`, two arrays read, one written, the three together being the working set):\n\n"
        f"{speeds}\n\nThe fastest product of two 1024×1024 matrices, of NumPy, minigrad and PyTorch, ran at {flops}. "
        f"Caches: {caches}."
    )


def against_twins(figures: Figures) -> str:
    """How many rows are faster than their NumPy twin, and those that are not."""
    ratios = {n: spread_of(row["ratio"][NUMPY]) for n, row in figures.rows.items() if NUMPY in row.get("ratio", {})}
    if not ratios:
        return "Not measured in this run."
    slower = {n: ratio for n, ratio in ratios.items() if judged(ratio, 1.05) == MISSED}
    mean = geometric_mean(ratio.median for ratio in ratios.values())
    text = (
        f"{len(ratios)} rows have a NumPy twin; the geometric mean of their ratios is {factor(mean)}. Slower than its "
        f"twin beyond noise (1.05): {len(slower) or 'none'}."
    )
    if slower:
        text += "\n\n" + table(["row", "minigrad / twin"], [[n, bracketed(r)] for n, r in slower.items()], [1])
    return text


def threads_text(rows: list[dict]) -> str:
    """Rows with one and two threads: times, ratios, and what the second thread gave."""
    lines, columns = [], None
    for row in rows:
        seconds = row.get("seconds", {})
        more = sorted(side.partition("@")[2] for side in seconds if side.startswith(f"{MINIGRAD}@"))
        if not more or TORCH not in seconds:
            continue
        columns = ["minigrad, 1", f"minigrad, {more[0]}", "gain", "torch, 1", f"torch, {more[0]}", "ratio, 1",
                   f"ratio, {more[0]}"]  # fmt: skip
        sides = (MINIGRAD, f"{MINIGRAD}@{more[0]}", TORCH, f"{TORCH}@{more[0]}")
        one, two, theirs, both = (seconds[side]["median"] for side in sides)
        lines.append([
            row["name"], duration(one), duration(two), f"{one / two:.2f}", duration(theirs), duration(both),
            bracketed(spread_of(row["ratio"][TORCH])), bracketed(spread_of(row["ratio"][f"{TORCH}@{more[0]}"])),
        ])  # fmt: skip
    if not lines:
        return "Not measured in this run."
    return folded(f"{len(lines)} rows", table(["row", *columns], lines, range(1, 8)))


def memory_text(peaks: list[dict]) -> str:
    """Peak memory of the training steps."""
    if not peaks:
        return "Not measured in this run."
    rows = [
        [peak["name"].partition("/")[2], *(volume(size) for size in peak["bytes"].values()), factor(peak["ratio"])]
        for peak in peaks
    ]
    sides = list(peaks[0]["bytes"])
    return table(["step", *sides, "ratio"], rows, range(1, len(sides) + 2))


def choices_text(choices: list[dict]) -> str:
    """The kernels that choose, each with its rule and rows."""
    rows = [
        [f"`{c['kernel']}`", f"`{c['module']}`", c["rule"], ", ".join(n.rpartition(" ")[2] for n in c["rows"]) or "–"]
        for c in choices
    ]
    return table(["kernel", "where", "numba answers", "measured at"], rows) if rows else "No kernel chooses."


def other_rows(figures: Figures) -> str:
    """All rows, the issue's or not, family by family."""
    families: dict[str, list] = {}
    for name, row in figures.rows.items():
        if "seconds" in row and row["family"] != "kernel":
            ratios = [bracketed(spread_of(row["ratio"][s])) if s in row["ratio"] else "" for s in (TORCH, NUMPY)]
            limit = f"{row['of_limit']:.0%}" if row.get("of_limit") else ""
            what = name.partition("/")[2]
            families.setdefault(row["family"], []).append(
                [what, duration(row["seconds"][MINIGRAD]["median"]), *ratios, limit]
            )
    headings = ["", "minigrad", "/ torch", "/ twin", "of limit"]
    return "\n\n".join(
        folded(f"{family}: {len(rows)} rows", table(headings, rows, range(1, 5))) for family, rows in families.items()
    )


def folded(summary: str, text: str) -> str:
    """Text that a reader on GitHub opens by a click."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def text(data: dict, pictures: Iterable[str] = (), reasons: Mapping[str, str] = REASONS) -> str:
    """The whole page. Raises Stale if a reason outlived its miss."""
    figures, limits = Figures(data), Limits(**data["limits"])
    check_reasons(figures, reasons)
    headings = ["work", "ratio to reach (≤)", "measured (the worst row)", "", "why it is missed"]
    detail = ["row", "minigrad", "torch", "ratio", "bound", "of limit", ""]
    promised = table(headings, [issue_line(line, figures, reasons) for line in ISSUE])
    rows = folded("Every row of that table", table(detail, issue_rows(figures), range(1, 6)))
    sections = {
        "The machine": machine(data),
        "What was promised, and what came of it": "\n\n".join(
            [promised, *(f"![{name}]({name})" for name in pictures), rows]
        ),
        "Peak memory of training steps": f"{MEMORY}\n\n{memory_text(data.get('memory', []))}",
        "Kernels against their NumPy twins": against_twins(figures),
        "The kernels that choose": f"{CHOICES}\n\n{choices_text(data.get('choices', []))}",
        "One and two threads": f"{THREADS}\n\n{threads_text(data.get('threads', []))}",
        "Whole programs": f"{PROGRAMS}\n\n{data.get('programs') or 'Not measured in this run.'}",
        "The machine's limits": limits_text(limits),
        "All rows": other_rows(figures),
    }
    guide = GUIDE.format(torch=data["environment"]["versions"].get("torch", "(not installed)"))
    return guide + "".join(f"\n## {title}\n\n{section.rstrip()}\n" for title, section in sections.items())


def issue_picture(figures: Figures):
    """What `plot.bars` draws: (family, rival, [(name, ratio)]) for the issue's rows."""
    found: dict[str, list] = {}
    for line in ISSUE:
        for name in line.names(figures.names):
            if name in figures.ratios:
                family, _, what = name.partition("/")
                found.setdefault(family, []).append((what, figures.ratios[name]))
    return [(family, TORCH, rows) for family, rows in found.items()]


def write(page: Path, data: dict) -> list[Path]:
    """Write the page and its pictures beside it; the files written."""
    from bench import plot, scaling_plot

    figures, environment = Figures(data), data["environment"]
    written = []
    if plot.available():
        panels = issue_picture(figures)
        if panels:
            written.append(page.with_name(f"{page.stem}.png"))
            bounds = {name: part.bound for line in ISSUE for part in line.parts for name in part.names(figures.names)}
            plot.bars(panels, environment, str(written[-1]), bounds)
        curves = [from_json(curve) for curve in data.get("curves", [])]
        if curves:
            written.append(page.with_name(f"{page.stem}-scaling.png"))
            scaling_plot.draw(curves, Limits(**data["limits"]), environment, str(written[-1]))
    page.write_text(text(data, [path.name for path in written]), encoding="utf-8")
    return [page, *written]
