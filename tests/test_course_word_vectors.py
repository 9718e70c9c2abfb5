"""The course's chapter on word vectors: the notes' numbers, and what it says of real text, over several seeds."""

import math

import numpy as np
import pytest

import minigrad
from minigrad.text import TfidfVectorizer
from notebooks.scripts.word_vectors import (
    CBOW,
    FORMS,
    PLURALS,
    RELATED,
    FastText,
    SkipGram,
    analogy_rate,
    hit_rate,
    neighbour_rate,
    read,
    train,
)


@pytest.fixture(scope="module")
def text():
    words, vocabulary = read()
    return words, vocabulary, [vocabulary[word] for word in words if word in vocabulary]


def test_tf_idf_of_the_notes():
    """TF = 5, DF = 3, IDF = 1/3; and what scikit-learn's formula makes of it, in four texts."""
    texts = ["graph graph graph graph graph node", "graph leaf", "graph node", "leaf leaf"]
    counted = TfidfVectorizer(norm=None)
    table = counted.fit_transform(texts)
    column = counted.vocabulary_["graph"]
    tf, df = texts[0].split().count("graph"), sum("graph" in content.split() for content in texts)
    assert (tf, df) == (5, 3)
    assert tf * (1 / df) == pytest.approx(5 / 3)
    assert counted.idf_[column] == pytest.approx(math.log(5 / 4) + 1)
    assert table[0, column].item() == pytest.approx(5 * (math.log(5 / 4) + 1))


def test_the_questions(text):
    """Every word is in the text, and no related pair is given away by its letters."""
    _, vocabulary, _ = text
    assert len(RELATED) == len(FORMS) == 30
    assert all(word in vocabulary for pair in RELATED + FORMS for word in pair)
    for a, b in RELATED:
        assert not any(a[k : k + 3] in b for k in range(len(a) - 2)), (a, b)


@pytest.mark.parametrize("seed", range(2))
def test_skip_gram_finds_what_belongs_together(text, seed):
    _, vocabulary, ids = text
    minigrad.manual_seed(seed)
    model, lost = SkipGram(vocabulary), SkipGram(vocabulary)
    losses = train(model, ids, 2)
    shuffled = train(lost, np.random.default_rng(seed).permutation(ids), 2)
    assert losses[-1] < shuffled[-1] - 0.1
    assert hit_rate(model.vectors(), vocabulary, RELATED) > 0.3  # by chance 0.009
    assert hit_rate(lost.vectors(), vocabulary, RELATED) < 0.15


def test_fasttext_gives_a_vector_to_an_unseen_word(text):
    _, vocabulary, ids = text
    minigrad.manual_seed(0)
    model = FastText(vocabulary)
    assert hit_rate(model.vectors(), vocabulary, FORMS) > 0.8  # by spelling alone
    assert hit_rate(model.vectors(), vocabulary, RELATED) < 0.1
    train(model, ids, 1, batch=1024)
    assert hit_rate(model.vectors(), vocabulary, RELATED) > 0.1
    assert "asynchrony" not in vocabulary
    vector = model.of(["asynchrony"])
    assert vector.shape == (1, 48)
    assert minigrad.isfinite(vector).all()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_the_whole_chapter(text, seed):
    words, vocabulary, ids = text
    minigrad.manual_seed(seed)
    gram, bag, pieces = SkipGram(vocabulary), CBOW(vocabulary), FastText(vocabulary)
    train(gram, ids, 8)
    train(bag, ids, 24, batch=256)
    train(pieces, ids, 8, batch=1024)
    for model in (gram, bag, pieces):
        assert hit_rate(model.vectors(), vocabulary, RELATED) > 0.4
    unseen = {word for word in words if word not in vocabulary}
    known = neighbour_rate(pieces, words, set(vocabulary.itos))
    rate, mixed = (neighbour_rate(pieces, words, unseen, mixed=mixed) for mixed in (False, True))
    assert known > rate + 0.05
    assert rate > 0.56
    assert mixed < 0.53
    plurals = [analogy_rate(model.vectors(), vocabulary, PLURALS[:12]) for model in (gram, pieces)]
    assert plurals[1] > 0.7
    assert plurals[0] < 0.4
