"""`minigrad.cuda.amp`: the names of `minigrad.amp` with the device "cuda" left out. (PyTorch: torch.cuda.amp)"""

from __future__ import annotations

from minigrad import amp

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(amp.autocast):
    """``minigrad.amp.autocast("cuda", ...)``: a context without effect. (PyTorch: torch.cuda.amp.autocast)"""

    def __init__(self, enabled: bool = True, dtype=None, cache_enabled: bool | None = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``minigrad.amp.GradScaler("cuda", ...)``, which is disabled. (PyTorch: torch.cuda.amp.GradScaler)"""

    def __init__(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def custom_fwd(fwd=None, *, cast_inputs=None):
    """The function itself. (PyTorch: torch.cuda.amp.custom_fwd)"""
    return amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd=None):
    """The function itself. (PyTorch: torch.cuda.amp.custom_bwd)"""
    return amp.custom_bwd(bwd, device_type="cuda")
