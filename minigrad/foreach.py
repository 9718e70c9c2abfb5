"""`_foreach_add_` and its kind: one operation for each tensor of a list. (PyTorch: torch._foreach_add_ ...)

They are PyTorch's private names, but optimizers and training loops written for it use them. Here they are loops, with
PyTorch's arguments: what is a list or a tuple goes along with the tensors, anything else is the same for all of them.

    _foreach_lerp_(averages, grads, 0.1)       # averages[i].lerp_(grads[i], 0.1)
"""

from __future__ import annotations

from minigrad import linalg
from minigrad.tensor import Tensor

_ONE_BY_ONE = """
    abs acos add addcdiv addcmul asin atan ceil clamp_max clamp_min clone copy_ cos cosh div erf erfc exp expm1 floor
    frac lerp lgamma log log10 log1p log2 max maximum minimum mm mul neg norm pow reciprocal round rsqrt sigmoid sign
    sin sinh sqrt sub tan tanh trunc zero_
""".split()
_OUT_OF_PLACE_ONLY = {"clone", "max", "mm", "norm"}


def _norm(tensor, ord=2, dtype=None):
    return linalg.vector_norm(tensor, ord, dtype=dtype)


def _method(name):
    """What is called for each tensor: a method, where PyTorch's two forms agree."""
    if name == "norm":
        return _norm
    name = name.replace("maximum", "clamp_min").replace("minimum", "clamp_max")  # which take numbers, too
    method = getattr(Tensor, name)
    if name.startswith("addc"):
        return lambda tensor, first, second, value=1: method(tensor, first, second, value=value)
    return method


def _foreach(name):
    call, is_in_place = _method(name), name.endswith("_")

    def function(self, *args, **kwargs):
        if name == "pow" and not isinstance(self, list | tuple):
            return tuple([self**exponent for exponent in args[0]])
        columns = [self]
        for arg in args:
            if name.startswith("addc") and len(columns) == 3 and isinstance(arg, Tensor):
                arg = arg.tolist()  # a number for each tensor
            columns.append(arg if isinstance(arg, list | tuple) else [arg] * len(self))
            if len(columns[-1]) != len(self):
                raise RuntimeError(
                    f"_foreach_{name}(): Tensor lists must have the same number of tensors, got {len(self)} and "
                    f"{len(columns[-1])}"
                )
        results = [call(*row, **kwargs) for row in zip(*columns, strict=True)]
        return list(self) if is_in_place else tuple(results)

    function.__name__ = function.__qualname__ = f"_foreach_{name}"
    function.__doc__ = f"`{name}` for each tensor of a list. (PyTorch: torch._foreach_{name})"
    return function


for _name in _ONE_BY_ONE:
    for _form in (_name,) if _name in _OUT_OF_PLACE_ONLY or _name.endswith("_") else (_name, _name + "_"):
        globals()[f"_foreach_{_form}"] = _foreach(_form)
