"""Draws the diagrams of docs/engine.md, with the boxes of minigrad.viz: `python docs/engine.py`.

The graphs on that page are drawn by its own programs: `python docs/run.py docs/engine.md`.
"""

from pathlib import Path

from minigrad.viz.graph.drawing import Drawing
from minigrad.viz.graph.model import CONSTANT, LEAF, OP, OUTPUT, VALUE, Graph

FOLDER = Path(__file__).with_name("engine")


def programs():
    """One block, four programs."""
    graph = Graph()
    block = graph.add(
        LEAF, "the block sigmoid", [("scalar", "1 / (1 + exp(-input))"), ("rule", "g * (output * (1 - output))")]
    )
    for name, names, given in (
        ("on tensors", "names are recorded functions", "derivatives of derivatives"),
        ("on arrays", "names are NumPy kernels", "backward; the twin"),
        ("compiled", "names are numba functions", "one fused loop"),
        ("on numbers", "names are functions of a float", "the scalar engine"),
    ):
        program = graph.add(OP, name, [("", names)])
        graph.connect(block, program)
        graph.connect(program, graph.add(VALUE, given))
    return graph


def door():
    """What a call of mul does."""
    graph = Graph(direction="TB")
    call = graph.add(LEAF, "x * y", [("", "mul(x, y)  x.mul(y)")])
    usual = graph.add(OP, "two tensors, float32 or float64?")
    general = graph.add(
        CONSTANT, "the general path", [("", "numbers, mixed dtypes, vmap;"), ("", "the error messages")]
    )
    kernel = graph.add(OP, "kernel32(x.array, y.array)", [("", "NumPy's ufunc, or a compiled loop")])
    asked = graph.add(OP, "is a gradient wanted?")
    node = graph.add(
        OP, "Node", [("op", "mul"), ("parents", "(x.node, y.node)"), ("saved", "(y, x)"), ("seq", "tick()")]
    )
    made = graph.add(OUTPUT, "Tensor", [("array", "the product"), ("node", "that Node, or None")])
    for tail, head, faint in (
        (call, usual, False), (usual, general, True), (usual, kernel, False), (kernel, asked, False),
        (asked, node, False), (node, made, False), (asked, made, True), (general, made, True),
    ):  # fmt: skip
        graph.connect(tail, head, faint=faint)
    return graph


def kernels():
    """Who computes."""
    graph = Graph()
    code = [("", "machine code, by a digest of"), ("", "all that it depends on")]
    call = graph.add(LEAF, "log_softmax(x, axis)")
    slot = graph.add(
        OP, "the kernel's slot", [("", "resolved at the first call,"), ("", "and when the backend changes")]
    )
    graph.connect(call, slot)
    compiled = []
    for backend, who, what in (
        ("numpy", "the NumPy twin", "the definition"),
        ("auto", "numba where it wins", "when= says where it does not"),
        ("numba", "the compiled twin", "same name, same result"),
    ):
        choice, box = graph.add(CONSTANT, f'backend "{backend}"'), graph.add(OP, who, [("", what)])
        graph.connect(slot, choice)
        graph.connect(choice, box)
        compiled += [box] if backend != "numpy" else []
    cache = graph.add(VALUE, "~/.cache/minigrad", code)
    for box in compiled:
        graph.connect(box, cache)
    return graph


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for make in (programs, door, kernels):
        print(Drawing(make()).save(FOLDER / f"{make.__name__}.svg"))
