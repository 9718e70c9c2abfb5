"""A GAN and a DCGAN with spectral normalisation draw digits; a classifier that was trained on real ones judges them.

A drawing counts if the classifier is sure of it (at least 90 %) and if it is as near to some real digit as 95 % of the
real digits which nobody was trained on are; and it counts only as far as all ten digits are drawn: of each digit, at
most a tenth of all drawings. So a generator that draws one perfect 3 again and again gets 10 %. The held-out real
digits get the share that is the ceiling, a generator that was not trained gets the floor.
"""

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits
from minigrad.nn import functional as F
from minigrad.nn.utils.parametrizations import spectral_norm

NOISE = 32  # numbers that a drawing is made of


def read():
    """The digits as pictures (n, 1, 8, 8) from -1 to 1 and their classes, 1437 to train on and 360 to judge by."""
    digits = load_digits()
    order = minigrad.randperm(len(digits.data), generator=minigrad.Generator().manual_seed(0))
    pictures, classes = (digits.data / 8 - 1).unsqueeze(1)[order], digits.target[order]
    return (pictures[:1437], classes[:1437]), (pictures[1437:], classes[1437:])


# ---- the two forgers and their policemen


def generator(batch_norm=True):
    """Noise (batch, 32) -> pictures (batch, 1, 8, 8), by linear layers."""

    def norm(features):
        return nn.BatchNorm1d(features) if batch_norm else nn.Identity()

    return nn.Sequential(
        nn.Linear(NOISE, 128), norm(128), nn.ReLU(), nn.Linear(128, 256), norm(256), nn.ReLU(),
        nn.Linear(256, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)),
    )  # fmt: skip


def discriminator():
    """Pictures -> how real they are, (batch, 1), any number: above 0 means real."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 256), nn.LeakyReLU(0.2), nn.Linear(256, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
    )


def conv_generator(width=32):
    """DCGAN's: transposed convolutions make 4x4 of the noise and 8x8 of that; a last one smooths."""
    return nn.Sequential(
        nn.Unflatten(1, (NOISE, 1, 1)),
        nn.ConvTranspose2d(NOISE, 2 * width, 4), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


class ConvDiscriminator(nn.Module):
    """DCGAN's: halved twice by convolutions. With `norm=spectral_norm` no layer can stretch what it gets; `scale` then
    gives the last number back a range in which it can be sure."""

    def __init__(self, width=32, norm=spectral_norm, scale=4.0):
        super().__init__()
        self.scale = scale
        self.layers = nn.Sequential(
            norm(nn.Conv2d(1, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2),
            norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2),
            nn.Flatten(), norm(nn.Linear(2 * width * 4, 1)),
        )  # fmt: skip

    def forward(self, pictures):
        return self.scale * self.layers(pictures)


def train(forger, police, pictures, epochs, lr=1e-3, batch=64, steps=1, look=None):
    """The game: the police learns real from drawn, the forger learns to be taken for real, in turns (of `steps` steps).

    `look(epoch)` is called after each epoch. Returns the mean losses of each epoch, (police, forger).
    """
    learn_forger = optim.Adam(forger.parameters(), lr=lr, betas=(0.5, 0.999))
    learn_police = optim.Adam(police.parameters(), lr=lr, betas=(0.5, 0.999))
    schedules = [optim.lr_scheduler.CosineAnnealingLR(learn, epochs) for learn in (learn_forger, learn_police)]
    history = []
    for epoch in range(epochs):
        order, losses = minigrad.randperm(len(pictures)), []
        for k in range(len(pictures) // batch):
            real = pictures[order[k * batch : (k + 1) * batch]]
            drawn = forger(minigrad.randn(batch, NOISE))
            said = police(minigrad.cat([real, drawn.detach()]))
            police_loss = F.softplus(-said[:batch]).mean() + F.softplus(said[batch:]).mean()
            learn_police.zero_grad()
            police_loss.backward()
            learn_police.step()
            for step in range(steps):
                drawn = forger(minigrad.randn(batch, NOISE)) if step else drawn
                forger_loss = F.softplus(-police(drawn)).mean()
                learn_forger.zero_grad()
                forger_loss.backward()
                learn_forger.step()
            losses.append((police_loss.item(), forger_loss.item()))
        for schedule in schedules:
            schedule.step()
        history.append(tuple(np.mean(losses, axis=0)))
        if look:
            look(epoch)
    return history


def draw(forger, noise):
    """What the forger makes of noise (n, 32), in evaluation mode."""
    forger.eval()
    with minigrad.no_grad():
        drawn = forger(noise)
    forger.train()
    return drawn


def steepness(police, pictures):
    """How fast what the police says changes at each picture: the length of its gradient, (n,)."""
    pictures = pictures.clone().requires_grad_()
    police(pictures).sum().backward()
    return pictures.grad.flatten(1).norm(dim=1)


def alone(police, real, drawn, epochs, lr=1e-3, batch=64):
    """Only the police learns, against drawings that stay as they are; its mean steepness at real digits after each."""
    learn = optim.Adam(police.parameters(), lr=lr)
    slopes = [steepness(police, real[:100]).mean().item()]
    for _ in range(epochs):
        for rows in minigrad.randperm(len(real)).split(batch):
            loss = F.softplus(-police(real[rows])).mean() + F.softplus(police(drawn[rows])).mean()
            learn.zero_grad()
            loss.backward()
            learn.step()
        slopes.append(steepness(police, real[:100]).mean().item())
    return slopes


# ---- the judge


class Judge:
    """A classifier of real digits, and how far apart real digits are."""

    def __init__(self, train_part, held_out, epochs=12):
        self.real, classes = train_part
        self.classifier = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(512, 10),
        )  # fmt: skip
        learn = optim.Adam(self.classifier.parameters(), lr=3e-3)
        for _ in range(epochs):
            order = minigrad.randperm(len(classes))
            for rows in order.split(64):
                loss = F.cross_entropy(self.classifier(self.real[rows]), classes[rows])
                learn.zero_grad()
                loss.backward()
                learn.step()
        self.classifier.eval()
        self.near, self.far = np.quantile(self.distances(held_out[0]), [0.01, 0.95])
        with minigrad.no_grad():
            self.accuracy = (self.classifier(held_out[0]).argmax(1) == held_out[1]).float().mean().item()

    def distances(self, pictures):
        """From each picture to the nearest digit that was trained on, (n,)."""
        return minigrad.cdist(pictures.flatten(1), self.real.flatten(1)).min(1).values.numpy()

    def classes(self, pictures):
        """What each picture is taken for, and how sure that is."""
        with minigrad.no_grad():
            sure, digit = self.classifier(pictures).softmax(1).max(1)
        return digit.numpy(), sure.numpy()

    def __call__(self, pictures):
        """The shares, from 0 to 1: sure; sure and near; of these at most a tenth of each digit (good); copies of digits
        that were trained on. And how many digits there are: the exponential of the entropy of what they are taken for.
        """
        digit, sure = self.classes(pictures)
        distance = self.distances(pictures)
        fits = (sure >= 0.9) & (distance <= self.far)
        counts = np.bincount(digit[fits], minlength=10)
        shares = np.bincount(digit, minlength=10) / len(digit)
        return {
            "sure": (sure >= 0.9).mean(),
            "sure and near": fits.mean(),
            "good": np.minimum(counts, len(digit) / 10).sum() / len(digit),
            "copies": (distance < self.near).mean(),
            "digits": np.exp(-sum(share * np.log(share) for share in shares if share)),
        }


def main():
    chosen = options(
        __doc__,
        epochs=(150, 2, "passes of the GAN over the real digits"),
        conv_epochs=(60, 1, "passes of the DCGAN"),
        seeds=(3, 1, "how many seeds, from --seed on"),
    )
    train_part, held_out = read()
    judge = Judge(train_part, held_out, epochs=12 if not chosen.short else 2)
    noise = minigrad.randn(1000, NOISE)
    print(f"the judge knows {judge.accuracy:.1%} of the held-out digits")
    for name, pictures in {
        "real": held_out[0],
        "noise": 2 * minigrad.rand(1000, 1, 8, 8) - 1,
        "untrained": draw(generator(), noise),
    }.items():
        print(f"{name:14}", "  ".join(f"{key} {value:.2f}" for key, value in judge(pictures).items()))
    good = {"GAN": [], "DCGAN": []}
    for k in progress(range(chosen.seeds), "seeds", quiet=chosen.quiet):
        minigrad.manual_seed(chosen.seed + k)
        for name, forger, police, epochs in [
            ("GAN", generator(), discriminator(), chosen.epochs),
            ("DCGAN", conv_generator(), ConvDiscriminator(), chosen.conv_epochs),
        ]:
            train(forger, police, train_part[0], epochs)
            marks = judge(draw(forger, noise))
            good[name].append(marks["good"])
            print(f"seed {chosen.seed + k}  {name:6}", "  ".join(f"{key} {value:.2f}" for key, value in marks.items()))
    real, floor = (judge(pictures)["good"] for pictures in (held_out[0], draw(generator(), noise)))
    said = ", ".join(f"{name} {np.mean(v):.0%} ({min(v):.0%} to {max(v):.0%})" for name, v in good.items())
    result(
        f"confident, realistic and diverse drawings: {said}; held-out real digits {real:.0%}, untrained {floor:.0%} "
        f"({chosen.seeds} seeds)"
    )


if __name__ == "__main__":
    main()
