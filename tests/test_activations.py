"""Activations, softmax, dropout, attention and normalisation at their edges, each line run here and in PyTorch."""

import pytest
from both import check, lines

torch = pytest.importorskip("torch")

KINKS = """
T.autograd.grad(F.relu(k).sum(), k)
T.autograd.grad(F.relu6(k).sum(), k)
T.autograd.grad(F.leaky_relu(k, 0.3).sum(), k)
T.autograd.grad(F.elu(k, 2.0).sum(), k)
T.autograd.grad(F.celu(k, 2.0).sum(), k)
T.autograd.grad(F.selu(k).sum(), k)
T.autograd.grad(F.hardtanh(k).sum(), k)
T.autograd.grad(F.hardsigmoid(k).sum(), k)
T.autograd.grad(F.hardswish(k).sum(), k)
T.autograd.grad(F.hardshrink(k).sum(), k)
T.autograd.grad(F.softshrink(k).sum(), k)
T.autograd.grad(F.threshold(k, 0.5, 9.0).sum(), k)
T.autograd.grad(F.softsign(k).sum(), k)
T.autograd.grad(F.prelu(k, T.tensor([0.2])).sum(), k)
T.autograd.grad(F.logsigmoid(k).sum(), k)
T.autograd.grad(F.softplus(k, 2.0, 1.0).sum(), k)
T.autograd.grad(F.silu(k).sum(), k)
T.autograd.grad(F.mish(k).sum(), k)
T.autograd.grad(F.gelu(k * 0.5).sum(), k)
T.autograd.grad(F.tanhshrink(k).sum(), k)
T.autograd.grad(F.glu(k[:10] + 0.1).sum(), k)
"""

VALUES = """
[f(odd) for f in (F.relu, F.relu6, F.leaky_relu, F.elu, F.celu, F.selu)]
[f(odd) for f in (F.hardtanh, F.hardsigmoid, F.hardshrink, F.softshrink, F.softsign)]
[f(odd) for f in (F.logsigmoid, F.softplus, F.silu, F.tanhshrink, F.sigmoid, F.tanh)]
[T.autograd.grad(f(n), n, T.arange(20.0)) for f in (F.relu, F.leaky_relu, F.elu, F.celu, F.selu)]
[T.autograd.grad(f(n), n, T.arange(20.0)) for f in (F.hardsigmoid, F.hardswish)]
F.threshold(odd, 0.5, 2.0)
F.prelu(odd, T.tensor(0.5))
F.relu(g)
F.relu6(g)
F.leaky_relu(g)
F.elu(g)
F.celu(g)
F.selu(g)
F.hardtanh(g)
F.threshold(g, 1, 2)
F.prelu(g, T.ones(1))
F.rrelu(g)
F.rrelu(g, training=True)
F.glu(x4)
F.hardshrink(g)
T.hardshrink(a)
a.hardshrink(2.0)
a.prelu(T.tensor([0.1, 0.2, 0.3]))
T.prelu(a, T.tensor([0.1, 0.2, 0.3]))
T.selu(a)
T.celu(a, 2.0)
T.threshold(a, 1, 2)
T.rrelu(a, 0.1, 0.2, True)
F.relu(i - 3)
F.relu6(i)
F.hardtanh(i, 2, 4)
F.hardtanh(i, 2.7, 4.2)
F.threshold(i, 2, 9)
F.threshold(i, 2.5, 9.5)
F.softsign(i)
F.tanhshrink(i)
F.sigmoid(i)
F.tanh(b)
F.relu(a.t())
F.glu(x4, 0)
F.glu(x4.transpose(0, 2), -1)
y = a.clone(); F.relu_(y) is y
y = a.clone(); F.relu(y, True); y
y = a.clone(); F.relu6(y, inplace=True); y
y = a.clone(); F.leaky_relu_(y, 0.2); y
y = a.clone(); F.leaky_relu(y, 0.2, True); y
y = a.clone(); F.elu_(y, 0.5); y
y = a.clone(); F.celu_(y, alpha=0.5); y
y = a.clone(); T.celu_(y, 0.5); y
y = a.clone(); F.selu_(y); y
y = a.clone(); T.selu_(y); y
y = a.clone(); F.hardtanh_(y, -0.5, 0.5); y
y = a.clone(); F.threshold_(y, 1, 2); y
y = a.clone(); T.threshold_(y, 1, 2); y
y = a.clone(); F.rrelu_(y); y
y = a.clone(); T.rrelu_(y); y
y = a.clone(); F.rrelu(y, training=True, inplace=True); y
y = a.clone(); F.mish(y, inplace=True); y
y = a.clone(); F.silu(y, inplace=True); y
y = a.clone(); F.hardswish(y, inplace=True); y
y = a.clone(); F.hardsigmoid(y, inplace=True); y
y = g * 1; F.hardtanh_(y); T.autograd.grad(y.sum(), g)
y = g * 1; T.relu_(y); T.autograd.grad(y.sum(), g)
"""

REFUSED = """
F.elu(i)
F.selu(i)
F.celu(b)
F.gelu(i)
F.silu(i)
F.mish(i)
F.softplus(i)
F.leaky_relu(i)
F.hardsigmoid(i)
F.hardswish(i)
F.hardshrink(i)
F.softshrink(i)
F.logsigmoid(i)
F.glu(T.tensor([1, 2]))
F.rrelu(i)
F.relu(b)
F.relu6(b)
F.hardtanh(b)
F.threshold(b, 1, 2)
F.softsign(b)
F.tanhshrink(b)
F.elu_(i)
F.relu_(b)
F.hardtanh(a, 2.0, 1.0)
F.hardtanh(a, 2.0, 1.0, True)
F.softshrink(a, -1.0)
F.celu(a, 0.0)
F.glu(a)
F.glu(s)
F.glu(a, 5)
F.gelu(a, approximate='x')
F.rrelu(a, 0.5, 0.1)
F.prelu(a, T.ones(2))
F.prelu(a, T.ones(3, 1))
F.prelu(a, T.ones(3).double())
F.prelu(s, T.ones(3))
F.prelu(a, 0.2)
F.relu_(g)
"""

SOFTMAX = """
F.softmax(T.full((2, 3), -float('inf')), 1)
F.log_softmax(T.full((2, 3), -float('inf')), 1)
T.logsumexp(T.full((2, 3), -float('inf')), 1)
F.softmax(T.tensor([1e4, -1e4, 0.0]), 0)
F.log_softmax(T.tensor([1e30, -1e30, 0.0]), 0)
F.log_softmax(T.tensor([float('inf'), 0.0]), 0)
F.softmax(T.tensor([float('nan'), 0.0]), 0)
y = T.full((2, 2), -float('inf'), requires_grad=True); T.autograd.grad(F.softmax(y, 1).sum(), y)
T.softmax(a, 1, T.float64)
T.softmax(i, 1, T.float32)
a.softmax(1, T.float64)
a.softmax(dim=0, dtype=T.float64)
F.softmax(a, 1, _stacklevel=5)
F.softmax(a, -1, 3, T.float64)
F.softmax(i, 1, dtype=T.float64)
F.log_softmax(i, 1, dtype=T.float64)
F.softmin(i, 1, dtype=T.float64)
F.softmax(i, 1)
F.log_softmax(b, 1)
F.softmin(b, 1)
F.softmax(a, 2)
F.softmax(T.zeros(0, 3), 1)
F.softmax(T.zeros(3, 0), 1)
T.special.softmax(a, 1)
T.special.log_softmax(a, 1)
F.softmax(s, 0)
F.softmax(s, -1)
F.gumbel_softmax(a)
F.gumbel_softmax(a, 0.3, True)
F.gumbel_softmax(a.double(), 2.0, True, dim=0)
F.gumbel_softmax(g, hard=True)
F.gumbel_softmax(i)
"""

DROPOUT = """
F.dropout(a, 0.5)
F.dropout(a.t(), 0.5)
F.dropout(a, 0.5, False) is a
F.dropout(a, 0.0)
F.dropout(a, 1.0)
F.dropout(a, 1.5)
F.dropout(a, -0.1)
F.dropout(i, 0.5)
F.dropout(i, 0.5, False)
F.dropout(e, 0.5)
F.dropout(g, 0.5)
y = a.clone(); F.dropout(y, 0.5, inplace=True); y
T.dropout(a, 0.5, True)
F.alpha_dropout(a, 0.3, True)
F.alpha_dropout(a, 0.3)
F.alpha_dropout(i, 0.3, True)
T.alpha_dropout(a, 0.3, True)
y = a.clone(); F.alpha_dropout(y, 0.3, True, True); y
F.dropout1d(x4, 0.5)
F.dropout1d(a, 0.5)
F.dropout1d(img, 0.5)
y = a.clone(); F.dropout1d(y, 0.5, inplace=True); y
F.dropout2d(img, 0.5)
F.dropout2d(x4, 0.5)
F.dropout2d(v, 0.5)
F.dropout3d(img, 0.5)
F.dropout3d(img[None], 0.5)
F.dropout3d(v, 0.5)
F.feature_alpha_dropout(img, 0.5, True)
F.feature_alpha_dropout(v, 0.5, True)
"""

ATTENTION = """
F.scaled_dot_product_attention(x4, x4, x4)
F.scaled_dot_product_attention(x4[None] / 9, x4[None] / 9, x4[None], dropout_p=0.5)
F.scaled_dot_product_attention(a, a, a, is_causal=True, scale=0.3)
F.scaled_dot_product_attention(a, T.cat([a, a]), T.cat([a, a]), is_causal=True, scale=0.3)
F.scaled_dot_product_attention(a, a, a, T.tensor([[True, False], [False, False]]))
F.scaled_dot_product_attention(a, a, a, T.tensor([[0.0, -float('inf')], [-float('inf'), -float('inf')]]))
F.scaled_dot_product_attention(a, a, a, T.zeros(2, 2, dtype=T.float64))
F.scaled_dot_product_attention(a, a, a, T.zeros(2, 2, dtype=T.bool), 0.0, True)
F.scaled_dot_product_attention(a, a, a, scale=0.1)
F.scaled_dot_product_attention(a, a, a.double())
F.scaled_dot_product_attention(v, v, v)
F.scaled_dot_product_attention(img[:, :, :2], img[:, :1, :2], img[:, :1, :2], enable_gqa=True)
F.scaled_dot_product_attention(img[:, :, :2], img[:, :1, :2], img[:, :1, :2])
F.scaled_dot_product_attention(a, a, a, attn_mask=i[:, :2])
F.scaled_dot_product_attention(a, x4, x4)
T.autograd.grad(F.scaled_dot_product_attention(g, a, a, T.tensor([[True, False], [False, False]])).sum(), g)
F.bilinear(a, a[:, :2], T.ones(4, 3, 2))
F.bilinear(a, a[:, :2], T.ones(4, 3, 2), T.ones(4))
F.bilinear(v, v, T.ones(2, 3, 3))
F.bilinear(a, v, T.ones(2, 3, 3))
F.bilinear(a, a, T.ones(2, 3, 2))
F.bilinear(a, a, T.ones(2, 3, 3), T.ones(3))
F.bilinear(a, a.double(), T.ones(2, 3, 3))
F.bilinear(a, a[:1], T.ones(2, 3, 3))
"""

NORMS = """
F.group_norm(img, 2)
F.group_norm(img, 1, T.tensor([1.0, 2.0]), T.tensor([0.3, 1.3]))
T.group_norm(img, 2)
F.group_norm(img, 3)
T.group_norm(img, 0)
F.group_norm(v, 1)
F.group_norm(T.ones(1, 1), 1)
F.group_norm(img, 2, T.ones(3))
F.group_norm(i, 1)
F.group_norm(T.zeros(2, 4, 0), 2)
F.group_norm(T.zeros(0, 4, 2), 2)
F.instance_norm(img)
F.instance_norm(img, weight=T.tensor([1.0, 2.0]))
m = T.zeros(2); n = T.ones(2); F.instance_norm(img, m, n, momentum=0.3); (m, n)
F.instance_norm(img, T.tensor([1.0, 0.0]), T.tensor([2.0, 1.0]), use_input_stats=False)
F.instance_norm(img, use_input_stats=False)
F.instance_norm(T.ones(2, 3, 1))
F.instance_norm(img, T.zeros(3), T.zeros(3))
F.rms_norm(a, (3,))
F.rms_norm(a, [2, 3], a)
F.rms_norm(a, (3,), v, 0.1)
F.rms_norm(a.double(), (3,))
F.rms_norm(a, (2,))
F.rms_norm(a, ())
F.rms_norm(a, (3,), T.ones(2))
T.rms_norm(a, (3,))
F.normalize(a)
F.normalize(a, 1.0, 0)
F.normalize(a, float('inf'))
F.normalize(a, dim=(0, 1))
F.normalize(T.zeros(2, 3))
F.normalize(v)
F.normalize(v, dim=0)
F.normalize(i)
y = T.zeros(2, 3, requires_grad=True); T.autograd.grad(F.normalize(y).sum(), y)
F.local_response_norm(img, 2)
F.local_response_norm(x4, 3, 0.1, 0.5, 2.0)
F.local_response_norm(a, 2)
F.cosine_similarity(a, a.flip(0))
F.cosine_similarity(a, v)
F.cosine_similarity(a, v, dim=-1)
F.cosine_similarity(v, v, dim=0)
F.cosine_similarity(v, v)
F.cosine_similarity(i, i)
F.cosine_similarity(a, i)
F.cosine_similarity(a, T.zeros(2, 3))
T.cosine_similarity(a, a)
y = T.zeros(2, 3, requires_grad=True); T.autograd.grad(F.cosine_similarity(y, a).sum(), y)
F.pairwise_distance(a, a.flip(0))
F.pairwise_distance(a, v, 1.0, 0.0, True)
F.pairwise_distance(v, v + 1)
F.pairwise_distance(a, a, float('inf'))
F.pairwise_distance(a, T.ones(2, 2))
T.pairwise_distance(a, a)
F.pdist(a)
F.pdist(x4[0])
F.pdist(x4[0], 0.0)
F.pdist(x4[0], 1.0)
F.pdist(x4[0], 3.0)
F.pdist(x4[0], float('inf'))
F.pdist(T.zeros(1, 3))
F.pdist(T.zeros(0, 3))
F.pdist(v)
F.pdist(i)
F.pdist(a, -1.0)
y = T.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 1.0]], requires_grad=True); T.autograd.grad(F.pdist(y).sum(), y)
"""


SETUP = """
k = T.tensor([-6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 7.0], requires_grad=True)
n = T.full((20,), float('nan'), requires_grad=True)
odd = T.tensor([float('nan'), float('inf'), -float('inf'), -0.0, 1e-30, -200.0, 200.0])
"""


@pytest.mark.parametrize("code", lines(KINKS + VALUES + REFUSED + SOFTMAX + DROPOUT + ATTENTION + NORMS))
def test_line(code):
    check(SETUP + code, torch)
