"""Numbers, shapes and attributes as short text."""

from __future__ import annotations

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.viz.graph.model import clean, clip

__all__ = ["attribute", "compact", "lines_of", "number", "public_name"]

TEXT_LENGTH = 40
AS_WRITTEN = 8  # characters of a float in the program that are not shortened


def number(value) -> str:
    """A number in about four digits; a float always looks like one.

    >>> number(2.0), number(0.70710678), number(12345.678), number(1.2e-7), number(3), number(True)
    ('2.0', '0.7071', '12345.7', '1.2e-07', '3', 'True')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-4:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"
    text = f"{value:.1f}" if size >= 1000 else f"{value:.4g}"
    return text if "." in text else text + ".0"


def lines_of(array) -> list[str]:
    """A small array as text, one line for each row.

    >>> lines_of(np.array([[1.0, 2.5], [3.0, 4.0]]))
    ['[[1.0, 2.5],', ' [3.0, 4.0]]']
    """
    if array.ndim == 0:
        return [number(array[()])]
    if array.ndim == 1:
        return ["[" + ", ".join(number(v) for v in array) + "]"]
    rows = [" ".join(lines_of(part)) for part in array] or [""]
    last = len(rows) - 1
    return [("[" if i == 0 else " ") + row + ("]" if i == last else ",") for i, row in enumerate(rows)]


def compact(value) -> str:
    """An attribute's value, short: ``(1, 1)`` is ``1``, a slice is ``1:3``, an array its shape.

    A float that the program gives stands as it is written there if that is short: ``1.0001`` is not ``1.0``.

    >>> compact((1, 1)), compact((2, 3)), compact(slice(1, None, 2)), compact((0, slice(None))), compact(1.0001)
    ('1', '(2, 3)', '1::2', '(0, :)', '1.0001')
    """
    if isinstance(value, slice):
        step = "" if value.step is None else f":{value.step}"
        return ":".join("" if v is None else str(v) for v in (value.start, value.stop)) + step
    if isinstance(value, tuple | list):
        items = [compact(v) for v in value]
        if len(set(items)) == 1 and items[0].lstrip("-").isdigit():
            return items[0]
        return "(" + ", ".join(items) + ")"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')} {shape_text(value.shape)}"
    if value is Ellipsis:
        return "…"
    if isinstance(value, float):
        written = repr(float(value))
        return written if len(written) <= AS_WRITTEN else number(value)
    return clip(clean(value), TEXT_LENGTH)


def attribute(name, value) -> str:
    """``dim=1``, and ``[0, :]`` for an index."""
    if name == "index":
        items = value if isinstance(value, tuple) else (value,)
        items = items[:-1] if len(items) > 1 and items[-1] is Ellipsis else items
        return clip(f"[{', '.join(map(compact, items))}]", TEXT_LENGTH)
    return clip(f"{name}={compact(value)}", TEXT_LENGTH)


def public_name(name) -> str:
    """What programs call an operation: names of blocks are unique, so those of modules stand before them.

    >>> public_name("linalg_inv"), public_name("functional_softmax"), public_name("exp")
    ('linalg.inv', 'softmax', 'exp')
    """
    place, _, short = name.partition("_")
    if place == "functional" and short:
        return short
    return f"{place}.{short}" if place in ("linalg", "special") and short else name
