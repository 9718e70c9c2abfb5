"""Sums of products by letters: einsum, and what it is made of; tensordot.

An equation is read into one string of labels per operand: a letter, or for each dimension under an ellipsis a sign that
no equation can contain.  Then operands are contracted pair by pair from the left, each pair by one product of matrices:

    "bij,bjk->bik"     b in both and wanted: a batch     j in both, not wanted: summed     i, k in one: rows and columns
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import functools
import math

import numpy as np

from minigrad.ops.linalg import same_dtype
from minigrad.registry import FUNCTION, Op, composite, helper, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import dims_of

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
HIDDEN = 0x2460  # the first of the signs for the dimensions under an ellipsis


def equation_of(arguments):
    """(equation, operands) of einsum's arguments: an equation first, or operands and lists of numbers in turns."""
    if not arguments:
        raise ValueError("einsum(): must specify the equation string and at least one operand, or at least one operand")
    equation, *operands = arguments
    if isinstance(equation, str):
        if len(operands) == 1 and isinstance(operands[0], tuple | list):
            operands = operands[0]
        return equation, tuple(operands)
    terms = [subscripts(numbers) for numbers in arguments[1::2]]
    out = "->" + subscripts(arguments[-1]) if len(arguments) % 2 else ""
    return ",".join(terms) + out, tuple(arguments[: 2 * len(terms) : 2])


def subscripts(numbers):
    """A list of numbers, and perhaps an Ellipsis, as letters."""
    if any(number is not Ellipsis and not 0 <= number < len(LETTERS) for number in numbers):
        raise ValueError(f"einsum(): not in range [0, 52): the subscripts are {list(numbers)}")
    return "".join("..." if number is Ellipsis else LETTERS[number] for number in numbers)


def labels(term, hidden, what):
    """A term with the ellipsis replaced by `hidden`; RuntimeError for what is no letter."""
    before, dots, after = term.partition("...")
    for letter in before + after:
        if letter not in LETTERS:
            text = "found '.'" if letter == "." else f"found subscript {letter!r}"
            raise RuntimeError(
                f"einsum(): {text} in {term!r} for {what}: expected letters, and at most one ellipsis '...'"
            )
    return before + (hidden if dots else "") + after


@on_every_path("einsum_plan")
def einsum_plan(arguments):
    """(operands, labels of each operand, labels of the result, size of each label) of einsum's arguments."""
    equation, operands = equation_of(arguments)
    return operands, *read_equation(equation, tuple([tuple(operand.shape) for operand in operands]))


@functools.lru_cache(maxsize=1024)
def read_equation(equation, shapes):
    """Labels of each operand, labels of the result, and the sizes of the labels; RuntimeError for what does not fit."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not shapes:
        raise RuntimeError("einsum(): must provide at least one operand")
    if len(terms) != len(shapes):
        raise RuntimeError(
            f"einsum(): the equation {equation!r} names {len(terms)} operands, but {len(shapes)} were given"
        )
    widths = []
    for k, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        named = len(term.replace("...", ""))
        widths.append(len(shape) - named if "..." in term else 0)
        if widths[-1] < 0 or ("..." not in term and named != len(shape)):
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the number of dimensions "
                f"({len(shape)}) for operand {k}" + ("" if "..." in term else " and no ellipsis was given")
            )
    hidden = "".join(chr(HIDDEN + k) for k in range(max(widths)))  # an ellipsis names the last of them
    read = [
        labels(term, hidden[len(hidden) - width :], f"operand {k}")
        for k, (term, width) in enumerate(zip(terms, widths, strict=True))
    ]
    if arrow:
        out = labels(right, hidden, "the output")
        unknown = [c for c in out if not any(c in term for term in read)]
        if unknown or len(set(out)) != len(out):
            wrong = f"{unknown[0]!r} does not appear in any input" if unknown else "a subscript appears more than once"
            raise RuntimeError(f"einsum(): output {right!r} of {equation!r}: {wrong}")
    else:
        everything = "".join(terms).replace("...", "")
        out = hidden + "".join(sorted(c for c in set(everything) if everything.count(c) == 1))
    return read, out, label_sizes(read, shapes)


def label_sizes(terms, shapes):
    """The size of each label: all are the same, or 1; within one operand they are the same."""
    sizes = {}
    for k, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        for position, (c, size) in enumerate(zip(term, shape, strict=True)):
            first = term.index(c)
            if shape[first] != size:
                raise RuntimeError(
                    f"einsum(): subscript {c} is repeated for operand {k} but the sizes don't match, {size} at "
                    f"dimension {position} and {shape[first]} at {first}"
                )
            if sizes.setdefault(c, size) != size:
                if 1 not in (size, sizes[c]):
                    raise RuntimeError(
                        f"einsum(): subscript {c} has size {size} for operand {k} which does not broadcast with "
                        f"previously seen size {sizes[c]}"
                    )
                sizes[c] = size if sizes[c] == 1 else sizes[c]
    return sizes


@on_every_path("wanted_later")
def wanted_later(known, later):
    """The labels of `known` that are in `later`, each once."""
    return "".join(c for c in dict.fromkeys(known) if c in later)


@on_every_path("repeated")
def repeated(term):
    """(position, next position) of the first label that stands twice, or None."""
    for position, c in enumerate(term):
        again = term.find(c, position + 1)
        if again >= 0:
            return position, again
    return None


@helper
def once_each(operand, term, sizes):
    """The operand and its labels with diagonals taken, and without the ones that broadcast."""
    twice = repeated(term)
    while twice is not None:
        operand = diagonal(operand, 0, twice[0], twice[1])
        term = term[: twice[0]] + term[twice[0] + 1 : twice[1]] + term[twice[1] + 1 :] + term[twice[0]]
        twice = repeated(term)
    for position in range(len(term) - 1, -1, -1):
        if operand.shape[position] == 1 and sizes[term[position]] != 1:
            operand, term = squeeze(operand, position), term[:position] + term[position + 1 :]
    return operand, term


@composite(public=(FUNCTION,), samples=of(
    lambda make: S("ij,jk->ik", make(3, 4), make(4, 2)),
    lambda make: S("bij,bkj->bik", make(2, 3, 4), make(2, 5, 4)),
    lambda make: S("ij->ji", make(3, 4)),
    lambda make: S("i,j,k->ijk", make(2), make(3), make(2)),
    lambda make: S("ij,ij", make(3, 4), make(3, 4)),
    lambda make: S("...i,...i->...", make(2, 1, 4), make(3, 4)),
    lambda make: S("iij,jB->iB", make(3, 3, 4), make(4, 2)),
    lambda make: S("ij,ij->i", make(3, 1), make(1, 4)),
    lambda make: S(make(3, 4), [0, 1], make(4, 2), [1, 2], [2, 0]),
))  # fmt: skip
def einsum(*args):
    """einsum(equation, *operands) -> Tensor

    The sum of products by letters, e.g. ``einsum("bij,bjk->bik", a, b)``. A letter twice in an operand takes its
    diagonal; ``...`` stands for dimensions without letters, which broadcast; without ``->`` the result has the letters
    that occur once, in order. Also ``einsum(a, [0, 1], b, [1, 2], [0, 2])``. Operands are contracted from the left.
    (PyTorch: torch.einsum)
    """
    operands, terms, out, sizes = einsum_plan(args)
    parts = [once_each(operand, term, sizes) for operand, term in zip(operands, terms, strict=True)]
    result, known = parts[0]
    for k in range(1, len(parts)):
        other, term = parts[k]
        later = out + "".join([after for _, after in parts[k + 1 :]])
        keep = out if k == len(parts) - 1 else wanted_later(known + term, later)
        result, known = einsum2(result, other, known, term, keep), keep
    gone = tuple([d for d, c in enumerate(known) if c not in out])
    if gone:
        result, known = sum(result, gone), wanted_later(known, out)
    return permute(result, tuple([known.index(c) for c in out])) if known != out else result


class einsum2(Op):
    """The sum of products of two tensors by their labels, each once in a tensor; called by `einsum`."""

    public = ()

    def forward(input, other, /, first, second, left):
        if input.dtype is not other.dtype:
            same_dtype("einsum", input, other)
        return contract(input, other, first, second, left)

    def grad_input(g, other, input_shape, first, second, left):
        return einsum_grad(g, other, input_shape, first, second, left)

    def grad_other(g, input, other_shape, first, second, left):
        return einsum_grad(g, input, other_shape, second, first, left)


@helper
def einsum_grad(g, other, shape, mine, others, left):
    """The gradient of one operand: sum over the letters it lacks; letters only it has are spread."""
    known = "".join([c for c in mine if c in left or c in others])
    partial = einsum2(g, other, left, others, known)
    for position, letter in enumerate(mine):
        if letter not in known:
            partial = unsqueeze(partial, position)
    return expand(partial, shape)


def contract(a, b, first, second, out):
    """`einsum2` on arrays: as one product of matrices, in batches; without anything to sum, an ordinary product."""
    a, first = summed(a, first, second + out)
    b, second = summed(b, second, first + out)
    batch = [c for c in first if c in second and c in out]
    inner = [c for c in first if c in second and c not in out]
    rows, columns = [c for c in first if c not in second], [c for c in second if c not in first]
    sizes = dict(zip(first + second, a.shape + b.shape, strict=True))
    shape = [sizes[c] for c in (*batch, *rows, *columns)]
    a = a.transpose([first.index(c) for c in (*batch, *rows, *inner)])
    b = b.transpose([second.index(c) for c in (*batch, *inner, *columns)])
    if inner and "b" in (a.dtype.kind, b.dtype.kind):
        raise NotImplementedError("\"bmm\" not implemented for 'Bool': convert the operands with .to()")
    if inner:
        batches, n, k, m = (math.prod(sizes[c] for c in group) for group in (batch, rows, inner, columns))
        found = np.matmul(a.reshape(batches, n, k), b.reshape(batches, k, m)).reshape(shape)
    else:
        ones = (1,) * len(rows)
        found = a.reshape(a.shape + (1,) * len(columns)) * b.reshape(
            b.shape[: len(batch)] + ones + b.shape[len(batch) :]
        )
    have = [*batch, *rows, *columns]
    return found.transpose([have.index(c) for c in out])


def summed(array, known, wanted):
    """The array summed over the labels that are not wanted (bools as integers), and those that are left."""
    gone = tuple(d for d, c in enumerate(known) if c not in wanted)
    return (np.asarray(array.sum(gone)), "".join(c for c in known if c in wanted)) if gone else (array, known)


@on_every_path("dot_dims")
def dot_dims(dims, a_shape, b_shape):
    """tensordot's `dims` as two tuples of dimensions, checked against the shapes."""
    dims = getattr(dims, "array", dims)
    if isinstance(dims, np.ndarray):
        dims = dims.tolist()
    if isinstance(dims, int):
        if not 0 <= dims <= min(len(a_shape), len(b_shape)):
            raise RuntimeError(f"tensordot expects dims >= 0 and dims < ndim_a or ndim_b, but got dims={dims}")
        dims = tuple(range(len(a_shape) - dims, len(a_shape))), tuple(range(dims))
    if not isinstance(dims, tuple | list) or len(dims) != 2:
        raise RuntimeError(f"tensordot expects dims to be int or a pair of lists of ints, but got dims={dims!r}")
    first, second = (list(d) if isinstance(d, tuple | list) else [d] for d in dims)
    if len(first) != len(second):
        raise RuntimeError(f"tensordot(): both dimension lists should have same length, got {first} and {second}")
    first, second = dims_of(first, len(a_shape), "tensordot"), dims_of(second, len(b_shape), "tensordot")
    for one, other in zip(first, second, strict=True):
        if a_shape[one] != b_shape[other] and 1 not in (a_shape[one], b_shape[other]):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a_shape[one]} in dim {one} and second has "
                f"size {b_shape[other]} in dim {other}"
            )
    return first, second


@composite(
    out=True,
    public=(FUNCTION,),
    samples=of(
        lambda make: S(make(2, 3, 4), make(3, 4, 2)),
        lambda make: S(make(3, 4), make(4, 2), 1),
        lambda make: S(make(2, 3, 4), make(4, 2, 5), dims=([0, -1], [1, 0])),
        lambda make: S(make(3), make(2), 0),
    ),
)
def tensordot(a, b, dims=2):
    """tensordot(a, b, dims=2) -> Tensor

    The products of two tensors summed over `dims`: an int for the last of a with the first of b, or a pair of lists of
    dimensions. The result has a's other dimensions, then b's. (PyTorch: torch.tensordot)
    """
    first, second = dot_dims(dims, tuple(a.shape), tuple(b.shape))
    if np_dtype(a) != np_dtype(b):
        raise RuntimeError(f"tensordot(): both inputs should have same dtype, got {a.dtype} and {b.dtype}")
    if np_dtype(a).kind == "b":
        raise NotImplementedError("\"tensordot\" not implemented for 'Bool': convert the operands with .to()")
    for one, other in zip(first, second, strict=True):  # a size of 1 is repeated: the other is summed by itself
        a = sum(a, one, True, dtype=a.dtype) if b.shape[other] == 1 != a.shape[one] else a
        b = sum(b, other, True, dtype=b.dtype) if a.shape[one] == 1 != b.shape[other] else b
    names = LETTERS[: a.ndim + b.ndim]
    mine, others = list(names[: a.ndim]), list(names[a.ndim :])
    for one, other in zip(first, second, strict=True):
        others[other] = mine[one]
    out = [c for d, c in enumerate(mine) if d not in first] + [c for d, c in enumerate(others) if d not in second]
    return einsum2(a, b, "".join(mine), "".join(others), "".join(out))


@composite(out=True, samples=of(
    lambda make: S(make(4), make(4)), lambda make: S(make(2, 4), make(3, 4)), lambda make: S(make(), make(2, 3)),
))  # fmt: skip
def inner(input, other):
    """inner(input, other) -> Tensor

    The sums of products along the last dimensions; of a number and a tensor, the product. (PyTorch: torch.inner)
    """
    if not input.ndim or not other.ndim:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))
