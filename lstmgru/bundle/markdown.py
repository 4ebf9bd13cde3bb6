"""Text that came from elsewhere, made safe for Markdown."""

from __future__ import annotations

import re

# What has a meaning within a line; text from elsewhere never starts one. The last two would become links.
_SPECIAL = re.compile(r"[\\`*_\[\]<>&|~$@#]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def escape(text: object) -> str:
    """Text as it is, for within a line: what Markdown would read is escaped, control characters become spaces."""
    return _SPECIAL.sub(r"\\\g<0>", _one_line(text))


def code(text: object) -> str:
    """Text as a code span, for within a line outside of tables; control characters become spaces."""
    line = _one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def codes(texts: tuple[str, ...] | list[str], *, most: int = 12) -> str:
    """Code spans with commas, no more than ``most`` of them."""
    shown = ", ".join(code(text) for text in texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"


def _one_line(text: object) -> str:
    return " ".join("".join(mark if mark.isprintable() else " " for mark in str(text)).split())
