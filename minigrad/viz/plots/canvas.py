"""The figure that plots are drawn on: matplotlib's, but without a wall of warnings about missing characters.

The only file of `plots` that imports matplotlib when it is itself imported; the others come here when they draw.
"""

from __future__ import annotations

import contextlib
import io
import warnings

from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text

from minigrad.viz.fonts import quiet_log

__all__ = ["Canvas", "unknown_characters"]


class Canvas(Figure):
    """A `Figure` that a notebook or a program may show or save when it likes. What no font here can show was said once,
    when the figure was made; matplotlib would say it again for each character, each time that it draws.

    It shows itself as a cell's last expression; matplotlib's does so only in a notebook that imported pyplot."""

    def _repr_png_(self):
        """The picture, as a notebook asks for it."""
        out = io.BytesIO()
        self.savefig(out, format="png", bbox_inches="tight", metadata={"Software": None})
        return out.getvalue()

    def draw(self, renderer):
        """Draw, as `Figure.draw` does."""
        with _quiet_fonts():
            super().draw(renderer)

    def get_tightbbox(self, *args, **kwargs):
        """The box around all that is drawn, as `Figure.get_tightbbox` has it."""
        with _quiet_fonts():
            return super().get_tightbbox(*args, **kwargs)


@contextlib.contextmanager
def _quiet_fonts():
    with quiet_log(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # said once, by `finish`
        yield


def unknown_characters(figure, families) -> str:
    """The characters in a figure's texts that none of these fonts has, each once."""
    wanted = {c for text in figure.findobj(Text) for c in text.get_text() if ord(c) > 127}
    for family in families if wanted else ():
        known = get_font(findfont(family)).get_charmap()
        wanted -= {c for c in wanted if ord(c) in known}
    return "".join(sorted(wanted))
