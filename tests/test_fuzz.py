"""Random programs of ops, views, in-place writes and hooks, run here and in PyTorch: one and the same outcome.

A program is a list of steps drawn from a seed.  Each library runs it on a pool of float64 tensors; the two must agree
in every value, `requires_grad`, `_version`, shape, the kind of error of each failing step, all gradients, hooks' calls,
and second gradients.  A program ends at the first step that fails.
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
        return tuple(t.shape), t.requires_grad, t._version, is_leaf, np.array(t.detach().numpy(), dtype=float)

    def pick(self):
        return self.pool[self.draw.integers(len(self.pool))]

    def pick_made(self):
        """A tensor that may be written to: not a leaf that requires grad, more often than not."""
        made = [t for t in self.pool if not (t.is_leaf and t.requires_grad)]
        return made[self.draw.integers(len(made))] if self.draw.random() < 0.9 else self.pick()

    # ---- steps

    def do_unary(self):
        return getattr(
            self.pick(), self.draw.choice(["exp", "tanh", "sigmoid", "relu", "neg", "abs", "square", "clone"])
        )()

    def do_binary(self):
        a, b = self.pick(), self.pick()
        return getattr(a, self.draw.choice(["add", "sub", "mul", "maximum"]))(b)

    def do_number(self):
        return self.pick() * 0.5 + float(self.draw.integers(3))

    def do_reduce(self):
        t, name = self.pick(), self.draw.choice(["sum", "mean", "amax"])
        dim = int(self.draw.integers(-2, 2))
        return getattr(t, name)(dim, bool(self.draw.integers(2)))

    def do_max(self):
        return self.pick().max(0)[0]

    def do_matmul(self):
        return (self.pick() @ self.pick().t()) * 1  # PyTorch's matrix times vector comes with version 1

    def do_view(self):
        t = self.pick()
        kind = self.draw.integers(6)
        if kind == 0:
            return t[int(self.draw.integers(2))]
        if kind == 1:
            return t[..., 1:]
        if kind == 2:
            return t.reshape(-1)
        if kind == 3:
            return t.t()
        if kind == 4:
            return t.unsqueeze(0)
        return t.view(-1, 1)

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
        return self.lib.cat([a, b]) if self.draw.integers(2) else self.lib.stack([a, b])

    def do_detach(self):
        return self.pick().detach()

    def do_split(self):
        return self.pick().split(1)[1]

    def do_no_grad(self):
        with self.lib.no_grad():
            return self.pick() * 2

    def do_write(self):
        t, other = self.pick_made(), self.pick()
        if other is t:
            other = other.detach().clone()  # PyTorch refuses the gradient of x.mul_(x); here the old x is kept for it
        getattr(t, self.draw.choice(["add_", "mul_", "copy_", "sub_"]))(other)

    def do_write_unary(self):
        getattr(self.pick_made(), self.draw.choice(["exp_", "tanh_", "relu_", "sigmoid_", "neg_", "zero_"]))()

    def do_write_number(self):
        self.pick_made().mul_(1.5)

    def do_write_slice(self):
        t, other = self.pick_made(), self.pick()
        t[0] = other[0] if self.draw.integers(2) else 0.25

    def do_write_mask(self):
        t = self.pick_made()
        t[t.detach() > 1] = 0.5

    def do_write_without_history(self):
        with self.lib.no_grad():
            self.pick().mul_(0.9)

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
            self.log.append(("backward", "inplace" if "inplace" in str(error) else "other"))
            self.hooks.clear()  # how far it came is not promised


def agree(ours, theirs, where=""):
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
