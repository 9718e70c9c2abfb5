"""A ReLU network is a folded sheet: how many flat pieces it has, and what repeating it does.

- Regions of the plane on which a network is one affine map, counted exactly (`viz.plots.linear_regions`): by width, by
  depth, and before and after training on two measures of real irises.
- Folding: a tent function made of two ReLUs, applied k times, has 2^k pieces; k layers wide two do it.
- A recurrent network applies one layer again and again: how large its state gets with ReLU, and with tanh.
"""

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_iris
from minigrad.viz.plots import linear_regions

VIEW = ((-10.0, 10.0), (-10.0, 10.0))


def most(lines):
    """How many pieces so many lines cut a plane into at most: each new one crosses all before it."""
    return 1 + lines + lines * (lines - 1) // 2


def network(width, depth, outputs=1):
    layers, before = [], 2
    for _ in range(depth):
        layers += [nn.Linear(before, width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.Linear(before, outputs))


def counts(width, depth, seeds):
    """The regions of untrained networks."""
    found = []
    for seed in seeds:
        minigrad.manual_seed(seed)
        found.append(linear_regions(network(width, depth), bounds=VIEW).count)
    return found


def petals(seed):
    """((points, species) to train on, 30 held out): length and width of the petals, standardized by the former."""
    features, species = load_iris()
    order = minigrad.randperm(150, generator=minigrad.Generator().manual_seed(seed))
    points, train, held_out = features[:, 2:], order[30:], order[:30]
    points = (points - points[train].mean(0)) / points[train].std(0)
    return (points[train], species[train]), (points[held_out], species[held_out])


def train(model, points, species, steps=150, rate=0.02):
    optimizer = optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(points), species).backward()
        optimizer.step()
    return model


def share_right(model, points, species):
    return (model(points).argmax(1) == species).float().mean().item()


def tents(times):
    """x in [0, 1] -> tent(tent(... x)): each layer is ``2 relu(x) - 4 relu(x - 1/2)``, up to 1 and down again."""
    layers = []
    for _ in range(times):
        fold = nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)
        for tensor, values in (
            (fold[0].weight, [[1.0], [1.0]]),
            (fold[0].bias, [0.0, -0.5]),
            (fold[2].weight, [[2.0, -4.0]]),
            (fold[2].bias, [0.0]),
        ):
            tensor.data.copy_(minigrad.tensor(values))
        layers += fold
    return nn.Sequential(*layers)


def pieces(model, cells=4096):
    """How many straight pieces a function of [0, 1] has whose kinks lie on multiples of 1/cells."""
    middles = ((minigrad.arange(cells) + 0.5) / cells)[:, None].requires_grad_()
    (slopes,) = minigrad.autograd.grad(model(middles).sum(), middles)
    return 1 + int((slopes[1:] != slopes[:-1]).sum())


def repeated(nonlinearity, gain, seed, steps=100, width=64):
    """A recurrent network whose matrix is orthogonal, times `gain`; nothing comes in but its first state. (The largest
    number in the state at each step; the largest in the gradient that gets from the last state back to the first.)"""
    minigrad.manual_seed(seed)
    rnn = nn.RNN(1, width, nonlinearity=nonlinearity, bias=False)
    nn.init.orthogonal_(rnn.weight_hh_l0, gain)
    start = minigrad.rand(1, width, requires_grad=True)
    states, _ = rnn(minigrad.zeros(steps, 1), start)
    (gradient,) = minigrad.autograd.grad(states[-1].sum(), start)
    return states.detach().abs().amax(1).tolist(), gradient.abs().max().item()


def main():
    chosen = options(
        __doc__,
        seeds=(5, 1, "how many seeds, from --seed on"),
        steps=(150, 20, "steps of training"),
        width=(16, 8, "units in a layer"),
    )
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    found = counts(chosen.width, 1, seeds)
    print(f"one layer of {chosen.width}: {found} regions, at most {most(chosen.width)}")
    for depth in (2, 3):
        print(f"{depth} layers of {chosen.width // 2}: {counts(chosen.width // 2, depth, seeds)} regions")
    shares, before, after = [], [], []
    for seed in progress(seeds, "irises", quiet=chosen.quiet):
        data, held_out = petals(seed)
        minigrad.manual_seed(seed)
        model = network(chosen.width, 2, outputs=3)
        before.append(linear_regions(model).count)
        shares.append(share_right(train(model, *data, chosen.steps), *held_out))
        after.append(linear_regions(model).count)
    print(f"irises: {before} regions before training, {after} after; held out {[f'{share:.1%}' for share in shares]}")
    largest = {name: max(repeated(name, 2.0, seed)[0][-1] for seed in seeds) for name in ("relu", "tanh")}
    result(
        f"{chosen.width} ReLUs cut the plane into {min(found)} to {max(found)} regions (at most {most(chosen.width)}), "
        f"10 folds a line into {pieces(tents(10))}; a layer 100 times over: ReLU up to {largest['relu']:.0e}, tanh "
        f"{largest['tanh']:.2f}; petals of 30 held-out irises: {sum(shares) / len(shares):.1%} ({chosen.seeds} seeds)"
    )


if __name__ == "__main__":
    main()
