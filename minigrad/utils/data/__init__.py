"""Data sets, samplers and loaders under PyTorch's names. (PyTorch: torch.utils.data)

    dataset.py      what examples there are: `Dataset` and its kinds, `random_split`
    splits.py       training and test parts, folds: scikit-learn's names and numbers
    sampler.py      in which order they are taken
    distributed.py  ... by one of several programs
    _utils/         how the examples of a batch become tensors; what a worker process does
    workers.py      the processes that make batches ahead of time
    dataloader.py   `DataLoader` puts these together

With the same seed, shuffles and splits are PyTorch's, example by example.
"""

from minigrad.utils.data._utils.collate import default_collate, default_convert
from minigrad.utils.data._utils.worker import get_worker_info
from minigrad.utils.data.dataloader import DataLoader
from minigrad.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from minigrad.utils.data.distributed import DistributedSampler
from minigrad.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigrad.utils.data.splits import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit, train_test_split

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset", "DistributedSampler", "GroupKFold",
    "IterableDataset", "KFold", "RandomSampler", "Sampler", "SequentialSampler", "StackDataset", "StratifiedKFold",
    "Subset", "SubsetRandomSampler", "TensorDataset", "TimeSeriesSplit", "WeightedRandomSampler", "default_collate",
    "default_convert", "get_worker_info", "random_split", "train_test_split",
]  # fmt: skip
