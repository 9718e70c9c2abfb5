"""Tables that look right wherever they appear: as plain text, in colour in a terminal, as HTML in a notebook.

    op           in → out           time            one layout for text and terminal: columns that may be cut give
    ──────────── ──────────── ──────────            way until the table fits, full names stay in the HTML
    linear       [8,4] → [8,2]  12.1 µs

A cell is plain text, whatever it holds: neither rich's markup nor HTML comes out of a user's string.
"""

from __future__ import annotations

import html
import os
import shutil
import sys
import textwrap
from dataclasses import dataclass, field

from minigrad.viz.graph.model import clean

__all__ = ["Column", "Row", "Table", "bytes_text", "seconds_text"]

GAP = "  "
NARROWEST, USUAL = 40, 120  # columns of a terminal at least; and where nothing is known of one
INKS = {"": "", "strong": "bold", "faint": "dim"}
STYLE = """
.mg-table{overflow-x:auto;margin:.5em 0;font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans KR",sans-serif}
.mg-table table{font:inherit;color:inherit;border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0}
.mg-table th,.mg-table td{padding:.2em .7em;text-align:left!important;white-space:pre;border:0;background:none}
.mg-table th{font-weight:600;border-bottom:1.5px solid rgba(128,128,128,.7)}
.mg-table td{border-bottom:1px solid rgba(128,128,128,.2)}
.mg-table .r{text-align:right!important}
.mg-table td.c{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px}
.mg-table .strong td{font-weight:600}
.mg-table .faint td{opacity:.65}
.mg-table caption{caption-side:top;text-align:left;font-weight:600;padding:.2em .7em;color:inherit}
.mg-table .t{margin-top:.6em}
.mg-table .t td{border:0;padding:.05em .7em}
.mg-table p{margin:.35em .7em;white-space:pre-wrap}
""".strip()


@dataclass(frozen=True, slots=True)
class Column:
    """`least` is how narrow the column may be cut if the table is too wide; None: never. If that is
    not enough, columns with `drop` are left out, the least first. `code` is set in a fixed-width font in HTML."""

    title: str
    right: bool = False
    least: int | None = None
    code: bool = False
    drop: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """The texts of a row, and how it is set: "" as usual, "strong" or "faint"."""

    cells: tuple[str, ...]
    look: str = ""


@dataclass
class Table:
    """A table with a title above it, and below it totals, (label, text) each, and notes. `data` are the numbers behind
    the rows, one dict each."""

    columns: list[Column]
    rows: list[Row]
    title: str = ""
    notes: list[str] = field(default_factory=list)
    data: list[dict] = field(default_factory=list)
    totals: list[tuple[str, str]] = field(default_factory=list)

    def text(self, width: int | None = None) -> str:
        """Plain text at most `width` columns wide (None: as the terminal is; 120 where there is none)."""
        return "\n".join("".join(part for part, _ in line).rstrip() for line in self._lines(width))

    def __str__(self) -> str:
        return self.text()

    def __rich_console__(self, console, options):
        """The table as wide as the console has room for."""
        from rich.text import Text

        text = Text(no_wrap=True)
        for i, line in enumerate(self._lines(options.max_width)):
            text.append("\n" if i else "")
            for part, ink in line:
                text.append(part, ink or None)
        yield text

    def html(self) -> str:
        """An HTML fragment with its own style."""
        escape = html.escape
        parts = [f"<style>{STYLE}</style>", '<div class="mg-table"><table>']
        if self.title:
            parts.append(f"<caption>{escape(clean(self.title))}</caption>")
        kinds = [" ".join(filter(None, ("r" * c.right, "c" * c.code))) for c in self.columns]
        marks = [f' class="{kind}"' if kind else "" for kind in kinds]
        heads = "".join(f"<th{m}>{escape(c.title)}</th>" for m, c in zip(marks, self.columns, strict=True))
        parts.append(f"<thead><tr>{heads}</tr></thead><tbody>")
        for row in self.rows:
            cells = "".join(f"<td{m}>{escape(shown(t))}</td>" for m, t in zip(marks, row.cells, strict=True))
            parts.append(f'<tr class="{row.look}">{cells}</tr>' if row.look else f"<tr>{cells}</tr>")
        parts.append("</tbody></table>")
        if self.totals:
            totals = [f'<tr><td>{escape(a)}</td><td class="r">{escape(b)}</td></tr>' for a, b in self.totals]
            parts.append(f'<table class="t"><tbody>{"".join(totals)}</tbody></table>')
        parts += [f"<p>{escape(note)}</p>" for note in self.notes]
        return "\n".join([*parts, "</div>"])

    def _repr_html_(self):
        return self.html()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html(), "text/plain": str(self)}

    def _lines(self, width):
        """The lines as lists of (text, ink)."""
        from rich.cells import cell_len, set_cell_size

        width = max(NARROWEST, terminal_width() if width is None else width)
        grid = [[shown(text) for text in row.cells] for row in self.rows]
        widths = [
            max([cell_len(column.title), *(cell_len(cells[i]) for cells in grid)])
            for i, column in enumerate(self.columns)
        ]
        kept = self._fit(widths, width)
        columns, widths = [self.columns[i] for i in kept], [widths[i] for i in kept]
        grid = [[cells[i] for i in kept] for cells in grid]

        def line(cells, ink):
            parts = []
            for text, column, wide in zip(cells, columns, widths, strict=True):
                if cell_len(text) > wide:
                    text = set_cell_size(text, wide - 1).rstrip() + "…"
                room = " " * (wide - cell_len(text))
                parts.append((room + text if column.right else text + room, ink))
                parts.append((GAP, ""))
            return parts[:-1]

        lines = [[(clean(self.title), "bold")]] if self.title else []
        if columns:
            lines.append(line([column.title for column in columns], "bold"))
            lines.append(line(["─" * wide for wide in widths], "dim"))
        lines += [line(cells, INKS[row.look]) for cells, row in zip(grid, self.rows, strict=True)]
        if self.totals:
            label, text = (max(map(len, column)) for column in zip(*self.totals, strict=True))
            lines.append([("", "")])
            lines += [[(f"{a:{label}}{GAP}", ""), (f"{b:>{text}}", "bold")] for a, b in self.totals]
        if self.notes:
            lines.append([("", "")])
            lines += [[(part, "")] for note in self.notes for part in _wrapped(note, width)]
        return lines

    def _fit(self, widths, room):
        """The positions of the columns that are shown. Their widths are made to fit: what may be left out is left out
        if it must, then columns that may be cut give way, the widest first."""
        kept = list(range(len(widths)))

        def excess(of):
            return sum(of[i] for i in kept) + len(GAP) * (len(kept) - 1) - room

        least = [w if c.least is None else min(w, c.least) for w, c in zip(widths, self.columns, strict=True)]
        while excess(least) > 0 and any(self.columns[i].drop for i in kept):
            kept.remove(min((i for i in kept if self.columns[i].drop), key=lambda i: self.columns[i].drop))
        while excess(widths) > 0:
            spare = [(widths[i] - least[i], i) for i in kept if widths[i] > least[i]]
            if not spare:
                break
            widths[max(spare)[1]] -= 1
        return kept


def shown(text) -> str:
    """A cell's text on one line. Its spaces stay as they are."""
    return " ".join(map(clean, str(text).split(" ")))


def _wrapped(note, width):
    indent = " " * (len(note) - len(note.lstrip(" ")))
    return textwrap.wrap(note, width, subsequent_indent=indent, drop_whitespace=True) or [""]


def terminal_width() -> int:
    """The width of the terminal, 120 if there is none."""
    if not (os.environ.get("COLUMNS", "").isdigit() or (sys.stdout is not None and sys.stdout.isatty())):
        return USUAL
    return shutil.get_terminal_size((USUAL, 24)).columns


def seconds_text(seconds) -> str:
    """A time in three digits: ``12.3 µs``, ``4.56 ms``, ``1.2 s``.

    >>> seconds_text(1.234e-5), seconds_text(0.0123), seconds_text(75.0), seconds_text(0.0)
    ('12.3 µs', '12.3 ms', '75.0 s', '0 µs')
    """
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            value = seconds / size
            return (
                f"{value:.2f} {unit}"
                if value < 10
                else f"{value:.1f} {unit}"
                if value < 1000
                else f"{value:,.0f} {unit}"
            )
    return f"{seconds * 1e6:.2f} µs" if seconds > 0 else "0 µs"


def bytes_text(count) -> str:
    """A number of bytes: ``0``, ``512 B``, ``1.5 KB`` (of 1000 bytes), ``2.4 MB``.

    >>> bytes_text(0), bytes_text(999), bytes_text(1536), bytes_text(2_400_000)
    ('0 B', '999 B', '1.54 KB', '2.40 MB')
    """
    if count < 1000:
        return f"{count} B"
    power = min(4, (len(str(count)) - 1) // 3)
    value, unit = count / 1000**power, ("KB", "MB", "GB", "TB")[power - 1]
    return f"{value:.2f} {unit}" if value < 9.995 else f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"
