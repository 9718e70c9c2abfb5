"""The live view of a watched model: a table that is drawn again in the same place, in a terminal or a notebook.

Before it: `report.py`.  After it: `watch.py`, which says when to draw. There is no thread: what is drawn is drawn by
the training loop, and counted as time spent.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.errors import LiveError
from rich.live import Live

from minigrad.viz.notebook import in_notebook
from minigrad.viz.vitals.report import Health, heading, rendered, rows_of
from minigrad.viz.vitals.rules import verdicts_of

__all__ = ["Notebook", "Terminal", "view_for"]

LINES_BESIDE = 14  # of the terminal, left for headings and verdicts


def view_for(live):
    """The view for this place, or None where there is none, or none is wanted."""
    if live is False:
        return None
    if in_notebook():
        return Notebook()
    return Terminal() if live is True or sys.stdout.isatty() else None


class Terminal:
    """In a terminal, by rich. Beside another live display (a progress bar) it keeps silent until the end."""

    least = 0.25  # seconds between two pictures

    def __init__(self, console=None):
        self.console = Console() if console is None else console
        self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")
        self._started = self._silent = False

    def update(self, findings, language):
        """Show the findings as they are now."""
        if not self._started and not self._silent:
            try:
                self._live.start()
                self._started = True
            except LiveError:
                self._silent = True
        if self._started:
            verdicts = verdicts_of(findings)
            most = max(self.console.height - LINES_BESIDE, 3)
            rows = rows_of(findings, verdicts)
            title = heading(findings, language)
            self._live.update(rendered(rows, verdicts, title, (), language, self.console.width, most), refresh=True)

    def close(self, health):
        """Show the last state, whole, and leave it there."""
        if self._started:
            self._live.update(health, refresh=True)
            self._live.stop()
        elif self._silent:
            self.console.print(health)


class Notebook:
    """In a notebook: one output that is updated."""

    least = 0.5

    def __init__(self):
        self._handle = None

    def update(self, findings, language):
        """Show the findings as they are now."""
        health = Health(findings, (), language)
        self._put({"text/html": health._repr_html_(), "text/plain": health.heading()})

    def close(self, health):
        """Show the last state."""
        self._put(health._repr_mimebundle_())

    def _put(self, bundle):
        from IPython.display import display

        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
