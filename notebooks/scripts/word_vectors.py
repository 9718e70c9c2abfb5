"""Word vectors from a real text: skip-gram, CBOW and FastText, learned from the help texts that come with Python.

They are judged by pairs of words that were written down before anything was trained: how often each word of a pair is
among the ten nearest of the other. RELATED pairs belong together by what they mean and share no three letters, FORMS
are two forms of one word. For comparison the same is learned from the same words in random order, where nothing can be
learned. FastText must also know what a word is about that it has never seen.
"""

import itertools

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_topics
from minigrad.nn import functional as F
from minigrad.text import (
    NegativeSampler,
    Vocabulary,
    WordTokenizer,
    analogy,
    cbow_pairs,
    nearest,
    skip_gram_pairs,
    subsample,
    subword_bags,
)


def pairs(text):
    return [tuple(pair.split()) for pair in text.split(",")]


RELATED = pairs(
    "true false, left right, first last, list tuple, dictionary mapping, key value, try except, if else, "
    "positional keyword, start end, break continue, async await, less greater, real imaginary, argument parameter, "
    "class instance, generator yield, finally except, pdb debugger, breakpoint debugger, slice step, width precision, "
    "ascii unicode, lists tuples, function method, int float, digits decimal, import module, hash equal, while loop"
)
PLURALS = pairs(
    "object objects, list lists, string strings, class classes, method methods, function functions, name names, "
    "type types, value values, argument arguments, attribute attributes, module modules, exception exceptions, "
    "expression expressions, statement statements, instance instances, sequence sequences, character characters, "
    "key keys, item items, number numbers, integer integers, operator operators, variable variables, pattern patterns"
)
FORMS = PLURALS + pairs("return returns, raise raised, call called, define defined, use used")
FEATURES, WINDOW, NEGATIVES = 48, 4, 5


def read(least=5):
    """The words of the text in order (list of str), and the vocabulary of those that occur `least` times."""
    tokenizer = WordTokenizer(pattern="[a-z]{2,}")
    words = [word for text in load_topics().values() for word in tokenizer(text)]
    return words, Vocabulary.of([words], min_freq=least)


class Words(nn.Module):
    """What the three models share: a vector for each word as a neighbour, and the score of (word, neighbour)."""

    def __init__(self, vocabulary, features=FEATURES):
        super().__init__()
        self.vocabulary = vocabulary
        self.around = nn.Embedding(len(vocabulary), features)
        nn.init.zeros_(self.around.weight)

    def forward(self, given, asked):
        """given (batch, ...), asked (batch, k) -> the scores (batch, k): how well each asked word goes with it."""
        return (self.around(asked) @ self.hidden(given).unsqueeze(2)).squeeze(2)


class SkipGram(Words):
    """From a word to its neighbours: one vector for each word."""

    def __init__(self, vocabulary, features=FEATURES):
        super().__init__(vocabulary, features)
        self.word = nn.Embedding(len(vocabulary), features)
        nn.init.uniform_(self.word.weight, -0.5 / features, 0.5 / features)

    def examples(self, ids, window):
        return skip_gram_pairs(ids, window, shrink=True)

    def hidden(self, given):
        return self.word(given)

    def vectors(self):
        return self.word.weight.detach()


class CBOW(Words):
    """From all neighbours of a word, averaged, to the word."""

    def __init__(self, vocabulary, features=FEATURES):
        super().__init__(vocabulary, features)
        self.pad = len(vocabulary)
        self.word = nn.EmbeddingBag(len(vocabulary) + 1, features, mode="mean", padding_idx=self.pad)
        nn.init.uniform_(self.word.weight, -0.5 / features, 0.5 / features)

    def examples(self, ids, window):
        return cbow_pairs(ids, window, pad=self.pad, shrink=True)

    def hidden(self, given):
        return self.word(given)

    def vectors(self):
        return self.word.weight.detach()[:-1]


class FastText(Words):
    """Skip-gram, but the vector of a word is the average of its own and those of its runs of 3 to 5 letters."""

    examples = SkipGram.examples

    def __init__(self, vocabulary, features=FEATURES, buckets=8192):
        super().__init__(vocabulary, features)
        self.buckets = buckets
        self.pieces = nn.EmbeddingBag(len(vocabulary) + buckets, features, mode="mean")
        nn.init.uniform_(self.pieces.weight, -0.5 / features, 0.5 / features)
        self.bags = subword_bags(vocabulary.itos, vocabulary, buckets, 3, 5)

    def hidden(self, given):
        return F.embedding(given, self.pieces(*self.bags))

    def of(self, words):
        """The vectors (words, features) of any words, seen or not."""
        return self.pieces(*subword_bags(words, self.vocabulary, self.buckets, 3, 5)).detach()

    def vectors(self):
        return self.of(self.vocabulary.itos)


def train(model, ids, epochs, window=WINDOW, lr=0.01, batch=512):
    """Trains on the numbers of a text's words by negative sampling; the mean loss of each epoch."""
    optimizer = optim.Adam(model.parameters(), lr=lr)
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=epochs)
    sampler = NegativeSampler(model.vocabulary)
    target = F.one_hot(minigrad.zeros(batch, dtype=minigrad.int64), 1 + NEGATIVES).float()  # the first one is real
    losses = []
    for _ in range(epochs):
        given, real = model.examples(subsample(ids, model.vocabulary), window)
        order = minigrad.randperm(len(given))
        total = 0.0
        for k in range(len(given) // batch):
            rows = order[k * batch : (k + 1) * batch]
            true = real[rows].unsqueeze(1)
            asked = minigrad.cat([true, sampler.sample((batch, NEGATIVES), avoid=true)], 1)
            scores = model(given[rows], asked)
            loss = F.binary_cross_entropy_with_logits(scores, target, reduction="sum") / batch
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        schedule.step()
        losses.append(total / (len(given) // batch))
    return losses


def hit_rate(vectors, vocabulary, judged, k=10):
    """How often a word of a pair is among the `k` nearest of the other, both ways, from 0 to 1."""
    asked = [(a, b) for pair in judged for a, b in (pair, pair[::-1])]
    return np.mean([b in dict(nearest(vectors, a, k, vocabulary)) for a, b in asked])


def analogy_rate(vectors, vocabulary, judged, k=1):
    """How often d is among the k best answers to "a is to b as c is to ?", over all (a, b), (c, d) of the pairs."""
    asked = list(itertools.permutations(judged, 2))
    return np.mean([d in dict(analogy(vectors, vocabulary, a, b, c, k)) for (a, b), (c, d) in asked])


def neighbour_rate(model, words, judged, mixed=False, window=3, common=100):
    """How often the vector of a judged word prefers a neighbour that it really has in the text to a word drawn at
    random; 0.5 is chance. The `common` most frequent words are no neighbours here: they stand beside any word. With
    `mixed`, each judged word has the vector of another one. None of them need have been trained on."""
    vocabulary = model.vocabulary
    telling = set(vocabulary.itos[common:])
    places = [
        (words[i], vocabulary[words[j]])
        for i in range(len(words))
        if words[i] in judged
        for j in range(max(0, i - window), min(len(words), i + window + 1))
        if j != i and words[j] in telling
    ]
    judged = sorted({word for word, _ in places})
    row = {word: k for k, word in enumerate(judged)}
    vectors = model.of(judged)
    vectors = vectors[minigrad.randperm(len(judged))] if mixed else vectors
    own = vectors[[row[word] for word, _ in places]]
    real = minigrad.tensor([[neighbour] for _, neighbour in places])
    counts = [vocabulary.counts[word] * (word in telling) for word in vocabulary.itos]
    other = NegativeSampler(counts, power=1.0).sample(real.shape, avoid=real)
    with minigrad.no_grad():
        scores = (model.around(minigrad.cat([real, other], 1)) @ own.unsqueeze(2)).squeeze(2)
    return (scores[:, 0] > scores[:, 1]).float().mean().item()


def main():
    chosen = options(__doc__, epochs=(8, 1, "passes over the text"), seeds=(3, 1, "how many seeds, from --seed on"))
    words, vocabulary = read()
    ids = [vocabulary[word] for word in words if word in vocabulary]
    print(f"{len(words)} words, {len(vocabulary)} different ones that occur at least 5 times")
    print(f"by chance a pair is found in {10 / (len(vocabulary) - 1):.1%} of cases")
    rates = {name: [] for name in ("skip-gram", "shuffled", "FastText", "unseen")}
    for k in progress(range(chosen.seeds), "seeds", quiet=chosen.quiet):
        minigrad.manual_seed(chosen.seed + k)
        shuffled = np.asarray(ids)[minigrad.randperm(len(ids)).numpy()]
        for name, model, text in [
            ("skip-gram", SkipGram(vocabulary), ids),
            ("shuffled", SkipGram(vocabulary), shuffled),
            ("FastText", FastText(vocabulary), ids),
        ]:
            loss = train(model, text, chosen.epochs, batch=1024 if name == "FastText" else 512)[-1]
            related, forms = (hit_rate(model.vectors(), vocabulary, judged) for judged in (RELATED, FORMS))
            rates[name].append(related)
            print(f"seed {chosen.seed + k}  {name:10} loss {loss:.3f}  related {related:.0%}  forms {forms:.0%}")
        unseen, known = {word for word in words if word not in vocabulary}, set(vocabulary.itos)
        rates["unseen"].append(neighbour_rate(model, words, unseen))
        mixed, seen = neighbour_rate(model, words, unseen, mixed=True), neighbour_rate(model, words, known)
        print(f"         real neighbours preferred: by words it has seen {seen:.0%}, by {len(unseen)} unseen ones "
              f"{rates['unseen'][-1]:.0%}, by these with one another's vectors {mixed:.0%}")  # fmt: skip
    mean = {name: np.mean(values) for name, values in rates.items()}
    result(
        f"related word among the 10 nearest: skip-gram {mean['skip-gram']:.0%}, FastText {mean['FastText']:.0%}, "
        f"shuffled text {mean['shuffled']:.0%}; an unseen word's vector prefers its real neighbours in "
        f"{mean['unseen']:.0%} of cases (chance 50%; {chosen.seeds} seeds)"
    )


if __name__ == "__main__":
    main()
