"""A scene as PNG or PDF, painted with matplotlib (extra `plots`): its own fonts, no system program.

Only matplotlib's drawing canvas is used, never `pyplot`: no window, no global state, nothing of the user's changes.
"""

from __future__ import annotations

import io
import warnings

from minigrad.viz.fonts import families, quiet_log
from minigrad.viz.graph.scene import Line, Rect, Scene
from minigrad.viz.graph.svg import DASH

__all__ = ["painted", "require_matplotlib"]

POINTS = 72.0
DOTS = 192  # per inch: sharp on a screen of double density
MOST_DOTS = 30_000  # a side of a PNG; matplotlib's limit is 65,535
DEJAVU = 0.92  # DejaVu looks larger than the fonts the sizes are meant for
DASHES = tuple(map(float, DASH.split()))


def require_matplotlib(what: str) -> None:
    """Raise a one-line ModuleNotFoundError saying what to install, if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{what} needs matplotlib, which is not installed: pip install 'minigrad[plots]'", name="matplotlib"
        ) from None


def painted(scene: Scene, form: str) -> bytes:
    """The bytes of a ``"png"`` or ``"pdf"`` of the scene, on white. Raises ModuleNotFoundError without matplotlib."""
    require_matplotlib(f"saving a drawing as {form}")
    with quiet_log(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = _paint(scene, form)
    if any("Glyph" in str(warning.message) for warning in caught):
        warnings.warn(
            f"no font here has some characters of this drawing, so the {form} shows boxes for them: install one that "
            "has them (for Korean: Noto Sans KR), or save as svg",
            stacklevel=4,
        )
    return data


def _paint(scene, form):
    import matplotlib
    from matplotlib.figure import Figure

    dots = min(DOTS, MOST_DOTS * POINTS / max(scene.width, scene.height))
    figure = Figure(figsize=(scene.width / POINTS, scene.height / POINTS), dpi=dots, facecolor="white")
    painter = _Painter(figure, scene)
    for part in scene.parts:
        for shape in part.shapes:
            painter.paint(shape)
    out = io.BytesIO()
    settings = {"pdf.fonttype": 42, "font.family": painter.families, "path.simplify": False}
    with matplotlib.rc_context(settings):  # no dates in the file: the same graph gives the same bytes
        figure.savefig(out, format=form, dpi=dots, metadata={"CreationDate": None} if form == "pdf" else None)
    return out.getvalue()


class _Painter:
    def __init__(self, figure, scene):
        from matplotlib.transforms import Affine2D

        self.figure, self.height = figure, scene.height
        self.to_page = Affine2D().scale(1 / scene.width, -1 / scene.height).translate(0, 1) + figure.transFigure
        self.families = list(families())
        self.measured = {}

    def paint(self, shape):
        if isinstance(shape, Rect):
            self.rect(shape)
        elif isinstance(shape, Line):
            self.line(shape)
        else:
            self.text(shape)

    def add(self, path, **look):
        from matplotlib.patches import PathPatch

        self.figure.add_artist(PathPatch(path, transform=self.to_page, clip_on=False, **look))

    def rect(self, rect):
        from matplotlib.path import Path

        points, codes = _outline(rect), [Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4] * 4
        path = Path([points[-1], *points, points[-1]], [Path.MOVETO, *codes, Path.CLOSEPOLY])
        look = {"facecolor": rect.fill, "edgecolor": rect.stroke, "linewidth": rect.line}
        self.add(path, **look, linestyle=_dashes(rect), capstyle="butt")

    def line(self, line):
        from matplotlib.path import Path

        path = Path(line.points, [Path.MOVETO] + [Path.CURVE4] * (len(line.points) - 1))
        self.add(path, fill=False, edgecolor=line.stroke, linewidth=line.line, linestyle=_dashes(line))
        self.add(Path([*line.head, line.head[0]], closed=True), facecolor=line.stroke, linewidth=0)

    def text(self, text):
        from matplotlib.text import Text

        weight = "bold" if text.bold else "normal"
        size = text.size * DEJAVU
        size *= min(1.0, text.room / max(self.wide(text.text, size, weight), 1e-9))
        self.figure.add_artist(
            Text(
                text.x, text.y, text.text, fontsize=size, color=text.ink, weight=weight, family=self.families,
                ha="center" if text.centred else "left", va="baseline", transform=self.to_page, parse_math=False,
            )
        )  # fmt: skip

    def wide(self, text, size, weight):
        """How wide matplotlib draws a text."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        key = text, weight
        if key not in self.measured:
            properties = FontProperties(family=self.families, weight=weight, size=100)
            self.measured[key] = text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0] / 100
        return self.measured[key] * size


def _outline(rect):
    """Clockwise from the left end of the top: along each side, then a quarter of a circle as one Bézier curve."""
    r = min(rect.radius, rect.width / 2, rect.height / 2)
    k = r * (1 - 0.5523)  # the curve nearest to the arc
    left, top, right, bottom = rect.x, rect.y, rect.x + rect.width, rect.y + rect.height
    return [
        (right - r, top), (right - k, top), (right, top + k), (right, top + r),
        (right, bottom - r), (right, bottom - k), (right - k, bottom), (right - r, bottom),
        (left + r, bottom), (left + k, bottom), (left, bottom - k), (left, bottom - r),
        (left, top + r), (left, top + k), (left + k, top), (left + r, top),
    ]  # fmt: skip


def _dashes(shape):
    return (0, tuple(d / shape.line for d in DASHES)) if shape.dashed else "solid"
