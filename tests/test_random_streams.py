"""The random streams are PyTorch's: golden values that need no PyTorch, then PyTorch itself beside it, bit for bit."""

import copy
import math
import os
import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from minigrad import random
from minigrad.kernels.dispatch import backend
from minigrad.kernels.random import box_muller, exp, fused, shuffle
from minigrad.random import Generator

FLOATS = ["float16", "float32", "float64"]
ALL = ["bool", "uint8", "int8", "int16", "int32", "int64", *FLOATS]
SIZES = [*range(35), 47, 48, 49, 100, 199, 200, 1000, 4096, 70001]


def bits(array):
    """Floating point numbers as integers: -0.0 is not 0.0, nan is nan."""
    return array.view(f"i{array.itemsize}") if array.dtype.kind == "f" else array


# ---- golden values ------------------------------------------------------------------------------------------------

# Printed by PyTorch 2.13.0 (CPU, x86 with AVX2) as `float.hex` after torch.manual_seed(42).
GOLDEN = {
    "rand(4)": (lambda g: g.uniform(4), "0x1.c3b8ccp-1 0x1.d47b66p-1 0x1.880d7p-2 0x1.eb2a1cp-1"),
    "rand(1, dtype=float64)": (lambda g: g.uniform(1, dtype=np.float64), "0x1.dc66cbea3db30p-5"),
    "empty(2).uniform_(-0.1, 0.1)": (lambda g: g.uniform(2, -0.1, 0.1), "0x1.3927aep-4 0x1.53f8a4p-4"),
    "randn(5)": (
        lambda g: g.normal(5), "0x1.58c55cp-2 0x1.07cd3ap-3 0x1.e02dcep-3 0x1.d7b8d8p-3 -0x1.1f7384p+0"),
    "randn(20)[[0, 4, 8, 19]]": (
        lambda g: g.normal(20)[[0, 4, 8, 19]], "0x1.ed4a52p+0 -0x1.8429c4p-1 0x1.6c668ap-2 -0x1.3e41cp-1"),
    "randn(20, dtype=float64)[[0, 4, 19]]": (
        lambda g: g.normal(20, dtype=np.float64)[[0, 4, 19]],
        "0x1.32bee22ccb503p-2 -0x1.30c45c7145abep-5 -0x1.53162f2f5ea4fp-2"),
    "empty(3).exponential_(2)": (lambda g: g.exponential(3, 2.0), "0x1.ead0ccp-6 0x1.0a2468p-5 0x1.0e2a62p-4"),
    "randint(0, 100, (6,))": (lambda g: g.randint(0, 100, 6), [42, 67, 76, 14, 26, 35]),
    "randint(-2**40, 2**40, (2,))": (lambda g: g.randint(-(2**40), 2**40, 2), [-658003837517, 395924837646]),
    "empty((), dtype=int64).random_()": (lambda g: g.random(()), 6909045637428952499),
    "randperm(10)": (lambda g: g.randperm(10), [2, 6, 1, 8, 4, 5, 0, 9, 3, 7]),
    "empty(12).bernoulli_(0.3)": (lambda g: g.bernoulli(0.3, 12), [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0]),
    "empty(5, dtype=int64).geometric_(0.2)": (lambda g: g.geometric(0.2, 5, np.int64), [13, 13, 10, 14, 3]),
    "multinomial([.1, .2, .3, .4], 3)": (
        lambda g: g.multinomial(np.array([0.1, 0.2, 0.3, 0.4], np.float32), 3), [3, 1, 2]),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name):
    draw, expected = GOLDEN[name]
    numbers = draw(Generator().manual_seed(42)).tolist()
    if isinstance(expected, str):
        expected = [float.fromhex(x) for x in expected.split()]
    assert numbers == expected


def test_numbers_of_the_makemore_lecture():
    # A. Karpathy, "Building makemore" part 1, cells 36 and 37: the published outputs.
    g = Generator().manual_seed(2147483647)
    p = g.uniform(3)
    p /= p.sum()
    assert p.round(4).tolist() == [np.float32(0.6064), np.float32(0.3033), np.float32(0.0903)]
    assert "".join(map(str, g.multinomial(p, 20, replacement=True))) == "11200211000110011001"


# ---- beside PyTorch -----------------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]), random.fork_rng():
        yield torch


def same(torch, theirs, ours):
    """Equal in dtype, shape and bits; on CPUs where PyTorch rounds otherwise than with AVX2, equal to 2e-6."""
    theirs = theirs.numpy()
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    if ours.dtype.kind != "f" or torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        np.testing.assert_array_equal(bits(ours), bits(theirs))
    else:
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-3 if ours.dtype == np.float16 else 2e-6)


def seeded(torch, seed):
    torch.manual_seed(seed)
    return Generator().manual_seed(seed)


def same_position(torch, generator):
    np.testing.assert_array_equal(generator.get_state(), torch.get_rng_state().numpy())


def narrow(x):
    return 1 + 4 * {2: 2**-10, 4: 2**-23, 8: 2**-52}[x.itemsize]  # much of [1, this) rounds up to the upper bound


CONTINUOUS = {
    "rand": (lambda x: x.uniform_(), lambda g, n, d: g.uniform(n, dtype=d)),
    "uniform": (lambda x: x.uniform_(-0.37, 0.91), lambda g, n, d: g.uniform(n, -0.37, 0.91, d)),
    "uniform, narrow": (lambda x: x.uniform_(1, narrow(x)), lambda g, n, d: g.uniform(n, 1, narrow(d), d)),
    "randn": (lambda x: x.normal_(), lambda g, n, d: g.normal(n, dtype=d)),
    "normal": (lambda x: x.normal_(0.3, 1.7), lambda g, n, d: g.normal(n, 0.3, 1.7, d)),
    "exponential": (lambda x: x.exponential_(1.7), lambda g, n, d: g.exponential(n, 1.7, d)),
    "log_normal": (lambda x: x.log_normal_(0.3, 0.7), lambda g, n, d: g.log_normal(n, 0.3, 0.7, d)),
    "cauchy": (lambda x: x.cauchy_(1, 2.5), lambda g, n, d: g.cauchy(n, 1, 2.5, d)),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(torch, name, dtype):
    theirs, ours = CONTINUOUS[name]
    g = seeded(torch, 7)
    for n in SIZES:
        same(torch, theirs(torch.empty(n, dtype=getattr(torch, dtype))), ours(g, n, np.dtype(dtype)))
        same_position(torch, g)


def test_a_million(torch):
    g = seeded(torch, 3)
    same(torch, torch.randn(1_000_003), g.normal(1_000_003))
    same(torch, torch.rand(1_000_003), g.uniform(1_000_003))
    same(torch, torch.empty(1000, 999).uniform_(-0.03, 0.03), g.uniform((1000, 999), -0.03, 0.03))
    same(torch, torch.randperm(1_000_003), g.randperm(1_000_003))
    same_position(torch, g)


@pytest.mark.parametrize("dtype", ALL)
def test_integers(torch, dtype):
    theirs, kind = getattr(torch, dtype), np.dtype(dtype)
    least, most = random._INTEGERS[kind]
    g = seeded(torch, 11)
    ranges = [(0, 2), (least, most), (-5, 3), (0, 100), (0, 2**28 - 1), (0, 2**28), (-7, 2**31), (-(2**40), 2**50)]
    for low, high in ranges:
        low, high = max(low, least), min(high, most)
        for n in (1, 17, 1000):
            same(torch, torch.randint(low, high, (n,), dtype=theirs), g.randint(low, high, n, kind))
    for n in (1, 17, 70001):
        same(torch, torch.empty(n, dtype=theirs).random_(), g.random(n, kind))
        if dtype != "int64":  # there "from" alone means all 64 bits; below
            same(torch, torch.empty(n, dtype=theirs).random_(1, None), g.randint(1, None, n, kind))
        same(torch, torch.empty(n, dtype=theirs).bernoulli_(0.3), g.bernoulli(0.3, n, kind))
    same_position(torch, g)


def test_all_64_bits(torch):
    g = seeded(torch, 12)
    same(torch, torch.empty(100, dtype=torch.int64).random_(-5, None), g.randint(-5, None, 100))
    same(torch, torch.empty(9, dtype=torch.int64).random_(-(2**63), None), g.randint(-(2**63), None, 9))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", *FLOATS])
def test_randperm(torch, dtype):
    g = seeded(torch, 5)
    for n in [*range(20), 100, 250]:
        same(torch, torch.randperm(n, dtype=getattr(torch, dtype)), g.randperm(n, np.dtype(dtype)))
    same(torch, torch.randperm(30000), g.randperm(30000))
    same_position(torch, g)


@pytest.mark.parametrize("p", [0, 1, 0.5, 0.1, 0.9, 1e-3, 2.0**-53, 1 - 2.0**-53])
def test_bernoulli_of_a_number(torch, p):
    g = seeded(torch, 21)
    for n in SIZES:
        same(torch, torch.empty(n).bernoulli_(p), g.bernoulli(p, n))
    same(torch, torch.nn.functional.dropout(torch.ones(50, 30), 0.2) > 0, g.bernoulli(0.8, (50, 30), np.bool_))


@pytest.mark.parametrize("dtype", FLOATS)
def test_bernoulli_of_an_array(torch, dtype):
    g = seeded(torch, 22)
    for shape in [(), (1,), (33,), (20, 30)]:
        p = np.asarray(np.random.default_rng(0).random(shape)).astype(dtype)
        same(torch, torch.bernoulli(torch.from_numpy(p)), g.bernoulli(p, dtype=np.dtype(dtype)))
    p = np.array([[0.1], [0.9]], dtype)
    same(torch, torch.empty(2, 50).bernoulli_(torch.from_numpy(p)), g.bernoulli(p, (2, 50)))


@pytest.mark.parametrize("dtype", ["int32", "int64", *FLOATS])
def test_geometric(torch, dtype):
    g = seeded(torch, 23)
    for p in (0.05, 0.3, 0.9):
        theirs = torch.empty(1001, dtype=getattr(torch, dtype)).geometric_(p)
        same(torch, theirs, g.geometric(p, 1001, np.dtype(dtype)))


# Without replacement float16 has ties, whose order PyTorch leaves open.
@pytest.mark.parametrize(
    ("dtype", "replacement"), [(d, r) for d in FLOATS for r in (False, True) if r or d != "float16"]
)
def test_multinomial(torch, dtype, replacement):
    g = seeded(torch, 24)
    for shape, samples in [((1,), 1), ((5,), 1), ((5,), 5), ((27,), 13), ((4, 65), 1), ((3, 1000), 40), ((0, 3), 2)]:
        p = np.random.default_rng(1).random(shape).astype(dtype)
        for count in (samples, 300) if replacement else (samples,):
            theirs = torch.multinomial(torch.from_numpy(p), count, replacement)
            same(torch, theirs, g.multinomial(p, count, replacement))
    p = np.array([0, 1, 0, 2, 0], dtype)
    same(torch, torch.multinomial(torch.from_numpy(p), 2, replacement), g.multinomial(p, 2, replacement))
    same_position(torch, g)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [3, 15, 16, 100])
def test_normal_with_tensors(torch, dtype, n):
    rng = np.random.default_rng(n)
    mean, std = rng.standard_normal(n).astype(dtype), rng.random(n).astype(dtype)
    t_mean, t_std = torch.from_numpy(mean), torch.from_numpy(std)
    g = seeded(torch, 26)
    same(torch, torch.normal(t_mean, t_std), g.normal_tensors(mean, std))
    same(torch, torch.normal(t_mean, 1.3), g.normal_tensors(mean, 1.3))
    same(torch, torch.normal(0.7, t_std), g.normal_tensors(0.7, std))
    same(torch, torch.normal(t_mean[:, None], t_std), g.normal_tensors(mean[:, None], std))


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_of_a_tensor_that_is_not_contiguous(torch, dtype):
    g = seeded(torch, 27)
    for n in (2, 15, 16, 17, 100):
        theirs = torch.empty(n, 2, dtype=getattr(torch, dtype))[:, 0].normal_(0.5, 2)
        same(torch, theirs.clone(), g.normal(n, 0.5, 2, np.dtype(dtype), serial=True))
    same_position(torch, g)


def test_initializers(torch):
    init = torch.nn.init
    g = seeded(torch, 31)
    same(torch, init.kaiming_uniform_(torch.empty(40, 30), math.sqrt(5)), g.uniform((40, 30), -(30**-0.5), 30**-0.5))
    same(torch, init.xavier_normal_(torch.empty(8, 12)), g.normal((8, 12), 0.0, math.sqrt(2 / 20)))
    same(torch, init.normal_(torch.empty(3, 5), 0.0, 0.02), g.normal((3, 5), 0.0, 0.02))
    torch.manual_seed(31)
    orthogonal = init.orthogonal_(torch.empty(20, 10))  # normals, then QR
    q, r = torch.linalg.qr(torch.from_numpy(Generator().manual_seed(31).normal((20, 10))))
    assert torch.equal(orthogonal, q * r.diagonal().sign())


def test_trunc_normal(torch):
    # Rejection, as torch.nn.init does it: draw all again, take what replaces those that had fallen outside.
    g = seeded(torch, 32)
    theirs = torch.nn.init.trunc_normal_(torch.empty(50, 40), 0.5, 2.0, -1.0, 3.0)
    ours = g.normal((50, 40), 0.5, 2.0)
    while (outside := (ours < -1) | (ours > 3)).any():
        ours = np.where(outside, g.normal((50, 40), 0.5, 2.0), ours)
    same(torch, theirs, ours)


def test_shuffles_of_the_data_loader(torch):
    g = seeded(torch, 33)
    order = list(torch.utils.data.RandomSampler(range(57)))
    assert Generator().manual_seed(int(g.random(()))).randperm(57).tolist() == order
    halves = torch.utils.data.random_split(range(10), [5, 5])
    assert g.randperm(10).tolist() == [*halves[0].indices, *halves[1].indices]


# The waiting normal, odd counts and both widths of words: any mixture of calls keeps both at the same place.
MIXTURE = [
    lambda t, n: (t.rand(n), lambda g: g.uniform(n)),
    lambda t, n: (t.rand(n, dtype=t.float64), lambda g: g.uniform(n, dtype=np.float64)),
    lambda t, n: (t.randn(n), lambda g: g.normal(n)),
    lambda t, n: (t.randn(n, dtype=t.float64), lambda g: g.normal(n, dtype=np.float64)),
    lambda t, n: (t.randn(n, dtype=t.float16), lambda g: g.normal(n, dtype=np.float16)),
    lambda t, n: (t.empty(n).log_normal_(), lambda g: g.log_normal(n)),
    lambda t, n: (t.randint(0, 10, (n,)), lambda g: g.randint(0, 10, n)),
    lambda t, n: (t.randint(0, 2**30, (n,)), lambda g: g.randint(0, 2**30, n)),
    lambda t, n: (t.randperm(n), lambda g: g.randperm(n)),
    lambda t, n: (t.empty(n).bernoulli_(0.4), lambda g: g.bernoulli(0.4, n)),
    lambda t, n: (t.empty(n).exponential_(), lambda g: g.exponential(n)),
]


def test_mixed_calls(torch):
    choose = np.random.default_rng(99)
    g = seeded(torch, 41)
    for _ in range(2000):
        n = int(choose.integers(0, 40))
        theirs, ours = MIXTURE[choose.integers(len(MIXTURE))](torch, n)
        same(torch, theirs, ours(g))
        if choose.random() < 0.1:
            same_position(torch, g)
            g.set_state(torch.get_rng_state().numpy())
        elif choose.random() < 0.1:
            torch.set_rng_state(torch.from_numpy(g.get_state().numpy()))
    same_position(torch, g)


@pytest.mark.parametrize("drawn", [0, 1, 3, 623, 624, 625, 1248, 5000])
def test_states_are_exchanged(torch, drawn):
    g = seeded(torch, 51)
    torch.rand(drawn), g.uniform(drawn)
    torch.randn(1), g.normal(1)  # leaves the second of the pair waiting
    same_position(torch, g)
    theirs = torch.Generator().set_state(torch.from_numpy(g.get_state().numpy()))
    ours = Generator().set_state(torch.get_rng_state())
    for n in (1, 2, 20):
        same(torch, torch.randn(n, generator=theirs), ours.normal(n))
    assert ours.initial_seed() == theirs.initial_seed() == 51


@pytest.mark.parametrize("seed", [0, 1, -1, 2**31, 2**32, 2**32 + 1, 2**64 - 1, -(2**63), True])
def test_seeds(torch, seed):
    torch.manual_seed(seed)
    assert random.manual_seed(seed) is random.default_generator
    same(torch, torch.rand(5), random.default_generator.uniform(5))
    assert random.initial_seed() == torch.initial_seed() % 2**64
    assert Generator().initial_seed() == torch.Generator().initial_seed()
    same_position(torch, random.default_generator)


# ---- seeds and states without PyTorch -----------------------------------------------------------------------------


def test_seed_from_the_system_differs():
    g = Generator()
    assert g.seed() != g.seed() < 2**53
    with random.fork_rng():
        assert random.seed() == random.initial_seed() != random.seed()


def test_manual_seed_takes_what_int_takes():
    with random.fork_rng():
        assert random.manual_seed(2.7).initial_seed() == 2
        assert random.manual_seed("5").initial_seed() == 5


def test_two_processes_do_not_share_a_seed():
    code = "import minigrad.random as r; print(r.initial_seed())"
    seeds = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(seeds) == 2


def test_copies_go_on_alike_and_apart():
    g = Generator().manual_seed(3)
    g.normal(3)
    for other in (copy.deepcopy(g), pickle.loads(pickle.dumps(g)), Generator().set_state(g.get_state())):
        expected = Generator().set_state(g.get_state()).normal(30)
        assert np.array_equal(other.normal(30), expected)
    assert g.initial_seed() == 3


def test_fork_rng_gives_the_stream_back():
    with random.fork_rng():
        random.manual_seed(1)
        random.default_generator.normal(3)
        before = random.get_rng_state()
        with pytest.raises(TypeError), random.fork_rng():  # also where the block fails, here at its end
            random.manual_seed(2).manual_seed()
        assert np.array_equal(random.get_rng_state(), before)
        with random.fork_rng(enabled=False):
            random.default_generator.uniform(1)
        assert not np.array_equal(random.get_rng_state(), before)
        random.set_rng_state(before)
        assert np.array_equal(random.get_rng_state(), before)


def test_device():
    assert str(Generator("cpu").device) == "cpu"
    with pytest.raises(RuntimeError, match="CPU only"):
        Generator("cuda")


def test_shapes():
    g = Generator()
    assert g.uniform(()).shape == g.normal(()).shape == g.randint(0, 2, ()).shape == g.bernoulli(0.5).shape == ()
    assert all(isinstance(a, np.ndarray) for a in (g.uniform(()), g.normal(()), g.bernoulli(np.array(0.5))))
    assert g.normal((2, 3, 4)).shape == (2, 3, 4)
    state = g.get_state()
    for shape in ((0,), (3, 0)):
        assert g.uniform(shape).shape == g.normal(shape).shape == g.randint(0, 2, shape).shape == shape
    assert g.randperm(0).shape == (0,)
    assert np.array_equal(g.get_state(), state)  # nothing drawn for nothing


def test_default_dtype():
    from minigrad.dtypes import float32, float64, get_default_dtype, set_default_dtype

    assert get_default_dtype() is float32
    set_default_dtype(float64)
    try:
        assert Generator().uniform(3).dtype == Generator().normal(3).dtype == np.float64
    finally:
        set_default_dtype(float32)
    assert Generator().normal(20, dtype=float64).dtype == np.float64


def test_large_values_overflow_to_infinity_silently():
    g = Generator().manual_seed(0)
    assert np.isinf(g.normal(100, 0.0, 1e6, np.float16)).any()
    assert np.isinf(g.log_normal(1000, 0.0, 400.0, np.float64)).any()
    assert exp(np.array([-1e4, 0.0, 709.5, 710.0])).tolist() == [0.0, 1.0, math.exp(709.5), math.inf]


# ---- errors -------------------------------------------------------------------------------------------------------

WRONG = {
    "uniform, bounds": (lambda g: g.uniform(3, 2, 1), RuntimeError, r"from=2 > to=1"),
    "uniform, nan": (lambda g: g.uniform(3, math.nan, 1), RuntimeError, r"uniform_"),
    "uniform, too wide": (lambda g: g.uniform(3, -3e38, 3e38), RuntimeError, r"fit float32"),
    "uniform, dtype": (lambda g: g.uniform(3, dtype=np.int32), NotImplementedError, r"uniform_\(\).*int32"),
    "normal, std": (lambda g: g.normal(3, 0, -1), RuntimeError, r"std >= 0.0, but found std -1"),
    "normal, dtype": (lambda g: g.normal(3, dtype=np.int64), NotImplementedError, r"normal_\(\).*int64"),
    "normal, shape": (lambda g: g.normal((2, -1)), RuntimeError, r"\[2, -1\]"),
    "normal, tensor std": (lambda g: g.normal_tensors(0.0, np.array([1.0, -2.0])), RuntimeError, r"found -2"),
    "log_normal, std": (lambda g: g.log_normal(3, 0, 0), RuntimeError, r"std > 0.0, but found std=0"),
    "exponential, rate": (lambda g: g.exponential(3, 0), RuntimeError, r"lambda > 0.0, but found lambda=0"),
    "exponential, dtype": (lambda g: g.exponential(3, dtype=np.int32), RuntimeError, r"continuous"),
    "cauchy, sigma": (lambda g: g.cauchy(3, 0, -1), RuntimeError, r"sigma > 0.0, but found sigma=-1"),
    "geometric, p": (lambda g: g.geometric(1, 3), RuntimeError, r"\(0, 1\), but got p=1"),
    "bernoulli, p": (lambda g: g.bernoulli(1.2, 3), RuntimeError, r"\[0, 1\], but got p=1.2"),
    "bernoulli, nan": (lambda g: g.bernoulli(math.nan, 3), RuntimeError, r"p=nan"),
    "bernoulli, array": (lambda g: g.bernoulli(np.array([0.5, 1.5])), RuntimeError, r"\[0.5, 1.5\]"),
    "bernoulli, array of nan": (lambda g: g.bernoulli(np.array([0.5, math.nan])), RuntimeError, r"nan"),
    "bernoulli, integers": (lambda g: g.bernoulli(np.array([0, 1])), NotImplementedError, r"int64"),
    "randint, empty": (lambda g: g.randint(5, 5, 3), RuntimeError, r"from=5 >= to=5"),
    "randint, high": (lambda g: g.randint(0, 300, 3, np.uint8), RuntimeError, r"to - 1 is out of bounds for uint8"),
    "randint, low": (lambda g: g.randint(-1, 3, 3, np.uint8), RuntimeError, r"from is out of bounds for uint8"),
    "randint, float32": (lambda g: g.randint(0, 2**24 + 2, 3, np.float32), RuntimeError, r"16777216"),
    "randint, float": (lambda g: g.randint(0.5, 3, 3), TypeError, r"'low': got float 0.5"),
    "randperm, negative": (lambda g: g.randperm(-1), RuntimeError, r"'n': got -1"),
    "randperm, float": (lambda g: g.randperm(2.0), TypeError, r"'n': got float 2.0"),
    "randperm, bool": (lambda g: g.randperm(3, np.bool_), NotImplementedError, r"bool"),
    "randperm, uint8": (lambda g: g.randperm(300, np.uint8), RuntimeError, r"uint8"),
    "randperm, float16": (lambda g: g.randperm(2050, np.float16), RuntimeError, r"float16"),
    "randperm, huge": (lambda g: g.randperm(2**32 // 20), NotImplementedError, r"n < 214748364"),
    "multinomial, dtype": (lambda g: g.multinomial(np.array([1, 2]), 1), RuntimeError, r"int64"),
    "multinomial, dims": (lambda g: g.multinomial(np.ones((2, 2, 2)), 1), RuntimeError, r"1 or 2 dim"),
    "multinomial, none": (lambda g: g.multinomial(np.ones(2), 0), RuntimeError, r"n_sample <= 0"),
    "multinomial, many": (lambda g: g.multinomial(np.ones(2), 3), RuntimeError, r"n_sample=3 of 2 categories"),
    "multinomial, empty": (lambda g: g.multinomial(np.ones((2, 0)), 1, True), RuntimeError, r"of 0 categories"),
    "multinomial, negative": (lambda g: g.multinomial(np.array([1.0, -2.0]), 1), RuntimeError, r"element < 0"),
    "multinomial, nan": (lambda g: g.multinomial(np.array([1.0, math.nan]), 3, True), RuntimeError, r"nan"),
    "multinomial, inf": (lambda g: g.multinomial(np.array([1.0, math.inf]), 1), RuntimeError, r"inf"),
    "multinomial, zeros": (lambda g: g.multinomial(np.eye(2, 3) * [1, 0, 0], 1), RuntimeError, r"probabilities <= 0"),
    "seed, str": (lambda g: g.manual_seed("a"), RuntimeError, r"'seed': got str 'a'"),
    "seed, large": (lambda g: g.manual_seed(2**64), ValueError, r"2\*\*64"),
    "seed, small": (lambda g: g.manual_seed(-(2**63) - 1), ValueError, r"2\*\*63"),
    "state, dtype": (lambda g: g.set_state(np.zeros(5056)), TypeError, r"ByteTensor"),
    "state, size": (lambda g: g.set_state(np.zeros(10, np.uint8)), RuntimeError, r"5056 bytes, got 10"),
    "state, content": (lambda g: g.set_state(np.zeros(5056, np.uint8)), RuntimeError, r"Invalid mt19937 state"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    call, kind, text = WRONG[name]
    g = Generator().manual_seed(1)
    state = g.get_state()
    with pytest.raises(kind, match=text):
        call(g)
    assert np.array_equal(g.get_state(), state)  # a refused call draws nothing


# ---- the arithmetic -----------------------------------------------------------------------------------------------


def test_both_twins_give_the_same_bits():
    g = Generator().manual_seed(61)
    uniforms = g.uniform((1 << 14, 16))
    uniforms[0], uniforms[1] = 0, 1 - 2.0**-24  # the ends of the range
    uniforms[2, :8], uniforms[2, 8:] = 2.0**-24, np.arange(8) / 8
    partners = g.randint(0, 1 << 20, 9999) % np.arange(10000, 1, -1) + np.arange(9999)
    results = {}
    for name in ("numpy", "numba"):
        with backend(name):
            results[name] = box_muller(uniforms, 0.1, 1.3), shuffle(partners, 10000)
    for by_numpy, by_numba in zip(results["numpy"], results["numba"], strict=True):
        np.testing.assert_array_equal(bits(by_numpy), bits(by_numba))
    assert sorted(results["numba"][1]) == list(range(10000))


def test_box_muller_follows_its_formula():
    uniforms = Generator().manual_seed(62).uniform((1000, 16))
    u1, u2 = uniforms[:, :8].astype(np.float64), uniforms[:, 8:].astype(np.float64)
    radius, angle = np.sqrt(-2 * np.log(1 - u1)), 2 * np.pi * u2
    expected = np.concatenate((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
    np.testing.assert_allclose(box_muller(uniforms, 0.0, 1.0), expected, rtol=1e-6, atol=3e-6)


def test_fused_rounds_once():
    rng = np.random.default_rng(63)
    x = rng.random(300)
    for factor, summand in [(1.28, -0.37), (1e-9, 1.0), (3e8, -1.5e8), (0.1, 0.0), (-2.5, 2.5)]:
        exact = [Fraction(v) * Fraction(factor) + Fraction(summand) for v in x.tolist()]
        assert fused(x, factor, summand).tolist() == [float(e) for e in exact]


def test_a_few_numbers_do_not_load_numba():
    code = "import sys, minigrad.random as r; r.Generator().normal(1000).sort(); print('numba' in sys.modules)"
    env = {**os.environ, "MINIGRAD_BACKEND": "auto"}  # under "numba" it would be right to load it
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "False"
