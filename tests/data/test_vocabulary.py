"""Texts become tokens and codes, in any script; what training texts do not hold is one unknown token."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.combinations import each_row

from lstmgru.data.sequences import vocabulary
from lstmgru.data.sequences.vocabulary import PADDING, UNKNOWN, Vocabulary, tokenize
from lstmgru.errors import SpecError
from lstmgru.specs.sequences import N_SUBWORDS


@each_row(
    ("text", "tokens"),
    [
        ("Go there, NOW!", ["go", "there", ",", "now", "!"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("it's", ["it", "'", "s"]),
        ("£1,000.50 or 20%.", ["£", "1,000.50", "or", "20", "%", "."]),
        ("mp3 2nd 1.", ["mp3", "2", "nd", "1", "."]),
        ("snake_case __x", ["snake", "_", "case", "_", "_", "x"]),
        ("e\u0301te\u0301", ["\u00e9t\u00e9"]),
        ("हिन्दी भाषा की", ["हिन्दी", "भाषा", "की"]),
        ("عربيّة", ["عربيّة"]),
        ("日本語です。", ["日本語です", "。"]),
        ("😀😀ok", ["😀", "😀", "ok"]),
        ("  \t\n\u3000", []),
        ("", []),
    ],
)
def test_words_numbers_and_marks_are_told_apart_in_every_script(text: str, tokens: list[str]) -> None:
    assert tokenize(text, "word") == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("Ab c", ["A", "b", " ", "c"]), ("e\u0301", ["\u00e9"]), ("日本", ["日", "本"]), ("", [])],
)
def test_characters_keep_their_case_and_are_composed(text: str, tokens: list[str]) -> None:
    assert tokenize(text, "character") == tokens


def test_words_written_with_and_without_combining_marks_are_the_same() -> None:
    assert tokenize("Å", "word") == tokenize("A\u030a", "word") == tokenize("\u212b", "word")


def test_tokens_are_ordered_by_frequency_then_by_code_point() -> None:
    words = Vocabulary.fit(["b a c", "c b", "c é"], "word")

    assert words.tokens == ("c", "b", "a", "é")
    assert words.size == 6


@pytest.mark.parametrize(("min_count", "tokens"), [(1, ("c", "b", "a")), (2, ("c", "b")), (3, ("c",)), (4, ())])
def test_rare_tokens_are_left_out(min_count: int, tokens: tuple[str, ...]) -> None:
    assert Vocabulary.fit(["c b a", "c b c"], "word", min_count=min_count).tokens == tokens


def test_only_the_most_frequent_tokens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "MOST_TOKENS", 2)

    assert Vocabulary.fit(["d a", "b c c", "b"], "word").tokens == ("b", "c")


def test_texts_are_encoded_end_to_end_and_cut_at_their_end() -> None:
    words = Vocabulary("word", ("the", "sun"))

    codes, offsets = words.encode(["The sun shines", "", "sun " * 9, "  "], max_length=4)

    assert codes.tolist() == [2, 3, UNKNOWN, UNKNOWN, 3, 3, 3, 3, UNKNOWN]
    assert offsets.tolist() == [0, 3, 4, 8, 9]
    assert codes.dtype == offsets.dtype == np.int64


def test_no_text_holds_padding() -> None:
    codes, _ = Vocabulary.fit(["a b"], "character").encode(["ab \0", ""], max_length=9)

    assert PADDING not in codes


def test_a_vocabulary_survives_json() -> None:
    words = Vocabulary.fit(['日本 été 😀 "quote"'], "character")

    assert Vocabulary.from_dict(json.loads(json.dumps(words.to_dict()))) == words


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tokenize("a", "words"), "tokens must be one of word, character but got 'words'; did you mean 'word'"),  # type: ignore[arg-type]
        (lambda: Vocabulary.fit([], "word", min_count=0), "min_count must be at least 1 but got 0"),
        (lambda: Vocabulary.from_dict({"kind": "byte", "tokens": []}), "kind must be one of word, character but got"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(SpecError, match=message):
        call()


def test_n_grams_of_words_have_numbers_that_words_share() -> None:
    ngrams = Vocabulary("word", ("a", "cat", "cats", "x" * 60)).subwords()
    assert ngrams.shape[0] == 6
    assert not ngrams[:2].any()
    assert (ngrams.min(), ngrams.max() <= N_SUBWORDS) == (0, True)
    # "<a>"; "<ca", "cat", "at>", "<cat", "cat>", "<cat>"; "<ca", "cat", "ats", "ts>", "<cat", "cats", "ats>", ...
    a, cat, cats = ({*row} - {0} for row in ngrams[2:5].tolist())
    assert (len(a), len(cat), len(cats)) == (1, 6, 9)
    assert len(cat & cats) == 3
    assert (ngrams[5] > 0).all()
