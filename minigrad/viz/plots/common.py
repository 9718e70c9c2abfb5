"""What all plots share: their look, how arguments become arrays, and how a model is run without a trace.

`pyplot` is not used: no window opens, and the user's own figures and settings stay as they are.
"""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np

import minigrad
from minigrad.errors import describe, message, shape_text
from minigrad.tensor import Tensor
from minigrad.viz.files import checked_path, write_whole
from minigrad.viz.fonts import families
from minigrad.viz.graph.raster import require_matplotlib

ENDINGS = ("png", "svg", "pdf")
INK, SOFT, GRID = "#1d242e", "#59636f", "#e3e7ec"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito, blue and vermilion first
MORE_COLOURS = ("#882255", "#117733", "#999999", "#332288", "#aa4499", "#6b4c1e")  # after these, all over again
MARKS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":")
DOTS = 160  # per inch, in a PNG


def start(path, who, endings=ENDINGS):
    """First of all: is matplotlib there, and can the file be written? The checked path, or None."""
    require_matplotlib(who)
    return None if path is None else checked_path(path, endings, who)


def settings():
    """Our look, for these figures only."""
    import matplotlib

    return matplotlib.rc_context(
        {
            "font.family": list(families()), "font.size": 10, "text.color": INK, "axes.labelcolor": SOFT,
            "axes.titlecolor": "auto", "xtick.color": SOFT, "ytick.color": SOFT, "axes.edgecolor": SOFT,
            "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "minigrad", "text.parse_math": False,
        }
    )  # fmt: skip


def figure_of(wide, high, layout="constrained"):
    """An empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from minigrad.viz.plots.canvas import Canvas

    figure = Canvas(figsize=(wide, high), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def heading(figure, title, note=""):
    """What stands above everything, at the left: a title, and after it a note."""
    text = f"{title}  ·  {note}" if title and note else title or note
    if text:
        figure.suptitle(text, x=0.01, ha="left", weight="bold", color=INK, fontsize=11.5)


def plain(axes, grid=True):
    """Axes with two spines, and a soft grid behind what is drawn."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(color=GRID)


def bare(axes):
    """Axes for a picture: no ticks, a thin frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(GRID)


def legend(axes, **options):
    """A legend that stands on white, so that it is read over what is drawn."""
    look = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 0.8, "fontsize": 9}
    return axes.legend(**look | options)


def finish(figure, path, who):
    """Settle the look of what is made later (ticks, when a notebook draws), and save if asked to.

    No date is written, so the same numbers give the same bytes. Warns once, naming fonts, where characters can't be
    shown.
    """
    from minigrad.viz.plots.canvas import unknown_characters

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_tick_params(which="both", labelfontfamily=list(families()))
    unknown = unknown_characters(figure, families())
    if unknown:
        shown = unknown if len(unknown) <= 12 else unknown[:12] + "…"
        warnings.warn(
            f"{who}: no font here has the characters {shown!r}, so the picture shows boxes for them: install one that "
            "has them (for Korean: NanumGothic or Noto Sans CJK KR; Windows and macOS bring Malgun Gothic and Apple SD "
            "Gothic Neo) and start Python anew",
            stacklevel=3,
        )
    if path is not None:
        form = path.suffix.lower().lstrip(".")
        write_whole(path, rendered(figure, form), who)
    return figure


def rendered(figure, form, dpi=DOTS) -> bytes:
    """The figure as a file of this form."""
    out = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    figure.savefig(out, format=form, dpi=dpi, metadata=dates)
    return out.getvalue()


def fault(who, argument, got, expected, hint="") -> str:
    """The text of an error about an argument: `errors.message`, for a name with its parentheses."""
    return message(who.removesuffix("()"), argument, got, expected, hint)


def as_array(value, who, argument, ndim=None, like="numbers") -> np.ndarray:
    """A Tensor, an array or nested lists (of tensors too) as an array of numbers.

    Raises TypeError for what is none, ValueError for another number of dimensions (`ndim`: one, or a tuple of them;
    `like` says in words what was expected).
    """
    try:
        array = np.asarray(_bare(value))
    except (ValueError, TypeError):
        array = np.asarray(None)
    if array.dtype.kind not in "iufb":
        raise TypeError(fault(who, argument, describe(value), like, "a Tensor, an array or lists of numbers"))
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if allowed is not None and array.ndim not in allowed:
        raise ValueError(fault(who, argument, f"shape {shape_text(array.shape)}", like))
    return array


def _bare(value):
    if hasattr(value, "detach"):
        return np.asarray(value.detach())
    return [_bare(item) for item in value] if isinstance(value, list | tuple) else value


def words(names, count, who, argument="labels"):
    """Names as a list of `count` strings; their numbers if there are none."""
    if names is None:
        return [str(k) for k in range(count)]
    names = [str(name) for name in names]
    if len(names) != count:
        raise ValueError(fault(who, argument, f"{len(names)} names", f"{count}, one for each"))
    return names


def checked_model(model, who, kind="a Module or a function"):
    """The model, if it can be called and has its parameters."""
    if not callable(model) or isinstance(model, type):
        raise TypeError(fault(who, "model", describe(model), kind, "an instance, not its class"))
    from minigrad.nn.parameter import UninitializedBuffer, UninitializedParameter

    lazy = (UninitializedParameter, UninitializedBuffer)
    if any(isinstance(t, lazy) for get in _lists(model) for t in get()):
        raise ValueError(f"{who}: the model has lazy layers that do not know their sizes yet; run it once before")
    return model


def _lists(model):
    return (model.parameters, model.buffers) if _is_module(model) else ()


def _is_module(model):
    return hasattr(model, "named_modules") and hasattr(model, "named_parameters")


def dtype_of(model):
    """The dtype that a model's inputs should have: that of its first floating parameter."""
    floats = [p.dtype for p in model.parameters() if p.dtype.is_floating_point] if _is_module(model) else []
    return floats[0] if floats else minigrad.get_default_dtype()


@contextlib.contextmanager
def undisturbed(model):
    """Run a model inside: in evaluation mode, nothing recorded, and afterwards all as it was: the mode of each part,
    the buffers, and the state of the random numbers."""
    random = minigrad.get_rng_state()
    modules = list(model.modules()) if _is_module(model) else []
    modes = [(module, module.training) for module in modules]
    buffers = [
        (module, name, buffer, None if buffer is None else buffer.array.copy())
        for module in modules
        for name, buffer in module._buffers.items()
    ]
    for module in modules:
        module.training = False
    try:
        with minigrad.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
        for module, name, buffer, values in buffers:
            module._buffers[name] = buffer
            if values is not None:
                buffer.array[...] = values
        minigrad.set_rng_state(random)


def outputs_of(model, inputs, who) -> np.ndarray:
    """What a model gives for an array of inputs, as an array; inside `undisturbed`. Of several outputs, the first."""
    result = model(minigrad.tensor(inputs, dtype=dtype_of(model)))
    result = result[0] if isinstance(result, tuple | list) else result
    if not isinstance(result, Tensor | np.ndarray):
        raise TypeError(f"{who}: the model returned {describe(result)}; expected a Tensor")
    return np.asarray(_bare(result))


def colour(k) -> str:
    """The colour of the k-th class, curve or path."""
    colours = COLOURS + MORE_COLOURS
    return colours[k % len(colours)]


def mixed(first, second, share):
    """Between two colours: RGB of ``(1 - share) * first + share * second``; `share` may be an array."""
    from matplotlib.colors import to_rgb

    share = np.asarray(share)[..., None]
    return (1.0 - share) * np.array(to_rgb(first)) + share * np.array(to_rgb(second))


def view_of(points, bounds, who, around=0.12):
    """The part of the plane to show: ((left, right), (bottom, top)), given, or around points (N, 2)."""
    if bounds is not None:
        view = as_array(bounds, who, "bounds", 2, "((left, right), (bottom, top))").astype(float)
        if view.shape != (2, 2) or not np.isfinite(view).all() or not (view[:, 0] < view[:, 1]).all():
            raise ValueError(fault(who, "bounds", str(bounds), "((left, right), (bottom, top))"))
        return view
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.where(high > low, high - low, 1.0)
    return np.stack([low - around * size, high + around * size], axis=1)


def points_of(X, who, argument="X"):
    """Points in the plane as a float array (N, 2), all finite."""
    points = as_array(X, who, argument, 2, "points of two features, shape (N, 2)").astype(float)
    if points.shape[1] != 2 or not len(points):
        hint = "give a function of two features to plot others at fixed values"
        raise ValueError(fault(who, argument, f"shape {shape_text(points.shape)}", "points of shape (N, 2)", hint))
    if not np.isfinite(points).all():
        raise ValueError(fault(who, argument, "NaN or infinite numbers", "finite ones"))
    return points


def percent(share) -> str:
    """``97.5%``, ``100%``."""
    return f"{share:.1%}".replace(".0%", "%")


def pale(name, strength):
    """A colour map of matplotlib's, mixed with white, so that lines and points stand out on it."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    colours = colormaps[name](np.linspace(0.0, 1.0, 256))
    return ListedColormap(1.0 - strength * (1.0 - colours[:, :3]), name=f"pale {name}")


def rows_and_columns(count, wide=4 / 3):
    """How to lay `count` pictures out: (rows, columns), a little wider than high, with few places left empty."""
    ideal = np.sqrt(count * wide)
    near = range(max(1, int(ideal * 0.75)), max(2, int(np.ceil(ideal * 1.3)) + 1))
    columns = min(near, key=lambda c: ((-count % c) / c + abs(np.log(c / ideal)), c))
    columns = min(columns, count)
    return -(-count // columns), columns
