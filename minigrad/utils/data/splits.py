"""Parts for training and for testing, under scikit-learn's names. (scikit-learn: sklearn.model_selection)

    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
        DataLoader(Subset(dataset, train), ...)

With the same ``random_state`` the indices are scikit-learn's; without one, the seed is drawn from minigrad's default
generator, so that `minigrad.manual_seed` decides. Not in PyTorch, whose `random_split` is in `dataset.py`.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from minigrad.tensor import Tensor
from minigrad.utils.data.dataset import Subset
from minigrad.utils.data.sampler import draw_seed

__all__ = ["GroupKFold", "KFold", "StratifiedKFold", "TimeSeriesSplit", "train_test_split"]


class _Folds:
    """Base class: `n_splits` pairs of index arrays, and each example is tested once."""

    def __init__(self, n_splits=5, *, shuffle=False, random_state=None) -> None:
        if not isinstance(n_splits, int | np.integer):
            raise ValueError(
                f"The number of folds must be of Integral type. {n_splits} of type {type(n_splits)} was passed."
            )
        if n_splits <= 1:
            raise ValueError(
                f"k-fold cross-validation requires at least one train/test split: n_splits=2 or more, got {n_splits}"
            )
        if not isinstance(shuffle, bool):
            raise TypeError(f"shuffle must be True or False; got {shuffle}")
        if not shuffle and random_state is not None:
            raise ValueError(
                "Setting a random_state has no effect since shuffle is False: leave it out, or shuffle=True"
            )
        self.n_splits = int(n_splits)
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """The number of folds."""
        return self.n_splits

    def split(self, X, y=None, groups=None):
        """Gives ``(train, test)`` for each fold: int64 ndarrays of indices, ascending.

        Args:
            X (Sized): the examples; only their number matters.
            y (sequence): the class of each, for `StratifiedKFold`.
            groups (sequence): the group of each, for `GroupKFold`.
        """
        size = len(X)
        _check_groups(self, groups)
        if self.n_splits > size:
            raise ValueError(
                f"Cannot have number of splits n_splits={self.n_splits} greater than the number of samples: {size}."
            )
        fold_of = self._fold_of(size, y, groups)
        for fold in range(self.n_splits):
            yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)

    def _fold_of(self, size, y, groups):
        """In which fold each example is tested."""
        raise NotImplementedError

    def __repr__(self):
        return (
            f"{type(self).__name__}(n_splits={self.n_splits}, random_state={self.random_state}, shuffle={self.shuffle})"
        )


class KFold(_Folds):
    """K-fold cross-validation: the examples in `n_splits` parts of (almost) the same size, each tested once.

    Args:
        n_splits (int): K, at least 2.
        shuffle (bool): shuffle before cutting; if not, each part is a stretch of neighbours.
        random_state (int | RandomState, optional): the seed of the shuffle.

    (scikit-learn: sklearn.model_selection.KFold)
    """

    def _fold_of(self, size, y, groups):
        order = np.arange(size)
        if self.shuffle:
            _random(self.random_state).shuffle(order)
        fold_of = np.empty(size, np.int64)
        fold_of[order] = np.repeat(np.arange(self.n_splits), _shares(size, self.n_splits))
        return fold_of


class StratifiedKFold(_Folds):
    """K-fold cross-validation whose parts have the classes in the proportions of the whole.

    Args:
        n_splits (int): K, at least 2.
        shuffle (bool): shuffle each class before it is dealt out.
        random_state (int | RandomState, optional): the seed of the shuffles.

    Raises:
        ValueError: no class has as many as `n_splits` members. A warning if only some have not.

    (scikit-learn: sklearn.model_selection.StratifiedKFold)
    """

    def _fold_of(self, size, y, groups):
        if y is None:
            raise ValueError("StratifiedKFold.split() needs y, the class of each example")
        _, firsts, inverse = np.unique(_array(y), return_index=True, return_inverse=True)
        classes = np.argsort(np.argsort(firsts))[inverse]  # numbered as they first appear
        counts = np.bincount(classes)
        if self.n_splits > counts.max():
            raise ValueError(f"n_splits={self.n_splits} cannot be greater than the number of members in each class.")
        if self.n_splits > counts.min():
            warnings.warn(
                f"The least populated class in y has only {counts.min()} members, which is less than "
                f"n_splits={self.n_splits}.",
                stacklevel=3,
            )
        random = _random(self.random_state) if self.shuffle else None
        in_order = np.sort(classes)
        shares = [np.bincount(in_order[fold :: self.n_splits], minlength=len(counts)) for fold in range(self.n_splits)]
        fold_of = np.empty(size, np.int64)
        for label, share in enumerate(np.transpose(shares)):
            folds = np.repeat(np.arange(self.n_splits), share)
            if random is not None:
                random.shuffle(folds)
            fold_of[classes == label] = folds
        return fold_of


class GroupKFold(_Folds):
    """K-fold cross-validation that never parts a group: what belongs together (the scans of one patient, duplicates) is
    either learned from or tested.

    Args:
        n_splits (int): K, at least 2 and at most the number of groups.

    (scikit-learn: sklearn.model_selection.GroupKFold, without its shuffle)
    """

    def __init__(self, n_splits=5) -> None:
        super().__init__(n_splits)

    def _fold_of(self, size, y, groups):
        if groups is None:
            raise ValueError("The 'groups' parameter should not be None.")
        _, group_of = np.unique(_array(groups), return_inverse=True)
        sizes = np.bincount(group_of)
        if self.n_splits > len(sizes):
            raise ValueError(
                f"Cannot have number of splits n_splits={self.n_splits} greater than the number of groups: "
                f"{len(sizes)}."
            )
        fold_of_group, filled = np.empty(len(sizes), np.int64), np.zeros(self.n_splits)
        for group in np.argsort(sizes)[::-1]:  # the largest first, each to the fold that has least
            fold_of_group[group] = fold = filled.argmin()
            filled[fold] += sizes[group]
        return fold_of_group[group_of]


class TimeSeriesSplit:
    """Folds in order of time: each test part comes after all that was learned from.

    Args:
        n_splits (int): the number of test parts, at least 2.
        max_train_size (int, optional): learn from so many examples at most, the latest.
        test_size (int, optional): the size of a test part; ``n // (n_splits + 1)`` if None.
        gap (int): how many examples are left out before each test part.

    (scikit-learn: sklearn.model_selection.TimeSeriesSplit)
    """

    def __init__(self, n_splits=5, *, max_train_size=None, test_size=None, gap=0) -> None:
        if n_splits <= 1:
            raise ValueError(f"TimeSeriesSplit: expected n_splits of at least 2, but got {n_splits}")
        self.n_splits = n_splits
        self.max_train_size = max_train_size
        self.test_size = test_size
        self.gap = gap

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """The number of test parts."""
        return self.n_splits

    def split(self, X, y=None, groups=None):
        """Gives ``(train, test)`` for each part: int64 ndarrays of indices, ascending."""
        size = len(X)
        _check_groups(self, groups)
        test_size = size // (self.n_splits + 1) if self.test_size is None else self.test_size
        first = size - self.n_splits * test_size
        if self.n_splits + 1 > size or first - self.gap <= 0:
            raise ValueError(
                f"Too many splits={self.n_splits} for number of samples={size} with test_size={test_size} and "
                f"gap={self.gap}."
            )
        for start in range(first, size, test_size):
            end = start - self.gap
            begin = max(0, end - self.max_train_size) if self.max_train_size else 0
            yield np.arange(begin, end), np.arange(start, start + test_size)


def _check_groups(splitter, groups):
    if groups is not None and not isinstance(splitter, GroupKFold):
        warnings.warn(f"The groups parameter is ignored by {type(splitter).__name__}: use GroupKFold", stacklevel=3)


def train_test_split(*arrays, test_size=None, train_size=None, random_state=None, shuffle=True, stratify=None):
    """Split arrays at random, all alike, into a part to learn from and a part to test with.

    Args:
        *arrays: of the same length. Tensors, ndarrays and lists give parts of their own kind, data sets give `Subset`.
        test_size, train_size (float | int, optional): fractions (the test part is rounded up, the training part down)
            or numbers of examples; what is None is the rest; 0.25 for testing if both are.
        random_state (int | RandomState, optional): the seed.
        shuffle (bool): False cuts without shuffling: the last ones are for testing.
        stratify (sequence, optional): the class of each example; both parts get the proportions of the whole.

    Returns:
        list: training part and test part of the first array, of the second, ...

    Raises:
        ValueError: sizes that do not fit the data or the classes.

    (scikit-learn: sklearn.model_selection.train_test_split)
    """
    if not arrays:
        raise ValueError("At least one array required as input")
    size = len(arrays[0])
    if any(len(array) != size for array in arrays):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[len(array) for array in arrays]}"
        )
    for_training, for_test = _sizes(size, test_size, train_size)
    if not shuffle:
        if stratify is not None:
            raise ValueError("Stratified train/test split is not implemented for shuffle=False")
        train, test = np.arange(for_training), np.arange(for_training, for_training + for_test)
    elif stratify is None:
        order = _random(random_state).permutation(size)
        train, test = order[for_test : for_test + for_training], order[:for_test]
    else:
        train, test = _stratified(_array(stratify), for_training, for_test, _random(random_state))
    return [_taken(array, rows) for array in arrays for rows in (train, test)]


def _sizes(size, test_size, train_size):
    """How many examples to learn from, and how many to test with."""

    def count(name, value, rounding):
        if isinstance(value, float | np.floating):
            if not 0 < value < 1:
                raise ValueError(
                    f"{name}={value} should be a fraction in the (0, 1) range, or a number of examples (int)"
                )
            return rounding(value * size)
        if value is not None and not 0 < value < size:
            raise ValueError(f"{name}={value} should be positive and smaller than the number of samples {size}")
        return value

    if test_size is None and train_size is None:
        test_size = 0.25
    test, train = count("test_size", test_size, math.ceil), count("train_size", train_size, math.floor)
    test = size - train if test is None else test
    train = size - test if train is None else train
    if train + test > size:
        raise ValueError(
            f"The sum of train_size and test_size = {train + test}, should be smaller than the number of samples {size}"
        )
    if train == 0:
        raise ValueError(
            f"With n_samples={size}, test_size={test_size} and train_size={train_size}, the train set is empty"
        )
    return train, test


def _stratified(labels, for_training, for_test, random):
    classes, inverse = np.unique(labels, return_inverse=True)
    counts = np.bincount(inverse)
    if counts.min() < 2:
        raise ValueError(
            f"The least populated class in y has only 1 member, which is too few: {classes[counts.argmin()]}"
        )
    for name, part in (("train_size", for_training), ("test_size", for_test)):
        if part < len(classes):
            raise ValueError(
                f"The {name} = {part} should be greater or equal to the number of classes = {len(classes)}"
            )
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(counts)[:-1])
    trained = _dealt(counts, for_training, random)
    tested = _dealt(counts - trained, for_test, random)
    train, test = [], []
    for own, a, b in zip(members, trained, tested):
        own = own[random.permutation(len(own))]
        train.extend(own[:a])
        test.extend(own[a : a + b])
    return random.permutation(train), random.permutation(test)


def _dealt(counts, total, random):
    """How many of each class when `total` are taken in proportion to `counts`: rounded down, and what is left over goes
    to the largest remainders, by lot among equals."""
    exact = counts / counts.sum() * total
    dealt = np.floor(exact)
    remainders, left = exact - dealt, int(total - dealt.sum())
    for value in np.unique(remainders)[::-1]:
        if left <= 0:
            break
        equals = np.flatnonzero(remainders == value)
        chosen = random.choice(equals, size=min(len(equals), left), replace=False)
        dealt[chosen] += 1
        left -= len(chosen)
    return dealt.astype(np.int64)


def _taken(array, rows):
    if isinstance(array, Tensor | np.ndarray):
        return array[rows]
    if isinstance(array, list | tuple):
        return [array[row] for row in rows]
    return Subset(array, rows.tolist())


def _shares(size, parts):
    """`size` in parts that differ by one at most, the larger ones first."""
    whole, rest = divmod(size, parts)
    return np.array([whole + 1] * rest + [whole] * (parts - rest))


def _array(labels):
    return labels.array if isinstance(labels, Tensor) else np.asarray(labels)


def _random(random_state):
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(draw_seed() & 0xFFFFFFFF if random_state is None else random_state)
