"""`Compare`: measurements as a table, in PyTorch's layout. (PyTorch: torch.utils.benchmark.Compare)"""

from __future__ import annotations

import math
from collections.abc import Iterable

from minigrad.utils.benchmark.timer import Measurement, select_unit, unit_to_english

BEST, GOOD, BAD, VERY_BAD, BOLD, END = (f"\033[{code}m" for code in ("92", "34", "2m\033[91", "31", "1", "0"))


def _trimmed(value, figures):
    scale = 10.0 ** (math.ceil(math.log10(abs(value))) - figures) if value else 1.0
    return round(value / scale) * scale


class Compare:
    """Compare(results): a table of `Measurement`s, printed by `print()` or `str`.

    One table for each `label`, one row for each `sub_label` (or statement) and number of threads, one column for each
    `description`. Measurements of the same task are merged.

    Args:
        results (Iterable[Measurement]): the measurements.

    Raises:
        ValueError: a result is not a Measurement.
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self._trim = self._warn = False
        self._colour = ""
        self.extend_results(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add measurements."""
        for each in results:
            if not isinstance(each, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(each)} instead.")
            self._results.append(each)

    def trim_significant_figures(self) -> None:
        """Show only figures that mean something."""
        self._trim = True

    def colorize(self, rowwise: bool = False) -> None:
        """Colour the best and the worst of each column, or of each row."""
        self._colour = "row" if rowwise else "column"

    def highlight_warnings(self) -> None:
        """Mark the measurements whose samples lie far apart."""
        self._warn = True

    def print(self) -> None:
        """Print the table."""
        print(str(self))

    def __str__(self) -> str:
        tables: dict[str | None, list[Measurement]] = {}
        for each in Measurement.merge(self._results):
            tables.setdefault(each.task_spec.label, []).append(each)
        return "\n".join(self._table(label, group) for label, group in tables.items())

    def _table(self, label, group):
        unit, scale = select_unit(min(each.median for each in group))
        warned = self._warn and any(each.has_warnings for each in group)
        columns = list(dict.fromkeys(each.task_spec.description for each in group))
        rows = sorted(dict.fromkeys(map(_row, group)), key=lambda row: row[:2])  # stable: the order of coming
        cells = {(_row(each), each.task_spec.description): each for each in group}
        several = len({each.task_spec.env for each in group}) > 1
        wide = max(len(str(each.task_spec.env)) for each in group) + 4 if several else 4

        names, before = [], None
        for row in rows:
            env = f"({row[1]})" if several and row[:2] != before else ""
            names.append("  " + env.ljust(wide) + row[2])
            before = row[:2]
        texts = [self._texts([cells.get((row, name)) for row in rows], scale) for name in columns]
        titles = ["", *(name or "" for name in columns)]
        widths = [max(map(len, column)) for column in ([titles[0], *names], *zip(titles[1:], *zip(*texts)))]
        lines = ["  |  ".join(title.center(width) for title, width in zip(titles, widths, strict=True))]
        overall, threads = len(lines[0]), None
        for k, row in enumerate(rows):
            if row[0] != threads:
                threads = row[0]
                lines.append(f"{threads} threads: ".ljust(overall, "-"))
            line = [names[k].ljust(widths[0])]
            for name, text, width in zip(columns, texts, widths[1:]):
                line.append(self._painted(text[k].center(width), (row, name), cells, rows, columns))
            lines.append("  |  ".join(line))
        warning = "(! XX%) Measurement has high variance, where XX is the IQR / median * 100.\n" if warned else ""
        heading = f"[{f' {label or str()} '.center(overall - 2, '-')}]"
        return "\n".join([heading, *lines, "", f"Times are in {unit_to_english(unit)}s ({unit}).", warning])

    def _texts(self, column, scale):
        """One column's medians as texts of one width."""
        there = [each for each in column if each is not None]
        digits = {id(each): math.ceil(math.log10(each.median / scale)) for each in there}
        places = min(max(m.significant_figures - digits[id(m)], 0) for m in there) if self._trim else 1
        width = max(digits.values()) + places + (1 if places else 0)
        warned = self._warn and any(each.has_warnings for each in there)
        texts = []
        for each in column:
            if each is None:
                texts.append("")
                continue
            value = each.median / scale
            value = _trimmed(value, each.significant_figures) if self._trim else value
            mark = f" (! {each.iqr / each.median * 100:.0f}%)" if warned and each.has_warnings else ""
            texts.append(f"{value:>{max(width, 0)}.{places}f}" + (mark.rjust(7) if warned else ""))
        longest = max(map(len, texts))
        return [text or " " * longest for text in texts]

    def _painted(self, text, place, cells, rows, columns):
        if not self._colour or place not in cells:
            return text
        (row, name), value = place, cells[place].median
        if self._colour == "row":
            rivals = [(row, other) for other in columns]
        else:
            rivals = [(other, name) for other in rows if other[0] == row[0]]
        best = min(cells[rival].median for rival in rivals if rival in cells)
        if value <= max(best * 1.01, best + 100e-9):
            return f"{BEST}{BOLD}{text}{END}{END}"
        if value <= best * 1.1:
            return f"{GOOD}{BOLD}{text}{END}{END}"
        if value >= best * 5:
            return f"{VERY_BAD}{BOLD}{text}{END}{END}"
        return f"{BAD}{text}{END}{END}" if value >= best * 2 else text


def _row(measurement):
    task = measurement.task_spec
    return task.num_threads, str(task.env), measurement.as_row_name
