"""Losses at their edges, each line run here and in PyTorch; their warnings; ctc_loss by counting alignments."""

import itertools
import math
import warnings

import numpy as np
import pytest
from both import check, lines

import minigrad
import minigrad.nn.functional as F
from minigrad.autograd import gradcheck

torch = pytest.importorskip("torch")

PAIRS = """
F.mse_loss(g, a)
F.mse_loss(g, a, reduction='none')
F.mse_loss(g, i)
F.mse_loss(a, a.double())
F.mse_loss(g, v)
F.mse_loss(a, v, reduction='none')
F.mse_loss(g, a, weight=a.abs())
F.mse_loss(g, a, weight=a.abs(), reduction='sum')
F.mse_loss(g, a, weight=v)
F.mse_loss(i, i)
F.mse_loss(b, b)
F.mse_loss(e, e)
F.mse_loss(a, e)
F.mse_loss(a, a, reduction='batchmean')
F.mse_loss(g, a, size_average=False)
F.mse_loss(g, a, reduce=False)
F.mse_loss(g, a, True, True)
F.mse_loss(g, a, reduction='elementwise_mean')
F.l1_loss(g, a)
F.l1_loss(g, a, reduction='none')
F.l1_loss(i, i, reduction='sum')
F.l1_loss(i, i)
F.l1_loss(b, b)
F.l1_loss(g, a, weight=a.abs())
F.l1_loss(g, a, None, False)
T.autograd.grad(F.l1_loss(y, T.zeros(5)), y)
F.smooth_l1_loss(g, a)
F.smooth_l1_loss(g, a, beta=0.0)
F.smooth_l1_loss(g, a, beta=-1.0)
F.smooth_l1_loss(g, v, reduction='sum', beta=2.5)
F.smooth_l1_loss(i, i)
F.smooth_l1_loss(i, a)
F.smooth_l1_loss(a, a.double())
F.smooth_l1_loss(y, T.zeros(5), reduction='none')
T.autograd.grad(F.smooth_l1_loss(y, T.zeros(5)), y)
T.autograd.grad(F.smooth_l1_loss(T.zeros(5), y, beta=0.5), y)
F.huber_loss(g, a)
F.huber_loss(g, a, delta=0.0)
F.huber_loss(g, a, delta=2.0, reduction='sum')
F.huber_loss(a, a.double())
F.huber_loss(i, a)
F.huber_loss(a, i)
F.huber_loss(i, i)
F.huber_loss(g, a, weight=a.abs())
F.huber_loss(g, a, weight=v)
T.autograd.grad(F.huber_loss(y, T.zeros(5)), y)
T.autograd.grad(F.huber_loss(T.zeros(5), y, delta=2.0), y)
F.binary_cross_entropy(p, q)
F.binary_cross_entropy(p, q, weight=v)
F.binary_cross_entropy(p, q, v, reduction='none')
F.binary_cross_entropy(p, T.ones(2, 2))
F.binary_cross_entropy(p, i.float())
F.binary_cross_entropy(a, q)
F.binary_cross_entropy(p, i)
F.binary_cross_entropy(p, q.double())
F.binary_cross_entropy(b, b)
F.binary_cross_entropy(T.tensor([0.0, 1.0, 0.5]), T.tensor([1.0, 0.0, 0.5]), reduction='none')
T.autograd.grad(F.binary_cross_entropy(end, T.tensor([1.0, 0.0, 0.5])), end)
F.binary_cross_entropy_with_logits(g, q)
F.binary_cross_entropy_with_logits(g, q, v)
F.binary_cross_entropy_with_logits(g, q, pos_weight=v)
F.binary_cross_entropy_with_logits(g, q, v, pos_weight=v, reduction='none').detach()
F.binary_cross_entropy_with_logits(a * 1e4, q, reduction='none')
F.binary_cross_entropy_with_logits(a, v)
F.binary_cross_entropy_with_logits(a, i)
F.binary_cross_entropy_with_logits(i, a)
F.binary_cross_entropy_with_logits(a.double(), q)
F.binary_cross_entropy_with_logits(a, q.double())
F.binary_cross_entropy_with_logits(a, q, pos_weight=g)
F.binary_cross_entropy_with_logits(a, q, weight=g)
F.kl_div(g, q)
F.kl_div(g, q, reduction='batchmean')
F.kl_div(g, q, reduction='none')
F.kl_div(g, a, reduction='sum', log_target=True)
F.kl_div(g, a, reduction='sum')
F.kl_div(s, s, reduction='batchmean')
F.kl_div(a, T.zeros(2, 3), reduction='none')
F.kl_div(g, q, False)
F.kl_div(i, i)
F.kl_div(a, i)
F.kl_div(a, v, reduction='sum')
F.kl_div(a, q, reduction='x')
F.poisson_nll_loss(g, a.abs())
F.poisson_nll_loss(p, i, log_input=False, full=True)
F.poisson_nll_loss(p, i, False, True, None, 0.1, None, 'none')
F.poisson_nll_loss(a, a, reduction='x')
F.poisson_nll_loss(i, i)
F.poisson_nll_loss(b, b)
F.gaussian_nll_loss(g, a, T.ones(2, 3))
F.gaussian_nll_loss(g, a, T.ones(2, 1), full=True)
F.gaussian_nll_loss(g, a, T.ones(2), reduction='none')
F.gaussian_nll_loss(g, a, 0.5)
F.gaussian_nll_loss(g, a, 0.0)
F.gaussian_nll_loss(g, a, -0.5)
F.gaussian_nll_loss(g, a, T.ones(3))
F.gaussian_nll_loss(g, a, T.ones(2, 3) * -1)
F.gaussian_nll_loss(g, a, T.ones(2, 3), reduction='x')
F.gaussian_nll_loss(a, a, T.ones(2, 3).long())
T.autograd.grad(F.gaussian_nll_loss(a, a + 1, end.expand(2, 3)), end)
F.soft_margin_loss(g, T.tensor([1.0, -1.0, 1.0]))
F.soft_margin_loss(g, T.tensor([1, -1, 1]), reduction='sum')
F.soft_margin_loss(a * 1e4, a, reduction='none')
F.soft_margin_loss(i, i)
F.soft_margin_loss(b, b)
F.soft_margin_loss(a, a.double())
F.soft_margin_loss(a, g)
"""

CLASSES = """
F.cross_entropy(g, t)
F.cross_entropy(g, t, reduction='none')
F.cross_entropy(g, t, label_smoothing=0.2)
F.cross_entropy(g, t, v, label_smoothing=0.2)
F.cross_entropy(g, t, v, ignore_index=2, label_smoothing=0.2)
F.cross_entropy(g, t, v, reduction='sum')
F.cross_entropy(g, t, v, reduction='none')
F.cross_entropy(g, t, ignore_index=0)
F.cross_entropy(g, T.tensor([-100, -100]))
F.cross_entropy(g, T.tensor([-100, -100]), reduction='sum')
F.cross_entropy(g, T.tensor([-100, -100]), reduction='none')
F.cross_entropy(g, T.tensor([-100, 2]), label_smoothing=0.1)
T.autograd.grad(F.cross_entropy(g, T.tensor([-100, -100])), g)
F.cross_entropy(a, q)
F.cross_entropy(a, q, v, label_smoothing=0.1)
F.cross_entropy(T.zeros(2, 0), T.zeros(2, 0), label_smoothing=0.1)
F.cross_entropy(T.zeros(2, 0, 3), T.zeros(2, 0, 3), label_smoothing=0.1, reduction="none")
F.cross_entropy(g, q, reduction='none')
F.cross_entropy(g, q, reduction='sum')
F.cross_entropy(x4, T.zeros(2, 4).long())
F.cross_entropy(x4, T.softmax(x4, 1))
F.cross_entropy(img, T.ones(2, 6, 6).long(), T.tensor([0.3, 0.7]))
F.cross_entropy(v, T.tensor(1))
F.cross_entropy(v, T.tensor([0.2, 0.3, 0.5]))
F.cross_entropy(T.zeros(0, 3), T.zeros(0).long())
F.cross_entropy(T.zeros(0, 3), T.zeros(0).long(), reduction='sum')
F.cross_entropy(T.zeros(0, 3), T.zeros(0, 3))
F.cross_entropy(a * 1e4, t, reduction='none')
F.cross_entropy(a, t, size_average=False)
F.cross_entropy(a, t, reduce=False)
F.cross_entropy(a, u8[:2])
F.cross_entropy(a, T.tensor([0, 3]))
F.cross_entropy(a, T.tensor([0, -1]))
F.cross_entropy(a, T.tensor([0, 1, 2]))
F.cross_entropy(a, T.tensor([[0], [1]]))
F.cross_entropy(a, t.int())
F.cross_entropy(a, t.float())
F.cross_entropy(a, q.double())
F.cross_entropy(i, t)
F.cross_entropy(s, T.tensor(0))
F.cross_entropy(a, t, T.ones(2))
F.cross_entropy(a, t, v.double())
F.cross_entropy(a, t, label_smoothing=1.5)
F.cross_entropy(a, t, reduction='x')
F.cross_entropy(a, q, ignore_index=1)
F.cross_entropy(x4, T.zeros(2, 3).long())
F.cross_entropy(a, t, g[0])
F.cross_entropy(a, [0, 2])
F.nll_loss(g, t)
F.nll_loss(g, t, v)
F.nll_loss(g, t, v, reduction='none')
F.nll_loss(g, t, ignore_index=2)
F.nll_loss(g, T.tensor([-100, -100]))
F.nll_loss(x4, T.zeros(2, 4).long())
F.nll_loss(img, T.ones(2, 6, 6).long(), reduction='sum')
F.nll_loss(v, T.tensor(1))
F.nll_loss(T.zeros(0, 3), T.zeros(0).long())
F.nll_loss(a, T.tensor([0, 3]))
F.nll_loss(a, T.tensor([0, 1, 2]))
F.nll_loss(a, t.float())
F.nll_loss(s, T.tensor(0))
F.nll_loss(x4, T.zeros(2, 3).long())
F.nll_loss(a, t, T.ones(4))
F.nll_loss(i, t)
F.linear_cross_entropy(g, T.ones(4, 3).cumsum(0), t).detach()
F.linear_cross_entropy(a, T.ones(4, 3).cumsum(0), t, linear_bias=T.arange(4.0), ignore_index=2, label_smoothing=0.1)
F.linear_cross_entropy(a, T.ones(4, 2, 3).cumsum(0), T.ones(2, 2).long(), linear_bias=T.ones(4, 2), reduction='none')
F.linear_cross_entropy(v, T.ones(4, 3).cumsum(0), T.tensor(1), weight=T.arange(4.0))
F.linear_cross_entropy(a, T.eye(3), q)
F.linear_cross_entropy(a, T.ones(4, 2), t)
"""

MARGINS = """
F.margin_ranking_loss(g, a, T.ones(2, 3))
F.margin_ranking_loss(v, v, T.ones(3), 0.5)
F.margin_ranking_loss(v, a, T.ones(3))
F.margin_ranking_loss(a, v[None], -T.ones(1, 3), 1.0, reduction='none')
T.autograd.grad(F.margin_ranking_loss(y, T.zeros(5), T.ones(5), 1.0), y)
F.hinge_embedding_loss(g, T.tensor([1, -1, 1]))
F.hinge_embedding_loss(g, T.tensor([1.0, -1.0, 0.0]), 2.0, reduction='none')
F.hinge_embedding_loss(i, i - 3, reduction='sum')
F.hinge_embedding_loss(i, i)
F.hinge_embedding_loss(b, b)
T.autograd.grad(F.hinge_embedding_loss(y, T.tensor([1, -1, -1, 1, -1])), y)
F.cosine_embedding_loss(g, a, t - 1)
F.cosine_embedding_loss(g, a, T.ones(2), 0.3, reduction='none')
F.cosine_embedding_loss(v, v, T.tensor(-1))
F.cosine_embedding_loss(a, a, T.ones(2, 1))
F.cosine_embedding_loss(v, v, T.ones(3))
F.cosine_embedding_loss(a, a, T.tensor(1))
F.cosine_embedding_loss(g, T.zeros(2, 3), T.ones(2))
F.triplet_margin_loss(g, a, a + 1)
F.triplet_margin_loss(a - 1, a, a + 1, 2.0, 1.0, 0.1, True, reduction='none')
F.triplet_margin_loss(v, v + 1, v - 3)
F.triplet_margin_loss(a, a, v)
F.triplet_margin_loss(a, a, a, margin=0.0)
F.triplet_margin_with_distance_loss(g, a, a + 1)
F.triplet_margin_with_distance_loss(g, a, a + 1, distance_function=lambda x, y: (x - y).abs().sum(-1), swap=True)
F.triplet_margin_with_distance_loss(a, a, a, margin=-1.0)
F.triplet_margin_with_distance_loss(a, a, v)
F.triplet_margin_with_distance_loss(a, a, a, reduction='x')
F.multi_margin_loss(g, t)
F.multi_margin_loss(g, t, 2, 0.5, v)
F.multi_margin_loss(a, t, weight=v, reduction='none')
F.multi_margin_loss(v, T.tensor(1))
F.multi_margin_loss(v, T.tensor([1]), reduction='none')
F.multi_margin_loss(v, T.tensor(1), reduction='none')
F.multi_margin_loss(a, T.tensor([0, 3]))
F.multi_margin_loss(a, T.tensor([0, -1]))
F.multi_margin_loss(a, T.tensor([0, 1, 2]))
F.multi_margin_loss(a, t, 3)
F.multi_margin_loss(a, t, weight=T.ones(2))
F.multi_margin_loss(a, t, weight=a)
F.multi_margin_loss(x4, t)
F.multi_margin_loss(i, t)
F.multi_margin_loss(a, t, weight=g[0])
T.autograd.grad(F.multi_margin_loss(T.stack([y, y + 1]), t), y)
F.multilabel_margin_loss(g, T.tensor([[2, -1, 1], [0, 1, 2]]))
F.multilabel_margin_loss(a, T.tensor([[-1, 0, 1], [0, 0, -1]]), reduction='none')
F.multilabel_margin_loss(v, T.tensor([1, -1, 0]), reduction='none')
F.multilabel_margin_loss(v, T.tensor([1, -1, 0]))
F.multilabel_margin_loss(a, T.tensor([[3, -1, 1], [0, 1, 2]]))
F.multilabel_margin_loss(a, t)
F.multilabel_margin_loss(a, a)
F.multilabel_margin_loss(i, i - 4)
F.multilabel_soft_margin_loss(g, q)
F.multilabel_soft_margin_loss(g, q, v, reduction='none')
F.multilabel_soft_margin_loss(v, v)
F.multilabel_soft_margin_loss(a, q, reduction='x')
F.multilabel_soft_margin_loss(i, i)
"""

CTC = """
F.ctc_loss(c, l, (6, 5), (3, 2))
F.ctc_loss(c, l, T.tensor([6, 5]), T.tensor([3, 2]), reduction='none')
F.ctc_loss(c, l, T.tensor([6, 5]), T.tensor([3, 0]), reduction='none')
F.ctc_loss(c, l, [6, 5], [3, 2], blank=3, reduction='sum')
F.ctc_loss(c, T.tensor([1, 2, 2, 2, 3]), (6, 5), (3, 2), reduction='none')
F.ctc_loss(c, l.int(), T.tensor([6, 5]).int(), T.tensor([3, 2]).int())
F.ctc_loss(c[:, 0], l[0], T.tensor(6), T.tensor(3))
F.ctc_loss(c[:, 0], l[0], (6,), (3,), reduction='none')
F.ctc_loss(c, l, (2, 5), (3, 2), reduction='none')
F.ctc_loss(c, l, (2, 5), (3, 2), zero_infinity=True, reduction='none')
F.ctc_loss(c, l, (0, 0), (3, 0), reduction='sum')
F.ctc_loss(c.double(), l, (6, 5), (3, 2))
F.ctc_loss(c.requires_grad_(), l, (6, 5), (3, 2), reduction='none')
F.ctc_loss(c.long(), l, (6, 5), (3, 2))
F.ctc_loss(c, l, (7, 5), (3, 2))
F.ctc_loss(c, l, (-1, 5), (3, 2))
F.ctc_loss(c, l, (6, 5), (4, 2))
F.ctc_loss(c, l, (6,), (3, 2))
F.ctc_loss(c, l, (6, 5), (3,))
F.ctc_loss(c, l[:1], (6, 5), (3, 2))
F.ctc_loss(c, l[0], (6, 5), (3, 2))
F.ctc_loss(c, l[None], (6, 5), (3, 2))
F.ctc_loss(c, l, (6, 5), (3, 2), blank=4)
F.ctc_loss(c, l, (6, 5), (3, 2), reduction='x')
F.ctc_loss(c, l, T.tensor([6.0, 5.0]), T.tensor([3, 2]))
F.ctc_loss(c[:, :0], l[:0], (), ())
z = c.requires_grad_(); T.autograd.grad(F.ctc_loss(z, l, (6, 5), (3, 2)), z)
z = c.requires_grad_(); T.autograd.grad(F.ctc_loss(z, l, (5, 2), (2, 3), zero_infinity=True, reduction='sum'), z)
z = c.requires_grad_(); T.autograd.grad(F.ctc_loss(z, l, (5, 2), (2, 3), reduction='sum'), z)
z = c.requires_grad_(); y, = T.autograd.grad(F.ctc_loss(z, l, (6, 5), (3, 2)), z, create_graph=True); y.sum().backward()
"""

SETUP = """
t = T.tensor([0, 2])
y = T.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], requires_grad=True)
p = T.tensor([[0.1, 0.5, 0.9], [0.3, 0.999, 1e-6]])
q = T.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
end = T.tensor([0.0, 1.0, 0.5], requires_grad=True)
c = F.log_softmax(T.sin(T.arange(48.0) * 7).reshape(6, 2, 4), 2)
l = T.tensor([[1, 2, 2], [2, 3, 1]])
"""


@pytest.mark.parametrize("code", lines(PAIRS + CLASSES + MARGINS + CTC))
def test_line(code):
    check(SETUP + code, torch)


def warned(T, code):
    """The kinds of warnings that a line gives, and the beginnings of their texts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        eval(code, {"F": T.nn.functional, "a": T.ones(2, 3), "v": T.ones(3), "x4": T.ones(2, 3, 4)})
    return [(w.category.__name__, str(w.message)[:40]) for w in caught]


@pytest.mark.parametrize(
    "code",
    lines("""
    F.mse_loss(a, v)
    F.l1_loss(a, v)
    F.smooth_l1_loss(a, v)
    F.huber_loss(a, v)
    F.mse_loss(a, a)
    F.mse_loss(a, a, size_average=True)
    F.mse_loss(a, a, reduce=False)
    F.mse_loss(a, a, reduction='elementwise_mean')
    F.binary_cross_entropy(a, a, None, False)
    F.soft_margin_loss(a, a, False)
    F.poisson_nll_loss(a, a, size_average=False)
    F.margin_ranking_loss(a, a, a, reduce=True)
    F.kl_div(a, a)
    F.kl_div(a, a, reduction='batchmean')
    F.kl_div(a, a, False)
    F.softmax(a)
    F.log_softmax(a)
    F.softmin(a)
    F.dropout2d(a)
    F.dropout2d(x4)
    F.dropout3d(a)
    F.gumbel_softmax(a, eps=1e-5)
    """),
)
def test_warnings_are_pytorchs(code):
    assert warned(minigrad, code) == warned(torch, code)


def alignments(log_probs, labels, blank):
    """The probability of a sequence of labels, summed over each of its alignments, one by one."""
    total = 0.0
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        if [c for c, _ in itertools.groupby(path) if c != blank] == list(labels):
            total += math.exp(math.fsum(log_probs[t, c] for t, c in enumerate(path)))
    return total


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 3], [3, 1, 3]])
def test_ctc_loss_counts_every_alignment(labels, blank):
    scores = minigrad.sin(minigrad.arange(20.0, dtype=minigrad.float64).reshape(5, 4) * 5)
    log_probs = F.log_softmax(scores, 1)
    loss = F.ctc_loss(log_probs, minigrad.tensor(labels).long(), (5,), (len(labels),), blank, "none")
    assert math.isclose(loss.item(), -math.log(alignments(log_probs.numpy(), labels, blank)), rel_tol=1e-12)


def test_ctc_gradient_agrees_with_differences():
    scores = minigrad.tensor(np.sin(np.arange(48.0) * 7).reshape(6, 2, 4), requires_grad=True)
    targets = minigrad.tensor([[1, 2, 2], [2, 3, 1]])
    for reduction in ("mean", "sum", "none"):
        assert gradcheck(
            lambda x, how=reduction: F.ctc_loss(F.log_softmax(x, 2), targets, (6, 4), (3, 2), reduction=how), (scores,)
        )


def test_ctc_kernels_agree_with_their_definition():
    from minigrad.kernels import ctc

    draw = np.random.default_rng(0)
    log_probs = np.log(draw.dirichlet(np.ones(5), (7, 4)))
    inputs = log_probs, draw.integers(0, 5, (4, 3)), np.array([7, 2, 0, 5]), np.array([3, 3, 0, 1]), 0
    losses, alpha = ctc.ctc_forward.twin(*inputs)
    for ours, theirs in zip(ctc.ctc_forward.compiled(*inputs), (losses, alpha), strict=True):
        np.testing.assert_allclose(ours[:2], theirs[:2], rtol=1e-12)
    for zero in (False, True):
        arguments = np.ones(4), losses, log_probs, alpha, *inputs[1:], zero
        np.testing.assert_allclose(
            ctc.ctc_backward.compiled(*arguments), ctc.ctc_backward.twin(*arguments), rtol=1e-9, atol=1e-12
        )


def test_warnings_name_the_line_of_the_caller():
    a, v = minigrad.ones(2, 3), minigrad.ones(3)
    calls = (
        lambda: F.mse_loss(a, v),
        lambda: F.mse_loss(a, a, size_average=False),
        lambda: F.kl_div(a, a),
        lambda: F.softmax(a),
        lambda: F.dropout2d(a),
        lambda: F.gumbel_softmax(a, eps=1.0),
    )
    for call in calls:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert [w.filename for w in caught] == [__file__]
