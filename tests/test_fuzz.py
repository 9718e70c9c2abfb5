"""Random programs of ops, views, in-place writes and hooks, run here and in PyTorch: one and the same outcome.

A program is a list of steps drawn from a seed.  Each library runs it on a pool of tensors; the two must agree in every
value, dtype, `requires_grad`, `_version`, shape, whether it is a view, the kind of error of each failing step, all
gradients, hooks' calls, and second gradients.  A program ends at the first step that fails.
"""

import numpy as np
import pytest

import minigrad

torch = pytest.importorskip("torch")

STEPS = 10


class Program:
    """Steps drawn from a seed; `run` performs them on one library and returns what happened."""

    def __init__(self, seed):
        self.seed = seed

    def run(self, lib):
        self.draw = np.random.default_rng(self.seed)
        self.lib, self.log, self.hooks = lib, [], []
        self.pool = [self.make(shape) for shape in ((2, 3), (3,), (2, 3))]
        self.leaves = list(self.pool[:2])
        self.pool[2] = self.pool[2].detach()
        for _ in range(STEPS):
            name = self.draw.choice(sorted(n for n in dir(self) if n.startswith("do_")))
            state = self.draw.bit_generator.state
            try:
                made = getattr(self, name)()
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                self.log.append((name, type(error).__name__))
                break
            finally:
                self.draw.bit_generator.state = state
                self.draw.random(8)  # both libraries draw on from the same place, whatever the step did
            if made is not None:
                self.pool.append(made)
            self.log.append((name, [self.describe(t) for t in self.pool]))
        self.differentiate()
        return [*self.log, *self.hooks]

    def make(self, shape):
        return self.lib.tensor(self.draw.uniform(0.2, 1.8, shape), requires_grad=True)

    def describe(self, t):
        try:
            is_leaf = t.is_leaf
        except RuntimeError:  # one of several views whose base was written to
            is_leaf = "no longer"
        dtype = str(t.dtype).rpartition(".")[2]
        values = np.array(t.detach().numpy(), dtype=float)
        return tuple(t.shape), t.requires_grad, t._version, is_leaf, t._is_view(), dtype, values

    def pick(self):
        return self.pool[self.draw.integers(len(self.pool))]

    def pick_made(self):
        """A tensor that may be written to: not a leaf that requires grad, more often than not, and not expanded."""
        made = [t for t in self.pool if not self.expanded(t) and not (t.is_leaf and t.requires_grad)]
        return made[self.draw.integers(len(made))] if self.draw.random() < 0.9 else self.pick()

    def expanded(self, t):
        return any(n > 1 and step == 0 for n, step in zip(t.shape, t.stride(), strict=True))

    # ---- steps

    def one_of(self, *choices):
        return choices[self.draw.integers(len(choices))]

    def do_unary(self):
        name = self.one_of("exp", "tanh", "sigmoid", "relu", "neg", "abs", "square", "clone", "sin", "cos", "floor")
        return getattr(self.pick(), name)()

    def do_binary(self):
        a, b = self.pick(), self.pick()
        return getattr(a, self.one_of("add", "sub", "mul", "maximum", "minimum"))(b)

    def do_divide(self):
        return self.pick() / (self.pick().abs() + 0.5)

    def do_number(self):
        return self.pick() * 0.5 + float(self.draw.integers(3))

    def do_reduce(self):
        t, name = self.pick(), self.one_of("sum", "mean", "amax")
        dim = int(self.draw.integers(-2, 2))
        return getattr(t, name)(dim, bool(self.draw.integers(2)))

    def do_max(self):
        return self.pick().max(0)[0]

    def do_softmax(self):
        return self.pick().softmax(-1)

    def do_matmul(self):
        return (self.pick() @ self.pick().t()) * 1  # PyTorch's matrix times vector comes with version 1

    def do_dtype(self):
        return self.one_of(lambda t: t.float(), lambda t: t.double(), lambda t: t.to(t.dtype))(self.pick())

    # ---- views

    def view_of(self, t):
        low = t[...] if t.ndim < 2 else None
        return self.one_of(
            lambda: t[int(self.draw.integers(2))], lambda: t[..., 1:], lambda: t.reshape(-1), lambda: t.t(),
            lambda: t.unsqueeze(0), lambda: t.view(-1, 1), lambda: t.narrow(-1, 0, 2) if t.ndim else low,
            lambda: t.select(0, 1), lambda: t.transpose(0, -1), lambda: t.diagonal() if low is None else low,
            lambda: t.squeeze(), lambda: t.flatten(), lambda: t[:, None] if t.ndim else low, lambda: t[::2],
            lambda: t.movedim(0, -1) if t.ndim else low, lambda: t.permute(1, 0), lambda: t.expand(2, *t.shape),
            lambda: t.expand_as(t), lambda: t.view_as(t), lambda: t[:], lambda: t.unfold(-1, 2, 2) if t.ndim else low,
            lambda: t.swapaxes(0, -1), lambda: t.unflatten(0, (1, -1)) if t.numel() else low,
        )()  # fmt: skip

    def do_view(self):
        return self.view_of(self.pick())

    def do_view_of_view(self):
        return self.view_of(self.view_of(self.pick()))

    def do_view_without_history(self):
        with self.lib.no_grad():
            return self.view_of(self.pick())

    def do_split(self):
        t = self.pick()
        return self.one_of(
            lambda: t.split(1)[1],
            lambda: t.chunk(2, -1)[0],
            lambda: t.unbind()[1],
            lambda: t.split([1, 1])[0],
            lambda: t.tensor_split(2, -1)[1],
            lambda: t.tensor_split([1])[0],
        )()

    def do_contiguous(self):
        return self.pick().t().contiguous()

    # ---- copies of parts

    def do_gather(self):
        return self.pick()[[1, 0, 1]]

    def do_mask(self):
        t = self.pick()
        return t[t > 1]

    def do_where(self):
        a, b = self.pick(), self.pick()
        return self.lib.where(a > b, a, b * 2)

    def do_join(self):
        a, b = self.pick(), self.pick()
        if not (a.numel() and b.numel()):
            return None
        return self.lib.cat([a, b]) if self.draw.integers(2) else self.lib.stack([a, b])

    def do_index_select(self):
        t = self.pick()
        return t.index_select(0, self.lib.tensor([1, 1])) if t.ndim else None

    def do_masked_fill(self):
        t = self.pick()
        return t.masked_fill(t > 1, 0.3)

    # ---- history

    def do_detach(self):
        return self.pick().detach()

    def do_detach_in_place(self):
        return (self.pick() * 1).detach_()

    def do_no_grad(self):
        with self.lib.no_grad():
            made = self.pick() * 2
            with self.lib.enable_grad():
                return made + self.pick()

    def do_require_grad(self):
        t = self.pick()
        if t.is_leaf and not t._is_view():
            t.requires_grad_()

    def do_backward(self):
        t = self.pick()
        if t.requires_grad:
            t.sum().backward(retain_graph=True)

    def do_backward_to_inputs(self):
        t, other = self.pick(), self.pick()
        if t.requires_grad and other.requires_grad:
            t.sum().backward(retain_graph=True, inputs=[other])

    def do_function(self):
        lib = self.lib

        class Cube(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x**3

            @staticmethod
            def backward(ctx, g):
                return g * 3 * ctx.saved_tensors[0] ** 2

        return Cube.apply(self.pick())

    def do_dirty_function(self):
        class Twice(self.lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.mark_dirty(x.mul_(2))
                return x

            @staticmethod
            def backward(ctx, g):
                return g * 2

        Twice.apply(self.pick_made())

    def do_checkpoint(self):
        return self.lib.utils.checkpoint.checkpoint(lambda x: (x.sin() * x).exp(), self.pick(), use_reentrant=False)

    def do_saved_by_hooks(self):
        with self.lib.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
            return self.pick() * self.pick() + self.pick().exp()

    # ---- writes

    def do_write(self):
        t, other = self.pick_made(), self.pick()
        if other is t:
            other = other.detach().clone()  # PyTorch refuses the gradient of x.mul_(x); here the old x is kept for it
        getattr(t, self.one_of("add_", "mul_", "copy_", "sub_"))(other)

    def do_write_unary(self):
        name = self.one_of("exp_", "tanh_", "relu_", "sigmoid_", "neg_", "zero_", "abs_", "square_", "floor_", "sin_")
        getattr(self.pick_made(), name)()

    def do_write_number(self):
        t = self.pick_made()
        self.one_of(
            lambda: t.mul_(1.5), lambda: t.fill_(0.7), lambda: t.clamp_(0.4, 1.5), lambda: t.pow_(2),
            lambda: t.add_(t.detach().clone(), alpha=0.5), lambda: t.div_(2.0),
        )()  # fmt: skip

    def do_write_slice(self):
        t, other = self.pick_made(), self.pick()
        t[0] = other[0].clone() if self.draw.integers(2) else 0.25

    def do_write_to_a_view(self):
        view = self.view_of(self.pick_made())
        if self.expanded(view):
            return
        self.one_of(lambda: view.mul_(2), lambda: view.zero_(), lambda: view.add_(1), lambda: view.exp_())()

    def do_add_to_a_part(self):
        t, other = self.pick_made(), self.pick()
        t[0] += other[0].clone()

    def do_write_mask(self):
        t = self.pick_made()
        t[t.detach() > 1] = 0.5

    def do_write_masked_values(self):
        t = self.pick_made()
        mask = t.detach() > 1
        t[mask] = (self.pick() * 2).sum() if self.draw.integers(2) else t[mask] * 2

    def do_masked_fill_in_place(self):
        t = self.pick_made()
        t.masked_fill_(t.detach() > 1, 0.5)

    def do_write_rows(self):
        t, other = self.pick_made(), self.pick()
        if t.ndim and t.shape[0] > 1:
            t[[1, 0]] = (other[:2] * 1).to(t.dtype)

    def do_scatter(self):
        t, index = self.pick_made(), self.lib.tensor([[1, 0], [0, 1]])
        source = self.lib.ones(2, 2, dtype=t.dtype) * self.pick().sum().to(t.dtype)
        self.one_of(lambda: t.scatter_(1, index, source), lambda: t.scatter_add_(1, index, source))()

    def do_write_without_history(self):
        with self.lib.no_grad():
            self.pick().mul_(0.9)

    def do_write_data(self):
        self.pick().data.mul_(0.9)

    # ---- hooks

    def do_hook(self):
        t = self.pick()
        if t.requires_grad:
            mine = []  # the order in which different tensors' hooks run is not promised
            self.hooks.append(mine)
            t.register_hook(lambda g: mine.append(np.array(g.detach().numpy())))

    def do_double_hook(self):
        t = self.pick()
        if t.requires_grad:
            t.register_hook(lambda g: g * 2)

    def do_node_hook(self):
        node = self.pick().grad_fn
        if node is not None and self.draw.integers(2):
            node.register_hook(lambda inner, outer: tuple([None if g is None else g * 2 for g in inner]))
        elif node is not None:
            node.register_prehook(lambda outer: tuple([None if g is None else g * 3 for g in outer]))

    def do_retain(self):
        t = self.pick()
        if t.requires_grad:
            t.retain_grad()

    # ---- derivatives

    def differentiate(self):
        total = None
        for t in self.pool:
            if t.requires_grad:
                try:
                    part = (t * t).sum()
                except RuntimeError:  # one of several views whose base was written to
                    self.log.append("unusable")
                    continue
                total = part if total is None else total + part
        if total is None:
            return
        try:
            total.backward(retain_graph=True)
            for t in self.pool:
                if t.is_leaf or t.retains_grad:
                    self.log.append(("grad", None if t.grad is None else np.array(t.grad.numpy())))
            first = self.lib.autograd.grad(total, self.leaves, create_graph=True, allow_unused=True)
            wanted = [g for g in first if g is not None and g.requires_grad]
            if wanted:
                second = self.lib.autograd.grad(sum((g * g).sum() for g in wanted), self.leaves, allow_unused=True)
                self.log.append(("second", [None if g is None else np.array(g.numpy()) for g in second]))
        except RuntimeError as error:
            self.message = str(error)
            self.log.append(("backward", "inplace" if "inplace" in str(error) else "other"))
            self.hooks.clear()  # how far it came is not promised


def agree(ours, theirs, where=""):
    assert isinstance(ours, np.ndarray) == isinstance(theirs, np.ndarray), f"{where}: {ours!r} / {theirs!r}"
    if isinstance(ours, np.ndarray):
        assert ours.shape == theirs.shape, where
        if np.all(np.isfinite(theirs)) and np.abs(theirs).max(initial=0) < 1e6:
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7, err_msg=where)
    elif isinstance(ours, tuple | list):
        assert len(ours) == len(theirs), f"{where}: {ours} / {theirs}"
        for k, (a, b) in enumerate(zip(ours, theirs)):
            agree(a, b, f"{where}.{k}")
    else:
        assert ours == theirs, f"{where}: {ours!r} / {theirs!r}"


def check(seed):
    ours, theirs = Program(seed).run(minigrad), Program(seed).run(torch)
    agree(ours, theirs, f"program {seed}")


@pytest.mark.parametrize("block", range(20))
def test_random_programs_agree(block):
    for seed in range(block * 20, block * 20 + 20):
        check(seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(100))
def test_many_random_programs_agree(block):
    for seed in range(10_000 + block * 50, 10_000 + block * 50 + 50):
        check(seed)
