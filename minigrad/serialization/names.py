"""Whose name is whose: files say ``torch.nn.modules.linear.Linear``, here it is `minigrad.nn.modules.linear.Linear`.

Everything of minigrad is written under the name that PyTorch has for it, so that the same file serves both libraries.
What PyTorch has not (`Maxout`) is written likewise; there, loading it fails and says so.
"""

from __future__ import annotations

import functools
import importlib
import types
from typing import Any, NamedTuple

import minigrad
from minigrad import dtypes

__all__ = ["STORAGES", "Named", "StorageType", "find", "named", "torch_name"]


class Named(NamedTuple):
    """A global of PyTorch's, of which the pickle holds the name only. Made by `named`, once for each name."""

    module: str
    name: str

    def __call__(self, *args, **kwargs):
        raise TypeError(f"{self.module}.{self.name} is only a name")  # pickle wants to see something callable


named = functools.lru_cache(maxsize=None)(Named)


class StorageType:
    """What stands in a pickle for the type of a storage: the dtype of its elements."""

    def __init__(self, dtype, itemsize):
        self.dtype, self.itemsize = dtype, itemsize


# PyTorch's storages by the dtype they hold. The second part are dtypes that are not here, with their sizes.
STORAGES = {
    "bool": "BoolStorage", "uint8": "ByteStorage", "int8": "CharStorage", "int16": "ShortStorage",
    "int32": "IntStorage", "int64": "LongStorage", "float16": "HalfStorage", "float32": "FloatStorage",
    "float64": "DoubleStorage",
}  # fmt: skip
FOREIGN = {
    "BFloat16Storage": ("bfloat16", 2), "ComplexFloatStorage": ("complex64", 8),
    "ComplexDoubleStorage": ("complex128", 16), "QUInt8Storage": ("quint8", 1), "QInt8Storage": ("qint8", 1),
    "QInt32Storage": ("qint32", 4), "QUInt4x2Storage": ("quint4x2", 1), "QUInt2x4Storage": ("quint2x4", 1),
}  # fmt: skip
TYPES = {name: StorageType(kind, dtypes.PUBLIC[kind].itemsize) for kind, name in STORAGES.items()}
TYPES |= {name: StorageType(*of) for name, of in FOREIGN.items()}

# Where to look for a name, by the beginning of its module; the module of the same name comes before these.
ELSEWHERE = {
    "torch.nn.modules": "minigrad.nn",
    "torch.nn": "minigrad.nn.functional",
    "torch.optim": "minigrad.optim",
    "torch._C._nn": "minigrad.nn.functional",
    "torch": "minigrad",
}


# Files of ours whose contents PyTorch has in another one.
HOMES = {
    "nn.modules.attention": "nn.modules.activation", "nn.modules.softmax": "nn.modules.activation",
    "nn.modules.loss_base": "nn.modules.loss", "nn.modules.loss_distance": "nn.modules.loss",
    "nn.modules.loss_likelihood": "nn.modules.loss", "nn.modules.loss_margin": "nn.modules.loss",
    "nn.modules.rnn_base": "nn.modules.rnn", "nn.utils.prune_base": "nn.utils.prune",
    "nn.utils.prune_methods": "nn.utils.prune", "optim._adafactor": "optim", "optim._muon": "optim",
    "optim.lr_scheduler.base": "optim.lr_scheduler", "optim.lr_scheduler.combined": "optim.lr_scheduler",
    "optim.lr_scheduler.decay": "optim.lr_scheduler", "optim.lr_scheduler.plateau": "optim.lr_scheduler",
    "optim.lr_scheduler.waves": "optim.lr_scheduler", "distributions.transform": "distributions.transforms",
    "distributions.vector_transforms": "distributions.transforms",
}  # fmt: skip


def torch_name(value: Any) -> Named | None:
    """PyTorch's name of a class, function or dtype of minigrad; None for what is not minigrad's."""
    if isinstance(value, Named):
        return value
    if isinstance(value, dtypes.dtype | dtypes.layout):
        return named("torch", value._name)
    module: str = getattr(value, "__module__", None) or ""
    if module.partition(".")[0] != "minigrad":
        return None
    if value is minigrad.Generator:
        return named("torch._C", "Generator")
    name, inner = str(getattr(value, "__qualname__", "")), module[9:]
    home = named(".".join(["torch", HOMES.get(inner, inner)]).rstrip("."), name)
    if isinstance(value, types.FunctionType):
        return _function_names().get(value) or home
    return named("torch", name) if getattr(minigrad, name, None) is value else home


@functools.lru_cache(maxsize=1)
def _function_names():
    """The public functions by identity; those of op blocks do not know their names."""
    names = {}
    for place in ("minigrad", "minigrad.special", "minigrad.linalg", "minigrad.nn.functional"):
        module = importlib.import_module(place)
        for name, value in vars(module).items():
            if isinstance(value, types.FunctionType) and not name.startswith("_"):
                names[value] = named("torch" + place[8:], name)
    return names


def find(module, name):
    """What a name of PyTorch's means here.

    Raises:
        AttributeError: minigrad has nothing of this name.
    """
    if (module, name) == ("torch._C", "_VariableFunctionsClass"):
        return minigrad  # getattr(this, "sin") is how torch.sin is pickled
    places = ["minigrad" + module[5:]]
    places += [place for start, place in ELSEWHERE.items() if module == start or module.startswith(start + ".")]
    for place in places:
        try:
            value = importlib.import_module(place)
            for part in name.split("."):
                value = getattr(value, part)
        except (ImportError, AttributeError):
            continue
        return value
    raise AttributeError(f"load(): the file asks for {module}.{name}, and there is nothing like that in minigrad")
