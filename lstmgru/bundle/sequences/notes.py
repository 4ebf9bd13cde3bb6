"""What the arrays of a model that labels hold, for its card."""

from __future__ import annotations

from collections.abc import Iterator

from lstmgru.bundle.directory import DESCRIPTION, VOCABULARY
from lstmgru.bundle.markdown import codes
from lstmgru.bundle.sequences.bundle import SequenceBundle
from lstmgru.data.sequences.vocabulary import PADDING, UNKNOWN, Vocabulary

_TOKENS = {
    "word": (
        "A text is casefolded and brought into Unicode's form NFC, and cut, from left to right, into numbers (digits, "
        "with single `.` or `,` between them), words (a letter, then letters, digits and combining marks), and every "
        "other mark by itself; blanks only separate."
    ),
    "character": "A text is brought into Unicode's form NFC; each of its characters is a token, blanks too.",
}
_MOST_CLASSES = 20


def array_notes(bundle: SequenceBundle) -> Iterator[str]:
    """A sentence or two for each."""
    steps, vocabulary = bundle.model_spec.max_length, bundle.encoding.vocabulary
    if vocabulary is None:
        channels = codes(list(bundle.schema.channels), most=50)
        of_channels = f"; its channels are {channels}" if bundle.schema.layout == "long" else ""
        yield f"`values` holds the first {steps} steps of each sequence{of_channels}."
    else:
        yield from _tokens(vocabulary, steps)
    yield (
        f"`lengths` (int64) says how many of the {steps} are real, at least 1: the first ones. What stands after them "
        "changes nothing."
    )
    if bundle.task.classes:
        yield (
            "`label` (int64) is the number of the likeliest class, `probabilities` holds those of all classes. "
            f"{_classes(bundle)}"
        )
    else:
        yield "`value` is the label."


def _tokens(vocabulary: Vocabulary, steps: int) -> Iterator[str]:
    yield f"{_TOKENS[vocabulary.kind]} A text without tokens is one unknown token."
    first = vocabulary.size - len(vocabulary.tokens)
    yield (
        f"`tokens` (int64) holds the codes of the first {steps} tokens of each text: their places in `tokens` of "
        f"`{VOCABULARY}`, from {first}. Any other token has the code {UNKNOWN}; {PADDING} fills up a batch."
    )


def _classes(bundle: SequenceBundle) -> str:
    names = [str(name) for name in bundle.task.classes]
    if len(names) > _MOST_CLASSES:
        return f"The numbers are places in `labels.classes` of `{DESCRIPTION}`, from 0."
    return f"From 0, the classes are {codes(names, most=_MOST_CLASSES)}."
