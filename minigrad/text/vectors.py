"""Texts as rows of a table: which words are in them, how often, and how telling they are; and words among words.

The classes have scikit-learn's names, formulas and numbers, and give dense tensors.
(scikit-learn: sklearn.feature_extraction.text)
"""

from __future__ import annotations

import collections
import math
import re
from collections.abc import Iterable

import numpy as np

from minigrad.registry import TENSORS
from minigrad.tensor import Tensor, wrap
from minigrad.text.vocabulary import Vocabulary

__all__ = ["CountVectorizer", "TfidfVectorizer", "analogy", "bag_of_words", "nearest", "one_hot"]


def one_hot(ids, num_classes: int) -> Tensor:
    """Rows of zeros with a one at the place of each number: float32 (..., num_classes), as a network takes it.
    (PyTorch: `nn.functional.one_hot`, which gives int64.)

    Args:
        ids (Tensor | sequence of int): numbers from 0 to ``num_classes - 1``.
        num_classes (int): how many there are, e.g. ``len(vocabulary)``.
    """
    ids = ids if isinstance(ids, Tensor) else wrap(np.asarray(ids, np.int64))
    return TENSORS["one_hot"](ids, num_classes).float()


def bag_of_words(texts: Iterable[Iterable[str]], vocabulary: Vocabulary) -> Tensor:
    """How often each token of the vocabulary occurs in each text: float32 (texts, len(vocabulary))."""
    rows = [np.bincount(np.array(vocabulary.encode(text), np.int64), minlength=len(vocabulary)) for text in texts]
    return wrap(np.array(rows, np.float32).reshape(-1, len(vocabulary)))


class CountVectorizer:
    """How often each term occurs in each text.

    Args:
        lowercase (bool): make all letters small.
        tokenizer (Callable, optional): cuts a text into tokens, instead of `token_pattern`.
        token_pattern (str): a regular expression for a token: by default words of two characters and more.
        stop_words (iterable of str, optional): words that are left out.
        ngram_range (tuple[int, int]): terms are runs of so many tokens: least and greatest number.
        min_df, max_df (int | float): leave out terms that fewer, or more, texts have; a float is a share of the texts.
        max_features (int, optional): keep the most frequent terms.
        vocabulary (iterable of str, or mapping of str to int; optional): the terms, instead of learning them.
        binary (bool): 1 for terms that occur, however often.

    Attributes:
        vocabulary_ (dict[str, int]): the column of each term; alphabetical.

    (scikit-learn: sklearn.feature_extraction.text.CountVectorizer)
    """

    def __init__(
        self, *, lowercase=True, tokenizer=None, token_pattern=r"(?u)\b\w\w+\b", stop_words=None, ngram_range=(1, 1),
        min_df=1, max_df=1.0, max_features=None, vocabulary=None, binary=False,
    ) -> None:  # fmt: skip
        if stop_words == "english":
            raise NotImplementedError("stop_words='english': there is no list of them here; give the words themselves")
        self.lowercase = lowercase
        self.tokenizer = tokenizer
        self.token_pattern = token_pattern
        self.stop_words = stop_words
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.binary = binary

    def build_analyzer(self):
        """The function from a text to its terms."""
        find = self.tokenizer or re.compile(self.token_pattern).findall
        stop_words = frozenset(self.stop_words or ())
        least, most = self.ngram_range

        def analyze(text):
            words = [word for word in find(text.lower() if self.lowercase else text) if word not in stop_words]
            return [" ".join(words[i : i + n]) for n in range(least, most + 1) for i in range(len(words) - n + 1)]

        return analyze

    def fit(self, raw_documents, y=None):
        """Learn the terms of texts, and return self."""
        self.fit_transform(raw_documents)
        return self

    def fit_transform(self, raw_documents, y=None) -> Tensor:
        """Learn the terms of texts, and count them: float32 (texts, terms).

        Raises:
            ValueError: no term is left.
        """
        _check_texts(raw_documents)
        analyze = self.build_analyzer()
        counted = [collections.Counter(analyze(text)) for text in raw_documents]
        if self.vocabulary is None:
            terms = self._terms(counted)
            self.vocabulary_ = {term: i for i, term in enumerate(terms)}
        else:
            self._adopt()
        return wrap(self._weighted(self._table(counted), learn=True).astype(np.float32))

    def transform(self, raw_documents) -> Tensor:
        """Count the known terms of texts: float32 (texts, terms)."""
        _check_texts(raw_documents)
        if not hasattr(self, "vocabulary_"):
            if self.vocabulary is None:
                raise ValueError(f"{type(self).__name__}: Vocabulary not fitted or provided: call fit() first")
            self._adopt()
        analyze = self.build_analyzer()
        table = self._table([collections.Counter(analyze(text)) for text in raw_documents])
        return wrap(self._weighted(table, learn=False).astype(np.float32))

    def _adopt(self):
        given = self.vocabulary
        self.vocabulary_ = dict(given) if hasattr(given, "keys") else {term: i for i, term in enumerate(given)}

    def _terms(self, counted):
        texts_with, total = collections.Counter(), collections.Counter()
        for counts in counted:
            texts_with.update(counts.keys())
            total.update(dict.fromkeys(counts, 1) if self.binary else counts)
        if not total:
            raise ValueError("empty vocabulary; perhaps the documents only contain stop words")
        least, most = (
            share * len(counted) if isinstance(share, float) else share for share in (self.min_df, self.max_df)
        )
        if most < least:
            raise ValueError("max_df corresponds to < documents than min_df")
        terms = sorted(term for term, count in texts_with.items() if least <= count <= most)
        if self.max_features is not None:
            terms = sorted(sorted(terms, key=lambda term: -total[term])[: self.max_features])
        if not terms:
            raise ValueError("After pruning, no terms remain. Try a lower min_df or a higher max_df.")
        return terms

    def _table(self, counted):
        table = np.zeros((len(counted), len(self.vocabulary_)))
        for row, counts in zip(table, counted):
            for term, count in counts.items():
                if term in self.vocabulary_:
                    row[self.vocabulary_[term]] = 1 if self.binary else count
        return table

    def _weighted(self, table, learn):
        return table

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """The terms in the order of the columns."""
        return np.array(sorted(self.vocabulary_, key=self.vocabulary_.__getitem__), dtype=object)


class TfidfVectorizer(CountVectorizer):
    """How telling each term is for each text: how often it occurs there (TF), times how few texts have it (IDF):
    ``idf = log((1 + texts) / (1 + texts with the term)) + 1``.

    Args:
        norm (str | None): "l2" makes each row of length 1, "l1" of sum 1, None leaves it.
        use_idf (bool): False: TF alone.
        smooth_idf (bool): False leaves both ``1 +`` in the fraction out.
        sublinear_tf (bool): ``1 + log(tf)`` for TF.
        **options: those of `CountVectorizer`.

    Attributes:
        vocabulary_ (dict[str, int]): the column of each term. idf_ (ndarray): of each term, float64.

    (scikit-learn: sklearn.feature_extraction.text.TfidfVectorizer)
    """

    def __init__(self, *, norm="l2", use_idf=True, smooth_idf=True, sublinear_tf=False, **options) -> None:
        super().__init__(**options)
        if norm not in ("l1", "l2", None):
            raise ValueError(f"TfidfVectorizer: expected norm to be 'l1', 'l2' or None, but got {norm!r}")
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.sublinear_tf = sublinear_tf

    def _weighted(self, table, learn):
        if learn and self.use_idf:
            extra = 1 if self.smooth_idf else 0
            self.idf_ = np.log((len(table) + extra) / ((table > 0).sum(0) + extra)) + 1
        if self.use_idf and not hasattr(self, "idf_"):
            raise ValueError("TfidfVectorizer: the idf vector is not fitted: call fit() first")
        if self.sublinear_tf:
            table = np.where(table > 0, 1 + np.log(np.where(table > 0, table, 1)), 0)
        table = table * self.idf_ if self.use_idf else table
        if self.norm is None:
            return table
        lengths = np.linalg.norm(table, 1 if self.norm == "l1" else 2, axis=1, keepdims=True)
        return table / np.where(lengths == 0, 1, lengths)


def _check_texts(texts):
    if isinstance(texts, str):
        raise ValueError("Iterable over raw text documents expected, string object received.")


def nearest(vectors: Tensor, query, k: int = 10, vocabulary: Vocabulary | None = None, exclude=()):
    """The rows that point most nearly in the direction of a vector, by cosine similarity.

    Args:
        vectors (Tensor): (rows, features).
        query (Tensor | int | str): a vector (features,); or the number of a row, or its token: it is left out itself.
        k (int): how many.
        vocabulary (Vocabulary, optional): of the rows; needed for tokens.
        exclude (iterable of int or str): further rows that are left out.

    Returns:
        list[tuple]: ``(token, similarity)``, or ``(row, similarity)`` without a vocabulary; the nearest first.
    """

    def row(name):
        if isinstance(name, str):
            if vocabulary is None:
                raise ValueError(f"nearest(): a vocabulary is needed to find the row of {name!r}")
            return vocabulary[name]
        return int(name)

    table = np.asarray(vectors.detach().array, np.float64)
    out = {row(name) for name in exclude}
    if isinstance(query, Tensor) and query.ndim:
        direction = np.asarray(query.detach().array, np.float64)
    else:
        direction = table[row(query)]
        out.add(row(query))
    lengths = np.linalg.norm(table, axis=1) * (math.sqrt(direction @ direction) or 1.0)
    similarities = (table @ direction) / np.where(lengths == 0, 1, lengths)
    order = [i for i in np.argsort(-similarities, kind="stable").tolist() if i not in out][:k]
    return [(i if vocabulary is None else vocabulary.itos[i], float(similarities[i])) for i in order]


def analogy(vectors: Tensor, vocabulary: Vocabulary, a: str, b: str, c: str, k: int = 10):
    """What is to `c` as `b` is to `a`: the tokens nearest to ``b - a + c`` (of vectors of length 1), as those of
    `nearest`. (T. Mikolov, W. Yih, G. Zweig 2013)"""
    table = vectors.detach().array
    table = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    first, second, third = (table[vocabulary[token]] for token in (a, b, c))
    return nearest(vectors, wrap(second - first + third), k, vocabulary, exclude=(a, b, c))
