"""How results lie in memory, and that they can be viewed; each line as in PyTorch.

`both.py` says what a line can use.
"""

import pytest
from both import check, lines

LAYOUT = """
T.rand_like(a.t())
T.randn_like(a.t())
T.randn_like(x4.permute(2,0,1))
T.randint_like(i.t(),9)
T.rand_like(a.t(),memory_format=T.contiguous_format)
T.randn_like(T.zeros(30,40).t())
T.rand_like(v.expand(2,3))
T.rand_like(T.zeros(4,6)[:,::2])
T.empty_like(v.expand(2,3)).stride()
T.zeros_like(T.zeros(4,6)[:,::2]).stride()
T.zeros_like(T.zeros(4,6).t()[::2]).stride()
T.zeros_like(x4.permute(2,0,1)).stride()
x4.permute(2,0,1).clone().stride()
v.expand(2,3).clone().stride()
T.zeros(4,6)[:,::2].clone().stride()
(x4.permute(2,0,1)*2).stride()
x4.permute(2,0,1).double().stride()
x4.permute(2,0,1).to(T.float64,memory_format=T.contiguous_format).stride()
x4.permute(2,0,1).contiguous().stride()
x4.permute(2,0,1).flatten().stride()
x4.reshape(4,6).t().reshape(2,3,4).stride()
x4.select(1,0).stride()
x4[:,None].stride()
x4.unsqueeze(1).stride()
x4.unsqueeze(-1).stride()
s.unsqueeze(0).stride()
T.zeros(1,3).squeeze(0).stride()
T.zeros(3,1).t().stride()
T.zeros(2,0,3).stride()
T.zeros(0).stride()
T.zeros(2,1,3).expand(2,4,3).stride()
T.eye(3).stride()
T.stack([v,v],1).stride()
T.cat([a.t(),a.t()]).stride()
x4.unfold(2,2,1).stride()
x4.diagonal(0,0,1).stride()
x4.movedim(0,2).stride()
x4.flip(0).stride()
x4.split(1,1)[0].stride()
x4.chunk(2,2)[0].stride()
x4.unbind(1)[0].stride()
x4.view(6,4).stride()
x4.transpose(1,2).view(2,4,3,1).stride()
x4.transpose(1,2).view(2,2,2,3).stride()
x4.transpose(1,2).view(8,3).stride()
x4.transpose(1,2).view(2,12)
T.zeros(2,3).as_strided((2,2),(1,2)).is_contiguous()
T.zeros(1,3).t().is_contiguous()
T.zeros(3,1,2).transpose(0,1).is_contiguous()
T.zeros(0,3).t().is_contiguous()
T.cat([a.t(),a.t()]).view(-1)
T.stack([a.t(),a.t()]).view(-1)
T.stack([a.t(),a.t()],1).view(-1)
T.vstack([a.t(),a.t()]).view(-1)
x4.permute(2,0,1).mean(0).stride()
x4.permute(2,0,1).max(1).values.stride()
x4.permute(2,0,1).softmax(1).stride()
x4.permute(2,0,1).argmax(1).stride()
x4.permute(2,0,1).index_select(0,T.tensor([0,1])).stride()
x4.permute(2,0,1)[[0,1]].stride()
x4.permute(2,0,1)[T.tensor([0,1])].view(-1).shape
x4.permute(2,0,1)[:,T.tensor([0,1])].contiguous().view(-1).shape
x4.permute(2,0,1).gather(0,T.zeros(1,2,3,dtype=T.int64)).stride()
T.where(T.tensor(True),x4.permute(2,0,1),T.tensor(0.)).stride()
(a.t()@a).view(-1).shape
T.matmul(x4,x4.transpose(1,2)).view(-1).shape
T.matmul(x4.transpose(1,2),x4).view(-1).shape
T.einsum('bij->bji',x4).contiguous().stride()
x4.permute(2,0,1).repeat(1,2,1).view(-1).shape
x4.permute(2,0,1).tile(2).view(-1).shape
x4.permute(2,0,1).roll(1,0).stride()
x4.permute(2,0,1).repeat_interleave(2,0).view(-1).shape
x4.permute(2,0,1).clamp(0).stride()
x4.permute(2,0,1).argsort(0).stride()
x4.permute(2,0,1).logsumexp(1).stride()
x4.permute(2,0,1).flatten(1).stride()
F.pad(x4.permute(2,0,1),(1,1)).view(-1).shape
F.linear(x4.transpose(1,2),T.zeros(5,3)).view(-1).shape
F.layer_norm(x4.transpose(1,2),(3,)).stride()
F.embedding(T.tensor([[0,1]]),a.t().contiguous()).view(-1).shape
T.outer(v,v).view(-1).shape
x4.permute(2,0,1).median(1).values.stride()
x4.permute(2,0,1).unique().stride()
T.meshgrid(v,v,indexing='xy')[0].stride()
T.meshgrid(v,v,indexing='ij')[0].stride()
T.combinations(v).view(-1).shape
T.cartesian_prod(v,v).view(-1).shape
T.block_diag(a.t(),a).view(-1).shape
T.diag(v).view(-1).shape
T.zeros(2,3).t().zeros_like if False else T.zeros(2,3).t().exp().stride()
T.zeros(0,3).stride()
T.arange(6).view(2,3).t().to(T.float32).view(-1)
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
"""

# Writes to memory that is being read: the same elements, in part the same, and parts that are not dense.
OVERLAPS = """
(y:=T.ones(4),T.exp(y[::2],out=y[1:3]))[0]
(y:=T.ones(4),T.exp(y[1:],out=y[:-1]))
(y:=T.ones(4),T.exp(y,out=y))[0]
(y:=T.ones(4),T.exp(y[:1],out=y[0]))
(y:=T.ones(4),y[:1].add_(y[0]))
(y:=T.ones(4),y.view(1,4).add_(y))
(y:=T.ones(1),y.view(()).add_(y[0]))[0]
(y:=T.ones(4),y[::2].add_(y[1:3]))[0]
"""


@pytest.mark.parametrize("code", [line for block in (LAYOUT, OVERLAPS) for line in lines(block)])
def test_as_in_pytorch(code):
    torch = pytest.importorskip("torch")
    check(code, torch)
