"""Samplers, splits and collating; with the same seed, PyTorch's order to the last index."""

import collections
import itertools

import numpy as np
import pytest
from data_plain import plain

import minigrad
from minigrad.utils import data
from minigrad.utils.data import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


# ---- splits

SPLITS = [(10, [7, 3]), (10, [10]), (11, [0.5, 0.5]), (10, [0.3, 0.3, 0.4]), (1797, [0.8, 0.1, 0.1]), (5, [5, 0])]


@pytest.mark.parametrize(("size", "lengths"), SPLITS)
@pytest.mark.parametrize("own", [False, True])
def test_random_split_is_pytorchs(torch, size, lengths, own):
    def split(lib):
        lib.manual_seed(3)
        generator = {"generator": lib.Generator().manual_seed(4)} if own else {}
        parts = lib.utils.data.random_split(range(size), lengths, **generator)
        return [list(part.indices) for part in parts], lib.rand(2).tolist()

    assert split(minigrad) == split(torch)


def test_random_split_errors():
    with pytest.raises(ValueError, match="sum to 9, the data set has 10"):
        random_split(range(10), [4, 5])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(range(10), [-0.5, 1.5])
    with pytest.warns(UserWarning, match="split at index 1 is 0"):
        random_split(range(3), [0.95, 0.05])


# ---- samplers


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_samples": 4},
        {"num_samples": 10},
        {"num_samples": 27},
        {"num_samples": 30},
        {"replacement": True},
        {"replacement": True, "num_samples": 32},
        {"replacement": True, "num_samples": 100},
    ],
)
@pytest.mark.parametrize("own", [False, True])
def test_random_sampler_is_pytorchs(torch, options, own):
    def epochs(lib):
        lib.manual_seed(5)
        generator = {"generator": lib.Generator().manual_seed(6)} if own else {}
        sampler = lib.utils.data.RandomSampler(range(10), **options, **generator)
        return len(sampler), [list(sampler) for _ in range(3)], lib.rand(2).tolist()

    assert epochs(minigrad) == epochs(torch)


def test_random_sampler_is_lazy():
    sampler = RandomSampler(range(5), replacement=True, num_samples=int(1e10))
    assert len(sampler) == 10_000_000_000
    assert set(itertools.islice(sampler, 100)) == set(range(5))


def test_random_sampler_follows_a_growing_data_set():
    items = [1, 2]
    sampler = RandomSampler(items)
    items.append(3)
    assert sorted(sampler) == [0, 1, 2]


def test_random_sampler_errors():
    with pytest.raises(TypeError, match="replacement"):
        RandomSampler(range(5), replacement=1)
    for bad in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"num_samples={bad}"):
            RandomSampler(range(5), num_samples=bad)


@pytest.mark.parametrize("own", [False, True])
def test_subset_random_sampler_is_pytorchs(torch, own):
    def order(lib):
        lib.manual_seed(7)
        generator = lib.Generator().manual_seed(8) if own else None
        sampler = lib.utils.data.SubsetRandomSampler([3, 1, 4, 1, 5, 9, 2, 6], generator)
        return len(sampler), list(sampler), list(sampler)

    assert order(minigrad) == order(torch)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_weighted_sampler_with_replacement_is_pytorchs(torch, count):
    def order(lib):
        lib.manual_seed(9)
        return list(lib.utils.data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], count))

    assert order(minigrad) == order(torch)


def test_weighted_sampler_without_replacement_draws_each_once():
    generator = minigrad.Generator().manual_seed(0)
    weights = minigrad.tensor([1.0, 0.0, 2.0, 3.0])
    sampler = WeightedRandomSampler(weights, 3, replacement=False, generator=generator)
    assert sorted(sampler) == [0, 2, 3]
    firsts = [next(iter(WeightedRandomSampler([1, 3], 2, False, generator))) for _ in range(400)]
    assert 0.65 < np.mean(firsts) < 0.85
    assert sampler.weights.dtype == minigrad.float64


def test_weighted_sampler_errors():
    with pytest.raises(ValueError, match=r"weights have shape \(1, 2\)"):
        WeightedRandomSampler([[1, 2]], 1)
    with pytest.raises(ValueError, match="num_samples=True"):
        WeightedRandomSampler([1], True)
    with pytest.raises(ValueError, match="replacement=1"):
        WeightedRandomSampler([1], 1, 1)


def test_batch_sampler():
    assert list(BatchSampler(SequentialSampler(range(7)), 3, False)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(BatchSampler(range(7), 3, True)) == [[0, 1, 2], [3, 4, 5]]
    assert [len(BatchSampler(range(n), 3, drop)) for n in (6, 7) for drop in (False, True)] == [2, 2, 3, 2]
    for bad in (0, True, 1.5):
        with pytest.raises(ValueError, match=f"batch_size={bad}"):
            BatchSampler(range(7), bad, False)
    with pytest.raises(ValueError, match="drop_last=1"):
        BatchSampler(range(7), 3, 1)


def test_sampler_without_iter_says_so():
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(data.Sampler())


# ---- collating

Point = collections.namedtuple("Point", "x y")
COLLATED = {
    "ints": [1, 2, 3],
    "bools": [True, False],
    "floats": [1.5, 2.5],
    "ints and floats": [1, 2.5],
    "floats and ints": [2.5, 1],
    "float32": [np.float32(1), np.float32(2)],
    "float64": [np.float64(1), np.float64(2)],
    "int16": [np.int16(1), np.int16(2)],
    "numpy bool": [np.bool_(True), np.bool_(False)],
    "strings": ["a", "b"],
    "bytes": [b"a", b"b"],
    "arrays": [np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)],
    "0-d arrays": [np.array(1.5), np.array(2.5)],
    "tuples": [(1, 2.0), (3, 4.0)],
    "lists": [[1, 2.0], [3, 4.0]],
    "dicts": [{"a": 1, "b": [2]}, {"a": 3, "b": [4]}],
    "ordered": [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
    "named tuples": [Point(1, 2.0), Point(3, 4.0)],
    "nested": [({"a": (1, [np.float32(2)])}, "s"), ({"a": (3, [np.float32(4)])}, "t")],
}


@pytest.mark.parametrize("name", COLLATED)
def test_default_collate_is_pytorchs(torch, name):
    ours, theirs = default_collate(COLLATED[name]), torch.utils.data.default_collate(COLLATED[name])
    assert plain(ours) == plain(theirs)


def test_collate_stacks_tensors_and_keeps_history():
    a = minigrad.ones(2, requires_grad=True)
    out = default_collate([a, a * 2])
    out.sum().backward()
    assert out.tolist() == [[1, 1], [2, 2]]
    assert a.grad.tolist() == [3, 3]


class Bag(list):
    owner = None


def test_collate_keeps_what_containers_know():
    first = Bag([1, 2])
    first.owner = "me"
    out = default_collate([first, Bag([3, 4])])
    assert type(out) is Bag
    assert out.owner == "me"
    assert out[1].tolist() == [2, 4]
    assert first == [1, 2]


def test_collate_of_a_sequence_that_cannot_be_made_anew_is_a_list():
    assert [column.tolist() for column in default_collate([range(2), range(2)])] == [[0, 0], [1, 1]]


def test_collate_can_be_taught():
    from minigrad.utils.data._utils.collate import collate, default_collate_fn_map

    class Name(str):
        pass

    def joined(batch, *, collate_fn_map):
        return "+".join(batch)

    assert collate([Name("a"), Name("b")], collate_fn_map={Name: joined}) == "a+b"
    mixed = [(Name("a"), 1), (Name("b"), 2)]
    names, numbers = collate(mixed, collate_fn_map={Name: joined, **default_collate_fn_map})
    assert (names, numbers.tolist()) == ("a+b", [1, 2])
    with pytest.raises(TypeError, match="default_collate"):
        collate([1, 2])
    default_collate_fn_map[complex] = lambda batch, *, collate_fn_map: sum(batch)
    try:
        assert default_collate([1j, 2j]) == 3j
    finally:
        del default_collate_fn_map[complex]


def test_collate_errors():
    with pytest.raises(RuntimeError, match=r"equal size.*\[1, 2\].*collate_fn"):
        default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match=r"default_collate: batch must contain tensors.*object"):
        default_collate([object()])
    with pytest.raises(TypeError, match="default_collate"):
        default_collate([np.array(["a"])])
    with pytest.raises(RuntimeError):
        default_collate([minigrad.ones(2), minigrad.ones(3)])


@pytest.mark.parametrize(
    "value",
    [
        1, 2.5, "a", b"a", None, np.float32(1), np.ones(2), [np.ones(2), "b"], (np.ones(1), 2), {"a": np.int8(3)},
        Point(1, np.ones(1)), range(2),
    ],
)  # fmt: skip
def test_default_convert_is_pytorchs(torch, value):
    assert plain(default_convert(value)) == plain(torch.utils.data.default_convert(value))
