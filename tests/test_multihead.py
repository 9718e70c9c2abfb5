"""Multi-head attention with every kind of mask and projection, each line run here and in PyTorch."""

import pytest
from both import check, lines

torch = pytest.importorskip("torch")

LINES = """
attend(x, y, y, *plain)
attend(x, y, y, *plain, need_weights=False)
attend(x, y, y, *plain, average_attn_weights=False)
attend(x, x, x, *plain, attn_mask=causal)
attend(x, x, x, *plain, attn_mask=causal == 0)
attend(x, x, x, *plain, attn_mask=causal, is_causal=True)
attend(x, x, x, *plain, attn_mask=causal, is_causal=True, need_weights=False)
attend(x, x, x, *plain, attn_mask=causal, key_padding_mask=out[:, :3], is_causal=True, need_weights=False)
attend(x, x, x, *plain, is_causal=True)
attend(x, y, y, *plain, key_padding_mask=out)
attend(x, y, y, *plain, key_padding_mask=out, need_weights=False)
attend(x, y, y, *plain, key_padding_mask=out, attn_mask=T.ones(4, 3, 5).double().cumsum(0))
attend(x, y, y, *plain, key_padding_mask=out, attn_mask=T.ones(4, 3, 5).double().cumsum(0), need_weights=False)
attend(x, y, y, *plain, key_padding_mask=T.ones(2, 5, dtype=T.bool))
attend(x, y, y, *plain, key_padding_mask=T.ones(2, 5, dtype=T.bool), need_weights=False)
attend(x, y, y, *more)
attend(x, y, y, *more, key_padding_mask=out, attn_mask=T.ones(3, 5).double())
attend(x, y, y, *more, need_weights=False, attn_mask=T.ones(3, 5) > 0)
attend(x[:, 0], y[:, 0], y[:, 0], *plain)
attend(x[:, 0], y[:, 0], y[:, 0], *plain, key_padding_mask=out[0])
attend(x[:, 0], y[:, 0], y[:, 0], *plain, need_weights=False, key_padding_mask=out[0])
attend(x, y[..., :3], y[..., :2], *apart)
attend(x / 9, y / 9, y, *dropped)
attend(x / 9, y / 9, y, *dropped, need_weights=False)
attend(x / 9, y / 9, y, *dropped, training=False)
attend(x, y, y, *plain, key_padding_mask=out[:1])
attend(x, y, y, *plain, key_padding_mask=out[0])
attend(x, y, y, *plain, attn_mask=causal)
attend(x, y, y, *plain, attn_mask=T.ones(3, 5).long())
attend(x, y, y[:2], *plain)
attend(x, y[0], y[0], *plain)
attend(x[0, 0], y, y, *plain)
attend(x, y, y, 5, *plain[1:])
attend(x, y, y, 4, 3, *plain[2:])
T.autograd.grad(attend(x, y, y, *plain)[0].sum(), (x, y))
"""

SETUP = """
attend = F.multi_head_attention_forward
x = T.sin(T.arange(24.0, dtype=T.float64)).reshape(3, 2, 4).requires_grad_()
y = T.cos(T.arange(40.0, dtype=T.float64) * 2).reshape(5, 2, 4).requires_grad_()
w = T.sin(T.arange(48.0, dtype=T.float64) * 3).reshape(12, 4)
bias = T.arange(12.0, dtype=T.float64) / 10
last = (w[:4] + 1, bias[:4])
plain = (4, 2, w, bias, None, None, False, 0.0, *last)
more = (4, 2, w, bias, w[:1].reshape(1, 1, 4), w[1:2].reshape(1, 1, 4), True, 0.0, *last)
dropped = (4, 2, w, None, None, None, False, 0.5, *last)
separate = (True, w[:4], w[:4, :3], w[:4, :2])
apart = (4, 2, None, bias, None, None, False, 0.0, *last, True, None, True, None, *separate)
causal = T.triu(T.full((3, 3), -float('inf'), dtype=T.float64), 1)
out = T.tensor([[False, False, True, False, True], [False, False, False, False, True]])
"""


@pytest.mark.parametrize("code", lines(LINES))
def test_line(code):
    check(SETUP + without_graph(code), torch)


def without_graph(code):
    """The values alone: the nodes are not PyTorch's."""
    return f"with T.no_grad(): z = {code}\nz" if "autograd" not in code else code
