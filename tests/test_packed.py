"""nn.utils.rnn: padding and packing sequences, line by line against torch, and gradients through all of it."""

import copy
import pickle

import numpy as np
import pytest
from both import array_of, assert_same, lines

import minigrad
from minigrad.autograd import gradcheck, gradgradcheck
from minigrad.nn.utils import rnn

torch = pytest.importorskip("torch")

LINES = """
R.pack_padded_sequence(T.arange(12.).reshape(3, 2, 2), [3, 1])
R.pack_padded_sequence(T.arange(12.).reshape(3, 2, 2), T.tensor([3, 3]))
R.pack_padded_sequence(T.arange(12.).reshape(3, 2, 2), [1, 3], enforce_sorted=False)
R.pack_padded_sequence(T.arange(12.).reshape(3, 2, 2), [2, 1])
R.pack_padded_sequence(T.arange(6.).reshape(3, 2), [3, 2])
R.pack_padded_sequence(T.arange(6).reshape(2, 3), (3, 2), batch_first=True)
R.pack_padded_sequence(T.arange(6).reshape(2, 3), np.array([3, 2]), True)
R.pack_padded_sequence(T.arange(6).reshape(2, 3), T.tensor([2.0, 3.0]), True, False)
R.pack_padded_sequence(T.arange(8).reshape(4, 2), [2, 2, 1, 2], True, False)
R.pack_padded_sequence(T.ones(3, 2, 2), [1, 3])
R.pack_padded_sequence(T.ones(3, 2, 2), [3, 0])
R.pack_padded_sequence(T.ones(3, 2, 2), [3, -1])
R.pack_padded_sequence(T.ones(3, 2, 2), [2])
R.pack_padded_sequence(T.ones(3, 2, 2), [])
R.pack_padded_sequence(T.ones(3, 0, 2), [])
R.pack_padded_sequence(T.ones(3, 2, 0), [1, 1])
R.pack_padded_sequence(T.ones(3), [3])
R.pack_padded_sequence(T.arange(6).reshape(2, 3), T.tensor([[2, 3]]), True)
R.pad_packed_sequence(R.pack_padded_sequence(T.arange(6).reshape(2, 3), [3, 2], True), True, -1)
R.pad_packed_sequence(R.pack_padded_sequence(T.arange(6.).reshape(2, 3), [2, 3], True, False), True, -1)
R.pad_packed_sequence(R.pack_padded_sequence(T.arange(6.).reshape(3, 2), [3, 2]), False, 0.5)
R.pad_packed_sequence(R.pack_padded_sequence(T.arange(6.).reshape(3, 2), [2, 3], False, False))
R.pad_packed_sequence(R.pack_padded_sequence(T.arange(6.).reshape(2, 3), [3, 2], True), True, 7, 5)
R.pad_packed_sequence(R.pack_padded_sequence(T.arange(6.).reshape(2, 3), [3, 2], True), total_length=2)
R.pad_packed_sequence(R.pack_padded_sequence(T.arange(6).reshape(2, 3) > 2, [3, 2], True), True)
R.pad_packed_sequence(R.PackedSequence(T.ones(4, 2), T.tensor([2, 1])))
R.pad_packed_sequence(T.ones(2))
R.PackedSequence(T.ones(3), T.tensor([2, 1]))
R.PackedSequence((T.ones(3), T.tensor([2, 1])))
R.PackedSequence([T.ones(3), T.tensor([2, 1])], sorted_indices=T.tensor([1, 0]))
R.PackedSequence(T.ones(3), T.tensor([2, 1]), T.tensor([1, 0])).unsorted_indices
R.PackedSequence(T.ones(3))
R.PackedSequence(T.ones(3), T.tensor([2, 1])).to(T.float64)
R.PackedSequence(T.ones(3), T.tensor([2, 1])).to('cpu')
R.PackedSequence(T.ones(3), T.tensor([2, 1])).to(device='cpu', dtype=T.int64)
R.PackedSequence(T.ones(3), T.tensor([2, 1])).cpu()
R.PackedSequence(T.ones(3), T.tensor([2, 1])).is_cuda
R.PackedSequence(T.ones(3), T.tensor([2, 1])).is_pinned()
R.PackedSequence(T.ones(3), T.tensor([2, 1]))._replace(data=T.zeros(3))
R.PackedSequence._fields
copy.deepcopy(R.PackedSequence(T.ones(3), T.tensor([2, 1])))
pickle.loads(pickle.dumps(R.PackedSequence(T.ones(3), T.tensor([2, 1]), T.tensor([1, 0]))))
[getattr(R.PackedSequence(T.ones(3), T.tensor([2, 1])), name)() for name in ('double', 'float', 'half', 'long')]
[getattr(R.PackedSequence(T.ones(3), T.tensor([2, 1])), name)() for name in ('int', 'short', 'char', 'byte')]
R.pad_sequence([T.ones(2), T.ones(3)])
R.pad_sequence([T.ones(2, 2), T.ones(3, 2)], True, 5)
R.pad_sequence([T.ones(2, 2), T.ones(3, 2)], True, 5, 'left')
R.pad_sequence([T.ones(2, 2), T.ones(3, 2)], padding_side='left')
R.pad_sequence(T.ones(2, 3))
R.pad_sequence(T.ones(2) for _ in range(2))
R.pad_sequence([T.ones(2).long(), T.ones(3) * 1.5])
R.pad_sequence([T.ones(2), T.ones(3).double()])
R.pad_sequence([T.ones(2).long(), T.ones(3).long()], padding_value=-1)
R.pad_sequence([T.ones(2).bool(), T.ones(3).bool()])
R.pad_sequence([T.ones(0), T.ones(2)])
R.pad_sequence([T.ones(0, 3), T.ones(0, 3)])
R.pad_sequence([T.ones(2, 2), T.ones(3, 2)], padding_side='up')
R.pad_sequence([])
R.pad_sequence(3)
R.pad_sequence([T.ones(2, 2), T.ones(3, 3)])
R.pad_sequence([T.tensor(1.), T.tensor(2.)])
R.pad_sequence([T.ones(2), [1, 2]])
R.unpad_sequence(T.arange(6).reshape(3, 2), T.tensor([3, 2]))
R.unpad_sequence(T.arange(6).reshape(2, 3), T.tensor([3, 2]), True)
R.unpad_sequence(T.arange(6).reshape(2, 3), T.tensor([5, 0]), True)
R.unpad_sequence(T.arange(6).reshape(2, 3), T.tensor([3]), True)
R.pack_sequence([T.ones(3), T.ones(2)])
R.pack_sequence([T.ones(2), T.ones(3)], False)
R.pack_sequence([T.ones(2), T.ones(3)])
R.pack_sequence([])
R.unpack_sequence(R.pack_sequence([T.ones(2, 3), T.zeros(3, 3), T.zeros(1, 3)], False))
R.invert_permutation(None)
R.invert_permutation(T.tensor([2, 0, 1]))
R.invert_permutation(T.tensor([2, 0, 1]).int())
"""


def described(value, T):
    if isinstance(value, T.Tensor):
        return "Tensor", str(value.dtype), tuple(value.shape), value.stride(), array_of(value)
    if isinstance(value, tuple | list):
        return type(value).__name__, [described(each, T) for each in value]
    return repr(value)


def outcome(line, T, R):
    try:
        return described(eval(line, {"T": T, "R": R, "np": np, "copy": copy, "pickle": pickle}), T)
    except Exception as error:
        return "raises", type(error).__name__


@pytest.mark.parametrize("line", lines(LINES))
def test_lines_agree(line):
    theirs = outcome(line, torch, torch.nn.utils.rnn)
    assert_same(outcome(line, minigrad, rnn), theirs, line)


def test_what_needs_no_conversion_is_itself():
    packed = rnn.pack_sequence([minigrad.ones(2), minigrad.ones(1)])
    assert packed.float() is packed
    assert packed.cpu() is packed
    assert packed.double() is not packed
    with pytest.raises(RuntimeError, match="CPU only"):
        packed.cuda()


def test_too_long_lengths_are_refused():
    """PyTorch packs what lies behind the tensor in memory."""
    with pytest.raises(RuntimeError, match="expected lengths of at most 3"):
        rnn.pack_padded_sequence(minigrad.ones(3, 2, 2), [4, 1])


def test_unpad_leaves_its_argument_alone():
    padded = minigrad.arange(6).reshape(3, 2)
    rnn.unpad_sequence(padded, minigrad.tensor([3, 2]))
    assert padded.shape == (3, 2)


ROUND_TRIPS = {
    "pack": lambda x: rnn.pack_padded_sequence(x, [3, 2, 2]).data,
    "pack, as many": lambda x: rnn.pack_padded_sequence(x, [4, 4, 4]).data,
    "pack unsorted": lambda x: rnn.pack_padded_sequence(x, [1, 4, 2], enforce_sorted=False).data,
    "pack and pad": lambda x: rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [1, 4, 2], False, False))[0],
    "pad": lambda x: rnn.pad_sequence([x[:2], x, x[1:]], padding_side="left"),
    "unpad": lambda x: tuple(rnn.unpad_sequence(x, minigrad.tensor([2, 4, 1]))),
    "unpack": lambda x: tuple(rnn.unpack_sequence(rnn.pack_sequence([x[:2], x], enforce_sorted=False))),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_gradients(name):
    x = minigrad.linspace(-1, 1, 24, dtype=minigrad.float64).reshape(4, 3, 2).requires_grad_()
    assert gradcheck(ROUND_TRIPS[name], [x])
    assert gradgradcheck(lambda x: tuple(y.sin() for y in as_tuple(ROUND_TRIPS[name](x))), [x])


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def test_a_layer_takes_sequences_as_if_each_came_alone():
    minigrad.manual_seed(0)
    layer = minigrad.nn.GRU(2, 3, 2, bidirectional=True)
    given = [minigrad.randn(n, 2) for n in (2, 5, 1, 3)]
    packed, last = layer(rnn.pack_sequence(given, enforce_sorted=False))
    for k, (sequence, output) in enumerate(zip(given, rnn.unpack_sequence(packed), strict=True)):
        alone, alone_last = layer(sequence)
        np.testing.assert_allclose(output.detach().numpy(), alone.detach().numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(last[:, k].detach().numpy(), alone_last.detach().numpy(), rtol=1e-5, atol=1e-6)
