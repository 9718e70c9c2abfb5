"""Bad input: the kind of error is PyTorch's, and the text names the op or argument, what came and what was expected."""

import pytest
from both import check, lines, outcome, value_of

import minigrad

CONSTRUCTORS = """
T.Tensor(3.0)
T.Tensor("a")
T.Tensor(-1)
T.tensor([[1,2],[3]])
T.tensor([[1,2],3])
T.tensor([1,[2]])
T.tensor("a")
T.tensor(None)
T.tensor([None])
T.tensor({})
T.tensor({1:2})
T.tensor(2**70)
T.tensor(300,dtype=T.uint8)
T.tensor([1],dtype='float32')
T.tensor([1],requires_grad=True)
T.tensor([1.],device='foo')
T.tensor(iter([1,2]))
T.from_numpy(np.array(['a']))
T.from_numpy([1,2])
T.from_numpy(np.arange(4)[::-1])
T.from_numpy(np.float32(2))
T.full(3,1.5)
T.full((2,),v)
T.zeros(-1)
T.zeros(2.0)
T.zeros('a')
T.zeros(2,2.5)
T.zeros()
T.zeros_like(3)
T.zeros_like([1])
T.eye(-1)
T.eye(2.5)
T.arange(5,1)
T.arange(0,5,0)
T.arange(float('nan'))
T.arange('a')
T.linspace(0,1,-1)
T.linspace(0,1)
T.logspace(0,2,-3)
T.tensor(b'abc')
T.tensor([a,a])
T.tensor([v,v])
a.size(2)
a.type('foo')
a.to('foo')
"""

ARITHMETIC = """
a+'x'
a+None
a+[1,2,3]
'x'+a
[1,2,3]+v
v+(1,2,3)
np.array(g)
float(v)
bool(v)
bool(e)
[1,2][s]
-b
+b
len(s)
list(s)
'a' in v
[1] in v
v<'a'
v<None
a&b
v.item()
a.item()
e.item()
copy.deepcopy(g*2)
v.mT
g.numpy()
(g*2).numpy()
T.tensor(1.).__index__()
T.tensor([1,2]).__index__()
i**-1
i//0
i%0
b-b
1-b
b-1
b//b
b%b
b**b
u8//u8
i-b
b-i
T.tensor(2)**-1
T.add(i,i,alpha=2.5)
T.add(v,v,2)
T.div(i,2,rounding_mode='foo')
T.div(i,0,rounding_mode='floor')
T.neg(b)
T.relu(b)
T.clamp(v)
T.where(a,a,a)
T.where(b,a,'x')
T.where(b,a,T.zeros(5))
T.bitwise_and(a,b)
T.bitwise_not(a)
T.ne(v,None)
v.eq('a')
v.add('a')
v.add()
v.add(1,2,3)
v.mul(bad=2)
v.exp(1)
T.exp()
T.exp([1.])
T.add(v,[1])
T.add([1],v)
v+T.ones(4)
a+T.ones(2)
T.ones(2,3,4)+T.ones(3,3)
v.add_(T.ones(2,3))
i.add_(1.5)
i.div_(2)
b.add_(1)
b.mul_(2)
i+=1.5; i
v-=i; v
i/=2; i
g+=1; g
g.add_(1)
v.copy_(T.ones(2))
v.copy_([1,2,3])
v.fill_(T.ones(2))
v.fill_('a')
i.exp_()
i.normal_()
i.uniform_()
v.uniform_(2,1)
v.normal_(mean=1,std=-2)
v.bernoulli_(1.5)
v.geometric_(0)
v.exponential_(-1)
"""

INDEXING = """
a[2]
a[-3]
a[0,1,2]
x4[T.tensor([1.])]
x4[T.tensor(1.)]
x4[1.0]
x4[::-1]
x4[::0]
x4[:s]
s[0]
a[T.tensor([0,1],dtype=T.int16)]
a[T.tensor([0,5])]
a[T.tensor([-3])]
a[[0,5]]
a[:,[5]]
a[T.tensor([True,False,True])]
a[T.tensor([[True,False,True]])]
a[[True,False,True]]
a[T.tensor([])]
a[{0}]
a[{}]
a[b,0]
x4[T.tensor([0,1]),T.tensor([0,1,2])]
x4[[0,1],[0,1,2]]
x4[0,0,0,0]
v[[T.tensor(0),T.tensor(1)]]
v[[s]]
a[0]=T.ones(2); a
a[0]=T.ones(2,3); a
a[0]=[1,2,3]; a
a[0]='x'; a
a[0]=None; a
a[0,0]=T.ones(2); a
a[b]=T.arange(3.); a
a[5]=0; a
a[[5]]=0; a
a[1.0]=0; a
s[0]=5; s
g[0]=1; g
del a[0]; a
a.index_select(0,T.tensor([0.]))
a.index_select(0,[0])
a.index_select(3,T.tensor([0]))
a.index_select(0,T.tensor([[0]]))
a.gather(1,T.tensor([0]))
a.gather(1,T.tensor([[5]]))
a.gather(0,T.tensor([[0.]]))
a.gather(1,[[0]])
a.gather(1,T.tensor([[-1]]))
a.gather(0,T.tensor([[0,0,0,0]]))
a.gather(2,T.tensor([[0]]))
a.scatter(1,T.tensor([[0],[7]]),5.)
a.scatter_add(1,T.tensor([[0],[1]]),T.ones(1,1))
a.index_add(0,T.tensor([0,0]),T.ones(2,2))
a.index_add(0,T.tensor([0,5]),T.ones(2,3))
a.masked_fill(b,v)
a.masked_fill(i,0)
a.masked_fill(b,'a')
a.masked_fill(T.ones(4,dtype=T.bool),0)
a.masked_select(i)
T.bincount(T.tensor([-1]))
T.bincount(v)
a.narrow(1,2,2)
a.narrow(0,3,0)
a.narrow(5,0,1)
a.select(0,2)
a.select(3,0)
s.select(0,0)
F.one_hot(T.tensor([0,2]),2)
F.one_hot(T.tensor([-1]))
F.one_hot(v)
F.one_hot(T.tensor([],dtype=T.int64))
F.embedding(T.tensor([5]),a)
F.embedding(T.tensor([0.]),a)
F.embedding(T.tensor([-1]),a)
F.embedding([0],a)
F.embedding(T.tensor([[0,1]]),a,padding_idx=9)
F.embedding(T.tensor([0]),v)
"""


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("code", [*lines(CONSTRUCTORS), *lines(ARITHMETIC), *lines(INDEXING)])
def test_kind_of_error_is_pytorchs(code, torch):
    check(code, torch)
    assert outcome(code, minigrad)[0] == "raises"


SAYS = [  # the line, and what its message has to say
    ("T.ones(2, 3) + T.ones(4)", "size of tensor a (3)", "tensor b (4)", "dimension 1", "add", "[2, 3]", "[4]"),
    ("T.ones(2, 3) @ T.ones(2, 3)", "2x3 and 2x3", "matmul"),
    ("T.ones(2, 3) @ T.ones(3).double()", "float32", "float64", "matmul"),
    ("F.linear(a, T.ones(4, 2))", "linear", "3 features", "takes 2"),
    ("F.linear(a, T.ones(4, 3), T.ones(5))", "linear", "(4)", "(5)"),
    ("F.conv2d(img, T.ones(3, 3, 3, 3))", "expected", "3 channels", "got 2"),
    ("F.conv2d(v, w)", "conv2d", "3D (unbatched) or 4D", "[3]"),
    ("F.conv2d(img, T.ones(3, 2, 7, 7))", "(6 x 6)", "(7 x 7)"),
    ("F.max_pool2d(img, 7)", "max_pool2d", "[7, 7]", "too small"),
    ("F.cross_entropy(a, T.tensor([0, 3]))", "Target 3", "out of bounds"),
    ("F.cross_entropy(a, T.tensor([0, 2, 1]))", "batch_size (2)", "batch_size (3)"),
    ("F.cross_entropy(a, [0, 2])", "cross_entropy", "'target'", "Tensor", "list"),
    ("F.cross_entropy(a, T.tensor([0, 2]), reduction='foo')", "foo", "'none', 'mean' or 'sum'"),
    ("F.cross_entropy(i, T.tensor([0, 2]))", "cross_entropy", "int64", ".float()"),
    ("F.binary_cross_entropy(a, a)", "between 0 and 1", "sigmoid"),
    ("F.nll_loss(a, T.tensor([0., 1.]))", "nll_loss", "Long", "float32", ".long()"),
    ("F.embedding(T.tensor([5]), a)", "embedding", "5", "2 rows"),
    ("F.embedding(T.tensor([0.]), a)", "embedding", "Long or Int", "float32"),
    ("F.softshrink(a, -1)", "softshrink", "lambda", "-1"),
    ("F.dropout(a, 1.5)", "dropout", "between 0 and 1", "1.5"),
    ("F.pad(a, (1,))", "divisible by 2"),
    ("F.pad(a, 1)", "pad()", "tuple of ints", "int"),
    ("F.layer_norm(a, (2,))", "normalized_shape=[2]", "[2, 3]"),
    ("F.batch_norm(a, T.zeros(2), T.ones(2))", "running_mean", "3", "2"),
    ("a.reshape(4)", "'[4]'", "size 6"),
    ("a.t().view(6)", "view", "reshape"),
    ("a.unflatten(1, (2, 2))", "unflatten: Provided sizes [2, 2] don't multiply up to the size of dim 1 (3)"),
    ("a.permute(0)", "input.dim() = 2", "len(dims) = 1"),
    ("a.sum(2)", "[-2, 1]", "got 2"),
    ("a.sum((0, 0))", "dim 0", "multiple times"),
    ("a.sum(1.0)", "sum()", "'dim'", "int", "float"),
    ("i.mean()", "mean", "int64", ".float()", "dtype="),
    ("e3.max(1)", "max()", "dim 1", "non-zero size"),
    ("e3.argmax()", "argmax()", "numel() == 0", "dim"),
    ("b.argmax()", "argmax()", "bool"),
    ("a.topk(4)", "4", "size 3"),
    ("T.cat([a, v])", "same number of dimensions", "2", "1"),
    ("T.cat([a, T.ones(1, 2)])", "size 3", "size 2", "number 1"),
    ("T.cat([a, 1])", "element 1", "Tensor", "int"),
    ("T.cat([])", "cat()", "non-empty"),
    ("T.stack([v, T.ones(2)])", "[3] at entry 0", "[2] at entry 1"),
    ("a.split([1, 1], 1)", "sum exactly to 3", "[1, 1]"),
    ("s.split(1)", "split", "1-dimensional"),
    ("s.chunk(2)", "chunk", "1-dimensional"),
    ("v.expand(3, 2)", "(2)", "(3)", "dimension 1"),
    ("v.expand(2, 3).add_(1)", "clone()"),
    ("a[2]", "2", "dimension 0", "size 2"),
    ("a[0, 1, 2]", "too many indices", "dimension 2"),
    ("a[1.0]", "valid indices", "float"),
    ("a[::-1]", "step must be greater than zero", "flip()"),
    ("a[T.tensor([1.0])]", "long, int, byte or bool"),
    ("a[b] = T.arange(3.0); a", "[3]", "[4]"),
    ("a.gather(1, T.tensor([[5]]))", "5", "dimension 1", "size 3"),
    ("a.index_add(0, T.tensor([0, 5]), T.ones(2, 3))", "index_add", "5", "size 2"),
    ("a.masked_fill(i, 0)", "masked_fill", "Bool", "int64"),
    ("T.where(b, a, T.zeros(5))", "where", "[2, 3]", "[5]"),
    ("b - b", "bool", "logical_not"),
    ("i // 0", "floor_divide", "ero"),
    ("i ** -1", "negative integer powers", ".float()"),
    ("i.add_(1.5)", "add_", "Float", "Long"),
    ("i.exp_()", "exp_", "Float", "Long"),
    ("v.add('a')", "add()", "'other'", "Tensor", "str"),
    ("T.exp([1.0])", "exp()", "'input'", "list", "minigrad.tensor"),
    ("g.numpy()", "requires grad", "detach()"),
    ("g.add_(1)", "leaf", "no_grad()", "clone()"),
    ("T.tensor([[1, 2], [3]])", "length 2", "got 1"),
    ("T.tensor([1], requires_grad=True)", "floating point", "int64", ".float()"),
    ("T.tensor({})", "tensor()", "dict"),
    ("T.tensor(300, dtype=T.uint8)", "uint8", "overflow"),
    ("T.from_numpy([1, 2])", "np.ndarray", "list"),
    ("T.zeros(-1)", "negative dimension -1", "zeros()"),
    ("T.full((2,), v)", "full()", "'fill_value'", "[3]", "number"),
    ("T.zeros_like(3)", "zeros_like()", "'input'", "Tensor", "int"),
    ("T.arange(0, 5, 0)", "step", "nonzero"),
    ("T.eye(2.5)", "eye()", "'n'", "int", "float"),
    ("T.randint(5, 1, (2,))", "from=5", "to=1"),
    ("T.randperm(-1)", "randperm()", "'n'", "-1"),
    ("T.multinomial(v, 5)", "n_sample=5", "3", "replacement"),
    ("T.bernoulli(a)", "[0, 1]", "[-2, 5]"),
    ("v.normal_(std=-2)", "normal", "std >= 0.0", "-2"),
]


@pytest.mark.parametrize("says", SAYS, ids=[line for line, *_ in SAYS])
def test_the_message_says_what_came_and_what_was_expected(says):
    code, *parts = says
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)) as caught:
        value_of(code, minigrad)
    message = str(caught.value)
    missing = [part for part in parts if part not in message]
    assert not missing, f"{message!r} does not say {missing}"
