"""PyTorch's samples for tests/opinfo.py: from its database, chosen, copied, described, and made wrong on purpose."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch.testing._internal import common_utils
from torch.testing._internal.opinfo import core

# For every sample the database looks through the whole call stack for a unittest of PyTorch's: there is none here, and
# below pytest that took longer than the comparisons.
common_utils.extract_test_fn = core.extract_test_fn = lambda: None


def describe(sample, dtype):
    def text(value):
        if isinstance(value, torch.Tensor):
            kind = str(value.dtype)[6:]
            small = f"={value.detach().tolist()}" if value.numel() <= 2 else ""
            layout = "" if value.is_contiguous() else f" strides {value.stride()}"
            return f"{kind}{list(value.shape)}{layout}{small}"
        if isinstance(value, tuple | list):
            return "(" + ", ".join(text(v) for v in value) + ")"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}={text(v)}" for k, v in value.items()) + "}"
        return repr(value)

    kwargs = f" {text(sample.kwargs)}" if sample.kwargs else ""
    return f"{str(dtype)[6:] if dtype else 'error'}: {text((sample.input, *sample.args))[:300]}{kwargs}"


def samples_of(info, dtype):
    """The database's samples; none where it cannot make any of this dtype. The same ones in each run."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (the database draws from it)
    grad = dtype.is_floating_point and info.supports_autograd
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(info.sample_inputs("cpu", dtype, requires_grad=grad))
        except Exception:
            return []


def features(sample):
    """What a sample shows: the kind of each argument, each value of each keyword, each number of dimensions."""

    def kind(value):
        if isinstance(value, torch.Tensor):
            return str(value.dtype), value.ndim, value.numel() == 0, value.is_contiguous()
        if isinstance(value, tuple | list):
            return type(value).__name__, *(kind(each) for each in value[:3])
        return type(value).__name__, value if isinstance(value, bool | str | type(None)) else ""

    for place, value in (*enumerate((sample.input, *sample.args)), *sample.kwargs.items()):
        yield place, kind(value)
        if not isinstance(value, torch.Tensor):
            yield place, "value", repr(value)[:80]
    yield tuple(sample.kwargs), len(sample.args)


def chosen(samples):
    """Of many samples those that show something new: a keyword's value, an argument's kind, a number of dimensions."""
    seen, kept = set(), []
    for sample in samples:
        new = set(features(sample)) - seen
        if new:
            seen |= new
            kept.append(sample)
    return kept


def misuses(sample):
    """(what is wrong, the sample made wrong), one thing at a time."""
    places = [(k, v) for k, v in enumerate((sample.input, *sample.args))]
    for k, value in places:
        if isinstance(value, torch.Tensor):
            yield f"a string as argument {k}", replaced(sample, k, "text")
            yield f"a list as argument {k}", replaced(sample, k, [1.0, 2.0])
            yield f"None as argument {k}", replaced(sample, k, None)
            yield f"one more dimension of argument {k}", replaced(sample, k, value.detach()[None])
            yield f"argument {k} flattened", replaced(sample, k, value.detach().flatten())
            yield f"argument {k} of other sizes", replaced(sample, k, larger(value))
            yield f"argument {k} as int32", replaced(sample, k, value.detach().to(torch.int32))
            yield f"argument {k} as bool", replaced(sample, k, value.detach() > 0)
        elif isinstance(value, int) and not isinstance(value, bool):
            for wrong in (99, -99, 1.5, "text", None):
                yield f"{wrong!r} as argument {k}", replaced(sample, k, wrong)
        elif isinstance(value, tuple | list) and value and all(isinstance(n, int) for n in value):
            for wrong in ((99,) * len(value), value[1:], ("text",)):
                yield f"{wrong!r} as argument {k}", replaced(sample, k, tuple(wrong))
    for name, value in sample.kwargs.items():
        if isinstance(value, int) and not isinstance(value, bool):
            for wrong in (99, -99, "text"):
                yield f"{name}={wrong!r}", replaced(sample, name, wrong)
        elif isinstance(value, str):
            yield f"{name}='nonsense'", replaced(sample, name, "nonsense")
    yield "an unknown keyword", replaced(sample, "nonsense", 1)
    yield "one argument too many", type(sample)(sample.input, args=(*sample.args, *[1] * 12), kwargs=sample.kwargs)
    if sample.args:
        yield "the last argument missing", type(sample)(sample.input, args=sample.args[:-1], kwargs=sample.kwargs)


def larger(tensor):
    """A tensor of one dtype and number of dimensions with this one, and two more of everything."""
    numbers = torch.rand([n + 2 for n in tensor.shape], generator=torch.Generator().manual_seed(0))
    return (numbers * 2).to(tensor.dtype)


def replaced(sample, place, value):
    """The sample with another value in one place."""
    if isinstance(place, str):
        return type(sample)(sample.input, args=sample.args, kwargs={**sample.kwargs, place: value})
    everything = [sample.input, *sample.args]
    everything[place] = value
    return type(sample)(everything[0], args=tuple(everything[1:]), kwargs=sample.kwargs)


def has_overlap(tensor):
    return any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape))


def detached(value):
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
        return type(value)(detached(each) for each in value)
    return {k: detached(each) for k, each in value.items()} if isinstance(value, dict) else value


def copied(value):
    """The sample's own tensors again, so that nothing is shared between runs."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone(memory_format=torch.preserve_format).requires_grad_(value.requires_grad)
    if isinstance(value, tuple | list):
        return type(value)(copied(each) for each in value) if not isinstance(value, torch.Size) else value
    return {k: copied(each) for k, each in value.items()} if isinstance(value, dict) else value


def theirs_converted(value, made):
    value = copied(value)
    collect(value, made)
    return value


def collect(value, made):
    if isinstance(value, torch.Tensor) and value.requires_grad:
        made.append(value)
    elif isinstance(value, dict):
        for each in value.values():
            collect(each, made)
    elif isinstance(value, tuple | list):
        for each in value:
            collect(each, made)
