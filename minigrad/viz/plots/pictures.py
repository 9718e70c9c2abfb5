"""Pictures as they are, what a convolution looks for, and what it finds."""

from __future__ import annotations

import numpy as np

from minigrad.errors import describe, shape_text
from minigrad.viz.plots.common import (
    INK,
    SOFT,
    as_array,
    bare,
    checked_model,
    dtype_of,
    fault,
    figure_of,
    finish,
    heading,
    rows_and_columns,
    settings,
    start,
    undisturbed,
    words,
)

__all__ = ["feature_maps", "filters", "images"]

MOST = 64  # small pictures in one figure, if not told otherwise
SIDE = 0.95  # inches of a small picture


def images(pictures, labels=None, path=None, *, columns=None, most=MOST, title=""):
    """images(pictures, labels=None, path=None) -> Figure.  Pictures in a grid: digits, what a GAN made, mistakes.

    pictures  (N, H, W), (N, 1, H, W) or (N, 3, H, W), or one (H, W); also (N, H, W, 3). Numbers from 0 to 1, or from
              0 to 255 if they are whole; others are stretched to fit, all alike
    labels    a line under each
    path      where to save it, too (.png, .svg or .pdf)
    columns   how many stand in a row
    most      of how many the rest is left out
    """
    who = "images()"
    target = start(path, who)
    array = as_array(pictures, who, "pictures", (2, 3, 4), "pictures (N, H, W) or (N, channels, H, W)")
    array = array[None] if array.ndim == 2 else array
    called = None if labels is None else words(labels, len(array), who)
    if not array.size:
        raise ValueError(fault(who, "pictures", f"shape {shape_text(array.shape)}", "at least one pixel"))
    if array.ndim == 4 and array.shape[1] in (1, 3):
        array = np.moveaxis(array, 1, -1)
    if array.ndim == 4 and array.shape[-1] not in (1, 3):
        raise ValueError(fault(who, "pictures", f"shape {shape_text(array.shape)}", "one channel or three"))
    shown = _stretched(array[:most])
    high = columns and -(-len(shown) // columns)
    rows, columns = (high, columns) if columns else rows_and_columns(len(shown), 2.0)
    aspect = array.shape[1] / array.shape[2]
    with settings():
        deep = SIDE * aspect + (0.24 if called else 0.06)
        figure = figure_of(max(columns * SIDE + 0.2, 3.0), rows * deep + (0.4 if title else 0.1))
        for k, picture in enumerate(shown):
            axes = figure.add_subplot(rows, columns, k + 1)
            axes.imshow(picture.squeeze(), cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
            bare(axes)
            if called:
                axes.set_xlabel(called[k], fontsize=8, labelpad=2)
        left = f"{len(shown)} of {len(array)}" if len(shown) < len(array) else ""
        heading(figure, title, left)
        return finish(figure, target, who)


def filters(layer, path=None, *, shape=None, most=MOST, title=None):
    """filters(conv, path=None) -> Figure.  What each filter looks for: its weights as small pictures.

    layer  nn.Conv2d, nn.ConvTranspose2d, nn.Conv1d, or their weight, (out, in, height, width); a weight of three input
           channels is shown in colour, other channels side by side in a row. Or, with `shape`, an nn.Linear that reads
           pictures
    path   where to save it, too (.png, .svg or .pdf)
    shape  (height, width) of the pictures that a linear layer reads
    most   of how many filters (rows, if there are several channels) the rest is left out

    Blue is negative, red positive, white zero, in one scale for all. Raises TypeError for other layers.
    """
    who = "filters()"
    target = start(path, who)
    weight, name = _weight(layer, shape, who)
    shown = weight[:most]
    with settings():
        if weight.shape[1] == 3:
            figure = _grid(np.moveaxis(0.5 + 0.5 * shown / (np.abs(shown).max() or 1.0), 1, -1)[:, None], None)
        else:
            figure = _grid(shown[:, :16], float(np.abs(shown).max()) or 1.0)
        left = f"{len(shown)} of {len(weight)}" if len(shown) < len(weight) else f"{len(weight)}"
        channels = weight.shape[1]
        note = f"{left} × {channels} channels" + (", 16 of them shown" if channels > 16 else "")
        heading(figure, title or f"Filters of {name}", left if channels in (1, 3) else note)
        return finish(figure, target, who)


def feature_maps(model, x, layer=None, path=None, *, most=16, title="Feature maps"):
    """feature_maps(model, x, layer=None, path=None) -> Figure.  What layers make of a picture: a row for each layer.

    model  a Module that reads pictures
    x      one picture, (channels, H, W), (1, channels, H, W), or (H, W); for 1-D convolutions a row (channels, length)
    layer  names of modules, as in `named_modules()`, or modules, one or a list; all convolutions if not given
    path   where to save it, too (.png, .svg or .pdf)
    most   maps of a layer, beyond which the rest is left out

    The brighter, the larger; each map has its own scale. The model is run once in evaluation mode, without recording,
    and is left as it was. Raises ValueError for an unknown layer and for one whose output is no (channels, H, W).
    """
    who = "feature_maps()"
    target = start(path, who)
    checked_model(model, who, "a Module")
    chosen = _layers(model, layer, who)
    picture = as_array(x, who, "x", (2, 3, 4), "one picture, (channels, H, W)").astype(float)
    for sides in (3, 4)[: 1 if _reads_rows(model) else 2]:
        picture = picture[None] if picture.ndim < sides else picture
    if len(picture) != 1:
        raise ValueError(fault(who, "x", f"shape {shape_text(picture.shape)}", "one picture", "e.g. x[0]"))
    maps = _outputs(model, picture, chosen, who)
    rows = [("input", picture[0] if picture.ndim == 4 else picture[0][:, None])] + [
        (f"{name}  {kind}", value) for name, kind, value in maps
    ]
    columns = max(min(most, len(value)) for _, value in rows)
    with settings():
        figure = figure_of(max(columns * SIDE + 0.2, 4.0), len(rows) * (SIDE + 0.3) + 0.4)
        grid = figure.add_gridspec(len(rows), columns)
        for row, (name, values) in enumerate(rows):
            shown = [np.moveaxis(_stretched(values), 0, -1)] if row == 0 and len(values) == 3 else values[:most]
            for column, value in enumerate(shown):
                axes = figure.add_subplot(grid[row, column])
                axes.imshow(value, cmap="gray" if row == 0 else "viridis", interpolation="nearest")
                bare(axes)
                if column == 0:
                    more = f"  {most} of {len(values)}" if len(values) > most else ""
                    size = " × ".join(map(str, values.shape))
                    axes.set_title(f"{name}  {size}{more}", loc="left", fontsize=9, color=INK if row else SOFT, pad=3)
        heading(figure, title)
        return finish(figure, target, who)


def _stretched(array):
    """Numbers between 0 and 1."""
    if array.dtype.kind in "iub" and array.size and array.min() >= 0 and array.max() <= 255:
        return array / (255.0 if array.max() > 1 else 1.0)
    array = np.nan_to_num(array.astype(float))
    low, high = float(array.min()), float(array.max())
    return array if low >= 0.0 and high <= 1.0 else (array - low) / (high - low or 1.0)


def _weight(layer, shape, who):
    """(out, in, height, width) of a layer, and its name."""
    from minigrad import nn

    checked = layer if not hasattr(layer, "named_parameters") else checked_model(layer, who)
    if isinstance(checked, nn.Linear) and shape is not None:
        weight = as_array(layer.weight, who, "layer").astype(float)
        size = as_array(shape, who, "shape", 1, "(height, width)").astype(int).tolist()
        if len(size) != 2 or size[0] * size[1] != weight.shape[1]:
            raise ValueError(fault(who, "shape", str(shape), f"(height, width) of {weight.shape[1]} inputs"))
        return weight.reshape(len(weight), 1, *size), type(layer).__name__
    if hasattr(layer, "named_parameters"):
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Conv1d):
            hint = "give one layer of a model, e.g. model[0]; of nn.Linear also shape=(height, width)"
            raise TypeError(fault(who, "layer", type(layer).__name__, "nn.Conv2d or the like", hint))
        weight = as_array(layer.weight, who, "layer").astype(float)
        weight = weight.swapaxes(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight
        return (weight[:, :, None] if weight.ndim == 3 else weight), type(layer).__name__
    weight = as_array(layer, who, "layer", (3, 4), "nn.Conv2d, or its weight (out, in, height, width)").astype(float)
    if not weight.size:
        raise ValueError(fault(who, "layer", f"shape {shape_text(weight.shape)}", "at least one number"))
    return (weight[:, None] if weight.ndim == 3 else weight), "a convolution"


def _grid(tiles, top):
    """Filters in a grid; those of several channels a row each. `top`: the end of the scale, None for colours."""
    count, channels = tiles.shape[:2]
    rows, columns = (count, channels) if channels > 1 else rows_and_columns(count, 2.0)
    high, wide = tiles.shape[2:4]
    side = SIDE * 0.8
    figure = figure_of(max(columns * side + 0.9, 3.4), max(rows * side * max(high / wide, 0.3) + 0.5, 1.3))
    image = None
    for k in range(count * channels):
        axes = figure.add_subplot(rows, columns, k + 1)
        look = {} if top is None else {"cmap": "RdBu_r", "vmin": -top, "vmax": top}
        image = axes.imshow(tiles[k // channels, k % channels], interpolation="nearest", **look)
        bare(axes)
    if top is not None:
        bar = figure.colorbar(image, ax=figure.axes, fraction=0.04, pad=0.02, aspect=25, ticks=[-top, 0, top])
        bar.ax.set_yticklabels([f"{-top:.2g}", "0", f"{top:.2g}"], fontsize=8)
        bar.outline.set_visible(False)
    return figure


def _layers(model, layer, who):
    """[(name, module)] to look at."""
    from minigrad import nn

    known = dict(model.named_modules())
    if layer is None:
        found = [(name, m) for name, m in known.items() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d)]
        if not found:
            raise ValueError(fault(who, "layer", "none", "names of layers", "this model has no convolution"))
        return found
    found = []
    for each in layer if isinstance(layer, list | tuple) else [layer]:
        pairs = [(name, m) for name, m in known.items() if m is each or name == each]
        if not pairs:
            names = ", ".join(name for name in list(known)[:12] if name)
            raise ValueError(fault(who, "layer", describe(each), f"modules of this model: {names}"))
        found.append(pairs[0])
    return found


def _reads_rows(model):
    from minigrad import nn

    kinds = [type(m) for m in model.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d)]
    return bool(kinds) and issubclass(kinds[0], nn.Conv1d)


def _outputs(model, picture, chosen, who):
    """[(name, kind, (channels, H, W))]: what each layer gave for the picture."""
    import minigrad

    seen, handles = {}, []
    try:
        for name, module in chosen:
            handles.append(module.register_forward_hook(_noting(seen, name)))
        with undisturbed(model):
            model(minigrad.tensor(picture, dtype=dtype_of(model)))
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for name, module in chosen:
        if name not in seen:
            raise ValueError(f"{who}: the layer {name!r} did not run")
        value = as_array(seen[name], who, f"output of {name}").astype(float)
        value = value[0] if value.ndim == 4 else value[0][:, None] if value.ndim == 3 else value
        if value.ndim != 3:
            raise ValueError(
                f"{who}: the layer {name!r} gave shape {shape_text(value.shape)}; expected (1, channels, H, W)"
            )
        found.append((name, type(module).__name__, value))
    return found


def _noting(seen, name):
    def note(module, args, output):
        seen.setdefault(name, output)

    return note
