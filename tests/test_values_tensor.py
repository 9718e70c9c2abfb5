"""What programs do with tensors day by day; each line as in PyTorch.

`both.py` says what a line can use.
"""

import pytest
from both import check, lines

TENSOR = """
np.float32(2) in v
v.sum() in v
T.tensor([1.,2.]).__contains__(1)
v.index_select(0,T.tensor([0])).item()
v.tolist()[0]
v.numpy().tolist()
x=v.clone(); x[1]=T.tensor(5.); x
x=v.clone(); x[0],x[1]=x[1].clone(),x[0].clone(); x
np.arange(10)[T.tensor(3)]
[1,2,3][si-1]
dict(a=v)['a']
T.is_tensor(np.zeros(1))
isinstance(v,T.Tensor)
type(v).__name__
v.__class__.__name__
T.Tensor.__name__
T.Size((2,3))==[2,3]
a.shape==(2,3)
a.shape[0]*a.shape[1]
T.zeros(*a.shape)
T.zeros(a.shape)
T.zeros(a.size())
T.zeros(a.size(0),5)
T.empty(a.shape,dtype=a.dtype,device=a.device).shape
T.ones(2,2).mul(3).int().tolist()
a.size()==b.size()
x,y=a.shape; x
a.view(a.size(0),-1).shape
a.view(-1,a.shape[1]).shape
len(a.shape)
a.nelement()*a.element_size()
v.add(1).tolist()
v.add_(1) is v
v.data
v.data.fill_(3); v
v.detach().add_(1); v
g.data
g.data.requires_grad
g.detach().requires_grad
g.requires_grad_(False).requires_grad
x=T.zeros(2); x.requires_grad=True; x
x=T.zeros(2,dtype=T.int64); x.requires_grad=True
x=T.zeros(2); x.foo=3; x.foo
x=T.zeros(2); x.shape=(1,2)
x=T.zeros(2); x.dtype=T.int64
x=T.zeros(2); x.T=3
x=T.zeros(2); x.data=T.ones(3); x
x=T.zeros(2); x.data=[1]
x=T.zeros(2); x.grad=T.ones(2); x.grad
x=T.zeros(2); x.grad=T.ones(3)
x=T.zeros(2); x.grad=3
del a.grad
del v[0]
v.nonexistent
getattr(v,'foo',5)
vars(v)
callable(v)
v()
with_=v.numpy(); with_ is not None
T.tensor([1,2,3])[-1].item()
v.fill_(5)
v.fill_(T.tensor(2.))
v.fill_(T.tensor([2.]))
v.fill_('a')
v.zero_()
i.fill_(2.7)
v.copy_(T.tensor(1.))
v.copy_(T.tensor([1,2,3]))
v.copy_(T.zeros(2))
v.copy_(3)
v.copy_([1,2,3])
v.copy_(np.zeros(3))
i.copy_(T.tensor([1.9,2.9,3.9]))
v.tolist() == [1.0,2.0,3.0]
T.equal(v,v.clone())
T.equal(v,T.zeros(2))
T.equal(v,3)
v.equal(v)
T.numel(3)
T.is_floating_point(3)
T.result_type(v,'a')
T.get_default_device()
T.empty(0).tolist()
T.Tensor(3).fill_(7)
T.FloatTensor([1.5]).item()
T.LongTensor([1,2]).sum()
T.LongTensor(3).zero_()
T.ones(3,dtype=T.long).dtype
T.tensor([1.,2.]).to('cpu', non_blocking=True)
T.tensor([1.,2.]).cpu().numpy()
T.tensor([1.,2.]).type(T.FloatTensor)
T.tensor([1.,2.]).type('torch.LongTensor')
v.requires_grad
v.is_leaf, (g*2).is_leaf
v.is_pinned()
v.is_shared()
v.share_memory_() is v
v.names
v.output_nr
(g*2).output_nr
v.is_contiguous(), a.t().is_contiguous()
v.ndim == v.dim()
v.element_size()
T.zeros(2,3).T.shape
x4.T.shape
T.arange(3).view(3,1).expand(3,2).contiguous()
T.arange(3).repeat(2,1)
T.arange(6).view(2,3).flatten().tolist()
T.zeros(2,3).reshape(-1).shape
T.zeros(2,3,4).size()[1:]
T.zeros(2,3,4).shape[-2:].numel()
T.zeros(2,3).new_zeros(a.shape)
T.zeros(2,3).new_tensor([[1,2]],dtype=T.int64)
copy.deepcopy(T.nn.Parameter(v))
copy.deepcopy({'a':v,'b':[v]})
pickle.loads(pickle.dumps({'a':v}))['a']
pickle.loads(pickle.dumps(T.float32))
pickle.loads(pickle.dumps(T.Size([1,2])))
pickle.loads(pickle.dumps(T.device('cpu')))
pickle.loads(pickle.dumps(T.strided))
pickle.loads(pickle.dumps(T.contiguous_format))
pickle.loads(pickle.dumps(i)).dtype
pickle.loads(pickle.dumps(T.zeros(0,3))).shape
pickle.loads(pickle.dumps(T.tensor(3)))
str(T.tensor(3))
T.tensor(3)+T.tensor(4)
T.tensor([3]) == 3
bool(T.tensor([3]) == 3)
T.tensor(3) > 2
if_ = 'y' if T.tensor(3) > 2 else 'n'; if_
T.tensor(3.) % 2
T.tensor(3) // 2
T.tensor(3) ** 2
2 ** T.tensor(3)
T.tensor(5) & 3
T.tensor(5) | 3
T.tensor(5) ^ 3
x=T.tensor([5]); x &= 3; x
x=T.tensor([5]); x |= 2; x
x=T.tensor([5]); x ^= 1; x
x=T.tensor([5]); x //= 2; x
x=T.tensor([5]); x %= 2; x
x=T.tensor([5.]); x **= 2; x
x=T.tensor([5]); x <<= 1; x
x=T.tensor([5]); x /= 2; x
x=T.tensor([5.]); x @= x; x
"""


@pytest.mark.parametrize("code", [line for block in (TENSOR,) for line in lines(block)])
def test_as_in_pytorch(code):
    torch = pytest.importorskip("torch")
    check(code, torch)
