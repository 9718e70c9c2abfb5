"""Programs for sparse matrices run on dense ones: values and gradients of PyTorch's sparse tensors."""

import numpy as np
import pytest

import minigrad

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:.*[Ss]parse:UserWarning")  # PyTorch's
INDICES = [[0, 2, 2, 0], [1, 0, 0, 3]]  # (2, 0) twice
CASES = {
    "least size": ((INDICES, [1.0, 2.0, 3.0, 4.0]), {}),
    "size": ((INDICES, [1.0, 2.0, 3.0, 4.0], (3, 5)), {}),
    "dtype": ((INDICES, [1.5, 2.0, 3.0, 4.0], (3, 4)), {"dtype": "int64"}),
    "hybrid": ((INDICES, np.arange(8.0).reshape(4, 2), (3, 4, 2)), {}),
    "one dimension": (([[3, 1, 3]], [1, 2, 3]), {}),
    "no entries": ((np.zeros((2, 0), int), np.zeros(0), (2, 3)), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_entries(name):
    given, named = CASES[name]

    def made(library):
        options = {key: getattr(library, value) for key, value in named.items()}
        return library.sparse_coo_tensor(*given, **options).coalesce().to_dense()

    ours, theirs = made(minigrad), made(torch)
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_a_graph_convolution_and_its_gradients():
    def run(library):
        library.manual_seed(0)
        values, x, weight = (library.rand(size, requires_grad=True) for size in ((4,), (4, 3), (3, 2)))
        adjacency = library.sparse_coo_tensor(library.tensor(INDICES), values, (3, 4))
        out = library.spmm(adjacency, library.mm(x, weight))
        out = library.sparse.addmm(out, adjacency, x @ weight, alpha=0.5) + library.sparse.mm(adjacency, x)[:, :2]
        out.square().sum().backward()
        old = library.sparse.FloatTensor(library.LongTensor(INDICES), library.ones(4), library.Size([3, 4]))
        scaled = library.diag(library.tensor([1.0, 0.0, 3.0])).to_sparse() @ old
        return [values.grad, x.grad, weight.grad, out, scaled.to_dense(), library.sparse.sum(old, 1).to_dense()]

    for ours, theirs in zip(run(minigrad), run(torch), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)


def test_a_leaf_of_its_own():
    values = minigrad.ones(4, requires_grad=True)
    made = minigrad.sparse_coo_tensor(INDICES, values, (3, 4), requires_grad=True)
    assert made.is_leaf
    assert made.requires_grad
    assert values.requires_grad


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (([0, 1], [1.0, 2.0]), "must be a matrix"),
        ((INDICES, [1.0]), "name 4 entries"),
        (([[-1]], [1.0]), "negative index -1"),
        ((INDICES, [1.0] * 4, (3, 3)), "for dim 1, size is 3 but found index 3"),
        ((INDICES, [1.0] * 4, (3,)), "does not fit 2 rows"),
    ],
)
def test_what_does_not_fit(given, text):
    with pytest.raises(RuntimeError, match=text):
        minigrad.sparse_coo_tensor(*given)
    with pytest.raises(RuntimeError):
        torch.sparse_coo_tensor(*given, check_invariants=True)
