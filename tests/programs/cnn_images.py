"""A convolutional network: the MNIST example's, with Adadelta, StepLR, dropout, log_softmax and nll_loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR

TOLERANCE = 4e-6  # seen: 2e-7; sums over windows in another order


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(16 * 6 * 6, 32)
        self.fc2 = nn.Linear(32, 4)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout2(x)
        return F.log_softmax(self.fc2(x), dim=1)


def bars(n):
    """Images of a bright bar in one of four directions, in noise."""
    images, labels = 0.3 * torch.randn(n, 1, 16, 16), torch.randint(0, 4, (n,))
    for image, label in zip(images, labels):
        place = int(torch.randint(3, 13, (1,)))
        if label == 0:
            image[0, place, :] += 1
        elif label == 1:
            image[0, :, place] += 1
        else:
            line = torch.eye(16) if label == 2 else torch.eye(16).flip(0)
            image[0] += line.roll(place, dims=0)
    return images, labels


torch.manual_seed(1)
data, target = bars(320)
test_data, test_target = bars(80)
model = Net()
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
losses = []

for epoch in range(1, 4):
    model.train()
    for i, batch in enumerate(torch.randperm(len(data)).split(32)):
        optimizer.zero_grad()
        loss = F.nll_loss(model(data[batch]), target[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if i % 5 == 0:
            print(f"Train Epoch: {epoch} [{i * 32}/{len(data)}]\tLoss: {loss.item():.4f}")
    model.eval()
    with torch.no_grad():
        output = model(test_data)
        losses.append(F.nll_loss(output, test_target, reduction="sum").item())
        pred = output.argmax(dim=1, keepdim=True)
        correct = pred.eq(test_target.view_as(pred)).sum().item()
    print(f"Test set: Average loss: {losses[-1] / 80:.4f}, Accuracy: {correct}/80")
    scheduler.step()
