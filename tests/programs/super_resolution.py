"""Sub-pixel super-resolution: orthogonal weights, PixelShuffle, PSNR, Adamax and a whole model pickled."""

import io
from math import log10

import torch
import torch.nn as nn
import torch.nn.init as init
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

TOLERANCE = 4e-6  # seen: 2e-7; Adamax


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super(Net, self).__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 12, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(12, 12, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(12, 8, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(8, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv4.weight)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.pixel_shuffle(self.conv4(x))


torch.manual_seed(123)
angle, shift = torch.rand(2, 64, 1, 1) * 6
rows, columns = torch.linspace(0, 4, 24)[:, None], torch.linspace(0, 4, 24)
sharp = (torch.sin(angle.cos() * rows + angle.sin() * columns + shift) > 0).float().unsqueeze(1)
blurred = nn.functional.interpolate(sharp, scale_factor=0.5, mode="bilinear", align_corners=False)
train_set = TensorDataset(blurred[:48], sharp[:48])
loader = DataLoader(train_set, batch_size=8, shuffle=True, num_workers=0)
model = Net(upscale_factor=2)
criterion = nn.MSELoss()
optimizer = optim.Adamax(model.parameters(), lr=2e-3)
losses = []
for epoch in range(1, 4):
    for input, target in loader:
        optimizer.zero_grad()
        loss = criterion(model(input), target)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        mse = criterion(model(blurred[48:]), sharp[48:])
    losses.append(mse.item())
    print(f"===> Epoch {epoch}: Avg. PSNR: {10 * log10(1 / mse.item()):.4f} dB")

file = io.BytesIO()
torch.save(model, file)
file.seek(0)
again = torch.load(file, weights_only=False)
print("the same after saving:", torch.equal(again(blurred), model(blurred)))
