"""The engine's surface, as PyTorch has it: hooks, backward and grad, anomalies. What is saved: test_saved_torch.py."""

import warnings

import pytest
import scenarios
from scenarios import leaf, raises, warned

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")


# ---- hooks ---------------------------------------------------------------------------------------------------------


def leaf_hooks_run_as_soon_as_the_gradient_is_complete(T):
    order = []
    a, b = leaf(T, 1.0), leaf(T, 2.0)
    early = a * 2
    late = (early * b).exp()
    early.register_hook(lambda g: order.append("early"))
    late.register_hook(lambda g: order.append("late"))
    a.register_hook(lambda g: order.append("a"))
    b.register_hook(lambda g: order.append(("b", b.grad)))
    b.register_post_accumulate_grad_hook(lambda p: order.append(("b has", p.grad.item())))
    late.sum().backward()
    return order


def a_leaf_used_twice_waits_for_both(T):
    order = []
    w = leaf(T, 3.0)
    first = w * 2
    second = first * w
    first.register_hook(lambda g: order.append("first"))
    w.register_hook(lambda g: order.append(g.item()))
    second.backward()
    return order, w.grad


def optimizer_step_in_backward(T):
    x = leaf(T, 1.0, 2.0)
    w = leaf(T, 3.0, 4.0)

    def step(p):
        with T.no_grad():
            p -= 0.1 * p.grad
        p.grad = None

    w.register_post_accumulate_grad_hook(step)
    (x * w).sum().backward()
    return x.grad, w, w.grad


def hooks_of_a_tensor_run_in_order_of_registration(T):
    seen = []
    x = leaf(T, 2.0)
    y = x * 3
    y.register_hook(lambda g: seen.append(("one", g.item())) or g * 2)
    y.retain_grad()
    y.register_hook(lambda g: seen.append(("two", g.item())) or g * 5)
    y.backward()
    return seen, y.grad, x.grad


def a_hook_may_remove_itself(T):
    seen = []
    x = leaf(T, 1.0)
    handles = []
    handles.append(x.register_hook(lambda g: (seen.append(1), handles[0].remove())[2:] and None))
    x.register_hook(lambda g: seen.append(2))
    (x * 2).backward()
    (x * 2).backward()
    return seen


def a_hook_as_a_context(T):
    x = leaf(T, 1.0)
    with x.register_hook(lambda g: g * 10):
        (x * 2).backward()
    (x * 2).backward()
    return x.grad


def hooks_stay_with_the_history_they_were_put_on(T):
    seen = []
    x = leaf(T, 1.0, 2.0)
    a = x * 2
    a.register_hook(lambda g: seen.append(g.tolist()))
    a.mul_(3)
    a.register_hook(lambda g: seen.append(g.tolist()))
    a.sum().backward()
    return seen, x.grad


def retain_grad_moves_with_a_write(T):
    x = leaf(T, 1.0, 2.0)
    a = x * 2
    a.retain_grad()
    a.mul_(3)
    (a * a).sum().backward()
    return a.grad, a.retains_grad


def retain_grad_of_leaf_and_twice(T):
    x = leaf(T, 1.0)
    x.retain_grad()
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    (y * 3).backward(retain_graph=True)
    first = y.grad.clone()
    (y * 3).backward()
    return x.retains_grad, y.retains_grad, first, y.grad, raises(T.ones(1).retain_grad)


def node_hooks(T):
    seen = []
    x, c = leaf(T, 1.0, 2.0), leaf(T, 3.0, 4.0)
    y = x * c
    z = y.sum()

    def behind(inner, outer):
        seen.append(([g.tolist() for g in inner], [g.tolist() for g in outer]))
        return inner[0] * 2, inner[1]

    y.grad_fn.register_hook(behind)
    y.grad_fn.register_prehook(lambda outer: (seen.append([g.tolist() for g in outer]), (outer[0] * 10,))[1])
    z.backward()
    return seen, x.grad, c.grad


def node_hooks_of_broadcast_and_constants(T):
    seen = []
    x = leaf(T, 1.0)
    y = x * T.ones(3, dtype=T.float64)
    y.grad_fn.register_hook(lambda inner, outer: seen.append([g if g is None else g.tolist() for g in inner]))
    y.sum().backward()
    return seen


def node_hooks_with_create_graph(T):
    x = leaf(T, 2.0)
    y = x**3
    y.grad_fn.register_hook(lambda inner, outer: (inner[0] * x, *inner[1:]))
    (g,) = T.autograd.grad(y, x, create_graph=True)
    (h,) = T.autograd.grad(g, x)
    return g, h


def node_hooks_of_a_split(T):
    seen = []
    x = leaf(T, 1.0, 2.0, 3.0, 4.0)
    a, b = x.split(2)
    same = a.grad_fn is b.grad_fn
    a.grad_fn.register_hook(lambda inner, outer: seen.append([len(inner), [o is None for o in outer]]))
    (a * 2).sum().backward()
    return seen, x.grad, same, a.grad_fn.name(), a.output_nr, b.output_nr


def hooks_of_an_accumulator(T):
    seen = []
    x = leaf(T, 1.0)
    accumulator = x.expand_as(x).grad_fn.next_functions[0][0]
    accumulator.register_hook(lambda inner, outer: seen.append((len(inner), outer[0].item(), x.grad.item())))
    accumulator.register_prehook(lambda outer: seen.append(outer[0].item()))
    (x * 5).backward()
    return seen, accumulator.variable is x, accumulator.name()


def a_node_hook_with_the_wrong_count(T):
    x = leaf(T, 1.0)
    y = x * 2
    y.grad_fn.register_hook(lambda inner, outer: inner * 3)
    return raises(y.backward)


def multi_grad_hooks(T):
    seen = []
    a, b, c = leaf(T, 1.0), leaf(T, 2.0), leaf(T, 3.0)
    register = T.autograd.graph.register_multi_grad_hook
    register((a, b, c), lambda grads: seen.append([None if g is None else g.item() for g in grads]))
    register((a, b), lambda g: seen.append("any"), mode="any")
    (a * b).backward()
    (a * b * c).sum().backward()
    with register((a,), lambda grads: seen.append("inside")):
        (a * 1).backward()
    (a * 1).backward()
    return seen, raises(register, (a,), print, mode="some")


def post_accumulate_hooks(T):
    seen = []
    x = leaf(T, 1.0)
    handle = x.register_post_accumulate_grad_hook(lambda p: seen.append((p is x, p.grad.item())))
    (x * 2).backward()
    (x * 2).backward()
    T.autograd.grad(x * 2, x)
    (x * 2).backward(inputs=[x])
    handle.remove()
    (x * 2).backward()
    return seen, raises((x * 2).register_post_accumulate_grad_hook, print)


def hooks_run_for_grad_too(T):
    seen = []
    x = leaf(T, 1.0)
    y = x * 2
    x.register_hook(lambda g: seen.append("x") or g * 7)
    y.register_hook(lambda g: seen.append("y"))
    found = T.autograd.grad(y * 3, [x, y])
    return seen, found


def a_hook_on_what_requires_no_grad(T):
    return raises(T.ones(1).register_hook, print)


def hooks_of_split_outputs(T):
    x = leaf(T, 1.0, 2.0)
    a, b = x.unbind()
    a.register_hook(lambda g: g * 10)
    b.retain_grad()
    (a * 2 + b * 3).backward()
    return x.grad, b.grad


# ---- backward and grad ---------------------------------------------------------------------------------------------


def backward_with_inputs(T):
    x, y, z = leaf(T, 1.0, 2.0), leaf(T, 3.0, 4.0), leaf(T, 5.0, 6.0)
    mid = x * 1
    out = mid**2 + y * mid + y**2
    ones = T.ones(2, dtype=T.float64)
    out.backward(ones, retain_graph=True, inputs=[x, y])
    first = x.grad.clone(), y.grad.clone(), mid.retains_grad
    out.backward(ones, retain_graph=True, inputs=[mid])
    second = x.grad.clone(), mid.grad.clone(), mid.retains_grad
    out.backward(ones, retain_graph=True, inputs=x)
    out.backward(ones, retain_graph=True, inputs=[z])
    third = x.grad.clone(), z.grad
    out.backward(ones, inputs=[x, y, mid])
    return (
        first, second, third, x.grad, y.grad, mid.grad, raises(out.backward, ones, inputs=[]),
        raises((x * 2).backward, ones, inputs=[ones]),
    )  # fmt: skip


def grad_stops_at_its_inputs(T):
    ran = []
    x = leaf(T, 2.0)
    below = x.exp()
    below.register_hook(lambda g: ran.append("below"))
    x.register_hook(lambda g: ran.append("x"))
    mid = below * 2
    (g,) = T.autograd.grad(mid * mid, mid)
    mid.backward()  # nothing below was freed
    return ran, g, x.grad


def grad_of_the_output_itself(T):
    x = leaf(T, 2.0)
    y = x * 3
    return T.autograd.grad(y, [y, x]), T.autograd.grad(x, x), T.autograd.grad([x, x * 2], x)


def grad_wrt_the_same_tensor_twice(T):
    x = leaf(T, 2.0)
    return T.autograd.grad(x * x, [x, x])


def freed_buffers(T):
    x = leaf(T, 2.0)
    y = x * x
    y.backward()
    z = x + 1
    z.backward()
    z.backward()  # nothing was saved
    return raises(y.backward), x.grad, raises(T.autograd.grad, y, x)


def retained_graphs(T):
    x = leaf(T, 2.0)
    y = x.exp() * x
    T.autograd.grad(y, x, retain_graph=True)
    T.autograd.grad(y, x, create_graph=True)
    T.autograd.grad(y, x)
    return raises(T.autograd.grad, y, x)


def batched_grads(T):
    x = leaf(T, 1.0, 2.0, 3.0)
    y = x**2
    eye = T.eye(3, dtype=T.float64)
    (first,) = T.autograd.grad(y, x, eye, is_grads_batched=True, create_graph=True)
    (second,) = T.autograd.grad(first.sum(), x)
    return first.detach(), second


def create_graph_warns_of_the_cycle(T):
    x = leaf(T, 2.0)
    (x**3).backward(create_graph=True)
    found = x.grad.requires_grad, x.grad.detach()
    x.grad = None
    return found


def gradients_given(T):
    x = leaf(T, 1.0, 2.0)
    y = x * 2
    good = T.ones(2, dtype=T.float64)
    y.backward(good, retain_graph=True)
    return (
        raises(y.backward, T.ones(3, dtype=T.float64), retain_graph=True),
        raises(y.backward, retain_graph=True),
        raises(y.backward, 1.0),
        raises(T.autograd.backward, [y, y], [good]),
        raises(T.autograd.backward, [T.ones(1)]),
        x.grad,
    )


def several_roots(T):
    x = leaf(T, 1.0, 2.0)
    T.autograd.backward([x.sum(), (x * x)], [None, T.ones(2, dtype=T.float64)])
    T.autograd.backward((x.sum(), x.prod()))
    return x.grad


def unused_and_materialized(T):
    x, unused = leaf(T, 2.0), leaf(T, 1.0, 3.0)
    return (
        raises(T.autograd.grad, x * 2, [x, unused]),
        T.autograd.grad(x * 2, [x, unused], allow_unused=True)[1] is None,
        T.autograd.grad(x * 2, [x, unused], materialize_grads=True),
        raises(T.autograd.grad, x * 2, x, allow_unused=False, materialize_grads=True),
    )


def gradient_edges(T):
    x = leaf(T, 1.0, 2.0)
    edge = T.autograd.graph.get_gradient_edge(x)
    y = x * 2
    mid = T.autograd.graph.get_gradient_edge(y)
    z = (y * y).sum()
    found = T.autograd.grad(z, [edge, mid], retain_graph=True)
    parts = x.split(1)
    last = T.autograd.graph.get_gradient_edge(parts[1])
    (of_part,) = T.autograd.grad(parts[1].sum() * 4, last, retain_graph=True)
    (through,) = T.autograd.grad(last, x, T.ones(1, dtype=T.float64))
    return (
        found, edge.node.name(), edge.output_nr, last.output_nr, of_part, through,
        raises(T.autograd.graph.get_gradient_edge, T.ones(1)),
    )  # fmt: skip


def versions_by_hand(T):
    x = leaf(T, 1.0)
    a = x * 1
    y = a * a
    T.autograd.graph.increment_version(a)
    T.autograd.graph.increment_version([a, a])
    return a._version, raises(y.backward)


def the_graph_by_hand(T):
    x, w = leaf(T, 1.0), leaf(T, 2.0)
    y = (x * w).exp()
    exp = y.grad_fn
    mul = exp.next_functions[0][0]
    z = T.cat([x, y * 2])
    return (
        exp.name(), mul.name(), [(n.name(), k, n.variable is t) for (n, k), t in zip(mul.next_functions, (x, w))],
        (x * 2).grad_fn.next_functions[1], [n.name() for n, _ in z.grad_fn.next_functions],
        x.split(1)[0].mul(2).grad_fn.next_functions[0][1],
        exp.metadata, isinstance(exp, T.autograd.graph.Node), x.output_nr, T.ones(2).sum(0).output_nr,
    )  # fmt: skip


def the_graph_of_a_layer(T):
    """As the tutorials look at it: the bias comes first. (Of the weight PyTorch shows that it is transposed.)"""
    x, found = leaf(T, 1.0, 2.0), []
    for bias in (True, False):
        loss = T.nn.MSELoss()(T.nn.Linear(2, 3, bias=bias)(x.exp().view(1, 2)), T.ones(1, 3))
        layer = loss.grad_fn.next_functions[0][0]
        found.append((layer.name(), [node.name() for node, _ in layer.next_functions[:-1]], len(layer.next_functions)))
    return found


def saved_attributes(T):
    x = leaf(T, 1.0, 2.0)
    y = x * x
    e = x.exp()
    summed = T.ones(2, 3, dtype=T.float64, requires_grad=True).sum(1)
    found = (
        y.grad_fn._saved_self is x, y.grad_fn._saved_other is x, e.grad_fn._saved_result, e.grad_fn._saved_result is e,
        summed.grad_fn._saved_keepdim, raises(lambda: y.grad_fn._saved_nothing),
    )  # fmt: skip
    (y.sum() + e.sum()).backward()
    return *found, raises(lambda: y.grad_fn._saved_self), raises(lambda: e.grad_fn._saved_result)


def composites_have_pytorchs_names(T):
    x = (T.arange(4.0, dtype=T.float64).reshape(2, 2) + 1).requires_grad_()
    y = T.addmm(x, x, x)
    outs = [
        y, x.trace(), x.masked_select(x > 2), x.nansum(), *T.var_mean(x, 0), T.baddbmm(x[None], x[None], x[None]),
        T.nn.functional.pixel_shuffle(x.reshape(1, 4, 1, 1), 2), T.linalg.cholesky(x @ x.t()), x.t().t(),
    ]  # fmt: skip
    (first,) = T.autograd.grad(y.sum(), x, create_graph=True)
    same = x * 2
    T.nansum(same)  # a composite may hand its input on: that keeps its name
    return [out.grad_fn.name() for out in outs], first, T.autograd.grad(first.sum(), x), same.grad_fn.name()


# ---- anomalies -----------------------------------------------------------------------------------------------------


class _Broken:
    def __new__(cls, T):
        class Broken(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, g):
                raise ArithmeticError("broken")

        return Broken


def anomaly_switches(T):
    found = [T.is_anomaly_enabled(), T.is_anomaly_check_nan_enabled()]
    with T.autograd.detect_anomaly():
        found.append(T.is_anomaly_enabled())
        with T.autograd.set_detect_anomaly(False):
            found.append(T.is_anomaly_enabled())
        found.append(T.is_anomaly_enabled())
        with T.autograd.detect_anomaly(check_nan=False):
            found.append(T.is_anomaly_check_nan_enabled())
        found.append(T.is_anomaly_check_nan_enabled())
    T.autograd.set_detect_anomaly(True)
    found.append(T.is_anomaly_enabled())
    T.autograd.set_detect_anomaly(False)
    return [
        *found,
        T.is_anomaly_enabled(),
        warned(T.autograd.detect_anomaly),
        warned(T.autograd.set_detect_anomaly, False),
    ]


def nan_gradients_are_found(T):
    def run(check_nan):
        with T.autograd.detect_anomaly(check_nan=check_nan):
            x = leaf(T, 0.0, 1.0)
            y = (x.sqrt() * 0).sum()
            y.backward()

    return raises(run, True), raises(run, False)


def the_traceback_of_the_forward_is_told(T):
    def run():
        with T.autograd.set_detect_anomaly(True):
            x = leaf(T, 1.0)
            _Broken(T).apply(x).backward()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kind = raises(run)
    text = str(caught[-1].message)
    return kind, "Error detected in BrokenBackward" in text, "_Broken(T).apply(x).backward()" in text


def no_traceback_without_a_forward_under_anomaly(T):
    x = leaf(T, 1.0)
    y = _Broken(T).apply(x)

    def run():
        with T.autograd.set_detect_anomaly(True):
            y.backward()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kind = raises(run)
    return kind, "No forward pass information available" in str(caught[-1].message)


SCENARIOS = scenarios.of(globals())


@pytest.mark.parametrize("name", SCENARIOS)
def test_as_pytorch(name):
    scenarios.check(SCENARIOS[name], torch)
