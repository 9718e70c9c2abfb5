"""One optimizer in either library over the same parameters and gradients: what the tests of optim share."""

import numpy as np

SHAPES = [(3, 4), (5,), (), (2, 3, 2), (0, 3), (257,)]


class Run:
    """An optimizer of either library over the same parameters, with the same gradients drawn for each step."""

    def __init__(self, lib, name, options, dtype="float32", groups=False):
        self.lib, self.dtype = lib, getattr(lib, dtype)
        self.random = np.random.default_rng(1)
        self.params = [self.tensor(self.random.normal(size=shape)).requires_grad_() for shape in SHAPES]
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


def assert_same(ours, theirs, rtol):
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol, err_msg=f"step {step}")


def case_id(value):
    if isinstance(value, str):
        return value
    return ",".join(f"{name}={'tensor' if callable(option) else option}" for name, option in value.items())
