"""The course's last chapter: a GPT whose parts are right, that learns, and n-grams that are counted rightly."""

import math

import numpy as np
import pytest

import minigrad
from minigrad.nn import functional as F
from notebooks.scripts.small_gpt import GPT, NGram, log_probabilities, perplexity, read, sample, train


@pytest.fixture(scope="module")
def text():
    return read(300)


def test_perplexity_by_hand():
    assert perplexity(np.log([1 / 2, 1 / 4, 1 / 8])) == pytest.approx(4)
    assert perplexity(np.full(7, -math.log(512))) == pytest.approx(512)


def test_the_parts_have_nothing_in_common(text):
    """What is held out was not read: no paragraph of it is in the part to train on."""
    _, _, (train_part, held_out) = text
    read_before = {" ".join(paragraph.split()) for paragraph in train_part.split("\n\n")}
    assert not any(
        " ".join(paragraph.split()) in read_before for paragraph in held_out.split("\n\n") if paragraph.strip()
    )
    assert 0.08 < len(held_out) / len(train_part) < 0.25


def test_n_grams_are_probabilities_and_right():
    """Each history's probabilities add up to 1; the bigram of a b a b a c by hand."""
    ids = [0, 1, 0, 1, 0, 2, 2, 1, 0, 0, 1, 2]
    for order in (1, 2, 3, 4):
        counted = NGram(ids, order, 4)
        for history in ([], [0], [0, 1], [3], [2, 2, 1], [1, 0, 3]):
            assert sum(counted.probability(history, token) for token in range(4)) == pytest.approx(1)
    toy = NGram([0, 1, 0, 1, 0, 2], 2, 3, discount=0.5)
    # after how many different tokens: a after b; b after a; c after a. Three kinds of pairs.
    lower = [(1 - 0.5) / 3 + 0.5 * 3 / 3 * (1 / 3)] * 3
    assert toy.probability([0], 1) == pytest.approx((2 - 0.5) / 3 + 0.5 * 2 / 3 * lower[1])
    assert toy.probability([0], 2) == pytest.approx((1 - 0.5) / 3 + 0.5 * 2 / 3 * lower[2])


def test_attention_is_causal_and_the_maps_are_what_the_network_does():
    minigrad.manual_seed(0)
    model = GPT(50, context=16, width=32).eval()
    ids = minigrad.randint(50, (1, 16))
    before = model(ids)
    changed = ids.clone()
    changed[0, 9] = (ids[0, 9] + 1) % 50
    after = model(changed)
    assert minigrad.allclose(before[:, :9], after[:, :9], atol=1e-6)
    assert not minigrad.allclose(before[:, 9:], after[:, 9:], atol=1e-6)
    maps = model.maps(ids[0])
    assert maps.shape == (2, 4, 16, 16)
    assert minigrad.allclose(maps.sum(-1), minigrad.ones(2, 4, 16), atol=1e-5)
    assert (maps.triu(1) == 0).all()
    block = model.blocks[0]
    queries, keys, values = block.split(model.embed(ids))
    ready = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    assert minigrad.allclose(maps[0] @ values[0], ready[0], atol=1e-5)


def test_held_out_probabilities_are_those_of_the_network():
    minigrad.manual_seed(0)
    model = GPT(50, context=8, width=32).eval()
    ids = minigrad.randint(50, (21,))
    logs = log_probabilities(model, ids)
    assert logs.shape == (20,)
    first = model(ids[None, :4]).log_softmax(-1)[0]
    assert logs[:4] == pytest.approx([first[k, ids[k + 1].item()].item() for k in range(4)], rel=1e-4)
    last = model(ids[None, 12:20]).log_softmax(-1)[0, -1, ids[20].item()].item()
    assert logs[19] == pytest.approx(last, rel=1e-4)


@pytest.mark.parametrize("seed", range(2))
def test_it_learns(text, seed):
    tokenizer, (train_ids, test_ids), _ = text
    test_ids = test_ids[:2000]
    minigrad.manual_seed(seed)
    model = GPT(len(tokenizer), context=32, width=48, layers=1)
    model.eval()
    untrained = perplexity(log_probabilities(model, test_ids))
    assert untrained > 0.8 * len(tokenizer)
    train(model, train_ids, 200, batch=16, lr=1e-2)
    unigram = NGram(train_ids.tolist(), 1, len(tokenizer)).log_probabilities(test_ids.tolist())
    assert perplexity(log_probabilities(model, test_ids)) < 0.8 * perplexity(unigram)
    assert sample(model, tokenizer, "The", 5, 0) == sample(model, tokenizer, "The", 5, 0)
    assert sample(model, tokenizer, "The", 5).startswith("The")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_who_wins_after_half_a_minute(seed):
    """The GPT passes the bigram, counting with long histories is ahead, and both together are better than either."""
    tokenizer, (train_ids, test_ids), _ = read()
    minigrad.manual_seed(seed)
    model = GPT(len(tokenizer), width=64)
    train(model, train_ids, 1200, batch=16)
    logs = log_probabilities(model, test_ids)
    counted = {k: NGram(train_ids.tolist(), k, len(tokenizer)).log_probabilities(test_ids.tolist()) for k in (2, 4)}
    assert perplexity(counted[4]) < perplexity(logs) < perplexity(counted[2])
    assert perplexity(np.logaddexp(logs, counted[4]) - math.log(2)) < 0.97 * perplexity(counted[4])
    # The heads of the first block look nearby (at one of the last 8 places), those of the second by no position.
    windows = [test_ids[k : k + 64] for k in range(0, 40 * 600, 600)]
    looks = sum(model.maps(window).detach() for window in windows) / len(windows)
    even = minigrad.ones(64, 64).tril() / minigrad.arange(1, 65).unsqueeze(1)
    near, by_chance = (
        sum(shares.diagonal(-k, -2, -1)[..., 8 - k :].mean(-1) for k in range(8)) for shares in (looks, even)
    )
    assert (near[0] > 1.5 * by_chance).all()
    assert (near[1] < 1.3 * by_chance).all()
