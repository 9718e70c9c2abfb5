"""Connectionist temporal classification: the loss of a label sequence without alignment."""

# The names in composites and rules are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import ctc as kernels
from minigrad.registry import FUNCTIONAL, Op, composite, on_every_path
from minigrad.samples import S, constant, of
from minigrad.shapes import index_of


class ctc(Op):
    """The loss of each sample; called by `ctc_loss`."""

    public, fresh, aux, backward_name = (), True, ("alpha", "plain"), "CtcLossBackward0"

    def forward(log_probs, /, targets, steps, lengths, blank, zero_infinity):
        plain, alpha = kernels.ctc_forward(log_probs, targets, steps, lengths, blank)
        return (np.where(plain == np.inf, plain.dtype.type(0), plain) if zero_infinity else plain), alpha, plain

    def grad_log_probs(g, log_probs, alpha, plain, targets, steps, lengths, blank, zero_infinity):
        return ctc_gradient(g, plain, log_probs, alpha, targets, steps, lengths, blank, zero_infinity)


class ctc_gradient(Op):
    """The gradient of `ctc`, which has no derivative here, nor in PyTorch."""

    public, fresh, constant = (), True, ("plain", "alpha")

    def forward(grad, plain, log_probs, alpha, /, targets, steps, lengths, blank, zero_infinity):
        return kernels.ctc_backward(grad, plain, log_probs, alpha, targets, steps, lengths, blank, zero_infinity)

    def vjp(g):
        raise RuntimeError("derivative for ctc_loss_backward is not implemented: ctc_loss can be differentiated once")


@on_every_path("ctc_lengths")
def ctc_lengths(name, given, batch, most):
    """Lengths, given as a tensor, tuple or list, as an array."""
    if isinstance(given, tuple | list):
        array = np.array([index_of(n, "ctc_loss", name) for n in given], np.int64)
    else:
        array = given.array
        if array.dtype.kind not in "iu":
            raise RuntimeError(f"{name} must be integral")
    if array.size != batch:
        raise RuntimeError(f"{name} must be of size batch_size: got {array.size} lengths for a batch of {batch}")
    array = array.reshape(-1).astype(np.int64)
    for bad in array[(array < 0) | (array > most)]:
        limit = "least 0" if bad < 0 else f"most {most}"
        raise RuntimeError(f"Expected {name} to have value at {limit}, but got value {bad} in ctc_loss()")
    return array


@on_every_path("ctc_targets")
def ctc_targets(targets, lengths, classes):
    """Targets (N, S), or one after the other, as rows (N, S) of labels; 0 beyond a sample's length."""
    array, longest = targets.array, int(lengths.max(initial=0))
    rows = np.zeros((len(lengths), longest), np.int64)
    inside = np.arange(longest) < lengths[:, None]
    if array.ndim == 1:
        if array.size != lengths.sum():
            raise RuntimeError(
                f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size {array.size} for argument "
                "'targets' of ctc_loss(): 1-dimensional targets are the samples' labels one after the other"
            )
        rows[inside] = array
    elif array.ndim == 2:
        if len(array) != len(lengths):
            raise RuntimeError(
                f"Expected tensor to have size {len(lengths)} at dimension 0, but got size {len(array)} for argument "
                "'targets' of ctc_loss()"
            )
        if array.shape[1] < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size {array.shape[1]} for "
                "argument 'targets' of ctc_loss()"
            )
        rows[inside] = array[:, :longest][inside]
    else:
        raise RuntimeError(
            f"Expected 1 to 2 dimensions, but got {array.ndim}-dimensional tensor for argument 'targets'"
        )
    if rows.size and not 0 <= rows.min() <= rows.max() < classes:
        raise RuntimeError(
            f"ctc_loss(): expected targets from 0 to {classes - 1}, but got {rows.min()} to {rows.max()}"
        )
    return rows


def normal(scores):
    """Scores as log-probabilities along the last dimension."""
    return constant(scores - np.log(np.exp(scores).sum(-1, keepdims=True)))


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(normal(make(6, 2, 4)), np.array([[1, 1, 3], [2, 1, 0]]), np.array([6, 5]), np.array([3, 2])),
        lambda make: S(normal(make(5, 2, 4)), np.array([1, 3, 2]), (5, 4), (1, 2), blank=0, reduction="sum"),
        lambda make: S(normal(make(4, 3)), np.array([1, 0]), (4,), (2,), blank=2, reduction="none"),
    ),
)
def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False)
    -> Tensor

    The negative log-likelihood of label sequences summed over all their alignments with the time steps: log_probs
    (T, N, C), or (T, C) for one sample, are log-softmaxed; targets (N, S), or all one after the other; lengths are
    tensors, tuples or lists. "mean" first divides each loss by its number of labels. zero_infinity: targets too long
    for their input count nothing, instead of infinitely much. It has no second derivative.
    (Graves et al. 2006; F.ctc_loss)
    """
    tensors_only("ctc_loss", log_probs=log_probs, targets=targets)
    if not (isinstance(input_lengths, tuple | list) and isinstance(target_lengths, tuple | list)):
        tensors_only("ctc_loss", input_lengths=input_lengths, target_lengths=target_lengths)
    reduction = reduction_of(reduction)
    single = log_probs.ndim == 2
    if not input_size(log_probs):
        raise RuntimeError("log_probs tensor must not be empty")
    if log_probs.ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 3-dimensional tensor, but got {log_probs.ndim}-dimensional tensor for argument 'log_probs' of "
            f"ctc_loss(): log_probs have shape (T, N, C) or (T, C), not {shape_text(log_probs.shape)}"
        )
    float_only("ctc_loss", log_probs)
    if single:
        log_probs = unsqueeze(log_probs, 1)
    time, batch, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in label range: got {blank} for {classes} classes")
    steps = ctc_lengths("input_lengths", input_lengths, batch, time)
    lengths = ctc_lengths("target_lengths", target_lengths, batch, 2**62)
    losses = ctc(log_probs, ctc_targets(targets, lengths, classes), steps, lengths, blank, zero_infinity)
    if reduction == "mean":
        return mean(losses / np.maximum(lengths, 1).astype(np_dtype(losses)))
    if reduction == "sum":
        return sum(losses)
    return reshape(losses, ()) if single else losses
