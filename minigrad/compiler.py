"""`minigrad.compiler` and `minigrad.compile`: there is no graph compiler; functions are returned as they are, and give
the same results. (PyTorch: torch.compiler, torch.compile)"""

from __future__ import annotations

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling",
    "is_dynamo_compiling", "is_exporting", "reset",
]  # fmt: skip


def compile(
    model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None, disable=False, **kwargs
):
    """The function or module itself; as ``@compile(...)`` a decorator that returns it. (PyTorch: torch.compile)

    Raises:
        AssertionError: if `model` cannot be called.
    """
    if model is None:
        return lambda function: function
    if not callable(model):
        raise AssertionError(
            f"compile(): argument 'model': expected a function or a module, not {type(model).__name__}"
        )
    return model


def disable(fn=None, recursive=True, *, reason=None):
    """The function itself, or a decorator that returns it. (PyTorch: torch.compiler.disable)"""
    return (lambda function: function) if fn is None else fn


def allow_in_graph(fn):
    """The function itself. (PyTorch: torch.compiler.allow_in_graph)"""
    return fn


def assume_constant_result(fn):
    """The function itself. (PyTorch: torch.compiler.assume_constant_result)"""
    return fn


def reset() -> None:
    """Nothing to reset. (PyTorch: torch.compiler.reset)"""


def cudagraph_mark_step_begin() -> None:
    """Nothing to mark. (PyTorch: torch.compiler.cudagraph_mark_step_begin)"""


def is_compiling() -> bool:
    """False. (PyTorch: torch.compiler.is_compiling)"""
    return False


def is_dynamo_compiling() -> bool:
    """False. (PyTorch: torch.compiler.is_dynamo_compiling)"""
    return False


def is_exporting() -> bool:
    """False. (PyTorch: torch.compiler.is_exporting)"""
    return False
