"""A polynomial five times over: by hand, with autograd, with an own Function, with nn, with optim, for a sine."""

import math

import torch
from torch import nn

TOLERANCE = 2e-5  # seen: 1.3e-6; the same sums, rounded in another order

x = torch.linspace(-math.pi, math.pi, 2000)
y = torch.sin(x)
losses = []


def report(step, loss):
    losses.append(loss)
    if step % 20 == 19:
        print(step, f"{loss:.4f}")


def coefficients(**options):
    torch.manual_seed(1)
    return [torch.randn((), **options) for _ in range(4)]


a, b, c, d = coefficients()
for step in range(60):
    y_pred = a + b * x + c * x**2 + d * x**3
    report(step, (y_pred - y).pow(2).sum().item())
    grad_y_pred = 2.0 * (y_pred - y)
    a -= 1e-6 * grad_y_pred.sum()
    b -= 1e-6 * (grad_y_pred * x).sum()
    c -= 1e-6 * (grad_y_pred * x**2).sum()
    d -= 1e-6 * (grad_y_pred * x**3).sum()


a, b, c, d = coefficients(requires_grad=True)
for step in range(60):
    loss = (a + b * x + c * x**2 + d * x**3 - y).pow(2).sum()
    report(step, loss.item())
    loss.backward()
    with torch.no_grad():
        for weight in (a, b, c, d):
            weight -= 1e-6 * weight.grad
            weight.grad = None


class LegendrePolynomial3(torch.autograd.Function):
    """P3(x) = (5 x³ − 3 x) / 2, with its derivative by hand."""

    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


a, b, c, d = (torch.full((), value, requires_grad=True) for value in (0.0, -1.0, 0.0, 0.3))
for step in range(60):
    loss = (a + b * LegendrePolynomial3.apply(c + d * x) - y).pow(2).sum()
    report(step, loss.item())
    loss.backward()
    with torch.no_grad():
        for weight in (a, b, c, d):
            weight -= 5e-6 * weight.grad
            weight.grad.zero_()


powers = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
torch.manual_seed(2)
model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
loss_fn = nn.MSELoss(reduction="sum")
for step in range(60):
    loss = loss_fn(model(powers), y)
    report(step, loss.item())
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for param in model.parameters():
            param -= 1e-6 * param.grad

optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
for step in range(60):
    loss = loss_fn(model(powers), y)
    report(step, loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

linear = model[0]
print(f"Result: y = {linear.bias.item():.4f} + {linear.weight[:, 0].item():.4f} x")
