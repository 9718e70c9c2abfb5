"""Connectionist temporal classification (Graves et al. 2006): the probability of a label sequence over all alignments.

An alignment gives every time step a label or a blank; the sequence is what remains when repetitions are merged and
blanks removed. With the labels set apart by blanks, ``blank l1 blank l2 ... blank``, an alignment is a path through
these states that at each step stays, moves to the next state, or skips a blank between two different labels:

    alpha[t, s] = logsumexp(alpha[t-1, s], alpha[t-1, s-1], alpha[t-1, s-2] if it may skip) + log_probs[t, label s]
    loss = -logsumexp of alpha's last two states at the last step
    beta[t, s] is the same from the end, and alpha + beta - log_probs the paths through s at time t

The gradient is that of the scores whose log-softmax is log_probs, as in PyTorch: ``p - paths through the class``.

Before this: `dispatch.py`. After it: `ops/ctc.py`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel

NONE = -math.inf


@jit
def add_logs(a, b, c):
    """log(exp(a) + exp(b) + exp(c)), all of one dtype."""
    top = max(a, b, c)
    if top == NONE:
        return top
    return top + math.log(math.exp(a - top) + math.exp(b - top) + math.exp(c - top))


@jit
def label_at(targets, n, s, blank):
    """The label of state s of sample n."""
    return targets[n, s // 2] if s % 2 else blank


@jit
def may_skip(targets, n, s):
    """Whether a path may come to state s from two states before: from one label to another one."""
    return s % 2 == 1 and s > 1 and targets[n, s // 2] != targets[n, s // 2 - 1]


@jit
def forward_paths(log_probs, targets, steps, lengths, blank, losses, alpha):
    """Fill alpha (N, T, states) and losses (N)."""
    none = alpha.dtype.type(NONE)
    for n in range(log_probs.shape[1]):
        states = 2 * lengths[n] + 1
        alpha[n, :, :] = NONE
        if steps[n] == 0:
            losses[n] = 0.0 if lengths[n] == 0 else math.inf
            continue
        alpha[n, 0, 0] = log_probs[0, n, blank]
        if states > 1:
            alpha[n, 0, 1] = log_probs[0, n, targets[n, 0]]
        for t in range(1, steps[n]):
            for s in range(states):
                stay = alpha[n, t - 1, s]
                step = alpha[n, t - 1, s - 1] if s > 0 else none
                skip = alpha[n, t - 1, s - 2] if may_skip(targets, n, s) else none
                alpha[n, t, s] = add_logs(stay, step, skip) + log_probs[t, n, label_at(targets, n, s, blank)]
        last = alpha[n, steps[n] - 1]
        losses[n] = -add_logs(last[states - 1], last[states - 2] if states > 1 else none, none)


@jit
def backward_paths(g, losses, log_probs, alpha, targets, steps, lengths, blank, skip_infinite, grad):
    """Fill grad (T, N, C), which holds zeros."""
    wide, none = np.empty((2, alpha.shape[2]), alpha.dtype), alpha.dtype.type(NONE)
    for n in range(log_probs.shape[1]):
        if steps[n] == 0 or (skip_infinite and losses[n] == math.inf):
            continue
        states = 2 * lengths[n] + 1
        for back in range(steps[n]):
            t = steps[n] - 1 - back
            beta, later = wide[back % 2], wide[1 - back % 2]
            for c in range(log_probs.shape[2]):
                grad[t, n, c] = none
            for s in range(states):
                label = label_at(targets, n, s, blank)
                here = log_probs[t, n, label]
                if back == 0:
                    beta[s] = here if s >= states - 2 else none
                else:
                    step = later[s + 1] if s + 1 < states else none
                    skip = later[s + 2] if s + 2 < states and may_skip(targets, n, s + 2) else none
                    beta[s] = add_logs(later[s], step, skip) + here
                grad[t, n, label] = add_logs(grad[t, n, label], alpha[n, t, s] + beta[s], none)
            for c in range(log_probs.shape[2]):
                p = log_probs[t, n, c]
                grad[t, n, c] = g[n] * (math.exp(p) - math.exp(grad[t, n, c] + losses[n] - p))


def state_labels(targets, blank):
    """The label of every state (N, 2S+1), and where a path may come to it from two states before."""
    labels = np.full((targets.shape[0], 2 * targets.shape[1] + 1), blank)
    labels[:, 1::2] = targets
    skips = np.zeros(labels.shape, bool)
    skips[:, 2:] = labels[:, 2:] != labels[:, :-2]
    return labels, skips


def shifted(paths, by):
    """Paths (N, states) moved `by` states on (or back), nothing coming in from outside."""
    moved = np.full_like(paths, NONE)
    if by > 0:
        moved[:, by:] = paths[:, :-by]
    else:
        moved[:, :by] = paths[:, -by:]
    return moved


def emitted(log_probs, labels):
    """The log-probability of each state's label at each time (T, N, states)."""
    return np.take_along_axis(log_probs, np.broadcast_to(labels, (len(log_probs), *labels.shape)), 2)


def samples(size):
    """Log-probabilities (T, N, C) of about `size` numbers, three labels for each sample."""
    scores = np.sin(np.arange(max(1, size // 80) * 80, dtype=np.float32)).reshape(-1, 8, 10)
    count = np.full(8, len(scores))
    return (
        scores - np.log(np.exp(scores).sum(2, keepdims=True)),
        np.arange(24).reshape(8, 3) % 9 + 1,
        count,
        count * 0 + 3,
        0,
    )


def backward_samples(size):
    """Those, with what the forward pass made of them."""
    inputs = samples(size)
    losses, alpha = ctc_forward.twin(*inputs)
    return np.ones_like(losses), losses, inputs[0], alpha, *inputs[1:], False


@kernel(samples=samples)
def ctc_forward(log_probs, targets, steps, lengths, blank):
    """The losses and the paths from the beginning.

    Args:
        log_probs (ndarray): (T, N, C).
        targets (ndarray): (N, S) labels; what lies beyond a sample's length does not matter, but is a class.
        steps, lengths (ndarray): (N,) how many time steps and labels of each sample count.
        blank (int): the class of the blank.

    Returns:
        tuple[ndarray, ndarray]: losses (N,) and alpha (N, T, 2S+1).
    """
    labels, skips = state_labels(targets, blank)
    emit = emitted(log_probs, labels)
    alpha = np.full((len(labels), len(log_probs), labels.shape[1]), NONE, log_probs.dtype)
    inside = np.arange(labels.shape[1]) <= 2 * lengths[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        for t in range(len(log_probs)):
            if t == 0:
                paths = np.where(np.arange(labels.shape[1]) < 2, emit[0], NONE)
            else:
                skip = np.where(skips, shifted(paths, 2), NONE)
                paths = np.logaddexp(np.logaddexp(paths, shifted(paths, 1)), skip) + emit[t]
            alpha[:, t] = np.where(inside & (t < steps)[:, None], paths, NONE)
            paths = alpha[:, t]
        rows, end = np.arange(len(labels)), steps - 1
        before = np.where(lengths > 0, alpha[rows, end, 2 * lengths - 1], NONE)
        losses = -np.logaddexp(alpha[rows, end, 2 * lengths], before)
    losses = np.where(steps == 0, np.where(lengths == 0, 0.0, np.inf), losses).astype(log_probs.dtype)
    return losses, alpha


@ctc_forward.numba(python=True)
def ctc_forward(log_probs, targets, steps, lengths, blank):
    count, batch = log_probs.shape[:2]
    losses = np.empty(batch, log_probs.dtype)
    alpha = np.empty((batch, count, 2 * targets.shape[1] + 1), log_probs.dtype)
    forward_paths(np.ascontiguousarray(log_probs), targets, steps, lengths, blank, losses, alpha)
    return losses, alpha


@kernel(samples=backward_samples)
def ctc_backward(g, losses, log_probs, alpha, targets, steps, lengths, blank, zero_infinity):
    """The gradient of the losses, times g (N,): (T, N, C). Samples of infinite loss have NaN, or zero if zero_infinity.

    The other arguments are those of `ctc_forward`, and what it returned.
    """
    labels, skips = state_labels(targets, blank)
    emit = emitted(log_probs, labels)
    states, rows = np.arange(labels.shape[1]), np.arange(len(labels))
    ends = (states <= 2 * lengths[:, None]) & (states >= 2 * lengths[:, None] - 1)
    ahead = np.zeros_like(skips)
    ahead[:, :-2] = skips[:, 2:]
    grad = np.zeros_like(log_probs)
    beta = np.full(labels.shape, NONE, log_probs.dtype)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for t in range(len(log_probs) - 1, -1, -1):
            skip = np.where(ahead, shifted(beta, -2), NONE)
            moved = np.logaddexp(np.logaddexp(beta, shifted(beta, -1)), skip)
            start = np.where(ends, 0.0, NONE).astype(beta.dtype)
            beta = np.where((t == steps - 1)[:, None], start, np.where((t < steps)[:, None], moved, NONE)) + emit[t]
            through = alpha[:, t] + beta
            paths = np.full((len(labels), log_probs.shape[2]), NONE, log_probs.dtype)
            for s in states:
                paths[rows, labels[:, s]] = np.logaddexp(paths[rows, labels[:, s]], through[:, s])
            p = log_probs[t]
            here = (np.exp(p) - np.exp(paths + losses[:, None] - p)) * g[:, None]
            grad[t] = np.where((t < steps)[:, None], here, 0.0)
    if zero_infinity:
        grad[:, losses == np.inf] = 0.0
    return grad


@ctc_backward.numba(python=True)
def ctc_backward(g, losses, log_probs, alpha, targets, steps, lengths, blank, zero_infinity):
    grad = np.zeros(log_probs.shape, log_probs.dtype)
    log_probs, g = np.ascontiguousarray(log_probs), np.ascontiguousarray(g)
    backward_paths(g, losses, log_probs, alpha, targets, steps, lengths, blank, zero_infinity, grad)
    return grad
