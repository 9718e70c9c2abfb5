"""Texts to tokens, and tokens to numbers. Not in PyTorch.

`WordTokenizer` cuts texts into words, `CharTokenizer` into characters, `BytePairTokenizer` into pieces that it has
learned. After it: `vocabulary.py`, which numbers tokens.
"""

from __future__ import annotations

import collections
import itertools
import json
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from minigrad.text.vocabulary import Vocabulary

__all__ = ["BytePairTokenizer", "CharTokenizer", "WordTokenizer"]


class WordTokenizer:
    """Words, numbers and single punctuation marks, of any script.

    Args:
        lower (bool): make all letters small.
        pattern (str): a regular expression for a token; by default a run of letters and digits (with apostrophes and
            hyphens inside), or one other sign that is no space.
        normalize (str | None): a Unicode form to begin with; "NFC" joins Hangul that is spelled in single jamo, and
            letters and their accents. None leaves texts as they are.

    ``tokenizer(text)`` gives a list of str.
    """

    def __init__(self, lower=True, pattern=r"\w+(?:['’\-]\w+)*|[^\w\s]", normalize="NFC") -> None:
        self.lower = lower
        self.pattern = re.compile(pattern)
        self.normalize = normalize

    def __call__(self, text: str) -> list[str]:
        text = unicodedata.normalize(self.normalize, text) if self.normalize else text
        return [match.group() for match in self.pattern.finditer(text.lower() if self.lower else text)]

    def __repr__(self):
        return f"WordTokenizer(lower={self.lower}, pattern={self.pattern.pattern!r}, normalize={self.normalize!r})"


class CharTokenizer:
    """Characters, and their numbers.

    Args:
        text (str): its characters, sorted, are the vocabulary.
        unk (str, optional): the token for characters that are not in it; None makes them a KeyError.

    Attributes:
        vocabulary (Vocabulary): numbers the characters.
    """

    def __init__(self, text: str, unk: str | None = None) -> None:
        self.vocabulary = Vocabulary(sorted(set(text)), unk=unk)

    def __call__(self, text: str) -> list[str]:
        return list(text)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """The numbers of the characters."""
        return self.vocabulary.encode(text)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these numbers."""
        return "".join(self.vocabulary.decode(ids))


class BytePairTokenizer:
    """Pieces of words, learned by joining the most frequent pair of neighbours again and again. It begins with bytes,
    so it can write any text. (R. Sennrich, B. Haddow, A. Birch 2016, arXiv:1508.07909; with bytes: GPT-2)

    Args:
        text (str): what to learn from.
        size (int): how many pieces there may be, at least 256.

    Attributes:
        merges (list[tuple[int, int]]): the pairs that are joined, in this order; pair `i` becomes token ``256 + i``.
        pieces (list[bytes]): the bytes of each token.
    """

    # A word with the space before it, a run of other signs with the space before it, or white space.
    _WORDS = re.compile(r" ?\w+| ?[^\w\s]+|\s+(?!\S)|\s+")

    def __init__(self, text: str = "", size: int = 512) -> None:
        if size < 256:
            raise ValueError(
                f"BytePairTokenizer: expected a size of at least 256, one piece for each byte, but got {size}"
            )
        self._set([])
        words = collections.Counter(self._WORDS.findall(text))
        parts = [(list(word.encode()), count) for word, count in words.items()]
        merges: list[tuple[int, int]] = []
        while len(merges) < size - 256:
            pairs: collections.Counter = collections.Counter()
            for ids, count in parts:
                for pair in itertools.pairwise(ids):
                    pairs[pair] += count
            if not pairs:
                break
            best = max(
                pairs, key=lambda pair: (pairs[pair], -pair[0], -pair[1])
            )  # of equals, that of the oldest pieces
            if pairs[best] < 2:
                break
            parts = [(_joined(ids, best, 256 + len(merges)), count) for ids, count in parts]
            merges.append(best)
        self._set(merges)

    def _set(self, merges):
        self.merges = merges
        self.pieces = [bytes([byte]) for byte in range(256)]
        for first, second in merges:
            self.pieces.append(self.pieces[first] + self.pieces[second])
        self._rank = {pair: 256 + i for i, pair in enumerate(merges)}
        self._known: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.pieces)

    def __call__(self, text: str) -> list[str]:
        """The pieces as str; bytes that are no whole character are shown as U+FFFD."""
        return [self.pieces[i].decode(errors="replace") for i in self.encode(text)]

    def encode(self, text: str) -> list[int]:
        """The numbers of the pieces."""
        return [i for word in self._WORDS.findall(text) for i in self._word(word)]

    def _word(self, word):
        if word not in self._known:
            ids = list(word.encode())
            while len(ids) > 1:
                new = min(self._rank.get(pair, len(self.pieces)) for pair in itertools.pairwise(ids))
                if new == len(self.pieces):
                    break
                ids = _joined(ids, self.merges[new - 256], new)
            self._known[word] = ids
        return self._known[word]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these numbers; bytes that are no whole character become U+FFFD."""
        return b"".join([self.pieces[i] for i in ids]).decode(errors="replace")

    def save(self, path: str | Path) -> None:
        """Write the merges to a JSON file."""
        Path(path).write_text(json.dumps({"merges": self.merges}), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> BytePairTokenizer:
        """The tokenizer that `save` wrote."""
        tokenizer = cls()
        tokenizer._set(
            [(first, second) for first, second in json.loads(Path(path).read_text(encoding="utf-8"))["merges"]]
        )
        return tokenizer


def _joined(ids, pair, new):
    """The ids with `new` in place of each occurrence of the pair, from the left."""
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out
