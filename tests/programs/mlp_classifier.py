"""A perceptron: Dataset, random_split, DataLoader, batch norm, dropout, weight decay, StepLR, on spirals."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset, random_split

TOLERANCE = 4e-6  # seen: 2e-7; Adam


class Spirals(Dataset):
    def __init__(self, n, classes=3):
        angle = torch.rand(n) * 2 * math.pi
        self.labels = torch.randint(classes, (n,))
        radius = angle / (2 * math.pi) + 0.02 * torch.randn(n)
        turned = angle + self.labels * 2 * math.pi / classes
        self.points = torch.stack([radius * turned.cos(), radius * turned.sin()], dim=1)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.points[index], self.labels[index]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(2, 64, bias=False)
        self.bn = nn.BatchNorm1d(64)
        self.fc2 = nn.Linear(64, 64)
        self.dropout = nn.Dropout(0.2)
        self.fc3 = nn.Linear(64, 3)

    def forward(self, x):
        x = F.relu(self.bn(self.fc1(x)))
        x = self.dropout(torch.tanh(self.fc2(x)))
        return self.fc3(x)


def evaluate(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for points, labels in loader:
            total += F.cross_entropy(model(points), labels, reduction="sum").item()
            correct += (model(points).argmax(dim=1) == labels).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


torch.manual_seed(7)
train_set, test_set = random_split(Spirals(600), [480, 120])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True, drop_last=True)
test_loader = DataLoader(test_set, batch_size=60)
model = Net()
print(model)
optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
scheduler = StepLR(optimizer, step_size=2, gamma=0.7)
losses = []

for epoch in range(6):
    model.train()
    for points, labels in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(points), labels, label_smoothing=0.05)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
    test_loss, accuracy = evaluate(model, test_loader)
    losses.append(test_loss)
    print(f"Epoch {epoch}: test loss {test_loss:.4f}, accuracy {accuracy:.1%}, lr {scheduler.get_last_lr()[0]:.5f}")
