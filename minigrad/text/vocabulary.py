"""`Vocabulary`: numbers for tokens. Not in PyTorch.

    words = WordTokenizer()
    vocabulary = Vocabulary.of([words(line) for line in lines], min_freq=2, specials=["<pad>"], unk="<unk>")
    vocabulary.encode(words("the cat"))         # [4, 17]

After it: `vectors.py`, `pairs.py`.
"""

from __future__ import annotations

import collections
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from minigrad.serialization.files import write

__all__ = ["Vocabulary"]


class Vocabulary:
    """Numbers the tokens from 0 on: `unk`, then the specials, then the others as they are given.

    Args:
        tokens (iterable of str): no special ones; those that occur twice are a ValueError.
        specials (sequence of str): tokens that come first, e.g. for padding.
        unk (str, optional): the token that stands for all others. None makes them a KeyError.
        counts (mapping, optional): how often each token occurs in what the vocabulary was made of.

    Attributes:
        itos (list[str]): the tokens in order. stoi (dict[str, int]): the number of each.
        counts (dict[str, int]): as given; 0 for the others.
    """

    def __init__(
        self, tokens: Iterable[str], specials: Sequence[str] = (), unk: str | None = None, counts=None
    ) -> None:
        first = [*([] if unk is None or unk in specials else [unk]), *specials]
        self.itos = [*first, *tokens]
        self.stoi = {token: i for i, token in enumerate(self.itos)}
        if len(self.stoi) != len(self.itos):
            twice = [token for token, count in collections.Counter(self.itos).items() if count > 1]
            raise ValueError(f"Vocabulary: these tokens are given more than once: {twice[:5]}")
        self.specials = list(specials)
        self.unk = unk
        self.counts = {token: int((counts or {}).get(token, 0)) for token in self.itos}

    @classmethod
    def of(
        cls, texts: Iterable[Iterable[str]], min_freq: int = 1, max_size: int | None = None,
        specials: Sequence[str] = (), unk: str | None = None,
    ) -> Vocabulary:  # fmt: skip
        """The vocabulary of texts, the most frequent tokens first, equally frequent ones in alphabetical order.

        Args:
            texts (iterable of iterable of str): the tokens of each text.
            min_freq (int): leave out tokens that are rarer.
            max_size (int, optional): how many tokens there may be at most, special ones included.
            specials, unk: see `Vocabulary`.
        """
        counts = collections.Counter(token for text in texts for token in text)
        if unk is not None:  # stands for all that is left out
            counts[unk] += 0
        first = {*specials} | ({unk} if unk is not None else set())
        by_frequency = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        tokens = [token for token, count in by_frequency if count >= min_freq and token not in first]
        if max_size is not None:
            tokens = tokens[: max(0, max_size - len(first))]
        kept = {token: counts[token] for token in tokens}
        if unk is not None:
            kept[unk] = sum(count for token, count in counts.items() if token not in kept and token not in specials)
        return cls(tokens, specials, unk, kept)

    def __len__(self) -> int:
        return len(self.itos)

    def __contains__(self, token) -> bool:
        return token in self.stoi

    def __getitem__(self, token: str) -> int:
        """The number of a token; that of `unk` for tokens that are not known.

        Raises:
            KeyError: it is not known, and there is no `unk`.
        """
        found = self.stoi.get(token)
        if found is None:
            if self.unk is None:
                raise KeyError(f"{token!r} is not in the vocabulary of {len(self)} tokens, which has no unk token")
            return self.stoi[self.unk]
        return found

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The numbers of tokens."""
        return [self[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of numbers (of ints, or an integral tensor of one dimension)."""
        return [self.itos[int(i)] for i in ids]

    def save(self, path: str | Path) -> None:
        """Write it to a JSON file, which appears whole or not at all."""
        first = len(self.itos) - len(self.tokens)
        content = {"tokens": self.itos[first:], "specials": self.specials, "unk": self.unk, "counts": self.counts}
        write(path, [json.dumps(content, ensure_ascii=False).encode()])

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """The vocabulary that `save` wrote."""
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))

    @property
    def tokens(self) -> list[str]:
        """The tokens that are not special."""
        return [token for token in self.itos if token != self.unk and token not in self.specials]

    def __repr__(self):
        return (
            f"Vocabulary({len(self)} tokens: {', '.join(map(repr, self.itos[:5]))}{', ...' if len(self) > 5 else ''})"
        )
