"""L-BFGS. (PyTorch: torch.optim.LBFGS)"""

from __future__ import annotations

import math

import numpy as np

from minigrad.autograd.modes import enable_grad, no_grad
from minigrad.optim.line_search import strong_wolfe
from minigrad.optim.optimizer import Optimizer, check_lr
from minigrad.tensor import Tensor, wrap

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """L-BFGS: steps of Newton's kind, with a curvature guessed from how the gradient changed in the last steps.

    Of each of the last steps sᵢ = tᵢ dᵢ it keeps how the gradient changed, yᵢ. From g back through these pairs and
    forth again (the "two loops") it gets the direction d = -H g, where H maps every yᵢ to sᵢ; then p = p + t d. The
    first direction is -g. Each `step` is up to `max_iter` such iterations, so it needs a closure:

        def closure():
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)

    For objectives that give the same loss each time they are asked: all of the data, no dropout. All parameters are
    one vector, in one group. (J. Nocedal: Updating Quasi-Newton Matrices With Limited Storage, 1980.
    PyTorch: torch.optim.LBFGS)

    Args:
        params (iterable): tensors, or pairs of name and tensor.
        lr (float | Tensor): t; with a line search, what the search begins with.
        max_iter (int): iterations in a `step`.
        max_eval (int | None): calls of the closure in a `step`; by default ``max_iter * 5 // 4``.
        tolerance_grad (float): the step ends when no number of the gradient is larger.
        tolerance_change (float): or when the loss, or every number of the parameters, changes less.
        history_size (int): how many pairs are kept, each as large as all parameters.
        line_search_fn (str | None): "strong_wolfe" looks for a good t along d; None takes lr.

    State, kept for the first parameter: ``func_evals``, ``n_iter``, ``d``, ``t``, ``old_dirs`` yᵢ, ``old_stps`` sᵢ,
    ``ro`` 1 / yᵢ·sᵢ, ``H_diag``, ``prev_flat_grad``, ``prev_loss``, ``al``.

    Raises:
        ValueError: `lr` is negative, there are no parameters, or more than one group.
        RuntimeError: `line_search_fn` is another, in `step`.
    """

    def __init__(
        self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
        line_search_fn=None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self):
        return self.param_groups[0]["params"]

    def _gradient(self):
        """The gradients of all parameters, one behind the other."""
        parts = [
            np.zeros(p.numel(), p.array.dtype) if p.grad is None else p.grad.array.reshape(-1) for p in self._params
        ]
        return np.concatenate(parts)

    def _move(self, t, d):
        """All parameters by t · d."""
        start = 0
        for p in self._params:
            end = start + p.numel()
            p.add_(wrap(d[start:end].reshape(p.shape)), alpha=float(t))
            start = end

    @no_grad()
    @np.errstate(all="ignore")  # what overflows is inf, silently, as in PyTorch
    def step(self, closure):
        """Up to `max_iter` iterations.

        Args:
            closure (Callable): clears the gradients, computes the loss, calls backward and returns the loss.

        Returns:
            the loss before the first iteration.
        """
        if len(self.param_groups) != 1:
            raise AssertionError(f"Expected exactly one param_group, but got {len(self.param_groups)}")
        group = self.param_groups[0]
        lr, max_iter, max_eval = float(group["lr"]), group["max_iter"], group["max_eval"]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        search = group["line_search_fn"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate():
            with enable_grad():
                return closure()

        first_loss = evaluate()
        loss, g, evaluations = float(first_loss), self._gradient(), 1
        state["func_evals"] += 1
        if _largest(g) <= tolerance_grad:
            return first_loss
        memory = _Memory(state, group["history_size"])
        d, t, g_before, loss_before = (_array(state.get(name)) for name in ("d", "t", "prev_flat_grad", "prev_loss"))
        for iteration in range(1, max_iter + 1):
            state["n_iter"] += 1
            is_first = state["n_iter"] == 1
            if is_first:
                d, memory = -g, _Memory({}, group["history_size"])
                t = min(1.0, 1.0 / np.abs(g).sum()) * lr
            else:
                memory.add(g - g_before, d * t)
                d, t = memory.direction(g), lr
            g_before, loss_before = g, loss
            slope = g @ d
            if slope > -tolerance_change:
                break
            spent = 0
            if search is None:
                self._move(t, d)
                if iteration != max_iter:  # after the last, nobody asks how good it is
                    loss, g, spent = float(evaluate()), self._gradient(), 1
            elif search == "strong_wolfe":
                start = [p.clone() for p in self._params]

                def at(t, d=d, start=start):
                    self._move(t, d)
                    there = float(evaluate()), self._gradient()
                    for p, before in zip(self._params, start):
                        p.copy_(before)
                    return there

                loss, g, t, spent = strong_wolfe(at, t, d, loss, g, slope, max_ls=max_eval - evaluations)
                self._move(t, d)
            else:
                raise RuntimeError("only 'strong_wolfe' is supported")
            evaluations += spent
            state["func_evals"] += spent
            if (
                evaluations >= max_eval
                or _largest(g) <= tolerance_grad
                or _largest(d * t) <= tolerance_change
                or abs(loss - loss_before) < tolerance_change
            ):
                break
        kept = {
            **({"al": memory.al} if memory.al else {}),
            "d": d,
            "t": t,
            **memory.state(),
            "prev_flat_grad": g_before,
            "prev_loss": loss_before,
        }
        state.update({name: _kept(value) for name, value in kept.items()})
        return first_loss


class _Memory:
    """The pairs of the last steps, and the direction that they make of a gradient."""

    def __init__(self, state, size):
        self.size = size
        self.changes, self.steps, self.ro, self.al = (
            [_array(part) for part in state.get(name) or ()] for name in ("old_dirs", "old_stps", "ro", "al")
        )
        self.scale = _array(state.get("H_diag", 1))

    def state(self):
        """What state_dict has of it, under PyTorch's names."""
        return {"old_dirs": self.changes, "old_stps": self.steps, "ro": self.ro, "H_diag": self.scale}

    def add(self, y, s):
        """One more step s, and how the gradient changed over it, if that is convex."""
        ys = y @ s
        if ys > 1e-10:
            if len(self.changes) == self.size:
                del self.changes[0], self.steps[0], self.ro[0]
            self.changes.append(y)
            self.steps.append(s)
            self.ro.append(1.0 / ys)
            self.scale = ys / (y @ y)

    def direction(self, g):
        """-H g."""
        if not self.al:
            self.al = [None] * self.size
        q = -g
        for i in range(len(self.changes) - 1, -1, -1):
            self.al[i] = (self.steps[i] @ q) * self.ro[i]
            q -= self.al[i] * self.changes[i]
        q *= self.scale
        for i in range(len(self.changes)):
            q += (self.al[i] - (self.changes[i] @ q) * self.ro[i]) * self.steps[i]
        return q


def _largest(array):
    return np.abs(array).max() if array.size else -math.inf


def _array(value):
    """A value of the state, as the computation has it: tensors are arrays, or numbers of NumPy."""
    return value.array[()] if isinstance(value, Tensor) else value


def _kept(value):
    """The opposite of `_array`."""
    if isinstance(value, list):
        return [_kept(part) for part in value]
    return wrap(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value
