"""Activations: the pointwise functions of `nn.functional`.

Formulas are those of PyTorch's pages of the same names; the papers are named where there is one.
"""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

from minigrad.kernels.vecmath import ARRAY_FUNCTIONS
from minigrad.registry import FUNCTION, FUNCTIONAL, INPLACE, METHOD, Activation, composite
from minigrad.samples import S, of, unary

EVERYWHERE = (FUNCTION, METHOD, INPLACE, FUNCTIONAL)


class relu(Activation):
    """relu(input) -> Tensor

    ``max(0, input)``; the gradient at 0 is 0. nn.functional.relu takes inplace=. (Nair & Hinton 2010; torch.relu)
    """

    public, floats, inplace_keyword = EVERYWHERE, False, True
    no_bools = "Boolean inputs not supported for relu"

    def scalar(input):
        return where(input <= 0, 0, input)

    def grad_input(g, output):
        return where(output > 0, g, 0)

    samples = unary()


class sigmoid(Activation):
    """sigmoid(input) -> Tensor

    ``1 / (1 + exp(-input))``. (PyTorch: torch.sigmoid)
    """

    public, symbol, array, alias = EVERYWHERE, "σ", ARRAY_FUNCTIONS["sigmoid"], ("special.expit",)

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


class leaky_relu(Activation):
    """leaky_relu(input, negative_slope=0.01) -> Tensor

    ``input`` where positive, ``negative_slope * input`` elsewhere. (Maas et al. 2013; F.leaky_relu)
    """

    inplace_keyword, public = True, (FUNCTIONAL, INPLACE)

    def scalar(input, /, negative_slope=0.01):
        return where(input > 0, input, negative_slope * input)

    def grad_input(g, input, negative_slope):
        return where(input > 0, g, negative_slope * g)

    samples = unary(negative_slope=0.2)


class elu(Activation):
    """elu(input, alpha=1.0) -> Tensor

    ``input`` where positive, ``alpha * (exp(input) - 1)`` elsewhere. (Clevert et al. 2015; F.elu)
    """

    inplace_keyword, public = True, (FUNCTIONAL, INPLACE)

    def scalar(input, /, alpha=1.0):
        return where(input > 0, input, alpha * expm1(input))

    def grad_input(g, input, alpha):
        return where(input > 0, g, g * (alpha * exp(input)))

    samples = unary(alpha=1.3)


class celu(Activation):
    """celu(input, alpha=1.0) -> Tensor

    ``max(0, input) + min(0, alpha * (exp(input / alpha) - 1))``. (Barron 2017; F.celu)
    """

    inplace_keyword = True

    def scalar(input, /, alpha=1.0):
        return where(input > 0, input, alpha * expm1(input / alpha))

    def grad_input(g, input, alpha):
        return where(input > 0, g, g * exp(input / alpha))

    samples = unary(alpha=1.3)


class selu(Activation):
    """selu(input) -> Tensor

    ``scale * elu(input, alpha)`` with alpha 1.6733 and scale 1.0507. (Klambauer et al. 2017; F.selu)
    """

    inplace_keyword, public, backward_name = True, EVERYWHERE, "EluBackward0"

    def scalar(input):
        return 1.0507009873554805 * where(input > 0, input, 1.6732632423543772 * expm1(input))

    def grad_input(g, input):
        return g * (1.0507009873554805 * where(input > 0, 1, 1.6732632423543772 * exp(input)))

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
        return input * sigmoid(input)

    def grad_input(g, input):
        s = sigmoid(input)
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
        t = tanh(log1p(exp(-abs(input))) + where(input > 0, input, 0))
        return g * (t + input * (sigmoid(input) * (1 - t * t)))

    samples = unary()


class softplus(Activation):
    """softplus(input, beta=1.0, threshold=20.0) -> Tensor

    ``log(1 + exp(beta * input)) / beta``; the input itself where ``beta * input > threshold``.
    (Dugas et al. 2001; F.softplus)
    """

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

    def scalar(input):
        return input / (1 + abs(input))

    def grad_input(g, input):
        return g / ((1 + abs(input)) * (1 + abs(input)))

    samples = unary()


class tanhshrink(Activation):
    """tanhshrink(input) -> Tensor

    ``input - tanh(input)``. (PyTorch: F.tanhshrink)
    """

    def scalar(input):
        return input - tanh(input)

    def grad_input(g, input):
        return g * (tanh(input) * tanh(input))

    samples = unary()


@composite(public=(FUNCTIONAL,), samples=unary(lambd=0.8))
def softshrink(input, lambd=0.5):
    """softshrink(input, lambd=0.5) -> Tensor

    ``input - lambd`` above lambd, ``input + lambd`` below -lambd, 0 between (lambd >= 0). (PyTorch: F.softshrink)
    """
    if lambd < 0:
        raise RuntimeError(f"lambda must be in range [0, inf) for softshrink(), but found {lambd}")
    return shrink(input, lambd)


class shrink(Activation):
    """The input moved towards zero by lambd; called by `softshrink`."""

    public, backward_name = (), "SoftshrinkBackward0"

    def scalar(input, /, lambd):
        return where(input > lambd, input - lambd, where(input < -lambd, input + lambd, 0 * input))

    def grad_input(g, input, lambd):
        return where((input > lambd) | (input < -lambd), g, 0)


class hardshrink(Activation):
    """hardshrink(input, lambd=0.5) -> Tensor

    ``input`` outside [-lambd, lambd], 0 inside. (PyTorch: F.hardshrink)
    """

    def scalar(input, /, lambd=0.5):
        return where((input >= -lambd) & (input <= lambd), 0, input)

    def grad_input(g, input, lambd):
        return where((input >= -lambd) & (input <= lambd), 0, g)

    samples = unary(lambd=0.8)


class hardtanh(Activation):
    """hardtanh(input, min_val=-1.0, max_val=1.0) -> Tensor

    The input limited to [min_val, max_val]; the gradient is 0 at the limits. (PyTorch: F.hardtanh)
    """

    inplace_keyword, public = True, (FUNCTIONAL, INPLACE)

    def scalar(input, /, min_val=-1.0, max_val=1.0):
        return where(input < min_val, min_val, where(input > max_val, max_val, input))

    def grad_input(g, input, min_val, max_val):
        return where((input > min_val) & (input < max_val), g, 0)

    samples = unary(min_val=-0.7, max_val=1.4)


class relu6(Activation):
    """relu6(input) -> Tensor

    ``min(max(0, input), 6)``. (Krizhevsky 2010; F.relu6)
    """

    inplace_keyword, backward_name = True, "HardtanhBackward0"

    def scalar(input):
        return where(input < 0, 0, where(input > 6, 6, input))

    def grad_input(g, input):
        return where((input > 0) & (input < 6), g, 0)

    samples = unary(-4, 9)


class hardsigmoid(Activation):
    """hardsigmoid(input) -> Tensor

    ``relu6(input + 3) / 6``. (Howard et al. 2019; F.hardsigmoid)
    """

    inplace_keyword = True

    def scalar(input):
        return where(input <= -3, 0, where(input >= 3, 1, (input + 3) / 6))

    def grad_input(g, input):
        return where((input > -3) & (input < 3), g / 6, 0)

    samples = unary(-5, 5)


class hardswish(Activation):
    """hardswish(input) -> Tensor

    ``input * relu6(input + 3) / 6``. (Howard et al. 2019; F.hardswish)
    """

    inplace_keyword = True

    def scalar(input):
        return where(input <= -3, 0 * input, where(input >= 3, input, input * (input + 3) / 6))

    def grad_input(g, input):
        return where(input <= -3, 0, where(input >= 3, g, g * (input / 3 + 0.5)))

    samples = unary(-5, 5)


class threshold(Activation):
    """threshold(input, threshold, value) -> Tensor

    ``input`` where above the threshold, ``value`` elsewhere. (PyTorch: F.threshold)
    """

    inplace_keyword = True

    def scalar(input, /, threshold, value):
        return where(input <= threshold, value, input)

    def grad_input(g, input, threshold):
        return where(input <= threshold, 0, g)

    samples = of(lambda make: S(make(3, 4), 0.3, -7.0), lambda make: S(make(), -0.2, 1.5))


@composite(
    public=(FUNCTION, FUNCTIONAL),
    samples=of(lambda make: S(make(3, 4), make(4)), lambda make: S(make(2, 3, 4), make(1))),
)
def prelu(input, weight):
    """prelu(input, weight) -> Tensor

    ``input`` where positive, ``weight * input`` elsewhere; weight is learned: one number, or one for each channel
    (dimension 1). (He et al. 2015; F.prelu)
    """
    if weight.ndim and weight.shape[0] != 1:
        if input.ndim < 2 or input.shape[1] != weight.shape[0]:
            channels = input.shape[1] if input.ndim > 1 else 1
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.shape[0]} "
                f"and channel size = {channels}."
            )
        weight = reshape(weight, (weight.shape[0], *[1] * (input.ndim - 2)))
    return where(input > 0, input, weight * input)


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(3, 4)), lambda make: S(make(6, 2), dim=0)))
def glu(input, dim=-1):
    """glu(input, dim=-1) -> Tensor

    The input is split in two halves along dim: ``first * sigmoid(second)``. (Dauphin et al. 2016; F.glu)
    """
    if input.shape[dim] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}")
    half = input.shape[dim] // 2
    return narrow(input, dim, 0, half) * sigmoid(narrow(input, dim, half, half))
