"""Import lines of public programs that name PyTorch's modules where nobody would look for them."""

import collections
import subprocess
import sys

import pytest

import minigrad

LINES = """
from torch.functional import F, einsum, norm
from torch.types import Device, Number
from torch.nn.common_types import _size_2_t
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.loss import _Loss, _WeightedLoss
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.utils import _ntuple, _pair
from torch.autograd.variable import Variable
from torch.autograd.function import Function, once_differentiable
from torch.optim.optimizer import Optimizer, required
from torch.optim.lr_scheduler import LRScheduler, _LRScheduler
from torch.optim.adam import Adam
from torch.utils import model_zoo
from torch.utils.model_zoo import load_url
from torch.utils.hooks import RemovableHandle
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.data.dataset import Dataset, random_split
from torch.utils.data.dataloader import DataLoader, default_collate
from torch.utils.data.sampler import SubsetRandomSampler
from torch.distributions.categorical import Categorical
from torch.nn.utils.clip_grad import clip_grad_norm_
from torch.sparse import FloatTensor, mm
import torch.functional, torch.sparse, torch.types, torch.nn.attention
"""


def test_the_lines_as_they_stand_in_programs():
    """Each in its own namespace, in a process that has imported nothing else, with warnings as errors."""
    code = "\n".join(f"exec({line.replace('torch', 'minigrad')!r}, {{}})" for line in LINES.strip().splitlines())
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_every_line_is_pytorchs():
    pytest.importorskip("torch")
    for line in LINES.strip().splitlines():
        exec(line, {})


def test_functional_has_what_pytorchs_has():
    torch = pytest.importorskip("torch")
    missing = [name for name in torch.functional.__all__ if not hasattr(minigrad.functional, name)]
    assert not [name for name in missing if hasattr(minigrad, name)]
    assert minigrad.functional.F is minigrad.nn.functional
    assert minigrad.functional.einsum is minigrad.einsum


def test_attention_kernels_are_accepted():
    torch = pytest.importorskip("torch")
    ours, theirs = minigrad.nn.attention, torch.nn.attention
    query = minigrad.randn(1, 2, 3, 4)
    plain = minigrad.nn.functional.scaled_dot_product_attention(query, query, query)
    for backends in (ours.SDPBackend.MATH, [ours.SDPBackend.FLASH_ATTENTION, ours.SDPBackend.MATH]):
        with ours.sdpa_kernel(backends):
            assert minigrad.nn.functional.scaled_dot_product_attention(query, query, query).equal(plain)
    for name, backend in theirs.SDPBackend.__members__.items():
        assert int(ours.SDPBackend[name]) == int(backend)
    for library in (ours, theirs):
        with pytest.raises((TypeError, AssertionError)), library.sdpa_kernel("flash"):
            pass


def test_trees_under_pytorchs_names():
    torch = pytest.importorskip("torch")
    Pair = collections.namedtuple("Pair", "a b")
    tree = {"x": [1, (2, None)], "y": Pair(3, [])}
    ours, theirs = minigrad.utils._pytree, torch.utils._pytree
    for library in (ours, theirs):
        leaves, spec = library.tree_flatten(tree)
        assert leaves == library.tree_leaves(tree) == [1, 2, None, 3]
        assert library.tree_unflatten(leaves, spec) == tree
        assert library.tree_map(str, tree) == {"x": ["1", ("2", "None")], "y": Pair("3", [])}


def test_what_hooks_return():
    handle = minigrad.nn.Linear(1, 1).register_forward_hook(lambda *given: None)
    assert isinstance(handle, minigrad.utils.hooks.RemovableHandle)
