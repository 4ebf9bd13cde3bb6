"""The vocabularies of a blend: one of each kind for all members, and which of its codes a member knows.

Members may have been trained on other texts, or with another least count, so each can have its own tokens. A text is
encoded once for each kind, with all tokens that any member knows; a member translates the codes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from lstmgru.data.sequences.vocabulary import PADDING, UNKNOWN, Vocabulary
from lstmgru.errors import SpecError
from lstmgru.specs.sequences import TOKENS

CODES = "encoding.codes"
"""Array of a member: the codes of its tokens in the vocabulary of the blend; absent if the two are the same."""


def merged(vocabularies: Iterable[Vocabulary]) -> dict[str, Vocabulary]:
    """One vocabulary of each kind, words first: the tokens of the largest, then those that only others have."""
    found: dict[str, Vocabulary] = {}
    for own in sorted(vocabularies, key=lambda each: (TOKENS.index(each.kind), -each.size)):
        before = found[own.kind].tokens if own.kind in found else ()
        found[own.kind] = Vocabulary(own.kind, tuple(dict.fromkeys((*before, *own.tokens))))
    return found


def codes_in(own: Vocabulary, whole: Vocabulary) -> Tensor | None:
    """(tokens,) the codes of a member's tokens in the vocabulary of the blend; ``None`` if the two are the same.

    Args:
        own: Of the member.
        whole: Of the blend.
    """
    if own.tokens == whole.tokens:
        return None
    codes = {token: code for code, token in enumerate(whole.tokens, start=whole.size - len(whole.tokens))}
    return torch.tensor([codes[token] for token in own.tokens])


def vocabulary_at(codes: Tensor | None, whole: Vocabulary) -> Vocabulary:
    """The vocabulary of a member, the inverse of :func:`codes_in`.

    Args:
        codes: Array from a file; ``None`` if there is none.
        whole: Of the blend.

    Raises:
        SpecError: The array does not hold codes of the vocabulary.
    """
    if codes is None:
        return whole
    first = whole.size - len(whole.tokens)
    if codes.dtype != torch.int64 or codes.ndim != 1 or ((codes < first) | (codes >= whole.size)).any():
        raise SpecError(f"{CODES} must hold codes of the vocabulary, {first} to {whole.size - 1}")
    return Vocabulary(whole.kind, tuple(whole.tokens[code - first] for code in codes.tolist()))


def translation(own: Vocabulary, whole: Vocabulary) -> Tensor | None:
    """(codes,) the member's code for each code of the blend; ``None`` if they are the same.

    Args:
        own: Of the member.
        whole: Of the blend.
    """
    codes = codes_in(own, whole)
    if codes is None:
        return None
    table = np.full(whole.size, UNKNOWN)
    table[PADDING] = PADDING
    table[codes.numpy()] = np.arange(own.size - len(own.tokens), own.size)
    return torch.from_numpy(table)
