"""One optimizer in either library over the same parameters and gradients: what the tests of optim share."""

import numpy as np

import minigrad

SHAPES = [(3, 4), (5,), (), (2, 3, 2), (0, 3), (257,)]
MATRICES = [(3, 4), (5, 5), (1, 7), (20, 6)]  # for the one that takes nothing else
# Sums of a dozen float32 roundings, in another order where PyTorch's compiler fuses or splits them.
RTOL = {"float32": 3e-6, "float64": 1e-13}


class Run:
    """An optimizer of either library over the same parameters, with the same gradients drawn for each step."""

    def __init__(self, lib, name, options, dtype="float32", groups=False):
        self.lib, self.dtype = lib, getattr(lib, dtype)
        self.random = np.random.default_rng(1)
        shapes = MATRICES if name == "Muon" else SHAPES
        self.params = [self.tensor(self.random.normal(size=shape)).requires_grad_() for shape in shapes]
        options = {key: make(lib) if callable(make) else make for key, make in options.items()}
        params = self.params
        if groups:
            params = [{"params": params[:2], "lr": 0.003}, {"params": params[2:], "weight_decay": 0.2}]
        self.optimizer = getattr(lib.optim, name)(params, **options)
        self.seen = []

    def tensor(self, array):
        return self.lib.tensor(np.asarray(array).tolist(), dtype=self.dtype).reshape(np.shape(array))

    def steps(self, count):
        for _ in range(count):
            for i, p in enumerate(self.params):
                grad = self.random.normal(size=p.shape) * 10.0 ** self.random.integers(-4, 2)
                skipped = i == 1 and len(self.seen) % 3 == 1  # a parameter that sometimes gets no gradient
                p.grad = None if skipped else self.tensor(grad)
            self.optimizer.step()
            self.seen.append([p.detach().numpy().copy() for p in self.params])
        return self


def has_tensor_option(options):
    """Tensors of options are float32, so they limit how exact float64 is."""
    return any(callable(value) for value in options.values())


def check_trajectory(torch, name, options, dtype):
    """Fifteen steps here and there."""
    ours, theirs = (Run(lib, name, options, dtype).steps(15).seen for lib in (minigrad, torch))
    assert_same(ours, theirs, RTOL["float32" if has_tensor_option(options) else dtype])


def to_torch(torch, state):
    """A minigrad state_dict with torch's tensors."""
    if isinstance(state, minigrad.Tensor):
        return torch.from_numpy(np.array(state.numpy()))
    if isinstance(state, dict):
        return {key: to_torch(torch, value) for key, value in state.items()}
    return [to_torch(torch, value) for value in state] if isinstance(state, list) else state


def check_state_moves(torch, name, options):
    """Five steps here, five there, against ten in PyTorch; both ways."""
    whole = Run(torch, name, options).steps(10)

    def begin_in(lib):
        return Run(lib, name, options).steps(5)

    def go_on(first, lib, state):
        second = Run(lib, name, options)
        for ours, theirs in zip(second.params, first.seen[-1], strict=True):
            ours.data = second.tensor(theirs)
        second.random, second.seen = first.random, list(first.seen)
        second.optimizer.load_state_dict(state)
        return second.steps(5)

    there = begin_in(torch)
    assert_same(go_on(there, minigrad, there.optimizer.state_dict()).seen, whole.seen, RTOL["float32"])
    here = begin_in(minigrad)
    assert_same(go_on(here, torch, to_torch(torch, here.optimizer.state_dict())).seen, whole.seen, RTOL["float32"])
    here = begin_in(minigrad)
    assert_same(go_on(here, minigrad, here.optimizer.state_dict()).seen, whole.seen, RTOL["float32"])


def layout(state):
    """A state_dict without its numbers: keys in order, dtypes, shapes, types."""
    if hasattr(state, "shape"):
        return str(state.dtype), tuple(state.shape)
    if isinstance(state, dict):
        return {key: layout(value) for key, value in state.items()}
    if isinstance(state, list):
        return [layout(value) for value in state]
    return type(state).__name__, state


def check_layout(torch, name, options):
    """The state_dict has PyTorch's keys, in its order, with its dtypes and shapes."""
    states = [Run(lib, name, options).steps(1).optimizer.state_dict() for lib in (minigrad, torch)]
    for state in states:
        for group in state["param_groups"]:
            group["lr"] = float(group["lr"])
            group["betas"] = [float(beta) for beta in group.get("betas", ())]
    assert layout(states[0]) == layout(states[1])
    assert [*states[0]["param_groups"][0]] == [*states[1]["param_groups"][0]]
    for ours, theirs in zip(states[0]["state"].values(), states[1]["state"].values(), strict=True):
        assert [*ours] == [*theirs]


def assert_same(ours, theirs, rtol):
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol, err_msg=f"step {step}")


def case_id(value):
    if isinstance(value, str):
        return value
    return ",".join(f"{name}={'tensor' if callable(option) else option}" for name, option in value.items())


def check_copy(name, way):
    """A copy of an optimizer, made after three steps, has parameters of its own and takes the same fourth step."""
    run = Run(minigrad, name, {"lr": 0.1}).steps(3)
    twin = way(run.optimizer)
    p, q = run.params[0], twin.param_groups[0]["params"][0]
    assert q is not p
    for optimizer, parameter in ((run.optimizer, p), (twin, q)):
        parameter.grad = minigrad.ones(3, 4)
        optimizer.step()
    assert p.tolist() == q.tolist()
    return run.optimizer.state[p], twin.state[q]
