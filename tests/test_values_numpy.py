"""Tensors and NumPy: functions, operators, shared memory, DLPack; each line as in PyTorch.

`both.py` says what a line can use.
"""

import pytest
from both import check, lines

NUMPY = """
v*np.array([1.,2.,3.],dtype=np.float32)
v*np.array([1.,2.,3.])
np.float32(2)*v
np.float64(2)*v
np.int64(2)*v
v*np.float32(2)
v*np.float64(2.5)
i*np.float32(2.5)
i*np.int64(2)
i*np.int32(2)
np.float32(2)-v
np.float32(2)/v
np.float32(2)**v
np.float32(2)<v
v<np.float32(2)
np.float64(2)==v
np.array([1.,2.,3.])==v
v==np.array([1.,2.,3.])
np.exp(v)
np.sin(v)
np.sqrt(v)
np.abs(T.tensor([-1.,2.]))
np.exp(g)
np.add(v,v)
np.add(v,1)
np.multiply(v,np.ones(3))
np.maximum(v,2)
np.maximum(np.ones(3,dtype=np.float32)*2,v)
np.negative(v)
np.std(v)
np.var(a)
np.argmax(v)
np.argsort(v)
np.sort(T.tensor([3.,1.,2.]))
np.clip(v,1.5,2.5)
np.cumsum(v)
np.dot(v,v)
np.dot(a,a.T)
np.matmul(a.numpy(),a.T)
np.concatenate([v,v])
np.stack([v,v])
np.vstack([v,v])
np.where(v>1,v,0)
np.mean([T.tensor(1.),T.tensor(2.)])
np.array([T.tensor(1.),T.tensor(2.)])
np.array([T.tensor(1),T.tensor(2)])
np.array([v,v])
np.array([[T.tensor(1.),2.]])
np.array(v)
np.array(i)
np.array(b)
np.array(a.T)
np.array(s)
np.array(g)
np.array(v,dtype=np.float64)
np.array(v,dtype=int)
np.array(v,copy=None)
np.array(v,dtype=np.float64,copy=False)
np.asarray(v)
np.asarray(v,dtype=np.float64)
np.asarray(g)
np.shares_memory(np.asarray(v),v.numpy())
np.shares_memory(np.array(v),v.numpy())
np.asanyarray(v)
np.ascontiguousarray(a.T)
np.float32(s)
np.float64(T.tensor([2.5]))
np.int64(si)
np.zeros(3)[si-1]
np.zeros(5)[T.tensor([0,2])]
np.arange(5)[T.tensor([0,2])]
np.arange(5)[T.tensor([True,False,True,False,True])]
np.arange(5)[si]
np.arange(5)[T.tensor(1):T.tensor(3)]
x=np.zeros(3); x[T.tensor(1)]=5; x
x=np.zeros(3); x[:]=v; x
x=np.zeros(3); x[1]=s; x
x=np.ones(3,dtype=np.float32); np.add(x,v,out=x); x
v+=np.ones(3,dtype=np.float32); v
v[np.array([0,2])]
v[np.array([True,False,True])]
v[np.int64(1)]
v[np.array(1)]
v[:np.int64(2)]
v[:]=np.array([7.,8.,9.]); v
v[:2]=np.array([7,8]); v
T.from_numpy(np.array([1,2]))
T.from_numpy(np.array([1.,2.]))
T.from_numpy(np.array(5.))
T.from_numpy(np.array([1.,2.])[::2])
T.from_numpy(np.arange(6).reshape(2,3).T)
T.from_numpy(np.array([1.,2.])[::-1])
T.from_numpy(np.array(['a']))
T.from_numpy(np.array([1,2],dtype=np.uint8))
T.from_numpy(np.array([None]))
T.from_numpy([1,2])
T.from_numpy(np.float32(2))
T.from_numpy(np.array([1,2],dtype='>i4'))
T.from_numpy(np.zeros((0,3)))
T.from_numpy(np.array([True]))
T.from_numpy(np.array([1,2],dtype=np.float16))
x=np.zeros(2); t=T.from_numpy(x); x[0]=5; t
x=np.zeros(2); t=T.from_numpy(x); t[0]=5; x
x=np.zeros(2); t=T.from_numpy(x); t.add_(1); x
t=T.zeros(2); x=t.numpy(); x[0]=5; t
t=T.zeros(2); x=t.numpy(); t[0]=5; x
t=T.zeros(2,2); x=t[0].numpy(); x[0]=5; t
t=T.zeros(2); np.asarray(t)[0]=5; t
x=np.zeros(2); t=T.tensor(x); x[0]=5; t
x=np.zeros(2); t=T.as_tensor(x); x[0]=5; t
x=np.zeros(2); t=T.asarray(x); x[0]=5; t
x=np.zeros(2); t=T.as_tensor(x,dtype=T.float32); x[0]=5; t
x=np.zeros(2,dtype=np.float32); t=T.Tensor(x); x[0]=5; t
T.as_tensor(v) is v
T.as_tensor(v,dtype=T.float64)
T.as_tensor([1,2])
T.as_tensor(5.)
T.as_tensor(np.float32(5))
T.as_tensor(None)
T.as_tensor('a')
T.as_tensor(g).requires_grad
T.asarray(v) is v
T.asarray(v, copy=True) is v
T.asarray([1,2.])
T.asarray([1,2],dtype=T.float64)
T.asarray([1,2],copy=False)
T.asarray(v,dtype=T.float64,copy=False)
T.asarray(np.ones(2),copy=True)
T.asarray(5)
T.asarray(v,requires_grad=True)
T.asarray(g).requires_grad
T.asarray(b'abcd',dtype=T.uint8)
T.asarray(np.float64(5))
T.frombuffer(bytearray(b'abcd'),dtype=T.uint8)
T.frombuffer(bytearray(8),dtype=T.float32)
T.frombuffer(bytearray(8),dtype=T.float32,count=1)
T.frombuffer(bytearray(8),dtype=T.float32,offset=4)
T.frombuffer(bytearray(8),dtype=T.float32,offset=1)
T.frombuffer(bytearray(8),dtype=T.float32,offset=8)
T.frombuffer(bytearray(8),dtype=T.float32,count=3)
T.frombuffer(bytearray(0),dtype=T.float32)
T.frombuffer(bytearray(8),dtype=T.float32,count=0)
T.frombuffer(bytearray(8),dtype=T.float32,offset=-1)
T.frombuffer([1],dtype=T.float32)
T.frombuffer(bytearray(8))
T.frombuffer(bytearray(4),dtype=T.float32,requires_grad=True)
v.numpy()
g.numpy()
g.detach().numpy()
g.numpy(force=True)
(g*1).numpy()
v.__array__()
v.__array__(np.float64)
v.__array__(dtype=np.float64)
g.__array__()
v.numpy().dtype
b.numpy().dtype
a.T.numpy().flags['F_CONTIGUOUS']
T.from_dlpack(np.array([1.,2.]))
T.from_dlpack(v)
x=np.zeros(2); t=T.from_dlpack(x); t[0]=1; x
x=T.zeros(2); t=T.from_dlpack(x); t[0]=1; x
np.from_dlpack(v)
np.from_dlpack(g)
type(v.__dlpack__()).__name__
g.__dlpack__()
T.from_dlpack(v.__dlpack__())
T.from_dlpack(5)
T.from_dlpack(np.array([1,2],dtype=np.int32))
T.from_dlpack(np.array([True,False]))
T.from_dlpack(v, copy=True)
T.utils.dlpack.to_dlpack(3)
x=T.zeros(3); y=np.from_dlpack(x); x[0]=7; y
np.from_dlpack(a.T)
np.isclose(v,v)
np.allclose(v,v)
np.testing.assert_allclose(v,v)
np.array_equal(v,v)
np.linalg.norm(v)
np.linalg.norm(a,axis=1)
np.outer(v,v)
np.unique(T.tensor([1,2,1]))
np.ndim(v)
np.shape(v)
np.round(T.tensor([1.26]),1)
np.expand_dims(v,0)
np.squeeze(T.zeros(1,2))
np.reshape(v,(3,1))
np.transpose(a)
np.ravel(a)
np.copy(v)
np.zeros_like(v)
np.full_like(v,2)
np.tile(v,2)
np.repeat(v,2)
np.flip(v)
np.meshgrid(v,v)[0]
np.histogram(v,bins=2)[0]
np.percentile(v,50)
np.median(v)
np.nonzero(v)
np.split(v,3)[0]
np.pad(v,1)
np.einsum('i,i->',v,v)
np.broadcast_to(v,(2,3))
np.add.reduce(v)
np.add.accumulate(v)
np.random.default_rng(0).choice(v,2)
np.random.RandomState(0).permutation(v)
v.tolist()==np.asarray(v).tolist()
np.array(T.tensor([[1,2],[3,4]]))[T.tensor(0)]
np.fmax(v,v)
np.bitwise_and(i,1)
np.power(v,2)
np.arctan2(v,v)
np.floor_divide(v,2)
np.sign(v)
np.add(g,1)
np.float32(2)*g
g*np.float64(2)
"""


@pytest.mark.parametrize("code", [line for block in (NUMPY,) for line in lines(block)])
def test_as_in_pytorch(code):
    torch = pytest.importorskip("torch")
    check(code, torch)
