"""Every op block against PyTorch: value, shape, dtype and gradient of each sample. Runs where torch is installed."""

import warnings

import numpy as np
import pytest
from op_cases import CASES, case_id, function_of, inputs_of, minigrad_tensor, outputs_of, samples, torch_function_of

import minigrad

torch = pytest.importorskip("torch")
TWINS = [case for case in CASES if torch_function_of(torch, case[0]) is not None]


def torch_tensor(array, grad=False):
    return torch.tensor(array, requires_grad=grad)


def tolerance(dtype):
    """PyTorch's own defaults in torch.testing.assert_close."""
    return {"float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}[dtype]


def same(ours, theirs, dtype):
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert repr(ours.dtype) == repr(theirs.dtype)
    rtol, atol = tolerance(dtype)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(force=True), rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", TWINS, ids=case_id)
def test_value_and_gradient_equal_pytorch(case, dtype):
    name, k = case
    sample = samples(name)[k]
    args, kwargs, made = inputs_of(sample, minigrad_tensor, dtype, grad=True, dtypes=minigrad)
    their_args, their_kwargs, their_made = inputs_of(sample, torch_tensor, dtype, grad=True, dtypes=torch)
    ours = outputs_of(function_of(name)(*args, **kwargs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own remarks (padding copies, one value's variance)
        theirs = outputs_of(torch_function_of(torch, name)(*their_args, **their_kwargs))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.requires_grad == (b.requires_grad and type(b.grad_fn).__name__ != "NotImplemented")
        same(
            a,
            b,
            dtype
            if "dtype" not in kwargs
            else repr(a.dtype).removeprefix("torch.")
            if a.is_floating_point()
            else dtype,
        )
    ours, theirs = [o for o in ours if o.requires_grad], [o for o in theirs if o.requires_grad]
    if not ours:
        return
    seeds = [np.linspace(0.5, 1.5, o.numel()).reshape(o.shape) for o in ours]
    minigrad.autograd.backward(ours, [minigrad.tensor(s, dtype=o.dtype) for s, o in zip(seeds, ours)])
    torch.autograd.backward(theirs, [torch.tensor(s, dtype=o.dtype) for s, o in zip(seeds, theirs)])
    for x, y in zip(made, their_made):
        assert (x.grad is None) == (y.grad is None)
        if x.grad is not None:
            same(x.grad, y.grad, dtype)
