"""Transfer learning: a residual network trained, saved, loaded, frozen, its head replaced and fine-tuned."""

import copy
import os
import tempfile

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim import lr_scheduler

TOLERANCE = 8e-6  # seen: 4e-7; batch norm over small batches, sums in another order


class BasicBlock(nn.Module):
    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1 or inplanes != planes:
            self.downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.layer1 = BasicBlock(8, 8)
        self.layer2 = BasicBlock(8, 16, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.avgpool(self.layer2(self.layer1(self.stem(x))))
        return self.fc(torch.flatten(x, 1))


def colours(n, classes):
    labels = torch.randint(classes, (n,))
    tint = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])[labels]
    return tint[:, :, None, None] * torch.rand(n, 1, 10, 10) + 0.3 * torch.randn(n, 3, 10, 10), labels


def train_model(model, data, optimizer, scheduler, epochs):
    best, best_weights = 0.0, copy.deepcopy(model.state_dict())
    (inputs, labels), (test_inputs, test_labels) = data
    for epoch in range(epochs):
        model.train()
        for batch in torch.randperm(len(inputs)).split(16):
            optimizer.zero_grad()
            with torch.set_grad_enabled(True):
                loss = criterion(model(inputs[batch]), labels[batch])
                loss.backward()
                optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        model.eval()
        with torch.inference_mode():
            accuracy = (model(test_inputs).argmax(1) == test_labels).double().mean().item()
        print(f"epoch {epoch}: loss {losses[-1]:.4f}, accuracy {accuracy:.3f}")
        if accuracy > best:
            best, best_weights = accuracy, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_weights)
    return model


torch.manual_seed(21)
criterion, losses = nn.CrossEntropyLoss(), []
model = ResNet(3)
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=3)
model = train_model(model, (colours(96, 3), colours(48, 3)), optimizer, schedule, 3)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "pretrained.pt")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, path)
    checkpoint = torch.load(path, map_location="cpu")
net = ResNet(3)
print(net.load_state_dict(checkpoint["model"]))
for param in net.parameters():
    param.requires_grad = False
net.fc = nn.Linear(net.fc.in_features, 4)
optimizer = optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.05, momentum=0.9)
schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
train_model(net, (colours(96, 4), colours(48, 4)), optimizer, schedule, 3)
