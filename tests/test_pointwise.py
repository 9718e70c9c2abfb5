"""Pointwise operators where a line says more than a sample: kinks, ties, ends, rounding, writes, NumPy's numbers.

Each line gives in minigrad what it gives in PyTorch; `G(function, points...)` is its value there, its gradients, and
the gradients of those.
"""

import warnings

import both
import numpy as np
import pytest
from both import lines

import minigrad

torch = pytest.importorskip("torch")


def gradients(T):
    def G(function, *points):
        inputs = [T.tensor(p, dtype=T.float64, requires_grad=True) for p in points]
        output = function(*inputs)
        first = T.autograd.grad(output.sum(), inputs, create_graph=True, allow_unused=True)
        first = [g for g in first if g is not None]
        recorded = [g for g in first if g.requires_grad]
        second = []
        if recorded:
            second = T.autograd.grad(sum([(1.5 * g).sum() for g in recorded]), inputs, allow_unused=True)
        return [plain(t) for t in (output, *first, *second) if t is not None]

    return G


def plain(tensor):
    return tensor.detach().numpy(force=True) + 0.0


def value_of(code, T):
    names = both.names(T) | {
        "G": gradients(T), "inf": np.inf, "nan": np.nan, "t": T.tensor, "f": T.tensor([1.0, 2.0]),
        "d": T.tensor([1.0, 2.0], dtype=T.float64), "h": T.tensor([1.0, 2.5], dtype=T.float16),
        "mask": T.tensor([True, False]), "k": T.tensor([1, 2, 3]), "byte": T.tensor([1, 44], dtype=T.uint8),
        "tiny": T.tensor([127, -128], dtype=T.int8),
    }  # fmt: skip
    *before, last = code.split(";")
    for statement in before:
        exec(statement.strip(), names)
    return both.described(eval(last.strip(), names), T)


def outcome(code, T):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return value_of(code, T)
        except Exception as error:
            return "raises", type(error).__name__


KINKS = """
G(T.maximum, [1.,2,nan,1,inf], [1.,1,1,nan,inf])
G(T.minimum, [1.,2,nan,1,inf], [1.,1,1,nan,inf])
G(T.fmax, [1.,2,nan,1,nan], [1.,1,1,nan,nan])
G(T.fmin, [1.,2,nan,1,nan], [1.,1,1,nan,nan])
G(T.abs, [0.,-0.,1,-1,nan,inf])
G(T.sign, [0.,-0.,1,-1,nan,inf])
G(T.sqrt, [0.,-0.,1,-1,nan,inf])
G(T.rsqrt, [0.,-0.,1,-1,nan,inf])
G(T.reciprocal, [0.,-0.,1,-1,nan,inf])
G(lambda x: x.clamp(0,1), [0.,1,-1,nan,inf,2])
G(T.clamp, [0.,1,2,-1,nan,5], [0.,1,3,1,0,1], [1.,1,1,2,1,nan])
G(lambda x,m: T.clamp(x,min=m), [0.,1,2,-1,nan], [0.,1,3,nan,0])
G(lambda x,m: T.clamp(x,max=m), [0.,1,2,-1,nan], [0.,1,3,nan,0])
G(T.clamp_min, [0.,1,2,-1,nan], [0.,1,3,nan,0])
G(T.clamp_max, [0.,1,2,-1,nan], [0.,1,3,nan,0])
G(lambda x: x**1, [0.,-0.,1,-1,nan,inf])
G(lambda x: x**2, [0.,-0.,1,-1,nan,inf])
G(lambda x: x**3, [0.,-0.,1,-1,nan,inf])
G(lambda x: x**-1, [0.,1,-1,nan,inf])
G(lambda x: x**2.5, [0.,-0.,1,-1,nan,inf])
G(lambda x: T.pow(x,t([2,0,1,3])), [0.,1,-1,2])
G(lambda x: 2**x, [0.,1,-1,nan,2])
G(lambda x: (-2)**x, [0.,1,-1,nan,2])
G(lambda x: T.where(x>0,T.log(x),0.), [0.,1,-1,2])
G(lambda x,y: T.where(x>0,x,y*nan), [0.,1,-1,2], [1.,1,1,1])
G(T.xlogy, [0.,0,0,1,1,1,0,nan,0], [0.,1,-1,0,2,-1,nan,0,inf])
G(T.special.xlog1py, [0.,0,0,1,1,1,0,nan,0], [0.,1,-1,-1,2,-2,nan,0,inf])
G(lambda y: T.xlogy(0,y), [0.,1,-1,2])
G(T.atan2, [0.,0,-0.,1,inf,inf,nan,0.], [0.,-1,-1,0,inf,-inf,1,-0.])
G(T.hypot, [0.,0,-0.,1,inf,inf,nan], [0.,-1,-1,0,inf,nan,1])
G(T.logaddexp, [0.,inf,-inf,inf,-inf,nan,1000], [0.,inf,-inf,-inf,1,1,-1000])
G(T.logaddexp2, [0.,inf,-inf,inf,-inf,nan,1000], [0.,inf,-inf,-inf,1,1,-1000])
G(T.lerp, [0.,1,1,2], [1.,1,3,1], [0.,1,.5,2])
G(lambda x,y: T.lerp(x,y,0.7), [0.,inf,1,nan], [1.,1,inf,1])
G(T.remainder, [5.,-5,5,-5,0,1,inf], [3.,3,-3,-3,1,inf,2])
G(T.fmod, [5.,-5,5,-5,0,1,inf], [3.,3,-3,-3,1,inf,2])
G(T.copysign, [0.,-0.,1,-1,nan,inf], [1.,-1,-0.,0,1,-1])
G(T.asin, [0.,1,-1,.5,2])
G(T.acos, [0.,1,-1,.5,2])
G(T.acosh, [0.,1,-1,1.5,inf])
G(T.atanh, [0.,1,-1,.5,2])
G(T.erfc, [0.,1,-1,inf,nan,27])
G(T.erfinv, [0.,1,-1,.5,2,nan])
G(T.lgamma, [.5,1,2,3,-.5,-1.5,100])
G(lambda x: T.polygamma(2,x), [.5,1,2,3])
G(T.logit, [0.,1,.5,.2,2,-1])
G(lambda x: T.logit(x,0.1), [0.,1,.5,.1,.9,2,-1,.05])
G(T.special.entr, [0.,1,-1,.5])
G(T.special.i1, [0.,1,-1,30])
G(T.nan_to_num, [0.,1,nan,inf,-inf])
G(T.trunc, [0.5,-1.5,2,nan,-0.5])
G(lambda x: T.round(x,decimals=1), [0.25,-1.55,2])
G(lambda x,y: T.div(x,y,rounding_mode='floor'), [0.5,-1.5,2,1,-1,0], [1.,2,-3,0,0,0])
G(lambda x,y: T.div(x,y,rounding_mode='trunc'), [0.5,-1.5,2,1,-1,0], [1.,2,-3,0,0,0])
G(lambda x,y,z: T.addcdiv(x,y,z,value=2), [0.5,1], [1.,0], [2.,0])
G(lambda x: T.special.zeta(2,x), [1.5,3])
"""

WHOLE_NUMBERS = """
tiny+1
tiny+t([1],dtype=T.int8)
-tiny
tiny.abs()
t(127,dtype=T.int8)*2
t([2**31-1],dtype=T.int32)*2
t([2**63-1])+1
byte+300
byte==300
-byte
t([3],dtype=T.int8)**5
t([2,1,-1,0,-1])**t([-1,-1,-1,-1,-2])
t([2,1])**-1
t([2,1])**t(-1)
t([2,1])**t([-1.])
2**t([-1,1])
k//0
k%0
T.fmod(k,0)
T.div(k,0)
T.div(k,0,rounding_mode='trunc')
T.fmod(t([-7,7]),t([3,-3]))
T.remainder(t([-7,7]),t([3,-3]))
T.div(t([-7,7]),t([3,-3]),rounding_mode='floor')
T.div(t([-7,7]),t([3,-3]),rounding_mode='trunc')
t([1])<<64
t([1])<<-1
t([-8])>>70
t([-8])>>-1
1<<k
8>>k
t([1])+2**70
f+2**70
byte.clamp(0,300)
byte.clamp(-1,3)
k.clamp(0,2.5)
mask.clamp(0,1)
mask.clamp(False,True)
T.add(mask,mask,alpha=2)
T.add(k,k,alpha=True)
T.add(k,k,alpha=2.)
T.add(2,k,alpha=2)
T.rsub(k,2,alpha=3)
T.addcmul(k,k,k,value=2.5)
T.addcdiv(k,k,k)
T.gcd(k,t(2))
T.lcm(k,t(2))
"""

NUMBERS_OF_NUMPY = """
np.float64(2)+f
np.float32(2)*k
np.float64(2)<f
np.int64(2)==k
np.int64(7)%k
np.int64(7)&k
np.int64(1)<<k
f+=np.float64(2); f
k+=np.float64(2); k
f+np.array([1.,2.],dtype=np.float32)
T.clamp(f,np.float64(1.5))
T.add(f,f,alpha=np.float64(2))
T.addcmul(f,f,f,value=np.float64(0.5))
T.maximum(f,np.float64(2))
np.maximum(f,f)
"""

DEFAULT_DTYPE = """
T.result_type(t([1],dtype=T.int8),t(1))
T.result_type(t([1],dtype=T.int8),300)
T.result_type(t([1.],dtype=T.float16),t(1.,dtype=T.float64))
T.result_type(True,2)
T.result_type(t(True),1.5)
T.result_type('a',t(1))
h+h
h*1e5
T.sigmoid(h)
h.logaddexp(h)
h+f
h+d
h/3
T.lerp(h,h+1,0.1)
t([65504.,65519,65520,1e-8,-1e6,3e-5,5.96e-8,2.98e-8,2.99e-8]).to(T.float16).to(T.float32)
"""

IN_PLACE = """
f.eq_(t([1.,5.]))
k.lt_(2); k
f.logical_not_()
f.logical_and_(mask)
k.div_(2)
k.div_(2,rounding_mode='floor')
k.add_(1,alpha=0.5)
k/=2; k
mask+=1; mask
byte-=2; byte
f+=d; f
d.float_power_(f)
f.float_power_(2)
f.clamp_(min=1.5)
k.clamp_(0.5,2)
f.nan_to_num_()
f.round_(decimals=1)
f.lerp_(f,0.5)
f.addcmul_(f,f,value=2)
f.polygamma_(1)
f.heaviside_(f)
f.ldexp_(k[:2])
T.square(mask)
mask.square_()
x=t([1.,2.],requires_grad=True); y=x*1; y.clamp_(max=1.5); y.sum().backward(); x.grad
x=t([1.,2.],requires_grad=True); y=x*1; y.addcmul_(f,f); y.sum().backward(); x.grad
x=t([.2,.6],requires_grad=True); y=x*1; y.logit_(0.3); y.sum().backward(); x.grad
"""

ODDS_AND_ENDS = """
T.where(mask)
T.where(mask,1,2)
T.where(mask,1.,2)
T.where(mask,k[:2],2.5)
T.where(byte,f,d)
T.where(k[:2],f,d)
T.equal(k,k.float())
T.equal(k,2)
T.isclose(k,k,rtol=-1)
T.isclose(f,d)
T.allclose(f,f+1e-9,rtol=0,atol=0)
T.lerp(f,d,0.5)
T.lerp(f,f,t(0.5,dtype=T.float64))
T.lerp(f,f,k[:2])
T.lerp(f,2.,0.5)
T.heaviside(f,d)
T.nan_to_num(t([nan,inf,-inf]),nan=1,posinf=2)
T.logit(t([0.,.5,1.,1.5,-1]),eps=0.1)
T.round(t([0.5,1.5,2.5,-0.5]))
T.round(t([125.,135.,1555.]),decimals=-1)
T.round(k,decimals=1)
T.special.round(k)
T.signbit(t([-0.,1,-nan]))
T.polygamma(-1,f)
T.frexp(f)
T.isin(k,t([1,3]),invert=True)
T.exp(2.)
T.maximum(f,2)
T.eq(2,f)
T.positive(mask)
f+'x'
'x'+f
f@object()
R=type('R',(),dict(__rmatmul__=lambda s,o:'rmm',__radd__=lambda s,o:'ra',__gt__=lambda s,o:'gt')); [f@R(),f+R(),f<R()]
"""


@pytest.mark.parametrize(
    "code", lines(KINKS + WHOLE_NUMBERS + NUMBERS_OF_NUMPY + DEFAULT_DTYPE + IN_PLACE + ODDS_AND_ENDS)
)
def test_the_line_is_pytorchs(code):
    both.assert_same(outcome(code, minigrad), outcome(code, torch), code)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_the_default_dtype_decides_for_numbers_and_integers(dtype):
    def dtypes(T):
        T.set_default_dtype(getattr(T, dtype))
        try:
            k = T.tensor([1, 2, 3])
            results = [k + 2.5, k / 2, T.sqrt(k), k**0.5, T.tensor([1.5]), T.where(k > 1, 1.0, 2), k.sum() / 2]
            return [str(r.dtype) for r in results]
        finally:
            T.set_default_dtype(T.float32)

    assert dtypes(minigrad) == dtypes(torch)


def test_derivatives_of_powers_at_zero_are_those_of_polynomials():
    """1 + x + x² + x³ written with powers: PyTorch's second derivative of x ** 0 is lost, here it is 0."""
    x = minigrad.tensor(0.0, dtype=minigrad.float64, requires_grad=True)
    y = sum([x**n for n in range(4)])
    found = []
    for _ in range(3):
        (y,) = minigrad.autograd.grad(y, x, create_graph=True)
        found.append(y.item())
    assert found == [1.0, 2.0, 6.0]


def test_sinc_is_smooth_at_zero():
    x = minigrad.tensor([0.0, 1e-9, 0.049, 0.051], dtype=minigrad.float64, requires_grad=True)
    (first,) = minigrad.autograd.grad(minigrad.sinc(x).sum(), x, create_graph=True)
    (second,) = minigrad.autograd.grad(first.sum(), x)
    t = np.pi * x.detach().numpy()
    np.testing.assert_allclose(first.detach().numpy(), np.pi * (-t / 3 + t**3 / 30 - t**5 / 840), rtol=1e-8)
    np.testing.assert_allclose(second.numpy(), np.pi**2 * (-1 / 3 + t**2 / 10 - t**4 / 168), rtol=1e-7)


def test_ldexp_of_negative_whole_exponents_has_its_gradient():
    """PyTorch's is 0: it computes 2 ** -1 in integers."""
    x = minigrad.tensor([3.0], requires_grad=True)
    minigrad.ldexp(x, minigrad.tensor([-1])).backward()
    assert x.grad.tolist() == [0.5]


def test_numpys_bool_is_a_bool():
    """PyTorch takes np.bool_ for a float."""
    assert (minigrad.tensor([1, 2]) * np.bool_(True)).dtype is minigrad.int64
