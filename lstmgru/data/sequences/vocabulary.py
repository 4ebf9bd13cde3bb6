"""Texts as codes: what a token is, and the tokens that the training texts hold."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self

import numpy as np

from lstmgru.data.sequences.sequences import Indices
from lstmgru.specs import Tokens
from lstmgru.specs.checks import at_least, one_of
from lstmgru.specs.sequences import TOKENS

PADDING = 0
"""Code that fills up a batch."""
UNKNOWN = 1
"""Code of a token that the training texts do not hold, and of a text without tokens."""
MOST_TOKENS = 50_000
"""Tokens of a vocabulary at most, the most frequent ones."""

_SPECIAL = 2  # PADDING and UNKNOWN
_PLANES = 0x20000  # combining marks of words lie below it


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that have a code of their own.

    Attributes:
        kind: What a text is cut into.
        tokens: By falling frequency, those of the same one by code point; the first has the code 2.
    """

    kind: Tokens
    tokens: tuple[str, ...]

    @classmethod
    def fit(cls, texts: Iterable[str], kind: Tokens, *, min_count: int = 1) -> Self:
        """The vocabulary of training texts.

        Args:
            texts: The texts to learn from; no other may be among them.
            kind: What a text is cut into.
            min_count: How often the texts must hold a token.

        Raises:
            SpecError: ``kind`` or ``min_count`` is not valid.
        """
        at_least("min_count", min_count, 1)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(tokenize(text, kind))
        kept = sorted(((-count, token) for token, count in counts.items() if count >= min_count))[:MOST_TOKENS]
        return cls(kind, tuple(token for _, token in kept))

    @property
    def size(self) -> int:
        """Number of codes: the tokens, padding and the unknown one."""
        return len(self.tokens) + _SPECIAL

    def encode(self, texts: Iterable[str], max_length: int) -> tuple[Indices, Indices]:
        """Texts as codes, end to end.

        Args:
            texts: (n,) texts.
            max_length: Tokens that are kept of a text; the others, at its end, are left out.

        Returns:
            (rows,) codes from 1, and (n + 1,) offsets: text ``i`` has the rows ``offsets[i]:offsets[i + 1]``, at least
            one.
        """
        codes: list[int] = []
        offsets = [0]
        for text in texts:
            tokens = tokenize(text, self.kind)[:max_length]
            codes += [self._codes.get(token, UNKNOWN) for token in tokens] or [UNKNOWN]
            offsets.append(len(codes))
        return np.array(codes, np.int64), np.array(offsets, np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {"kind": self.kind, "tokens": list(self.tokens)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The vocabulary that :meth:`to_dict` wrote.

        Raises:
            SpecError: The kind is not valid.
        """
        one_of("kind", values["kind"], TOKENS)
        return cls(values["kind"], tuple(values["tokens"]))

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.tokens, start=_SPECIAL)}


def tokenize(text: str, kind: Tokens) -> list[str]:
    """Cut a text into tokens.

    ``word``: words without regard to case, numbers (``1,000.5`` is one), and every other mark by itself; blanks only
    separate. ``character``: every character, blanks too. Either way, one that can be written in several ways is written
    in one (Unicode's NFC).

    Raises:
        SpecError: There is no such kind.
    """
    one_of("tokens", kind, TOKENS)
    if kind == "character":
        return list(unicodedata.normalize("NFC", text))
    tokens: list[str] = _words().findall(unicodedata.normalize("NFC", text.casefold()))
    return tokens


@cache
def _words() -> re.Pattern[str]:
    r"""The pattern of a number, a word, or a mark.

    Vowel signs, as Hindi has them, are combining marks: part of their word, though not of ``\w``.
    """
    marks = "".join(chr(code) for code in range(_PLANES) if unicodedata.category(chr(code)).startswith("M"))
    return re.compile(rf"\d+(?:[.,]\d+)*|[^\W\d_][^\W_]*(?:[{marks}][^\W_]*)*|[^\w\s]|_")
