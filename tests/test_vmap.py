"""`vmap`: all examples at once gives what one by one gives, for every op; and which functions are computed at once."""

import numpy as np
import pytest
from op_cases import BLOCKS, CASES, Maker, case_id, function_of, inputs_of, outputs_of

import minigrad
from minigrad import func

COUNT = 3


def batch_of(case, which):
    """(function of the tensors, their batches, in_dims): the case's sample drawn three times; None where not batched.

    `which`: "all" the tensors have a batch, or "first": the first, in its last dimension.
    """
    name, k = case
    drawn = [list(BLOCKS[name].samples(Maker(seed)))[k] for seed in range(COUNT)]
    columns = [[] for _ in drawn]
    for sample, column in zip(drawn, columns, strict=True):
        inputs_of(
            sample, lambda array, wanted, column=column: column.append(array) or minigrad.tensor(array), dtypes=minigrad
        )
    shared = [len({array.shape for array in arrays}) > 1 for arrays in zip(*columns, strict=True)]
    dims = [None if odd else 0 for odd in shared]
    if which == "first":
        dims = [-1 if i == 0 and not odd else None for i, odd in enumerate(shared)]
    stacked = [
        arrays[0] if dim is None else np.stack(arrays, dim) for arrays, dim in zip(zip(*columns, strict=True), dims)
    ]

    def run(*tensors):
        queue = list(tensors)
        args, kwargs, _ = inputs_of(drawn[0], lambda array, wanted: queue.pop(0), dtypes=minigrad)
        return tuple(outputs_of(function_of(name)(*args, **kwargs)))

    return run, [minigrad.tensor(array) for array in stacked], tuple(dims)


def examples(batches, dims):
    for i in range(COUNT):
        yield [x if dim is None else x.select(dim, i) for x, dim in zip(batches, dims, strict=True)]


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error)


def compare(found, expected):
    if isinstance(expected, type):
        assert found is expected
        return
    if any(len({y.shape for y in outputs}) > 1 for outputs in zip(*expected, strict=True)):
        assert found is RuntimeError  # nothing to stack
        return
    assert not isinstance(found, type), found
    for one, *others in zip(found, *expected, strict=True):
        several = np.stack([other.numpy() for other in others])
        assert one.numpy().dtype == several.dtype
        np.testing.assert_allclose(one.numpy(), several, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("which", ["all", "first"])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_all_at_once_is_one_by_one(case, which):
    function, batches, dims = batch_of(case, which)
    if all(dim is None for dim in dims):
        dims = ()
    if not dims:
        with pytest.raises(ValueError, match="vmap"):
            func.vmap(function, (None,) * len(batches))(*batches)
        return

    def seeded(*tensors):
        minigrad.manual_seed(0)
        return function(*tensors)

    def total(*tensors):
        return sum((y * y).sum() for y in seeded(*tensors) if y.is_floating_point())

    wanted = tuple(i for i, x in enumerate(batches) if x.is_floating_point())
    expected = outcome(lambda: [seeded(*example) for example in examples(batches, dims)])
    compare(outcome(lambda: func.vmap(seeded, dims, randomness="same")(*batches)), expected)
    if wanted and not isinstance(expected, type) and any(y.is_floating_point() for y in expected[0]):
        slope = func.grad(total, wanted)
        expected = outcome(lambda: [slope(*example) for example in examples(batches, dims)])
        compare(outcome(lambda: func.vmap(slope, dims, randomness="same")(*batches)), expected)
