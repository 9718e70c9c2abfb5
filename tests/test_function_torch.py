"""`autograd.Function` and `gradcheck`, as PyTorch has them."""

import pytest
import scenarios
from scenarios import leaf, raises

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")


def _function(T, forward, backward, **more):
    body = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Mine", (T.autograd.Function,), body | {k: staticmethod(v) for k, v in more.items()})


def _square(T, **more):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g

    return _function(T, forward, backward, **more)


def the_other_style(T):
    class Mine(T.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, k):
            return x**k, x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.k = inputs
            ctx.save_for_backward(x, output[0])

        @staticmethod
        def backward(ctx, g, h):
            x, y = ctx.saved_tensors
            return g * ctx.k * y / x + 2 * h, None

        @staticmethod
        def jvp(ctx, *tangents):
            raise AssertionError

    x = leaf(T, 2.0, 3.0)
    a, b = Mine.apply(x, 3)
    (g,) = T.autograd.grad((a + b).sum(), x, create_graph=True)
    return a, b, g, T.autograd.grad(g.sum(), x), type(a.grad_fn).__name__, a.grad_fn.name()


def vjp_is_another_name(T):
    class Mine(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 3

        @staticmethod
        def vjp(ctx, g):
            return g * 3

    class Both(Mine):
        @staticmethod
        def backward(ctx, g):
            return g

    class Neither(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 3

    x = leaf(T, 1.0)
    return (
        T.autograd.grad(Mine.apply(x), x), raises(lambda: Both.apply(x).backward()),
        raises(lambda: Neither.apply(x).backward()), raises(T.autograd.Function.apply, x),
    )  # fmt: skip


def differentiable_once(T):
    class Mine(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        @T.autograd.function.once_differentiable
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * y, (g * x).detach()

    x, y = leaf(T, 2.0), leaf(T, 3.0)
    first = T.autograd.grad(Mine.apply(x, y), [x, y])
    recorded = T.autograd.grad(Mine.apply(x, y), [x, y], create_graph=True)
    # the gradient of the output does not require grad: nothing says that the results do
    scaled = T.autograd.grad(Mine.apply(x, y) * x, [x], create_graph=True)
    return first, [g.requires_grad for g in recorded], scaled[0].requires_grad, raises(scaled[0].backward)


def what_is_asked_for(T):
    asked = []

    def forward(ctx, x, y, n):
        asked.append(ctx.needs_input_grad)
        return x * y * n

    def backward(ctx, g):
        asked.append(ctx.needs_input_grad)
        return g, g, None

    mine = _function(T, forward, backward)
    x, c = leaf(T, 1.0), T.ones(1, dtype=T.float64)
    mine.apply(x, c, 3).backward()
    mine.apply(c, c, 3)
    with T.no_grad():
        out = mine.apply(x, c, 3)
    return asked, out.requires_grad, out.grad_fn is None


def arguments_by_name(T):
    class Mine(T.autograd.Function):
        @staticmethod
        def forward(x, y=2):
            return x * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.scale = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.scale, None

    square, x = _square(T), leaf(T, 3.0)
    return (
        T.autograd.grad(square.apply(x=x), x), T.autograd.grad(Mine.apply(x, y=5), x),
        T.autograd.grad(Mine.apply(y=4, x=x), x), raises(Mine.apply, x, w=3), raises(square), raises(square(), x),
    )  # fmt: skip


def saved_tensors_outside_backward(T):
    x = leaf(T, 2.0, 3.0)
    y = _square(T).apply(x)
    node = y.grad_fn
    found = [node.saved_tensors[0], node.needs_input_grad, node.next_functions[0][0].variable is x]
    y.sum().backward()
    return *found, raises(lambda: node.saved_tensors), raises(y.sum().backward)


def attributes_of_the_context(T):
    def forward(ctx, x):
        ctx.note, ctx.shape = "a note", tuple(x.shape)
        return x + 0

    y = _function(T, forward, lambda ctx, g: g).apply(leaf(T, 1.0, 2.0))
    return y.grad_fn.note, y.grad_fn.shape, raises(lambda: y.grad_fn.nothing)


def gradients_not_used_are_zeros_or_none(T):
    found = []
    for materialize in (True, False):

        def forward(ctx, x, materialize=materialize):
            ctx.set_materialize_grads(materialize)
            return x + 1, x * 2

        def backward(ctx, g, h):
            found.append([g is None, h is None])
            return h * 2

        x = leaf(T, 1.0)
        _function(T, forward, backward).apply(x)[1].backward()
        found.append(x.grad)
    return found


def outputs_that_are_not_differentiable(T):
    def forward(ctx, x):
        order = x.argsort()
        same = x * 1
        ctx.mark_non_differentiable(same, order)
        return x * 2, same, order, "text", None

    def backward(ctx, g, *rest):
        return g * 2

    x = leaf(T, 2.0, 1.0)
    a, b, c, text, nothing = _function(T, forward, backward).apply(x)
    a.sum().backward()
    return x.grad, a.requires_grad, b.requires_grad, c, text, nothing


def dirty_inputs(T):
    def forward(ctx, x, other):
        x.mul_(other)
        ctx.mark_dirty(x)
        ctx.save_for_backward(other)
        return x

    def backward(ctx, g):
        return g * ctx.saved_tensors[0], None

    mine = _function(T, forward, backward)
    x, other = leaf(T, 2.0, 3.0), T.full((2,), 5.0, dtype=T.float64)
    a = x * 1
    b = mine.apply(a, other)
    c = x * 1
    mine.apply(c[:1], other[:1])
    (b.sum() + c.sum()).backward()
    return b is a, a._version, x.grad, raises(mine.apply, x, other), raises(mine.apply, x[:1], other[:1])


def gradients_of_the_wrong_kind(T):
    def run(returned):
        mine = _function(T, lambda ctx, x, y: x * y, lambda ctx, g: returned)
        return raises(mine.apply(leaf(T, 1.0, 2.0), leaf(T, 1.0, 2.0)).sum().backward)

    one = T.ones(2, dtype=T.float64)
    return (
        run(one), run((one,)), run((one, one)), run((one, one, None)), run((one, one, one)), run((1.0, one)),
        run((T.ones(3, dtype=T.float64), one)), run((T.ones(1, dtype=T.float64), one)), run((T.ones(2), one)),
        run((None, None)),
    )  # fmt: skip


def broken_functions(T):
    x = leaf(T, 1.0, 2.0)
    return (
        raises(_function(T, lambda ctx, x: ctx.save_for_backward(3), None).apply, x),
        raises(_function(T, lambda ctx, x: x * 2, None).apply, x),
        _function(T, lambda ctx, x: None, None).apply(x),
        _function(T, lambda ctx, x: (x * 2, 3), lambda ctx, g, _: g * 2).apply(x)[1],
        raises(lambda: T.autograd.Function()),
    )


def a_function_of_a_function(T):
    square = _square(T)

    def forward(ctx, x):
        with T.enable_grad():
            x = x.detach().requires_grad_()
            y = square.apply(x).exp()
        ctx.inside = x, y
        return y.detach()

    def backward(ctx, g):
        x, y = ctx.inside
        return T.autograd.grad(y, x, g)

    x = leaf(T, 0.5, 0.6)
    _function(T, forward, backward).apply(x).sum().backward()
    return x.grad


def hooks_of_functions(T):
    seen = []
    x = leaf(T, 2.0)
    y = _square(T).apply(x)
    y.register_hook(lambda g: g * 10)
    y.grad_fn.register_hook(lambda inner, outer: seen.append((inner[0].item(), outer[0].item())))
    y.retain_grad()
    y.backward()
    return seen, y.grad, x.grad


def views_and_functions(T):
    same = _function(T, lambda ctx, x: x, lambda ctx, g: g * 10)
    part = _function(T, lambda ctx, x: x[:1], lambda ctx, g: T.cat([g, g]) * 10)
    x = leaf(T, 1.0, 2.0)
    y = same.apply(x)
    y.sum().backward()
    z = part.apply(x * 1)
    return x.grad, y is x, y._is_view(), raises(same.apply(x * 1).mul_, 2), raises(z.mul_, 2), z


def names_and_parts(T):
    function = T.autograd.function
    mine = _square(T)
    return (
        issubclass(mine, T.autograd.Function), T.autograd.Function is function.Function, mine.generate_vmap_rule,
        hasattr(function.FunctionCtx, "save_for_backward"), hasattr(mine, "jvp"), hasattr(mine, "vmap"),
        hasattr(function.FunctionCtx, "save_for_forward"), hasattr(mine, "setup_context"),
    )  # fmt: skip


# ---- gradcheck -----------------------------------------------------------------------------------------------------


def _wrong(T, factor=3):
    return _function(T, lambda ctx, x: x * 2, lambda ctx, g: g * factor).apply


def right_gradients_pass(T):
    check, check2 = T.autograd.gradcheck, T.autograd.gradgradcheck
    x, y = leaf(T, 0.5, 0.6), leaf(T, 1.5, 1.6)
    return [
        check(lambda x: x.sin(), x), check(lambda x, y: (x * y, x + y), (x, y)), check(T.sin, (x,), fast_mode=True),
        check(lambda x, n: x * n, (x, 3)), check(lambda x, c: x * c, (x, T.ones(2, dtype=T.float64))),
        check(T.sin, x, eps=1e-5, atol=1e-4, nondet_tol=1e-9, check_undefined_grad=False, check_grad_dtypes=True),
        check(lambda x: (x.sin(), x.detach()), x), check(lambda x: x.detach(), x), check(lambda x: x.sum(0, True), x),
        check2(T.sin, x), check2(lambda x, y: x * y, (x, y), fast_mode=True), check2(T.exp, x, (leaf(T, 1.0, 2.0),)),
        check2(T.exp, x, leaf(T, 1.0, 2.0), gen_non_contig_grad_outputs=True), check(T.sin, x, masked=True),
        check(lambda x: x.exp(), T.zeros(0, 3, dtype=T.float64, requires_grad=True)),
        check(lambda d: d["a"].sum() if isinstance(d, dict) else d, x),
    ]  # fmt: skip


def wrong_gradients_fail(T):
    check, check2 = T.autograd.gradcheck, T.autograd.gradgradcheck
    x = leaf(T, 0.5, 0.6)
    return [
        raises(check, _wrong(T), x), check(_wrong(T), x, raise_exception=False),
        raises(check, _wrong(T), x, fast_mode=True), check(_wrong(T), x, raise_exception=False, fast_mode=True),
        raises(check2, _square_wrong_twice(T), x), check2(_square_wrong_twice(T), x, raise_exception=False),
        check(_wrong(T, 2.0001), x), check(_wrong(T, 2.0001), x, rtol=1e-6, atol=1e-6, raise_exception=False),
        raises(check, T.sin, T.ones(1)), raises(check, T.sin, T.ones(1), raise_exception=False),
        raises(check, T.sin, x.float().detach().requires_grad_()),
        raises(check, T.sin, leaf(T, 1.0).expand(3)), raises(check, lambda x: T.ones(1) * x.detach().float(), x),
    ]  # fmt: skip


def _square_wrong_twice(T):
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0].detach() * g

    mine = _square(T)
    mine.backward = staticmethod(backward)
    return mine.apply


def unsteady_gradients_fail(T):
    state = [0]

    def backward(ctx, g):
        state[0] += 1
        return g * 2 + 1e-7 * (state[0] % 2)

    mine = _function(T, lambda ctx, x: x * 2, backward).apply
    x = leaf(T, 0.5)
    return raises(T.autograd.gradcheck, mine, x), raises(T.autograd.gradcheck, mine, x, nondet_tol=1e-3)


def undefined_gradients_are_tried(T):
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def careless(ctx, g, h):
        return g * 2 + h * 3

    def careful(ctx, g, h):
        return (0 if g is None else g * 2) + (0 if h is None else h * 3) if g is not None or h is not None else None

    x = leaf(T, 0.5)
    check = T.autograd.gradcheck
    return (
        raises(check, _function(T, forward, careless).apply, x),
        raises(check, _function(T, forward, careful).apply, x),
    )


def a_gradient_not_multiplied_fails(T):
    mine = _function(T, lambda ctx, x: x * 2, lambda ctx, g: T.full_like(g, 2.0)).apply
    return raises(T.autograd.gradcheck, mine, leaf(T, 0.5))


def the_error_is_a_runtime_error(T):
    try:
        T.autograd.gradcheck(_wrong(T), leaf(T, 0.5))
    except RuntimeError as error:
        return type(error).__name__, str(error).startswith("Jacobian mismatch for output 0 with respect to input 0")


SCENARIOS = scenarios.of(globals())


@pytest.mark.parametrize("name", SCENARIOS)
def test_as_pytorch(name):
    scenarios.check(SCENARIOS[name], torch)


def test_the_module_gradcheck_is_in_the_place_of_the_function():
    import minigrad.autograd.gradcheck  # what `import` binds is the module

    x = minigrad.rand(2, dtype=minigrad.float64, requires_grad=True)
    assert minigrad.autograd.gradcheck(minigrad.sin, (x,))
