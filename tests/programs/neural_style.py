"""Fast neural style: instance norm, reflection padding, upsampling, Gram matrices, frozen features."""

import torch
from torch import nn
from torch.optim import Adam

TOLERANCE = 6e-6  # seen: 3e-7; Adam


class ConvLayer(torch.nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride, upsample=None, bias=False):
        super().__init__()
        self.upsample = upsample
        self.reflection_pad = torch.nn.ReflectionPad2d(kernel_size // 2)
        self.conv2d = torch.nn.Conv2d(in_channels, out_channels, kernel_size, stride, bias=bias)

    def forward(self, x):
        if self.upsample:
            x = torch.nn.functional.interpolate(x, mode="nearest", scale_factor=self.upsample)
        return self.conv2d(self.reflection_pad(x))


class ResidualBlock(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = ConvLayer(channels, channels, 3, 1)
        self.in1 = torch.nn.InstanceNorm2d(channels, affine=True)
        self.conv2 = ConvLayer(channels, channels, 3, 1)
        self.in2 = torch.nn.InstanceNorm2d(channels, affine=True)
        self.relu = torch.nn.ReLU()

    def forward(self, x):
        out = self.relu(self.in1(self.conv1(x)))
        return self.in2(self.conv2(out)) + x


class TransformerNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.in1 = ConvLayer(3, 8, 5, 1), torch.nn.InstanceNorm2d(8, affine=True)
        self.conv2, self.in2 = ConvLayer(8, 12, 3, 2), torch.nn.InstanceNorm2d(12, affine=True)
        self.res = ResidualBlock(12)
        self.deconv, self.in3 = ConvLayer(12, 8, 3, 1, upsample=2), torch.nn.InstanceNorm2d(8, affine=True)
        self.out = ConvLayer(8, 3, 5, 1, bias=True)
        self.relu = torch.nn.ReLU()

    def forward(self, X):
        y = self.relu(self.in1(self.conv1(X)))
        y = self.relu(self.in2(self.conv2(y)))
        y = self.relu(self.in3(self.deconv(self.res(y))))
        return self.out(y)


class Features(torch.nn.Module):
    """Stands for a trained network: two slices, frozen."""

    def __init__(self):
        super().__init__()
        self.slice1, self.slice2 = torch.nn.Sequential(), torch.nn.Sequential()
        for i, layer in enumerate([nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()]):
            self.slice1.add_module(str(i), layer)
        for i, layer in enumerate([nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU()]):
            self.slice2.add_module(str(i), layer)
        for param in self.parameters():
            param.requires_grad = False

    def forward(self, X):
        first = self.slice1(X)
        return first, self.slice2(first)


def gram_matrix(y):
    (b, ch, h, w) = y.size()
    features = y.view(b, ch, w * h)
    return features.bmm(features.transpose(1, 2)) / (ch * h * w)


def normalize_batch(batch):
    mean = batch.new_tensor([0.485, 0.456, 0.406]).view(-1, 1, 1)
    std = batch.new_tensor([0.229, 0.224, 0.225]).view(-1, 1, 1)
    return (batch.div_(255.0) - mean) / std


torch.manual_seed(42)
transformer, vgg = TransformerNet(), Features()
optimizer = Adam(transformer.parameters(), 3e-3)
mse_loss = torch.nn.MSELoss()
stripes = torch.where(torch.arange(16) % 4 < 2, 255.0, 0.0).repeat(1, 3, 16, 1)
gram_style = [gram_matrix(y) for y in vgg(normalize_batch(stripes).repeat(4, 1, 1, 1))]
losses = []
for step in range(20):
    optimizer.zero_grad()
    x = torch.rand(4, 3, 16, 16) * 255
    y = normalize_batch(transformer(x.clone() / 255) * 255)
    features_y, features_x = vgg(y), vgg(normalize_batch(x))
    content_loss = 1.0 * mse_loss(features_y[1], features_x[1])
    style_loss = 0.0
    for ft_y, gm_s in zip(features_y, gram_style):
        style_loss += mse_loss(gram_matrix(ft_y), gm_s[:4, :, :])
    style_loss *= 50.0
    total_loss = content_loss + style_loss
    total_loss.backward()
    optimizer.step()
    losses.append(total_loss.item())
    if step % 5 == 4:
        print(f"[{step + 1}]\tcontent: {content_loss.item():.5f}\tstyle: {style_loss.item():.5f}")
