"""Scripts that put no blanks between words."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Thai and Lao, Myanmar, Khmer, kana with their marks, and the ideographs of Chinese and Japanese.
_RANGES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{_RANGES}]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_BLANKS = re.compile(rf"(?<=[{_RANGES}])\s+(?=[{_RANGES}])")
_LONGEST_WORD = 8
"""Mean number of characters from blank to blank above which they are not words; words of Thai have about 5."""


def lacks_blanks(texts: Iterable[str]) -> bool:
    """Whether texts are mostly in scripts without blanks between words, such as Chinese, Japanese and Thai.

    Texts whose words have been separated by blanks are not.

    Args:
        texts: The texts.
    """
    unspaced = letters = blanks = 0
    for text in texts:
        unspaced += _length(_UNSPACED, text)
        letters += _length(_LETTERS, text)
        blanks += len(_BLANKS.findall(text))
    return 2 * unspaced > letters and unspaced > _LONGEST_WORD * blanks


def _length(pattern: re.Pattern[str], text: str) -> int:
    return sum(map(len, pattern.findall(text)))
