"""Data sets and the loader; with the same seed, PyTorch's batches to the last index."""

import numpy as np
import pytest
from data_plain import plain

import minigrad
from minigrad.utils import data
from minigrad.utils.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    default_collate,
)
from minigrad.utils.data._utils.fetch import gathering


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


class Squares(Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if not 0 <= i < self.n:
            raise IndexError(i)
        return i * i


class Stream(IterableDataset):
    def __init__(self, n, length=None):
        self.n, self.length = n, length

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        if self.length is None:
            raise TypeError("no length")
        return self.length


def rows(n=10, seed=0):
    """Two tensors with n rows: (n, 3) float32, and (n,) int64."""
    random = np.random.default_rng(seed)
    return minigrad.tensor(random.normal(size=(n, 3)).astype(np.float32)), minigrad.tensor(list(range(n)))


# ---- data sets


def test_tensor_dataset():
    x, y = rows()
    dataset = TensorDataset(x, y)
    assert len(dataset) == 10
    row, label = dataset[3]
    assert row.tolist() == x[3].tolist()
    assert label.item() == 3
    assert [label.item() for _, label in dataset] == list(range(10))
    with pytest.raises(AssertionError, match=r"Size mismatch between tensors.*\[10, 9\]"):
        TensorDataset(x, y[:9])


def test_dataset_without_getitem_says_so():
    with pytest.raises(NotImplementedError, match="__getitem__"):
        type("Empty", (Dataset,), {})()[0]
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(type("Empty", (IterableDataset,), {})())


def test_concat():
    both = Squares(3) + Squares(2)
    assert isinstance(both, ConcatDataset)
    assert both.cumulative_sizes == [3, 5]
    assert list(both) == [0, 1, 4, 0, 1]
    assert (both[-1], both[-5]) == (1, 0)
    with pytest.raises(ValueError, match="absolute value"):
        both[-6]
    with pytest.raises(IndexError):
        both[5]
    with pytest.raises(AssertionError, match="empty"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="ChainDataset"):
        ConcatDataset([Stream(2)])


def test_chain():
    both = Stream(2, 2) + Stream(3, 3)
    assert isinstance(both, ChainDataset)
    assert list(both) == [0, 1, 0, 1, 2]
    assert len(both) == 5
    with pytest.raises(AssertionError, match="IterableDataset"):
        list(ChainDataset([[1, 2]]))


def test_stack():
    assert StackDataset(Squares(3), "abc")[2] == (4, "c")
    named = StackDataset(n=Squares(3), letter="abc")
    assert named[1] == {"n": 1, "letter": "b"}
    assert named.__getitems__([0, 2]) == [{"n": 0, "letter": "a"}, {"n": 4, "letter": "c"}]
    assert len(named) == 3
    with pytest.raises(ValueError, match=r"mismatch.*\[3, 2\]"):
        StackDataset(Squares(3), "ab")
    with pytest.raises(ValueError, match="At least one"):
        StackDataset()
    with pytest.raises(ValueError, match="not both"):
        StackDataset("a", b="b")
    cut = type("Cut", (Squares,), {"__getitems__": lambda self, indices: [1]})
    with pytest.raises(ValueError, match="size mismatch"):
        StackDataset(cut(3)).__getitems__([0, 1])


def test_subset():
    part = Subset(Squares(10), [7, 1, 3])
    assert list(part) == [49, 1, 9]
    assert part.__getitems__([2, 0]) == [9, 49]
    assert len(part) == 3
    batched = type("Batched", (Squares,), {"__getitems__": lambda self, indices: [("all", i) for i in indices]})
    assert Subset(batched(10), [7, 1]).__getitems__([1]) == [("all", 1)]
    x, _ = rows()
    assert Subset(x, [4, 2])[[0, 1]].tolist() == x[[4, 2]].tolist()


def test_subset_subclass_must_override_both():
    with pytest.raises(NotImplementedError, match="__getitems__"):
        type("Half", (Subset,), {"__getitem__": lambda self, i: 0})(Squares(3), [0])


# ---- the loader

LOADERS = {
    "in order": {},
    "batches": {"batch_size": 4},
    "shuffled": {"batch_size": 4, "shuffle": True},
    "shuffled, whole batches": {"batch_size": 4, "shuffle": True, "drop_last": True},
    "single": {"batch_size": None, "shuffle": True},
    "many at once": {"batch_size": 100, "shuffle": True},
}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("kind", ["tensors", "list", "split"])
def test_loader_is_pytorchs_across_epochs(torch, name, own, kind):
    x, y = rows()

    def epochs(lib):
        dataset = lib.utils.data.TensorDataset(lib.tensor(x.tolist()), lib.tensor(y.tolist()))
        if kind == "list":
            dataset = [(row, label.item()) for row, label in dataset]
        lib.manual_seed(10)
        if kind == "split":
            dataset = lib.utils.data.random_split(dataset, [7, 3])[0]
        generator = lib.Generator().manual_seed(11) if own else None
        loader = lib.utils.data.DataLoader(dataset, generator=generator, **LOADERS[name])
        seen = []
        for _ in range(3):
            seen.append([plain(batch) for batch in loader])
            seen.append(lib.rand(2).tolist())  # what is drawn in between agrees, too
        return len(loader), seen

    assert epochs(minigrad) == epochs(torch)


def test_an_epoch_left_early_is_pytorchs(torch):
    def draws(lib):
        lib.manual_seed(12)
        loader = lib.utils.data.DataLoader(list(range(10)), batch_size=2, shuffle=True)
        first = next(iter(loader)).tolist()
        untouched = iter(loader)
        after = lib.rand(1).item()
        return first, after, next(untouched).tolist(), lib.rand(1).item()

    assert draws(minigrad) == draws(torch)


@pytest.mark.parametrize("sampler", ["sampler", "batch_sampler"])
def test_samplers_of_ones_own(sampler):
    order = [3, 1, 2] if sampler == "sampler" else [[3, 1], [2]]
    loader = DataLoader(Squares(5), **{sampler: order}, **({"batch_size": 2} if sampler == "sampler" else {}))
    assert [batch.tolist() for batch in loader] == [[9, 1], [4]]
    if sampler == "batch_sampler":
        assert len(loader) == 2
        assert loader.batch_size is None


def test_weighted_loader(torch):
    def batches(lib):
        lib.manual_seed(13)
        sampler = lib.utils.data.WeightedRandomSampler([1, 2, 3, 4], 10)
        return [batch.tolist() for batch in lib.utils.data.DataLoader([10, 20, 30, 40], 3, sampler=sampler)]

    assert batches(minigrad) == batches(torch)


def test_collate_fn():
    assert list(DataLoader(Squares(4), 2, collate_fn=sum)) == [1, 13]
    assert list(DataLoader(Squares(3), None, collate_fn=str)) == ["0", "1", "4"]


def test_getitems_is_used():
    asked = []

    class Batched(Squares):
        def __getitems__(self, indices):
            asked.append(indices)
            return [self[i] for i in indices]

    assert [batch.tolist() for batch in DataLoader(Batched(3), 2)] == [[0, 1], [4]]
    assert asked == [[0, 1], [2]]


def gathered_and_collated(dataset, **options):
    """The batches by one indexing per tensor, and those collated row by row."""
    assert gathering(dataset) is not None
    by_rows = DataLoader(dataset, collate_fn=lambda batch: default_collate(batch), **options)
    return [[plain(batch) for batch in loader] for loader in (DataLoader(dataset, **options), by_rows)]


def test_the_fast_path_gives_what_collating_gives():
    x, y = rows(50)
    columns = minigrad.tensor(np.asfortranarray(np.arange(200.0).reshape(50, 4)))
    flags = x[:, 0] > 0
    dataset = TensorDataset(x, y, columns.t().t(), x.unsqueeze(1).expand(50, 2, 3), flags, x[:, 1:])
    fast, slow = gathered_and_collated(dataset, batch_size=7)
    assert fast == slow
    fast, slow = gathered_and_collated(Subset(Subset(dataset, range(5, 40)), [3, -1, 7, 3]), batch_size=3)
    assert fast == slow
    for part in next(iter(DataLoader(dataset, 7))):
        assert part.is_contiguous()


def test_batches_are_copies():
    x, y = rows()
    batch, _ = next(iter(DataLoader(TensorDataset(x, y), 10)))
    batch.fill_(0)
    assert x.abs().sum() > 0


def test_the_fast_path_is_left_where_it_would_differ():
    x, y = rows()
    assert gathering(TensorDataset(x.requires_grad_())) is None
    assert gathering(type("Mine", (TensorDataset,), {})(y)) is None
    assert gathering([1, 2]) is None
    assert gathering(Subset(TensorDataset(y), y)) is None
    with pytest.raises(IndexError):
        list(DataLoader(TensorDataset(y), sampler=[10]))
    odd = DataLoader(TensorDataset(y), 2, sampler=[y[3], np.int64(4)])
    assert [batch.tolist() for (batch,) in odd] == [[3, 4]]


def test_gradients_flow_through_a_loader_over_parameters():
    table = minigrad.ones(4, 2, requires_grad=True)
    (batch,) = next(iter(DataLoader(TensorDataset(table), 3)))
    batch.sum().backward()
    assert table.grad.tolist() == [[1, 1], [1, 1], [1, 1], [0, 0]]


def test_iterable_data_sets():
    assert [batch.tolist() for batch in DataLoader(Stream(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [batch.tolist() for batch in DataLoader(Stream(5), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), None)) == [0, 1, 2]
    assert list(DataLoader(Stream(4), 2, collate_fn=sum)) == [1, 5]
    ways = ({"batch_size": 2}, {"batch_size": 2, "drop_last": True}, {"batch_size": None})
    assert [len(DataLoader(Stream(5, 5), **options)) for options in ways] == [3, 2, 5]
    with pytest.raises(TypeError):
        len(DataLoader(Stream(5)))


def test_an_iterable_data_set_longer_than_it_says():
    loader = DataLoader(Stream(3, length=2), None)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="reported to be 2"):
        assert list(loader) == [0, 1, 2]


def test_an_iterable_loader_draws_what_pytorchs_draws(torch):
    def draw(lib):
        stream = type("S", (lib.utils.data.IterableDataset,), {"__iter__": lambda self: iter(range(3))})()
        lib.manual_seed(14)
        list(lib.utils.data.DataLoader(stream))
        return lib.rand(1).item()

    assert draw(minigrad) == draw(torch)


LOADER_ERRORS = [
    ({"num_workers": -1}, "non-negative"),
    ({"timeout": -1}, "non-negative"),
    ({"prefetch_factor": 2}, "prefetch_factor option"),
    ({"prefetch_factor": -1, "num_workers": 1}, "prefetch_factor option"),
    ({"persistent_workers": True}, "persistent_workers option"),
    ({"multiprocessing_context": "fork"}, "multiprocessing_context"),
    ({"sampler": [0], "shuffle": True}, "mutually exclusive"),
    ({"batch_sampler": [[0]], "batch_size": 2}, "mutually exclusive"),
    ({"batch_sampler": [[0]], "drop_last": True}, "mutually exclusive"),
    ({"batch_size": None, "drop_last": True}, "mutually exclusive"),
    ({"batch_size": 0}, "batch_size=0"),
]


@pytest.mark.parametrize(("options", "says"), LOADER_ERRORS)
def test_loader_errors_are_pytorchs(torch, options, says):
    with pytest.raises(ValueError, match=says):
        DataLoader(Squares(3), **options)
    with pytest.raises(ValueError, match=says):
        torch.utils.data.DataLoader([1, 2, 3], **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_iterable_data_sets_take_no_samplers(options):
    with pytest.raises(ValueError, match=f"IterableDataset: expected unspecified {next(iter(options))}"):
        DataLoader(Stream(3), **options)
    assert len(list(DataLoader(Stream(3), shuffle=False))) == 3


def test_a_loader_cannot_be_changed():
    loader = DataLoader(Squares(3))
    with pytest.raises(ValueError, match="batch_size attribute should not be set"):
        loader.batch_size = 2
    loader.collate_fn = sum
    assert list(loader) == [0, 1, 4]


def test_import_paths_of_pytorch():
    from minigrad.utils.data.dataloader import DataLoader as by_module
    from minigrad.utils.data.dataset import Dataset as dataset_by_module
    from minigrad.utils.data.sampler import Sampler

    assert by_module is DataLoader
    assert dataset_by_module is Dataset
    assert Sampler is data.Sampler
    assert Dataset[int]
    assert DataLoader[int]
    assert issubclass(IterableDataset, Dataset)
