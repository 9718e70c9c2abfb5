"""Smooth activations; those made of straight pieces are in `piecewise.py`.

Formulas are those of PyTorch's pages of the same names; the papers are named where there is one.
"""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

from minigrad.kernels.vecmath import ARRAY_FUNCTIONS
from minigrad.registry import FUNCTION, FUNCTIONAL, INPLACE, METHOD, Activation, composite
from minigrad.samples import S, of, unary
from minigrad.shapes import one_dim

EVERYWHERE = (FUNCTION, METHOD, INPLACE, FUNCTIONAL)


class sigmoid(Activation):
    """sigmoid(input) -> Tensor

    ``1 / (1 + exp(-input))``. (PyTorch: torch.sigmoid)
    """

    public, symbol, array, alias = EVERYWHERE, "σ", ARRAY_FUNCTIONS["sigmoid"], ("special.expit",)
    kinds = "biuf"

    def scalar(input):
        return 1 / (1 + exp(-input))

    def grad_input(g, output):
        return g * (output * (1 - output))

    samples = unary(-5, 5)


class logsigmoid(Activation):
    """logsigmoid(input) -> Tensor

    ``log(sigmoid(input))``, computed as ``min(input, 0) - log1p(exp(-|input|))``. (PyTorch: F.logsigmoid)
    """

    backward_name = "LogSigmoidBackward0"

    def scalar(input):
        return where(input < 0, input, 0) - log1p(exp(-abs(input)))

    def grad_input(g, input):
        return g * sigmoid(-input)

    samples = unary(-5, 5)


class elu(Activation):
    """elu(input, alpha=1.0) -> Tensor

    ``input`` where positive, ``alpha * (exp(input) - 1)`` elsewhere. (Clevert et al. 2015; F.elu)
    """

    inplace_keyword, public = True, (FUNCTIONAL, INPLACE)

    def scalar(input, /, alpha=1.0):
        return where(input > 0, input, alpha * expm1(input))

    def grad_input(g, input, alpha):
        return where(input <= 0, g * (alpha * exp(input)), g)

    samples = unary(alpha=1.3)


class celu(Activation):
    """celu(input, alpha=1.0) -> Tensor

    ``max(0, input) + min(0, alpha * (exp(input / alpha) - 1))``. (Barron 2017; F.celu)
    """

    inplace_keyword, public = True, (FUNCTION, FUNCTIONAL, INPLACE)

    def check_attributes(alpha):
        if alpha == 0:
            raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")

    def scalar(input, /, alpha=1.0):
        return where(input > 0, input, alpha * expm1(input / alpha))

    def grad_input(g, input, alpha):
        return where(input <= 0, g * exp(input / alpha), g)

    samples = unary(alpha=1.3)


class selu(Activation):
    """selu(input) -> Tensor

    ``scale * elu(input, alpha)`` with alpha 1.6733 and scale 1.0507. (Klambauer et al. 2017; F.selu)
    """

    inplace_keyword, public, backward_name = True, (FUNCTION, FUNCTIONAL, INPLACE), "EluBackward0"

    def scalar(input):
        return 1.0507009873554805 * where(input > 0, input, 1.6732632423543772 * expm1(input))

    def grad_input(g, input):
        return g * (1.0507009873554805 * where(input <= 0, 1.6732632423543772 * exp(input), 1))

    samples = unary()


class gelu(Activation):
    """gelu(input, approximate='none') -> Tensor

    ``input * Φ(input)``, Φ the standard normal distribution function; approximate="tanh" uses
    ``0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))``. (Hendrycks & Gimpel 2016; F.gelu)
    """

    def scalar(input):
        return 0.5 * input * (1 + erf(input * 0.7071067811865476))

    def grad_input(g, input):
        return g * (
            0.5 * (1 + erf(input * 0.7071067811865476)) + input * (0.3989422804014327 * exp(-0.5 * input * input))
        )

    def keywords(input, *, approximate="none"):
        return gelu_approximate(input, approximate)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(2, 3), approximate="tanh"), lambda make: S(make()))


class gelu_tanh(Activation):
    """gelu_tanh(input) -> Tensor

    The tanh approximation of GELU: ``0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))``. Called by ``gelu(x,
    approximate="tanh")``. (Hendrycks & Gimpel 2016)
    """

    public, backward_name = (), "GeluBackward0"

    def scalar(input):
        return 0.5 * input * (1 + tanh(0.7978845608028654 * (input + 0.044715 * input * input * input)))

    def grad_input(g, input):
        t = tanh(0.7978845608028654 * (input + 0.044715 * input * input * input))
        return g * (0.5 * (1 + t) + 0.5 * input * (1 - t * t) * (0.7978845608028654 * (1 + 0.134145 * input * input)))

    samples = unary()


@composite(public=())
def gelu_approximate(input, approximate):
    if approximate == "tanh":
        return gelu_tanh(input)
    if approximate != "none":
        raise RuntimeError(f"gelu(): approximate argument must be either none or tanh, but got {approximate!r}")
    return gelu(input)


class silu(Activation):
    """silu(input) -> Tensor

    ``input * sigmoid(input)``, also called swish. (Elfwing et al. 2017; F.silu)
    """

    inplace_keyword = True

    def scalar(input):
        return input / (1 + exp(-input))  # a fifth faster than with `sigmoid`, which keeps digits that are not needed

    def grad_input(g, input):
        s = 1 / (1 + exp(-input))
        return g * (s * (1 + input * (1 - s)))

    samples = unary()


class mish(Activation):
    """mish(input) -> Tensor

    ``input * tanh(softplus(input))``. (Misra 2019; F.mish)
    """

    inplace_keyword = True

    def scalar(input):
        return input * tanh(log1p(exp(-abs(input))) + where(input > 0, input, 0))

    def grad_input(g, input):
        # tanh(softplus(x)) in terms of sigmoids, which can be differentiated again at 0, as `abs` and `where` cannot.
        up = sigmoid(input)
        down = sigmoid(-input)
        t = up * (1 + down) / (1 + down * down)
        return g * (t + input * (up * (1 - t * t)))

    samples = unary()


class softplus(Activation):
    """softplus(input, beta=1.0, threshold=20.0) -> Tensor

    ``log(1 + exp(beta * input)) / beta``; the input itself where ``beta * input > threshold``.
    (Dugas et al. 2001; F.softplus)
    """

    def check_attributes(beta, threshold):
        for name, value in (("beta", beta), ("threshold", threshold)):
            if not hasattr(value, "__float__"):
                raise TypeError(f"softplus(): argument '{name}' must be Number, not {type(value).__name__}")

    def scalar(input, /, beta=1.0, threshold=20.0):
        z = input * beta
        return where(z > threshold, input, log1p(exp(where(z > threshold, 0, z))) / beta)

    def grad_input(g, input, beta, threshold):
        z = input * beta
        return where(z > threshold, g, g * sigmoid(z))

    samples = unary(beta=2.0, threshold=3.0)


class softsign(Activation):
    """softsign(input) -> Tensor

    ``input / (1 + |input|)``. (PyTorch: F.softsign)
    """

    kinds, backward_name = "iuf", "DivBackward0"

    def scalar(input):
        return input / (1 + abs(input))

    def grad_input(g, input):
        return g / ((1 + abs(input)) * (1 + abs(input)))

    samples = unary()


class tanhshrink(Activation):
    """tanhshrink(input) -> Tensor

    ``input - tanh(input)``. (PyTorch: F.tanhshrink)
    """

    kinds, backward_name = "biuf", "SubBackward0"
    no_bools = "Subtraction, the `-` operator, with a bool tensor is not supported: convert it with .float()"

    def scalar(input):
        return input - tanh(input)

    def grad_input(g, input):
        return g * (tanh(input) * tanh(input))

    samples = unary()


class gated(Activation):
    """``input * sigmoid(gate)``; called by `glu`."""

    public, backward_name = (), "GluBackward0"

    def scalar(input, gate):
        return input * sigmoid(gate)

    def grad_input(g, gate):
        return g * sigmoid(gate)

    def grad_gate(g, input, gate):
        opened = sigmoid(gate)
        return g * (input * (opened * (1 - opened)))


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(3, 4)), lambda make: S(make(6, 2), dim=0)))
def glu(input, dim=-1):
    """glu(input, dim=-1) -> Tensor

    The input is split in two halves along dim: ``first * sigmoid(second)``. (Dauphin et al. 2016; F.glu)
    """
    tensors_only("glu", input=input)
    if input.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    dim = one_dim(dim, input.ndim, "glu")
    if input.shape[dim] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}")
    half = input.shape[dim] // 2
    return gated(narrow(input, dim, 0, half), narrow(input, dim, half, half))
