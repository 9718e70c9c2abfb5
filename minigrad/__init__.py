"""minigrad: the PyTorch that you can read in a weekend, see while it runs, and carry to real work.

    import minigrad as torch          # a PyTorch program runs by changing its import line
    from minigrad import nn, optim

What is here: the functions of the op blocks (`minigrad.ops`), the making of tensors, the random streams, the dtypes.
`nn`, `optim` and the other modules of `_MODULES` are loaded when first used.
"""

from __future__ import annotations

import importlib
import os
from math import e, inf, nan, pi

from minigrad import autograd, dtypes, ops
from minigrad.absent import *
from minigrad.absent import __all__ as _absent
from minigrad.autograd.link import FUNCTIONS, link
from minigrad.autograd.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.checkout import find_beside
from minigrad.conversion import FUNCTIONS as _CONVERSIONS
from minigrad.creation import *
from minigrad.creation import __all__ as _creation
from minigrad.dtypes import (
    Size,
    can_cast,
    device,
    dtype,
    finfo,
    get_default_dtype,
    iinfo,
    layout,
    memory_format,
    promote_types,
    set_default_dtype,
)
from minigrad.exchange import *
from minigrad.exchange import __all__ as _exchange
from minigrad.inspection import *
from minigrad.inspection import __all__ as _inspection
from minigrad.kernels.dispatch import backend, get_backend, set_backend
from minigrad.kernels.threads import get_num_threads, set_num_threads
from minigrad.printing import get_printoptions, printoptions, set_printoptions
from minigrad.random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from minigrad.ranges import *
from minigrad.ranges import __all__ as _ranges
from minigrad.sampling import *
from minigrad.sampling import __all__ as _sampling
from minigrad.storage import *
from minigrad.storage import __all__ as _storage
from minigrad.tensor import Tensor
from minigrad.typed import *
from minigrad.typed import __all__ as _typed
from minigrad.windows import *
from minigrad.windows import __all__ as _windows

__version__ = "0.1.0"

find_beside(os.path.dirname(os.path.abspath(__file__)))
link()
if os.environ.get("MINIGRAD_GC") != "python":
    autograd.collector.pace()
globals().update(FUNCTIONS)
globals().update(_CONVERSIONS)
globals().update(dtypes.PUBLIC)
globals().update(dtypes.LAYOUTS)

# Modules that are loaded when they are first named.
_MODULES = (
    "cli", "cuda", "datasets", "distributions", "func", "functional", "futures", "linalg", "nn", "onnx", "optim",
    "scalar", "serialization", "sparse", "special", "testing", "text", "train", "transforms", "types", "utils", "viz",
    # Hardware and services of PyTorch's, which programs name.
    "__config__", "accelerator", "amp", "backends", "compiler", "cpu", "distributed", "hub", "jit", "mps",
    "multiprocessing", "profiler", "version", "xpu",
)  # fmt: skip
# Names offered here, by the module that is loaded when they are first used.
_OFFERED = {
    "amp": (
        "GradScaler", "autocast", "clear_autocast_cache", "get_autocast_dtype", "is_autocast_cache_enabled",
        "is_autocast_enabled", "set_autocast_cache_enabled", "set_autocast_dtype", "set_autocast_enabled",
    ),
    "autograd.anomaly_mode": ("is_anomaly_check_nan_enabled", "is_anomaly_enabled"),
    "batching": ("vmap",),
    "compiler": ("compile",),
    "serialization": ("load", "load_safetensors", "save", "save_safetensors"),
    "sparse": ("sparse_coo_tensor", "spmm"),
    "switches": (
        "are_deterministic_algorithms_enabled", "get_deterministic_debug_mode", "get_float32_matmul_precision",
        "get_num_interop_threads", "is_deterministic_algorithms_warn_only_enabled", "is_warn_always_enabled",
        "set_deterministic_debug_mode", "set_float32_matmul_precision", "set_flush_denormal",
        "set_num_interop_threads", "set_warn_always", "use_deterministic_algorithms",
    ),
}  # fmt: skip
# What programs may look for with hasattr(), and what there is in its place.
_COMPLEX = "there are no complex tensors here; numpy.fft and scipy.signal take x.numpy()"
_WITHOUT = dict.fromkeys(("fft", "stft", "istft"), _COMPLEX)
_HOMES = {name: module for module, names in _OFFERED.items() for name in names}

__all__ = [
    "Generator", "Size", "Tensor",
    "get_printoptions", "layout", "memory_format", "printoptions",
    "autograd", "backend", "can_cast", "default_generator", "device", "dtype", "e", "enable_grad", "finfo",
    "get_backend", "get_default_dtype", "get_num_threads", "get_rng_state", "iinfo", "inf", "inference_mode",
    "initial_seed", "is_grad_enabled", "is_inference_mode_enabled", "link", "manual_seed", "nan",
    "no_grad", "ops", "pi", "promote_types", "seed", "set_backend", "set_default_dtype",
    "set_grad_enabled", "set_num_threads", "set_printoptions", "set_rng_state",
    *_absent, *_creation, *_exchange, *_inspection, *_ranges, *_sampling, *_storage, *_typed, *_windows,
    *dtypes.PUBLIC, *dtypes.LAYOUTS, *FUNCTIONS, *_CONVERSIONS, *_MODULES, *_HOMES,
]  # fmt: skip


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"minigrad.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"minigrad.{_HOMES[name]}"), name)
    if name.startswith("_foreach_"):
        return getattr(importlib.import_module("minigrad.foreach"), name)
    why = f": {_WITHOUT[name]}" if name in _WITHOUT else ""
    raise AttributeError(f"module 'minigrad' has no attribute {name!r}{why}")


def __dir__():
    return sorted(__all__)
