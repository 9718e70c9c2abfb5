"""The engine at its edges: infinite values, half precision, generators, signals, processes, callbacks."""

import pickle
import threading
import warnings

import numpy as np
import pytest
from leaves import leaf, vector

import minigrad
from minigrad.autograd.general import quiet
from minigrad.autograd.running import queue_callback
from minigrad.nn import functional as F

# ---- values at the edges -------------------------------------------------------------------------------------------


def test_gradients_at_the_edges():
    x = leaf(float("nan"), 1.0, 2.0)
    x.max().backward()
    assert x.grad.tolist() == [1.0, 0.0, 0.0]
    exponent = leaf(0.0, 2.0, -1.0)
    (0.0**exponent).sum().backward()
    assert exponent.grad.tolist() == [0.0, 0.0, float("-inf")]
    same = leaf(1.0, 1.0)
    same.std().backward()
    assert same.grad.tolist() == [0.0, 0.0]


HALF = {
    "softmax": lambda x: F.softmax(x, 0),
    "log_softmax": lambda x: F.log_softmax(x, 0),
    "gelu": F.gelu,
    "erf": minigrad.erf,
    "mean": lambda x: (x * 0 + 20).mean(),
    "layer_norm": lambda x: F.layer_norm(x, (4000,)),
    "max_pool2d": lambda x: F.max_pool2d(x.view(1, 1, 40, 100), 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x.view(1, 1, 40, 100), 2),
    "conv2d": lambda x: F.conv2d(x.view(1, 1, 40, 100), minigrad.ones(1, 1, 2, 2, dtype=minigrad.float16)),
    "cross_entropy": lambda x: F.cross_entropy(x.view(2, 2000), minigrad.tensor([0, 1])),
}


@pytest.mark.parametrize("name", HALF)
def test_half_precision_stays_half_and_finite(name):
    x = minigrad.linspace(-1, 1, 4000).half().requires_grad_()
    y = HALF[name](x)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype) == (minigrad.float16, minigrad.float16)
    assert np.isfinite(y.detach().numpy()).all()


# ---- modes, processes, signals -------------------------------------------------------------------------------------


def test_a_decorated_generator_gets_what_is_thrown_into_it():
    seen = []

    @minigrad.no_grad()
    def steps():
        try:
            yield 1
        except ValueError:
            seen.append(minigrad.is_grad_enabled())
            yield 2
        finally:
            seen.append(minigrad.is_grad_enabled())

    generator = steps()
    next(generator)
    assert generator.throw(ValueError()) == 2
    generator.close()
    assert seen == [False, False]


def test_tensors_can_be_used_while_a_kernel_runs():
    """By a signal handler (a checkpoint at SIGTERM), a finalizer or a debugger that comes in between."""
    assert quiet.run(lambda: minigrad.ones(3).sum().item()) == 3.0


def test_unpickled_tensors_take_the_fast_path():
    """The fast path asks `dtype is float32`; pickle makes a dtype object of its own."""
    x = pickle.loads(pickle.dumps(minigrad.ones(3)))
    assert x.array.dtype is np.dtype("f4")


def test_first_calls_warn_of_nothing():
    """NumPy's floating-point warnings are off in every call, that of a kernel just being chosen too."""
    from minigrad.kernels.dispatch import backend

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for other, name in (("numba", "numpy"), ("numpy", "numba")):
            with backend(other), backend(name):  # a change of backend forgets what was chosen
                vector(-1.0, 1000.0, float("nan")).log().exp().sqrt().reciprocal()
    assert not [w for w in caught if issubclass(w.category, RuntimeWarning)]


SITUATIONS = {
    "always": lambda: warnings.simplefilter("always"),
    "error": lambda: warnings.simplefilter("error"),
    "seterr": lambda: np.seterr(all="raise"),
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("dtype", [minigrad.float32, minigrad.float64])
@pytest.mark.parametrize("shape", [(), (1,), (40, 50)])
def test_floating_point_warnings_are_never_seen(situation, dtype, shape):
    """PyTorch has none. Neither the filters nor the `np.seterr` of the caller are heard, or changed."""
    with warnings.catch_warnings(record=True) as caught, np.errstate():
        SITUATIONS[situation]()
        before = np.geterr()
        for value in (0.0, -1.0, 1e30, 1e-30, float("inf"), float("nan")):
            x = minigrad.full(shape, value, dtype=dtype).requires_grad_()
            y = (x * x / (x - x)).exp() + x.log() + x.sqrt() + 1 / x + x**0.5 + x.softmax(-1) + x.std(correction=0)
            (g,) = minigrad.autograd.grad(y.sum(), x, create_graph=True)
            g.sum().backward()
            y.detach().half().int()
            minigrad.nn.utils.clip_grad_norm_([x], 1.0)
            minigrad.isclose(x, x)
        assert np.geterr() == before
    assert not caught


def test_a_kernel_that_two_threads_enter_at_once():
    """The second thread cannot enter the kernel's context, and takes the general path: with the same result."""
    inside, done = threading.Event(), threading.Event()
    leaf(0.0).exp()  # the kernel is chosen at its first call
    kernel = minigrad.registry.OPS["exp"].namespace["kernel64"]
    enter = kernel.func  # of the context that the kernel is called in

    def occupy():
        inside.set()
        done.wait(10)

    thread = threading.Thread(target=enter, args=(occupy,))
    thread.start()
    inside.wait(10)
    x = leaf(0.0, 1000.0)
    x.exp().sum().backward()
    done.set()
    thread.join()
    assert x.grad.tolist() == [1.0, float("inf")]


# ---- writes into what was saved ------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["max", "min", "median", "mode", "sort", "cummax"])
def test_indices_that_were_written_to(op):
    x = leaf(3.0, 1.0, 2.0)
    values, indices = getattr(x, op)(0)
    indices.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation: 'indices'"):
        values.sum().backward()


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_indices_of_a_pooling_that_were_written_to(dims):
    x = minigrad.rand(1, 2, *[4] * dims, requires_grad=True)
    values, indices = getattr(F, f"max_pool{dims}d")(x, 2, return_indices=True)
    indices += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation: 'indices'"):
        values.sum().backward()


def test_the_line_of_a_write_is_the_programs_and_not_a_decorators():
    @np.errstate(all="ignore")
    def squared():
        y = minigrad.ones(3, requires_grad=True) * 2
        z = y * y
        y.mul_(3)
        return z

    with pytest.raises(RuntimeError, match=rf"mul_, at {__file__}"):
        squared().sum().backward()


# ---- callbacks -----------------------------------------------------------------------------------------------------


def test_callbacks_are_called_when_the_outermost_backward_is_through():
    seen = []
    x, w = minigrad.ones(2, requires_grad=True), minigrad.ones(2, requires_grad=True)

    def first(grad):
        queue_callback(lambda: seen.append((x.grad.tolist(), w.grad.tolist())))
        queue_callback(lambda: queue_callback(lambda: seen.append("queued by another")))
        inner = minigrad.ones(1, requires_grad=True)
        with minigrad.enable_grad():
            (inner * 2).sum().backward()  # a backward of its own in the hook
        seen.append(inner.grad.tolist())

    y = x * 3
    y.register_hook(first)
    (y * w).sum().backward()
    assert seen == [[2.0], ([3.0, 3.0], [3.0, 3.0]), "queued by another"]
    with pytest.raises(RuntimeError, match="Final callbacks can only be installed during backward pass"):
        queue_callback(print)


def test_callbacks_of_a_backward_that_fails_are_not_called():
    seen, x = [], minigrad.ones(2, requires_grad=True)

    def fails(grad):
        queue_callback(lambda: seen.append("called"))
        raise ValueError("no")

    y = x * 2
    y.register_hook(fails)
    with pytest.raises(ValueError, match="no"):
        y.sum().backward()
    (x * 2).sum().backward()
    assert seen == []
