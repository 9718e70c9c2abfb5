"""Chapter 15: what is frozen stays, what is copied is copied, and transfer beats scratch at 50 labels (five seeds)."""

import pytest

import minigrad
from notebooks.scripts.transfer_learning import (
    compare,
    digits,
    fine_tune,
    make_model,
    place,
    pretrain,
    split,
    transferred,
)


def test_each_digit_is_put_somewhere_whole():
    minigrad.manual_seed(0)
    images, labels = digits(range(5), side=16)
    assert images.shape == (901, 1, 16, 16)
    assert set(labels.tolist()) == set(range(5))
    plain, _ = digits(range(5), side=8)
    assert images.sum(dim=(1, 2, 3)).allclose(plain.sum(dim=(1, 2, 3)))
    assert place(plain[:, 0], 8).equal(plain)  # one place only
    corners = {tuple(image[0].nonzero().min(dim=0)[0].tolist()) for image in images}
    assert len(corners) > 50


def test_labelled_and_held_out_pictures_are_apart():
    labels = digits(range(5, 10), side=8)[1]
    known, test = (part.tolist() for part in split(labels, 10))
    assert (len(known), len(test)) == (50, 846)
    assert not set(known) & set(test)
    assert labels[known].bincount().tolist() == [10] * 5


@pytest.mark.parametrize(("how", "first"), [("head", 3), ("upper", 2), ("full", 0), ("scratch", 0)])
def test_what_is_frozen_stays_as_it_was(how, first):
    minigrad.manual_seed(0)
    source = make_model(side=8)
    x, y = minigrad.rand(20, 1, 8, 8), minigrad.arange(20) % 5
    source(x)  # so that the batch norms have seen something
    model = transferred(source, how, side=8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fine_tune(model, how, x, y, x, y, steps=3)
    for name, value in model.state_dict().items():
        assert value.equal(before[name]) == (int(name[0]) < first), name
    copied = model[0][0].weight.equal(source[0][0].weight) if first else before["0.0.weight"].equal(source[0][0].weight)
    assert copied == (how != "scratch")


def test_transfer_beats_scratch_at_50_labels():
    """In each of five seeds, from one network that knows 0 to 4; the program trains one for each seed."""
    source = pretrain(0, epochs=2)
    for seed in range(5):
        found = compare(seed, labels=50, steps=30, every=30, source=source, ways=("scratch", "full"))
        assert found["full"][-1] > found["scratch"][-1] + 0.02, seed


@pytest.mark.long
def test_the_whole_comparison():
    runs = [compare(seed) for seed in range(5)]
    for run in runs:
        assert run["full"][-1] > run["scratch"][-1] + 0.05
        assert run["head"][-1] > run["scratch"][-1]
    easy = [compare(seed, side=8, ways=("scratch", "full")) for seed in range(5)]  # digits as they are: nothing gained
    assert abs(sum(run["full"][-1] - run["scratch"][-1] for run in easy)) / 5 < 0.03
