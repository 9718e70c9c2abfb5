"""The engine that chapter 19 grows, whole: arrays with a history, and derivatives of any order. It uses only NumPy.

Run, it tests itself against minigrad: the same random expressions, the same first and second derivatives, and the same
training run, number by number.

    Tensor ──node──▶ Node(mul) ──parents──▶ Node(add) ──▶ Leaf          arrows point to inputs only: no cycles
"""

import inspect
import itertools

import numpy as np

import minigrad
from minigrad.course import options, progress, result
from minigrad.datasets import load_iris

tick = itertools.count(1).__next__  # one clock dates nodes and writes


# ---- the table of operations: the forward, and for each input a rule. What a rule asks for by name is saved.


class Op:
    """forward(arrays..., attributes...) -> array; rules {input: function of g, and of what it needs}."""

    def __init__(self, name, forward, **rules):
        self.name, self.forward, self.rules = name, forward, rules
        self.inputs = tuple(rules)
        self.needs = {key: tuple(inspect.signature(rule).parameters)[1:] for key, rule in rules.items()}
        self.saves = {n for needed in self.needs.values() for n in needed} & {*self.inputs, "out"}
        self.fast = dict(rules)  # what runs on arrays; `compile_rules` puts kernels here


OPS = {
    op.name: op
    for op in (
        Op("add", np.add, a=lambda g: g, b=lambda g: g),
        Op("mul", np.multiply, a=lambda g, b: g * b, b=lambda g, a: g * a),
        Op("div", np.divide, a=lambda g, b: g / b, b=lambda g, a, b: -g * a / (b * b)),
        Op("pow", lambda a, n: a**n, a=lambda g, a, n: g * (n * a ** (n - 1))),
        Op("exp", np.exp, a=lambda g, out: g * out),
        Op("log", np.log, a=lambda g, a: g / a),
        Op("tanh", np.tanh, a=lambda g, out: g * (1 - out * out)),
        Op("relu", lambda a: np.maximum(a, 0), a=lambda g, out: g * (out > 0)),
        Op("matmul", np.matmul, a=lambda g, b: g @ b.T, b=lambda g, a: a.T @ g),
        Op("transpose", np.transpose, a=lambda g: g.T),
        Op("sum", np.sum, a=lambda g, a_shape: expand(g, a_shape)),
        Op("expand", np.broadcast_to, a=lambda g: g),  # the walk sums it back
        Op("sum_to", lambda a, shape: sum_array_to(a, shape), a=lambda g, a_shape: expand(g, a_shape)),
    )
}


def sum_array_to(a, shape):
    """Undoes broadcasting: sums over the axes that were added or stretched."""
    a = a.sum(tuple(range(a.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and a.shape[axis] != 1)
    return a.sum(stretched, keepdims=True)


def expand(x, shape):
    return apply("expand", x, shape=shape) if isinstance(x, Tensor) else np.broadcast_to(x, shape)


def sum_to(x, shape):
    if x.shape == shape:
        return x
    return apply("sum_to", x, shape=shape) if isinstance(x, Tensor) else sum_array_to(x, shape)


# ---- the graph


class Version:
    """When a tensor's memory was last written to."""

    def __init__(self):
        self.time = 0


class Node:
    """One recorded operation; a leaf if `op` is None. It knows its parents, not its output."""

    def __init__(self, op=None, parents=(), attrs=None, saved=None, shapes=()):
        self.op, self.parents, self.attrs, self.saved, self.shapes = op, parents, attrs, saved, shapes
        self.seq, self.grad = tick(), None

    def value(self, name, as_tensors):
        """What a rule asks for: an attribute, an input's shape, or what was saved (as it was, or an error)."""
        if name in self.attrs:
            return self.attrs[name]
        if name.endswith("_shape"):
            return self.shapes[self.op.inputs.index(name[0])]
        if self.saved is None:
            raise RuntimeError(f"backward through {self.op.name} a second time: its values were freed")
        array, version = self.saved[name]
        if version.time > self.seq:
            raise RuntimeError(f"{self.op.name} needs {name!r}, which was written to after it had been used")
        if not as_tensors:
            return array
        return Tensor(array, self if name == "out" else self.parents[self.op.inputs.index(name)], version)


class Tensor:
    """An array, and where it came from."""

    __array_ufunc__ = None  # `array * tensor` is the tensor's business

    def __init__(self, data, node=None, version=None, requires_grad=False):
        self.data = np.asarray(data, np.float64)
        self.node = Node() if requires_grad else node
        self.version = version or Version()

    shape = property(lambda self: self.data.shape)
    grad = property(lambda self: self.node.grad)
    T = property(lambda self: apply("transpose", self))

    def __add__(self, other):
        return apply("add", self, other)

    def __mul__(self, other):
        return apply("mul", self, other)

    def __truediv__(self, other):
        return apply("div", self, other)

    def __matmul__(self, other):
        return apply("matmul", self, other)

    def __pow__(self, n):
        return apply("pow", self, n=n)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + other * -1.0

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return apply("div", other, self)

    def __gt__(self, other):
        return self.data > other

    __radd__, __rmul__ = __add__, __mul__

    def __getattr__(self, name):
        """The rest of the table as methods: x.tanh(), x.sum()."""
        if name not in OPS:
            raise AttributeError(f"Tensor has no attribute {name!r}")
        return lambda *args, **attrs: apply(name, self, *args, **attrs)

    def write_(self, values):
        """Overwrites the numbers; no history. What saved the old ones will notice."""
        self.data[...] = values
        self.version.time = tick()

    def backward(self):
        walk(self, np.ones(self.shape), False)


def apply(name, *inputs, **attrs):
    op = OPS[name]
    inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
    out = Tensor(op.forward(*[x.data for x in inputs], **attrs))
    if any(x.node is not None for x in inputs):
        known = {**dict(zip(op.inputs, inputs)), "out": out}
        saved = {name: (known[name].data, known[name].version) for name in op.saves}
        out.node = Node(op, [x.node for x in inputs], attrs, saved, [x.shape for x in inputs])
    return out


# ---- backwards


def collect(root):
    """All nodes that can be reached, oldest first: a loop, so depth is no limit."""
    order, seen = [root], {root}
    for node in order:
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                order.append(parent)
    return sorted(order, key=lambda node: node.seq)


def walk(result, seed, create_graph, wanted=None):
    """From the youngest node to the oldest; gradients are arrays, or with `create_graph` Tensors with a history. They
    arrive in the leaves' `grad`, or in `wanted` {node: None}."""
    pending = {result.node: Tensor(seed) if create_graph else seed}
    for node in reversed(collect(result.node)):
        g = pending.pop(node, None)
        if g is None:
            continue
        if wanted is not None and node in wanted:
            wanted[node] = g
        if node.op is None:
            if wanted is None:
                node.grad = g if node.grad is None else node.grad + g
            continue
        rules = node.op.rules if create_graph else node.op.fast
        for name, parent, shape in zip(node.op.inputs, node.parents, node.shapes):
            if parent is not None:
                part = rules[name](g, *[node.value(need, create_graph) for need in node.op.needs[name]])
                part = sum_to(part, shape)
                pending[parent] = pending[parent] + part if parent in pending else part
        if not create_graph:
            node.saved = None


def grad(result, inputs, create_graph=False):
    """Derivatives of a result's sum by each input; nothing is written."""
    wanted = dict.fromkeys([x.node for x in inputs])
    walk(result, np.ones(result.shape), create_graph, wanted)
    return [wanted[x.node] for x in inputs]


def compile_rules(*names):
    """Each rule of these pointwise operations as one compiled loop: no array in between."""
    import numba

    for name in names:
        OPS[name].fast = {key: numba.vectorize(rule) for key, rule in OPS[name].rules.items()}


# ---- the proof: minigrad runs the same lines


def random_expression(rng, depth=12):
    """A function of two tensors, (3, 4) and (4,), made of random operations. Both engines can run it."""
    steps = [(rng.choice(("add", "mul", "div", "exp", "log", "matmul")), *rng.integers(0, 99, 2)) for _ in range(depth)]

    def expression(x, y):
        values = [x, y, x * y]
        for name, i, j in steps:
            a, b = values[i % len(values)], values[j % len(values)]
            new = {
                "add": lambda a, b: a + b,
                "mul": lambda a, b: a * b.tanh(),
                "div": lambda a, b: a.tanh() / (b * b + 1.5),
                "exp": lambda a, b: (a - b).tanh().exp(),
                "log": lambda a, b: (a * a + 1.0).log() * b.tanh(),
                "matmul": lambda a, b: (x @ x.T).tanh() @ (x + b.tanh()),
            }[name](a, b)
            values.append(new)
        total = values[0]
        for value in values[1:]:
            total = total + value.tanh()
        return total.sum()

    return expression


def differences(seed):
    """(values, first, second derivatives) of one random expression: the largest relative differences to minigrad."""
    rng = np.random.default_rng(seed)
    expression, arrays = random_expression(rng), (rng.normal(size=(3, 4)), rng.normal(size=4))
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    theirs = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    y, z = expression(*ours), expression(*theirs)
    first, known = grad(y, ours, create_graph=True), minigrad.autograd.grad(z, theirs, create_graph=True)
    second = grad(sum((part * part).sum() for part in first), ours)
    wanted = minigrad.autograd.grad(sum((part * part).sum() for part in known), theirs)

    def off(mine, other):
        other = other.detach().numpy()
        return float(np.abs(mine - other).max() / np.abs(other).max())

    return (
        off(y.data, z),
        max(off(a.data, b) for a, b in zip(first, known)),
        max(off(a, b) for a, b in zip(second, wanted)),
    )


def step(weight, rate):
    """Gradient descent in the grown engine."""
    weight.write_(weight.data - rate * weight.grad)
    weight.node.grad = None


def minigrads_step(weight, rate):
    with minigrad.no_grad():
        weight -= rate * weight.grad
    weight.grad = None


def train(leaf, constant, update, steps, rate=0.5, seed=0):
    """A network 4-8-3 on 120 irises: (losses, what it answers for the other 30, what is right). `leaf`, `constant` and
    `update` are those of one engine or of the other."""
    features, species = load_iris()
    rng = np.random.default_rng(seed)
    order = rng.permutation(150)
    features, one_hot = features.numpy().astype(float)[order], np.eye(3)[species.numpy()[order]]
    features = (features - features[:120].mean(0)) / features[:120].std(0)
    w1, b1, w2, b2 = weights = [leaf(rng.normal(0, 0.5, shape)) for shape in ((4, 8), (8,), (8, 3), (3,))]

    def odds(x):
        return ((constant(x) @ w1 + b1).tanh() @ w2 + b2).exp()

    losses = []
    for _ in range(steps):
        given = odds(features[:120])
        loss = -((given / (given @ constant(np.ones((3, 1))))).log() * constant(one_hot[:120])).sum() / 120
        loss.backward()
        for weight in weights:
            update(weight, rate)
        losses.append(float(loss.data))
    return np.array(losses), np.asarray(odds(features[120:]).data).argmax(1), one_hot[120:].argmax(1)


def main():
    chosen = options(__doc__, graphs=(200, 20, "random expressions"), steps=(200, 20, "steps of training"))
    worst = np.zeros(3)
    for k in progress(range(chosen.graphs), "graphs", quiet=chosen.quiet):
        worst = np.maximum(worst, differences([chosen.seed, k]))
    print("largest differences of values, first and second derivatives: {:.0e}, {:.0e}, {:.0e}".format(*worst))
    ours = train(lambda a: Tensor(a, requires_grad=True), Tensor, step, chosen.steps)
    theirs = train(lambda a: minigrad.tensor(a, requires_grad=True), minigrad.tensor, minigrads_step, chosen.steps)
    off, same = np.abs(ours[0] - theirs[0]).max(), (ours[1] == theirs[1]).sum()
    result(
        f"minigrad's numbers to {worst.max():.0e} on {chosen.graphs} random graphs (values, first and second "
        f"derivatives); trained on Iris its losses to {off:.0e} and its answers for {same} of 30 held-out flowers, "
        f"{(ours[1] == ours[2]).sum()} right"
    )


if __name__ == "__main__":
    main()
