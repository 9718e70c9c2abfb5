"""Folds and splits: scikit-learn's indices for the same seed; DistributedSampler: PyTorch's."""

import numpy as np
import pytest

import minigrad
from minigrad.utils.data import (
    DistributedSampler,
    GroupKFold,
    KFold,
    StratifiedKFold,
    Subset,
    TensorDataset,
    TimeSeriesSplit,
    train_test_split,
)
from minigrad.utils.data import splits as ours


@pytest.fixture
def theirs():
    return pytest.importorskip("sklearn.model_selection")


LABELS = np.array(list("bbbcaacbabccabcbaacbbbb"))
GROUPS = np.array([5, 5, 2, 2, 2, 9, 9, 1, 1, 1, 1, 7, 7, 7, 3, 3, 3, 3, 3, 4, 4, 8, 8])
SPLITTERS = [
    ("KFold", {}),
    ("KFold", {"n_splits": 3}),
    ("KFold", {"n_splits": 4, "shuffle": True, "random_state": 3}),
    ("StratifiedKFold", {"n_splits": 3}),
    ("StratifiedKFold", {"n_splits": 4, "shuffle": True, "random_state": 3}),
    ("GroupKFold", {"n_splits": 3}),
    ("TimeSeriesSplit", {}),
    ("TimeSeriesSplit", {"n_splits": 3, "test_size": 2, "gap": 1, "max_train_size": 7}),
]


@pytest.mark.parametrize(("name", "options"), SPLITTERS)
def test_folds_are_scikit_learns(theirs, name, options):
    def folds(module):
        splitter = getattr(module, name)(**options)
        assert splitter.get_n_splits() == options.get("n_splits", 5)
        groups = {"groups": GROUPS} if name == "GroupKFold" else {}
        parts = [splitter.split(LABELS, LABELS, **groups) for _ in range(2)]
        return [[(train.tolist(), test.tolist()) for train, test in part] for part in parts]

    assert folds(ours) == folds(theirs)


SPLITS = [
    {"random_state": 0},
    {"random_state": 1, "test_size": 0.3},
    {"random_state": 1, "train_size": 0.33},
    {"random_state": 2, "test_size": 5, "train_size": 7},
    {"shuffle": False, "test_size": 0.1},
    {"random_state": 3, "stratify": LABELS},
    {"random_state": 4, "stratify": LABELS, "test_size": 4, "train_size": 10},
    {"random_state": 5, "stratify": LABELS, "train_size": 0.55},
]


@pytest.mark.parametrize("options", SPLITS)
def test_train_test_split_is_scikit_learns(theirs, options):
    def parts(module):
        return [list(part) for part in module.train_test_split(np.arange(23), LABELS.tolist(), **options)]

    assert parts(ours) == parts(theirs)


@pytest.mark.parametrize("seed", range(20))
def test_stratified_splits_are_scikit_learns(theirs, seed):
    random = np.random.RandomState(seed)
    labels = np.concatenate([np.arange(4).repeat(3), random.randint(0, 4, random.randint(5, 60))])
    size = random.uniform(0.2, 0.6)
    both = [
        module.train_test_split(labels, test_size=size, stratify=labels, random_state=seed) for module in (ours, theirs)
    ]
    assert [part.tolist() for part in both[0]] == [part.tolist() for part in both[1]]
    both = [
        list(module.StratifiedKFold(3, shuffle=True, random_state=seed).split(labels, labels))
        for module in (ours, theirs)
    ]
    assert [test.tolist() for _, test in both[0]] == [test.tolist() for _, test in both[1]]


def test_parts_are_of_the_kind_of_the_whole():
    x, data = minigrad.arange(8), TensorDataset(minigrad.arange(8))
    a, b, c, d, e, f = train_test_split(x, data, list("abcdefgh"), random_state=0)
    assert isinstance(a, minigrad.Tensor)
    assert isinstance(c, Subset)
    assert a.tolist() == c.indices == [item.item() for (item,) in c]
    assert b.tolist() == d.indices
    assert e == ["abcdefgh"[i] for i in a]
    assert len(f) == 2


def test_without_a_seed_minigrads_decides():
    def drawn(seed):
        minigrad.manual_seed(seed)
        return train_test_split(list(range(20)))[1], [
            test.tolist() for _, test in KFold(2, shuffle=True).split(range(9))
        ]

    assert drawn(1) == drawn(1) != drawn(2)


def test_labels_may_be_tensors():
    labels = minigrad.tensor([0, 1, 0, 1, 0, 1])
    for train, test in StratifiedKFold(3).split(labels, labels):
        assert sorted(labels[test].tolist()) == [0, 1]
        assert len(train) == 4
    assert [sorted(part.tolist()) for part in train_test_split(labels, test_size=2, stratify=labels)] == [
        [0, 0, 1, 1],
        [0, 1],
    ]


ERRORS = [
    (ValueError, "n_splits=2 or more", lambda m: m.KFold(1)),
    (ValueError, "Integral", lambda m: m.KFold(2.5)),
    (TypeError, "shuffle must be True or False", lambda m: m.KFold(2, shuffle=1)),
    (ValueError, "shuffle is False", lambda m: m.KFold(2, random_state=1)),
    (ValueError, "greater than the number of samples", lambda m: next(m.KFold(5).split([1, 2]))),
    (ValueError, "number of members in each class", lambda m: next(m.StratifiedKFold(4).split([0] * 5, list("aaabb")))),
    (ValueError, "'groups' parameter", lambda m: next(m.GroupKFold(2).split([1, 2]))),
    (ValueError, "greater than the number of groups", lambda m: next(m.GroupKFold(3).split("abc", groups=[1, 1, 2]))),
    (ValueError, "Too many splits=3", lambda m: next(m.TimeSeriesSplit(3, gap=5).split(range(8)))),
    (ValueError, "At least one array", lambda m: m.train_test_split()),
    (ValueError, "inconsistent numbers of samples", lambda m: m.train_test_split([1, 2], [1])),
    (ValueError, "test_size.*1.5", lambda m: m.train_test_split([1, 2], test_size=1.5)),
    (ValueError, "test_size=9", lambda m: m.train_test_split([1, 2], test_size=9)),
    (ValueError, "should be smaller than", lambda m: m.train_test_split([1, 2, 3], test_size=2, train_size=2)),
    (ValueError, "(?i)the (resulting )?train set", lambda m: m.train_test_split([1])),
    (ValueError, "only 1 member|too few", lambda m: m.train_test_split([1, 2, 3, 4, 5], stratify=[0, 0, 0, 0, 1])),
    (ValueError, "number of classes", lambda m: m.train_test_split([1, 2, 3, 4], test_size=1, stratify=[0, 0, 1, 1])),
    (ValueError, "shuffle=False", lambda m: m.train_test_split([1, 2], shuffle=False, stratify=[1, 2])),
]  # fmt: skip


@pytest.mark.parametrize(("error", "says", "call"), ERRORS)
def test_errors_are_scikit_learns(theirs, error, says, call):
    for module in (ours, theirs):
        with pytest.raises(error, match=says):
            call(module)


@pytest.mark.parametrize("name", ["KFold", "StratifiedKFold", "TimeSeriesSplit"])
def test_groups_are_not_ignored_silently(theirs, name):
    for module in (ours, theirs):
        with pytest.warns(UserWarning, match=f"The groups parameter is ignored by {name}"):
            list(getattr(module, name)(2).split(LABELS, LABELS, GROUPS))


def test_a_class_with_few_members():
    with pytest.warns(UserWarning, match="only 1 members, which is less than n_splits=2"):
        list(StratifiedKFold(2).split(range(3), [0, 0, 1]))
    assert repr(KFold(3)) == "KFold(n_splits=3, random_state=None, shuffle=False)"
    assert len(list(GroupKFold(2).split(range(4), groups=minigrad.tensor([1, 1, 2, 2])))) == 2
    assert [test.tolist() for _, test in TimeSeriesSplit(2).split(range(6))] == [[2, 3], [4, 5]]


@pytest.mark.parametrize(("size", "replicas"), [(10, 2), (11, 3), (2, 5), (12, 4)])
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"drop_last": True}, {"seed": 4}])
def test_distributed_sampler_is_pytorchs(size, replicas, options):
    torch = pytest.importorskip("torch")

    def order(lib):
        samplers = [
            lib.utils.data.DistributedSampler(range(size), replicas, rank, **options) for rank in range(replicas)
        ]
        seen = []
        for epoch in range(2):
            for sampler in samplers:
                sampler.set_epoch(epoch)
                seen.append(list(sampler))
        return seen, [(len(s), s.num_samples, s.total_size) for s in samplers]

    assert order(minigrad) == order(torch)


def test_distributed_sampler_asks_the_process_group():
    from minigrad.utils.data.distributed import DistributedSampler as by_module

    assert by_module is DistributedSampler
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        DistributedSampler(range(3))
    minigrad.distributed.init_process_group()
    try:
        sampler = DistributedSampler(range(3), shuffle=False)
    finally:
        minigrad.distributed.destroy_process_group()
    assert (sampler.num_replicas, sampler.rank, list(sampler)) == (1, 0, [0, 1, 2])
    with pytest.raises(ValueError, match=r"Invalid rank 2, rank should be in the interval \[0, 1\]"):
        DistributedSampler(range(3), 2, 2)
