"""`summary`: the layers of a model as a table: output shapes, parameters, multiply-adds, memory.

Before it: `untouched.py`, which runs a model and puts it back, `observer.py`, which sees every module and operation of
the run, `products.py`, which counts multiply-adds.  Laid out as torchinfo does (Tyler Yep 2020), which took it from
Keras.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from minigrad import dtypes as kinds
from minigrad.autograd.modes import enable_grad
from minigrad.creation import zeros
from minigrad.errors import describe
from minigrad.nn.parameter import is_lazy
from minigrad.sampling import rand
from minigrad.tensor import Tensor
from minigrad.trees import flatten
from minigrad.viz.graph.model import clean
from minigrad.viz.record.observer import MODULE, Observer
from minigrad.viz.record.products import kept_bytes, multiply_adds
from minigrad.viz.record.untouched import checked_module, fresh, untouched
from minigrad.viz.table import Column, Row, Table, bytes_text

__all__ = ["Layer", "Summary", "summary"]

MODES = ("eval", "train", "same")
COLUMNS = {
    "input": Column("input", least=10, code=True, drop=3),
    "output": Column("output", least=10, code=True),
    "kernel": Column("kernel", code=True, drop=2),
    "params": Column("params", right=True),
    "trainable": Column("trainable", right=True),
    "share": Column("share", right=True, drop=1),
    "mult_adds": Column("mult-adds", right=True),
}
NONE = "–"


@dataclass(slots=True)
class Layer:
    """One module of a model.

    path, kind  where it is (``"encoder.0"``, ``""`` the model itself), and the name of its class
    depth       how many modules it is in
    calls       how often it was called; 0 also where nothing was run
    inputs, outputs  the shapes of its (last) call's tensors
    kernel      the size of a convolution's or pooling's window, or ()
    params, trainable  numbers in its own parameters, not those of modules in it; what an earlier layer has, is not
                counted again
    mult_adds   multiply-adds of the operations it ran itself, not of modules in it
    shared      it, or all of its parameters, stand further up already
    """

    path: str
    kind: str
    depth: int
    calls: int = 0
    inputs: list[tuple] = field(default_factory=list)
    outputs: list[tuple] = field(default_factory=list)
    kernel: tuple = ()
    params: int = 0
    trainable: int = 0
    mult_adds: int = 0
    shared: bool = False


def summary(
    model, input_size=None, *, input_data=None, dtypes=None, depth=3, columns=("output", "params", "mult_adds"),
    mode="eval", **kwargs,
) -> Summary:  # fmt: skip
    """summary(model, input_size) -> Summary.  The layers of a model with their output shapes, parameters and
    multiply-adds, and the totals: ``print(viz.summary(model, (1, 3, 224, 224)))``.

    The model runs once; nothing of it is changed (see `untouched.py`).

    model       a Module
    input_size  the shape of the input, the batch included; a list of shapes for several inputs
    input_data  the inputs themselves, in place of shapes: a Tensor, a list or tuple of arguments, or a dict of named
                ones.  Without shapes and data nothing is run, and only parameters are told
    dtypes      the dtype of the inputs, or a list with one for each shape: ``dtypes=minigrad.int64`` for an Embedding.
                Integers are zeros, floats are drawn from [0, 1)
    depth       how many modules inside one another are shown; None: all
    columns     which of "input", "output", "kernel", "params", "trainable", "share", "mult_adds", in this order
    mode        "eval", "train" or "same": how the model is set while it runs
    kwargs      further arguments of `forward`

    **Parameters** are counted once, however many layers share them.

    **Multiply-adds** are those of the products: linear layers, convolutions, recurrent layers, attention and every
    matmul and einsum a `forward` does; a bias counts one for each number it is added to.  Elementwise operations,
    normalization, pooling and table lookups are not counted.  torchinfo reads them off the parameters instead, and
    differs where these do not tell: linear layers on sequences (it leaves out the length), transposed convolutions with
    a stride, normalization and embeddings (it counts their parameters once per example), products without parameters.

    **Memory**: of the input, of the parameters, and, as torchinfo estimates a training step, twice the outputs of all
    layers with parameters (values and gradients).  `kept_bytes` is measured: what the graph of this very run keeps for
    its backward pass.

    Raises TypeError or ValueError for arguments that make no sense.  What the model itself raises goes on, with a note.
    """
    checked_module(model, "summary")
    _check(input_size, input_data, depth, columns, mode)
    with untouched(model) as model:
        args, named = _arguments(input_size, input_data, dtypes)
        if args is None:
            if kwargs:
                raise TypeError(
                    f"summary(): got {', '.join(kwargs)} for forward, but neither input_size nor input_data"
                )
            run = None
        else:
            run = _Run(model, fresh(args), fresh({**named, **kwargs}), mode)
        layers = _layers(model, run)
        sizes = sum(_bytes(p) for p in {id(p): p for p in model.parameters()}.values())
    return Summary(type(model).__name__, layers, tuple(columns), depth, sizes, run)


class Summary:
    """The layers of a model, and totals. `str()` is a table, a notebook shows it, ``rich.print`` colours it.

    layers         the `Layer`s, in the order of the model
    total_params, trainable_params, non_trainable_params    numbers in parameters
    mult_adds      multiply-adds of one forward pass of the whole batch
    input_bytes, param_bytes, forward_backward_bytes, total_bytes    memory, see `summary`
    kept_bytes     bytes that the graph of the forward pass keeps for the backward pass, without parameters and input
    """

    def __init__(self, name, layers, columns, depth, param_bytes, run):
        self.name, self.layers, self.param_bytes = name, layers, param_bytes
        self.ran = run is not None
        self._columns, self._depth = columns, depth
        self.total_params = sum(layer.params for layer in layers)
        self.trainable_params = sum(layer.trainable for layer in layers)
        self.non_trainable_params = self.total_params - self.trainable_params
        self.mult_adds = sum(layer.mult_adds for layer in layers)
        self.input_bytes = run.input_bytes if run else 0
        self.kept_bytes = run.kept_bytes if run else 0
        self.forward_backward_bytes = 2 * run.output_bytes if run else 0
        self.total_bytes = self.input_bytes + self.param_bytes + self.forward_backward_bytes

    def table(self) -> Table:
        """The table."""
        shown = [name for name in self._columns if self.ran or name not in ("input", "output", "mult_adds")]
        rows = []
        for i, layer in enumerate(self.layers):
            if self._depth is None or layer.depth <= self._depth:
                rows.append(self._row(i, layer, shown))
        columns = [Column("layer", least=24, code=True), *(COLUMNS[name] for name in shown)]
        return Table(columns, rows, totals=self._totals())

    def _row(self, i, layer, shown):
        inside = self._inside(i)
        closed = layer.depth == self._depth and inside
        whole = [layer, *inside] if closed else [layer]
        params, trainable = sum(x.params for x in whole), sum(x.trainable for x in whole)
        mult_adds = sum(x.mult_adds for x in whole)
        texts = {
            "input": _shapes(layer.inputs),
            "output": _shapes(layer.outputs),
            "kernel": "×".join(map(str, layer.kernel)),
            "params": self._params(layer, params, trainable),
            "trainable": {0: "no"}.get(trainable, "yes" if trainable == params else "partly") if params else "",
            "share": f"{100 * params / self.total_params:.1f} %" if params else "",
            "mult_adds": f"{mult_adds:,}" if mult_adds else NONE,
        }
        kind = clean(layer.kind) + (f" ×{layer.calls}" if layer.calls > 1 else "")
        name = f"{clean(layer.path.rpartition('.')[2])}: {kind}" if layer.path else kind
        look = "strong" if not layer.depth else "faint" if self.ran and not layer.calls and not inside else ""
        return Row((self._branch(i) + name, *(texts[name] for name in shown)), look)

    @staticmethod
    def _params(layer, params, trainable):
        if not params:
            return "(shared)" if layer.shared else NONE
        return f"{params:,}" if trainable else f"({params:,})"

    def _inside(self, i):
        """The layers inside the i-th."""
        depth, end = self.layers[i].depth, i + 1
        while end < len(self.layers) and self.layers[end].depth > depth:
            end += 1
        return self.layers[i + 1 : end]

    def _branch(self, i):
        """The lines of the tree before a name."""
        depth = self.layers[i].depth
        text = ""
        for level in range(depth, 0, -1):
            later = next((x.depth for x in self.layers[i + 1 :] if x.depth <= level), 0) == level
            if level == depth:
                text = "├─ " if later else "└─ "
            else:
                text = ("│  " if later else "   ") + text
        return text

    def _totals(self):
        pairs = [
            ("parameters", f"{self.total_params:,}"),
            ("  trainable", f"{self.trainable_params:,}"),
            ("  not trainable", f"{self.non_trainable_params:,}"),
        ]
        if self.ran:
            pairs += [
                ("multiply-adds", f"{self.mult_adds:,}"),
                ("input", bytes_text(self.input_bytes)),
                ("forward and backward pass", bytes_text(self.forward_backward_bytes)),
            ]
        pairs.append(("parameters in memory", bytes_text(self.param_bytes)))
        if self.ran:
            pairs += [
                ("together", bytes_text(self.total_bytes)),
                ("kept for backward, measured", bytes_text(self.kept_bytes)),
            ]
        return pairs

    def __str__(self):
        return str(self.table())

    def __repr__(self):
        return f"<Summary of {self.name}: {len(self.layers)} modules, {self.total_params:,} parameters>"

    def __rich__(self):
        return self.table()

    def _repr_html_(self):
        return self.table().html()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.table()._repr_mimebundle_()


# ---- the run


class _Run:
    """One forward pass: what each module was given and gave, and the multiply-adds it did."""

    def __init__(self, model, args, named, mode):
        if mode != "same":
            model.train(mode == "train")
        observer = Observer()
        given = [t for t in flatten((args, named))[0] if isinstance(t, Tensor)]
        try:
            with enable_grad():
                output = observer.run(model, args, named, timed=False)
        except Exception as error:
            shapes = ", ".join(f"{t.array.dtype.name} {list(t.shape)}" for t in given)
            if hasattr(error, "add_note"):
                error.add_note(
                    f"viz.summary ran {type(model).__name__} with {shapes or 'no tensor'}; other dtypes by dtypes=, "
                    "other values by input_data=. viz.draw_module(model, input) draws what failed."
                )
            raise
        self.calls, self.inputs, self.outputs, self.products = Counter(), {}, {}, Counter()
        self._output_bytes = Counter()
        for step in observer.steps:
            if step.phase == MODULE:
                path = step.modules[-1].path
                self.calls[path] += 1
                self.inputs[path] = [shape for _, shape, _ in step.inputs]
                self.outputs[path] = [shape for shape, _ in step.outputs]
                self._output_bytes[path] += sum(int(np.prod(s)) * np.dtype(d).itemsize for s, d in step.outputs[:1])
            else:
                self.products[step.modules[-1].path if step.modules else ""] += multiply_adds(step)
        self.input_bytes = sum(_bytes(tensor) for tensor in given)
        known = [*model.parameters(), *model.buffers(), *given]
        self.kept_bytes = kept_bytes([t for t in flatten(output)[0] if isinstance(t, Tensor)], known)
        self.output_bytes = sum(
            self._output_bytes[path]
            for path, module in model.named_modules(remove_duplicate=False)
            if not any(True for _ in module.children()) and any(True for _ in module.parameters())
        )


def _layers(model, run):
    """The modules of a model as they are nested, a shared one in each of its places."""
    layers, counted, seen = [], set(), set()

    def visit(module, path, depth, above):
        known = id(module) in seen
        seen.add(id(module))
        own = {id(p): p for p in module._parameters.values() if p is not None}
        new = [p for key, p in own.items() if key not in counted]
        counted.update(own)
        layer = Layer(path, type(module).__name__, depth, shared=known or (bool(own) and not new))
        layer.params = sum(0 if is_lazy(p) else p.numel() for p in new)
        layer.trainable = sum(0 if is_lazy(p) else p.numel() for p in new if p.requires_grad)
        layer.kernel = _kernel(module)
        if run is not None:
            layer.calls = run.calls[path]
            layer.inputs, layer.outputs = run.inputs.get(path, []), run.outputs.get(path, [])
            layer.mult_adds = run.products[path]
        layers.append(layer)
        for name, child in module._modules.items():
            if child is not None and id(child) not in above:
                visit(child, f"{path}.{name}" if path else name, depth + 1, {*above, id(child)})

    visit(model, "", 0, {id(model)})
    return layers


def _kernel(module):
    size = getattr(module, "kernel_size", ())
    size = (size,) if isinstance(size, int) else size
    return tuple(size) if isinstance(size, tuple | list) and all(isinstance(n, int) for n in size) else ()


def _bytes(tensor):
    return 0 if is_lazy(tensor) else tensor.array.nbytes


def _shapes(shapes):
    """``[2,10]``; of several tensors the first ones."""
    texts = ["[" + ",".join(map(str, shape)) + "]" for shape in shapes]
    return " ".join(texts[:3]) + (" …" if len(texts) > 3 else "") if texts else NONE


# ---- arguments


def _check(input_size, input_data, depth, columns, mode):
    if input_size is not None and input_data is not None:
        raise ValueError("summary(): got both input_size and input_data; expected one of them")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
        raise ValueError(f"summary(): argument 'depth': got {depth!r}; expected an int from 0 on, or None")
    if isinstance(columns, str) or not all(name in COLUMNS for name in columns):
        raise ValueError(f"summary(): argument 'columns': got {columns!r}; expected names among {', '.join(COLUMNS)}")
    if mode not in MODES:
        raise ValueError(f"summary(): argument 'mode': got {mode!r}; expected 'eval', 'train' or 'same'")


def _arguments(input_size, input_data, dtypes):
    """(positional arguments, named ones) of the forward, (None, None) if there are none to run with."""
    if input_data is not None:
        if isinstance(input_data, dict):
            return (), input_data
        if isinstance(input_data, Tensor):
            return (input_data,), {}
        if isinstance(input_data, list | tuple):
            return tuple(input_data), {}
        raise TypeError(
            f"summary(): argument 'input_data' must be a Tensor, list, tuple or dict, not {describe(input_data)}"
        )
    if input_size is None:
        return None, None
    sizes = _sizes(input_size)
    wanted = list(dtypes) if isinstance(dtypes, list | tuple) else [dtypes] * len(sizes)
    if len(wanted) != len(sizes):
        raise ValueError(f"summary(): argument 'dtypes': got {len(wanted)} for {len(sizes)} inputs")
    return tuple(_made(size, dtype) for size, dtype in zip(sizes, wanted, strict=True)), {}


def _sizes(input_size):
    """A list of shapes."""
    is_shape = isinstance(input_size, list | tuple) and all(_is_count(n) for n in input_size)
    sizes = [input_size] if is_shape else input_size
    are_lists = isinstance(sizes, list | tuple) and all(isinstance(size, list | tuple) for size in sizes)
    if are_lists and sizes and all(_is_count(n) for size in sizes for n in size):
        return [tuple(size) for size in sizes]
    raise TypeError(
        f"summary(): argument 'input_size' must be a shape such as (1, 3, 224, 224), the batch included, or a list of "
        f"shapes, not {describe(input_size)}"
    )


def _is_count(n):
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0


def _made(size, dtype):
    if dtype is not None and not isinstance(dtype, kinds.dtype):
        raise TypeError(f"summary(): argument 'dtypes' must be minigrad dtypes, not {describe(dtype)}")
    if dtype is None or dtype.is_floating_point:
        return rand(*size, dtype=dtype)
    return zeros(*size, dtype=dtype)
