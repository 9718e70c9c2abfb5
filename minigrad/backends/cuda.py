"""`minigrad.backends.cuda`: not used; its switches can be set and have no effect. (PyTorch: torch.backends.cuda)"""

from __future__ import annotations

import contextlib
import types

__all__ = ["is_built", "is_flash_attention_available", "matmul", "sdp_kernel"]

matmul = types.SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    allow_fp16_accumulation=False,
    fp32_precision="none",
)


def is_built() -> bool:
    """False: CUDA is not used."""
    return False


def is_flash_attention_available() -> bool:
    """False: CUDA is not used."""
    return False


_kernels = dict.fromkeys(("flash", "math", "mem_efficient", "cudnn"), True)


def _switch(name):
    """The functions that set and read whether `scaled_dot_product_attention` may use a kernel of PyTorch's."""

    def enable(enabled: bool) -> None:
        _kernels[name] = bool(enabled)

    def is_enabled() -> bool:
        return _kernels[name]

    enable.__doc__ = f"Sets what {name}_sdp_enabled() says; there is one attention here, and it stays."
    is_enabled.__doc__ = f"What enable_{name}_sdp() set; True at first."
    return enable, is_enabled


enable_flash_sdp, flash_sdp_enabled = _switch("flash")
enable_math_sdp, math_sdp_enabled = _switch("math")
enable_mem_efficient_sdp, mem_efficient_sdp_enabled = _switch("mem_efficient")
enable_cudnn_sdp, cudnn_sdp_enabled = _switch("cudnn")


@contextlib.contextmanager
def sdp_kernel(enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
    """A context without effect: there is one attention here."""
    yield
