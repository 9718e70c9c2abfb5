"""Switches that programs set and that a deterministic CPU library has no use for: they can be set and read.

What is reported back is what was set, so that a program that checks its settings finds them.
"""

from __future__ import annotations

import warnings
from typing import Any

__all__ = [
    "are_deterministic_algorithms_enabled", "get_deterministic_debug_mode", "get_float32_matmul_precision",
    "get_num_interop_threads", "is_deterministic_algorithms_warn_only_enabled", "is_warn_always_enabled",
    "set_deterministic_debug_mode", "set_float32_matmul_precision", "set_flush_denormal", "set_num_interop_threads",
    "set_warn_always", "use_deterministic_algorithms",
]  # fmt: skip

PRECISIONS = ("highest", "high", "medium")
DEBUG_MODES = ("default", "warn", "error")
_now: dict[str, Any] = {"precision": "highest", "debug_mode": 0, "interop_threads": 1, "warn_always": False}


def set_float32_matmul_precision(precision: str) -> None:
    """Notes "highest", "high" or "medium"; matrix products of float32 are always in float32.
    (PyTorch: torch.set_float32_matmul_precision)"""
    if precision not in PRECISIONS:
        warnings.warn(
            f"set_float32_matmul_precision(): {precision} is not one of 'highest', 'high', or 'medium'; the current "
            "setting is left as it is",
            stacklevel=2,
        )
        return
    _now["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` noted. (PyTorch: torch.get_float32_matmul_precision)"""
    return _now["precision"]


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Notes the mode; every operation is deterministic anyway. (PyTorch: torch.use_deterministic_algorithms)"""
    _now["debug_mode"] = 0 if not mode else 1 if warn_only else 2


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was asked for.
    (PyTorch: torch.are_deterministic_algorithms_enabled)"""
    return _now["debug_mode"] > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether ``warn_only=True`` was asked for.
    (PyTorch: torch.is_deterministic_algorithms_warn_only_enabled)"""
    return _now["debug_mode"] == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Notes "default" (0), "warn" (1) or "error" (2): `use_deterministic_algorithms` by another name.
    (PyTorch: torch.set_deterministic_debug_mode)"""
    if isinstance(debug_mode, bool) or not isinstance(debug_mode, int | str):
        raise TypeError(f"set_deterministic_debug_mode(): debug_mode must be str or int, but got {type(debug_mode)}")
    if debug_mode not in (*DEBUG_MODES, 0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected one of {', '.join(DEBUG_MODES)} or 0, 1, 2, but got {debug_mode}"
        )
    _now["debug_mode"] = DEBUG_MODES.index(debug_mode) if isinstance(debug_mode, str) else debug_mode


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2: see `set_deterministic_debug_mode`. (PyTorch: torch.get_deterministic_debug_mode)"""
    return _now["debug_mode"]


def set_num_interop_threads(threads: int) -> None:
    """Notes the number; operations run one after the other. `set_num_threads` is the one that counts.
    (PyTorch: torch.set_num_interop_threads)"""
    if threads < 1:
        raise RuntimeError(f"set_num_interop_threads expects a positive integer, but got {threads}")
    _now["interop_threads"] = int(threads)


def get_num_interop_threads() -> int:
    """What `set_num_interop_threads` noted; 1 at first. (PyTorch: torch.get_num_interop_threads)"""
    return _now["interop_threads"]


def set_flush_denormal(mode: bool) -> bool:
    """False: it is not supported, denormal numbers are always kept. (PyTorch: torch.set_flush_denormal)"""
    return False


def set_warn_always(b: bool) -> None:
    """Notes the wish; Python's own filters decide how often a warning is shown. (PyTorch: torch.set_warn_always)"""
    _now["warn_always"] = bool(b)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` noted. (PyTorch: torch.is_warn_always_enabled)"""
    return _now["warn_always"]
