"""`Health`: what was found, as a table with verdicts: in a terminal, as text, as HTML in notebooks, as data.

Before it: `records.py`, `rules.py`.  After it: `check.py` and `watch.py`, which make one; `html.py` and `picture.py`
are its other forms.
"""

from __future__ import annotations

import io
import math

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from minigrad.viz.graph.model import clean, clip
from minigrad.viz.notebook import shown_in_notebook
from minigrad.viz.vitals.records import Findings, Layer
from minigrad.viz.vitals.rules import ERROR, NOTE, WARNING, Verdict, verdicts_of
from minigrad.viz.vitals.words import WORDS, checked_language

__all__ = ["SIGNS", "Health", "heading", "rendered", "rows_of", "short", "signs_of"]

SIGNS = {ERROR: "✖", WARNING: "▲", NOTE: "•", "": "✓"}
STYLES = {ERROR: "bold red", WARNING: "yellow", NOTE: "cyan", "": "green"}
WIDTH = 110  # of the text, in columns
NAME, KIND = 34, 16  # the longest that a table shows of a name


class Health:
    """What `health` and `Watch.report` give. It shows itself in terminals and notebooks and holds no tensor.

    rows       a dict for each layer in the order of the forward pass, with numbers (None where not known):
               layer, kind, calls; out_mean, out_std, out_norm of its output; grad_mean, grad_std, grad_norm of the
               gradient of the loss with respect to that output; saturated (share of the outputs of a sigmoid or tanh
               within 1 % of its range from an end), dead (share of the units of a ReLU that were zero for all of
               `samples`); weight_norm, weight_grad_norm, update_ratio (‖Δw‖/‖w‖, the largest of its weights);
               parameters (how many numbers); nonfinite (how many NaN and infinities are in the output and its
               gradient); verdicts (the names of the rules that speak of it)
    verdicts   `Verdict`s, the worst first: rule, severity, names, text(language), cure(language), source
    unknown    what could not be known, as sentences
    ok         whether there is neither an error nor a warning
    language   "en" or "ko"; may be set

    ``print(h)`` writes it as text, ``rich.print(h)`` and `show` in colour, and `plot` draws it.
    """

    def __init__(self, findings: Findings, unknown=(), language="en", subtitle=""):
        self.findings = findings
        self.verdicts = verdicts_of(findings)
        self.rows = rows_of(findings, self.verdicts)
        self._unknown, self._subtitle, self._language = tuple(unknown), subtitle, language

    @property
    def language(self) -> str:
        """The language it shows itself in."""
        return self._language

    @language.setter
    def language(self, language):
        self._language = checked_language(language, "Health.language")

    @property
    def ok(self) -> bool:
        """Whether there is neither an error nor a warning."""
        return all(verdict.severity == NOTE for verdict in self.verdicts)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What could not be known, and how it could be."""
        return tuple(WORDS[self._language][key] for key in self._unknown)

    def heading(self) -> str:
        """One line: how much was measured, and the loss if it is known."""
        return heading(self.findings, self._language, self._subtitle)

    def show(self) -> None:
        """Show it: in the notebook if this is one, else in the terminal, in colour."""
        if not shown_in_notebook(self):
            Console().print(self)

    def plot(self, path=None):
        """plot(path=None) -> Figure.  The outputs of the layers and their gradients as distributions over depth, and
        the update-to-weight ratios over time.

        path  where to save it, too (.png, .svg or .pdf); the file appears whole or not at all

        Raises ModuleNotFoundError without matplotlib, ValueError for another ending, OSError where it can't be written.
        """
        from minigrad.viz.vitals.picture import picture

        return picture(self, path)

    def __rich_console__(self, console, options):
        yield rendered(
            self.rows, self.verdicts, self.heading(), self.unknown, self._language, options.max_width
        )  # fmt: skip

    def __str__(self):
        out = io.StringIO()
        console = Console(
            file=out, width=WIDTH, color_system=None, legacy_windows=False, emoji=False, highlight=False,
            force_jupyter=False, force_terminal=False,
        )  # fmt: skip
        console.print(self)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")

    __repr__ = __str__

    def _repr_html_(self):
        from minigrad.viz.vitals.html import html_of

        return html_of(self)

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self._repr_html_(), "text/plain": str(self)}


def rows_of(findings: Findings, verdicts: list[Verdict]) -> list[dict]:
    """The layers as dicts of numbers."""
    return [_row(layer, verdicts) for layer in findings.layers]


def _row(layer: Layer, verdicts):
    out, grad = layer.out, layer.grad
    names = {layer.title, layer.path, *(p.name for p in layer.parameters)}
    norms = [p.grad.norm for p in layer.parameters if p.grad is not None]
    ratios = [p.ratio for p in layer.weights if p.ratio is not None]
    return {
        "layer": layer.title, "kind": layer.kind, "calls": layer.calls,
        "out_mean": out and out.mean, "out_std": out and out.std, "out_norm": out and out.norm,
        "grad_mean": grad and grad.mean, "grad_std": grad and grad.std, "grad_norm": grad and grad.norm,
        "saturated": layer.saturated, "dead": layer.dead, "samples": layer.seen or None,
        "weight_norm": math.hypot(*[p.norm for p in layer.weights]) if layer.weights else None,
        "weight_grad_norm": math.hypot(*norms) if norms else None,
        "update_ratio": max(ratios) if ratios else None,
        "parameters": sum(math.prod(p.shape) for p in layer.parameters),
        "nonfinite": (out.nonfinite if out else 0) + (grad.nonfinite if grad else 0),
        "verdicts": [verdict.rule for verdict in verdicts if names & {*verdict.names}],
    }  # fmt: skip


def signs_of(rows, verdicts) -> list[str]:
    """For each row the severity of the worst verdict about it, ``""`` if there is none."""
    severities = {verdict.rule: verdict.severity for verdict in verdicts}
    order = [ERROR, WARNING, NOTE, ""]
    return [
        ERROR if row["nonfinite"] else min([severities[r] for r in row["verdicts"]], key=order.index, default="")
        for row in rows
    ]


def heading(findings: Findings, language: str, subtitle: str = "") -> str:
    """One line about how much was measured, and the loss."""
    words = WORDS[language]
    text = words[subtitle] if subtitle else words["measured"].format(measured=findings.measured, steps=findings.steps)
    return text if findings.loss is None else f"{text} · {words['loss']} {findings.loss:.4g}"


def short(value) -> str:
    """A number in two or three digits; ``""`` for None.

    >>> short(0.01234), short(123.4), short(1.5e-9), short(0.0), short(None)
    ('0.0123', '123', '1.5e-09', '0', '')
    """
    if value is None:
        return ""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"


def rendered(rows, verdicts, title, unknown, language, width, most=None):
    """All of it for rich: the table (of at most `most` rows), then the verdicts."""
    words = WORDS[language]
    parts = [Text.assemble((words["title"], "bold"), "  ", (title, "dim"))]
    if rows:
        parts.append(_table(rows, verdicts, words, width, most))
    for verdict in verdicts:
        parts.append(_marked(verdict.severity, verdict.text(language), STYLES[verdict.severity]))
        if verdict.cure(language):
            parts.append(_indented(f"→ {verdict.cure(language)}"))
    if not verdicts and any(row["out_mean"] is not None or row["weight_grad_norm"] is not None for row in rows):
        parts.append(_marked("", words["healthy"], STYLES[""]))
    if unknown:
        parts.append(Text(f"{words['unknown']}:", style="dim"))
        parts += [Padding(Text(clean(line), style="dim"), (0, 0, 0, 2)) for line in unknown]
    return Group(*parts)


def _marked(severity, text, style):
    line = Table.grid(padding=(0, 1))
    line.add_row(Text(SIGNS[severity], style=style), Text(clean(text)))
    return line


def _indented(text):
    return Padding(Text(clean(text), style="dim"), (0, 0, 0, 2))


def _table(rows, verdicts, words, width, most):
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("", width=1)
    table.add_column(words["layer"], no_wrap=True, overflow="ellipsis", max_width=NAME)
    if width >= 90:
        table.add_column(words["kind"], no_wrap=True, overflow="ellipsis", max_width=KIND, style="dim")
    headings = ("output", "off", "grad", "weights", "ratio")
    for key in headings:
        table.add_column(words[key], justify="right", no_wrap=key == "output", min_width=4)
    signs = signs_of(rows, verdicts)
    shown = range(len(rows))
    if most is not None and len(rows) > most:  # the ends, and of the rest the worst
        rank = sorted(shown, key=lambda i: ([*SIGNS].index(signs[i]), min(i, len(rows) - 1 - i)))
        shown = sorted(rank[: max(most - 1, 1)])
    last = -1
    for i in shown:
        if i != last + 1:
            table.add_row("", f"⋮ {i - last - 1}", style="dim")
        last = i
        row = rows[i]
        cells = [Text(SIGNS[signs[i]], style=STYLES[signs[i]]), Text(clip(clean(row["layer"]), NAME))]
        if width >= 90:
            cells.append(Text(clip(clean(row["kind"]), KIND)))
        mean, spread = short(row["out_mean"]), short(row["out_std"])
        cells += [Text(f"{mean} ± {spread}" if mean else ""), _share(row)]
        cells += [_number(row[key]) for key in ("grad_norm", "weight_grad_norm", "update_ratio")]
        table.add_row(*cells)
    if last != len(rows) - 1:
        table.add_row("", f"⋮ {len(rows) - 1 - last}", style="dim")
    return table


def _share(row):
    share = row["saturated"] if row["saturated"] is not None else row["dead"]
    if share is None:
        return Text("")
    return Text(f"{100 * share:.0f} %", style="" if share < 0.4 else "yellow" if share < 0.9 else "bold red")


def _number(value):
    return Text(short(value), style="bold red" if value is not None and not math.isfinite(value) else "")
