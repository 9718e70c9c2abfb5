"""Chapter 2 of the course: what one perceptron learns, what it cannot, and what two layers can."""

import itertools

import pytest

import minigrad
from minigrad import nn, optim
from notebooks.scripts.perceptron import CORNERS, GATES, irises, one, perceptron_rule, share_right, train, two


@pytest.mark.parametrize("name", ["AND", "OR", "NAND"])
def test_the_rule_learns_what_a_line_tells_apart(name):
    for seed in range(20):
        minigrad.manual_seed(seed)
        model = one()
        assert perceptron_rule(model, CORNERS, GATES[name])[-1] == 0
        assert model(CORNERS)[:, 0].tolist() == GATES[name].tolist()


def test_xor_is_learned_from_no_start():
    for seed in range(20):
        minigrad.manual_seed(seed)
        assert min(perceptron_rule(one(), CORNERS, GATES["XOR"])) > 0


def test_a_line_gets_three_corners_of_xor_right_at_most():
    model, best = one(), 0
    steps = [k / 2 for k in range(-6, 7)]
    for w1, w2, b in itertools.product(steps, steps, steps):
        model.load_state_dict({"0.weight": minigrad.tensor([[w1, w2]]), "0.bias": minigrad.tensor([b])})
        best = max(best, share_right(model, CORNERS, GATES["XOR"]))
    assert best == 0.75


def test_of_sixteen_tables_two_need_two_layers():
    for seed in range(3):
        never = []
        for table in itertools.product([0.0, 1.0], repeat=4):
            minigrad.manual_seed(seed)
            if perceptron_rule(one(), CORNERS, minigrad.tensor(table))[-1]:
                never.append(table)
        assert never == [(0.0, 1.0, 1.0, 0.0), (1.0, 0.0, 0.0, 1.0)]


def test_the_rule_on_xor_goes_round():
    """As by hand in section 2, from zeros: from the second pass on every pass ends with the same weights."""
    model, ends = one(), []
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    for _ in range(6):
        perceptron_rule(model, CORNERS, GATES["XOR"], rate=1.0, passes=1)
        ends.append([*model[0].weight[0].tolist(), *model[0].bias.tolist()])
    assert ends == [[-1.0, 0.0, 0.0]] + [[-1.0, 0.0, 1.0]] * 5


@pytest.mark.parametrize("name", GATES)
def test_sgd_through_the_step_is_the_perceptron_rule(name):
    minigrad.manual_seed(1)
    by_rule, by_sgd = one(), one()
    by_sgd.load_state_dict(by_rule.state_dict())
    optimizer = optim.SGD(by_sgd.parameters(), lr=0.1)
    for _ in range(10):
        perceptron_rule(by_rule, CORNERS, GATES[name], rate=0.1, passes=1)
        for x, target in zip(CORNERS, GATES[name]):
            optimizer.zero_grad()
            (0.5 * (target - by_sgd(x)).square().sum()).backward()
            optimizer.step()
        assert by_sgd[0].weight.tolist() == by_rule[0].weight.tolist()
        assert by_sgd[0].bias.tolist() == by_rule[0].bias.tolist()


def test_two_layers_by_hand_are_xor():
    model = nn.Sequential(nn.Linear(2, 2), nn.Step(), nn.Linear(2, 1), nn.Step())
    weights = [[[1.0, 1.0], [-1.0, -1.0]], [-0.5, 1.5], [[1.0, 1.0]], [-1.5]]
    model.load_state_dict(dict(zip(model.state_dict(), map(minigrad.tensor, weights))))
    assert model(CORNERS)[:, 0].tolist() == GATES["XOR"].tolist()


def test_two_layers_learn_xor_where_the_gradient_passes_near_the_step_only():
    everywhere, solved = float("inf"), {}
    for width, hidden in itertools.product((1.0, everywhere), (2, 4, 8)):
        solved[width, hidden] = 0
        for seed in range(20):
            minigrad.manual_seed(seed)
            solved[width, hidden] += train(two(hidden, width), GATES["XOR"])
    assert solved[1.0, 4] >= 16  # nearly every start, with more units than the two that would do
    assert solved[1.0, 8] >= 18
    assert solved[1.0, 2] < 10
    assert max(solved[everywhere, hidden] for hidden in (2, 4, 8)) < 10


def test_setosa_is_told_apart_and_virginica_hardly():
    ended = {"setosa": 0, "virginica": 0}
    for seed in range(5):
        for name, positive, negative in (("setosa", 0, (1, 2)), ("virginica", 2, (1,))):
            minigrad.manual_seed(seed)
            (inputs, targets), held_out = irises(seed, positive, negative)
            model = one(4)
            ended[name] += perceptron_rule(model, inputs, targets, passes=30)[-1] == 0
            assert share_right(model, *held_out) > (0.95 if name == "setosa" else 0.8)
    assert ended["setosa"] == 5
    assert ended["virginica"] <= 1
