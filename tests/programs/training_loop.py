"""A long-run loop: accumulation, SWA, SequentialLR, hooks, resume from a checkpoint."""

import copy
import io

import torch
from torch import nn, optim
from torch.nn.utils.parametrizations import weight_norm
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset, WeightedRandomSampler

TOLERANCE = 6e-6  # seen: 3e-7; Adam


def build():
    model = nn.Sequential(
        weight_norm(nn.Linear(6, 24)), nn.BatchNorm1d(24), nn.Hardswish(), nn.AlphaDropout(0.1), nn.Linear(24, 1)
    )
    head = [*model[1].parameters(), *model[4].parameters()]
    optimizer = optim.AdamW([{"params": model[0].parameters(), "lr": 5e-3}, {"params": head}], lr=1e-2)
    warmup = lr_scheduler.LinearLR(optimizer, start_factor=0.2, total_iters=3)
    decay = lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    return model, optimizer, lr_scheduler.SequentialLR(optimizer, [warmup, decay], milestones=[3])


torch.manual_seed(31)
x = torch.randn(240, 6)
y = (x[:, :1] * x[:, 1:2] + x[:, 2:3].abs()).detach()
data = ConcatDataset([Subset(TensorDataset(x, y), range(200)), TensorDataset(x[200:], y[200:])])
sampler = WeightedRandomSampler(torch.cat([torch.ones(200), torch.full((40,), 3.0)]), num_samples=160)
loader = DataLoader(data, batch_size=20, sampler=sampler)
model, optimizer, scheduler = build()
averaged = AveragedModel(model)
seen = []
model[2].register_forward_hook(lambda module, args, output: seen.append(output.detach().mean().item()))
criterion = nn.HuberLoss(delta=0.5)
losses = []


def epoch():
    model.train()
    for i, (inputs, targets) in enumerate(loader):
        loss = criterion(model(inputs), targets) / 2
        loss.backward()
        if i % 2 == 1:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
    scheduler.step()


for _ in range(3):
    epoch()
file = io.BytesIO()
states = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
torch.save(states | {"random": torch.get_rng_state()}, file)
epoch()
after = copy.deepcopy(losses[-8:])

file.seek(0)
checkpoint = torch.load(file)
model, optimizer, scheduler = build()
model.load_state_dict(checkpoint["model"])
optimizer.load_state_dict(checkpoint["optimizer"])
scheduler.load_state_dict(checkpoint["scheduler"])
torch.set_rng_state(checkpoint["random"])
epoch()
print("resumed as if nothing had happened:", after == losses[-8:])
print("learning rates:", [f"{rate:.6f}" for rate in scheduler.get_last_lr()])

swa = SWALR(optimizer, swa_lr=1e-3, anneal_epochs=2)
for _ in range(3):
    scheduler = swa
    epoch()
    averaged.update_parameters(model)
update_bn(loader, averaged)
averaged.eval()
with torch.no_grad():
    losses.append(criterion(averaged(x), y).item())
losses.extend(seen)
print(f"loss {losses[0]:.4f}, averaged {criterion(averaged(x), y).item():.4f}")
