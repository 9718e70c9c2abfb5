"""The perceptron: a weighted sum and a step. What one learns, what it cannot, and what two layers can.

- One perceptron with the perceptron rule, `w += rate * (target - output) * input`, on AND, OR, NAND and XOR, and on
  real flowers: setosa from the other irises (a plane tells them apart), virginica from versicolor (none does for all).
- Two layers on XOR, with steps in the hidden layer, trained by straight-through gradients (`nn.Step`).
"""

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_iris

CORNERS = minigrad.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
GATES = {
    "AND": minigrad.tensor([0.0, 0.0, 0.0, 1.0]),
    "OR": minigrad.tensor([0.0, 1.0, 1.0, 1.0]),
    "NAND": minigrad.tensor([1.0, 1.0, 1.0, 0.0]),
    "XOR": minigrad.tensor([0.0, 1.0, 1.0, 0.0]),
}


def perceptron_rule(model, inputs, targets, rate=0.1, passes=100):
    """Trains a `Sequential(Linear(n, 1), Step())` in place, one sample at a time; the mistakes of each pass. It ends
    after the first pass without one, or after `passes`."""
    weight, bias, mistakes = model[0].weight, model[0].bias, []
    with minigrad.no_grad():
        for _ in range(passes):
            wrong = 0
            for x, target in zip(inputs, targets):
                error = target - model(x)  # -1, 0 or 1
                weight += rate * error * x
                bias += rate * error
                wrong += int(error.abs().item())
            mistakes.append(wrong)
            if not wrong:
                break
    return mistakes


def one(inputs=2):
    return nn.Sequential(nn.Linear(inputs, 1), nn.Step())


def two(hidden=8, width=1.0):
    """Two layers, with steps between; the last gives a logit, whose sign is the answer."""
    return nn.Sequential(nn.Linear(2, hidden), nn.Step(width), nn.Linear(hidden, 1))


def train(model, targets, steps=200, rate=0.05):
    """Trains two layers on the four corners; whether all four are right at the end."""
    optimizer = optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(CORNERS)[:, 0], targets).backward()
        optimizer.step()
    return bool(((model(CORNERS)[:, 0] > 0) == (targets > 0.5)).all())


def irises(seed, positive, negative):
    """((inputs, targets) to train on, the same held out): one species against others, a fifth held out."""
    features, species = load_iris()
    chosen = sum(species == k for k in (positive, *negative)) > 0
    features, targets = features[chosen], (species[chosen] == positive).float()
    order = minigrad.randperm(len(targets), generator=minigrad.Generator().manual_seed(seed))
    held = len(targets) // 5
    features = (features - features[order[held:]].mean(0)) / features[order[held:]].std(0)
    return [(features[part], targets[part]) for part in (order[held:], order[:held])]


def share_right(model, inputs, targets):
    return (model(inputs)[:, 0] == targets).float().mean().item()


def main():
    chosen = options(__doc__, seeds=(20, 2, "random starts"), steps=(200, 200, "training steps of the two layers"))
    gates, flowers, solved = {name: [] for name in GATES}, {"setosa": [], "virginica": []}, 0
    for seed in progress(range(chosen.seed, chosen.seed + chosen.seeds), "starts", quiet=chosen.quiet):
        minigrad.manual_seed(seed)
        for name, targets in GATES.items():
            gates[name].append(perceptron_rule(one(), CORNERS, targets))
        solved += train(two(), GATES["XOR"], chosen.steps)
        for name, positive, negative in (("setosa", 0, (1, 2)), ("virginica", 2, (1,))):
            (inputs, targets), held_out = irises(seed, positive, negative)
            model = one(4)
            mistakes = perceptron_rule(model, inputs, targets, passes=30)
            flowers[name].append((not mistakes[-1], share_right(model, *held_out)))
    for name, runs in gates.items():
        ended = [len(mistakes) for mistakes in runs if not mistakes[-1]]
        print(f"{name:5} learned from {len(ended)} of {len(runs)} starts, passes: {sorted(ended)}")
    for name, runs in flowers.items():
        shares = [share for _, share in runs]
        print(f"{name:10} without a mistake in {sum(done for done, _ in runs)} of {len(runs)} runs; held out "
              f"{min(shares):.0%} to {max(shares):.0%} right")  # fmt: skip
    learned = [name for name, runs in gates.items() if not any(mistakes[-1] for mistakes in runs)]
    setosa = [share for _, share in flowers["setosa"]]
    result(
        f"{', '.join(learned)} learned from each of {chosen.seeds} starts, XOR from "
        f"{sum(not mistakes[-1] for mistakes in gates['XOR'])}; two layers of steps learn XOR from {solved}; "
        f"setosa or not: {sum(setosa) / len(setosa):.1%} of 30 held-out irises ({min(setosa):.1%} to {max(setosa):.1%})"
    )


if __name__ == "__main__":
    main()
