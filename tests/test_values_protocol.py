"""Tensors as Python objects: numbers, lengths, text, copies, `to` and the old constructors; each line as in PyTorch.

`both.py` says what a line can use.
"""

import pytest
from both import check, lines

PROTOCOL = """
T.tensor(5).__index__()
[10,20,30][T.tensor(1)]
list(range(5))[T.tensor(1):T.tensor(3)]
np.arange(10)[T.tensor(2):T.tensor(5)]
T.tensor(5.).__index__()
T.tensor([5]).__index__()
T.tensor([[5]]).__index__()
T.tensor([5,6]).__index__()
T.tensor(True).__index__()
f"{T.tensor(3.14159):.2f}"
f"{T.tensor(3):d}"
f"{T.tensor(3):5d}|"
f"{T.tensor(True)}"
f"{T.tensor([1.5])}"
f"{T.tensor([1.5]):.2f}"
"{:.6f}".format(T.tensor(2.5,requires_grad=True))
"%.3f" % T.tensor(2.5)
"%d" % T.tensor(2)
"%s" % T.tensor(2)
"{}".format(T.tensor(2.5))
str(T.tensor(2.5))
float(T.tensor(2))
float(T.tensor([2.5]))
float(T.tensor([2.5,1]))
float(T.tensor([]))
int(T.tensor(2.7))
int(T.tensor([2]))
int(T.tensor(float('nan')))
int(T.tensor(float('inf')))
complex(T.tensor(2.5))
bool(T.tensor(0.0))
bool(T.tensor([0]))
bool(T.tensor([]))
bool(T.tensor([1,2]))
bool(T.tensor(float('nan')))
not T.tensor(0)
len(T.tensor([1,2,3]))
len(T.tensor(1))
len(T.zeros(0,3))
2 in T.tensor([1,2,3])
5 in T.tensor([1,2,3])
T.tensor(2) in T.tensor([1,2,3])
'a' in T.tensor([1,2,3])
None in T.tensor([1,2])
[1,2] in T.tensor([1,2])
[x for x in T.tensor([1,2,3])]
[x for x in T.tensor(1)]
list(T.zeros(2,2))
list(T.zeros(0))
next(iter(v))
list(reversed(T.tensor([1,2,3])))
list(reversed(a))
reversed(T.tensor(3))
sum([T.tensor(1.),T.tensor(2.)])
sum(T.tensor([1.,2.]))
sum(x for x in v)
max(T.tensor([1.,3.,2.]))
min([T.tensor(3),T.tensor(2)])
sorted(T.tensor([3,1,2]))
1 + T.tensor(2)
a, b_ = T.tensor([1,2]); a
x, y, z = v; z
(*v,)
round(T.tensor(2.567), 2)
round(T.tensor(2.567))
abs(T.tensor(-2))
divmod(T.tensor(7), 3)
divmod(T.tensor(7), T.tensor(3))
pow(T.tensor(2), 3)
-T.tensor(2)
+T.tensor(2)
+T.tensor(True)
~T.tensor(True)
~T.tensor(5)
T.tensor(2) << 1
T.tensor(8) >> 1
1 << T.tensor(2)
hash(v) == hash(v)
v is v
{v: 1}[v]
v == v
v in [v]
(v == v).all()
import math; math.sqrt(T.tensor(4.))
import math; math.floor(T.tensor(4.5))
import math; math.ceil(T.tensor(4.5))
import math; math.trunc(T.tensor(4.5))
import math; math.exp(T.tensor(0.))
import math; math.isnan(T.tensor(0.))
import operator; operator.index(T.tensor(3))
import operator; operator.add(T.tensor(3), 2)
'abc'[T.tensor(1)]
range(T.tensor(3))
list(range(T.tensor(3)))
[0]*T.tensor(3)
'ab'*T.tensor(2)
T.tensor(3).item()
T.tensor([3.5]).item()
T.tensor([3,4]).item()
T.tensor([]).item()
T.tensor(True).item()
T.tensor(2.5).tolist()
T.tensor([[1,2],[3,4]]).tolist()
T.tensor([True]).tolist()
T.zeros(0).tolist()
T.zeros(2,0).tolist()
v.numel()
v.nelement()
a.size()
a.size(0)
a.size(-1)
a.size(2)
a.size(dim=1)
a.shape
a.shape[0]
a.shape[-1:]
a.shape + (1,)
a.shape.numel()
tuple(a.shape)
list(a.shape)
a.ndim
a.dim()
a.ndimension()
a.stride()
a.stride(0)
a.stride(-1)
a.t().stride()
a.T.is_contiguous()
a.element_size()
a.itemsize
a.nbytes
a[1].storage_offset()
a[1:,1:].storage_offset()
a.dtype
a.device
a.layout
a.is_leaf
a.requires_grad
a.grad
a.grad_fn
a.is_cuda
a.is_sparse
a.is_quantized
a.is_meta
a.is_floating_point()
i.is_floating_point()
a.is_complex()
a.is_signed()
u8.is_signed()
a.get_device()
T.is_tensor(v)
T.is_tensor([1])
T.numel(v)
T.is_floating_point(v)
T.is_nonzero(T.tensor(0.))
T.is_nonzero(T.tensor([1,2]))
T.is_nonzero(T.tensor([]))
a.is_same_size(b)
a.is_same_size(v)
T.is_same_size(a,b)
a.is_set_to(a)
T.is_storage(v)
T.typename(v)
T.typename(3)
T.typename([1])
v.untyped_storage().nbytes()
v.untyped_storage().data_ptr() == v.data_ptr()
a[1].untyped_storage().data_ptr() == a.data_ptr()
len(v.untyped_storage())
a.data_ptr() == a.view(-1).data_ptr()
a.T.dim_order()
a.new(2,3).shape
a.new([1,2])
i.new([1,2])
a.new_tensor([1,2])
a.new_tensor(5)
i.new_tensor([1.5])
a.new_tensor(v)
a.new_full((2,2), 7)
i.new_full((2,), 2.5)
a.new_zeros(2)
a.new_zeros((2,3), dtype=T.int32)
a.new_zeros(size=(2,))
a.new_ones(2, 3, requires_grad=True)
a.new_ones([2])
i.new_ones(2, requires_grad=True)
a.new_empty(2,3).shape
a.new_empty_strided((2,3),(3,1)).stride()
v.apply_(lambda x: x*2)
v.resize_(2)
v.resize_(2,1)
a.resize_(3,2)
T.tensor([1,2,3,4])[1:].resize_(2)
g.resize_(2)
v.resize_as_(T.zeros(2)).shape
copy.copy(v)
copy.deepcopy(v)
copy.deepcopy(g)
copy.deepcopy(g*1)
copy.copy(g).requires_grad
copy.deepcopy([v,v])[0]
d=copy.deepcopy([v,v]); d[0] is d[1]
pickle.loads(pickle.dumps(v))
pickle.loads(pickle.dumps(g))
pickle.loads(pickle.dumps(g*1))
pickle.loads(pickle.dumps(a.T))
x,y=pickle.loads(pickle.dumps((a,a))); x is y
T.Tensor(2,3).shape
T.Tensor([2,3])
T.Tensor((2,3))
T.Tensor()
T.Tensor(2.5)
T.Tensor(T.tensor([1,2]))
T.Tensor(T.tensor([1.,2]))
T.Tensor(T.Size([2,3])).shape
T.Tensor([[T.tensor(1.),2],[3,4]])
T.Tensor(np.array([1,2]))
T.Tensor([True,False])
T.Tensor('ab')
T.Tensor(None)
T.Tensor(-1)
T.Tensor(2,'a')
T.FloatTensor(2).shape
T.FloatTensor([1,2])
T.FloatTensor(np.array([1,2]))
T.LongTensor(2).dtype
T.LongTensor([1.7,2])
T.LongTensor(T.tensor([1,2]))
T.LongTensor(T.tensor([1.,2]))
T.IntTensor([1])
T.DoubleTensor([1])
T.ByteTensor([1,2])
T.BoolTensor([1,0])
T.CharTensor([1,2])
T.ShortTensor([1,2])
T.HalfTensor([1,2])
T.LongTensor([[1,2],[3]])
isinstance(v, T.FloatTensor)
isinstance(v, T.LongTensor)
isinstance(i, T.LongTensor)
v.type()
i.type()
b.type()
v.type(T.int64)
v.type('torch.DoubleTensor')
v.type(T.DoubleTensor)
v.type('foo')
v.type(int)
v.type_as(i)
v.type_as(3)
v.to(T.float64)
v.to('cpu')
v.to(T.device('cpu'))
v.to('cpu', T.float64)
v.to(i)
v.to(device='cpu', dtype=T.int32)
v.to(T.float32) is v
v.to(T.float32, copy=True) is v
v.to(T.float64, False, True)
v.to(T.float32, False, True) is v
v.to('cpu', T.float32, False, True) is v
v.to(i, False, True)
v.to(v, copy=True) is v
v.to(3)
v.to('foo')
v.to(None)
v.to()
v.to(dtype=None)
v.to(float)
v.to(int)
v.to(T.float32, T.float64)
v.to(memory_format=T.contiguous_format) is v
v.to(T.float64, memory_format=T.preserve_format)
v.to(non_blocking=True) is v
v.float() is v
v.double()
v.half()
v.int()
v.long()
v.short()
v.char()
v.byte()
v.bool()
T.tensor([1.5,-2.7]).int()
T.tensor([300.,-1.]).byte()
T.tensor([float('nan')]).bool()
v.cpu() is v
v.clone(memory_format=T.contiguous_format)
a.T.clone().stride()
a.T.contiguous().stride()
a.T.clone(memory_format=T.contiguous_format).stride()
a.T.contiguous(memory_format=T.contiguous_format).is_contiguous()
a.is_contiguous(memory_format=T.contiguous_format)
T.zeros_like(a.T).stride()
T.zeros_like(a.T, memory_format=T.contiguous_format).stride()
T.empty_like(a, dtype=T.int32).dtype
T.ones_like(a, requires_grad=True)
T.full_like(i, 2.5)
T.rand_like(a).shape
T.rand_like(i)
T.randn_like(v)
T.randint_like(v, 5)
T.randint_like(v, 2, 5)
T.zeros_like([1])
"""


@pytest.mark.parametrize("code", [line for block in (PROTOCOL,) for line in lines(block)])
def test_as_in_pytorch(code):
    torch = pytest.importorskip("torch")
    check(code, torch)
