"""The model card: what a model gives, what it needs, how good it is, how to use it."""

from __future__ import annotations

from typing import Any

from lstmgru.bundle.card_parts import Card
from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.forecasting.card import forecast_card
from lstmgru.bundle.format import AnyBundle
from lstmgru.bundle.sequences.card import sequence_card


def model_card(bundle: AnyBundle, description: dict[str, Any]) -> str:
    """Markdown.

    Args:
        bundle: The model.
        description: What its ``bundle.json`` holds.
    """
    card = (
        forecast_card(bundle, description) if isinstance(bundle, ForecastBundle) else sequence_card(bundle, description)
    )
    parts = ["\n".join([f"## {name}", "", *lines]).rstrip() for name, lines in _sections(card).items()]
    return "\n\n".join([f"# {card.title}", card.summary, *parts]) + "\n"


def _sections(card: Card) -> dict[str, list[str]]:
    return {
        "What it needs": card.needs,
        "How good it is": card.scores,
        "Architecture and training": card.training,
        "Limits": card.limits,
        "How to use it": card.usage,
    }
