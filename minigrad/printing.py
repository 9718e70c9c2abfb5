"""Tensors as text, character for character as PyTorch prints them, and `set_printoptions`.

Ground floor: an ndarray in, a str out.  `Tensor.__repr__` adds what only it knows (gradient, class name).

How a print comes about: the values that are shown (all, or the corners of a large array) choose one `_Style` for the
whole tensor: integers, fixed point or scientific, and the width of a column.  `_layout` then writes the nested
brackets, and `_with_suffixes` appends dtype, size and gradient, breaking lines as PyTorch does.
"""

import contextlib
import dataclasses
import math

import numpy as np

from minigrad.dtypes import bool_, from_numpy_dtype, get_default_dtype, int64


@dataclasses.dataclass
class PrintOptions:
    """What `set_printoptions` sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_OPTIONS = PrintOptions()
_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
) -> None:
    """Sets how tensors print; what is not given stays as it was, except `sci_mode`.

    Args:
        precision (int): digits after the point (4).
        threshold (float): tensors with more elements are abbreviated (1000).
        edgeitems (int): how many elements of each end of a dimension an abbreviated tensor shows (3).
        linewidth (int): characters in a line (80).
        profile (str): "default", "short" or "full" (nothing abbreviated) sets the above first.
        sci_mode (bool): scientific notation always or never; None: where the values call for it.

    Raises:
        ValueError: for another profile.
    """
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    chosen = {name: value for name, value in given.items() if value is not None}
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(
                f"set_printoptions(): argument 'profile': got {profile!r}; expected one of {list(_PROFILES)}"
            )
        chosen = _PROFILES[profile] | chosen
    for name, value in chosen.items():
        setattr(_OPTIONS, name, value)
    _OPTIONS.sci_mode = sci_mode


def get_printoptions() -> dict:
    """The options in use, as keyword arguments of `set_printoptions`."""
    return dataclasses.asdict(_OPTIONS)


@contextlib.contextmanager
def printoptions(**kwargs):
    """`set_printoptions` for a ``with`` block only."""
    former = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**former)


# ---- numbers --------------------------------------------------------------------------------------------------------


class _Style:
    """How the numbers of one tensor are written: the same notation and column width for all of them.

    Only finite values other than zero have a say.  Scientific notation is chosen where they span more than a factor of
    1000, exceed 1e8, or fall below 1e-4; whole numbers print as ``1.``.
    """

    def __init__(self, shown: np.ndarray):
        self.notation, self.point, self.width = "", "", 0
        if shown.dtype.kind == "f":
            shown = shown[np.isfinite(shown) & (shown != 0)].astype(np.float64)
            self._choose_notation(shown)
        self.width = max((len(self.text(v)) for v in shown.ravel().tolist()), default=1)

    def _choose_notation(self, values: np.ndarray) -> None:
        self.notation, self.point = ".0f", "."
        if not values.size:
            return
        magnitudes = np.abs(values)
        least, most = float(magnitudes.min()), float(magnitudes.max())
        scientific = _OPTIONS.sci_mode
        if scientific is None:
            scientific = most / least > 1000.0 or most > 1.0e8 or least < 1.0e-4
        if scientific:
            self.notation, self.point = f".{_OPTIONS.precision}e", ""
        elif (values != np.ceil(values)).any():
            self.notation, self.point = f".{_OPTIONS.precision}f", ""

    def text(self, value) -> str:
        text = format(value, self.notation) if self.notation else str(value)
        if self.point and math.isfinite(value):
            text += self.point
        return text.rjust(self.width)


# ---- brackets -------------------------------------------------------------------------------------------------------


def _shown(array: np.ndarray) -> tuple[np.ndarray, list[bool]]:
    """The part of the array that is printed, and for each dimension whether its middle is left out."""
    edge = _OPTIONS.edgeitems
    cut = [array.size > _OPTIONS.threshold and n > 2 * edge for n in array.shape]
    for axis, (n, left_out) in enumerate(zip(array.shape, cut, strict=True)):
        if left_out:
            array = array.take([*range(edge), *range(n - edge, n)], axis=axis)
    return array, cut


def _layout(values, cut: list[bool], indent: int, style: _Style) -> str:
    """Nested brackets around `values`, nested lists with a dimension for each entry of `cut`."""
    if not cut:
        return style.text(values)
    half = len(values) // 2
    if len(cut) == 1:
        cells = [style.text(v) for v in values]
        if cut[0]:
            cells.insert(half, " ...")
        per_line = max(1, (_OPTIONS.linewidth - indent) // (style.width + 2))
        rows = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
        gap = ",\n"
    else:
        rows = [_layout(v, cut[1:], indent + 1, style) for v in values]
        if cut[0]:
            rows.insert(half, "...")
        gap = "," + "\n" * (len(cut) - 1)  # the more dimensions, the more blank lines between blocks
    return "[" + (gap + " " * (indent + 1)).join(rows) + "]"


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    # The last line, and two characters that PyTorch counts as well.
    length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if length + len(suffix) + 2 > _OPTIONS.linewidth:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text + ")"


def tensor_repr(array, *, prefix="tensor(", requires_grad=False, grad_fn=None, default_dtype=None) -> str:
    """What ``repr(tensor)`` prints.

    Args:
        array (ndarray): the values, of any shape.
        prefix (str): what the line begins with; its length is the indent of the following ones.
        requires_grad (bool): appends ``requires_grad=True``, unless there is a `grad_fn`.
        grad_fn (str | None): the function that made the tensor, "<AddBackward0>"; appended as ``grad_fn=...``.
        default_dtype (dtype | None): the dtype that goes without saying, besides int64 and bool (None: the default
            dtype in force).  An empty tensor names its dtype unless it is this one.
    """
    kind = from_numpy_dtype(array.dtype)
    default = get_default_dtype() if default_dtype is None else default_dtype
    indent, suffixes = len(prefix), []
    goes_without_saying = {default, int64, bool_} if array.size else {default}
    if array.size == 0:
        text, sized = "[]", array.ndim != 1
    else:
        sized = _OPTIONS.edgeitems == 0
        if sized and array.ndim and array.size > _OPTIONS.threshold:
            text = "[...]"
        else:
            shown, cut = _shown(array)
            text = _layout(shown.tolist(), cut, indent, _Style(shown))
    if sized:
        suffixes.append(f"size={tuple(array.shape)}")
    if kind not in goes_without_saying:
        suffixes.append(f"dtype={kind}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn={grad_fn}")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return _with_suffixes(prefix + text, suffixes, indent)


def format_scalar(array, spec: str) -> str:
    """What ``format(tensor, spec)`` gives for a 0-dim tensor: its value, as Python formats such a number."""
    return format(array.item(), spec)
