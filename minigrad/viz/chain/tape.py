"""A recorded graph of single numbers as a program of the playground's language.

Comes after `telling.py`.  What is used once stands inside the expression that uses it; what is used several times, or
was named by the user, gets a line of its own:

    h = tanh(w * x + b)
    h * h + w
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from minigrad.errors import describe, shape_text
from minigrad.registry import OPS
from minigrad.tensor import Tensor
from minigrad.viz.chain.telling import Telling

__all__ = ["tape_of"]

SIGNS = {"add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2), "pow": ("**", 4)}  # and how they bind
NEGATIVE, ATOM = 3, 5
SAME_NUMBER = {
    "clone", "contiguous_copy", "copy_laid_out", "expand", "flip", "max_all", "mean", "min_all", "permute", "prod",
    "repeat", "reshape", "roll", "squeeze", "sum", "sum_to_size", "t", "to_dtype", "transpose", "unsqueeze", "view",
}  # what these give of a single number is that number  # fmt: skip
PRODUCTS = {"matmul", "einsum2"}  # of single numbers, a product
KNOWN = SAME_NUMBER | PRODUCTS | {"linear", "where"}


def tape_of(x, names):
    """(the program, [(name, value, whether it requires grad)] of its leaves) for the recorded graph of a tensor.

    names  {name: Tensor} for leaves and results. Raises TypeError if one is no Tensor, ValueError if the graph is not
    of single numbers or has an operation that the playground does not know.
    """
    for name, tensor in names.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"playground(): {name!r} is to name a part of the Tensor's graph: it must be a Tensor, not "
                f"{describe(tensor)}"
            )
    return _Writer(Telling(x, names.items(), 1)).program()


class _Writer:
    def __init__(self, telling):
        self.nodes = telling.nodes
        self.output = 0 if telling.root is None else telling.ids[telling.root]
        self.attributes = {telling.ids[node]: telling.attributes(node) for node in telling.ids}
        for entry in self.nodes:
            self.check(entry)
        self.uses = Counter(each["node"] for entry in self.nodes for each in entry["inputs"])
        self.taken = set()
        self.names = {}  # id → the name in the program, of leaves and of what has a line of its own
        self.lines, self.leaves = [], []

    def check(self, entry):
        """ValueError for what the playground has no meaning for."""
        told = entry["name"] or entry["op"]
        if any(n != 1 for n in entry["shape"]):
            raise ValueError(
                f"playground(): {told} has the shape {shape_text(entry['shape'])}, but the playground is of single "
                "numbers: use viz.step for arrays"
            )
        if entry["kind"] == "op":
            op = OPS.get(entry["op"])
            if op is None or not (op.pointwise or op.name in KNOWN):
                raise ValueError(
                    f"playground(): the graph uses {entry['op']}, which is no operation on single numbers: use viz.step"
                )
        elif entry["value"] is None or isinstance(_only(entry["value"]), str):
            value = "not known" if entry["value"] is None else _only(entry["value"])
            raise ValueError(f"playground(): the value of {told} is {value}; expected a finite number")

    def program(self):
        for entry in self.nodes:
            i = entry["id"]
            if entry["kind"] != "op":
                if entry["op"] != "number":
                    self.names[i] = self.fresh(entry["name"] or "x")
                    self.leaves.append((self.names[i], float(_only(entry["value"])), entry["requires_grad"]))
            elif i != self.output and (entry["name"] or self.uses[i] > 1):
                written = self.written(i)[0]
                self.names[i] = self.fresh(entry["name"] or "h")
                self.lines.append(f"{self.names[i]} = {written}")
        last = self.names.get(self.output) or self.written(self.output)[0]
        if self.nodes[self.output]["kind"] == "op" and self.nodes[self.output]["name"]:
            last = f"{self.fresh(self.nodes[self.output]['name'])} = {last}"
        return "\n".join([*self.lines, last]), self.leaves

    def fresh(self, name):
        """A name as the language allows it, that nothing else has."""
        name = re.sub(r"\W+", "_", unicodedata.normalize("NFC", name)).strip("_")
        name = name if re.match(r"[^\W\d]", name) else f"x{name}"
        chosen, n = name, 1
        while chosen in self.taken or chosen in OPS:
            n += 1
            chosen = f"{name}{n}"
        self.taken.add(chosen)
        return chosen

    def written(self, i, least=0):
        """(the text of a node's value, how tightly it binds)."""
        if i in self.names:
            return self.names[i], ATOM
        entry = self.nodes[i]
        if entry["op"] == "number":
            value = _only(entry["value"])
            return repr(value), NEGATIVE if value < 0 else ATOM
        operands = {each["slot"]: each["node"] for each in entry["inputs"]}
        return self.operation(i, entry["op"], [each["node"] for each in entry["inputs"]], operands)

    def operation(self, i, op, inputs, operands):
        if op in SAME_NUMBER:
            return self.written(inputs[0])
        if op == "linear":
            product = f"{self.tight(operands['input'], 2)} * {self.tight(operands['weight'], 3)}"
            return (f"{product} + {self.tight(operands['bias'], 2)}", 1) if "bias" in operands else (product, 2)
        op = "mul" if op in PRODUCTS else op
        if op in SIGNS:
            sign, binding = SIGNS[op]
            left, right = (binding + 1, NEGATIVE) if op == "pow" else (binding, binding + 1)
            return f"{self.tight(inputs[0], left)} {sign} {self.tight(inputs[1], right)}", binding
        if op == "neg":
            return f"-{self.tight(inputs[0], NEGATIVE)}", NEGATIVE
        numbers = [] if op == "where" else [repr(value) for value in self.attributes[i].values()]
        return f"{op}({', '.join([*[self.written(each)[0] for each in inputs], *numbers])})", ATOM

    def tight(self, i, least):
        text, binding = self.written(i)
        return text if binding >= least else f"({text})"


def _only(value):
    """The one number of an array of one element."""
    while isinstance(value, list):
        (value,) = value
    return value
