"""Every op block, tested by what the block itself declares: gradients, twins, edges, names. No PyTorch needed."""

import inspect
import math

import numpy as np
import pytest
from op_cases import (
    BLOCKS,
    CASES,
    case_id,
    function_of,
    inputs_of,
    is_differentiable,
    minigrad_tensor,
    outputs_of,
    samples,
)  # fmt: skip

import minigrad
from minigrad.autograd import gradcheck, gradgradcheck
from minigrad.autograd.fuse import formulas, operations
from minigrad.autograd.link import FUNCTIONALS, FUNCTIONS
from minigrad.kernels.pointwise import compile_ufunc
from minigrad.registry import ARRAYS, NUMBERS, OPS, arrays

POINTWISE = sorted(name for name, op in OPS.items() if op.pointwise)
DIFFERENTIABLE = [case for case in CASES if is_differentiable(case[0], samples(case[0])[case[1]])]


def checkable(case):
    """(function of the wanted tensors, the wanted tensors) of a case."""
    name, k = case
    sample = samples(name)[k]
    args, kwargs, made = inputs_of(sample, minigrad_tensor, grad=True, dtypes=minigrad)
    wanted = [o.requires_grad for o in outputs_of(function_of(name)(*args, **kwargs))]

    def run(*tensors):
        queue = list(tensors)
        args, kwargs, _ = inputs_of(
            sample, lambda array, wanted: queue.pop(0) if wanted else minigrad.tensor(array), grad=True, dtypes=minigrad
        )
        return tuple(o for o, kept in zip(outputs_of(function_of(name)(*args, **kwargs)), wanted) if kept)

    return run, made


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=case_id)
def test_gradient_agrees_with_differences(case):
    function, inputs = checkable(case)
    assert gradcheck(function, inputs)


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=case_id)
def test_second_gradient_agrees_with_differences(case):
    function, inputs = checkable(case)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=case_id)
def test_plain_and_recorded_backward_agree(case):
    """`run` (arrays, fused kernels) and `rule` (tensors) of every op on the way give one gradient."""
    function, inputs = checkable(case)
    outputs = [o for o in function(*inputs) if o.requires_grad]
    seeds = [minigrad.tensor(np.linspace(0.5, 1.5, o.numel()).reshape(o.shape)) for o in outputs]
    plain = minigrad.autograd.grad(outputs, inputs, seeds, retain_graph=True, allow_unused=True)
    recorded = minigrad.autograd.grad(outputs, inputs, seeds, create_graph=True, allow_unused=True)
    for a, b in zip(plain, recorded):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_strided_inputs_give_the_same(case):
    name, k = case
    sample = samples(name)[k]

    def strided(array, wanted):
        tensor = minigrad.tensor(np.repeat(array[..., None], 3, -1))[..., 1]
        assert not tensor.is_contiguous() or tensor.numel() < 2
        return tensor

    args, kwargs, _ = inputs_of(sample, minigrad_tensor, dtypes=minigrad)
    spread, spread_kwargs, _ = inputs_of(sample, strided, dtypes=minigrad)
    for a, b in zip(
        outputs_of(function_of(name)(*args, **kwargs)), outputs_of(function_of(name)(*spread, **spread_kwargs))
    ):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=case_id)
def test_float32_stays_float32(case):
    name, k = case
    sample = samples(name)[k]
    if "dtype" in sample.kwargs:
        return  # a sample that asks for another dtype gets it: checked against PyTorch
    args, kwargs, made = inputs_of(sample, minigrad_tensor, dtype="float32", grad=True)
    outputs = [o for o in outputs_of(function_of(name)(*args, **kwargs)) if o.requires_grad]
    assert all(o.dtype is minigrad.float32 for o in outputs)
    minigrad.autograd.backward(outputs, [minigrad.ones_like(o) for o in outputs])
    assert all(x.grad is None or (x.grad.dtype is minigrad.float32 and x.grad.shape == x.shape) for x in made)


@pytest.mark.parametrize("name", [name for name in sorted(BLOCKS) if name in OPS and OPS[name].pointwise])
def test_empty_inputs(name):
    op = OPS[name]
    attrs = (0.5, 0.5)[: len([a for a in op.attrs if a not in op.attr_defaults])]
    out = function_of(name)(*[minigrad.zeros(0, 3) for _ in op.inputs], *attrs) if not _wants_ints(name) else None
    assert out is None or out.shape == (0, 3)


def _wants_ints(name):
    return "f" not in OPS[name].kinds


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, 1e30, -1e30, 88.0, -104.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name in POINTWISE if OPS[name].jit_forward])
def test_compiled_formula_equals_its_numpy_twin(name, dtype):
    """The formula compiled, against NumPy's function (or the formula on arrays), special values included."""
    op = OPS[name]
    first, second = np.meshgrid(SPECIAL, SPECIAL) if len(op.inputs) == 2 else (SPECIAL, None)
    grid = np.concatenate([first.ravel(), np.linspace(-6, 6, 101)])
    inputs = [grid.astype(dtype)]
    if second is not None:
        inputs.append(np.concatenate([second.ravel(), np.linspace(5, -4, 101)]).astype(dtype))
    if len(op.inputs) == 3:
        inputs = [np.resize(grid[::step], grid.size).astype(dtype) for step in (1, 2, 3)]
    attrs = [np.dtype(dtype).type(op.attr_defaults.get(a, 0.75)) for a in op.attrs]
    loop = compile_ufunc(op.__dict__["scalar"], len(inputs) + len(attrs), dtype, formulas())
    with np.errstate(all="ignore"):
        compiled, twin = loop(*inputs, *attrs), ARRAYS[name](*inputs, *attrs)
    assert compiled.dtype == np.dtype(dtype)
    tolerance = 3e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(compiled, twin, rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "of"),
    [(n, i) for n in POINTWISE for i, rule in OPS[n].rules.items() if OPS[n].jit_rules and operations(rule) > 1],
)
def test_compiled_rule_equals_the_rule_on_arrays(name, of, dtype):
    op = OPS[name]
    rule = op.rules[of]
    wanted = rule.__code__.co_varnames[1 : rule.__code__.co_argcount]
    rng = np.random.default_rng(0)
    values = [rng.uniform(0.5, 2.0, 999).astype(dtype) for w in wanted if w not in op.attrs]
    attrs = [np.dtype(dtype).type(op.attr_defaults.get(w, 0.75)) for w in wanted if w in op.attrs]
    g = rng.normal(size=999).astype(dtype)
    loop = compile_ufunc(rule, rule.__code__.co_argcount, dtype, formulas())
    tolerance = 3e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(
        loop(g, *values, *attrs), arrays(rule)(g, *values, *attrs), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("name", [n for n in POINTWISE if OPS[n].public])
def test_the_formula_on_one_number_equals_the_op(name):
    """NUMBERS (what the scalar engine runs) against the op, on numbers in the sample's domain."""
    op, sample = OPS[name], samples(name)[0]
    if any(isinstance(a, np.ndarray) and a.dtype.kind != "f" for a in sample.args):
        values = [int(a.ravel()[0]) if isinstance(a, np.ndarray) else a for a in sample.args]
    else:
        values = [float(a.ravel()[0]) if isinstance(a, np.ndarray) else a for a in sample.args]
    values = values[: len(op.inputs)]
    attrs = [op.attr_defaults.get(a, 0.75) for a in op.attrs]
    expected = op.function(
        *[minigrad.tensor([v], dtype=minigrad.float64 if isinstance(v, float) else None) for v in values], *attrs
    )
    assert math.isclose(NUMBERS[name](*values, *attrs), expected.item(), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("name", sorted(n for n in BLOCKS if n in OPS and "inplace" in OPS[n].public))
def test_in_place_form_writes_what_the_op_computes(name):
    sample = samples(name)[0]
    args, kwargs, _ = inputs_of(sample, minigrad_tensor)
    expected = function_of(name)(*args, **kwargs)
    if expected.dtype is not args[0].dtype:
        return  # e.g. bools of floats: PyTorch refuses these in place too
    target = args[0].clone()
    method = getattr(minigrad.Tensor, name + "_", None) or FUNCTIONALS[name + "_"]
    assert method(target, *args[1:], **kwargs) is target
    np.testing.assert_array_equal(target.numpy(), expected.numpy())
    assert target._version == 1


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_every_public_name_leads_to_a_documented_function(name):
    block = BLOCKS[name]
    doc = block.__doc__ or ""
    assert len(doc.strip()) > 30, f"{name} has no docstring"
    function = function_of(name)
    assert inspect.signature(function)
    for where, table in (("function", FUNCTIONS), ("functional", FUNCTIONALS)):
        if where in block.public:
            assert name in table
    if "method" in block.public:
        assert name in minigrad.Tensor.__dict__


def test_samples_exist_for_every_public_block():
    missing = [n for n, b in {**OPS, **minigrad.registry.COMPOSITES}.items() if b.public and not b.samples]
    random = """
        alpha_dropout dropout dropout1d dropout2d dropout3d feature_alpha_dropout feature_dropout fractional_max_pool2d
        fractional_max_pool2d_with_indices fractional_max_pool3d fractional_max_pool3d_with_indices gumbel_softmax rrelu
    """
    assert sorted(missing) == random.split(), "random ops are tested in test_random_ops, test_nn_dropout, _pooling"
