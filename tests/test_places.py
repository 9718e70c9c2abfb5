"""Indexing, gather, scatter and their kind at the edges, one line each, in minigrad and in PyTorch.

What PyTorch's own test/test_indexing.py checks on the CPU and tests/test_indexing.py does not is here too."""

import pytest
from both import check, lines

torch = pytest.importorskip("torch")

LINES = """
x4[0,:,[0,1]]
x4[0,:,[0,1]].shape
x4[[0,1],:,1]
x4[[0,1],1:2,[1,2]].shape
x4[:,True,[0,1]].shape
x4[[0,1],True].shape
x4[False,0].shape
x4[...,...].shape
x4[...,0,...].shape
x4[...,...,0]
x4[[[0,1],[1,0]],]
x4[(0,1),(1,2)]
x4[[1.0]]
x4[np.array([[0,1],[1,0]])].shape
x4[np.array([0.5,1.5])].shape
x4[np.array(1)]
x4[np.uint8(1)]
x4[np.bool_(True)]
x4[T.tensor(1,dtype=T.int8)]
x4[T.tensor([1],dtype=T.int8)]
x4[T.tensor(1,dtype=T.uint8)].shape
x4[T.tensor([1.0])]
x4['a']
x4['0':'1']
x4[b'a']
x4[{}]
x4[1j]
x4[10**30]
x4[0.0]
x4[0.0:2.0]
x4[0.0,0.0:2.0]
x4[::0]
x4[::-1]
x4[1,1,1,1]
x4[[5]]
x4[T.tensor([True])]
x4[:,T.zeros(3,3,dtype=T.bool)]
x4[[0,1],[0,1,2]]
x4[T.empty(0,2,dtype=T.int64)].shape
x4[T.empty(0,2,dtype=T.uint8)]
T.zeros(10,0)[[1,2]].shape
T.zeros(10,0)[[],[]].shape
T.zeros(10,0)[:,[0,1]]
T.zeros(3,0)[[5]].shape
T.tensor([])[2**63-1]
T.tensor([])[-2**63]
s[0]
s[:]
s[None,0]
s[si]
s[[0]]
s[T.tensor(True),0]
s[True]
x4[u8[:2]].shape
v[u8]
i,j=T.tensor([0,1],dtype=T.int32); x4[i:j]
v[T.tensor([0,1])[:,None],None].shape
a[1:2,[1,2]].zero_(); a
a[1:2,[1,2]]=0; a
a[T.tensor([[0,0],[1,1]]),T.tensor([[0,2],[0,2]])]
a[True]=-T.ones(1,1,2,3); a
a[False]=5; a
a[T.tensor(True)]=T.ones(1,1,2,3)*2; a
a[T.tensor(False)]=5; a
a[None]=T.ones(1,1,2,3)*3; a
a[True]=T.ones(5,1,2,3)
a[T.tensor(True)]=T.ones(5,1,2,3)
a[u8[:2]]=v; a
a[:]=T.ones(2); a
s[...]=9.9; s
s[:]=1
s[si]=1
a[0]=T.ones(3,dtype=T.int64); a
a[[0]]=T.ones(3,dtype=T.int64)
a[b]=T.tensor(1); a
a[b]=T.ones(4,dtype=T.int64)
a[0]=[1.,2.,3.]
a[0]=np.ones(3)
a[0]=None
a[0]='a'
a[0]=1j
a[0,0]=T.ones(1,1); a
a[0,0]=T.ones(2)
a[[0,1]]=T.ones(7)
a[b]=T.ones(3)
a[[0,0]]+=1; a
a[0]+=1; a
a[:,1]*=2; a
a[b]*=2; a
a.T[[0,2]]=7; a
a.T[0]=T.ones(2); a
h=g*1; h.T[[0,2]]=7; h.sum().backward(); h,g.grad
h=g*1; h[0,[0,0]]=T.ones(2); h.sum().backward(); h,g.grad
h=g*1; h[0][T.tensor([1,2])]=v[:2]; h.sum().backward(); h,g.grad
h=g*1; h[:,[0,2]]+=h[:,[1,1]]; h.sum().backward(); h,g.grad
h=T.zeros(2,3); h[0,[2,1,0]]=g[1]; (h*h).sum().backward(); g.grad
g[0]=1
g[[0]]=1
g[0][[0]]=1
h=g*1; k=h*h; h[[0]]=0; k.sum().backward()
a.index_put((T.tensor([0,0]),),T.ones(3),accumulate=True)
a.index_put_((T.tensor([0,0]),),T.ones(3),accumulate=True); a
T.index_put(a,[T.tensor([0]),T.tensor([1])],s)
T.index_put_(a,(b,),s); a
a.index_put((0,),s)
a.index_put((T.tensor([0]),),3.0)
a.index_put((T.tensor([0]),),T.ones(3).double())
s.index_put([],T.ones(1),True)
b.index_put((T.tensor([0]),),T.tensor(True),accumulate=True)
a.gather(0,T.tensor([[0.]]))
a.gather(0,T.tensor([0]))
a.gather(0,T.tensor([[2]]))
a.gather(0,T.tensor([[-1]]))
a.gather(0,T.zeros(0,dtype=T.int64))
a.gather(5,T.tensor([[0]]))
a.gather(0,T.tensor([[0]],dtype=T.int16))
s.gather(0,T.tensor([0,0]))
a.scatter(0,T.tensor([[1]]),T.ones(1,1).double())
a.scatter(0,T.tensor([[1]]),T.ones(1))
a.scatter(0,T.tensor([[1]]),3,reduce='multiply')
a.scatter(0,T.tensor([[1]]),3,reduce='x')
a.scatter(0,T.tensor([[7]]),3)
a.scatter_(0,T.tensor([[1]]),2.); a
a.scatter_add_(0,T.tensor([[1,1,1]]),T.ones(1,3)); a
a.scatter_reduce_(0,T.tensor([[1,0,1]]),T.ones(1,3),'amax'); a
a.scatter_reduce(0,T.tensor([[1,0,1]]),T.ones(1,3),'x')
i.scatter_reduce(0,T.tensor([[1,0,1]]),T.tensor([[9,9,9]]),'mean')
h=g*1; h.scatter_(1,T.tensor([[0],[1]]),T.ones(2,1)); h.sum().backward(); g.grad
g.scatter_reduce(1,T.tensor([[0,0],[1,1]]),T.tensor([[1.5,1.5],[5.0,1.0]]),'amax').sum().backward(); g.grad
a.index_select(0,T.tensor([5]))
a.index_select(0,T.tensor([[0]]))
a.index_select(0,T.tensor([0.]))
s.index_select(0,T.tensor([0,0]))
a.index_add(0,T.tensor([5]),T.ones(1,3))
a.index_add(0,T.tensor([0,1]),T.ones(1,3))
a.index_add(0,T.tensor([0]),T.ones(1,4))
a.index_add(0,T.tensor([0]),T.ones(1,3).double())
a.index_add_(0,T.tensor([0,0],dtype=T.int32),T.ones(2,3),alpha=2); a
i.index_add(0,T.tensor([0]),T.ones(1,3,dtype=T.int64),alpha=1.5)
a.index_copy(0,T.tensor([1]),T.zeros(1,3))
a.index_copy_(1,T.tensor([2,0]),T.ones(2,2)); a
a.index_copy(0,T.tensor([5]),T.zeros(1,3))
a.index_copy(0,T.tensor([0]),T.zeros(1,4))
a.index_copy(0,T.tensor([0,1]),T.zeros(1,3))
a.index_copy(0,T.tensor([0],dtype=T.int32),T.zeros(1,3))
a.index_copy(0,T.tensor([0]),s)
a.index_fill(1,T.tensor([-1]),9)
a.index_fill_(1,T.tensor([0]),s); a
a.index_fill(0,T.tensor([5]),1)
a.index_fill(0,T.tensor([0],dtype=T.int32),1)
a.index_fill(0,T.tensor([[0]]),1)
a.index_fill(0,T.tensor([0]),v)
a.index_reduce(0,T.tensor([0]),T.ones(1,3)*9,'amax')
a.index_reduce(0,T.tensor([0]),T.ones(1,3),'sum')
a.take(T.tensor([5,-1]))
a.take(T.tensor([6]))
a.take(T.tensor([0],dtype=T.int32))
e.take(T.tensor([0]))
a.put(T.tensor([1,1]),T.ones(2),accumulate=True)
a.put_(T.tensor([-1]),T.ones(1)); a
a.put(T.tensor([1]),T.ones(2))
a.put(T.tensor([6]),T.ones(1))
a.masked_scatter(b,T.arange(9.))
a.masked_scatter_(b,T.arange(9.)); a
a.masked_scatter(b,T.arange(2.))
a.masked_scatter(b,T.arange(9))
a.masked_scatter(i,T.arange(9.))
a.masked_fill_(b,s); a
a.masked_fill(i,1)
a.masked_fill(b,v)
a.masked_select(i)
T.take_along_dim(a,T.tensor([[-1]]),1)
T.take_along_dim(a,T.tensor([[0]],dtype=T.int32),1)
T.take_along_dim(a,T.tensor([0]),1)
T.take_along_dim(a,T.tensor([[0]]),7)
s.nonzero(as_tuple=True)
T.tensor(0.).nonzero(as_tuple=True)
T.argwhere(b)
T.argwhere(s)
x4.tril(-1)
x4.triu(-2)
x4.tril_(1); x4
a.triu_(); a
v.tril()
T.diag_embed(a,1,0,2)
T.diag_embed(a,-2).shape
T.diag_embed(s)
T.diag_embed(v,dim1=0,dim2=0)
T.diag_embed(v,dim1=0,dim2=5)
T.diagflat(a,-1)
T.diagonal(x4,0,0,0)
T.diagonal(x4,-1,1,2)
T.linalg.diagonal(x4,offset=1)
T.diagonal_scatter(a,T.ones(2),1)
T.diagonal_scatter(a,T.ones(3),1)
T.select_scatter(a,T.ones(3),0,1)
T.select_scatter(a,T.ones(2),0,1)
T.select_scatter(a,T.ones(2),0,9)
T.slice_scatter(a,T.ones(2,1),1,0,2,2)
T.slice_scatter(a,T.ones(2,2),1,0,2,2)
T.narrow_copy(a,1,0,2)
a.fill_diagonal_(7); a
T.zeros(7,3).fill_diagonal_(2,wrap=True)
T.zeros(3,3,3).fill_diagonal_(2)
T.zeros(3,3,2).fill_diagonal_(2)
v.fill_diagonal_(2)
T.unravel_index(T.tensor([5,0]),(2,3)), T.unravel_index(T.tensor(7),9)
T.unravel_index(T.tensor(0.5),(2,2))
T.unravel_index(T.tensor([1]),T.tensor([1,2,3]))
T.unravel_index(T.tensor([1]),(1,2,2.0))
T.unravel_index(T.tensor(0),(2,-3))
h=g*1; h.fill_diagonal_(2.); h.sum().backward(); g.grad
"""


@pytest.mark.parametrize("code", lines(LINES))
def test_places_equal_pytorch(code):
    check(code, torch)


def test_the_index_may_be_written_to_after_the_read():
    import minigrad as T

    x, index = T.zeros(3, requires_grad=True), T.tensor([0, 0])
    out = x[index].sum()
    index.fill_(2)
    out.backward()
    assert x.grad.tolist() == [2.0, 0.0, 0.0]


def test_a_mask_of_bytes_warns():
    import minigrad as T

    with pytest.warns(UserWarning, match="uint8 is now deprecated"):
        assert T.arange(3.0)[T.tensor([1, 0, 2], dtype=T.uint8)].tolist() == [0.0, 2.0]
