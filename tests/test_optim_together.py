"""Many parameters in one call: bit for bit what one call each gives, whatever happens to the arrays between steps."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.autograd import grad
from minigrad.optim.together import COPIED

SHAPES = [(3, 4), (), (0, 3), (5,), (COPIED + 1,), (2, COPIED), (1, 1, 7)]
MAKERS = {
    "Adam": lambda params: optim.Adam(params),
    "Adam amsgrad": lambda params: optim.Adam(params, amsgrad=True, weight_decay=0.1, maximize=True),
    "AdamW": lambda params: optim.AdamW(params, lr=mg.tensor(0.01)),
    "SGD": lambda params: optim.SGD(params, lr=0.1, weight_decay=0.1),
    "SGD momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True),
}


def draw(shape, seed):
    return mg.tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def fresh(dtype=mg.float32):
    return [mg.nn.Parameter(draw(shape, k).to(dtype)) for k, shape in enumerate(SHAPES)]


def give_gradients(params, step):
    for k, p in enumerate(params):
        p.grad = draw(p.shape, 100 * step + k).to(p.dtype)


def less_one(params, optimizer):
    params[0].grad = params[3].grad = None


def strided(params, optimizer):
    params[0].grad = params[0].grad.T.contiguous().T
    params[5].grad = params[5].grad.T.contiguous().T


def other_data(params, optimizer):
    params[1].data = mg.tensor(5.0)
    params[4].data = params[4].data.clone()


def loaded(params, optimizer):
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def other_state(params, optimizer):
    for state in optimizer.state.values():
        for name in state:
            state[name].data = state[name].data * 0.5
    optimizer.param_groups[0]["lr"] = 0.05


def one_more(params, optimizer):
    params.append(mg.nn.Parameter(draw((6,), 66)))
    params[-1].grad = draw((6,), 67)
    optimizer.add_param_group({"params": [params[-1]], "lr": 0.5})


def frozen(params, optimizer):
    params[0].requires_grad_(False)


def twisted(params, optimizer):
    params[0].data = params[0].data.T.contiguous().T


def as_it_is(params, optimizer):
    pass


def train(make, between, dtype, alone):
    params = fresh(dtype)
    optimizer = make(params)
    if alone:
        optimizer.update_all = None
    for step in range(5):
        give_gradients(params, step)
        if step == 3:
            between(params, optimizer)
        optimizer.step()
    states = [part for p in params for part in optimizer.state.get(p, {}).values()]
    return [t.detach().numpy().copy() for t in (*params, *states)], [p._version for p in params]


BETWEEN = [as_it_is, less_one, strided, other_data, loaded, other_state, one_more, frozen, twisted]


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_same_bits_as_one_by_one(make, between):
    together, versions = train(make, between, mg.float32, alone=False)
    alone, expected = train(make, between, mg.float32, alone=True)
    assert versions == expected
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [mg.float64, mg.float16])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_other_dtypes(make, dtype):
    together, _ = train(make, as_it_is, dtype, alone=False)
    alone, _ = train(make, as_it_is, dtype, alone=True)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_gradient_that_does_not_fit_is_refused():
    params = fresh()
    optimizer = optim.Adam(params)
    give_gradients(params, 0)
    optimizer.step()
    params[0].data = draw((4, 3), 1)
    with pytest.raises(RuntimeError, match="shape"):
        optimizer.step()


def test_a_write_by_a_step_is_noticed_by_the_graph():
    w = mg.nn.Parameter(draw((3,), 1))
    optimizer = optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    w.grad = draw((3,), 2)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        grad(loss, w)


def test_copies_have_tables_of_their_own():
    params = fresh()
    optimizer = optim.Adam(params)
    give_gradients(params, 0)
    optimizer.step()
    twin_params, twin = copy.deepcopy((params, optimizer))
    before = [p.detach().clone() for p in params]
    for p in twin_params:
        p.grad = mg.ones_like(p)
    twin.step()
    assert all(mg.equal(a, b) for a, b in zip(before, params, strict=True))
    assert not mg.equal(twin_params[0], params[0])


@pytest.mark.parametrize("name", ["Adam", "SGD momentum"])
@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_what_is_kept_of_a_gradient_that_became_zero_ends_at_zero(name, dtype):
    w = mg.nn.Parameter(mg.full((3,), 2.0, dtype=dtype))
    optimizer = MAKERS[name]([w])
    w.grad = mg.full((3,), 1e-30, dtype=dtype)
    optimizer.step()
    w.grad = mg.zeros_like(w)
    least = np.finfo(w.detach().numpy().dtype).tiny
    for _ in range(400 if dtype is mg.float32 else 6500):
        optimizer.step()
    kept = np.concatenate([t.numpy().ravel() for t in optimizer.state[w].values()])
    assert not ((kept != 0) & (np.abs(kept) < least)).any()
    assert (kept == 0).any()
    assert np.isfinite(w.detach().numpy()).all()
