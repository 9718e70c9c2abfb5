"""Tensors as Python and NumPy see them: constructors, conversions, protocol; copying, pickling, text.

The lines of the two tables are run by PyTorch too, where it is installed (`both.py` says how).
"""

import copy
import pickle

import numpy as np
import pytest
from both import check, lines, value_of

import minigrad as T

CONSTRUCTORS = """
T.Tensor(2,3).shape
T.Tensor([1,2])
T.Tensor([[T.tensor(1.),T.tensor(2)]])
T.Tensor()
T.Tensor(T.Size([2,3])).shape
T.Tensor((2,3))
T.Tensor(np.array([1,2]))
T.Tensor(i)
T.Tensor(a)
T.Tensor(T.tensor([1.],dtype=T.float64))
T.LongTensor(3).shape
T.LongTensor([1.5,2])
T.LongTensor([1,2])
T.FloatTensor(np.array([1,2],dtype=np.int32))
T.FloatTensor(np.array([1,2],dtype=np.float32))
T.FloatTensor([1,2])
T.FloatTensor(range(3))
T.BoolTensor([1,0])
T.ByteTensor([1,0])
isinstance(a, T.FloatTensor)
isinstance(i, T.LongTensor)
T.tensor(deque([1.,2.]))
T.tensor(range(3))
T.tensor([T.tensor(1.),T.tensor(2.)])
T.tensor([T.tensor(1),T.tensor(2.)])
T.tensor([T.tensor(1),T.tensor(2)])
T.tensor([np.float64(1.5),np.float64(2)])
T.tensor([np.float32(1.5)])
T.tensor(np.float32(1.5))
T.tensor(np.float64(1.5))
T.tensor(np.int32(1))
T.tensor([np.int32(1)])
T.tensor([np.array([1,2]),np.array([3,4])])
T.tensor([np.array([1.,2]),np.array([3,4.])])
T.tensor([1,2.])
T.tensor([True,2])
T.tensor([True,2.5])
T.tensor([])
T.tensor([[],[]])
T.tensor(a)
T.tensor(g)
T.tensor(2**40)
T.tensor([1,2],dtype=T.float64)
T.tensor(1.5,dtype=T.int64)
T.tensor([1.5,-2.5],dtype=T.int32)
T.tensor(-1,dtype=T.uint8)
T.tensor([1],dtype=int)
T.tensor([1],dtype=float)
T.tensor([1],dtype=bool)
T.tensor([1.],requires_grad=True)
T.tensor([1.],device='cpu')
T.tensor((1,2))
T.tensor([[1,2],[3,4]],dtype=T.bool)
T.tensor(float('nan'))
T.tensor([float('inf'),1])
T.as_tensor([1,2])
T.as_tensor(np.array([1.,2.]))
T.as_tensor(a) is a
T.as_tensor(a,dtype=T.float64)
T.asarray([1,2])
T.from_numpy(np.array([1,2],dtype=np.int16))
T.full((),2.5,requires_grad=True)
T.full((2,),1)
T.full((2,),True)
T.full([2,2],1.5)
T.full((2,),s)
T.full((2,),si)
T.full((2,),1.5,dtype=T.int64)
T.ones(1,1).fill_(2).type(T.long)
T.ones(())
T.zeros((2,3),dtype=T.int32)
T.zeros([2])
T.zeros(T.Size([2]))
T.zeros(2,3,requires_grad=True)
T.zeros(si)
T.zeros(np.int64(3))
T.zeros(a.shape)
T.zeros(*a.shape)
T.zeros(size=(2,))
T.ones(2,dtype=T.bool)
T.ones(size=(2,),dtype=T.float64)
T.zeros_like(i)
T.zeros_like(a,dtype=T.int64)
T.ones_like(b)
T.full_like(i,2.7)
T.full_like(a,2)
T.empty_like(a).shape
T.eye(3)
T.eye(2,3)
T.eye(0)
T.eye(2,dtype=T.bool)
T.arange(5)
T.arange(1,5)
T.arange(0,1,0.25)
T.arange(5.)
T.arange(1,5,2)
T.arange(5,1,-1)
T.arange(3,dtype=T.float64)
T.arange(2.5,dtype=T.int64)
T.arange(si)
T.arange(s)
T.arange(0,1,0.1)
T.arange(start=1,end=4,step=2)
T.arange(end=4)
T.arange(True)
T.arange(1,0.5,-0.1)
T.linspace(0,1,5)
T.linspace(0,1,1)
T.linspace(0,1,0)
T.linspace(0,10,4,dtype=T.int64)
T.linspace(start=0,end=1,steps=3)
T.linspace(T.tensor(0.),T.tensor(1.),3)
T.linspace(1,-1,7)
T.logspace(0,2,3)
T.logspace(0,2,3,base=2)
T.tril_indices(3,3)
T.tril_indices(3,4,-1)
T.triu_indices(3,3,1)
T.tril_indices(0,3)
a.new_zeros(2)
i.new_zeros(2,2)
a.new_ones((2,),dtype=T.int64)
i.new_full((2,),3)
i.new_full((2,),3.5)
i.new_tensor([1.5,2])
a.new_tensor([1,2])
a.new_empty(2,3).shape
T.is_tensor(a)
T.is_floating_point(a)
T.numel(a)
T.get_default_dtype()
T.result_type(a,i)
T.promote_types(T.int32,T.float32)
T.can_cast(T.float32,T.int32)
T.empty(2,3).shape
T.tensor(True)
T.tensor([1,2,3]).dtype
T.tensor(bytearray(b'abc'))
T.tensor([[s,1],[2,3]])
T.stack([v,v])
T.Size([1,2])+T.Size([3])
T.Size([1,2]).numel()
a.shape[1:]
a.size()
a.size(-1)
a.size(dim=0)
a.dim()
a.stride()
a.t().stride()
a.t().is_contiguous()
a.numel()
a.nbytes
a.itemsize
a.type()
a.type(T.int64)
a.type('torch.LongTensor')
a.type(T.LongTensor)
a.type(T.DoubleTensor)
a.to('cpu')
a.to(T.int64)
a.to(i)
a.to('cpu',T.float64)
a.to(device='cpu',dtype=T.float64)
a.to(T.float32) is a
a.to(T.float32,copy=True) is a
a.to()
a.to(None)
a.float() is a
a.int()
a.long()
a.bool()
a.half()
a.byte()
a.char()
a.double()
i.float()
i.type_as(a)
g.double()
g.half()
T.tensor([1e10,-1e10,float('nan')]).isnan()
T.tensor([300.]).to(T.uint8)
T.tensor([1.9,-1.9]).long()
"""

PROTOCOL = """
np.float64(2)*v
np.float32(2)*v
np.int64(2)*i
np.float64(2)*i
np.sin(v)
np.array(a)
np.asarray(a,dtype=np.float64)
np.array(a,copy=None)
np.concatenate([v,v])
np.stack([v,v])
np.exp(s)
np.maximum(v,2)
np.dot(v,v)
np.array([s,s])
np.array([v,v])
np.float64(s)
int(s)
bool(s)
complex(s)
int(T.tensor([3]))
[10,20,30,40][si]
[1,2,3][T.tensor(True)]
list(range(10))[si:si+2]
np.arange(10)[si:si+2]
np.arange(10)[si]
np.arange(10)[T.tensor([1,2])]
'{:.3f}'.format(s)
f'{s}'
f'{v}'
f'{s:.2e}'
f'{si:d}'
f'{si:5d}'
f'{g.sum():.4f}'
f'{g.sum()}'
'%f'%s
'%d'%si
'%s'%s
str(g)
repr(g*2)
repr(g.sum())
abs(a)
+a
len(a)
[x.item() for x in v]
sum([s,s])
sum(x for x in v)
sum([])
max(v)
min(v)
sorted(v)
max(s,si)
v is None
None==v
not s
s and 3
v in [v]
{v:1}[v]
isinstance(v,T.Tensor)
s.item()
b.tolist()
s.tolist()
e3.tolist()
copy.copy(a)
copy.deepcopy(a)
copy.deepcopy(g)
copy.deepcopy([g,g])[0].requires_grad
pickle.loads(pickle.dumps(a))
pickle.loads(pickle.dumps(g))
a.T
v.T
s.T
x4.T
a.mT
a.data
g.data
g.data.requires_grad
g.detach().numpy()
g.numpy(force=True)
a.numpy()
a.where(b,0)
a.where(b,T.tensor(1,dtype=T.float64))
v.add(other=2)
i.mul_(2)
(g*1).add_(1)
i.copy_(a)
i.fill_(2.7)
"""


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("code", lines(CONSTRUCTORS))
def test_constructors_equal_pytorch(code, torch):
    check(code, torch)


@pytest.mark.parametrize("code", lines(PROTOCOL))
def test_protocol_equals_pytorch(code, torch):
    check(code, torch)


# ---- without PyTorch


def test_from_numpy_and_numpy_share_memory():
    array = np.arange(3.0)
    tensor = T.from_numpy(array)
    array[0] = 7.0
    tensor[1] = 8.0
    assert tensor.tolist() == [7.0, 8.0, 2.0]
    assert np.shares_memory(tensor.numpy(), array)
    assert np.shares_memory(T.as_tensor(array).numpy(), array)
    assert not np.shares_memory(T.tensor(array).numpy(), array)


def test_the_old_constructors_take_arrays_and_shapes():
    assert T.FloatTensor(np.array([1, 2], np.int32)).dtype is T.float32
    assert T.Tensor(np.array([1.5])).tolist() == [1.5]
    assert T.LongTensor(2, 3).shape == (2, 3)
    assert T.Tensor(T.tensor([1, 2])).dtype is T.int64


def test_elements_decide_the_dtype_together():
    assert T.tensor([T.tensor(1), T.tensor(2.0)]).dtype is T.float32
    assert T.tensor([np.float64(1), 2.0]).dtype is T.float64
    assert T.tensor([np.float32(1), 2.5]).dtype is T.float32
    assert T.tensor([True, 2]).dtype is T.int64
    assert T.tensor([[], []]).dtype is T.float32


def test_deepcopy_keeps_sharing_gradients_and_attributes():
    leaf = T.ones(2, requires_grad=True)
    leaf.note = ["kept"]
    (leaf * 3).sum().backward()
    one, two = copy.deepcopy([leaf, leaf])
    assert one is two
    assert one.requires_grad
    assert one.grad.tolist() == [3.0, 3.0]
    assert one.note == ["kept"]
    assert one.note is not leaf.note
    one.detach().zero_()
    assert leaf.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_values_dtype_and_requires_grad(protocol):
    for tensor in (T.arange(6.0).reshape(2, 3).t(), T.ones(2, requires_grad=True), T.tensor(True), T.zeros(0, 2)):
        again = pickle.loads(pickle.dumps(tensor, protocol))
        assert again.tolist() == tensor.tolist()
        assert (again.dtype, again.requires_grad, again.shape) == (tensor.dtype, tensor.requires_grad, tensor.shape)


def test_a_number_tensor_stands_where_python_wants_a_number():
    n = T.tensor(2)
    assert [10, 20, 30][n] == 30
    assert list(range(5))[n : n + 2] == [2, 3]
    assert f"{T.tensor(2.5, requires_grad=True):.2f}" == "2.50"
    assert sum([T.tensor(1.0), T.tensor(2.0)]).item() == 3.0
    assert T.tensor([1.0, 2.0]).sum() > 2


def test_integers_carry_no_gradient():
    x = T.ones(2, requires_grad=True)
    assert not x.long().requires_grad
    assert not x.bool().requires_grad
    out = T.zeros(2, dtype=T.int64)
    out[0] = x[0]
    out.add_(1)
    assert not out.requires_grad
    assert x.double().requires_grad


def test_contiguous_is_the_tensor_itself_or_a_copy_in_order():
    x = T.arange(6.0).reshape(2, 3)
    assert x.contiguous() is x
    turned = x.t().contiguous()
    assert turned.stride() == (2, 1)
    assert turned.tolist() == x.t().tolist()


WARNED = [
    ("F.softmax(a)", "Implicit dimension choice for softmax"),
    ("F.softmin(a)", "Implicit dimension choice for softmin"),
    ("F.log_softmax(a)", "Implicit dimension choice for log_softmax"),
    (
        "F.kl_div(a, a.sigmoid())",
        "reduction: 'mean' divides the total loss by both the batch size and the support size",
    ),
    ("F.mse_loss(a, v)", "Using a target size"),
    ("T.meshgrid(v, v)", "torch.meshgrid: in an upcoming release"),
    ("T.ones(1).std()", "degrees of freedom is <= 0"),
    ("T.ones(1).var()", "degrees of freedom is <= 0"),
    ("a[[[0, 1], [0, 1]]]", "Using a non-tuple sequence for multidimensional indexing is deprecated"),
]


@pytest.mark.parametrize(("code", "text"), WARNED)
def test_warnings_are_pytorchs(code, text):
    with pytest.warns(UserWarning, match=text):
        value_of(code, T)


@pytest.mark.parametrize(("code", "text"), WARNED)
def test_pytorch_warns_of_the_same(code, text, torch):
    torch.set_warn_always(True)
    try:
        with pytest.warns(UserWarning, match=text):
            value_of(code, torch)
    finally:
        torch.set_warn_always(False)
