"""The checks that specs share."""

from __future__ import annotations

from lstmgru.errors import SpecError, did_you_mean


def one_of(name: str, value: str, valid: tuple[str, ...]) -> None:
    """Refuse a value that is none of the valid ones."""
    if value not in valid:
        raise SpecError(
            f"{name} must be one of {', '.join(valid)} but got {value!r}{did_you_mean(str(value), list(valid))}"
        )


def at_least(name: str, value: float, minimum: float) -> None:
    """Refuse a number below a minimum."""
    if not value >= minimum:
        raise SpecError(f"{name} must be at least {minimum:g} but got {value!r}")


def probability(name: str, value: float) -> None:
    """Refuse a number outside [0, 1)."""
    if not 0 <= value < 1:
        raise SpecError(f"{name} must be in [0, 1) but got {value!r}")
