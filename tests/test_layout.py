"""How results lie in memory: in C order, as PyTorch's do, so that `.view` works on them; copies and pointwise results
keep the order of the input."""

import pytest
from both import check, lines

torch = pytest.importorskip("torch")

CASES = lines("""
x4.transpose(1, 2).sum(0).stride()
x4.transpose(1, 2).std(0).stride()
x4.transpose(1, 2).prod(0).stride()
x4.transpose(1, 2).cumsum(0).stride()
x4.transpose(1, 2).cummax(0)[1].stride()
x4.transpose(1, 2).amax(0).stride()
x4.transpose(1, 2).any(0).stride()
x4.transpose(1, 2).norm(dim=0).stride()
x4.transpose(1, 2).topk(2, 0)[0].stride()
x4.transpose(1, 2).tril().stride()
x4.transpose(1, 2)[:, :, [0, 1]].is_contiguous()
x4.transpose(1, 2).index_select(0, T.tensor([1, 0])).stride()
x4.transpose(1, 2).masked_fill(x4.transpose(1, 2) > 3, 0).stride()
x4.transpose(1, 2).gather(0, T.zeros(1, 4, 3, dtype=T.int64)).stride()
F.one_hot(i.t()).view(-1)
a.t().cumsum(0).view(-1)
a.t().masked_fill(b.t(), 0.0).view(-1)
F.pad(a.t(), (1, 1)).view(-1)
a.t().clone().stride()
a.t().double().stride()
(a.t() * 2).stride()
a.t().exp().stride()
a.t().clamp(0, 3).stride()
a.t().clamp(T.zeros(2)).stride()
T.where(b.t(), a.t(), 0.0).stride()
x4.permute(2, 0, 1).index_fill(0, T.tensor([1]), 5.0).stride()
""")


@pytest.mark.parametrize("code", CASES)
def test_as_in_pytorch(code):
    check(code, torch)
