"""PyTorch's database of layers (torch.testing._internal.common_modules) run in both libraries: what tests compare.

    python tests/moduleinfo.py [nn.LSTM ...]      every disagreement; without names, of all layers

For each layer and each of its samples, in training and in evaluation: the same seed gives the same parameters, the same
text and the same state_dict; then three calls, with outputs, gradients of inputs and parameters, and buffers; the
state_dict of each loads in the other. The database's wrong calls raise the same kind of error.
"""

from __future__ import annotations

import contextlib
import io
import operator
import sys
import warnings

import torch
from opinfo_swap import OutOfScope, differ, ours, same, tensors_in
from torch.testing._internal.common_modules import module_db

import minigrad
import minigrad.autograd
import minigrad.nn

MODULES = {info.name: info for info in module_db}
TOLERANCE = {torch.float32: (1.3e-5, 5e-6), torch.float64: (1e-9, 1e-11)}
WIDER = {"nn.CTCLoss": {**TOLERANCE, torch.float32: (2e-4, 2e-5)}}  # exp() of sums of some hundred logarithms
CALLS = 3
MOST = 100  # samples of a layer, evenly taken: the database has 850 of LinearCrossEntropyLoss alone


def samples(info, dtype, training, most):
    """The database's samples of a layer, with tensors that do not change from run to run."""
    torch.manual_seed(0)
    made = list(info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training))
    return made[:: -(-len(made) // most)]


def build(make, library, given, dtype):
    """A layer, from the seed 7, as the database's tests make it."""
    library.manual_seed(7)
    args, kwargs = given
    module = make(*args, **kwargs)
    return module.to(getattr(library, str(dtype).removeprefix("torch.")))


def run(library, module, args, kwargs, leaves):
    """All that some calls leave: outputs, gradients, buffers; or the error."""
    library.manual_seed(11)
    seen = []
    try:
        for number in range(CALLS):
            result = module(*args, **kwargs)
            seen.append(result)
            outputs = [t for t in tensors_in(result) if t.requires_grad]
            if outputs and number == CALLS - 1:
                library.autograd.backward(outputs, [weights(library, t) for t in outputs])
    except Exception as error:
        return ("raises", error)
    grads = [leaf.grad for leaf in leaves] + [p.grad for p in module.parameters()]
    return ("gives", [seen, grads, list(module.buffers())])


def weights(library, t):
    """What the gradient of an output is to be: not all the same, and not random."""
    return ((library.arange(t.numel()) % 7).to(t.dtype) / 7 - 0.4).reshape(t.shape)


def their_leaves(value):
    if isinstance(value, torch.Tensor):
        return [value] if value.requires_grad else []
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for each in value for leaf in their_leaves(each)] if isinstance(value, tuple | list) else []


def copied(value):
    """The same arguments, as fresh leaves."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, tuple | list):
        return type(value)(copied(each) for each in value)
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    return value


def counterpart(name):
    return operator.attrgetter(name)(minigrad)


def module_arguments(given):
    """The arguments that make a layer, for minigrad; a device of PyTorch's is left out, a layer is carried over."""
    if given.kwargs.get("options") is not None:
        raise OutOfScope("LinearCrossEntropyOptions")
    args, kwargs = ours((tuple(given.args), dict(given.kwargs)))
    args = tuple(carried(value) if isinstance(value, torch.nn.Module) else value for value in args)
    return args, {key: value for key, value in kwargs.items() if key != "device"}


def carried(module):
    """A layer of PyTorch's as ours, by way of a file."""
    file = io.BytesIO()
    torch.save(module, file)
    return minigrad.load(io.BytesIO(file.getvalue()), weights_only=False)


def compare(info, sample, dtype, training):
    """None, or how the two libraries differ on a sample."""
    given = sample.constructor_input
    theirs = build(info.module_cls, torch, (given.args, given.kwargs), dtype)
    mine = build(counterpart(info.name), minigrad, module_arguments(given), dtype)
    if repr(mine) != repr(theirs):
        return f"repr {mine!r}, PyTorch {theirs!r}"
    theirs.train(training)
    mine.train(training)
    before = state_differs(mine, theirs)
    if before:
        return before
    call = copied((tuple(sample.forward_input.args), dict(sample.forward_input.kwargs)))
    my_leaves = []
    my_call = ours(call, my_leaves)
    a = run(minigrad, mine, *my_call, my_leaves)
    b = run(torch, theirs, *call, their_leaves(call))
    tolerance = WIDER.get(info.name, TOLERANCE)
    return differ(a, b, tolerance) or state_differs(mine, theirs) or load_differs(mine, theirs)


def state_differs(mine, theirs):
    a, b = mine.state_dict(), theirs.state_dict()
    if list(a) != list(b):
        return f"state_dict keys {list(a)}, PyTorch {list(b)}"
    uninitialized = [key for key, value in b.items() if isinstance(value, torch.nn.parameter.UninitializedTensorMixin)]
    return next(
        (f"{key}: {d}" for key in b if key not in uninitialized and (d := same(a[key], b[key], TOLERANCE))), None
    )


def load_differs(mine, theirs):
    """Each takes the other's state, moved across as arrays."""
    state = {key: minigrad.tensor(value.detach().numpy()) for key, value in theirs.state_dict().items()}
    if str(mine.load_state_dict(state)) != "<All keys matched successfully>":
        return "PyTorch's state_dict does not load"
    state = {key: torch.from_numpy(value.detach().numpy().copy()) for key, value in mine.state_dict().items()}
    theirs.load_state_dict(state)
    return None


def compare_error(info, case, dtype):
    """None, or how a call made wrong differs."""
    given = case.module_error_input.constructor_input
    forward = case.module_error_input.forward_input

    def attempt(library, make, given, convert):
        try:
            module = build(make, library, given, dtype)
            if forward is not None:
                args, kwargs = convert((tuple(forward.args), dict(forward.kwargs)))
                module(*args, **kwargs)
        except Exception as error:
            return ("raises", error)
        return ("gives", None)

    a = attempt(minigrad, counterpart(info.name), module_arguments(given), ours)
    b = attempt(torch, info.module_cls, (given.args, given.kwargs), lambda call: call)
    return differ(a, b, TOLERANCE)


@contextlib.contextmanager
def quiet():
    """No warnings: the database has them given on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@quiet()
def disagreements(name, most=MOST):
    """(how many comparisons, [how they differ]) of a layer, on at most so many samples of each dtype and mode."""
    info, tried, found = MODULES[name], 0, []
    for dtype in (torch.float32, torch.float64):
        for training in (True, False):
            for number, sample in enumerate(samples(info, dtype, training, most)):
                where = f"{name} {dtype} training={training} sample {number} {sample.desc}"
                try:
                    difference = compare(info, sample, dtype, training)
                except OutOfScope:
                    continue
                tried += 1
                if difference:
                    found.append(f"{where}: {difference}")
        if info.module_error_inputs_func:
            torch.manual_seed(0)
            arguments = {"device": "cpu", "dtype": dtype, "requires_grad": False, "training": True}
            for number, case in enumerate(info.module_error_inputs_func(info, **arguments)):
                try:
                    difference = compare_error(info, case, dtype)
                except OutOfScope:
                    continue
                tried += 1
                if difference:
                    found.append(f"{name} {dtype} wrong call {number}: {difference}")
    return tried, found


def main():
    total = 0
    for name in sys.argv[1:] or MODULES:
        try:
            tried, found = disagreements(name)
        except Exception as error:
            tried, found = 0, [f"{name}: {type(error).__name__}: {error}"]
        total += tried
        if found or not tried:
            print(name, tried - len(found), "of", tried)
        for line in found:
            print("   ", line[:600])
    print(total, "comparisons")


if __name__ == "__main__":
    main()
