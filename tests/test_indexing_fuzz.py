"""Random indices of every kind, read and written in minigrad and in PyTorch: the same value and gradient, or the same
type of error. The cases are the same in each run."""

import random
import warnings

import numpy as np
import pytest

import minigrad

torch = pytest.importorskip("torch")

CASES = 1500
SHAPES = ((4,), (3, 4), (2, 3, 4), (2, 1, 3, 2), (), (0, 3), (3, 0))


class Draw(random.Random):
    """Items of an index, as a function of the library: what is drawn is the same for both."""

    bytes = True  # whether a mask may hold bytes: PyTorch reads such an index, but writes no number through it

    def item(self, sizes):
        """An item for the dimensions of these sizes that are left."""
        size = sizes[0] if sizes else 3
        kind = self.choices(KINDS, WEIGHTS)[0]
        return getattr(self, kind)(size, sizes)

    def place(self, size):
        return self.randint(-size - (self.random() < 0.02), max(0, size - 1 + (self.random() < 0.02)))

    def integer(self, size, sizes):
        place = self.place(size)
        return self.choice([lambda T: place, lambda T: np.int64(place), lambda T: T.tensor(place)])

    def slice(self, size, sizes):
        start, stop = self.choice([None, self.place(size)]), self.choice([None, self.place(size)])
        step = self.choice([None, 1, 2, 3, 1, 1, 2, -1 if self.random() < 0.1 else None])
        return lambda T: slice(start, stop, step)

    def none(self, size, sizes):
        return lambda T: None

    def ellipsis(self, size, sizes):
        return lambda T: Ellipsis

    def truth(self, size, sizes):
        value = self.random() < 0.7
        return self.choice([lambda T: value, lambda T: T.tensor(value)])

    def places(self, size, sizes):
        shape = self.choice([(2,), (2,), (1,), (3,), (2, 2), (1, 2), (2, 1), (0,)])
        array = np.array([self.place(size) for _ in range(int(np.prod(shape)))], np.int64).reshape(shape)
        listed = array.tolist()
        return self.choice([
            lambda T: T.tensor(array), lambda T: listed, lambda T: tuple(listed), lambda T: array.copy(),
            lambda T: T.tensor(array.astype(np.int32)), lambda T: T.tensor(array).mT if array.ndim > 1 else listed,
        ])  # fmt: skip

    def run(self, size, sizes):
        stop = self.randint(0, size)
        return lambda T: range(stop)

    def mask(self, size, sizes):
        shape = tuple(sizes[: self.choice([1, 1, 2, 3])]) or (1,)
        if self.random() < 0.05:
            shape = (shape[0] + 1, *shape[1:])
        array = np.array([self.random() < 0.5 for _ in range(int(np.prod(shape)))], bool).reshape(shape)
        listed = array.tolist()
        if array.ndim > 1:  # PyTorch counts a list or an array, other than a tensor, as one dimension
            return lambda T: T.tensor(array)
        return self.choice([lambda T: T.tensor(array), lambda T: array.copy(), lambda T: listed])

    def byte(self, size, sizes):
        array = np.array([self.randint(0, 2) for _ in range(size)], np.uint8)
        return lambda T: T.tensor(array) if self.bytes else T.tensor(array != 0)

    def wrong(self, sizes):
        return self.choice([
            lambda T: 0.5, lambda T: T.tensor([0.5]), lambda T: "a", lambda T: slice(0.5, None), lambda T: {},
            lambda T: T.tensor([0], dtype=T.int8), lambda T: T.tensor(1.5), lambda T: object(), lambda T: 1j,
        ])  # fmt: skip

    def index(self, shape):
        """A function of the library that gives an index."""
        sizes, items, ellipses = list(shape), [], 0
        for _ in range(self.choice([1, 1, 2, 2, 3, 4])):
            item = self.item(sizes) if items else self.choice([self.wrong] + [self.item] * 60)(sizes)
            items.append(item)
            taken = item(minigrad)
            if taken is Ellipsis:
                if ellipses:
                    items.pop()
                ellipses += 1
            if isinstance(taken, minigrad.Tensor | np.ndarray) and "b" in str(taken.dtype):
                sizes = sizes[taken.ndim :]
            elif taken is not None and taken is not Ellipsis:
                sizes = sizes[1:]
        if len(items) == 1 and self.random() < 0.8:
            return items[0]
        if self.random() < 0.03:
            return lambda T: [item(T) for item in items]
        return lambda T: tuple(item(T) for item in items)


KINDS, WEIGHTS = zip(
    ("integer", 6), ("slice", 6), ("none", 2), ("ellipsis", 2), ("truth", 1), ("places", 8), ("run", 1), ("mask", 3),
    ("byte", 0.3),
)  # fmt: skip


def outcome(work, T, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [None if t is None else (t.dtype, t.detach().numpy()) for t in work(T, *arguments)]
        except Exception as error:
            return type(error).__name__


def assert_same(mine, theirs, what):
    if isinstance(theirs, str) or isinstance(mine, str):
        assert mine == theirs, what
        return
    for a, b in zip(mine, theirs, strict=True):
        assert (a is None) == (b is None), what
        if b is not None:
            assert repr(a[0]) == repr(b[0]), what
            assert a[1].shape == b[1].shape, what
            np.testing.assert_allclose(a[1], b[1], rtol=1e-12, err_msg=what)


def source(T, shape):
    """A leaf; and what is indexed: itself, or a view of it that is not contiguous."""
    count = int(np.prod(shape))
    return T.tensor((np.arange(count) + 1.0).reshape(shape), requires_grad=True)


def turned(tensor, backwards):
    return tensor.permute(*range(tensor.ndim)[::-1]) if backwards and tensor.ndim else tensor


def read(T, shape, backwards, index):
    leaf = source(T, shape)
    part = turned(leaf, backwards)[index(T)]
    weight = T.tensor(np.arange(1.0, part.numel() + 1).reshape(tuple(part.shape)))
    return part, T.autograd.grad((part * part * weight).sum(), leaf)[0]


def test_reading_equals_pytorch():
    draw = Draw(1)
    for case in range(CASES):
        shape = draw.choices(SHAPES, [2, 4, 5, 3, 1, 0.5, 0.5])[0]
        arguments = shape, draw.random() < 0.3, draw.index(shape)
        what = f"case {case}: {shape}, {'turned, ' if arguments[1] else ''}{arguments[2](minigrad)!r}"
        assert_same(outcome(read, minigrad, *arguments), outcome(read, torch, *arguments), what)


def value_for(draw, shape):
    """A function of the library that gives something to assign to a part of this shape."""
    kind = draw.choice(["number", "whole", "row", "ones", "zero-dim", "ints", "wrong"] + ["whole"] * 3)
    if kind == "number":
        return lambda T: 2.5
    if kind == "zero-dim":
        return lambda T: T.tensor(2.5, dtype=T.float64)
    if kind == "row":
        shape = shape[1:]
    if kind == "ones":
        shape = (1, *shape)
    if kind == "wrong":
        shape = (*shape, 2) if draw.random() < 0.5 else (7,)
    array = np.random.default_rng(draw.randint(0, 99)).normal(size=shape)
    return lambda T: T.tensor(array.round() if kind != "ints" else array.round().astype(np.int64))


def write(T, shape, backwards, index, value, recorded):
    leaf = source(T, shape)
    new = value(T)
    wants = recorded and isinstance(new, T.Tensor) and new.is_floating_point()
    new = new.requires_grad_() if wants else new
    whole = leaf * 1.0 if recorded else leaf.detach().clone()
    turned(whole, backwards)[index(T)] = new
    if not recorded:
        return (whole,)
    inputs = [leaf, new] if wants else [leaf]
    return whole, *T.autograd.grad((whole * whole).sum(), inputs, allow_unused=True)


def part_named(shape, backwards, index):
    """The shape of what an index names, if it names no place twice; else None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            part = turned(torch.arange(float(np.prod(shape))).reshape(shape), backwards)[index(torch)]
        except Exception:
            return None
    return tuple(part.shape) if part.unique().numel() == part.numel() else None


@pytest.mark.parametrize("recorded", [False, True])
def test_writing_equals_pytorch(recorded):
    draw = Draw(2 + recorded)
    draw.bytes = False
    for case in range(CASES // 2):
        shape = draw.choices(SHAPES, [2, 4, 5, 3, 1, 0.5, 0.5])[0]
        where = shape, draw.random() < 0.3, draw.index(shape)
        given = part_named(*where)
        # Which of several values stays in a place, and which of two errors comes first, is nobody's promise.
        value = (lambda T: 3.5) if given is None else value_for(draw, given)
        what = f"case {case}: {shape}, {'turned, ' if where[1] else ''}{where[2](minigrad)!r} = {value(minigrad)!r}"
        arguments = *where, value, recorded
        assert_same(outcome(write, minigrad, *arguments), outcome(write, torch, *arguments), what)


def add(T, shape, indices):
    leaf = source(T, shape)
    named = tuple(T.tensor(np.array(item(minigrad))) for item in indices)
    values = T.ones(leaf[named].shape[-1:], dtype=T.float64, requires_grad=True)
    out = leaf.index_put(named, values, accumulate=True)
    return out, *T.autograd.grad((out * out).sum(), [leaf, values])


def test_adding_at_places_equals_pytorch():
    draw = Draw(4)
    for case in range(CASES // 5):
        shape = draw.choice([(4,), (3, 4), (2, 3, 4)])
        indices = [draw.choice([draw.places, draw.mask])(n, [n]) for n in shape[: draw.randint(1, len(shape))]]
        what = f"case {case}: {shape}, {[item(minigrad) for item in indices]!r}"
        assert_same(outcome(add, minigrad, shape, indices), outcome(add, torch, shape, indices), what)
