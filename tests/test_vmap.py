"""`vmap`: all examples at once gives what one by one gives, for every op; and which functions are computed at once."""

import numpy as np
import pytest
from op_cases import BLOCKS, Maker, function_of, inputs_of, outputs_of, samples

import minigrad
import minigrad.nn.functional as F
from minigrad import func, nn
from minigrad.batched import RULES
from minigrad.registry import OPS

COUNT = 2


def batch_of(case, which):
    """(function of the tensors, their batches, in_dims): sample number k of a block, (name, k), drawn COUNT times.

    `which`: "all" the tensors have a batch, or "first": the first, in its last dimension.
    """
    name, k = case
    drawn = [list(BLOCKS[name].samples(Maker(seed)))[k] for seed in range(COUNT)]
    columns = [[] for _ in drawn]
    for sample, column in zip(drawn, columns, strict=True):
        inputs_of(
            sample, lambda array, wanted, column=column: column.append(array) or minigrad.tensor(array), dtypes=minigrad
        )
    shared = [len({array.shape for array in arrays}) > 1 for arrays in zip(*columns, strict=True)]
    dims = [None if odd else 0 for odd in shared]
    if which == "first":
        dims = [-1 if i == 0 and not odd else None for i, odd in enumerate(shared)]
    stacked = [
        arrays[0] if dim is None else np.stack(arrays, dim) for arrays, dim in zip(zip(*columns, strict=True), dims)
    ]

    def run(*tensors):
        queue = list(tensors)
        args, kwargs, _ = inputs_of(drawn[0], lambda array, wanted: queue.pop(0), dtypes=minigrad)
        return tuple(outputs_of(function_of(name)(*args, **kwargs)))

    return run, [minigrad.tensor(array) for array in stacked], tuple(dims)


def examples(batches, dims):
    for i in range(COUNT):
        yield [x if dim is None else x.select(dim, i) for x, dim in zip(batches, dims, strict=True)]


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error)


def compare(found, expected):
    if isinstance(expected, type):
        assert found is expected
        return
    if any(len({y.shape for y in outputs}) > 1 for outputs in zip(*expected, strict=True)):
        assert found is RuntimeError  # nothing to stack
        return
    assert not isinstance(found, type), found
    for one, *others in zip(found, *expected, strict=True):
        several = np.stack([other.numpy() for other in others])
        assert one.numpy().dtype == several.dtype
        np.testing.assert_allclose(one.numpy(), several, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_all_at_once_is_one_by_one(name):
    """Values for every sample, batched in all tensors or only in the first; gradients for the first sample."""
    for k in range(len(samples(name))):
        for which in ("all", "first") if k == 0 else ("all",) if k % 2 else ("first",):
            function, batches, dims = batch_of((name, k), which)
            if any(dim is not None for dim in dims):
                check_case(function, batches, dims, gradients=k == 0 and which == "all")


def check_case(function, batches, dims, gradients):
    def seeded(*tensors):
        minigrad.manual_seed(0)
        return function(*tensors)

    def total(*tensors):
        return sum((y * y).sum() for y in seeded(*tensors) if y.is_floating_point())

    expected = outcome(lambda: [seeded(*example) for example in examples(batches, dims)])
    compare(outcome(lambda: func.vmap(seeded, dims, randomness="same")(*batches)), expected)
    wanted = tuple(i for i, x in enumerate(batches) if x.is_floating_point())
    if gradients and wanted and not isinstance(expected, type) and any(y.is_floating_point() for y in expected[0]):
        slope = func.grad(total, wanted)
        expected = outcome(lambda: [slope(*example) for example in examples(batches, dims)])
        compare(outcome(lambda: func.vmap(slope, dims, randomness="same")(*batches)), expected)


# ---- what is computed at once ----------------------------------------------------------------------------------------


def counted(function):
    """The function, and a list that grows with each call."""
    calls = []

    def counting(*args):
        calls.append(args)
        return function(*args)

    return counting, calls


W = minigrad.linspace(-1.0, 1.0, 12).reshape(4, 3)
IMAGE = minigrad.linspace(-1.0, 1.0, 2 * 4 * 4).reshape(1, 2, 4, 4)
AT_ONCE = {
    "arithmetic": lambda x: (x * 2 + 1).sin() / (1 + x.abs()),
    "broadcasting": lambda x: x.unsqueeze(1) * x + x.sum() * W[:, 0].sum(),
    "sums": lambda x: x.sum() + x.mean(0) + x.std() + x.amax() + x.max() + x.max(0)[0] + x.logsumexp(0) + x.prod(0),
    "matrices": lambda x: (W @ x).outer(x) @ x + W.mv(x) * x.dot(x),
    "linear": lambda x: F.linear(x, W) + F.linear(x[None], W, W[:, 0])[0],
    "shapes": lambda x: x.reshape(3, 1).expand(3, 2).t().flatten().view(2, 3).transpose(0, 1).movedim(0, 1).squeeze(),
    "parts": lambda x: minigrad.cat([x[1:], x[:1], x[[0, 2]], x.flip(0), x.narrow(0, 1, 2), x[None, ..., 1]]),
    "stacks": lambda x: minigrad.stack([x[0], x[2], minigrad.tensor(1.0)]),
    "choices": lambda x: minigrad.where(x > 0, x, -x).clamp(-1, 1).clamp(min=x - 1),
    "softmax": lambda x: F.softmax(x, 0) + x.log_softmax(0).relu(),
    "losses": lambda x: (
        F.cross_entropy(x[None], minigrad.tensor([1])) + F.mse_loss(x, x * x) + F.smooth_l1_loss(x, W[0])
    ),
    "convolution": lambda x: F.max_pool2d(F.conv2d(IMAGE * x[0], IMAGE[:, :, :2, :2] * x[1]).relu(), 2),
    "layer_norm": lambda x: F.layer_norm(x, (3,), x, x),
    "order": lambda x: x.sort()[0] * x.argmax(0) + x.cumsum(0),
    "dtypes": lambda x: x.double() + (x > 0).float(),
    "gradient": lambda x: func.grad(lambda a: (a * a).sin().sum())(x),
    "gradient of what is shared": lambda x: func.grad(lambda w: (w @ x).square().sum())(W),
    "products": lambda x: func.vjp(lambda a: a * a.sum(), x)[1](W[0])[0] + func.jvp(lambda a: a * a, (x,), (x,))[1],
    "jacobian": lambda x: func.jacrev(lambda a: a * a.sum())(x),
    "hessian": lambda x: func.hessian(lambda a: (a * a).sum() * a.sum())(x),
    "vmap": lambda x: func.vmap(lambda a: a * x)(W).sum(0),
    "nothing of the argument": lambda x: W[0],
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_is_computed_at_once(name):
    function, calls = counted(AT_ONCE[name])
    x = minigrad.tensor([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]])
    found = func.vmap(function)(x)
    assert len(calls) == 1
    np.testing.assert_allclose(found.numpy(), np.stack([function(row).numpy() for row in x]), rtol=1e-5, atol=1e-6)


ONE_BY_ONE = {
    "a number taken out": lambda x: x * x[0].item(),
    "a branch": lambda x: x if x[0] > 0.7 else -x,
    "a write": lambda x: x.clone().mul_(2),
    "arrays": lambda x: minigrad.from_numpy(np.exp(x.numpy())),
    "text": lambda x: x * len(repr(x)),
    "a mask": lambda x: x[x > -10].sum(),
    "data": lambda x: x.data * 2,
    "a function of the user's": lambda x: Cube.apply(x),
}


class Cube(minigrad.autograd.Function):
    """x³, whose backward counts its calls."""

    calls = 0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        Cube.calls += 1
        return grad * 3 * ctx.saved_tensors[0] ** 2


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_is_computed_one_by_one(name):
    function, calls = counted(ONE_BY_ONE[name])
    x = minigrad.tensor([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]])
    found = func.vmap(function)(x)
    assert len(calls) == 3  # once for all, in vain, and once for each
    np.testing.assert_allclose(found.numpy(), np.stack([function(row).numpy() for row in x]), rtol=1e-6)


def test_gradients_of_what_is_computed_one_by_one():
    x = minigrad.tensor([[0.5, -1.0], [1.0, 0.25]])
    expected = (3 * x * x).tolist()
    assert func.vmap(func.grad(lambda a: Cube.apply(a).sum()))(x).tolist() == expected
    assert func.grad(lambda a: func.vmap(Cube.apply)(a).sum())(x).tolist() == expected


def test_a_write_to_a_tensor_outside_happens_once_for_each_example():
    total, mean = minigrad.zeros(()), minigrad.ones(2)

    def run(a):
        mean.mul_(0.5)  # could be done at once; the next write could not
        mean.add_(a)
        mean[0] = 7
        total.add_(1)
        return a * 2

    func.vmap(run)(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert (total.item(), mean.tolist()) == (2.0, [7.0, 5.25])


def test_an_error_in_the_function_is_raised_as_it_is():
    with pytest.raises(RuntimeError, match="5"):
        func.vmap(lambda a: W @ a)(minigrad.ones(2, 5))
    with pytest.raises(KeyError):
        func.vmap(lambda a: {}["missing"])(minigrad.ones(2, 5))


def test_outputs_may_be_written_to():
    found = func.vmap(lambda a: minigrad.zeros(2))(minigrad.ones(3, 2))
    found[0] = 1
    assert found.tolist() == [[1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize(("chunk_size", "passes"), [(None, 1), (2, 3), (1, 5), (9, 1)])
def test_rows_of_a_jacobian_are_computed_at_once(chunk_size, passes):
    x = minigrad.linspace(1.0, 2.0, 5)
    Cube.calls = 0
    found = func.jacrev(Cube.apply, chunk_size=chunk_size)(x)
    assert Cube.calls == passes
    np.testing.assert_allclose(found.numpy(), np.diag(3 * x.numpy() ** 2), rtol=1e-6)


def test_every_rule_is_of_an_op():
    assert set(RULES) <= set(OPS)


def test_gradients_of_single_examples_of_a_convolutional_network_at_once():
    minigrad.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 3))
    x, y = minigrad.randn(5, 1, 5, 5), minigrad.tensor([0, 1, 2, 1, 0])
    params = {name: p.detach() for name, p in net.named_parameters()}

    def loss(params, x, y):
        return F.cross_entropy(func.functional_call(net, params, x[None]), y[None])

    slope, calls = counted(func.grad(loss))
    found = func.vmap(slope, (None, 0, 0))(params, x, y)
    assert len(calls) == 1
    for i in range(5):
        one = func.grad(loss)(params, x[i], y[i])
        for name in params:
            np.testing.assert_allclose(found[name][i].numpy(), one[name].numpy(), rtol=1e-4, atol=1e-6)
