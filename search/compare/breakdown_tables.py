"""The tables of parts of the holdout or of the trials: steps, contexts, lengths and classes."""

from __future__ import annotations

from collections.abc import Sequence

from search.compare.formatting import number, score
from search.compare.results import Comparison, FamilyResult
from search.compare.sheet import Sheet, scored, shown_score
from search.compare.strengths import growth

_MOST_STEPS = 5
_MOST_CLASSES = 20


def steps_sheet(comparison: Comparison) -> Sheet:
    """Scores of single steps of the horizon."""
    families = [family for family in scored(comparison) if len(family.steps) > 1]
    horizon = comparison.horizon or 1
    count = min(_MOST_STEPS, horizon)
    shown = [round(position * (horizon - 1) / max(1, count - 1)) for position in range(count)]
    rows = tuple(
        (family.name, *(score(family.steps[step]) for step in shown), number(growth(family))) for family in families
    )
    text = f"{comparison.terms.title} on the holdout of single steps of the horizon; growth is the last over the first."
    head = ("family", *(f"step {step + 1}" for step in shown), "growth")
    return Sheet("Over the horizon", text, head, rows)


def contexts_sheet(comparison: Comparison) -> Sheet:
    """Scores of the trials by the length of their contexts."""
    rows = []
    for family in comparison.families:
        for each in family.contexts:
            length = span(each.shortest, each.longest)
            rows.append((family.name, length, str(each.trials), score(each.median)))
    text = (
        "Median score on the folds of complete trials by the steps that they read. Trials differ in other ways, too, "
        "so a few of them say little."
    )
    return Sheet("By length of the context", text, ("family", "context", "trials", "median"), tuple(rows))


def lengths_sheet(comparison: Comparison) -> Sheet:
    """Scores of the short, middle and long cases."""
    families = [family for family in scored(comparison) if family.lengths]
    groups = dict.fromkeys((each.shortest, each.longest, each.cases) for family in families for each in family.lengths)
    scores = [{(each.shortest, each.longest): each.score for each in family.lengths} for family in families]
    shown = shown_score(comparison)
    rows = tuple(
        (span(shortest, longest), str(cases), *(shown(found.get((shortest, longest))) for found in scores))
        for shortest, longest, cases in groups
    )
    terms, unit = comparison.terms, length_unit(comparison)
    text = f"{terms.title} on the short, middle and long {terms.cases} of the holdout, by their {unit}."
    return Sheet("By length", text, (unit, terms.cases, *(family.name for family in families)), rows, words=(unit,))


def classes_sheet(comparison: Comparison) -> Sheet:
    """F1 of each class."""
    families = [family for family in scored(comparison) if family.classes]
    codes = shown_classes(families)
    rows = tuple(
        (
            families[0].classes[code].name,
            str(families[0].classes[code].support),
            *(score(family.classes[code].f1, of_one=True) for family in families),
        )
        for code in codes
    )
    text = f"F1 of each class on the holdout, where there are so many {comparison.cases} of it."
    if families and len(codes) < len(families[0].classes):
        text += f" Shown are the {len(codes)} of {len(families[0].classes)} classes in which the families differ most."
    head = ("class", comparison.cases, *(family.name for family in families))
    return Sheet("By class", text, head, rows, words=("class",))


def length_unit(comparison: Comparison) -> str:
    """What the length of a case is counted in."""
    return "characters" if comparison.cases == "texts" else "steps"


def shown_classes(families: Sequence[FamilyResult]) -> list[int]:
    """Numbers of the classes that are shown: all, or of many those in which the families differ most."""
    if not families:
        return []
    f1 = [[each.f1 for each in family.classes] for family in families]
    spreads = [max(scores) - min(scores) for scores in zip(*f1, strict=True)]
    widest = sorted(range(len(spreads)), key=lambda code: -spreads[code])
    return sorted(widest[:_MOST_CLASSES])


def span(shortest: int, longest: int) -> str:
    """From one length to another."""
    return str(shortest) if shortest == longest else f"{shortest} to {longest}"
