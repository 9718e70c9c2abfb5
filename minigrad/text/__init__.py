"""Texts for networks: tokens, vocabularies, counts, and words among their neighbours. Not in PyTorch.

    vocabulary.py  numbers for tokens
    tokenizers.py  texts to tokens: words, characters, learned pieces
    vectors.py     one-hot, bag of words, TF-IDF (scikit-learn's names and numbers); the nearest words
    pairs.py       the examples of CBOW and skip-gram, negative sampling, FastText's character n-grams

Any script will do: texts are Unicode, and Hangul is taken by syllables.
"""

from minigrad.text.pairs import (
    NegativeSampler,
    cbow_pairs,
    character_ngrams,
    fnv1a,
    skip_gram_pairs,
    subsample,
    subword_bags,
    subword_ids,
)
from minigrad.text.tokenizers import BytePairTokenizer, CharTokenizer, WordTokenizer
from minigrad.text.vectors import CountVectorizer, TfidfVectorizer, analogy, bag_of_words, nearest, one_hot
from minigrad.text.vocabulary import Vocabulary

__all__ = [
    "BytePairTokenizer", "CharTokenizer", "CountVectorizer", "NegativeSampler", "TfidfVectorizer", "Vocabulary",
    "WordTokenizer", "analogy", "bag_of_words", "cbow_pairs", "character_ngrams", "fnv1a", "nearest", "one_hot",
    "skip_gram_pairs", "subsample", "subword_bags", "subword_ids",
]  # fmt: skip
