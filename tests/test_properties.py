"""What holds for any input: hypothesis draws shapes, dtypes, dimensions and numbers nobody thought of.

Against NumPy or against a law where there is one; against PyTorch, where it is installed, for promotion, reductions,
convolution and pooling.
"""

import itertools

import numpy as np
import pytest
from both import array_of, assert_same
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import minigrad as T
import minigrad.nn.functional as F

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
shapes = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
values = st.floats(-8, 8).map(lambda x: round(x, 2))


def floats(shape):
    return arrays_of.arrays(np.float64, shape, elements=values)


any_floats = shapes.flatmap(floats)
some_floats = arrays_of.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4).flatmap(floats)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


# ---- promotion


def operand(lib, kind, dtype):
    """Something that can stand beside a tensor: a tensor, a 0-dim tensor, or a number, Python's or NumPy's."""
    if kind == "tensor":
        return lib.tensor([1, 2, 3]).to(getattr(lib, dtype))
    if kind == "zero-dim":
        return lib.tensor(2).to(getattr(lib, dtype))
    return {"bool": True, "int": 2, "float": 2.5, "numpy int": np.int64(2), "numpy float": np.float64(2.5)}[kind]


NUMBERS = ("bool", "int", "float", "numpy int", "numpy float")
PAIRS = [
    *itertools.product(["tensor"], DTYPES, ["tensor", "zero-dim"], DTYPES),
    *itertools.product(["tensor", "zero-dim"], DTYPES, NUMBERS, [""]),
]
OPERATIONS = {
    "+": lambda lib, x, y: x + y,
    "-": lambda lib, x, y: x - y,
    "*": lambda lib, x, y: x * y,
    "/": lambda lib, x, y: x / y,
    "//": lambda lib, x, y: x // y,
    "%": lambda lib, x, y: x % y,
    "**": lambda lib, x, y: x**y,
    "<": lambda lib, x, y: x < y,
    "==": lambda lib, x, y: x == y,
    "where": lambda lib, x, y: lib.where(lib.tensor([True, False, True]), x, y),
    "+=": lambda lib, x, y: x.add_(y),
    "*=": lambda lib, x, y: x.mul_(y),
    "/=": lambda lib, x, y: x.div_(y),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_pair_of_dtypes_is_promoted_as_by_pytorch(name, torch):
    def run(lib, one, dtype, other, other_dtype):
        try:
            out = OPERATIONS[name](lib, operand(lib, one, dtype), operand(lib, other, other_dtype))
            return repr(out.dtype), array_of(out)
        except (RuntimeError, TypeError) as error:
            return type(error).__name__

    for pair in PAIRS:
        if name == "**" and pair[1:3] == ("bool", "bool"):
            continue  # PyTorch has bool ** True, and no other power of bools
        assert_same(run(T, *pair), run(torch, *pair), f"{name} of {pair}")


@given(any_floats, st.data())
def test_broadcasting_is_numpys_and_gradients_are_summed_back(array, data):
    other = data.draw(arrays_of.broadcastable_shapes(array.shape, max_dims=4, max_side=3).flatmap(floats))
    x, y = T.tensor(array, requires_grad=True), T.tensor(other, requires_grad=True)
    out = x * y + x
    np.testing.assert_array_equal(out.detach().numpy(), array * other + array)
    out.sum().backward()
    ones = np.ones(out.shape)
    for leaf, full in ((x, (other + 1) * ones), (y, array * ones)):
        lead = full.ndim - leaf.ndim
        axes = (*range(lead), *[lead + d for d, n in enumerate(leaf.shape) if n == 1 and full.shape[lead + d] != 1])
        np.testing.assert_allclose(leaf.grad.numpy(), full.sum(axes).reshape(leaf.shape), atol=1e-9)


# ---- reductions

REDUCTIONS = ("sum", "mean", "amax", "amin", "var", "std", "logsumexp", "all", "any", "prod", "max", "argmin", "norm")


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@given(st.sampled_from(REDUCTIONS), any_floats, st.booleans(), st.data())
def test_reductions_equal_pytorchs(name, array, keepdim, data):
    torch = pytest.importorskip("torch")
    bound = array.ndim or 1
    dim = data.draw(st.integers(-bound, bound - 1))
    if name in ("sum", "mean", "amax", "amin", "var", "std") and array.ndim and data.draw(st.booleans()):
        dim = tuple(data.draw(st.lists(st.integers(0, array.ndim - 1), min_size=1, unique=True)))
    found = []
    for lib in (T, torch):
        x = lib.tensor(array.copy(), requires_grad=name not in ("all", "any", "argmin"))
        try:
            out = getattr(x, name)(dim=dim, keepdim=keepdim)
            out = out[0] if name == "max" else out
            if out.requires_grad and name not in ("std", "norm"):  # where those are 0 their gradients are NaN or 0
                (out * out).sum().backward()
            found.append((repr(out.dtype), array_of(out), None if x.grad is None else array_of(x.grad)))
        except (RuntimeError, IndexError) as error:
            found.append(type(error).__name__)
    assert_same(*found, f"{name} of {array.shape} over {dim}")


@given(some_floats, st.data())
def test_a_reduction_of_a_strided_view_is_that_of_its_copy(array, data):
    x = T.tensor(array).permute(data.draw(st.permutations(range(array.ndim))))
    x = x[tuple([slice(None, None, data.draw(st.integers(1, 2))) for _ in x.shape])]
    for name in ("sum", "mean", "amax", "prod", "logsumexp"):
        args = (0,) if name == "logsumexp" else ()
        np.testing.assert_allclose(
            getattr(x, name)(*args).numpy(), getattr(x.clone().contiguous(), name)(*args).numpy(), rtol=1e-9
        )
    np.testing.assert_array_equal(x.exp().numpy(), np.ascontiguousarray(x.exp().numpy()))


@given(some_floats, st.data())
def test_sorting_orders_and_says_where_from(array, data):
    dim, descending = data.draw(st.integers(-array.ndim, array.ndim - 1)), data.draw(st.booleans())
    x = T.tensor(array)
    found, places = x.sort(dim, descending)
    expected = np.sort(array, dim)
    np.testing.assert_array_equal(found.numpy(), np.flip(expected, dim) if descending else expected)
    np.testing.assert_array_equal(x.gather(dim, places).numpy(), found.numpy())
    k = data.draw(st.integers(0, array.shape[dim]))
    np.testing.assert_array_equal(x.topk(k, dim, descending)[0].numpy(), found.narrow(dim, 0, k).numpy())


# ---- views

VIEWS = {
    "unsqueeze": lambda x, d: x.unsqueeze(d),
    "transpose": lambda x, d: x.transpose(d, 0),
    "select": lambda x, d: x.select(d, 0) if x.ndim > 1 else x,
    "narrow": lambda x, d: x.narrow(d, 0, max(1, x.shape[d] - 1)),
    "slice": lambda x, d: x[::2],
    "reversed dims": lambda x, d: x.permute(tuple(range(x.ndim))[::-1]),
    "unbind": lambda x, d: x.unbind(d)[0] if x.ndim > 1 else x,
    "flatten": lambda x, d: x.flatten() if x.is_contiguous() else x,
    "movedim": lambda x, d: x.movedim(d, -1),
    "squeeze": lambda x, d: x.squeeze(d) if x.ndim > 1 else x,
}


@given(some_floats, st.lists(st.tuples(st.sampled_from(sorted(VIEWS)), st.integers(0, 5)), max_size=5))
def test_a_chain_of_views_shares_memory_and_carries_gradients(array, chain):
    def follow(x):
        for name, d in chain:
            x = VIEWS[name](x, d % x.ndim)
        return x

    base = T.tensor(array)
    part = follow(base)
    expected = follow(T.tensor(np.arange(array.size).reshape(array.shape))).numpy()  # which elements the view shows
    part.fill_(99.0)
    flat = np.array(array).reshape(-1)
    flat[expected.reshape(-1)] = 99.0
    np.testing.assert_array_equal(base.numpy().reshape(-1), flat)

    leaf = T.tensor(array, requires_grad=True)
    (follow(leaf) * 3).sum().backward()
    counts = np.bincount(expected.reshape(-1), minlength=array.size).reshape(array.shape)
    np.testing.assert_array_equal(leaf.grad.numpy(), 3.0 * counts)


@given(some_floats, st.data())
def test_splitting_and_joining_undo_one_another(array, data):
    x = T.tensor(array, requires_grad=True)
    dim = data.draw(st.integers(-array.ndim, array.ndim - 1))
    size = data.draw(st.integers(1, array.shape[dim] + 1))
    weights = T.tensor(np.random.default_rng(0).normal(size=array.shape))
    for parts, join in (
        (x.split(size, dim), T.cat),
        (x.chunk(size, dim), T.cat),
        (x.unbind(dim), T.stack),
        (x.split([1, array.shape[dim] - 1], dim), T.cat),
    ):
        again = join(parts, dim)
        assert again.tolist() == x.tolist()
        (grad,) = T.autograd.grad((again * weights).sum(), x)
        np.testing.assert_array_equal(grad.numpy(), weights.numpy())


@given(some_floats, st.data())
def test_flip_roll_and_repeat_are_numpys(array, data):
    x, dim = T.tensor(array), data.draw(st.integers(-array.ndim, array.ndim - 1))
    shift = data.draw(st.integers(-5, 5))
    counts = data.draw(st.lists(st.integers(0, 2), min_size=array.ndim, max_size=array.ndim + 1))
    np.testing.assert_array_equal(x.flip(dim).numpy(), np.flip(array, dim))
    np.testing.assert_array_equal(x.roll(shift, dim).numpy(), np.roll(array, shift, dim))
    np.testing.assert_array_equal(x.repeat(counts).numpy(), np.tile(array, counts))


# ---- indices and writes, as PyTorch's

positions = st.integers(-5, 5)
index_items = st.one_of(
    positions,
    st.builds(slice, st.none() | positions, st.none() | positions, st.none() | st.integers(1, 3)),
    st.just(None),
    st.just(...),
    st.lists(st.integers(-3, 3), min_size=1, max_size=3),
    st.lists(st.booleans(), min_size=1, max_size=4),
    st.booleans(),
)
indices = st.one_of(index_items, st.lists(index_items, max_size=4).map(tuple))


def tried(function, lib):
    """What a function of the library gives, or the kind of its error."""
    try:
        return function(lib)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        return type(error).__name__


@settings(max_examples=150)
@pytest.mark.filterwarnings("ignore")
@given(some_floats, indices)
def test_indexing_equals_pytorchs(array, index):
    torch = pytest.importorskip("torch")

    def read(lib):
        x = lib.tensor(array, requires_grad=True)
        y = x * 1
        part = y[index]
        (part * part).sum().backward()
        return tuple(part.shape), part._is_view(), array_of(part), array_of(x.grad)

    def write(lib):
        x = lib.tensor(array)
        x[index] = 7.5
        return array_of(x), x._version

    def write_values(lib):
        x, y = lib.tensor(array), lib.tensor(array * 2, requires_grad=True)
        x[index] = y[index] if not isinstance(index, bool) else y
        return array_of(x), x._version, x.requires_grad

    for step in (read, write, write_values):
        assert_same(tried(step, T), tried(step, torch), f"{step.__name__} {index} of {array.shape}")


WRITES = {
    "mul_": lambda lib, x, y: x.mul_(2),
    "add_": lambda lib, x, y: x.add_(y),
    "zero_": lambda lib, x, y: x.zero_(),
    "copy_": lambda lib, x, y: x.copy_(y * y),
    "exp_": lambda lib, x, y: x.mul_(0.1).exp_(),
    "masked_fill_": lambda lib, x, y: x.masked_fill_(x > 0, 0.5),
    "clamp_": lambda lib, x, y: x.clamp_(-1, 1),
}
chains = st.lists(st.tuples(st.sampled_from(sorted(VIEWS)), st.integers(0, 5)), max_size=3)


@settings(max_examples=100)
@given(some_floats, st.lists(st.tuples(chains, st.sampled_from(sorted(WRITES))), min_size=1, max_size=3))
def test_writes_through_chains_of_views_equal_pytorchs(array, writes):
    torch = pytest.importorskip("torch")

    def run(lib):
        x, y = lib.tensor(array, requires_grad=True), lib.tensor(0.75, dtype=lib.float64, requires_grad=True)
        base, parts = x * 1, []
        for chain, name in writes:
            part = base
            for view, d in chain:
                part = VIEWS[view](part, d % part.ndim)
            WRITES[name](lib, part, y)
            parts.append(part)
        total = (base * base).sum() + sum(part.sum() for part in parts)
        grads = lib.autograd.grad(total, [x, y], create_graph=True, allow_unused=True)
        wanted = [g for g in grads if g is not None and g.requires_grad]
        second = lib.autograd.grad(sum((g * g).sum() for g in wanted), x, allow_unused=True) if wanted else ()
        return (
            array_of(base), [array_of(part) for part in parts], base._version,
            [None if g is None else array_of(g) for g in (*grads, *second)],
        )  # fmt: skip

    assert_same(tried(run, T), tried(run, torch), f"{writes} of {array.shape}")


@given(some_floats, st.data())
def test_in_place_results_keep_their_shape_as_by_pytorch(array, data):
    torch = pytest.importorskip("torch")
    shape = data.draw(st.one_of(st.just(array.shape), arrays_of.array_shapes(min_dims=0, max_dims=4, max_side=3)))
    name = data.draw(st.sampled_from(["add_", "mul_", "copy_", "sub_"]))

    def run(lib):
        x = lib.tensor(array)
        getattr(x, name)(lib.ones(shape, dtype=lib.float64) * 2)
        return array_of(x), x._version

    assert_same(tried(run, T), tried(run, torch), f"{name} of {array.shape} and {shape}")


# ---- softmax and cross-entropy

extreme = st.sampled_from([0.0, 1.0, -1.0, 80.0, -80.0, 1e4, -1e4, 1e30, -1e30, 3e38, -3e38])


@given(arrays_of.arrays(np.float32, arrays_of.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=extreme))
def test_softmax_and_cross_entropy_stand_extreme_logits(logits):
    x = T.tensor(logits, requires_grad=True)
    p = F.softmax(x, 1)
    np.testing.assert_allclose(p.sum(1).detach().numpy(), 1.0, rtol=1e-6)
    wide = logits.astype(np.float64)
    top = wide.max(1, keepdims=True)
    log_p = wide - top - np.log(np.exp(wide - top).sum(1, keepdims=True))
    assume(np.abs(log_p).max() < 3e38)
    np.testing.assert_allclose(F.log_softmax(x, 1).detach().numpy(), log_p.astype(np.float32), rtol=1e-5, atol=1e-6)
    target = np.arange(len(logits)) % logits.shape[1]
    loss = F.cross_entropy(x, T.tensor(target), reduction="none")
    np.testing.assert_allclose(loss.detach().numpy(), -log_p[np.arange(len(logits)), target], rtol=1e-5, atol=1e-6)
    loss.sum().backward()
    hit = np.eye(logits.shape[1])[target]
    np.testing.assert_allclose(x.grad.numpy(), np.exp(log_p) - hit, atol=1e-6)


# ---- convolution and pooling

two = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=40)
@given(two, two, st.tuples(st.integers(0, 2), st.integers(0, 2)), two, st.integers(1, 2), st.booleans())
def test_convolution_equals_pytorchs(kernel, stride, padding, dilation, groups, bias):
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    arrays = [draw.normal(size=s) for s in ((2, 2 * groups, 6, 5), (3 * groups, 2, *kernel), (3 * groups,))]
    found = []
    for lib in (T, torch):
        x, w, b = (lib.tensor(a, requires_grad=True) for a in arrays)
        try:
            out = lib.nn.functional.conv2d(x, w, b if bias else None, stride, padding, dilation, groups)
            (out * out).sum().backward()
            found.append((array_of(out), array_of(x.grad), array_of(w.grad), array_of(b.grad) if bias else None))
        except RuntimeError:
            found.append("refused")
    assert_same(*found, "conv2d")


@settings(max_examples=40)
@given(st.sampled_from(["max", "avg"]), two, two, st.integers(0, 1), st.integers(1, 2), st.booleans())
def test_pooling_equals_pytorchs(kind, kernel, stride, padding, dilation, ceil_mode):
    torch = pytest.importorskip("torch")
    array = np.random.default_rng(0).normal(size=(2, 2, 6, 5))
    found = []
    for lib in (T, torch):
        x = lib.tensor(array, requires_grad=True)
        extra = {"dilation": dilation} if kind == "max" else {"count_include_pad": dilation == 1}
        try:
            pool = getattr(lib.nn.functional, f"{kind}_pool2d")
            out = pool(x, kernel, stride, padding, ceil_mode=ceil_mode, **extra)
            (out * out).sum().backward()
            found.append((array_of(out), array_of(x.grad)))
        except RuntimeError:
            found.append("refused")
    assert_same(*found, f"{kind}_pool2d")


# ---- nothing at all

EMPTY = [
    ("exp", lambda x: x.exp()), ("add", lambda x: x + 1), ("matmul", lambda x: x.transpose(1, 2) @ x),
    ("sum", lambda x: x.sum(1)), ("cat", lambda x: T.cat([x, x], 1)), ("index", lambda x: x[:, [], 1:]),
    ("softmax", lambda x: F.softmax(x, 2)), ("reshape", lambda x: x.reshape(0, 7)),
    ("where", lambda x: T.where(x > 0, x, 0.0)),
    ("cumsum", lambda x: x.cumsum(1)), ("sort", lambda x: x.sort(1)[0]), ("mask", lambda x: x[x > 0]),
]  # fmt: skip


@pytest.mark.parametrize("case", EMPTY, ids=[name for name, _ in EMPTY])
def test_no_elements_are_no_trouble(case):
    x = T.zeros(2, 0, 3, requires_grad=True)
    out = case[1](x)
    out.sum().backward()
    assert x.grad.shape == (2, 0, 3)
