"""Indexing of every kind: reading, writing, gradients, and the ops that go by places.

The lines of the table are run by PyTorch too, where it is installed (`both.py` says how).
"""

import numpy as np
import pytest
from both import check, lines
from hypothesis import given
from hypothesis import strategies as st

import minigrad as T

INDEXING = """
a[0]
a[-1]
a[0,1]
a[0][1]
a[:,1]
a[:,[-1]]
a[:,[-1],]
x4[:,[-1],:]
x4[:,-1]
x4[...,0]
x4[...,[0,1]]
x4[0,...,0]
x4[None].shape
x4[None,...,None].shape
x4[:,None].shape
x4[[0,1],[1,2]]
x4[[0,1],:,[1,2]]
x4[[[0,1],[1,0]]].shape
x4[0,[0,1]]
x4[[0],0]
x4[:,0,[0,1]]
x4[[0,1],0,[0,1]]
x4[[0,1],None,[0,1]].shape
x4[[True,False]]
x4[:,[True,False,True]]
x4[T.tensor([True,False])]
x4[x4>5]
x4[x4>100]
x4[:,T.tensor([[0,1],[1,2]])].shape
x4[T.tensor(1)]
x4[T.tensor([1])]
x4[T.tensor(1),T.tensor(2)]
x4[1:0]
x4[::2].shape
x4[5:]
x4[:,1:10]
x4[-5:].shape
x4[si:]
x4[:T.tensor(1)]
x4[True].shape
x4[False].shape
x4[True,0].shape
x4[T.tensor(True)].shape
x4[T.tensor(False)].shape
s[()]
s[...]
s[None]
s[T.tensor(True)]
s[True]
a[()]
a[...]
a[range(2),[0,1]]
a[range(2)]
a[np.array([0,1])]
a[np.int64(1)]
a[np.array(1)]
a[np.array([True,False])]
a[u8[:2]]
a[T.tensor([1,0],dtype=T.uint8)]
a[T.tensor([0,1],dtype=T.int32)]
a[T.tensor([-1,-2])]
a[5:,0]
a[[]]
a[[],[]]
a[:,[]]
a[T.tensor([],dtype=T.int64)]
a[(0,1)]
a[[0,1]]
a[[0,1],]
a[[[0,1]]]
a[[[0,1],[0,1]]]
a[[(0,1)]]
a[[slice(0,1)]]
a[[0,None]]
a[None,None]
a[0:1,None,1:]
a[b]
a[~b]
x4[b]
x4[:,T.ones(3,4,dtype=T.bool)].shape
x4[0,T.ones(3,4,dtype=T.bool)].shape
x4[T.tensor([0,1])[:,None],T.tensor([0,1,2])].shape
x4[0,0,0].shape
v[[0]]
v[T.tensor([[0,1],[1,2]])]
g[0]
g[:,1:]
g[None]
g[[0]]
g[g>0]
g[T.tensor([0,0])]
g[0,1]
g[0,[1]]
a[0]=1; a
a[0]=T.ones(3); a
a[0]=T.ones(1); a
a[0]=T.ones(1,3); a
a[0,0]=s; a
a[0,0]=T.ones(1); a
a[:,0]=T.tensor([1,2]); a
a[b]=0; a
a[b]=T.arange(4.); a
a[b]=T.tensor([9.]); a
a[b]=a[b]*2; a
a[a>0]=-float('inf'); a
a[a<v]=0; a
a[a<v[[-1]]]=0; a
a[[0,1],[1,2]]=7; a
a[[0,1]]=T.ones(3); a
a[range(2),[0,1]]=T.tensor([5.,6.]); a
a[range(2),T.tensor([0,1])]+=1; a
a[:,0::2]=0; a
a[:,::2]=T.ones(2,2); a
a[0]+=1; a
a[:,1]*=2; a
a[b]+=1; a
a[...]=0; a
a[()]=0; a
a[None]=0; a
a[True]=0; a
a[False]=0; a
a[T.tensor(True)]=3; a
a[:,[0,2]]=T.tensor([[1.],[2.]]); a
a[:,[0,0]]=1; a
a[1:]=a[:1]; a
i[0]=1.7; i
i[0]=T.tensor([1.7,2.7,3.7]); i
i[i>2]=1.7; i
i[[0]]=1.7; i
b[0]=5; b
b[0]=T.tensor([0,1,2]); b
s[()]=5; s
s[...]=5; s
x4[0,:,1]=T.tensor([1.,2,3]); x4
x4[[0,1],:,[0,1]]=0; x4
x4[:,[0,1],None]=0; x4
a[0:0]=5; a
a[[]]=5; a
a[[]]=T.ones(0,3); a
h=g*1; h[0]=1; h
h=g*1; h[0]=v; h
h=g*1; h[b]=0; h
h=g*1; h[b]=T.arange(4.); h
h=g*1; h[[0]]=v; h
h=g*1; h[0]=v; h.sum().backward(); g.grad
h=g*1; h[b]=s; h.sum().backward(); g.grad
h=T.zeros(2,3); h[0]=g[1]; h
h=T.zeros(2,3); h[0]=g[1]; h.sum().backward(); g.grad
h=T.zeros(2,3); h[b]=g[b]; (h*h).sum().backward(); g.grad
h=T.zeros(2,3); h[:,[0,0]]=g[:,1:]; h.sum().backward(); g.grad
h=T.zeros(2,3,dtype=T.float64); h[0]=g[1]; h.sum().backward(); g.grad
h=T.zeros(2,3,dtype=T.int64); h[0]=g[1]; h
g[[0,0,1]].sum().backward(); g.grad
g[b].sum().backward(); g.grad
g[:,[0,2,2]].pow(2).sum().backward(); g.grad
g[0,[0,0]].sum().backward(); g.grad
g[...,None,0].sum().backward(); g.grad
g[T.tensor([1]),T.tensor([0])].sum().backward(); g.grad
a.index_select(0,T.tensor([0]))
a.index_select(0,T.tensor(0))
a.gather(1,T.tensor([[0],[1]]))
s.gather(0,T.tensor(0))
a.scatter(1,T.tensor([[0],[1]]),T.tensor([[9.],[8.]]))
a.scatter(1,T.tensor([[0],[1]]),5)
a.scatter(1,T.tensor([[0],[1]]),5.)
a.scatter_add(1,T.tensor([[0],[1]]),T.ones(2,2))
a.index_add(0,T.tensor([0,0]),T.ones(2,3))
a.index_add(0,T.tensor([0]),T.ones(1,3),alpha=2)
a.masked_fill(b,0)
a.masked_fill(b,s)
i.masked_fill(b,1.5)
i.masked_fill(b,s)
a.masked_fill(T.ones(2,2,3,dtype=T.bool),0)
a.masked_select(b)
v.masked_select(b)
a.take_along_dim(T.tensor([[0]]),1)
T.take_along_dim(a,T.tensor([0,1]))
a.nonzero()
a.nonzero(as_tuple=True)
T.nonzero(s)
T.nonzero(T.tensor(0.))
T.unique(T.tensor([3,1,2,1]))
T.unique(T.tensor([3,1,2,1]),return_inverse=True)
T.unique(T.tensor([3,1,2,1]),return_counts=True)
T.bincount(T.tensor([0,1,1,3]))
T.bincount(T.tensor([0,1,1]),weights=v)
T.bincount(T.tensor([0,1]),minlength=5)
T.narrow(a,1,0,2)
a.narrow(0,-1,1)
a.select(0,1)
F.one_hot(T.tensor([0,2]))
F.one_hot(T.tensor([0,2]),4)
F.one_hot(T.tensor(1),3)
F.one_hot(T.tensor([],dtype=T.int64),3)
F.embedding(T.tensor([0,1]),a)
F.embedding(T.tensor([0]),g)
F.embedding(T.tensor([[0,1]]),a,padding_idx=0)
"""


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("code", lines(INDEXING))
def test_indexing_equals_pytorch(code, torch):
    check(code, torch)


# ---- any index, against NumPy and against the rule for gradients

SHAPE = (3, 4, 5)


def one_index(size):
    """An index of one dimension, and whether it is an advanced one."""
    places = st.integers(-size, size - 1)
    return st.one_of(
        places,
        st.slices(size).filter(lambda s: s.step is None or s.step > 0),
        st.lists(places, max_size=4).map(lambda found: np.array(found, np.int64)),
        st.lists(st.booleans(), min_size=size, max_size=size).map(np.array),
    )


@st.composite
def keys(draw):
    """A tuple of indices in which arrays, if there are several, have one length (so that they broadcast). Beside arrays
    there are no ints, which NumPy would take for arrays (PyTorch does not: tests/test_indexing_fuzz.py)."""
    key, length = [], None
    for size in SHAPE[: draw(st.integers(0, 3))]:
        index = draw(one_index(size))
        if isinstance(index, np.ndarray):
            count = int(index.sum()) if index.dtype == bool else index.size
            if length not in (None, count):
                index = slice(None)
            length = count if length is None else length
        key.append(index)
        if draw(st.booleans()) and draw(st.booleans()):
            key.append(None)
    if length is not None:
        key = [slice(k, k + 1 or None) if isinstance(k, int) else k for k in key]
    return (*key, ...) if draw(st.booleans()) else tuple(key)


def of_tensors(key):
    return tuple([T.tensor(k) if isinstance(k, np.ndarray) else k for k in key])


@given(keys())
def test_reading_is_numpys(key):
    array = np.arange(60.0).reshape(SHAPE)
    found = T.tensor(array)[of_tensors(key)]
    np.testing.assert_array_equal(found.numpy(), array[key])


@given(keys(), st.booleans())
def test_writing_is_numpys(key, with_history):
    array = np.arange(60.0).reshape(SHAPE)
    value = np.random.default_rng(0).normal(size=array[key].shape)
    tensor = T.tensor(array)
    source = T.tensor(value, requires_grad=with_history)
    tensor[of_tensors(key)] = source
    # Where a place is named twice the last value may win or not; compare what is sure: the elements that were written.
    marks = np.zeros(SHAPE)
    np.add.at(marks, key, 1.0)
    array[key] = value
    sure = marks <= 1
    np.testing.assert_array_equal(tensor.detach().numpy()[sure], array[sure])
    assert tensor.requires_grad == (with_history and value.size > 0) or value.size == 0


@given(keys())
def test_the_gradient_counts_how_often_an_element_was_read(key):
    leaf = T.zeros(SHAPE, dtype=T.float64, requires_grad=True)
    part = leaf[of_tensors(key)]
    weights = np.random.default_rng(0).normal(size=part.shape)
    (part * T.tensor(weights)).sum().backward()
    expected = np.zeros(SHAPE)
    np.add.at(expected, key, weights)
    np.testing.assert_allclose(leaf.grad.numpy(), expected, atol=1e-12)


@given(keys())
def test_what_a_write_covers_loses_its_gradient(key):
    leaf = T.zeros(SHAPE, dtype=T.float64, requires_grad=True)
    out = leaf * 2.0
    out[of_tensors(key)] = 0.5
    out.sum().backward()
    expected = np.full(SHAPE, 2.0)
    expected[key] = 0.0
    np.testing.assert_array_equal(leaf.grad.numpy(), expected)


def test_a_basic_index_shares_memory_and_an_advanced_one_does_not():
    x = T.zeros(3, 4)
    x[1:, ::2].fill_(1.0)
    x[[0, 1]].fill_(9.0)
    assert x.sum().item() == 4.0


def test_an_index_may_be_a_range_a_list_or_an_array_of_any_integer():
    x = T.arange(12.0).reshape(3, 4)
    for rows in (range(2), [0, 1], (T.tensor(0), T.tensor(1)), np.array([0, 1]), T.tensor([0, 1], dtype=T.int32)):
        assert x[rows, [1, 2]].tolist() == [1.0, 6.0]
