"""The model card of a model that labels sequences or texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lstmgru.bundle.card_parts import Card, number, onnx_limit, origin_lines, score_lines, training_line
from lstmgru.bundle.card_usage import onnx_usage, usage
from lstmgru.bundle.markdown import code, codes, escape
from lstmgru.bundle.sequences.bundle import SequenceBundle
from lstmgru.bundle.sequences.notes import array_notes
from lstmgru.data.formatting import counted
from lstmgru.nn.network import count_parameters

# An empty text is a text; pandas would take it for a missing one.
_TEXTS: dict[str, Any] = {
    "options": ", keep_default_na=False",
    "more": ['labels = bundle.predict(["a text", "another one"])'],
}


def sequence_card(bundle: SequenceBundle, description: dict[str, Any]) -> Card:
    """The content of the card.

    Args:
        bundle: The model.
        description: What its ``bundle.json`` holds.
    """
    how = usage("labels", example=bundle.example is not None, **(_TEXTS if bundle.schema.layout == "text" else {}))
    return Card(
        title=f"{bundle.task.task.capitalize()}: {code(bundle.schema.target)}",
        summary=_summary(bundle),
        needs=list(_needs(bundle)),
        scores=list(_scores(bundle, description["metrics"])),
        training=[*_architecture(bundle), *origin_lines(description["provenance"])],
        limits=list(_limits(bundle, description)),
        usage=[*how, *onnx_usage(description["onnx"], array_notes(bundle))],
    )


def _read(bundle: SequenceBundle) -> str:
    """``29 steps``."""
    return counted(bundle.model_spec.max_length, bundle.model_spec.tokens or "step")


def _summary(bundle: SequenceBundle) -> str:
    target, classes = code(bundle.schema.target), bundle.task.classes
    gives = f"One of the {len(classes)} classes of {target}" if classes else f"The number {target}"
    what = "text" if bundle.schema.layout == "text" else "sequence"
    return (
        f"{gives} for each {what}, from its first {_read(bundle)}. Architecture: "
        f"{code(bundle.model_spec.architecture)}, {count_parameters(bundle.network):,} parameters."
    )


_ROWS = {
    "long": "a row for each step of each sequence",
    "wide": "a row for each sequence",
    "text": "a row for each text",
}
_MOST_STEPS = 5


def _needs(bundle: SequenceBundle) -> Iterator[str]:
    schema = bundle.schema
    order = ", the steps in order" if schema.layout == "long" and schema.time is None else ""
    gaps = "" if schema.layout == "text" else f", {_gaps(bundle)}"
    yield f"A table with {_ROWS[schema.layout]}{order}{gaps}, and these columns:"
    yield ""
    yield "| column | holds |"
    yield "|---|---|"
    if schema.id is not None:
        yield f"| {escape(schema.id)} | the name of the {'text' if schema.text else 'sequence'} |"
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
        yield "A sequence may be shorter: its last cells are empty then."


def _gaps(bundle: SequenceBundle) -> str:
    return "without gaps" if bundle.gaps == "error" else f"gaps filled as in training ({bundle.gaps})"


def _scores(bundle: SequenceBundle, metrics: dict[str, Any]) -> Iterator[str]:
    yield from score_lines(metrics, bundle.task.metric)
    rows = metrics.get("classes")
    if rows:
        yield ""
        yield "Of each class on the same holdout:"
        yield ""
        yield f"| {' | '.join(escape(name) for name in rows[0])} |"
        yield "|---" * len(rows[0]) + "|"
        yield from (f"| {' | '.join(_cell(value) for value in row.values())} |" for row in rows)


def _cell(value: Any) -> str:
    return number(value) if value is None or isinstance(value, float) else escape(value)


def _architecture(bundle: SequenceBundle) -> Iterator[str]:
    model, train, vocabulary = bundle.model_spec, bundle.train_spec, bundle.encoding.vocabulary
    normalization = f", normalization {model.normalization}" if vocabulary is None else ""
    yield (
        f"- architecture {code(model.architecture)}{normalization}, dropout {model.dropout:g}, recurrent dropout "
        f"{model.recurrent_dropout:g}"
    )
    if vocabulary is not None:
        often = f", each {model.min_count} times or more in the training texts" if model.min_count > 1 else ""
        yield f"- {counted(len(vocabulary.tokens), vocabulary.kind)}{often}; token dropout {model.token_dropout:g}"
    more = [f"label smoothing {train.label_smoothing:g}", f"class weights {train.class_weights}"]
    yield training_line(train, *(more if bundle.task.classes else ()))


def _limits(bundle: SequenceBundle, description: dict[str, Any]) -> Iterator[str]:
    model, classes = bundle.model_spec, bundle.task.classes
    if classes:
        yield (
            f"- It knows {codes([str(name) for name in classes])}, and gives one of them to everything, also to what "
            "is none of them. Its probabilities are as they come out of the network, not calibrated."
        )
    yield f"- It reads the first {_read(bundle)}: what comes after them changes nothing."
    what = "text" if bundle.schema.layout == "text" else "sequence"
    yield f"- It knows what its data showed: with a {what} unlike those, it may be far off."
    if model.tokens:
        yield f"- A {model.tokens} that its data did not hold often enough counts as unknown, like any other."
    yield f"- The holdout is one sample of {what}s; the score on another may differ."
    yield from onnx_limit(description, f"arrays of {_read(bundle)} only, with their lengths", bundle.predictor.unit)
