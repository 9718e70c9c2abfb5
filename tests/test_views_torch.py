"""Views and writes in place, as PyTorch has them: memory, gradients, versions, errors."""

import copy

import pytest
import scenarios
from scenarios import leaf, raises

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

MAKERS ={
    "index": lambda x: x[0], "slice": lambda x: x[:, 1:], "steps": lambda x: x[:, ::2], "none": lambda x: x[None],
    "dots": lambda x: x[..., 1], "everything": lambda x: x[...], "pair": lambda x: x[1, 2],
    "view": lambda x: x.view(-1), "view_as": lambda x: x.view_as(x), "reshape": lambda x: x.reshape(4, 3),
    "reshape copies": lambda x: x.t().reshape(-1), "transpose": lambda x: x.transpose(0, 1), "t": lambda x: x.t(),
    "T": lambda x: x.T, "mT": lambda x: x.mT, "swapaxes": lambda x: x.swapaxes(0, 1),
    "permute": lambda x: x.permute(1, 0), "movedim": lambda x: x.movedim(0, 1), "narrow": lambda x: x.narrow(1, 1, 2),
    "select": lambda x: x.select(1, -1), "diagonal": lambda x: x.diagonal(), "diagonal 1": lambda x: x.diagonal(1),
    "unsqueeze": lambda x: x.unsqueeze(1), "squeeze": lambda x: x[:1].squeeze(0),
    "squeeze nothing": lambda x: x.squeeze(), "flatten": lambda x: x.flatten(),
    "flatten copies": lambda x: x.t().flatten(), "unflatten": lambda x: x.unflatten(1, (2, 2)),
    "expand same": lambda x: x.expand(3, 4), "expand": lambda x: x[:1].expand(2, 4),
    "expand_as": lambda x: x.expand_as(x), "detach": lambda x: x.detach(), "split": lambda x: x.split(2)[0],
    "split sizes": lambda x: x.split([1, 2], 0)[1], "chunk": lambda x: x.chunk(2, 1)[1],
    "unbind": lambda x: x.unbind(1)[2], "unfold": lambda x: x.unfold(1, 2, 2), "iteration": lambda x: next(iter(x)),
    "broadcast_to": lambda x: x.broadcast_to(2, 3, 4), "data": lambda x: x.data,
    "contiguous": lambda x: x.contiguous(), "contiguous copies": lambda x: x.t().contiguous(),
    "clone": lambda x: x.clone(), "to": lambda x: x.to(x.dtype), "float": lambda x: x.float(),
    "list": lambda x: x[[0, 1]], "mask": lambda x: x[x > 0], "tensor_split": lambda x: x.tensor_split(2)[0],
    "hsplit": lambda x: x.hsplit(2)[0], "moveaxis": lambda x: x.moveaxis(0, 1),
    "as_strided": lambda x: x.as_strided((2, 2), (1, 2)), "ravel": lambda x: x.ravel(),
    "adjoint": lambda x: x.adjoint(), "real": lambda x: x.real, "positive": lambda x: +x,
    "view chain": lambda x: x[1:].t()[1:].unsqueeze(0)[..., 0],
}  # fmt: skip


def _base(T):
    return T.arange(1.0, 13.0, dtype=T.float64).reshape(3, 4).requires_grad_()


def _what_a_view_is(T, make):
    base = _base(T) * 1
    view = make(base)
    return [
        view, view._is_view(), view._base is base if view._is_view() else None, view.is_leaf, view.requires_grad,
        view.stride(), view.storage_offset() if hasattr(view, "storage_offset") else None,
        view.grad_fn.name() if view.grad_fn else None,
    ]  # fmt: skip


def _a_write_through_it(T, make):
    x = _base(T)
    base = x * 1
    view = make(base)
    before = base * 2
    failed = raises(view.mul_, 3)
    found = [failed, base, view, base._version, view._version]
    if failed == "fine":
        found.append(raises((base.sum() * 2 + before.sum()).backward))
        found.append(x.grad)
    return found


def _a_write_to_its_base(T, make):
    x = _base(T)
    base = x * 1
    view = make(base)
    base[1:] *= 5
    try:
        (view * view).sum().backward()
    except RuntimeError:
        return "refused"
    return [view, x.grad, view._version]


def _under_no_grad(T, make):
    x = _base(T)
    with T.no_grad():
        view = make(x)
    return [
        view.requires_grad,
        view.is_leaf,
        view._is_view(),
        raises(view.mul_, 2),
        raises(lambda: view.sum().backward()),
    ]


def _of_a_leaf(T, make):
    x = _base(T)
    view = make(x)
    return [raises(view.mul_, 2), raises(view.detach().mul_, 2), x._version, raises(view.requires_grad_, False)]


def _written_to_without_recording(T, make):
    x = _base(T)
    view = make(x)
    with T.no_grad():
        failed = raises(view.mul_, 2)
    return [failed, x, view.requires_grad, x._version]


def _no_gradients_at_all(T, make):
    base = _base(T).detach()
    view = make(base)
    failed = raises(view.fill_, 7)
    other = leaf(T, 2.0)
    found = [failed, base, view._version]
    if failed == "fine":
        found += [raises(view.mul_, other), base.requires_grad, view.requires_grad, base.is_leaf]
        if base.requires_grad:
            base.sum().backward()
            found.append(other.grad)
    return found


# PyTorch composes these otherwise, and prints the name of an inner step.
NAMED_OTHERWISE = (
    "everything", "reshape copies", "flatten copies", "leaky", "elu", "fill_ tensor", "masked_fill_ 0-dim",
    "scatter_ value", "transpose_", "t_", "unsqueeze_", "squeeze_", "swapaxes_", "addmm_", "uniform_", "normal_",
    "bernoulli_",
)  # fmt: skip

QUESTIONS = (
    _what_a_view_is, _a_write_through_it, _a_write_to_its_base, _under_no_grad, _of_a_leaf,
    _written_to_without_recording, _no_gradients_at_all,
)  # fmt: skip


def _cases(questions, entries):
    def scenario(ask, name, entry):
        def run(T):
            return [each for each in _listed(ask(T, entry)) if name not in NAMED_OTHERWISE or not _is_name(each)]

        run.__name__ = f"{ask.__name__} {name}"
        return run

    return {
        f"{ask.__name__} {name}": scenario(ask, name, entry) for ask in questions for name, entry in entries.items()
    }


def _listed(value):
    return value if isinstance(value, list | tuple) else [value]


def _is_name(value):
    return isinstance(value, str) and "Backward" in value


CASES = _cases(QUESTIONS, MAKERS)

# ---- writes --------------------------------------------------------------------------------------------------------

WRITES ={
    "add_": lambda T, a, y: a.add_(y), "sub_": lambda T, a, y: a.sub_(y, alpha=2), "mul_": lambda T, a, y: a.mul_(y),
    "div_": lambda T, a, y: a.div_(y), "pow_": lambda T, a, y: a.pow_(2), "pow_ tensor": lambda T, a, y: a.pow_(y),
    "relu_": lambda T, a, y: a.relu_(), "F.relu": lambda T, a, y: T.nn.functional.relu(a, inplace=True),
    "leaky": lambda T, a, y: T.nn.functional.leaky_relu_(a, 0.1), "elu": lambda T, a, y: T.nn.functional.elu_(a),
    "copy_": lambda T, a, y: a.copy_(y), "copy_ row": lambda T, a, y: a.copy_(y[0]),
    "fill_": lambda T, a, y: a.fill_(2), "fill_ tensor": lambda T, a, y: a.fill_(y[0, 0]),
    "zero_": lambda T, a, y: a.zero_(), "exp_": lambda T, a, y: a.exp_(),
    "masked_fill_": lambda T, a, y: a.masked_fill_(a > 2, 0.5),
    "masked_fill_ 0-dim": lambda T, a, y: a.masked_fill_(a > 2, y[1, 1]), "clamp_": lambda T, a, y: a.clamp_(2, 4),
    "clamp_min_": lambda T, a, y: a.clamp_min_(3), "neg_": lambda T, a, y: a.neg_(),
    "sigmoid_": lambda T, a, y: a.sigmoid_(), "tanh_": lambda T, a, y: a.tanh_(), "sqrt_": lambda T, a, y: a.sqrt_(),
    "addcmul_": lambda T, a, y: a.addcmul_(y, y, value=2), "addcdiv_": lambda T, a, y: a.addcdiv_(y, y + 1),
    "lerp_": lambda T, a, y: a.lerp_(y, 0.3), "x[0] += y": lambda T, a, y: a.__setitem__(0, a[0] + y[0]),
    "x[mask] = 0": lambda T, a, y: a.__setitem__(a > 2, 0),
    "x[mask] = y": lambda T, a, y: a.__setitem__(a > 2, y[a > 2]),
    "x[:, 1] = y": lambda T, a, y: a.__setitem__((slice(None), 1), y[:, 0]),
    "x[[0, 1]] = y": lambda T, a, y: a.__setitem__([0, 1], y[:2]),
    "x[[0, 0]] = 1": lambda T, a, y: a.__setitem__([0, 0], 1.0),
    "x[1, 2] = 0-dim": lambda T, a, y: a.__setitem__((1, 2), y[0, 0]),
    "x[rows, cols] = y": lambda T, a, y: a.__setitem__(([0, 1], [2, 3]), y[0, :2]),
    "x[None] = y": lambda T, a, y: a.__setitem__(None, y),
    "scatter_": lambda T, a, y: a.scatter_(1, T.tensor([[0, 1], [2, 3]]), y[:2, :2]),
    "scatter_ value": lambda T, a, y: a.scatter_(1, T.tensor([[0]]), 9.0),
    "scatter_add_": lambda T, a, y: a.scatter_add_(1, T.tensor([[0, 0], [2, 3]]), y[:2, :2]),
    "index_add_": lambda T, a, y: a.index_add_(0, T.tensor([0, 2]), y[:2]),
    "index_copy_": lambda T, a, y: a.index_copy_(0, T.tensor([0, 2]), y[:2]),
    "index_fill_": lambda T, a, y: a.index_fill_(0, T.tensor([1]), 2.0),
    "index_put_": lambda T, a, y: a.index_put_((T.tensor([0, 0]), T.tensor([1, 1])), y[0, :2], accumulate=True),
    "transpose_": lambda T, a, y: a.transpose_(0, 1), "t_": lambda T, a, y: a.t_(),
    "unsqueeze_": lambda T, a, y: a.unsqueeze_(0), "squeeze_": lambda T, a, y: a.squeeze_(),
    "swapaxes_": lambda T, a, y: a.swapaxes_(0, 1), "addmm_": lambda T, a, y: a.addmm_(y, y.t() @ y),
    "add_ itself": lambda T, a, y: a.add_(a), "add_ its part": lambda T, a, y: a.add_(a[0].clone()),
    "tril_": lambda T, a, y: a.tril_(), "diagonal().zero_()": lambda T, a, y: a.diagonal().zero_(),
    "view(-1)[2:] *= 2": lambda T, a, y: a.view(-1)[2:].mul_(2),
    "t()[1] = y": lambda T, a, y: a.t().__setitem__(1, y[:, 1]), "sub_ number": lambda T, a, y: a.sub_(1),
    "abs_": lambda T, a, y: a.abs_(), "+=": lambda T, a, y: a.__iadd__(y), "*=": lambda T, a, y: a.__imul__(y),
    "/=": lambda T, a, y: a.__itruediv__(y), "-=": lambda T, a, y: a.__isub__(y),
    "**=": lambda T, a, y: a.__ipow__(2), "//=": lambda T, a, y: a.detach().__ifloordiv__(2),
    "%=": lambda T, a, y: a.__imod__(2.5), "requires_grad_": lambda T, a, y: a.requires_grad_(),
    "detach_": lambda T, a, y: a.detach_(), "cumsum_": lambda T, a, y: a.cumsum_(0),
    "wrong shape": lambda T, a, y: a.add_(T.ones(5, 3, 4)), "wider dtype": lambda T, a, y: a.float().mul_(y),
    "int": lambda T, a, y: a.long().mul_(1.5), "bool": lambda T, a, y: (a > 2).add_(1),
    "uniform_": lambda T, a, y: a.uniform_(0, 1), "normal_": lambda T, a, y: a.normal_(),
    "bernoulli_": lambda T, a, y: a.bernoulli_(0.5),
    "dropout": lambda T, a, y: T.nn.functional.dropout(a, 0.5, True, True),
}  # fmt: skip


def _a_write(T, write):
    x = _base(T)
    y = (T.arange(12.0, dtype=T.float64).reshape(3, 4) / 5 + 0.5).requires_grad_()
    a = x * 1
    write(T, a, y)
    out = (a * a).sum() if a.requires_grad else None
    found = [a, a._version, a.grad_fn.name() if a.grad_fn else None]
    if out is None:
        return found
    first = T.autograd.grad(out, [x, y], create_graph=True, allow_unused=True)
    found.append(first)
    total = sum((g * g).sum() for g in first if g is not None)
    if total.requires_grad:
        found.append(T.autograd.grad(total, [x, y], allow_unused=True))
    return found


def _a_write_to_a_leaf(T, write):
    y = (T.arange(12.0, dtype=T.float64).reshape(3, 4) / 5 + 0.5).requires_grad_()
    return raises(write, T, _base(T), y)


CASES |= _cases((_a_write, _a_write_to_a_leaf), WRITES)


# ---- programs ------------------------------------------------------------------------------------------------------


def views_under_no_grad_and_back(T):
    x = leaf(T, 1.0, 2.0)
    a = x * 1
    with T.no_grad():
        v = a[0]
        w = a.view(2, 1)
    found = [v.requires_grad, v.grad_fn is None, raises(v.mul_, 2)]
    with T.no_grad():
        w.mul_(3)
    return [*found, a, v, a._version, raises((a * a).sum().backward)]


def a_view_of_a_leaf_under_no_grad_then_written(T):
    x = leaf(T, 1.0, 2.0)
    with T.no_grad():
        x[0].add_(5)
        x[1] = 9
        v = x.view(2)
        v *= 2
    return x, x._version, x.is_leaf, x.requires_grad


def enable_grad_inside_no_grad(T):
    x = leaf(T, 1.0, 2.0)
    with T.no_grad(), T.enable_grad():
        y = x[0] * 2
    return y.requires_grad, T.autograd.grad(y, x)


def deep_copies_keep_sharing(T):
    base = T.arange(4.0)
    views = [base[:2], base, base[1:]]
    again = copy.deepcopy(views)
    again[1].mul_(10)
    again[2][0] = -1
    single = copy.deepcopy(base[1:])
    single.mul_(0)
    model = T.nn.Linear(2, 2)
    model.tied = model.weight
    other = copy.deepcopy(model)
    return again, views, single, other.tied is other.weight, other.weight is not model.weight


def data_is_not_noticed(T):
    x = leaf(T, 1.0, 2.0)
    a = x * 1
    y = a * a
    a.data.mul_(10)
    a.data[0] = 7
    found = [a._version, T.autograd.grad(y.sum(), x)]
    x.data = x.data * 2
    x.data.fill_(3)
    return [*found, x, x._version, x.is_leaf, x.requires_grad, a.data.requires_grad]


def data_of_another_shape(T):
    x = leaf(T, 1.0, 2.0)
    x.data = T.ones(3, dtype=T.float64)
    (x * 2).sum().backward()
    return x, x.grad


def residual_sums(T):
    x = T.tensor([[1.0, -2.0], [3.0, -4.0]], requires_grad=True)
    out = x * 2
    residual = out
    out = out.relu()
    out += residual
    out = T.nn.functional.relu(out, inplace=True)
    out.sum().backward()
    return out, x.grad


def relu_saved_then_written(T):
    x = leaf(T, 1.0, -2.0)
    y = (x * 1).relu()
    y += 1
    return raises(y.sum().backward)


def views_of_views_and_writes(T):
    x = _base(T)
    a = x * 1
    rows = a[1:]
    column = rows[:, 1]
    square = rows.view(2, 2, 2)
    column.mul_(2)
    square[0, 0] = 9
    rows.add_(1)
    a[0, 0] = column[1]
    (a * a).sum().backward()
    return a, rows, column, square, x.grad, [t._version for t in (a, rows, column, square)]


def writes_between_views_and_their_use(T):
    x = _base(T)
    a = x * 1
    first, second = a[0], a[1]
    first.copy_(second * 2)
    second.zero_()
    total = (first * second).sum() + (a * a).sum()
    total.backward()
    return a, x.grad


def hooks_on_views_that_are_written_to(T):
    seen = []
    x = leaf(T, 1.0, 2.0)
    a = x * 1
    v = a[:1]
    v.register_hook(lambda g: seen.append(g.tolist()))
    v.mul_(3)
    v.register_hook(lambda g: seen.append(g.tolist()))
    (v * 2).sum().backward()
    return seen, x.grad


def retained_views(T):
    x = leaf(T, 1.0, 2.0)
    a = x * 1
    v = a[:1]
    v.retain_grad()
    a.mul_(2)
    (v * v).sum().backward()
    return v.grad, x.grad


def splits_that_are_written_to(T):
    x = leaf(T, 1.0, 2.0, 3.0, 4.0)
    a = x * 1
    p, q = a.split(2)
    found = [raises(p.mul_, 2), raises(p[0].mul_, 2)]
    with T.no_grad():
        r, s = a.chunk(2)
        r.mul_(2)
    found += [a, r.requires_grad, raises(s.mul_, 2)]
    base = T.zeros(4)
    u = base.unbind()[0]
    found += [raises(u.add_, 1), base]
    a.mul_(2)
    return [*found, raises(lambda: (q * 2).sum()), raises(lambda: q + 1)]


def iteration_over_rows(T):
    x = T.zeros(2, 2)
    for k, row in enumerate(x):
        row += k + 1
    return x


def expanded_memory(T):
    x = T.zeros(1)
    wide = x.expand(3)
    return [
        raises(wide.add_, 1), raises(wide.fill_, 1), raises(wide.copy_, T.ones(3)), x,
        raises(lambda: wide.__setitem__(0, 3.0)), raises(lambda: wide[0].add_(1)), x, wide,
        raises(T.zeros(2, 3).expand(2, 3).add_, 1), raises(T.zeros(3).expand(1, 3).add_, 1),
    ]  # fmt: skip


def overlapping_writes(T):
    x, rows = T.arange(6.0), T.arange(6.0).view(2, 3)
    return [
        raises(x[1:].copy_, x[:-1]), raises(x[1:].add_, x[:-1]), raises(x.add_, x), raises(x[:3].add_, x[3:]), x,
        raises(x.view(2, 3).add_, x.view(2, 3)), raises(x.view(2, 3).t().copy_, x.view(3, 2)),
        raises(rows.__setitem__, 1, rows[1][1]), raises(rows.__setitem__, slice(None), rows[0]), rows,
    ]  # fmt: skip


def changed_requires_grad(T):
    x = leaf(T, 1.0, 2.0)
    y = x * 2
    found = [raises(y.requires_grad_, False), raises(T.ones(2, dtype=T.long).requires_grad_), raises(y.requires_grad_)]
    v = T.zeros(2)
    w = v[0]
    w.requires_grad_()
    found += [w.is_leaf, w.requires_grad, v.requires_grad, raises(w.add_, 1), raises(v.add_, 1)]
    z = T.zeros(2)
    z.requires_grad = True
    z.requires_grad = False
    return [*found, z.requires_grad, y.detach_().requires_grad, raises((x * 1)[0].detach_)]


def attributes(T):
    x = leaf(T, 1.0, 2.0)
    y = x * 2
    return [x.output_nr, y.output_nr, x.retains_grad, x.is_leaf, y.is_leaf, x.grad_fn, x.is_inference()]


def a_leaf_that_becomes_part_of_another(T):
    x = leaf(T, 1.0)
    buffer = T.zeros(3, dtype=T.float64)
    buffer[1] = x[0] * 2
    buffer[2:] = x
    buffer[0] = 5
    (buffer * buffer).sum().backward()
    return buffer, x.grad, buffer.is_leaf, buffer.requires_grad


def loops_of_writes(T):
    x = leaf(T, 0.5, 0.6, 0.7)
    state = T.zeros(4, 3, dtype=T.float64)
    for k in range(1, 4):
        state[k] = state[k - 1].clone() * x + k
    state.sum().backward()
    return state, x.grad


def writes_of_other_dtypes(T):
    x = T.tensor([1.5, 2.5], requires_grad=True)
    a = T.zeros(2, dtype=T.float64)
    a.copy_(x)
    a[0] += x[1]
    b = T.zeros(2, dtype=T.long)
    b.copy_(x.detach())
    b[0] = 7.9
    (a * a).sum().backward()
    return a, b, x.grad, raises(b.copy_, x), raises(b.add_, 1.5), raises(b.mul_, x.detach())


def zero_dims(T):
    x = T.tensor(2.0, requires_grad=True)
    a = x * 1
    a.mul_(3)
    a[...] = a * a
    a.backward()
    return a, x.grad, raises(lambda: a[0]), raises(lambda: a.add_(T.ones(2)))


def optimizers_of_ones_own(T):
    w = leaf(T, 1.0, 2.0)
    for _ in range(3):
        loss = (w * w).sum()
        loss.backward()
        with T.no_grad():
            w -= 0.1 * w.grad
            w.grad.zero_()
        w.data.add_(w.data, alpha=-0.01)
        w.data[w.data < 0.5] = 0.5
    return w, w._version, w.grad


def versions(T):
    a = T.zeros(3)
    v, d, c = a[1:], a.detach(), a.clone()
    a.add_(1)
    v[0] = 2
    d.zero_()
    c.add_(1)
    a.data.add_(1)
    a += 1
    a.requires_grad_()
    return [t._version for t in (a, v, d, c, a.data)]


SCENARIOS = CASES | scenarios.of(globals())


@pytest.mark.parametrize("name", SCENARIOS)
def test_as_pytorch(name):
    scenarios.check(SCENARIOS[name], torch)
