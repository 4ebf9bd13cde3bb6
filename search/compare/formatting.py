"""Numbers as people read them."""

from __future__ import annotations


def number(value: float | None, digits: int = 3) -> str:
    """So many significant digits, large numbers whole; nothing for what is not known."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def score(value: float | None, *, of_one: bool = False) -> str:
    """Four significant digits, zeros at the end too, so that scores stand below each other.

    Args:
        value: The score; nothing for what is not known.
        of_one: Whether 1 is the best there is, so that four digits after the point are shown.
    """
    if value is None:
        return ""
    if of_one:
        return f"{value:.4f}"
    return f"{value:,.0f}" if abs(value) >= 10**4 else f"{value:#.4g}".rstrip(".")


def signed(value: float | None) -> str:
    """With its sign: ``+0.0123``."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    return f"{value:+,.0f}" if abs(value) >= 10**3 else f"{value:+.3g}"


def seconds(value: float | None) -> str:
    """``0.82 ms`` or ``1.4 s``."""
    if value is None:
        return ""
    return f"{number(value * 1000)} ms" if value < 0.9995 else f"{number(value)} s"


def megabytes(value: float | None) -> str:
    """``12.3 MB``; below one, ``< 1 MB``."""
    if value is None:
        return ""
    return f"{number(value / 1e6)} MB" if value >= 1e6 else "< 1 MB"


def probability(value: float) -> str:
    """A p-value: ``0.034``, ``< 0.001``."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
