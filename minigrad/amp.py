"""`minigrad.amp`: mixed precision. Nothing is cast here, so `autocast` has no effect; `GradScaler` works. (torch.amp)

Every computation stays in the dtype of its tensors, which is at least as exact as what autocast would choose. Scaling
the loss is not needed then, but changes nothing either: the scale is a power of two.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import minigrad
from minigrad.dtypes import bfloat16
from minigrad.errors import message
from minigrad.tensor import Tensor

__all__ = [
    "GradScaler", "autocast", "clear_autocast_cache", "custom_bwd", "custom_fwd", "get_autocast_dtype",
    "is_autocast_available", "is_autocast_cache_enabled", "is_autocast_enabled", "set_autocast_cache_enabled",
    "set_autocast_dtype", "set_autocast_enabled",
]  # fmt: skip

DEVICE_TYPES = ("cpu", "cuda", "hpu", "ipu", "maia", "meta", "mps", "mtia", "privateuseone", "xla", "xpu")


def check_device_type(op, device_type):
    """PyTorch's errors about what is no kind of device."""
    if not isinstance(device_type, str):
        raise ValueError(message(op, "device_type", f"{device_type!r}", "a str such as 'cpu'"))
    if device_type.partition(":")[0] not in DEVICE_TYPES:
        raise RuntimeError(message(op, "device_type", f"{device_type!r}", f"one of {', '.join(DEVICE_TYPES)}"))


class autocast:
    """A context or decorator without effect: nothing is cast to a lower precision on this CPU.

    Args:
        device_type (str): "cpu", "cuda", ...
        dtype, enabled, cache_enabled: accepted.

    PyTorch: torch.autocast, torch.amp.autocast
    """

    def __init__(self, device_type: str, dtype=None, enabled: bool = True, cache_enabled: bool | None = None) -> None:
        check_device_type("autocast", device_type)
        self.device = device_type

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False

    def __call__(self, func):
        @functools.wraps(func)
        def with_autocast(*args, **kwargs):
            return func(*args, **kwargs)

        return with_autocast


def is_autocast_available(device_type: str) -> bool:
    """False: nothing is ever cast. (PyTorch: torch.amp.is_autocast_available)"""
    check_device_type("is_autocast_available", device_type)
    return False


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """False, inside `autocast` too: nothing is cast. (PyTorch: torch.is_autocast_enabled)"""
    check_device_type("is_autocast_enabled", device_type)
    return False


def set_autocast_enabled(device_type, enabled: bool = True) -> None:
    """Nothing. (PyTorch: torch.set_autocast_enabled)"""


def get_autocast_dtype(device_type: str):
    """What PyTorch would cast to: bfloat16 for the CPU, else float16. (PyTorch: torch.get_autocast_dtype)"""
    check_device_type("get_autocast_dtype", device_type)
    return bfloat16 if device_type == "cpu" else minigrad.float16


def set_autocast_dtype(device_type: str, dtype) -> None:
    """Nothing. (PyTorch: torch.set_autocast_dtype)"""


def is_autocast_cache_enabled() -> bool:
    """False: nothing is cast, so nothing is kept. (PyTorch: torch.is_autocast_cache_enabled)"""
    return False


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Nothing. (PyTorch: torch.set_autocast_cache_enabled)"""


def clear_autocast_cache() -> None:
    """Nothing to clear. (PyTorch: torch.clear_autocast_cache)"""


def custom_fwd(fwd=None, *, device_type: str, cast_inputs=None):
    """The function itself: a decorator for the `forward` of an autograd.Function. (PyTorch: torch.amp.custom_fwd)"""
    check_device_type("custom_fwd", device_type)
    return (lambda function: function) if fwd is None else fwd


def custom_bwd(bwd=None, *, device_type: str):
    """The function itself: a decorator for the `backward` of an autograd.Function. (PyTorch: torch.amp.custom_bwd)"""
    check_device_type("custom_bwd", device_type)
    return (lambda function: function) if bwd is None else bwd


READY, UNSCALED, STEPPED = "ready", "unscaled", "stepped"  # what was done to an optimizer since the last update


class GradScaler:
    """Multiplies the loss, so that small float16 gradients do not underflow; divides the gradients before the step.

    ::

        scaler.scale(loss).backward()
        scaler.step(optimizer)          # not taken if a gradient is inf or NaN
        scaler.update()                 # a smaller scale then; a larger one after many good steps

    Args:
        device (str): with "cuda", which is not here, the scaler is disabled, as in PyTorch; "cpu" enables it.
        init_scale (float): the factor of the loss.
        growth_factor (float): multiplies the scale after `growth_interval` steps without inf or NaN; above 1.
        backoff_factor (float): multiplies it after a step with them; below 1.
        growth_interval (int): see `growth_factor`.
        enabled (bool): False makes `step` the optimizer's, and the rest do nothing.

    Source: Micikevicius et al., Mixed Precision Training (2018). PyTorch: torch.amp.GradScaler
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._enabled = enabled and device == "cpu"
        if self._enabled and growth_factor <= 1.0:
            raise AssertionError(f"The growth factor must be > 1.0, but got {growth_factor}")
        if self._enabled and backoff_factor >= 1.0:
            raise AssertionError(f"The backoff factor must be < 1.0, but got {backoff_factor}")
        self._scale = float(init_scale)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0  # good steps since the scale last changed
        self._used = False
        self._stages: dict[int, str] = {}  # by the optimizer's id
        self._found_inf: dict[int, bool] = {}

    def scale(self, outputs: Tensor | Iterable) -> Any:
        """The loss, or each of several (lists and tuples stay such), times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            self._used = True
            # A tensor and not a number, so that a float16 loss becomes float32 and does not overflow.
            return outputs * minigrad.tensor(self._scale, dtype=minigrad.float32)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled
        raise ValueError("scale(): outputs must be a Tensor or an iterable of Tensors")

    def _check_used(self, method):
        if not self._used:
            raise AssertionError(
                f"Attempted {method} but nothing was scaled: this script did not use scaler.scale(loss or outputs) "
                "earlier in the iteration"
            )

    def unscale_(self, optimizer) -> None:
        """Divide the gradients of the optimizer's parameters, once after all are computed; e.g. before clipping them.
        `step` does it otherwise."""
        if not self._enabled:
            return
        self._check_used("unscale_")
        stage = self._stages.get(id(optimizer), READY)
        if stage == UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if stage == STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        found, inverse = False, minigrad.tensor(1 / self._scale, dtype=minigrad.float32)
        with minigrad.no_grad():
            for param in [param for group in optimizer.param_groups for param in group["params"]]:
                if param.grad is not None:
                    if param.grad.dtype == minigrad.float16:
                        raise ValueError("Attempting to unscale FP16 gradients: keep the parameters in float32.")
                    found = found or not param.grad.isfinite().all().item()
                    param.grad.mul_(inverse)
        self._found_inf[id(optimizer)] = found
        self._stages[id(optimizer)] = UNSCALED

    def step(self, optimizer, *args, **kwargs):
        """`optimizer.step` with unscaled gradients, unless one of them is inf or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("step(): Closure use is not currently supported if GradScaler is enabled.")
        self._check_used("step")
        stage = self._stages.get(id(optimizer), READY)
        if stage == STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if stage == READY:
            self.unscale_(optimizer)
        result = None if self._found_inf[id(optimizer)] else optimizer.step(*args, **kwargs)
        self._stages[id(optimizer)] = STEPPED
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Choose the scale of the next iteration: `new_scale` if given."""
        if not self._enabled:
            return
        self._check_used("update")
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._found_inf:
            raise AssertionError("update(): No inf checks were recorded prior to update: call step() before.")
        elif any(self._found_inf.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                if self._scale * self._growth_factor <= minigrad.finfo(minigrad.float32).max:
                    self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._stages.clear()
        self._found_inf.clear()

    def get_scale(self) -> float:
        """The scale now; 1.0 if disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """See the class."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """See the class."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """See the class."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """See the class."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """See the class."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """See the class."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether it scales."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale, the settings and the count of good steps; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; nothing if disabled."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        for name, value in state_dict.items():
            setattr(self, "_" + name.removeprefix("_"), value)
