"""The text of error messages: one shape for all of them.

Ground floor: strings in, strings out.  A message names the op, the argument, what came, what was expected and what to
do about it; the exception's *type* is PyTorch's and is chosen where it is raised::

    raise RuntimeError(message("reshape", "shape", f"{shape_text(shape)} for 6 elements", "a shape of 6 elements",
                               "use -1 for the dimension to be inferred"))
"""


def shape_text(shape) -> str:
    """``[2, 3]``: a shape as PyTorch's messages write it.

    >>> shape_text((2, 3)), shape_text(())
    ('[2, 3]', '[]')
    """
    return "[" + ", ".join(map(str, shape)) + "]"


def describe(value) -> str:
    """A short description of an argument that came: tensors and arrays by shape and dtype, the rest by type and value.

    >>> describe(3), describe("abc"), describe(None)
    ('int 3', "str 'abc'", 'None')
    """
    if value is None:
        return "None"
    kind = type(value).__name__
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{kind} of shape {shape_text(value.shape)} and dtype {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, type):
        return f"the type {kind if value is type else value.__name__}"
    text = repr(value)
    return f"{kind} {text if len(text) <= 60 else text[:57] + '...'}"


def message(op: str, argument: str, got: str, expected: str, hint: str = "") -> str:
    """``op(): argument 'name': got ...; expected ... (hint)``.

    >>> message("eye", "n", "-1", "n >= 0")
    "eye(): argument 'n': got -1; expected n >= 0"
    """
    text = f"{op}(): argument '{argument}': got {got}; expected {expected}"
    return f"{text} ({hint})" if hint else text


class _LinAlgError(RuntimeError):
    """A matrix is singular, not positive-definite, or holds NaN (PyTorch: torch.linalg.LinAlgError)."""


LinAlgError = _LinAlgError  # the names PyTorch has for it


class NoDeviceError(RuntimeError, AssertionError):
    """There is only the CPU. A PyTorch without CUDA raises AssertionError for some calls and RuntimeError for others;
    programs that expect either find it."""
