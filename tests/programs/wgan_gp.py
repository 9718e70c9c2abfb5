"""A Wasserstein GAN: gradient penalty (a derivative of a derivative), spectral norm, an averaged generator."""

import torch
from torch import autograd, nn, optim
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

TOLERANCE = 6e-6  # seen: 3e-7; two networks under Adam and RMSprop

generator = critic = None


def real_points(n):
    which = torch.randint(8, (n,)) * (torch.pi / 4)
    return torch.stack([which.cos(), which.sin()], dim=1) * 2 + 0.05 * torch.randn(n, 2)


def gradient_penalty(real, fake):
    alpha = torch.rand(real.size(0), 1)
    between = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    score = critic(between)
    (gradients,) = autograd.grad(score, between, torch.ones_like(score), create_graph=True, retain_graph=True)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


torch.manual_seed(11)
generator = nn.Sequential(nn.Linear(4, 32), nn.LayerNorm(32), nn.SiLU(), nn.Linear(32, 32), nn.Mish(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 32), nn.Softplus(), spectral_norm(nn.Linear(32, 32)), nn.Tanh(), nn.Linear(32, 1))
print(critic)
averaged = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(0.9))
g_optimizer = optim.RMSprop(generator.parameters(), lr=1e-3, centered=True, momentum=0.5)
d_optimizer = optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9), amsgrad=True)
losses = []
for step in range(12):
    for _ in range(3):
        real, fake = real_points(32), generator(torch.randn(32, 4)).detach()
        penalty = gradient_penalty(real, fake)
        d_loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        losses += [d_loss.item(), penalty.item()]
    g_loss = -critic(generator(torch.randn(32, 4))).mean()
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    averaged.update_parameters(generator)
    losses.append(g_loss.item())
    if step % 4 == 3:
        print(f"step {step}: critic {d_loss.item():.4f}, penalty {penalty.item():.4f}, generator {g_loss.item():.4f}")
with torch.no_grad():
    losses.append(averaged(torch.randn(100, 4)).norm(dim=1).mean().item())
