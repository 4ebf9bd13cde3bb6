"""A self-contained HTML page: its frame, tables and text blocks, and the range of scores that charts show."""

from __future__ import annotations

import base64
import hashlib
import html
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from lstmgru.data.tables.writers import check_not_read, check_place, followed, write_text
from lstmgru.errors import DataError
from search.errors import SearchError

_FENCE = 3.0
_ENOUGH = 5
_TALL = 40
"""Number of rows from which a table scrolls by itself."""

_SCRIPTS = {"page.js": "", "ranges.js": 'data-name="brush"', "series.js": "data-series", "arrows.js": "sort"}
"""Parts of the script of a page, and what a body has that needs them; the later ones use functions of the first."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
<script>{script}</script>
</body>
</html>
"""


def check_page(path: Path, tables: Sequence[Path] = ()) -> None:
    """Refuse a file that a page cannot be written to, before the page is made.

    Args:
        path: The file: a device, or one whose name ends in ``.html``.
        tables: What is read.

    Raises:
        SearchError: It has another name, is one of the tables or a folder, or there is no such folder.
    """
    try:
        check_not_read(path, tables)
        is_device = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
        if not is_device and path.suffix.lower() != ".html":
            raise SearchError(f"{path}: a page is written as .html but the name ends in {path.suffix!r}")
        check_place(path)
    except DataError as error:
        raise SearchError(str(error)) from error


def save_page(path: Path, text: str) -> None:
    """Write a page or a picture to the file that a user named, whole.

    Raises:
        SearchError: It cannot be written.
    """
    try:
        check_place(path)
        write_text(followed(path), text)
    except DataError as error:
        raise SearchError(str(error)) from error
    except OSError as error:
        raise SearchError(f"{path} cannot be written: {error.strerror or error}; choose another place") from error


def html_page(title: str, body: str) -> str:
    """A whole page, which the browser forbids to load anything or to run any other script.

    Args:
        title: Heading, as text.
        body: Content, as HTML.
    """
    folder = Path(__file__).parent
    style = (folder / "page.css").read_text(encoding="utf-8")
    script = "".join((folder / name).read_text(encoding="utf-8") for name, mark in _SCRIPTS.items() if mark in body)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; style-src-attr 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _PAGE.format(policy=policy, title=html.escape(title), style=style, script=script, body=body)


def _hash(text: str) -> str:
    """The source expression of an inline script or style (CSP level 2)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def wide(content: str, *, width: int) -> str:
    """HTML with a minimum width in pixels; a narrower page scrolls it horizontally."""
    return f'<div class="scroll"><div style="min-width: {width}px">{content}</div></div>'


def paragraph(*sentences: str) -> str:
    """A paragraph of sentences, given as text or HTML; empty if there are none."""
    return f"<p>{' '.join(map(_escaped, sentences))}</p>\n" if sentences else ""


def written_on(written: datetime) -> Html:
    """When a page was written, as a sentence in HTML whose date is on one line."""
    return whole_words(f"Written on {written:%Y-%m-%d at %H:%M %Z}.")


def details(summary: str, content: str, *, printed: bool = False) -> str:
    """HTML that is folded away behind a summary; on paper it is left out unless it is ``printed``."""
    kind = ' class="printed"' if printed else ""
    return f"<details{kind}><summary>{html.escape(summary)}</summary>\n{content}\n</details>\n"


def preformatted(text: str) -> str:
    """Text with its line breaks and spaces preserved."""
    return f"<pre>{html.escape(text)}</pre>"


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def whole_words(text: str) -> Html:
    """Text as HTML whose lines break between words only, and not at their hyphens."""
    words = (html.escape(word) for word in text.split(" "))
    return Html(" ".join(f'<span class="whole">{word}</span>' if "-" in word else word for word in words))


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes:
        cells: Text or HTML.
        mark: ``winner``, ``baseline``, ``pruned``, ``outside``, ``chosen``, or empty.
        trial: Number of the trial that the row describes, which the page can pin.
        series: Number of the series whose chart the page draws when the row is chosen.
    """

    cells: tuple[str, ...]
    mark: str = ""
    trial: int | None = None
    series: int | None = None


def table(
    head: Sequence[str],
    lines: Sequence[Line],
    *,
    numbers: Sequence[str] = (),
    compact: bool = False,
    sort: str = "",
    slider: str = "",
) -> str:
    """A table as HTML, with every text escaped.

    Args:
        head: Names of the columns.
        lines: Rows, their cells in the order of the columns.
        numbers: Names of the columns that hold numbers.
        compact: Whether columns of short words may be narrow.
        sort: What the rows are, if the script may sort and filter them.
        slider: What the rows are values of, if the script adds a slider that goes through them, from the winner on.
    """
    kinds = [_class("number" if name in numbers else "") for name in head]

    def row(heading: str, cells: Sequence[str]) -> str:
        # An empty cell heads nothing, and screen readers would announce it.
        tags = [heading if cell else "td" for cell in cells]
        return "".join(
            f"<{tag}{kind}>{_escaped(cell)}</{tag}>" for kind, cell, tag in zip(kinds, cells, tags, strict=True)
        )

    looks = [look for look, used in (("compact", compact), ("sort", sort), ("slider", slider)) if used]
    tall = " tall" if len(lines) > _TALL else ""
    title = f' data-title="{html.escape(sort or slider)}"' if sort or slider else ""
    body = "\n".join(f"<tr{_class(line.mark)}{_data(line)}>{row('td', line.cells)}</tr>" for line in lines)
    return (
        f'<div class="scroll{tall}"><table{_class(" ".join(looks))}{title}>\n'
        f"<thead><tr>{row('th', head)}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>\n"
    )


def _escaped(text: str) -> str:
    return text if isinstance(text, Html) else html.escape(text)


def _data(line: Line) -> str:
    """What the script needs to know of a row."""
    known = {"trial": line.trial, "series": line.series}
    return "".join(f' data-{name}="{number}"' for name, number in known.items() if number is not None)


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


@dataclass(frozen=True)
class Cut:
    """The plotted range of an axis of scores.

    Attributes:
        span: Its ends; ``None``: the range of all values.
        above: Number of values above it, if smaller is better.
        below: Number of values below it, if larger is better.
    """

    span: tuple[float, float] | None = None
    above: int = 0
    below: int = 0

    def including(self, value: float) -> Cut:
        """The range extended to a value that must be visible."""
        if self.span is None:
            return self
        low, high = self.span
        margin = 0.06 * (max(high, value) - min(low, value))
        return replace(self, span=(min(low, value - margin), max(high, value + margin)))

    @property
    def hidden(self) -> int:
        """Number of values outside the range."""
        return self.above + self.below

    def sentence(self, things: str) -> str:
        """A sentence on the hidden values: ``2 trials lie above the plotted range.``"""
        where = "above" if self.above else "below"
        return f"{self.hidden} {things} {'lies' if self.hidden == 1 else 'lie'} {where} the plotted range."


def cut(values: Sequence[float], *, larger_is_better: bool = False) -> Cut:
    """The range of scores to plot, so that an outlier does not compress all others.

    Excluded are values that are worse than the worse quartile by more than three interquartile ranges (the outer fence
    of Tukey 1977).

    Args:
        values: The scores.
        larger_is_better: Whether larger scores are better.
    """
    known = np.array([value for value in values if np.isfinite(value)])
    if len(known) < _ENOUGH:
        return Cut()
    lower, upper = np.quantile(known, [0.25, 0.75])
    fence = _FENCE * (upper - lower)
    inside = known[known >= lower - fence] if larger_is_better else known[known <= upper + fence]
    if len(inside) == len(known) or inside.max() == inside.min():
        return Cut()
    margin = 0.06 * (inside.max() - inside.min())
    span = (float(inside.min() - margin), float(inside.max() + margin))
    hidden = len(known) - len(inside)
    return Cut(span, below=hidden) if larger_is_better else Cut(span, above=hidden)
