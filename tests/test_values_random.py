"""Random tensors with every argument; each line as in PyTorch.

`both.py` says what a line can use.
"""

import pytest
from both import check, lines

RANDOM = """
x=T.zeros(3); T.arange(3,out=x); x
x=T.zeros(2); T.zeros(2,3,out=x) is x
x=T.zeros(0); T.ones(2,out=x); x
x=T.zeros(2,dtype=T.int64); T.full((2,),7,out=x); x
x=T.zeros(2,2,dtype=T.int64); T.eye(2,out=x); x
T.zeros(2,dtype=T.float64,out=T.zeros(2))
T.arange(3,out=3)
x=T.zeros(4); T.linspace(0,1,4,out=x); x
T.hstack([v,v],out=T.zeros(6))
T.vstack([v,v],out=T.zeros(0))
T.rand(3,out=T.zeros(3))
T.randn(3,out=T.zeros(3))
T.randint(5,(3,),out=T.zeros(3,dtype=T.int64))
T.randperm(4,out=T.zeros(4,dtype=T.int64))
T.normal(0.,1.,(3,),out=T.zeros(3))
T.empty(2,out=T.ones(2)).shape
T.rand(3,foo=1)
T.randint(5,(3,),foo=1)
T.rand_like(a,memory_format=T.preserve_format).shape
T.randint_like(i,5,memory_format=T.preserve_format).shape
T.rand(2,layout=T.strided).shape
T.randint(5,(2,),layout=T.strided).shape
T.rand(-1)
T.rand(2.5)
T.rand('a')
T.rand_like(3)
T.randn_like(v,dtype=T.float64).dtype
T.rand(2,device='cpu',requires_grad=True).requires_grad
T.randperm(3,dtype=T.int32)
T.randperm(3,dtype=T.float32)
T.randint(0,10,(2,),dtype=T.uint8)
T.randint(10,size=[2])
T.randint(3,2,(2,))
T.randint(2.5,(2,))
T.normal(0.,-1.,(2,))
T.normal(T.zeros(2),1.)
T.normal(0.,T.ones(2))
T.normal(T.zeros(2),T.ones(3))
T.bernoulli(T.tensor([0.,1.]))
T.bernoulli(T.tensor([2.]))
T.bernoulli(T.tensor([1]))
T.multinomial(T.tensor([0.,1.,0.]),1)
T.multinomial(T.tensor([0.,0.]),1)
T.multinomial(v,5)
T.rand(2,generator=T.Generator().manual_seed(3))
T.rand(2,generator=3)
"""


@pytest.mark.parametrize("code", [line for block in (RANDOM,) for line in lines(block)])
def test_as_in_pytorch(code):
    torch = pytest.importorskip("torch")
    check(code, torch)
