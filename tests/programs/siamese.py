"""A Siamese network: pairs, then a triplet loss on embeddings, shared weights, BCELoss, TripletMarginLoss, ASGD."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

TOLERANCE = 1e-5  # seen: 4e-7; Adagrad divides small gradients by themselves


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv1d(2, 8, 5, padding=2), nn.PReLU(), nn.AvgPool1d(2), nn.Conv1d(8, 8, 3))
        self.embed = nn.Linear(8, 8)
        self.head = nn.Bilinear(8, 8, 1)
        self.sigmoid = nn.Sigmoid()
        self.features.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Conv1d):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        return self.embed(F.adaptive_max_pool1d(self.features(x), 1).flatten(1))

    def forward(self, input1, input2):
        return self.sigmoid(self.head(self.forward_once(input1), self.forward_once(input2)))


def waves(labels):
    time = torch.linspace(0, 6, 32)
    phase = torch.rand(len(labels), 1) * 6
    wave = torch.sin((1 + labels[:, None]) * time + phase)
    return torch.stack([wave, wave.roll(3, 1)], dim=1) + 0.1 * torch.randn(len(labels), 2, 32)


torch.manual_seed(4)
model = SiameseNetwork()
criterion = nn.BCELoss()
optimizer = optim.Adagrad(model.parameters(), lr=0.02)
losses = []
for step in range(30):
    one, two = torch.randint(4, (16,)), torch.randint(4, (16,))
    two[:8] = one[:8]
    targets = (one == two).float()
    optimizer.zero_grad()
    outputs = model(waves(one), waves(two)).squeeze()
    loss = criterion(outputs, targets)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"pairs: {losses[0]:.4f} to {losses[-1]:.4f}")

triplet = nn.TripletMarginLoss(margin=1.0, p=2)
optimizer = optim.ASGD(model.parameters(), lr=0.02)
for step in range(20):
    anchor = torch.randint(4, (16,))
    other = (anchor + torch.randint(1, 4, (16,))) % 4
    optimizer.zero_grad()
    embedded = [F.normalize(model.forward_once(waves(labels)), dim=1) for labels in (anchor, anchor, other)]
    loss = triplet(*embedded)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"triplets: {losses[30]:.4f} to {losses[-1]:.4f}")
