"""Anomaly detection: where in the forward was the operation whose backward fails, or gives NaN?

Names and meanings are those of torch.autograd.anomaly_mode; the work is done in `watch.py`.
"""

from __future__ import annotations

import warnings

from minigrad.autograd import watch

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_detect_anomaly"]


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on. (PyTorch: torch.is_anomaly_enabled)"""
    return watch.anomaly["on"]


def is_anomaly_check_nan_enabled() -> bool:
    """Whether, when anomaly detection is on, NaN gradients are errors. (PyTorch: torch.is_anomaly_check_nan_enabled)"""
    return watch.anomaly["check_nan"]


def _set(on, check_nan):
    if on != watch.anomaly["on"]:
        watch.anomaly["on"] = on
        watch.watch(+1 if on else -1)
    watch.anomaly["check_nan"] = check_nan


class set_detect_anomaly:
    """Switch anomaly detection on or off: at once, and as a context manager until the end of the block.
    (PyTorch: torch.autograd.set_detect_anomaly)"""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = watch.anomaly["on"], watch.anomaly["check_nan"]
        _set(bool(mode), check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _set(*self._before)


class detect_anomaly:
    """Within the block, an error in backward comes with the traceback of the forward call that it belongs to (as a
    warning), and so does a NaN gradient, which is made a RuntimeError (check_nan=False: it is not). Slow: every
    operation notes its stack. It concerns all threads. (PyTorch: torch.autograd.detect_anomaly)
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self._before = watch.anomaly["on"], watch.anomaly["check_nan"]
        _set(True, self.check_nan)

    def __exit__(self, *exc: object) -> None:
        _set(*self._before)
