"""`autograd.Function` at its edges: dirty inputs, inputs handed back, gradients of other shapes and dtypes."""

import gc
import weakref

import numpy as np
import pytest
from leaves import leaf

import minigrad
from minigrad import autograd
from minigrad.autograd import gradcheck, gradgradcheck

# ---- Function ------------------------------------------------------------------------------------------------------


class Same(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        return g


class Flat(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view(-1)

    @staticmethod
    def backward(ctx, g):
        return g.view(2, 1) * 10


def test_an_input_returned_as_it_is_shares_its_version():
    x = leaf(1.0, 2.0)
    b = x * 1
    squared, alias = b * b, Same.apply(b)
    with minigrad.no_grad():
        alias.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        squared.sum().backward()


def test_an_input_returned_as_it_is_may_not_be_written_to():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        Same.apply(x * 1).mul_(2)


def test_a_write_to_the_base_does_not_lose_a_functions_backward():
    b = leaf([1.0], [2.0]) * 1
    y = Flat.apply(b)
    b.mul_(2)
    with pytest.raises(RuntimeError, match="has been modified inplace"):
        (y * y).sum().backward()


class Exp(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x.exp_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


def test_a_dirty_input_may_be_saved():
    x = leaf(0.0, 1.0)
    Exp.apply(x * 1).sum().backward()
    assert x.grad.tolist() == pytest.approx([1.0, np.e])


def test_what_is_marked_dirty_must_be_returned():
    class Forgets(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x.mul_(2))
            return x.clone()

    with pytest.raises(RuntimeError, match="not returned as output"):
        Forgets.apply(leaf(1.0, 2.0) * 1)


def test_a_dirty_view_among_several_outputs_is_refused():
    class Two(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x.mul_(2))
            return x, x.clone()

    with pytest.raises(RuntimeError, match="cannot return more than one Tensor"):
        Two.apply((leaf(1.0, 2.0) * 1)[:1])


def test_a_functions_gradients_are_fitted_to_its_inputs():
    class Wide(autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x.double() * y

        @staticmethod
        def backward(ctx, g):
            return g, g

    x, y = leaf(1.0, 2.0, dtype=minigrad.float32), leaf([3.0])
    Wide.apply(x, y).sum().backward()
    assert x.grad.dtype is minigrad.float32
    assert y.grad.tolist() == [2.0]


class Cube(autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return x**3 * scale

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        assert ctx.needs_input_grad == (True, False)
        return g * 3 * x**2 * ctx.scale, None


class TwoOutputs(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y, x * 2

    @staticmethod
    def backward(ctx, g, h):
        (y,) = ctx.saved_tensors
        return g * y + h * 2


class NewStyle(autograd.Function):
    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


def test_functions_of_ones_own():
    x = leaf(0.5, -2.0)
    assert gradcheck(lambda x: Cube.apply(x, 2.0), (x,))
    assert gradgradcheck(lambda x: Cube.apply(x, 2.0), (x,))
    assert gradcheck(lambda x: TwoOutputs.apply(x)[0], (x,))
    assert gradcheck(lambda x: sum(TwoOutputs.apply(x)), (x,))
    assert gradgradcheck(lambda x: TwoOutputs.apply(x)[0], (x,))
    assert gradcheck(NewStyle.apply, (x,))
    assert Cube.apply(x, 2.0).grad_fn.name() == "CubeBackward"
    y = Cube.apply(x, 1.0)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()


def test_a_function_leaves_no_cycle():
    gc.collect()
    gc.disable()
    try:
        y = TwoOutputs.apply(leaf(1.0))[0]
        watch = weakref.ref(y.grad_fn)
        del y
        assert watch() is None
    finally:
        gc.enable()


def test_wrong_gradients_of_a_function_are_named():
    class Wrong(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g.sum()

    with pytest.raises(RuntimeError, match="returned an invalid gradient at index 0"):
        Wrong.apply(leaf(1.0, 2.0)).sum().backward()


def test_gradcheck_finds_a_wrong_gradient():
    class Wrong(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    with pytest.raises(autograd.GradcheckError, match="Jacobian mismatch"):
        gradcheck(Wrong.apply, (leaf(1.0),))
    assert gradcheck(Wrong.apply, (leaf(1.0),), raise_exception=False) is False
