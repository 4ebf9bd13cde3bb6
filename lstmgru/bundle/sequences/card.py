"""The model card of a sequence model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lstmgru.bundle.card import (
    Card,
    code,
    codes,
    escape,
    member_lines,
    number,
    onnx_limit,
    onnx_usage,
    origin_lines,
    score_lines,
    size_line,
    training_line,
    usage,
)
from lstmgru.data.sequences.vocabulary import PADDING, UNKNOWN, Vocabulary
from lstmgru.errors import counted, listed
from lstmgru.runtime.files import DESCRIPTION, vocabulary_name

if TYPE_CHECKING:
    from lstmgru.bundle.sequences.members import SequenceNetworkMember
    from lstmgru.bundle.sequences.model import SequenceModel

# An empty text is valid, but pandas would read it as missing.
_TEXT: dict[str, Any] = {
    "options": ", keep_default_na=False",
    "more": ['labels = bundle.predict(["a text", "another one"])'],
}
_ROWS = {
    "long": "a row for each step of each sequence",
    "wide": "a row for each sequence",
    "text": "a row for each text",
}
_TOKENIZERS = {
    "word": (
        "A text is casefolded, normalized to Unicode NFC, and split, from left to right, into numbers (digits, with "
        "single `.` or `,` between them), words (a letter, then letters, digits and combining marks) and all other "
        "characters, each a token of its own; white space only separates."
    ),
    "character": "A text is normalized to Unicode NFC; each of its characters, including white space, is a token.",
}
_MOST_STEPS = 5
_MOST_CLASSES = 20


def sequence_card(model: SequenceModel, description: dict[str, Any]) -> Card:
    """The content of the card.

    Args:
        model: The model.
        description: The content of ``bundle.json``.
    """
    options = _TEXT if model.schema.layout == "text" else {}
    how = usage(model.results, description, example=model.example is not None, **options)
    return Card(
        title=f"{model.task.task.capitalize()}: {code(model.schema.target)}",
        summary=_summary(model),
        inputs=list(_inputs(model)),
        scores=list(_scores(model, description)),
        training=[*_training(model), *origin_lines(description["provenance"])],
        limits=list(_limits(model, description)),
        usage=[*how, *onnx_usage(description["onnx"], model.axes, model.integers, _arrays(model))],
    )


def _unit(model: SequenceModel) -> str:
    """``sequence`` or ``text``."""
    return "text" if model.schema.layout == "text" else "sequence"


def _read(model: SequenceModel) -> str:
    """``29 steps``."""
    counts = [counted(model.servable.max_length(kind), kind or "step") for kind in model.servable.sources]
    return listed(counts)


def _summary(model: SequenceModel) -> str:
    target, classes = code(model.schema.target), model.task.classes
    label = f"one of the {len(classes)} classes of {target}" if classes else f"the number {target}"
    read = "" if model.baselines else f" from its first {_read(model)}"
    return f"Predicts {label} for each {_unit(model)}{read}. {size_line(model.members)}"


def _inputs(model: SequenceModel) -> Iterator[str]:
    schema = model.schema
    order = ", the steps in order" if schema.layout == "long" and schema.time is None else ""
    gaps = "" if schema.layout == "text" else f", {_gaps(model)}"
    yield f"A table with {_ROWS[schema.layout]}{order}{gaps}, and these columns:"
    yield ""
    yield "| column | content |"
    yield "|---|---|"
    if schema.id is not None:
        yield f"| {escape(schema.id)} | the name of the {_unit(model)} |"
    if schema.time is not None:
        yield f"| {escape(schema.time)} | times or numbers that order the steps of a sequence |"
    if schema.layout == "wide" and len(schema.channels) > _MOST_STEPS:
        first, last = escape(schema.channels[0]), escape(schema.channels[-1])
        yield f"| {first} to {last} | numbers: the {len(schema.channels)} steps, in order |"
    else:
        yield from (f"| {escape(column)} | numbers |" for column in schema.channels)
    if schema.text is not None:
        yield f"| {escape(schema.text)} | the text |"
    if schema.layout == "wide":
        yield ""
        yield "The last cells of a shorter sequence are empty."


def _gaps(model: SequenceModel) -> str:
    return "without gaps" if model.gaps == "error" else f"with gaps filled as in training ({model.gaps})"


def _scores(model: SequenceModel, description: dict[str, Any]) -> Iterator[str]:
    yield from score_lines(description, model.task.metric)
    rows = description["metrics"].get("classes")
    if rows:
        yield ""
        yield "Scores by class on the same holdout:"
        yield ""
        yield f"| {' | '.join(escape(name) for name in rows[0])} |"
        yield "|---" * len(rows[0]) + "|"
        yield from (f"| {' | '.join(_cell(value) for value in row.values())} |" for row in rows)


def _cell(value: Any) -> str:
    return number(value, 3) if value is None or isinstance(value, float) else escape(value)


def _training(model: SequenceModel) -> Iterator[str]:
    yield from member_lines(model.members, "steps" if model.schema.layout != "text" else "tokens")
    for member in model.networks:
        yield from _network_lines(member, of_classes=bool(model.task.classes))


def _network_lines(member: SequenceNetworkMember, *, of_classes: bool) -> Iterator[str]:
    spec, train, vocabulary = member.model_spec, member.train_spec, member.encoding.vocabulary
    normalization = f", normalization {spec.normalization}" if vocabulary is None else ""
    yield (
        f"- architecture {code(spec.architecture)}{normalization}, dropout {spec.dropout:g}, recurrent dropout "
        f"{spec.recurrent_dropout:g}" + (f", input noise {spec.input_noise:g}" if spec.input_noise else "")
    )
    if vocabulary is not None:
        often = f", each at least {spec.min_count} times in the training texts" if spec.min_count > 1 else ""
        ngrams = "; vectors of character n-grams" if spec.subwords else ""
        yield (
            f"- {counted(len(vocabulary.tokens), vocabulary.kind)}{often}{ngrams}; token dropout {spec.token_dropout:g}"
        )
    more = [f"label smoothing {train.label_smoothing:g}", f"class weights {train.class_weights}"]
    yield training_line(train, *(more if of_classes else ()))


def _limits(model: SequenceModel, description: dict[str, Any]) -> Iterator[str]:
    classes, unit = model.task.classes, _unit(model)
    if classes:
        yield (
            f"- It only knows the classes {codes([str(name) for name in classes])} and assigns one of them to every "
            "input. Its probabilities are not calibrated."
        )
    if not model.baselines:
        yield f"- It reads the first {_read(model)} and ignores the rest."
    elif model.networks:
        yield f"- Its networks read the first {_read(model)} and ignore the rest; its baselines read everything."
    yield f"- It may be far off for a {unit} that differs from the training data."
    for kind in model.merged_vocabularies:
        yield f"- Every {kind} that is too rare in the training data counts as the same unknown one."
    yield f"- The holdout is a single sample of {unit}s; the score on another one may differ."
    takes = f"arrays of {_read(model)}, with their lengths"
    yield from onnx_limit(description, takes, model.servable.unit)


def _arrays(model: SequenceModel) -> Iterator[str]:
    """A line about each array of the ONNX model."""
    for place, (kind, (name, lengths)) in enumerate(model.servable.sources.items()):
        steps = model.servable.max_length(kind)
        if kind is None:
            channels = codes(list(model.schema.channels), most=50)
            of_channels = f"; its channels are {channels}" if model.schema.layout == "long" else ""
            yield f"`values` holds the first {steps} steps of each sequence{of_channels}."
        else:
            yield from _tokens(name, vocabulary_name(place), model.merged_vocabularies[kind], steps)
        yield (
            f"`{lengths}` (int64) is the number of real ones among the {steps}, at least 1; the values after them have "
            "no effect."
        )
    if model.task.classes:
        yield (
            "`label` (int64) is the number of the most probable class, `probabilities` holds those of all classes. "
            f"{_classes(model)}"
        )
    else:
        yield "`value` is the label."


def _tokens(name: str, file: str, vocabulary: Vocabulary, steps: int) -> Iterator[str]:
    yield f"{_TOKENIZERS[vocabulary.kind]} A text without tokens is a single unknown token."
    first = vocabulary.size - len(vocabulary.tokens)
    yield (
        f"`{name}` (int64) holds the codes of the first {steps} tokens of each text: their positions in `tokens` of "
        f"`{file}`, from {first}. Any other token has the code {UNKNOWN}; {PADDING} is padding."
    )


def _classes(model: SequenceModel) -> str:
    names = [str(name) for name in model.task.classes]
    if len(names) > _MOST_CLASSES:
        return f"The numbers are positions in `labels.classes` of `{DESCRIPTION}`, from 0."
    return f"The classes, numbered from 0, are {codes(names, most=_MOST_CLASSES)}."
