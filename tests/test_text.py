"""Texts: tokens, vocabularies, counts (scikit-learn's numbers), Word2Vec's pairs, FastText's pieces."""

import unicodedata

import numpy as np
import pytest

import minigrad
from minigrad import text
from minigrad.text import (
    BytePairTokenizer,
    CharTokenizer,
    CountVectorizer,
    NegativeSampler,
    TfidfVectorizer,
    Vocabulary,
    WordTokenizer,
    cbow_pairs,
    character_ngrams,
    fnv1a,
    skip_gram_pairs,
    subsample,
    subword_bags,
    subword_ids,
)

TEXTS = [
    "The cat sat on the mat, and the dog didn't.",
    "A dog is not a cat; a cat is not a dog!",
    "딥러닝은 재미있다. 역전파는 연쇄 법칙이다.",
    "Straße, naïve café: 3.14 and 42",
    "",
    "the the the",
]


# ---- tokens


def test_words():
    words = WordTokenizer()
    assert words("Don't stop: it's a well-known (fact)!") == [
        "don't", "stop", ":", "it's", "a", "well-known", "(", "fact", ")", "!",
    ]  # fmt: skip
    assert words("역전파(backpropagation)는 3번째") == ["역전파", "(", "backpropagation", ")", "는", "3번째"]
    assert words("") == words(" \n") == []
    assert WordTokenizer(lower=False, pattern=r"[A-Z]\w+")("One two Three") == ["One", "Three"]


def test_hangul_in_single_letters_is_joined():
    split = unicodedata.normalize("NFD", "고양이")
    assert len(split) == 7
    assert WordTokenizer()(split) == ["고양이"]
    assert WordTokenizer(normalize=None)(split) == [split]


def test_characters():
    characters = CharTokenizer("hello 세계")
    assert len(characters) == 7
    assert characters("세계") == ["세", "계"]
    assert characters.encode("he ") == [2, 1, 0]
    assert characters.decode(characters.encode("세계 hello")) == "세계 hello"
    assert characters.decode(minigrad.tensor(characters.encode("ole"))) == "ole"
    with pytest.raises(KeyError, match=r"'x' is not in the vocabulary of 7 tokens"):
        characters.encode("x")
    assert CharTokenizer("ab", unk="?").decode(CharTokenizer("ab", unk="?").encode("axb")) == "a?b"


def test_byte_pairs():
    # The paper's example: of low ×5, lower ×2, newest ×6, widest ×3, "es" is joined first, then "est".
    learned = BytePairTokenizer(" low" * 5 + " lower" * 2 + " newest" * 6 + " widest" * 3, 262)
    assert learned.pieces[256:259] == [b"es", b"est", b" l"]
    assert learned(" lowest") == [" low", "est"]
    assert len(learned) == 262


@pytest.mark.parametrize("content", [*TEXTS, "고양이가  좋다\n\n\t", "\x00\ud7ff𝄞 emoji 👩‍👩‍👧", "  a  "])
def test_byte_pairs_write_any_text(content, tmp_path):
    learned = BytePairTokenizer(" ".join(TEXTS) * 3, 320)
    ids = learned.encode(content)
    assert learned.decode(ids) == content
    assert b"".join(learned.pieces[i] for i in ids) == content.encode()
    learned.save(tmp_path / "bpe.json")
    again = BytePairTokenizer.load(tmp_path / "bpe.json")
    assert (again.encode(content), again.merges) == (ids, learned.merges)


def test_byte_pairs_stop_where_nothing_repeats():
    assert len(BytePairTokenizer("abc", 1000)) == 256
    with pytest.raises(ValueError, match="at least 256"):
        BytePairTokenizer("abc", 10)


# ---- vocabularies


def test_vocabulary():
    texts = [["b", "a", "b"], ["c", "b", "a", "고"]]
    vocabulary = Vocabulary.of(texts)
    assert vocabulary.itos == ["b", "a", "c", "고"]
    assert vocabulary.counts == {"b": 3, "a": 2, "c": 1, "고": 1}
    assert vocabulary.encode(["고", "b"]) == [3, 0]
    assert vocabulary.decode(minigrad.tensor([1, 2])) == ["a", "c"]
    assert "a" in vocabulary
    assert "z" not in vocabulary
    with pytest.raises(KeyError, match="'z' is not in the vocabulary of 4 tokens"):
        vocabulary["z"]


def test_special_tokens():
    texts = [["b", "a", "b"], ["c", "b", "a", "<pad>"]]
    vocabulary = Vocabulary.of(texts, min_freq=2, specials=["<pad>"], unk="<unk>")
    assert vocabulary.itos == ["<unk>", "<pad>", "b", "a"]
    assert vocabulary.encode(["c", "<pad>", "b"]) == [0, 1, 2]
    assert vocabulary.counts["<unk>"] == 1
    assert Vocabulary.of(texts, max_size=3, specials=["<pad>"], unk="<unk>").itos == ["<unk>", "<pad>", "b"]
    assert Vocabulary.of(texts, specials=["<pad>", "<unk>"], unk="<unk>").itos[:2] == ["<pad>", "<unk>"]
    with pytest.raises(ValueError, match=r"more than once: \['a'\]"):
        Vocabulary(["a", "b", "a"])


def test_vocabularies_are_saved(tmp_path):
    vocabulary = Vocabulary.of([["역전파", "a", "a"]], specials=["<pad>"], unk="<unk>")
    vocabulary.save(tmp_path / "words.json")
    again = Vocabulary.load(tmp_path / "words.json")
    assert (again.itos, again.counts, again["?"]) == (vocabulary.itos, vocabulary.counts, 0)
    assert "역전파" in (tmp_path / "words.json").read_text(encoding="utf-8")
    assert repr(again) == "Vocabulary(4 tokens: '<unk>', '<pad>', 'a', '역전파')"


# ---- tables


def test_one_hot_and_bags():
    hot = text.one_hot([2, 0], 3)
    assert (hot.tolist(), hot.dtype) == ([[0, 0, 1], [1, 0, 0]], minigrad.float32)
    assert text.one_hot(minigrad.tensor([[1], [0]]), 2).tolist() == [[[0, 1]], [[1, 0]]]
    vocabulary = Vocabulary(["a", "b"], unk="?")
    bags = text.bag_of_words([["b", "b", "x"], [], ["a"]], vocabulary)
    assert (bags.tolist(), bags.dtype) == ([[1, 0, 2], [0, 0, 0], [0, 1, 0]], minigrad.float32)
    assert text.bag_of_words([], vocabulary).shape == (0, 3)


OPTIONS = [
    {},
    {"lowercase": False},
    {"ngram_range": (1, 2)},
    {"ngram_range": (2, 3), "min_df": 1},
    {"min_df": 2},
    {"max_df": 0.4},
    {"max_df": 1},
    {"min_df": 0.2, "max_df": 0.5},
    {"max_features": 3},
    {"max_features": 7, "ngram_range": (1, 2)},
    {"binary": True},
    {"stop_words": ["the", "dog"]},
    {"token_pattern": r"\S+"},
    {"tokenizer": str.split, "token_pattern": None},
    {"vocabulary": ["cat", "dog", "연쇄"]},
    {"vocabulary": {"cat": 1, "dog": 0}},
]
WEIGHTS = [{}, {"norm": None}, {"norm": "l1"}, {"use_idf": False}, {"smooth_idf": False}, {"sublinear_tf": True}]
NEW_TEXTS = ["the new dog", "cat cat 법칙이다", "nothing"]


@pytest.mark.parametrize("options", OPTIONS)
def test_counts_are_scikit_learns(options):
    sklearn = pytest.importorskip("sklearn.feature_extraction.text")
    ours, theirs = CountVectorizer(**options), sklearn.CountVectorizer(**options)
    np.testing.assert_array_equal(ours.fit_transform(TEXTS).numpy(), theirs.fit_transform(TEXTS).toarray())
    np.testing.assert_array_equal(ours.transform(NEW_TEXTS).numpy(), theirs.transform(NEW_TEXTS).toarray())
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    assert ours.vocabulary_ == theirs.vocabulary_


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("options", OPTIONS[::3])
def test_tf_idf_is_scikit_learns(options, weights):
    sklearn = pytest.importorskip("sklearn.feature_extraction.text")
    ours, theirs = TfidfVectorizer(**options, **weights), sklearn.TfidfVectorizer(**options, **weights)
    np.testing.assert_allclose(ours.fit_transform(TEXTS).numpy(), theirs.fit_transform(TEXTS).toarray(), rtol=1e-6)
    np.testing.assert_allclose(ours.transform(NEW_TEXTS).numpy(), theirs.transform(NEW_TEXTS).toarray(), rtol=1e-6)
    if weights.get("use_idf", True):
        np.testing.assert_allclose(ours.idf_, theirs.idf_, rtol=1e-12)


def test_tf_idf_by_hand():
    table = TfidfVectorizer(norm=None, token_pattern=r"\w").fit_transform(["a a b", "a c"])
    rare = np.log(3 / 2) + 1
    np.testing.assert_allclose(table.numpy(), [[2, rare, 0], [1, 0, rare]], rtol=1e-6)


VECTORIZER_ERRORS = [
    lambda kind: kind().fit_transform("one string"),
    lambda kind: kind().transform(["not fitted"]),
    lambda kind: kind().fit(["", "a"]),
    lambda kind: kind(min_df=3, max_df=1).fit(["cat dog", "cat"]),
    lambda kind: kind(min_df=2).fit(["cat", "dog"]),
]


@pytest.mark.parametrize("call", VECTORIZER_ERRORS)
@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer"])
def test_vectorizer_errors_are_scikit_learns(call, name):
    sklearn = pytest.importorskip("sklearn.feature_extraction.text")
    for kind in (getattr(text, name), getattr(sklearn, name)):
        with pytest.raises(ValueError, match=r"(?i)documents|vocabulary|terms|not fitted"):
            call(kind)


def test_further_vectorizer_errors():
    with pytest.raises(NotImplementedError, match="give the words themselves"):
        CountVectorizer(stop_words="english")
    with pytest.raises(ValueError, match="'l1', 'l2' or None"):
        TfidfVectorizer(norm="l3")
    with pytest.raises(ValueError, match="not fitted"):
        TfidfVectorizer(vocabulary=["a"]).transform(["a"])


# ---- words among words


def test_nearest():
    vocabulary = Vocabulary(["east", "north", "northeast", "west"])
    vectors = minigrad.tensor([[2.0, 0], [0, 3], [1, 1], [-1, 0]])
    assert [word for word, _ in text.nearest(vectors, "east", vocabulary=vocabulary)] == ["northeast", "north", "west"]
    (best, similarity), *_ = text.nearest(vectors, minigrad.tensor([0.0, 5.0]), 1)
    assert (best, similarity) == (1, 1.0)
    found = text.nearest(vectors, "east", 1, vocabulary, exclude=["northeast"])
    assert found == [("north", 0.0)]
    assert text.nearest(vectors, minigrad.zeros(2), 1)[0][1] == 0
    with pytest.raises(ValueError, match="a vocabulary is needed"):
        text.nearest(vectors, "east")


def test_analogy():
    vocabulary = Vocabulary(["man", "king", "woman", "queen", "apple"])
    vectors = minigrad.tensor([[1.0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [1, 1, -1]])
    assert text.analogy(vectors, vocabulary, "man", "king", "woman", 1)[0][0] == "queen"


# ---- Word2Vec


@pytest.mark.parametrize("size", [0, 1, 2, 7])
@pytest.mark.parametrize("window", [1, 2, 9])
def test_pairs(size, window):
    ids = [10 + i for i in range(size)]
    expected = [
        (ids[i], ids[j]) for i in range(size) for j in range(max(0, i - window), min(size, i + window + 1)) if i != j
    ]
    centres, neighbours = skip_gram_pairs(minigrad.tensor(ids, dtype=minigrad.int64), window)
    assert list(zip(centres.tolist(), neighbours.tolist())) == expected
    around, words = cbow_pairs(ids, window, pad=-1)
    assert around.shape == (size if size > 1 else 0, 2 * window)
    assert words.tolist() == (ids if size > 1 else [])
    for row, word in zip(around.tolist(), words.tolist()):
        assert [n for n in row if n != -1] == [n for c, n in expected if c == word]
    assert centres.dtype == neighbours.dtype == around.dtype == words.dtype == minigrad.int64


def test_shrinking_windows():
    centres, neighbours = skip_gram_pairs(range(3000), 4, shrink=True)
    distances = np.bincount(np.abs(centres.numpy() - neighbours.numpy()))
    np.testing.assert_allclose(distances[1:] / 6000, [1, 0.75, 0.5, 0.25], atol=0.05)
    first = skip_gram_pairs(range(9), 4, shrink=True, generator=minigrad.Generator().manual_seed(1))
    again = skip_gram_pairs(range(9), 4, shrink=True, generator=minigrad.Generator().manual_seed(1))
    assert first[1].tolist() == again[1].tolist()
    with pytest.raises(ValueError, match="at least 1"):
        skip_gram_pairs([1, 2], 0)


def test_subsampling():
    ids = np.repeat([0, 1], [99_000, 1000])
    left = np.bincount(subsample(ids, [99_000, 1000], threshold=0.01).numpy())
    assert left[1] == 1000  # its share is no greater than the threshold
    assert abs(left[0] / 99_000 - np.sqrt(0.01 / 0.99)) < 0.005


def test_negative_sampling():
    sampler = NegativeSampler([16, 81, 0, 1], generator=minigrad.Generator().manual_seed(0))
    np.testing.assert_allclose(sampler.probabilities, np.array([8, 27, 0, 1]) / 36)
    drawn = sampler.sample((200, 100))
    assert (drawn.shape, drawn.dtype) == ((200, 100), minigrad.int64)
    np.testing.assert_allclose(
        np.bincount(drawn.numpy().ravel(), minlength=4) / 20_000, sampler.probabilities, atol=0.01
    )
    positives = minigrad.tensor([0, 1, 3]).unsqueeze(1)
    drawn = sampler.sample((3, 50), avoid=positives)
    assert not (drawn == positives).any()
    assert sampler.sample(3).shape == (3,)
    np.testing.assert_allclose(NegativeSampler([3, 1, 0], power=0).probabilities, [0.5, 0.5, 0])
    assert NegativeSampler(Vocabulary.of([["a", "a", "b"]])).probabilities[0] > 0.5
    with pytest.raises(ValueError, match="above 0"):
        NegativeSampler([0, 0])
    with pytest.raises(ValueError, match="only one word"):
        NegativeSampler([0, 5]).sample(3, avoid=minigrad.tensor([1]))


# ---- FastText


def test_character_ngrams():
    assert character_ngrams("where", 3, 3) == ["<wh", "whe", "her", "ere", "re>"]  # the paper's example
    assert character_ngrams("고양이", 2, 3) == ["<고", "<고양", "고양", "고양이", "양이", "양이>", "이>"]
    assert character_ngrams("ab", 1, 2) == ["<a", "a", "ab", "b", "b>"]
    assert character_ngrams("a") == ["<a>"]


def test_fnv1a():
    # The published vectors of FNV-1a, 32 bits; beyond ASCII FastText's differs, for it takes bytes as signed.
    vectors = {"": 0x811C9DC5, "a": 0xE40C292C, "b": 0xE70C2DE5, "foobar": 0xBF9CF968}
    assert {word: fnv1a(word) for word in vectors} == vectors
    assert fnv1a("é") == _signed_fnv1a("é".encode())


def _signed_fnv1a(data):
    value = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in np.frombuffer(data, np.int8):
            value = (value ^ byte.astype(np.uint32)) * np.uint32(16777619)
    return int(value)


def test_subwords_give_unseen_words_a_vector():
    vocabulary = Vocabulary(["where", "here"])
    seen, unseen = subword_ids("where", vocabulary, 100), subword_ids("there", vocabulary, 100)
    assert seen[0] == 0
    assert min(unseen) >= 2
    assert max(seen + unseen) < 102
    assert set(seen) & set(unseen)  # "her", "here", "ere>" ...
    ids, begins = subword_bags(["where", "there"], vocabulary, 100)
    assert ids.tolist() == seen + unseen
    assert begins.tolist() == [0, len(seen)]


def test_skip_gram_learns_who_stands_beside_whom():
    """Two groups of words that never meet: each word's nearest is of its own group."""
    groups = [["cat", "dog", "cow"], ["sun", "moon", "star"]]
    random = np.random.default_rng(0)
    words = [word for _ in range(150) for group in groups for word in [*random.choice(group, 4), "."]]
    vocabulary = Vocabulary.of([words])
    centres, neighbours = skip_gram_pairs(vocabulary.encode(words), 2)
    sampler = NegativeSampler(vocabulary)
    inner, outer = (minigrad.randn(len(vocabulary), 8).mul_(0.1).requires_grad_() for _ in range(2))
    optimizer = minigrad.optim.Adam([inner, outer], lr=0.05)
    for _ in range(60):
        batch = minigrad.randint(len(centres), (256,))
        wrong = outer[sampler.sample((256, 4), neighbours[batch].unsqueeze(1))]
        given = inner[centres[batch]].unsqueeze(1)
        right = outer[neighbours[batch]].unsqueeze(1)
        logsigmoid = minigrad.nn.functional.logsigmoid
        loss = -(logsigmoid((given * right).sum(-1)).sum() + logsigmoid(-(given * wrong).sum(-1)).sum()) / 256
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for word in ["cat", "dog", "cow", "sun", "moon", "star"]:
        nearest = [other for other, _ in text.nearest(inner, word, 2, vocabulary, exclude=["."])]
        assert any({word, *nearest} == set(group) for group in groups)
