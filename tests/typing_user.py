"""A user's program: it is not run; tests/test_stubs.py has mypy read it, strictly, with the packages as in the wheel.

`assert_type` is an error where the checker sees another type than the one named.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from typing_extensions import assert_type

import minigrad
from minigrad import Tensor, nn, optim
from minigrad.utils.data import DataLoader, TensorDataset


def tensors() -> None:
    x = minigrad.randn(3, requires_grad=True)
    assert_type(x, Tensor)
    y = (x * 2 + 1).sum()
    assert_type(y, Tensor)
    y.backward()
    assert_type(x.grad, Tensor | None)
    assert_type(y.item(), int | float)
    assert_type(2 - x @ x, Tensor)
    assert_type(-x[0] > 1, Tensor)
    assert_type(x == x, Tensor)
    x += 1
    assert_type(x.add_(1).clamp_(min=0), Tensor)
    assert_type(x.shape, minigrad.Size)
    assert_type(x.size(0), int)
    assert_type(x.requires_grad, bool)
    assert_type(x.dtype, minigrad.dtype)
    assert_type(x.to(minigrad.float64), Tensor)
    assert_type(x.detach().numpy(), np.ndarray)
    assert_type(len(x) + int(x.sum()), int)
    assert_type(x.max(), Tensor)
    assert_type(x.max(dim=0).indices, Tensor)
    assert_type(minigrad.topk(x, 2).values, Tensor)
    assert_type(minigrad.cat([x, x]), Tensor)
    assert_type(x.split(1), tuple[Tensor, ...])
    assert_type(minigrad.autograd.grad(y, x), tuple[Tensor, ...])
    assert_type([row.tolist() for row in x], list[Any])


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.scale = nn.Parameter(minigrad.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.layers(x)
        return hidden * self.scale


class Twice(minigrad.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * 2


def training() -> float:
    minigrad.manual_seed(0)
    net = Net()
    data = DataLoader(TensorDataset(minigrad.rand(8, 4), minigrad.randint(0, 3, (8,))), batch_size=4, shuffle=True)
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    loss = minigrad.zeros(())
    for x, y in data:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert_type(loss, Tensor)
    with minigrad.no_grad():
        assert_type(nn.functional.softmax(net(minigrad.rand(1, 4)), dim=1), Tensor)
    minigrad.save(net.state_dict(), "net.pt")
    return loss.item()
