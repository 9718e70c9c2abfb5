"""`export`: a trained model as an ONNX file, which runs without minigrad (onnxruntime, browsers, phones, ...).

    trace.py    the model runs once on tensors that write down what is done with them
    table.py    each op in the words of ONNX; layers.py, recurrent.py and shapes.py go on
    this file   the result as a model of the package `onnx`, checked, and in a file

PyTorch: torch.onnx
"""

from __future__ import annotations

import warnings
from typing import Any

import minigrad
from minigrad.autograd.general import Unseen
from minigrad.autograd.modes import no_grad
from minigrad.nn.modules.module import Module, register_module_forward_hook, register_module_forward_pre_hook
from minigrad.onnx import layers, recurrent, shapes
from minigrad.onnx.table import TABLE, element_type
from minigrad.onnx.trace import Graph, Symbol, behind
from minigrad.serialization.files import write
from minigrad.tensor import Tensor, wrap

__all__ = ["export", "export_onnx"]

assert layers.TABLE is recurrent.TABLE is shapes.TABLE is TABLE  # all these files have written into it

OPSET = 18
# Arguments of PyTorch's that change nothing here: weights are always in the file, constants are folded by the way.
ACCEPTED = {
    "autograd_inlining", "do_constant_folding", "dynamo", "export_params", "keep_initializers_as_inputs", "optimize",
    "training", "verbose",
}  # fmt: skip


def export(
    model,
    args,
    f=None,
    *,
    kwargs=None,
    input_names=None,
    output_names=None,
    opset_version=OPSET,
    dynamic_axes=None,
    **options,
) -> Any:
    """Write a model as ONNX, for inference: run once in eval mode on an example. (PyTorch: torch.onnx.export)

    Args:
        model (Module or function): what is exported.
        args (Tensor or tuple): the example inputs. Their shapes are the model's, but for `dynamic_axes`.
        f (str | PathLike | file, optional): where to write; as safely as `save` does.
        kwargs (dict, optional): further arguments; those that are tensors are inputs, too.
        input_names, output_names (list[str], optional): default "input", or "input_0", "input_1"; likewise "output".
        opset_version (int): the version of ONNX's operators, 18 to 22. For less it is 18, with a warning.
        dynamic_axes (dict, optional): axes that may have other sizes, by the names of inputs and outputs:
            ``{"input": {0: "batch"}}`` or ``{"input": [0]}``. The model runs a second time with other sizes, to see
            that nothing else depends on them.

    Returns:
        onnx.ModelProto: the model.

    Raises:
        NotImplementedError: an op that cannot be written, with its name and that of the layer; or one that depends on
            the size of a dynamic axis.
        RuntimeError: the program looks at the numbers of a tensor (``if x > 0``, ``.item()``, ``.numpy()``).
        ImportError: the package `onnx` is not installed.
    """
    onnx = _package()
    unknown = set(options) - ACCEPTED
    if unknown:
        raise TypeError(f"export(): got unexpected arguments {sorted(unknown)}")
    if opset_version is None or opset_version < OPSET:
        if opset_version is not None:
            text = f"export(): the file has opset {OPSET}, not {opset_version}: older versions lack what is needed"
            warnings.warn(text, stacklevel=2)
        opset_version = OPSET
    elif opset_version > 22:
        raise NotImplementedError(f"export(): opset_version {opset_version}; expected {OPSET} to 22")
    args = args if isinstance(args, tuple) else (args,)
    kwargs = dict(kwargs or {})
    examples = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
    names = _names("input", len(examples), input_names)
    axes = _axes(dynamic_axes, names)
    graph, inputs, outputs = _traced(model, args, kwargs, names)
    if any(axes.get(name) for name in names):
        larger_args, larger_kwargs = _larger(args, kwargs, names, axes)
        other, _, more = _traced(model, larger_args, larger_kwargs, names)
        graph.merged(other)
        _merge_outputs(outputs, more, output_names, axes)
    proto = _model(onnx, graph, inputs, outputs, _names("output", len(outputs), output_names), axes, opset_version)
    onnx.checker.check_model(proto, full_check=True)
    if f is not None:
        write(f, [proto.SerializeToString()])
    return proto


def export_onnx(model, example, f=None) -> Any:
    """`export` with the first axis of every input free, where the model allows it. (Not in PyTorch.)

    Args:
        model (Module or function), example (Tensor or tuple), f (optional): as in `export`.
    """
    examples = example if isinstance(example, tuple) else (example,)
    names = _names("input", len(examples), None)
    try:
        return export(model, example, f, dynamic_axes={name: {0: "batch"} for name in names})
    except (NotImplementedError, RuntimeError, ValueError, TypeError, IndexError):
        return export(model, example, f)  # if the model itself is why, this says so


def _package():
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError('onnx.export() needs the package onnx: pip install "minigrad[onnx]"') from error
    return onnx


# ---- names and axes ------------------------------------------------------------------------------------------------


def _names(what, count, given):
    if given is not None and len(given) > count:
        raise ValueError(f"export(): {len(given)} names for {count} {what}s")
    usual = [what] if count == 1 else [f"{what}_{i}" for i in range(count)]
    return [*(given or ()), *usual[len(given or ()) :]]


def _axes(dynamic_axes, inputs):
    """{name: {axis: name of its size}}."""
    axes: dict[str, dict[int, str]] = {}
    for name, given in (dynamic_axes or {}).items():
        axes[name] = dict(given) if isinstance(given, dict) else {axis: f"{name}_dim_{axis}" for axis in given}
    return axes


def _larger(args, kwargs, names, axes):
    """The example with one more element along each dynamic axis."""
    names = iter(names)

    def enlarge(value):
        if not isinstance(value, Tensor):
            return value
        for axis in axes.get(next(names), ()):
            value = minigrad.cat([value, value.narrow(axis, 0, 1)], axis)
        return value

    with no_grad():
        return tuple(map(enlarge, args)), {key: enlarge(value) for key, value in kwargs.items()}


def _merge_outputs(outputs, others, given, axes):
    """Name the axes of outputs that turned out to be dynamic, where the user did not."""
    sizes = [size for by_axis in axes.values() for size in by_axis.values()]
    for name, mine, other in zip(_names("output", len(outputs), given), outputs, others, strict=True):
        known = axes.setdefault(name, {})
        for axis, (n, m) in enumerate(zip(mine._shape, other._shape, strict=True)):
            if n != m and axis not in known:
                known[axis] = sizes[0] if axis == 0 and len(set(sizes)) == 1 else f"{name}_dim_{axis}"


# ---- running the model ---------------------------------------------------------------------------------------------


def _traced(model, args, kwargs, names):
    """(graph, input symbols, outputs) of one run in eval mode."""
    modules = model if isinstance(model, Module) else minigrad.nn.Module()
    tensors = [*modules.named_parameters(), *modules.named_buffers()]
    graph = Graph(TABLE, {id(tensor.array): name for name, tensor in tensors})
    inputs, waiting = [], iter(names)

    def symbol(value):
        if not isinstance(value, Tensor):
            return value
        inputs.append(graph.symbol(wrap(value.array), next(waiting)))
        return inputs[-1]

    training = {module: module.training for module in modules.modules()}
    handles = _watched(graph, {id(module): name for name, module in modules.named_modules()})
    modules.eval()
    try:
        with no_grad():
            symbols = [symbol(value) for value in args]
            result = model(*symbols, **{key: symbol(value) for key, value in kwargs.items()})
    except Unseen:
        where = f" in the layer {graph.layers[-1]!r}" if graph.layers[-1] else ""
        raise RuntimeError(
            f"export(): the program looks at the numbers of a tensor{where} (if x > 0, .item(), .numpy(), a computed "
            "index): what it does then would hold for the example only"
        ) from None
    finally:
        for handle in handles:
            handle.remove()
        for module, was in training.items():
            module.training = was
    outputs = list(_tensors_in(result))
    return graph, inputs, outputs


def _watched(graph, names):
    """Hooks that tell the graph which layer is running."""

    def enter(module, args):
        graph.layers.append(names.get(id(module), ""))

    def leave(module, args, output):
        graph.layers.pop()

    return register_module_forward_pre_hook(enter), register_module_forward_hook(leave)


def _tensors_in(result):
    if isinstance(result, Tensor):
        yield behind(result)
    elif isinstance(result, dict):
        for value in result.values():
            yield from _tensors_in(value)
    elif isinstance(result, list | tuple):
        for value in result:
            yield from _tensors_in(value)
    elif result is not None:
        raise TypeError(f"export(): the model returns {type(result).__name__}; expected tensors")


# ---- the file ------------------------------------------------------------------------------------------------------


def _model(onnx, graph, inputs, outputs, names, axes, opset_version):
    helper = onnx.helper
    for name, output in zip(names, outputs, strict=True):
        graph.nodes.append(_identity(graph, output, name))
    nodes = []
    for i, node in enumerate(graph.nodes):
        label = f"{node.layer}/{node.kind}_{i}" if node.layer else f"{node.kind}_{i}"
        given = list(node.inputs)
        while given and not given[-1]:
            given.pop()  # inputs that are not there at the end are left out
        nodes.append(helper.make_node(node.kind, given, node.outputs, name=label, **node.attrs))
    used = {name for node in graph.nodes for name in node.inputs}
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items() if name in used]
    described = [
        [_described(helper, name, tensor, axes) for name, tensor in pairs]
        for pairs in ([(symbol.name, symbol) for symbol in inputs], zip(names, outputs, strict=True))
    ]
    made = helper.make_graph(nodes, "main_graph", *described, constants)
    opsets = [helper.make_opsetid("", opset_version)]
    version = minigrad.__version__
    least = helper.find_min_ir_version_for(opsets)
    return helper.make_model(
        made, producer_name="minigrad", producer_version=version, opset_imports=opsets, ir_version=least
    )


def _identity(graph, output, name):
    graph.add("Identity", [output])
    node = graph.nodes.pop()
    node.outputs, node.layer = [name], ""
    return node


def _described(helper, name, tensor, axes):
    plain = tensor.plain if isinstance(tensor, Symbol) else tensor
    shape = [axes.get(name, {}).get(axis, n) for axis, n in enumerate(plain._shape)]
    return helper.make_tensor_value_info(name, element_type(plain.array), shape)
