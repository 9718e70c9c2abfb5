"""Tensors and other array libraries: operators with ndarrays, NumPy's functions, DLPack with NumPy and PyTorch."""

import operator

import numpy as np
import pytest

import minigrad
from minigrad.utils import dlpack

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow", "matmul", "lt", "ge", "eq"])
def test_an_ndarray_on_the_left_meets_a_tensor(name):
    array, values = np.array([1.5, 2.0]), np.array([2.0, 3.0])
    x = minigrad.tensor(values, requires_grad=True)
    out = getattr(operator, name)(array, x)
    assert isinstance(out, minigrad.Tensor)
    np.testing.assert_array_equal(out.detach().numpy(), getattr(operator, name)(array, values))
    assert out.requires_grad == (name not in ("lt", "ge", "eq"))


def test_numpy_functions_give_tensors():
    x = minigrad.tensor([[3.0, 1.0], [2.0, 4.0]])
    for function in (
        np.exp,
        np.cumsum,
        np.transpose,
        np.isnan,
        lambda v: np.clip(v, 1, 2),
        lambda v: np.sum(v, axis=0),
    ):
        out = function(x)
        assert isinstance(out, minigrad.Tensor)
        np.testing.assert_allclose(out.numpy(), function(x.numpy()))


def test_an_array_and_its_tensor_are_the_same_memory():
    array = np.zeros(3)
    x = minigrad.from_numpy(array)
    array[0] = 1.0
    x[1] = 2.0
    x.numpy()[2] = 3.0
    np.asarray(x)[0] += 10.0
    assert x.tolist() == array.tolist() == [11.0, 2.0, 3.0]
    assert minigrad.Tensor(np.zeros(3, np.float32)).shape == (3,)


def test_a_read_only_array_cannot_be_written_to():
    array = np.zeros(3)
    array.flags.writeable = False
    for x in (
        minigrad.from_numpy(array),
        minigrad.from_dlpack(array),
        minigrad.frombuffer(b"abc", dtype=minigrad.uint8),
    ):
        with pytest.raises(RuntimeError, match="read-only"):
            x.add_(1)
        assert (x + 1).shape == (3,)


@pytest.mark.parametrize("name", DTYPES)
def test_dlpack_with_numpy_shares_memory(name):
    x = minigrad.zeros(2, 3, dtype=getattr(minigrad, name))
    array = np.from_dlpack(x.t())
    assert (array.dtype, array.shape, array.strides) == (x.numpy().dtype, (3, 2), x.t().numpy().strides)
    x[0, 1] = 1
    assert array[1, 0] == 1
    back = minigrad.from_dlpack(array)
    assert back.dtype is x.dtype
    back[0, 0] = 1
    assert x[0, 0] == 1


@pytest.mark.parametrize("name", DTYPES)
def test_dlpack_with_pytorch_shares_memory(name):
    torch = pytest.importorskip("torch")
    x = minigrad.zeros(2, 3, dtype=getattr(minigrad, name))
    theirs = torch.from_dlpack(x)
    theirs[1, 2] = 1
    assert x[1, 2] == 1
    theirs = torch.zeros(2, 3, dtype=getattr(torch, name)).t()
    ours = minigrad.from_dlpack(theirs)
    ours[0, 1] = 1
    assert theirs[0, 1] == 1
    assert (ours.stride(), str(ours.dtype)) == (theirs.stride(), str(theirs.dtype))
    capsule = torch.utils.dlpack.to_dlpack(theirs)
    assert dlpack.from_dlpack(capsule).data_ptr() == theirs.data_ptr()
    assert torch.utils.dlpack.from_dlpack(dlpack.to_dlpack(x)).data_ptr() == x.data_ptr()


def test_dlpack_refuses():
    x = minigrad.ones(2, requires_grad=True)
    for give in (x.__dlpack__, lambda: np.from_dlpack(x), lambda: dlpack.to_dlpack(x * 2)):
        with pytest.raises(BufferError, match=r"require gradient, use tensor\.detach\(\)"):
            give()
    assert np.from_dlpack(x.detach()).tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="expected an object with __dlpack__"):
        minigrad.from_dlpack([1, 2])
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        dlpack.to_dlpack([1])


def test_dlpack_copies_when_asked_to():
    array = np.zeros(2)
    copied = minigrad.from_dlpack(array, copy=True)
    array[0] = 1.0
    assert copied.tolist() == [0.0, 0.0]


def test_a_tensor_of_another_library_is_data():
    torch = pytest.importorskip("torch")
    theirs = torch.arange(3)
    assert minigrad.tensor(theirs).tolist() == [0, 1, 2]
    shared = minigrad.as_tensor(theirs)
    shared[0] = 7
    assert theirs[0] == 7


def test_what_is_not_here_says_so():
    x = minigrad.ones(2)
    assert x.conj() is x.real is x.resolve_conj() is x
    for call, text in (
        (lambda: minigrad.complex(x, x), "no complex tensors"),
        (x.indices, "no sparse layouts"),
        (x.bfloat16, "no torch.bfloat16 tensors"),
        (lambda: minigrad.zeros(2, dtype=minigrad.bfloat16), "no torch.bfloat16 tensors"),
        (lambda: x.to(minigrad.complex64), "no torch.complex64 tensors"),
        (lambda: x.contiguous(memory_format=minigrad.channels_last), "channels_last"),
    ):
        with pytest.raises(NotImplementedError, match=text):
            call()
