"""Random numbers: `Generator`, with PyTorch's CPU streams, and the default generator behind ``minigrad.manual_seed``.

Ground floor: shapes and ndarrays in, ndarrays out; the tensor-facing names (``rand``, ``Tensor.normal_``, ...) are ops
that call the methods here.  The promise: *seed both, get the same numbers*.

All of PyTorch's CPU streams are drawn from one MT19937 (Matsumoto and Nishimura, 1998), which NumPy has too.  What
makes the numbers equal is taking the same words of it, in the same order, through the same formula:

    float32 uniform   the low 24 bits of one 32-bit word, times 2**-24
    float64 uniform   the low 53 bits of two words (first the high one), times 2**-53
    integer           a word modulo the range; two words from a range of 2**28 on
    normal            Box-Muller: sixteen at a time, or in pairs whose second value waits in the generator

So equal to PyTorch 2.13, bit for bit: uniform, normal, randint, randperm, bernoulli, exponential, geometric, cauchy,
log_normal and multinomial, in float16, float32 and float64.  The numbers here are the same on every machine; PyTorch's
are not quite.  These are the ones that it gives on x86 with AVX2; without, its float32 normals differ by up to 1e-6.
And multinomial without replacement leaves the order of exact ties (several zero probabilities) to the sort in use.
"""

import contextlib
import math
import os

import numpy as np

from minigrad import random_state
from minigrad.dtypes import ALL, as_numpy, device, finfo, iinfo
from minigrad.errors import describe, message, shape_text
from minigrad.kernels.random import box_muller, box_muller64, exp, fused, libm, look_up, shuffle
from minigrad.shapes import not_negative

DEFAULT_SEED = 67280421310721  # of a new Generator, as in PyTorch
_CHUNK = 1 << 16  # words drawn at once: what is made of them stays in the cache
_WIDE = 1 << 28  # from this range on an integer takes two words (fewer would prefer some values by 5 % and more)
_MANY = (1 << 32) // 20  # PyTorch shuffles longer permutations in another way
_LARGEST = {d.itemsize: finfo(d).max for d in ALL if d.is_floating_point}

# The least and the greatest integer up to which a dtype holds all of them.
_INTEGERS = {d.numpy: (iinfo(d).min, iinfo(d).max) for d in ALL if d.numpy.kind in "iu"} | {
    np.dtype(np.bool_): (0, 1),
    np.dtype(np.float16): (-(1 << 11), 1 << 11),
    np.dtype(np.float32): (-(1 << 24), 1 << 24),
    np.dtype(np.float64): (-(1 << 53), 1 << 53),
}


class Generator:
    """A source of random numbers with its own state: ``Generator().manual_seed(0)``.

    Every method takes the shape (a tuple of ints, or one int) and gives a new array of it, in C order.  ``dtype`` is
    anything `dtypes.as_numpy` takes.  A dtype that a distribution does not support is a NotImplementedError,
    parameters outside their range are a RuntimeError, as in PyTorch.
    """

    __slots__ = ("__weakref__", "_engine", "_has_engine", "_seed", "_seeder", "_waiting")

    def __init__(self, device="cpu"):
        _check_device(device)
        self._seed, self._waiting, self._has_engine = DEFAULT_SEED, None, False

    def __getattr__(self, name):
        """The engine is made when it is first needed: loading numpy.random would be a tenth of `import minigrad`."""
        if name not in ("_engine", "_seeder"):
            raise AttributeError(f"'Generator' object has no attribute {name!r}")
        self._engine = np.random.MT19937(0)
        self._seeder = np.random.RandomState(self._engine)
        self._seeder.seed(self._seed & 0xFFFFFFFF)
        self._has_engine = True
        return getattr(self, name)

    @property
    def device(self):
        """``device(type='cpu')``."""
        return device("cpu")

    # ---- seed and state -------------------------------------------------------------------------------------------

    def manual_seed(self, seed):
        """Starts the stream that belongs to `seed` (an int of 64 bits; -1 means 2**64 - 1) and returns the generator.

        Only the low 32 bits choose the stream, as in PyTorch.  ValueError if the int has more than 64 bits.
        """
        seed = _whole("manual_seed", "seed", seed, RuntimeError)
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError(message("manual_seed", "seed", str(seed), "-2**63 <= seed < 2**64"))
        self._seed = seed % (1 << 64)
        if self._has_engine:
            self._seeder.seed(self._seed & 0xFFFFFFFF)
        self._waiting = None  # the second normal of a pair
        return self

    def seed(self):
        """Seeds from the operating system and returns the seed, an int of 53 bits."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little") >> 11)
        return self._seed

    def initial_seed(self):
        """The last seed, as an int between 0 and 2**64 - 1."""
        return self._seed

    _as_tensor = staticmethod(lambda array: array)  # `sampling.py` sets it: tensors are not known down here

    def get_state(self):
        """The state as a uint8 tensor of shape (5056,), in the layout of ``torch.Generator.get_state()``."""
        engine = self._engine.state["state"]
        return self._as_tensor(random_state.packed(self._seed, engine["key"], engine["pos"], self._waiting))

    def set_state(self, new_state):
        """Goes on from a state (tensor or array) of `get_state` or of ``torch.get_rng_state()``.

        TypeError if it is not of dtype uint8, RuntimeError if it does not have the size or content of a state.
        """
        self._seed, words, position, self._waiting = random_state.unpacked(new_state)
        self._engine.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": position}}
        return self

    def __reduce__(self):
        return _restored, (self.get_state(),)

    def __setstate__(self, state):
        self.set_state(state[-1])  # PyTorch pickles (seed, offset, state)

    # ---- words and units ------------------------------------------------------------------------------------------

    def _words64(self, count):
        """uint64 numbers of two words each."""
        words = self._engine.random_raw(2 * count)
        out = words[0::2] << 32
        out |= words[1::2]
        return out

    def _low24(self, count):
        words = self._engine.random_raw(count)
        words &= (1 << 24) - 1
        return words.view(np.int64)  # signed: its conversion to floating point is the faster one

    def _low53(self, count):
        words = self._words64(count)
        words &= (1 << 53) - 1
        return words.view(np.int64)

    def _units32(self, count):
        """float32 uniforms of [0, 1)."""
        out = _in_chunks(count, np.float32, self._low24)
        out *= np.float32(2**-24)
        return out

    def _units64(self, count):
        """float64 uniforms of [0, 1)."""
        out = _in_chunks(count, np.float64, self._low53)
        out *= 2.0**-53
        return out

    # ---- continuous distributions ---------------------------------------------------------------------------------

    def uniform(self, shape, low=0.0, high=1.0, dtype=None):
        """Uniform on [low, high): ``u * (high - low) + low``, rounded once; what rounds up to `high` becomes `low`."""
        shape, count, kind = _arguments("uniform_", shape, dtype)
        low, high = float(low), float(high)
        if not low <= high:
            raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
        if not max(high - low, abs(low), abs(high)) <= _LARGEST[kind.itemsize]:
            raise RuntimeError(f"uniform_ expects bounds and to-from to fit {kind}, got from={low:g} and to={high:g}")
        units = self._units64(count) if kind == np.float64 else self._units32(count)
        if (low, high) == (0.0, 1.0):
            if kind == np.float16:
                units = units.astype(kind)
                units[units == 1] = 0
        elif kind == np.float64:
            units = fused(units, high - low, low)
            units[units == high] = low
        else:
            low, high = np.float32(low), np.float32(high)
            width = np.float64(high - low)
            for start in range(0, count, _CHUNK):  # a float32 product is exact in float64: the sum rounds once
                part = units[start : start + _CHUNK]
                part[...] = part * width + np.float64(low)
            units = units.astype(kind, copy=False)
            units[units == kind.type(high)] = kind.type(low)
        return units.reshape(shape)

    def normal(self, shape, mean=0.0, std=1.0, dtype=None, serial=False):
        """Normal with the given mean and standard deviation, by Box and Muller's formula.

        PyTorch has two algorithms: below 16 elements, and for tensors that are not contiguous, pairs of float64 whose
        second value waits in the generator; else blocks of 16.  ``serial=True`` asks for the first one.
        """
        shape, count, kind = _arguments("normal_", shape, dtype)
        mean, std = float(mean), float(std)
        if not std >= 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
        if serial or count < 16:
            values = self._serial_normals(count)
            if (mean, std) != (0.0, 1.0):
                values = fused(values, std, mean)
        elif kind == np.float64:
            values = self._block_normals(kind, count, self._units64, lambda rows: box_muller64(rows, mean, std))
        else:
            values = self._block_normals(kind, count, self._units32, lambda rows: box_muller(rows, mean, std))
        return _rounded(values, kind).reshape(shape)

    def _block_normals(self, kind, count, units, transform):
        """`count` >= 16 normals; `transform` makes rows of 16 of them from rows of 16 uniforms, drawn by `units`."""
        out, rest = np.empty(count, np.result_type(kind, np.float32)), count % 16
        for start in range(0, count - rest, _CHUNK):
            block = transform(units(min(_CHUNK, count - rest - start)).reshape(-1, 16))
            out[start : start + block.size] = block.reshape(-1)
        if rest:  # PyTorch draws for the rest (except in float16), then makes the last sixteen anew from new words
            units(rest if kind != np.float16 else 0)
            out[-16:] = transform(units(16).reshape(1, 16))[0]
        return out

    def _serial_normals(self, count):
        out = np.empty(count)
        done = 0
        if count and self._waiting is not None:
            out[0], self._waiting, done = self._waiting, None, 1
        missing = count - done
        pairs = self._units64(missing + missing % 2)
        radius = np.sqrt(-2.0 * libm(math.log1p, -pairs[1::2]))
        angle = 2.0 * math.pi * pairs[0::2]
        pairs[0::2], pairs[1::2] = radius * libm(math.cos, angle), radius * libm(math.sin, angle)
        out[done:] = pairs[:missing]
        if missing % 2:
            self._waiting = float(pairs[-1])
        return out

    def normal_tensors(self, mean, std):
        """Normals whose mean and standard deviation vary: ``torch.normal(mean, std)``.

        One of the two at least is a floating point ndarray; shape is their broadcast one, the dtype that of `mean` if
        this is an array, else that of `std`.
        """
        shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
        kind = (mean if isinstance(mean, np.ndarray) else std).dtype
        if not isinstance(std, np.ndarray):
            values = self.normal(shape, 0.0, std, kind)
        else:
            if std.size and not std.min() >= 0:
                raise RuntimeError(f"normal expects all elements of std >= 0.0, but found {std.min():g}")
            values = self.normal(shape, 0.0, 1.0, kind)
            values *= std
        values += mean
        return values

    def log_normal(self, shape, mean=1.0, std=2.0, dtype=None):
        """``exp`` of a normal with the given mean and standard deviation (`mean` and `std` are not the result's)."""
        shape, count, kind = _arguments("log_normal_", shape, dtype)
        if not std > 0:
            raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
        return _rounded(exp(fused(self._serial_normals(count), std, mean)), kind).reshape(shape)

    def exponential(self, shape, lambd=1.0, dtype=None):
        """Exponential of rate `lambd`: ``-log(1 - u) / lambd``."""
        shape, count, kind = _arguments("exponential_", shape, dtype, RuntimeError)
        if not lambd > 0:
            raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
        values = self._units64(count)
        np.negative(values, out=values)
        # Rounded to float32, NumPy's own log1p (faster) and the C library's are the same.
        values = libm(math.log1p, values) if kind == np.float64 else np.log1p(values, out=values)
        values *= -1.0 / lambd
        return _rounded(values, kind).reshape(shape)

    def cauchy(self, shape, median=0.0, sigma=1.0, dtype=None):
        """Cauchy: ``median + sigma * tan(pi * (u - 1/2))``."""
        shape, count, kind = _arguments("cauchy_", shape, dtype, RuntimeError)
        if not sigma > 0:
            raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
        values = libm(math.tan, math.pi * (self._units64(count) - 0.5))
        return _rounded(fused(values, sigma, median), kind).reshape(shape)

    # ---- discrete distributions -----------------------------------------------------------------------------------

    def randint(self, low, high, shape, dtype=np.int64):
        """Integers of [low, high), equally likely, in any dtype; ``high=None`` goes up to the dtype's largest integer.

        For floating point dtypes that is 2**24 (float32), 2**53 (float64), 2**11 (float16): up to there every integer
        exists.  Bounds beyond are a RuntimeError (PyTorch warns that it will make them one).
        """
        shape, count, kind = _size("random_", shape, dtype)
        smallest, largest = _INTEGERS[kind]
        low = _whole("randint", "low", low)
        high = largest + 1 if high is None else _whole("randint", "high", high)
        if low >= high:
            raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
        for name, value in (("from", low), ("to - 1", high - 1)):
            if not smallest <= value <= largest:
                raise RuntimeError(f"{name} is out of bounds for {kind}: {value} is not in [{smallest}, {largest}]")
        span = high - low

        def one_word(n):
            words = self._engine.random_raw(n).astype(np.uint32)
            words -= words // span * span  # faster than NumPy's %
            return words + np.int64(low)

        def two_words(n):
            words = self._words64(n)
            # All 64 bits: the words are taken as signed numbers.
            return words.view(np.int64) if span == 1 << 64 else (words % span).view(np.int64) + low

        return _in_chunks(count, kind, one_word if span < _WIDE else two_words).reshape(shape)

    def random(self, shape, dtype=np.int64):
        """Integers of [0, largest of the dtype], as ``Tensor.random_()`` without bounds draws them."""
        shape, count, kind = _size("random_", shape, dtype)
        words = self._words64 if kind.itemsize == 8 else self._engine.random_raw
        span = _INTEGERS[kind][1] + 1
        return _in_chunks(count, kind, lambda n: words(n) % span).reshape(shape)

    def randperm(self, n, dtype=np.int64):
        """A permutation of 0 .. n-1 (Fisher and Yates): the i-th is swapped with one of the ``n - i`` from there on."""
        n, kind = _whole("randperm", "n", n), as_numpy(dtype, "randperm")
        if n < 0:
            raise RuntimeError(message("randperm", "n", str(n), "n >= 0"))
        if kind == np.bool_:
            raise NotImplementedError(message("randperm", "dtype", "bool", "an integer or floating point dtype"))
        if n > _INTEGERS[kind][1] + (kind.kind == "f"):
            raise RuntimeError(message("randperm", "n", str(n), f"a number that {kind} can hold"))
        if n >= _MANY:
            raise NotImplementedError(message("randperm", "n", str(n), f"n < {_MANY}", "permute blocks of that size"))
        partners = self._engine.random_raw(max(n - 1, 0)).astype(np.int64)
        partners %= np.arange(n, 1, -1)
        partners += np.arange(partners.size)
        return shuffle(partners, n).astype(kind, copy=False)

    def bernoulli(self, p, shape=None, dtype=None):
        """1 with probability `p`, else 0; in any dtype (bool: a mask).

        `p` is a number, or a floating point array that broadcasts to `shape` (None: its own shape).  A float32 array is
        compared with float32 uniforms, as PyTorch does: the stream is another one than that of a number.
        """
        if isinstance(p, np.ndarray):
            return self._bernoulli_array(p, p.shape if shape is None else shape, dtype)
        shape, count, kind = _size("bernoulli_", () if shape is None else shape, dtype)
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
        bound = math.ceil(p * 2.0**53)  # u < p exactly where u * 2**53, an integer, is below this
        return _in_chunks(count, kind, lambda n: self._low53(n) < bound).reshape(shape)

    def _bernoulli_array(self, p, shape, dtype):
        shape, count, kind = _size("bernoulli_", shape, dtype)
        if p.dtype.kind != "f":
            raise NotImplementedError(message("bernoulli_", "p", describe(p), "a floating point dtype"))
        if p.size and not (p.min() >= 0 and p.max() <= 1):
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got values in [{p.min():g}, {p.max():g}]")
        units = self._units64(count) if p.dtype == np.float64 else self._units32(count)
        return np.asarray(units.reshape(shape) < p).astype(kind)

    def geometric(self, p, shape, dtype=None):
        """The number of trials to the first success, 1 included: ``ceil(log(u) / log(1 - p))``; in any dtype."""
        shape, count, kind = _size("geometric_", shape, dtype)
        if not 0 < p < 1:
            raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
        with np.errstate(all="ignore"):  # where the dtype is too small for the number
            return np.ceil(np.log(self._units64(count)) / math.log(1.0 - p)).astype(kind).reshape(shape)

    def multinomial(self, probs, num_samples, replacement=False):
        """Indices drawn with probabilities proportional to `probs`.

        Args:
            probs (ndarray): floating point, of shape (n,) or (m, n); rows need not sum to one.
            num_samples (int): at most the number of categories n unless `replacement`.

        Returns:
            ndarray: int64 of shape (num_samples,) or (m, num_samples).

        Without replacement, and for a single sample, the largest of ``probs / e`` win, e exponential (the "exponential
        race"); with it, a uniform number is looked up in the cumulative sums.
        """
        if probs.dtype.kind != "f":
            raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {probs.dtype}")
        if probs.ndim not in (1, 2):
            raise RuntimeError(f"prob_dist must be 1 or 2 dim, got shape {shape_text(probs.shape)}")
        if num_samples <= 0:
            raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {num_samples}")
        categories = probs.shape[-1]
        if categories == 0 or (num_samples > categories and not replacement):
            what = f"n_sample={num_samples} of {categories} categories"
            raise RuntimeError(f"cannot sample n_sample > prob_dist.size(-1) samples without replacement: got {what}")
        if probs.size:
            if not (probs.min() >= 0 and probs.max() < np.inf):
                raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
            if not probs.any(axis=-1).all():
                raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
        if replacement and num_samples > 1:
            rows = probs.reshape(-1, categories)
            units = self._units64(len(rows) * num_samples).reshape(-1, num_samples)
            picks = [look_up(row, u) for row, u in zip(rows, units, strict=True)]
            return np.array(picks, np.int64).reshape(*probs.shape[:-1], num_samples)
        with np.errstate(all="ignore"):
            scores = probs / self.exponential(probs.shape, dtype=probs.dtype)
        if num_samples == 1:
            return scores.argmax(axis=-1, keepdims=True)
        return np.argsort(-scores, axis=-1, kind="stable")[..., :num_samples]


def _in_chunks(count, kind, make):
    """`count` elements of dtype `kind`, of which ``make(n)`` gives the next n."""
    out = np.empty(count, kind)
    for start in range(0, count, _CHUNK):
        out[start : start + _CHUNK] = make(min(_CHUNK, count - start))
    return out


def _whole(op, argument, value, error=TypeError):
    if not hasattr(value, "__index__"):
        raise error(message(op, argument, describe(value), "an int"))
    return value.__index__()


def _rounded(values, kind):
    """`values` in another dtype, infinite where they are too large; to float16 by way of float32, as PyTorch goes."""
    with np.errstate(over="ignore"):
        return (values.astype(np.float32) if kind == np.float16 else values).astype(kind, copy=False)


def _size(op, shape, dtype):
    """shape as tuple, number of elements, NumPy dtype."""
    shape = not_negative((shape,) if isinstance(shape, int) else tuple(shape), op)
    return shape, math.prod(shape), as_numpy(dtype, op)


def _arguments(op, shape, dtype, error=NotImplementedError):
    """`_size`, for the distributions that are continuous."""
    shape, count, kind = _size(op, shape, dtype)
    if kind.kind != "f":
        raise error(message(op, "dtype", str(kind), "a floating point dtype: the distribution is a continuous one"))
    return shape, count, kind


_check_device = device  # the constructor's argument hides the name


def _restored(state):
    return Generator().set_state(state)


# ---- the default generator ------------------------------------------------------------------------------------------

default_generator = Generator()
default_generator.seed()


def manual_seed(seed) -> Generator:
    """Seeds the default generator, of which all random functions draw unless given another; returns it. `seed` is
    anything ``int()`` takes, of at most 64 bits."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seeds the default generator from the operating system and returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator, as an int."""
    return default_generator.initial_seed()


def get_rng_state():
    """The state of the default generator, a ByteTensor; see `Generator.get_state`. (PyTorch: torch.get_rng_state)"""
    return default_generator.get_state()


def set_rng_state(new_state) -> None:
    """The default generator as it was at `get_rng_state`. (PyTorch: torch.set_rng_state)"""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True):
    """Inside the ``with`` block random numbers may be drawn and seeds set; afterwards the stream goes on as if not.

    `devices` names accelerators in PyTorch and is not used on a CPU; ``enabled=False`` makes the block do nothing.
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
