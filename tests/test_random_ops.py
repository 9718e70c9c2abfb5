"""Random tensors: the numbers, dtypes and states that PyTorch has from the same seed.

`test_random_streams.py` tests the streams themselves; here is what tensors make of them.
"""

import numpy as np
import pytest
from both import check, lines

import minigrad as T
import minigrad.nn.functional as F

STREAMS = """
T.randn(2,device=T.device('cpu')).shape
v.uniform_()
v.normal_()
v.bernoulli_()
v.random_(5)
v.cauchy_()
v.log_normal_()
v.geometric_(0.5)
v.exponential_()
i.random_()
i.random_(10)
i.random_(2,5)
i.bernoulli_(0.3)
v.uniform_(1,2)
v.normal_(1,2)
v.bernoulli_(T.tensor([0.,1.,0.5]))
i.geometric_(0.3)
v.cauchy_(1,2)
v.log_normal_(0,0.5)
F.normalize(g)
F.normalize(v,dim=0)
F.dropout(a)
F.dropout(a,0.3)
F.dropout(a,p=0.)
F.dropout(a,p=1.)
F.dropout(g,0.4)
F.dropout(a,training=False) is a
F.dropout(a,0.5,True,True) is a
F.dropout(a.double())
F.dropout(a.half())
F.dropout2d(img,0.5)
T.dropout(a,0.5,True)
T.rand(3)
T.rand(2,3)
T.rand((2,3))
T.rand(())
T.rand(0)
T.rand(2,dtype=T.float64)
T.rand(2,dtype=T.float16)
T.rand(20)
T.randn(3)
T.randn(16)
T.randn(17)
T.randn(40)
T.randn(2,3,requires_grad=True)
T.randn(20,dtype=T.float64)
T.randn(5,dtype=T.float16)
T.randn(())
T.randn(size=(2,))
T.randint(5,(3,))
T.randint(1,5,(2,2))
T.randint(0,10,size=(2,))
T.randint(low=0,high=10,size=(2,))
T.randint(high=10,size=(2,))
T.randint(5,(2,),dtype=T.float32)
T.randint(2**40,(3,))
T.randint(-5,5,(3,),dtype=T.int8)
T.randint(0,2,(3,),dtype=T.bool)
T.randperm(5)
T.randperm(0)
T.randperm(5,dtype=T.float32)
T.randperm(5,dtype=T.int32)
T.rand_like(a)
T.rand_like(i,dtype=T.float32)
T.randn_like(a)
T.randn_like(g)
T.randint_like(a,5)
T.randint_like(i,2,5)
T.normal(0.,1.,(3,))
T.normal(0,1,(3,))
T.normal(v,0.1)
T.normal(v,v)
T.normal(0.,v)
T.normal(mean=v)
T.bernoulli(T.tensor([0.,1.,0.5]))
T.bernoulli(a,0.5)
T.bernoulli(a,p=0.5)
a.bernoulli(0.3)
T.multinomial(v,2)
T.multinomial(v,5,replacement=True)
T.multinomial(a.abs(),2)
T.multinomial(a.abs(),4,True)
T.multinomial(T.tensor([0.,1.,0.]),2)
T.manual_seed(3).initial_seed()
T.initial_seed()
T.manual_seed(-1); T.rand(2)
T.manual_seed(2**40); T.rand(2)
T.manual_seed(1.5); T.rand(1)
T.manual_seed(7); T.rand(2,generator=T.Generator().manual_seed(7))
q=T.Generator(); q.manual_seed(1); T.randn(3,generator=q)
q=T.Generator(); q.initial_seed()
q=T.Generator(); T.rand(2,generator=q)
q=T.Generator(device='cpu'); q.device
q=T.get_rng_state(); x=T.rand(2); T.set_rng_state(q); (T.rand(2)==x).all()
T.get_rng_state().shape
T.get_rng_state().dtype
T.default_generator.initial_seed()
v.normal_(generator=T.Generator().manual_seed(4))
T.empty(20).normal_()
T.empty(5,5).t().normal_()
T.empty(5,5).t().uniform_()
T.empty(3).exponential_(2)
T.empty(3,dtype=T.float64).cauchy_()
T.empty(20,dtype=T.int64).random_(0,100)
T.empty(20).random_()
T.empty(20,dtype=T.int8).random_()
T.empty(20,dtype=T.bool).random_()
T.empty(20,dtype=T.bool).bernoulli_(0.4)
T.empty(20,dtype=T.uint8).bernoulli_()
T.empty(10,dtype=T.uint8).geometric_(0.1)
T.zeros(10).bernoulli_(T.rand(10))
"""


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("code", lines(STREAMS))
def test_numbers_equal_pytorch(code, torch):
    check(code, torch)


# ---- without PyTorch


def test_one_seed_one_stream():
    T.manual_seed(5)
    first = [T.rand(3), T.randn(20), T.randint(9, (4,)), T.randperm(6), F.dropout(T.ones(50)), T.rand(2)]
    T.manual_seed(5)
    again = [T.rand(3), T.randn(20), T.randint(9, (4,)), T.randperm(6), F.dropout(T.ones(50)), T.rand(2)]
    for one, other in zip(first, again):
        assert one.tolist() == other.tolist()


def test_a_generator_draws_beside_the_default_one():
    state = T.get_rng_state()
    mine = T.Generator().manual_seed(1)
    first = T.randn(4, generator=mine)
    assert T.get_rng_state().tolist() == state.tolist()
    assert T.randn(4, generator=T.Generator().manual_seed(1)).tolist() == first.tolist()


def test_the_state_is_a_tensor_and_can_be_set_again():
    T.rand(3)
    state = T.get_rng_state()
    assert (state.dtype, state.shape) == (T.uint8, (5056,))
    drawn = T.randn(5).tolist()
    T.set_rng_state(state)
    assert T.randn(5).tolist() == drawn


@pytest.mark.parametrize("p", [0.0, 0.2, 0.9, 1.0])
def test_dropout_keeps_the_mean_and_passes_its_mask_back(p):
    x = T.ones(200, 50, requires_grad=True)
    out = F.dropout(x, p)
    out.sum().backward()
    assert x.grad.tolist() == out.tolist()
    kept = np.unique(out.detach().numpy())
    assert all(np.isclose(n, 0) or np.isclose(n, 1 / (1 - p)) for n in kept)
    assert abs(float((out != 0).float().mean()) - (1 - p)) < 0.02


def test_dropout_of_planes_drops_whole_channels():
    out = F.dropout2d(T.ones(6, 10, 4, 4), 0.5).numpy()
    planes = out.reshape(60, 16)
    assert ((planes == 0).all(1) | (planes == 2).all(1)).all()
    assert 0 < (planes[:, 0] == 0).sum() < 60


def test_dropout_outside_training_and_in_place():
    x = T.ones(3)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.5, inplace=True) is x
    with pytest.raises(ValueError, match=r"dropout probability.*between 0 and 1.*1\.5"):
        F.dropout(x, 1.5)


def test_filling_is_a_write_without_history():
    leaf = T.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        leaf.normal_()
    before = leaf._version
    with T.no_grad():
        leaf.normal_()
    assert leaf._version == before + 1
    whole = T.zeros(4, 4)
    whole[:, 1].uniform_(1, 2)
    assert (whole[:, 1] >= 1).all()
    assert whole[:, [0, 2, 3]].abs().sum() == 0


@pytest.mark.parametrize("name", ["uniform_", "normal_", "exponential_", "cauchy_", "log_normal_"])
def test_continuous_numbers_need_a_float_tensor(name):
    assert getattr(T.empty(5), name)().isfinite().all()
    with pytest.raises(NotImplementedError, match=name):
        getattr(T.empty(5, dtype=T.int64), name)()


def test_multinomial_draws_by_weight_without_repeating():
    rows = T.tensor([[1.0, 0.0, 3.0], [0.0, 2.0, 2.0]])
    drawn = T.multinomial(rows, 2)
    assert sorted(drawn[0].tolist()) == [0, 2]
    assert sorted(drawn[1].tolist()) == [1, 2]
    many = T.multinomial(rows[0], 4000, replacement=True)
    assert abs(float((many == 2).float().mean()) - 0.75) < 0.03


def test_a_generator_must_be_one():
    with pytest.raises(TypeError, match="'generator' must be a Generator, not int"):
        T.rand(3, generator=5)
