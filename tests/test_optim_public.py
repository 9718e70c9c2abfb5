"""Optimizers written for PyTorch, in the style of public ones, run by changing the import: the same trajectories."""

import collections
import math

import numpy as np
import pytest

import minigrad


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def lookahead(T):
    class Lookahead(T.optim.Optimizer):
        """Wraps another; does not call `super().__init__`, and has state_dict and groups of its own."""

        def __init__(self, optimizer, k=5, alpha=0.5):
            self.optimizer, self.k, self.alpha = optimizer, k, alpha
            self.param_groups, self.defaults = self.optimizer.param_groups, self.optimizer.defaults
            self.state = collections.defaultdict(dict)
            self.fast_state = self.optimizer.state
            self._optimizer_step_pre_hooks = collections.OrderedDict()
            self._optimizer_step_post_hooks = collections.OrderedDict()
            for group in self.param_groups:
                group["counter"] = 0

        def update(self, group):
            for fast in group["params"]:
                param_state = self.state[fast]
                if "slow_param" not in param_state:
                    param_state["slow_param"] = T.zeros_like(fast.data)
                    param_state["slow_param"].copy_(fast.data)
                slow = param_state["slow_param"]
                slow += (fast.data - slow) * self.alpha
                fast.data.copy_(slow)

        def step(self, closure=None):
            loss = self.optimizer.step(closure)
            for group in self.param_groups:
                if group["counter"] == 0:
                    self.update(group)
                group["counter"] = (group["counter"] + 1) % self.k
            return loss

        def state_dict(self):
            fast = self.optimizer.state_dict()
            slow = {(id(k) if isinstance(k, T.Tensor) else k): v for k, v in self.state.items()}
            return {"state": fast["state"], "slow_state": slow, "param_groups": fast["param_groups"]}

    return lambda params: Lookahead(T.optim.SGD(params, lr=0.05, momentum=0.9), k=3)


def sam(T):
    class SAM(T.optim.Optimizer):
        """Two steps for each batch; the groups belong to an optimizer inside, too."""

        def __init__(self, params, base_optimizer, rho=0.05, adaptive=False, **kwargs):
            assert rho >= 0.0, f"Invalid rho, should be non-negative: {rho}"
            super().__init__(params, dict(rho=rho, adaptive=adaptive, **kwargs))
            self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
            self.param_groups = self.base_optimizer.param_groups
            self.defaults.update(self.base_optimizer.defaults)

        @T.no_grad()
        def first_step(self, zero_grad=False):
            grad_norm = self._grad_norm()
            for group in self.param_groups:
                scale = group["rho"] / (grad_norm + 1e-12)
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    self.state[p]["old_p"] = p.data.clone()
                    e_w = (T.pow(p, 2) if group["adaptive"] else 1.0) * p.grad * scale.to(p)
                    p.add_(e_w)
            if zero_grad:
                self.zero_grad()

        @T.no_grad()
        def second_step(self, zero_grad=False):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    p.data = self.state[p]["old_p"]
            self.base_optimizer.step()
            if zero_grad:
                self.zero_grad()

        @T.no_grad()
        def step(self, closure=None):
            assert closure is not None, "Sharpness Aware Minimization requires closure, but it was not provided"
            closure = T.enable_grad()(closure)
            loss = closure()
            self.first_step(zero_grad=True)
            closure()
            self.second_step()
            return loss

        def _grad_norm(self):
            shared_device = self.param_groups[0]["params"][0].device
            return T.norm(
                T.stack([
                    ((T.abs(p) if group["adaptive"] else 1.0) * p.grad).norm(p=2).to(shared_device)
                    for group in self.param_groups for p in group["params"]
                    if p.grad is not None
                ]),
                p=2,
            )  # fmt: skip

        def load_state_dict(self, state_dict):
            super().load_state_dict(state_dict)
            self.base_optimizer.param_groups = self.param_groups

    return lambda params: SAM(params, T.optim.SGD, rho=0.1, adaptive=True, lr=0.02, momentum=0.9)


def adabelief(T):
    class AdaBelief(T.optim.Optimizer):
        """State made with memory formats, `__setstate__`, amsgrad with ``out=``, `.data` all over."""

        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-16, weight_decay=0, amsgrad=False):
            defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
            super().__init__(params, defaults)

        def __setstate__(self, state):
            super().__setstate__(state)
            for group in self.param_groups:
                group.setdefault("amsgrad", False)

        def step(self, closure=None):
            loss = None
            if closure is not None:
                loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    half_precision = p.data.dtype == T.float16
                    if half_precision:
                        p.data = p.data.float()
                        p.grad = p.grad.float()
                    grad = p.grad.data
                    if grad.is_sparse:
                        raise RuntimeError("AdaBelief does not support sparse gradients, please consider SparseAdam")
                    beta1, beta2 = group["betas"]
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["exp_avg"] = T.zeros_like(p.data, memory_format=T.preserve_format)
                        state["exp_avg_var"] = T.zeros_like(p.data, memory_format=T.preserve_format)
                        state["max_exp_avg_var"] = T.zeros_like(p.data, memory_format=T.preserve_format)
                    p.data.mul_(1.0 - group["lr"] * group["weight_decay"])
                    exp_avg, exp_avg_var = state["exp_avg"], state["exp_avg_var"]
                    state["step"] += 1
                    bias_correction1 = 1 - beta1 ** state["step"]
                    bias_correction2 = 1 - beta2 ** state["step"]
                    exp_avg.mul_(beta1).add_(grad, alpha=1 - beta1)
                    grad_residual = grad - exp_avg
                    exp_avg_var.mul_(beta2).addcmul_(grad_residual, grad_residual, value=1 - beta2)
                    if group["amsgrad"]:
                        max_exp_avg_var = state["max_exp_avg_var"]
                        T.max(max_exp_avg_var, exp_avg_var.add_(group["eps"]), out=max_exp_avg_var)
                        denom = (max_exp_avg_var.sqrt() / math.sqrt(bias_correction2)).add_(group["eps"])
                    else:
                        denom = (exp_avg_var.add_(group["eps"]).sqrt() / math.sqrt(bias_correction2)).add_(group["eps"])
                    step_size = group["lr"] / bias_correction1
                    p.data.addcdiv_(exp_avg, denom, value=-step_size)
            return loss

    return lambda params: AdaBelief(params, lr=0.02, weight_decay=0.01, amsgrad=True, eps=1e-8)


def lamb(T):
    class Lamb(T.optim.Optimizer):
        """Norms of whole parameters, branches on tensors, results kept in the state."""

        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0):
            if lr < 0.0:
                raise ValueError(f"Invalid learning rate: {lr}")
            super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

        def step(self, closure=None):
            loss = closure() if closure is not None else None
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    grad = p.grad.data
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["exp_avg"] = T.zeros_like(p.data)
                        state["exp_avg_sq"] = T.zeros_like(p.data)
                    exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
                    beta1, beta2 = group["betas"]
                    state["step"] += 1
                    exp_avg.mul_(beta1).add_(grad, alpha=1 - beta1)
                    exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
                    weight_norm = p.data.pow(2).sum().sqrt().clamp(0, 10)
                    adam_step = exp_avg / exp_avg_sq.sqrt().add(group["eps"])
                    if group["weight_decay"] != 0:
                        adam_step.add_(p.data, alpha=group["weight_decay"])
                    adam_norm = adam_step.pow(2).sum().sqrt()
                    trust_ratio = 1 if weight_norm == 0 or adam_norm == 0 else weight_norm / adam_norm
                    state["weight_norm"], state["trust_ratio"] = weight_norm, trust_ratio
                    p.data.add_(adam_step, alpha=float(-group["lr"] * trust_ratio))
            return loss

    return lambda params: Lamb(params, lr=0.02, weight_decay=0.01)


def lion(T):
    class Lion(T.optim.Optimizer):
        """The authors' own; `minigrad.optim.Lion` is held against it below."""

        def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
            super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

        @T.no_grad()
        def step(self, closure=None):
            loss = None
            if closure is not None:
                with T.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    p.data.mul_(1 - group["lr"] * group["weight_decay"])
                    grad = p.grad
                    state = self.state[p]
                    if len(state) == 0:
                        state["exp_avg"] = T.zeros_like(p)
                    exp_avg = state["exp_avg"]
                    beta1, beta2 = group["betas"]
                    update = exp_avg * beta1 + grad * (1 - beta1)
                    p.add_(update.sign_(), alpha=-group["lr"])
                    exp_avg.mul_(beta2).add_(grad, alpha=1 - beta2)
            return loss

    return lambda params: Lion(params, lr=0.01, weight_decay=0.1)


def by_lists(T):
    class ListAdam(T.optim.Optimizer):
        """Lists of tensors and `_foreach_*`."""

        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
            super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

        @T.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                params = [p for p in group["params"] if p.grad is not None]
                grads = [p.grad for p in params]
                for p in params:
                    if "m" not in self.state[p]:
                        self.state[p].update(m=T.zeros_like(p), v=T.zeros_like(p), t=T.tensor(0.0))
                m, v, t = ([self.state[p][name] for p in params] for name in "mvt")
                T._foreach_add_(t, 1)
                beta1, beta2 = group["betas"]
                T._foreach_lerp_(m, grads, 1 - beta1)
                T._foreach_mul_(v, beta2)
                T._foreach_addcmul_(v, grads, grads, 1 - beta2)
                steps = [group["lr"] * (1 - beta2 ** n.item()) ** 0.5 / (1 - beta1 ** n.item()) for n in t]
                denom = T._foreach_sqrt(v)
                T._foreach_add_(denom, group["eps"])
                T._foreach_addcdiv_(params, m, denom, [-step for step in steps])
                norms = T._foreach_norm(params, 2)
                T._foreach_mul_(params, [min(1.0, 5.0 / n.item()) for n in norms])

    return lambda params: ListAdam(params, lr=0.02)


def old_style(T):
    class OldAdagrad(T.optim.Optimizer):
        """Registered state in `__init__`, `param_groups[0]` read by the user, `zero_()` on detached gradients."""

        def __init__(self, params, lr=T.tensor(0.05)):  # noqa: B008
            super().__init__(params, {"lr": lr, "lr_decay": 0.1})
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["sum"] = p.data.new().resize_as_(p.data).zero_() + 0.1
                    self.state[p]["step"] = 0

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    d_p = p.grad.detach()
                    self.state[p]["step"] += 1
                    clr = group["lr"] / (1 + (self.state[p]["step"] - 1) * group["lr_decay"])
                    self.state[p]["sum"].addcmul_(d_p, d_p)
                    p.data.addcdiv_(d_p, self.state[p]["sum"].sqrt().add_(1e-10), value=-float(clr))
                    p.grad.detach_()
                    p.grad.zero_()

    return lambda params: OldAdagrad(params)


def train(T, make, steps=20):
    """A network of 3-5-1 with given weights; its loss at each step, its parameters at the end, the optimizer."""
    random = np.random.default_rng(0)
    shapes = [(3, 5), (5,), (5, 1), (1,)]
    params = [T.tensor((0.5 * random.normal(size=s)).astype("f4").tolist(), requires_grad=True) for s in shapes]
    x = T.tensor(random.normal(size=(16, 3)).astype("f4").tolist())
    y = (x[:, :1] * x[:, 1:2]).detach()
    optimizer = make(T)(params)

    def closure():
        optimizer.zero_grad()
        loss = (((x @ params[0] + params[1]).tanh() @ params[2] + params[3] - y) ** 2).mean()
        loss.backward()
        return loss

    losses = []
    for _ in range(steps):
        loss = optimizer.step(closure) if make is sam else closure()
        if make is not sam:
            optimizer.step()
        losses.append(loss.item())
    return losses, [p.detach().numpy() for p in params], optimizer


PUBLIC = [lookahead, sam, adabelief, lamb, lion, by_lists, old_style]


@pytest.mark.parametrize("make", PUBLIC, ids=lambda make: make.__name__)
def test_they_go_the_same_way(torch, make):
    (ours, p, _), (theirs, q, _) = train(minigrad, make), train(torch, make)
    assert ours[-1] < ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    for a, b in zip(p, q, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [adabelief, lamb, lion, by_lists], ids=lambda make: make.__name__)
def test_their_states_are_laid_out_alike_and_load(torch, make):
    states = [train(T, make, 3)[2].state_dict() for T in (minigrad, torch)]
    for ours, theirs in zip(states[0]["state"].values(), states[1]["state"].values(), strict=True):
        assert [*ours] == [*theirs]
        assert [type(v).__name__ for v in ours.values()] == [type(v).__name__ for v in theirs.values()]
    optimizer = train(minigrad, make, 3)[2]
    optimizer.load_state_dict(states[1])
    kept = optimizer.state[optimizer.param_groups[0]["params"][0]]
    assert {name: type(value).__name__ for name, value in kept.items()} == {
        name: type(value).__name__ for name, value in states[1]["state"][0].items()
    }


def test_schedulers_and_hooks_take_one_that_skips_init(torch):
    def rates(T):
        optimizer = train(T, lookahead, 1)[2]
        scheduler = T.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        optimizer.step()
        scheduler.step()
        return [group["lr"] for group in optimizer.param_groups]

    assert rates(minigrad) == rates(torch)
    optimizer, seen = train(minigrad, lookahead, 1)[2], []
    optimizer.register_step_post_hook(lambda *given: seen.append("hook"))
    optimizer.step()
    assert seen == ["hook"]


def test_our_lion_is_the_authors(torch):
    theirs = train(torch, lion)
    ours = train(minigrad, lambda T: lambda params: T.optim.Lion(params, lr=0.01, weight_decay=0.1))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    for a, b in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
