"""Products made of matrix products: with something added, in chains and powers; Kronecker and cross products."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

from minigrad.errors import shape_text
from minigrad.registry import FUNCTION, INPLACE, LINALG, METHOD, composite, helper, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, one_dim


def added(*shapes):
    """Samples of what is added to a product: of the result's shape, broadcast, and weighed."""
    first, *rest = shapes
    return of(
        lambda make: S(make(*first), *[make(*shape) for shape in rest]),
        lambda make: S(make(first[-1]), *[make(*shape) for shape in rest], beta=0.5, alpha=2.0),
    )


@helper
def weighed(tensor, factor):
    """The tensor times a number, which is cut to an integer where the tensor holds integers."""
    if factor == 1:
        return tensor
    kind = np_dtype(tensor).kind
    return (
        tensor * (factor if kind == "f" else int(factor))
        if kind != "b"
        else (tensor if factor else logical_xor(tensor, tensor))
    )


@helper
def plus(op, input, beta, alpha, product):
    """``beta * input + alpha * product``; with beta 0 the input is not looked at."""
    if np_dtype(input) != np_dtype(product):
        raise RuntimeError(
            f"{op}(): self and mat2 must have the same dtype, but got {input.dtype} and {product.dtype}: convert one"
        )
    product = weighed(product, alpha)
    if tuple(input.shape) != tuple(product.shape):
        input = expand(input, product.shape)
    return weighed(input, beta) + product if beta != 0 else product


@on_every_path("check_batches")
def check_batches(op, first, second):
    """Both factors are batches of matrices."""
    if first < 3 or second < 3:
        raise IndexError(
            f"{op}(): Dimension out of range: batch1 and batch2 must be 3-D, but they are {first}-D and {second}-D"
        )


PUBLIC = (FUNCTION, METHOD, INPLACE)


@composite(backward_name="AddmmBackward0", out=True, public=PUBLIC, samples=added((3, 2), (3, 4), (4, 2)))
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """addmm(input, mat1, mat2, *, beta=1, alpha=1) -> Tensor: ``beta * input + alpha * (mat1 @ mat2)``.
    (PyTorch: torch.addmm)"""
    return plus("addmm", input, beta, alpha, mm(mat1, mat2))


@composite(backward_name="BaddbmmBackward0", out=True, public=PUBLIC, samples=added((2, 3, 2), (2, 3, 4), (2, 4, 2)))
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """baddbmm(input, batch1, batch2, *, beta=1, alpha=1) -> Tensor: ``beta * input + alpha * (batch1 @ batch2)``, for
    each matrix of a batch. (PyTorch: torch.baddbmm)"""
    check_batches("baddbmm", batch1.ndim, batch2.ndim)
    return plus("baddbmm", input, beta, alpha, bmm(batch1, batch2))


@composite(backward_name="AddbmmBackward0", out=True, public=PUBLIC, samples=added((3, 2), (2, 3, 4), (2, 4, 2)))
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """addbmm(input, batch1, batch2, *, beta=1, alpha=1) -> Tensor: ``beta * input + alpha * Σ (batch1 @ batch2)``,
    summed over the batch. (PyTorch: torch.addbmm)"""
    check_batches("addbmm", batch1.ndim, batch2.ndim)
    product = bmm(batch1, batch2)
    return plus("addbmm", input, beta, alpha, sum(product, 0, dtype=product.dtype))


@composite(
    out=True,
    public=PUBLIC,
    samples=of(
        lambda make: S(make(3), make(3, 4), make(4)),
        lambda make: S(make(1), make(3, 4), make(4), beta=0.5, alpha=2.0),
    ),
)
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """addmv(input, mat, vec, *, beta=1, alpha=1) -> Tensor: ``beta * input + alpha * (mat @ vec)``.
    (PyTorch: torch.addmv)"""
    return plus("addmv", input, beta, alpha, mv(mat, vec))


@composite(out=True, public=PUBLIC, samples=added((3, 4), (3,), (4,)))
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """addr(input, vec1, vec2, *, beta=1, alpha=1) -> Tensor: ``beta * input + alpha * outer(vec1, vec2)``.
    (PyTorch: torch.addr)"""
    input, product = promoted(input, outer(vec1, vec2))
    product = weighed(product, alpha)
    if tuple(input.shape) != tuple(product.shape):
        input = expand(input, product.shape)
    return weighed(input, beta) + product if beta != 0 else product


@composite(out=True, samples=of(lambda make: S(make(4), make(4))))
def vdot(input, other):
    """vdot(input, other) -> Tensor: `dot` (they differ for complex numbers only). (PyTorch: torch.vdot)"""
    return dot(input, other)


@composite(
    out=True,
    public=(LINALG,),
    samples=of(
        lambda make: S(make(3, 4), make(3, 4)),
        lambda make: S(make(2, 3), make(3), dim=-1),
    ),
)
def linalg_vecdot(x, y, *, dim=-1):
    """vecdot(x, y, *, dim=-1) -> Tensor: the sums of products along `dim`, with broadcasting.
    (PyTorch: torch.linalg.vecdot)"""
    if np_dtype(x).kind != "f":
        raise RuntimeError(
            f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {type_name(np_dtype(x))}"
        )
    if np_dtype(x) != np_dtype(y):
        raise RuntimeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, but found x of type {x.dtype} and y of type "
            f"{y.dtype} instead"
        )
    return sum(x * y, dim)


@composite(
    out=True,
    samples=of(
        lambda make: S(make(2, 3), make(3, 2)),
        lambda make: S(make(3), make(2, 2)),
        lambda make: S(make(), make(2)),
    ),
)
def kron(input, other):
    """kron(input, other) -> Tensor

    The Kronecker product: each element of input times the whole of other, side by side. (PyTorch: torch.kron)
    """
    ndim = input.ndim if input.ndim > other.ndim else other.ndim
    mine = (*(1,) * (ndim - input.ndim), *input.shape)
    others = (*(1,) * (ndim - other.ndim), *other.shape)
    spread_out = reshape(input, tuple([k for size in mine for k in (size, 1)]))
    within = reshape(other, tuple([k for size in others for k in (1, size)]))
    return reshape(spread_out * within, tuple([a * b for a, b in zip(mine, others, strict=True)]))


@helper
def crossed(input, other, dim):
    """The cross product along a dimension of three."""
    if input.ndim != other.ndim:
        raise RuntimeError(
            f"linalg.cross: inputs must have the same number of dimensions: got {shape_text(input.shape)} and "
            f"{shape_text(other.shape)}"
        )
    dim = one_dim(dim, input.ndim, "cross")
    if not input.ndim or input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {shape_text(input.shape)} and "
            f"{shape_text(other.shape)}"
        )
    if np_dtype(input).kind == "b":
        raise NotImplementedError("\"cross\" not implemented for 'Bool': convert the inputs with .to()")
    if np_dtype(input) != np_dtype(other):
        raise RuntimeError(
            f"cross(): expected scalar type {input.dtype} but found {other.dtype}: convert one with .to()"
        )
    one, two = roll(input, -1, dim), roll(input, -2, dim)
    return one * roll(other, -2, dim) - two * roll(other, -1, dim)


@composite(
    out=True,
    backward_name="LinalgCrossBackward0",
    samples=of(lambda make: S(make(2, 3), make(2, 3)), lambda make: S(make(3, 2), make(3, 1), 0)),
)
def cross(input, other, dim=None):
    """cross(input, other, dim=None) -> Tensor

    The cross product of vectors of three along `dim`; by default along the first dimension of size 3.
    (PyTorch: torch.cross)
    """
    if dim is None:
        threes = [d for d, size in enumerate(input.shape) if size == 3]
        if not threes:
            raise RuntimeError(f"no dimension of size 3 in input: cross() got shape {shape_text(input.shape)}")
        dim = threes[0]
    return crossed(input, other, dim)


@composite(
    backward_name="LinalgCrossBackward0",
    out=True,
    public=(LINALG,),
    samples=of(lambda make: S(make(2, 3), make(2, 3)), lambda make: S(make(3, 2), make(3, 1), dim=0)),
)
def linalg_cross(input, other, *, dim=-1):
    """cross(input, other, *, dim=-1) -> Tensor

    The cross product of vectors of three along `dim`, the other dimensions broadcast. (PyTorch: torch.linalg.cross)
    """
    return crossed(input, other, dim)


@on_every_path("cheapest_split")
def cheapest_split(sizes):
    """{(i, j): k}: where to split the product of matrices i to j, of sizes[i] × sizes[i + 1] each, to multiply the
    fewest numbers. (The textbook recursion.)"""
    count = len(sizes) - 1
    cost, split = {(i, i): 0 for i in range(count)}, {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            ways = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i, j], split[i, j] = min(ways)
    return split


@helper
def chained(matrices, split, i, j):
    """The product of matrices i to j."""
    if i == j:
        return matrices[i]
    return matmul(chained(matrices, split, i, split[i, j]), chained(matrices, split, split[i, j] + 1, j))


@composite(
    out=True,
    public=(LINALG,),
    samples=of(
        lambda make: S([make(3, 4), make(4, 2), make(2, 5)]),
        lambda make: S([make(3), make(3, 4), make(4)]),
    ),
)
def linalg_multi_dot(tensors):
    """multi_dot(tensors) -> Tensor

    The product of two or more matrices, multiplied in the cheapest order. The first and the last may be vectors.
    (PyTorch: torch.linalg.multi_dot)
    """
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    last = len(tensors) - 1
    for k, tensor in enumerate(tensors):
        if tensor.ndim != 2 and not (tensor.ndim == 1 and k in (0, last)):
            kind = "1D or 2D" if k in (0, last) else "2D"
            raise RuntimeError(f"multi_dot(): tensor {k} must be {kind} but got {tensor.ndim}D")
        if np_dtype(tensor) != np_dtype(tensors[0]):
            raise RuntimeError(
                f"multi_dot(): all tensors must have be the same dtype: tensor 0 is {tensors[0].dtype} but tensor {k} "
                f"{tensor.dtype}"
            )
    row, column = tensors[0].ndim == 1, tensors[last].ndim == 1
    matrices = list(tensors)
    if row:
        matrices[0] = unsqueeze(matrices[0], 0)
    if column:
        matrices[last] = unsqueeze(matrices[last], 1)
    for k in range(last):
        if matrices[k].shape[1] != matrices[k + 1].shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {k} and {k + 1} with shapes {shape_text(tensors[k].shape)} and "
                f"{shape_text(tensors[k + 1].shape)} cannot be multiplied"
            )
    sizes = (matrices[0].shape[0], *[matrix.shape[1] for matrix in matrices])
    out = chained(matrices, cheapest_split(sizes), 0, last)
    return reshape(out, (*(() if row else sizes[:1]), *(() if column else sizes[-1:])))


@composite(out=True, public=(FUNCTION,), samples=of(lambda make: S(make(3, 4), make(4, 2), make(2, 5))))
def chain_matmul(*matrices):
    """chain_matmul(*matrices) -> Tensor: `linalg.multi_dot` of matrices. (PyTorch: torch.chain_matmul)"""
    if len(matrices) == 1:
        return matrices[0]
    return linalg_multi_dot(matrices)


@composite(
    out=True,
    alias=("linalg.matrix_power",),
    samples=of(lambda make: S(make(3, 3), 3), lambda make: S(make(2, 3, 3), 2), lambda make: S(make(3, 3), 0)),
)
def matrix_power(input, n):
    """matrix_power(input, n) -> Tensor

    The n-th power of square matrices (..., m, m), by repeated squaring; of the inverse for n < 0; the identity for 0.
    (PyTorch: torch.linalg.matrix_power)
    """
    n = index_of(n, "linalg_matrix_power", "n")
    if input.ndim < 2:
        raise RuntimeError("linalg.matrix_power: The input tensor A must have at least 2 dimensions.")
    if input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            "linalg.matrix_power: A must be batches of square matrices, but they are "
            f"{input.shape[-2]} by {input.shape[-1]} matrices"
        )
    if n == 0:
        unit = eye_mask(input.shape[-1])
        return masked_fill(masked_fill(input, unit, 1), logical_not(unit), 0)
    power, out = linalg_inv(input) if n < 0 else input, None
    n = -n if n < 0 else n
    while n:
        if n % 2:
            out = power if out is None else matmul(out, power)
        n //= 2
        power = matmul(power, power) if n else power
    return out
