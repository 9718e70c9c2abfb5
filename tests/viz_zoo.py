"""The networks that drawings are tested on: each function returns (what is drawn, its `params`)."""

import minigrad
import minigrad.nn.functional as F
from minigrad import nn


def mlp():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    return F.mse_loss(model(minigrad.randn(5, 4)), minigrad.randn(5, 1)), model


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 10))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def lenet():
    model = LeNet()
    return F.cross_entropy(model(minigrad.randn(2, 1, 16, 16)), minigrad.tensor([1, 2])), model


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + x)


def resnet():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Residual(8), nn.Flatten(), nn.Linear(128, 2))
    return model(minigrad.randn(2, 3, 4, 4)).mean(), model


class Recurrent(nn.Module):
    """An LSTM: the layer, or a loop over the cell."""

    def __init__(self, loops):
        super().__init__()
        self.loops = loops
        self.lstm = nn.LSTMCell(3, 4) if loops else nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        if not self.loops:
            return self.head(self.lstm(x)[0][:, -1])
        state = None
        for t in range(x.shape[1]):
            state = self.lstm(x[:, t], state)
        return self.head(state[0])


def lstm_layer(steps=5):
    model = Recurrent(False)
    return model(minigrad.randn(2, steps, 3)).sum(), model


def lstm_loop(steps=6):
    model = Recurrent(True)
    return model(minigrad.randn(2, steps, 3)).sum(), model


def rnn_by_hand(steps=6):
    w, u = minigrad.randn(3, 4).requires_grad_(), minigrad.randn(4, 4).requires_grad_()
    h = minigrad.zeros(2, 4)
    for _ in range(steps):
        h = (minigrad.randn(2, 3) @ w + h @ u).tanh()
    return h.sum(), {"w": w, "u": u}


class Block(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv, self.proj = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = F.softmax((q @ k.transpose(-1, -2)) * 0.5, dim=-1) @ v
        x = x + self.proj(scores.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    def __init__(self, blocks, size=8):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(10, size), nn.Embedding(6, size)
        self.blocks = nn.ModuleList([Block(size, 2) for _ in range(blocks)])
        self.norm, self.head = nn.LayerNorm(size), nn.Linear(size, 10, bias=False)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(minigrad.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def gpt(blocks=4):
    model = GPT(blocks)
    ids = minigrad.randint(0, 10, (2, 6))
    return F.cross_entropy(model(ids).view(-1, 10), minigrad.randint(0, 10, (12,))), model


def gan():
    generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4), nn.Tanh())
    critic = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    real, fake = critic(minigrad.randn(3, 4)), critic(generator(minigrad.randn(3, 2)))
    bce, one, zero = F.binary_cross_entropy_with_logits, minigrad.ones(3, 1), minigrad.zeros(3, 1)
    return {"loss_D": bce(real, one) + bce(fake, zero), "loss_G": bce(fake, one)}, {"G": generator, "D": critic}


def double_backward():
    x, w = minigrad.tensor(2.0, requires_grad=True), minigrad.tensor(0.5, requires_grad=True)
    y = (w * x).tanh() * x
    (slope,) = minigrad.autograd.grad(y, x, create_graph=True)
    return {"penalty": (slope - 1) ** 2}, {"x": x, "w": w, "y": y, "slope": slope}


def deep(activation, layers=20, gain=1.0):
    """Layers of weights that keep the size of what goes through, up to `gain`."""
    x = minigrad.randn(8, 16)
    params = {}
    for i in range(layers):
        params[f"w{i}"] = w = (minigrad.randn(16, 16) * (gain / 4)).requires_grad_()
        x = activation(x @ w)
    return (x * x).mean(), params


NETWORKS = {
    f.__name__: f
    for f in (mlp, lenet, resnet, lstm_layer, lstm_loop, rnn_by_hand, gpt, gan, double_backward)
}  # fmt: skip
