"""Words and their neighbours: the examples of Word2Vec, and the pieces of words of FastText.

(T. Mikolov et al. 2013, arXiv:1301.3781 and arXiv:1310.4546; P. Bojanowski et al. 2017, arXiv:1607.04606)
Not in PyTorch. Before it: `vocabulary.py`. What is random is drawn from minigrad's default generator, or from one that
is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad import random
from minigrad.tensor import Tensor, wrap
from minigrad.text.vocabulary import Vocabulary

__all__ = [
    "NegativeSampler", "cbow_pairs", "character_ngrams", "fnv1a", "skip_gram_pairs", "subsample", "subword_bags",
    "subword_ids",
]  # fmt: skip


def skip_gram_pairs(ids, window: int = 5, shrink: bool = False, generator=None) -> tuple[Tensor, Tensor]:
    """Skip-gram's examples: from a word to each of its neighbours.

    Args:
        ids (Tensor | sequence of int): the numbers of a text's words, in order.
        window (int): how far neighbours may be away.
        shrink (bool): draw for each word how far, from 1 to `window`, so that near neighbours are more frequent.
        generator (Generator, optional): for `shrink`.

    Returns:
        tuple[Tensor, Tensor]: the words and their neighbours, int64 (pairs,), in the order of the text.
    """
    centres, neighbours, there = _windows(ids, window, shrink, generator)
    return wrap(np.repeat(centres, there.sum(1))), wrap(neighbours[there])


def cbow_pairs(ids, window: int = 5, pad: int = 0, shrink: bool = False, generator=None) -> tuple[Tensor, Tensor]:
    """CBOW's examples: from the neighbours of a word to the word.

    Args:
        ids (Tensor | sequence of int): the numbers of a text's words, in order.
        window (int): how far neighbours may be away.
        pad (int): stands for neighbours that there are not, at both ends of the text; ``padding_idx`` of the embedding.
        shrink (bool): draw for each word how far, from 1 to `window`.
        generator (Generator, optional): for `shrink`.

    Returns:
        tuple[Tensor, Tensor]: the neighbours, int64 (words, 2 * window), and the words, int64 (words,). Words without
        any neighbour are left out.
    """
    centres, neighbours, there = _windows(ids, window, shrink, generator)
    some = there.any(1)
    return wrap(np.where(there, neighbours, pad)[some]), wrap(centres[some])


def _windows(ids, window, shrink, generator):
    """The words (n,), what stands around each (n, 2 * window), and which of that there is."""
    if window < 1:
        raise ValueError(f"expected a window of at least 1, but got {window}")
    ids = np.asarray(ids.array if isinstance(ids, Tensor) else ids, np.int64).reshape(-1)
    distances = np.array([*range(-window, 0), *range(1, window + 1)])
    places = np.arange(len(ids))[:, None] + distances
    there = (places >= 0) & (places < len(ids))
    if shrink:
        reach = (generator or random.default_generator).randint(1, window + 1, (len(ids), 1))
        there &= np.abs(distances) <= reach
    neighbours = ids[places.clip(0, max(len(ids) - 1, 0))] if len(ids) else places
    return ids, neighbours, there


def subsample(ids, counts, threshold: float = 1e-3, generator=None) -> Tensor:
    """A text without some of its frequent words: word `w` is left out with probability ``1 - sqrt(threshold / f(w))``,
    where ``f(w)`` is its share of all words.

    Args:
        ids (Tensor | sequence of int): the numbers of the words.
        counts (Tensor | sequence | Vocabulary): how often each number occurs.
        threshold (float): words of a smaller share are all kept; 1e-5 for large texts.
        generator (Generator, optional): the source of randomness.

    Returns:
        Tensor: the numbers that are left, int64, in order.
    """
    ids = np.asarray(ids.array if isinstance(ids, Tensor) else ids, np.int64)
    counts = _counts(counts)
    shares = counts / max(counts.sum(), 1)
    kept = np.sqrt(threshold / np.maximum(shares, 1e-300))
    draws = (generator or random.default_generator).uniform(ids.shape, dtype=np.float64)
    return wrap(ids[draws < kept[ids]])


class NegativeSampler:
    """Draws words that are not there, each with a probability in proportion to its count to the power 3/4.

    Args:
        counts (Tensor | sequence | Vocabulary): how often each number occurs; what occurs never is never drawn.
        power (float): 0 makes all words equally likely, 1 as likely as they are frequent.
        generator (Generator, optional): the source of randomness; the default one if None.

    Attributes:
        probabilities (ndarray): of each number, float64.
    """

    def __init__(self, counts, power: float = 0.75, generator=None) -> None:
        counts = _counts(counts)
        weights = np.where(counts > 0, np.maximum(counts, 1e-300) ** power, 0)
        if not weights.sum() > 0:
            raise ValueError("NegativeSampler: expected a count above 0")
        self.probabilities = weights / weights.sum()
        self._cumulative = np.cumsum(self.probabilities)
        self.generator = generator

    def sample(self, shape, avoid=None) -> Tensor:
        """Numbers, int64, of this shape.

        Args:
            shape (int | tuple): how many.
            avoid (Tensor, optional): what must not be drawn, of a shape that broadcasts to `shape`, e.g. (batch, 1) for
                (batch, k): draws that hit it are made anew.
        """
        generator = self.generator or random.default_generator
        out = self._draw(generator, shape)
        if avoid is not None:
            if np.count_nonzero(self.probabilities) < 2:
                raise ValueError("NegativeSampler: there is only one word to draw, and avoid may name it")
            hit = out == np.broadcast_to(avoid.array if isinstance(avoid, Tensor) else avoid, out.shape)
            while hit.any():
                out[hit] = self._draw(generator, int(hit.sum()))
                hit = out == np.broadcast_to(avoid.array if isinstance(avoid, Tensor) else avoid, out.shape)
        return wrap(out)

    def _draw(self, generator, shape):
        places = generator.uniform(shape, dtype=np.float64) * self._cumulative[-1]
        return np.searchsorted(self._cumulative, places, side="right").astype(np.int64)


def _counts(counts):
    if isinstance(counts, Vocabulary):
        counts = [counts.counts[token] for token in counts.itos]
    return np.asarray(counts.array if isinstance(counts, Tensor) else counts, np.float64)


# ---- FastText


def character_ngrams(word: str, least: int = 3, most: int = 6) -> list[str]:
    """The pieces of ``<word>`` of `least` to `most` characters, in FastText's order; the angle brackets tell beginnings
    and ends from middles. A bracket alone is no piece. Hangul counts by syllables."""
    marked = f"<{word}>"
    return [
        marked[i : i + n]
        for i in range(len(marked))
        for n in range(least, most + 1)
        if i + n <= len(marked) and not (n == 1 and marked[i] in "<>" and i in (0, len(marked) - 1))
    ]


def fnv1a(text: str) -> int:
    """FastText's hash of a text, 32 bits: FNV-1a over its UTF-8 bytes, which are taken as signed, as FastText does."""
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value


def subword_ids(
    word: str, vocabulary: Vocabulary, buckets: int = 2_000_000, least: int = 3, most: int = 6
) -> list[int]:
    """The rows of an embedding whose sum (or mean) is the vector of a word: its own, if it is in the vocabulary, and
    one of `buckets` further rows for each of its pieces. So a word that was never seen has a vector, too.

    ``nn.EmbeddingBag(len(vocabulary) + buckets, features)`` makes vectors of them.
    """
    own = [vocabulary.stoi[word]] if word in vocabulary.stoi else []
    return own + [len(vocabulary) + fnv1a(piece) % buckets for piece in character_ngrams(word, least, most)]


def subword_bags(
    words: Sequence[str], vocabulary: Vocabulary, buckets: int = 2_000_000, least: int = 3, most: int = 6
) -> tuple[Tensor, Tensor]:
    """`subword_ids` of several words, as `nn.EmbeddingBag` takes them: all ids, int64, and where each word begins."""
    rows = [subword_ids(word, vocabulary, buckets, least, most) for word in words]
    begins = np.cumsum([0, *[len(row) for row in rows]])[:-1]
    return wrap(np.array([i for row in rows for i in row], np.int64)), wrap(begins.astype(np.int64))
