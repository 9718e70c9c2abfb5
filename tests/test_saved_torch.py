"""What the graph saves and checkpoints compute again, as PyTorch has it: whole programs run in both libraries."""

import pytest
import scenarios
from scenarios import leaf, raises, warned

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")


# ---- what is saved -------------------------------------------------------------------------------------------------


def saved_tensors_go_through_hooks(T):
    seen = []

    def pack(x):
        seen.append(("pack", tuple(x.shape), x is w))
        return x.detach().numpy().copy()

    def unpack(x):
        seen.append(("unpack", x.shape))
        return T.tensor(x)

    x, w = leaf(T, 1.0, 2.0), leaf(T, 3.0, 4.0)
    with T.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = (x * w).exp()
    y.sum().backward()
    return seen, x.grad, w.grad


def saved_tensors_doubled(T):
    x = leaf(T, 3.0)
    with T.autograd.graph.saved_tensors_hooks(lambda t: t * 2, lambda t: t):
        y = x.square()
        with T.autograd.graph.saved_tensors_hooks(lambda t: t * 0, lambda t: t):
            z = x * x
        w = x.square()
    (g,) = T.autograd.grad(y, x, create_graph=True)
    (h,) = T.autograd.grad(g, x)
    return g, h, T.autograd.grad(z, x), T.autograd.grad(w, x), T.autograd.grad(x.square(), x)


def hooks_on_what_a_function_saves(T):
    class Square(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * x
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * 2 * x + 0 * y

    x = leaf(T, 3.0)
    with T.autograd.graph.saved_tensors_hooks(lambda t: t + 1, lambda t: t):
        y = Square.apply(x)
    return T.autograd.grad(y, x, create_graph=True)


def a_pack_hook_may_not_write(T):
    x = leaf(T, 3.0)
    with T.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
        return raises(lambda: (x * 1).square())


def an_unpack_hook_returns_a_tensor(T):
    x = leaf(T, 3.0)
    with T.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x.square()
    return raises(y.backward)


def hooks_can_be_forbidden(T):
    def use():
        with T.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            pass

    def forbid():
        with T.autograd.graph.disable_saved_tensors_hooks("not here"):
            use()

    def forbid_inside():
        with T.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            use()
            T.autograd.graph.disable_saved_tensors_hooks("not here").__enter__()

    return raises(forbid), raises(use), raises(forbid_inside)


def writes_to_hooked_tensors_go_unnoticed(T):
    x = leaf(T, 3.0)
    a = x * 1
    with T.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        y = a.square()
    a.mul_(100)
    return T.autograd.grad(y, x)


def writes_to_saved_tensors_can_be_allowed(T):
    with T.autograd.graph.allow_mutation_on_saved_tensors():
        x = leaf(T, 3.0)
        a = x * 1
        y = a.sin()
        a.sin_()
        y.backward()
    return x.grad


def saving_on_the_cpu(T):
    x = leaf(T, 3.0)
    with T.autograd.graph.save_on_cpu():
        y = x.exp() * x
    return T.autograd.grad(y, x)


# ---- checkpoints ---------------------------------------------------------------------------------------------------


def _net(T):
    return T.nn.Sequential(
        T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Dropout(0.5), T.nn.Linear(4, 4), T.nn.ReLU(), T.nn.Linear(4, 2)
    )


def checkpoints_of(use_reentrant):
    def scenario(T):
        model = _net(T)
        x = T.arange(6.0).reshape(2, 3).requires_grad_()
        T.manual_seed(1)
        out = T.utils.checkpoint.checkpoint(model, x, use_reentrant=use_reentrant)
        after = T.rand(2)
        (out * out).sum().backward()
        return out.detach(), x.grad, [p.grad for p in model.parameters()], after, T.rand(2)

    return scenario


reentrant_checkpoints, other_checkpoints = checkpoints_of(True), checkpoints_of(False)


def sequential_checkpoints(T):
    found = []
    for use_reentrant in (True, False):
        T.manual_seed(0)
        model = _net(T)
        x = T.arange(6.0).reshape(2, 3).requires_grad_()
        out = T.utils.checkpoint.checkpoint_sequential(model, 3, x, use_reentrant=use_reentrant)
        out.sum().backward()
        found += [out.detach(), x.grad, [p.grad for p in model.parameters()]]
    return found


def nested_checkpoints(T):
    runs = []
    check = T.utils.checkpoint.checkpoint

    def inner(x, k):
        runs.append(k)
        return (x * k).sin() * x.exp()

    def outer(x):
        runs.append("outer")
        y = check(inner, x, 2, use_reentrant=False)
        return check(inner, y, 3, use_reentrant=False).cos()

    x = leaf(T, 0.3, 0.4)
    check(outer, x, use_reentrant=False).sum().backward()
    return x.grad


def checkpoints_differentiated_twice(T):
    x = leaf(T, 0.3, 0.4)
    y = T.utils.checkpoint.checkpoint(lambda x: (x * x).sin() * x.exp(), x, use_reentrant=False)
    (g,) = T.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = T.autograd.grad(g.sum(), x, create_graph=True)
    return g, h, T.autograd.grad(h.sum(), x)


def checkpoints_with_keywords_and_several_outputs(T):
    x = leaf(T, 0.3, 0.4)

    def part(x, *, scale, flag=None):
        return {"a": x.exp() * scale, "b": [x.sin(), flag]}

    out = T.utils.checkpoint.checkpoint(part, x, scale=leaf(T, 2.0), flag="kept", use_reentrant=False)
    (out["a"].sum() * out["b"][0].sum()).backward()
    return x.grad, out["b"][1], raises(T.utils.checkpoint.checkpoint, part, x, scale=1, use_reentrant=True)


def reentrant_checkpoints_refuse_grad(T):
    x = leaf(T, 0.3, 0.4)
    out = T.utils.checkpoint.checkpoint(lambda x: x.exp(), x, use_reentrant=True).sum()
    return raises(T.autograd.grad, out, x, retain_graph=True), raises(out.backward, inputs=[x])


def reentrant_checkpoints_of_several(T):
    x, y = leaf(T, 0.3, 0.4), T.ones(2, dtype=T.float64)
    a, b = T.utils.checkpoint.checkpoint(lambda x, y, k: (x * k, y + x), x, y, 3, use_reentrant=True)
    (a.sum() + b.sum()).backward()
    return x.grad, y.grad


def checkpoints_that_change_their_mind(T):
    counter = [0]

    def part(x):
        counter[0] += 1
        return x.exp().sin() if counter[0] == 1 else x.exp().sin()[:1].exp().cos().repeat(2)

    def run(**options):
        counter[0] = 0
        x = leaf(T, 0.3, 0.4)
        T.utils.checkpoint.checkpoint(part, x, use_reentrant=False, **options).sum().backward()

    return raises(run, early_stop=False), raises(run, determinism_check="nothing")


def checkpoints_without_grad(T):
    model = _net(T)
    x = T.ones(2, 3)
    with T.no_grad():
        out = T.utils.checkpoint.checkpoint(model, x, use_reentrant=False)
    return (
        out,
        warned(T.utils.checkpoint.checkpoint, T.sin, x, use_reentrant=True),
        len(warned(T.utils.checkpoint.checkpoint, T.sin, x.requires_grad_())),
    )


def checkpoints_early_stop_and_contexts(T):
    ran = []

    class Note:
        def __init__(self, text):
            self.text = text

        def __enter__(self):
            ran.append(self.text)

        def __exit__(self, *exc):
            ran.append("end of " + self.text)

    def part(x):
        y = x.exp()
        ran.append("middle")
        z = y.sin()
        ran.append("after")
        return z + 1

    x = leaf(T, 0.5)
    for early in (True, False):
        out = T.utils.checkpoint.checkpoint(
            part, x, use_reentrant=False, early_stop=early, context_fn=lambda: (Note("first"), Note("second"))
        )
        out.backward()
    with T.utils.checkpoint.set_checkpoint_early_stop(False):
        out = T.utils.checkpoint.checkpoint(part, x, use_reentrant=False)
    out.backward()
    return ran, x.grad


def checkpoints_with_a_frozen_input(T):
    model = _net(T)
    x = T.ones(2, 3)
    out = T.utils.checkpoint.checkpoint(model, x, use_reentrant=False)
    out.sum().backward(retain_graph=True)
    out.sum().backward()
    return [p.grad for p in model.parameters()], raises(out.sum().backward)


SCENARIOS = scenarios.of(globals())


@pytest.mark.parametrize("name", SCENARIOS)
def test_as_pytorch(name):
    scenarios.check(SCENARIOS[name], torch)
