"""Density estimation: a mixture of Gaussians fitted by its log-likelihood, and a coupling flow."""

import torch
from torch import distributions as D
from torch import nn

TOLERANCE = 6e-6  # seen: 3e-7; Adam and Rprop


class Coupling(nn.Module):
    """Half of the numbers scaled and shifted by functions of the other half. (Dinh et al. 2017)"""

    def __init__(self, flipped):
        super().__init__()
        self.flipped = flipped
        self.net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.ELU(), nn.Linear(24, 2))

    def forward(self, x):
        a, b = x.flip(-1).chunk(2, dim=-1) if self.flipped else x.chunk(2, dim=-1)
        scale, shift = self.net(a).chunk(2, dim=-1)
        scale = torch.tanh(scale)
        b = b * torch.exp(scale) + shift
        return torch.cat([b, a] if self.flipped else [a, b], dim=-1), scale.squeeze(-1)


class Flow(nn.Module):
    def __init__(self, layers=4):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(i % 2 == 1) for i in range(layers))
        self.register_buffer("zero", torch.zeros(2))

    def log_prob(self, x):
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, log_det = layer(x)
            total = total + log_det
        base = D.Independent(D.Normal(self.zero, torch.ones_like(self.zero)), 1)
        return base.log_prob(x) + total


torch.manual_seed(17)
losses = []
truth = D.MixtureSameFamily(
    D.Categorical(torch.tensor([0.3, 0.7])),
    D.MultivariateNormal(torch.tensor([[-1.0, 0.0], [1.5, 0.5]]), torch.eye(2) * torch.tensor([[[0.3]], [[0.5]]])),
)
points = truth.sample((200,))

logits = torch.zeros(2, requires_grad=True)
means = torch.randn(2, 2, requires_grad=True)
spread = torch.zeros(2, 2, requires_grad=True)
optimizer = torch.optim.Rprop([logits, means, spread], lr=0.05)
for _ in range(25):
    model = D.MixtureSameFamily(D.Categorical(logits=logits), D.Independent(D.Normal(means, spread.exp()), 1))
    loss = -model.log_prob(points).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"mixture: {losses[0]:.4f} to {losses[-1]:.4f}, weights {torch.softmax(logits, 0)}")

flow = Flow()
optimizer = torch.optim.RAdam(flow.parameters(), lr=0.02)
for _ in range(30):
    loss = -flow.log_prob(points).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"flow: {losses[25]:.4f} to {losses[-1]:.4f}")

posterior = D.Gamma(torch.tensor([2.0, 3.0], requires_grad=True), torch.tensor([1.0, 2.0]))
prior = D.Gamma(torch.tensor(2.5), torch.tensor(1.5))
losses += [D.kl_divergence(posterior, prior).sum().item(), posterior.rsample((50,)).mean().item()]
