"""Arguments that PyTorch takes or refuses where one might guess otherwise: None and bools for an int, one for two."""

import pytest
from both import check

from minigrad.registry import Pointwise, composite, helper, on_every_path

torch = pytest.importorskip("torch")

LINES = """
T.max(a)
T.max(a, None)
T.max(a, dim=None)
T.max(a, other=None)
T.max(a, keepdim=True)
T.max(a, axis=1, keepdims=True)
T.max(a, a * 2)
T.max(a, other=a * 2)
T.max(a, True)
a.min(None)
a.min(0, True)
T.prod(a)
T.prod(a, None)
T.prod(a, dim=None, keepdim=True)
T.prod(a, keepdim=True)
T.prod(a, (0, 1))
T.prod(a, 1, True, dtype=T.float64)
T.prod(i, dtype=T.int32)
T.sum(a, True)
T.sum(a, None)
T.logsumexp(a, None)
T.logsumexp(a, (), True)
T.logsumexp(a, (0, 1))
T.index_add(s, 0, T.tensor([1]), s)
T.index_add(v, 0, T.tensor([3]), v[:1])
T.index_copy(a, 0, T.tensor([0]), v)
T.index_copy(a, 0, T.tensor([0]), s)
T.index_copy(v, 0, T.tensor([0]), s)
T.diff(a, 0, 1.5)
T.diff(a, 0, 9)
T.linalg.solve_triangular(T.eye(3), T.ones(3, 2, dtype=T.int32), upper=True)
T.linalg.solve_triangular(T.eye(3).double() * 2, T.ones(2, 3), upper=False, left=False)
T.linalg.solve_triangular(T.eye(3).int(), T.ones(3, 2), upper=True)
F.conv2d(img > 2, w)
F.conv2d(img > 2, w, v)
F.conv2d(img.long(), w)
F.conv2d(img, w, v.double())
F.conv_transpose2d(img.int(), w[:2], v[:2])
F.conv_transpose2d(img.int(), w[:2].int())
F.conv_transpose2d(img.long(), w[:2].long())
F.conv_transpose2d(img.long(), w[:2])
F.avg_pool2d(img, 2, divisor_override=1.5)
F.avg_pool2d(img, 2, divisor_override=True)
F.avg_pool2d(img, 2, divisor_override="text")
F.avg_pool2d(img, 2, divisor_override=-3)
F.adaptive_avg_pool1d(v, 2)
F.adaptive_avg_pool1d(a, None)
F.adaptive_avg_pool1d(a, (None,))
F.adaptive_avg_pool1d(a, (2, 3))
F.adaptive_max_pool1d(v, 2)
F.adaptive_max_pool1d(a, None)
F.adaptive_avg_pool2d(a, 2)
F.adaptive_avg_pool2d(a, (2, 2))
F.adaptive_avg_pool2d(img, None)
F.adaptive_avg_pool2d(img, (None, 2))
F.adaptive_max_pool2d(a, 2)
F.adaptive_max_pool2d(img, None)
F.adaptive_avg_pool3d(a, 2)
F.unfold(img, (2,))
F.unfold(img, 2, stride=(2,))
F.unfold(img, 2, padding=("text",))
F.fold(T.ones(1, 4, 16), (5,), 2)
F.fold(T.ones(1, 4, 16), (5, 5), 2, dilation=(1,))
""".strip().splitlines()


@pytest.mark.parametrize("code", LINES)
def test_as_in_pytorch(code):
    check(code, torch)


def define_block(name):
    type(name, (Pointwise,), {"scalar": lambda input: input})


def define_function(declare):
    def define(name):
        function = eval("lambda input: input")
        function.__name__ = name
        declare(function)

    return define


@pytest.mark.parametrize("taken", ["relu", "matmul", "positive", "spread", "one_triangle"])
@pytest.mark.parametrize(
    "define",
    [define_block, define_function(composite()), define_function(helper)],
    ids=["block", "composite", "helper"],
)
def test_a_name_of_the_op_language_is_given_once(define, taken):
    with pytest.raises(ValueError, match=f"'{taken}' is defined twice in the op language"):
        define(taken)


@pytest.mark.parametrize("taken", ["relu", "positive", "spread", "one_triangle"])
def test_a_plain_function_takes_no_name_of_the_op_language(taken):
    with pytest.raises(ValueError, match="defined twice"):
        on_every_path(taken)(len)
