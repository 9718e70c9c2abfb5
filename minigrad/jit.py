"""`minigrad.jit`: there is no second language to compile to; what would be scripted or traced is returned as it is and
stays ordinary Python, which gives the same results. (PyTorch: torch.jit)

What a scripted module is for beyond being called, to be saved without its source, is refused.
"""

from __future__ import annotations

from typing import Any, Final

from minigrad.harmless import refusing

__all__ = [
    "Final", "annotate", "export", "freeze", "ignore", "is_scripting", "is_tracing",
    "optimize_for_inference", "script", "script_if_tracing", "script_method", "trace", "unused",
]  # fmt: skip

__getattr__ = refusing(
    __name__,
    "RecursiveScriptModule ScriptFunction ScriptModule TracedModule fork load save trace_module wait",
    NotImplementedError,
    "there is no TorchScript here; use minigrad.save(model.state_dict(), path), or minigrad.onnx.export for other "
    "programs",
)


def script(obj, *args, **kwargs):
    """The function, class or module itself. (PyTorch: torch.jit.script)"""
    return obj


def trace(func, example_inputs=None, *args, **kwargs):
    """The function or module itself; it is not run. Its Python branches go on being taken anew in each call.
    (PyTorch: torch.jit.trace)"""
    return func


def freeze(mod, *args, **kwargs):
    """The module itself. (PyTorch: torch.jit.freeze)"""
    return mod


def optimize_for_inference(mod, *args, **kwargs):
    """The module itself. (PyTorch: torch.jit.optimize_for_inference)"""
    return mod


def script_if_tracing(fn):
    """The function itself. (PyTorch: torch.jit.script_if_tracing)"""
    return fn


def script_method(fn):
    """The method itself. (PyTorch: torch.jit.script_method)"""
    return fn


def export(fn):
    """The method itself. (PyTorch: torch.jit.export)"""
    return fn


def ignore(drop=False, **kwargs):
    """The function itself, or a decorator that returns it. (PyTorch: torch.jit.ignore)"""
    return drop if callable(drop) else lambda function: function


def unused(fn):
    """The function itself. (PyTorch: torch.jit.unused)"""
    return fn


def annotate(the_type: Any, the_value):
    """The value itself. (PyTorch: torch.jit.annotate)"""
    return the_value


def is_scripting() -> bool:
    """False. (PyTorch: torch.jit.is_scripting)"""
    return False


def is_tracing() -> bool:
    """False. (PyTorch: torch.jit.is_tracing)"""
    return False
