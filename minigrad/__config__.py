"""`minigrad.__config__`: what is installed and in use, as text. (PyTorch: torch.__config__)"""

from __future__ import annotations

from minigrad.info import describe
from minigrad.kernels.threads import get_num_threads
from minigrad.switches import get_num_interop_threads

__all__ = ["parallel_info", "show"]


def show() -> str:
    """The lines of `minigrad info`. (PyTorch: torch.__config__.show)"""
    return describe()


def parallel_info() -> str:
    """How many threads compute. (PyTorch: torch.__config__.parallel_info)"""
    return f"get_num_threads() : {get_num_threads()}\nget_num_interop_threads() : {get_num_interop_threads()}"
