"""The frame of a page: tables, charts, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from datetime import UTC, datetime

import pytest
from helpers.combinations import each_row

from search.reports.page import (
    Cut,
    Line,
    cut,
    details,
    html_page,
    paragraph,
    preformatted,
    table,
    whole_words,
    wide,
    written_on,
)

NASTY = "<script>alert(1)</script> & \"'"


def test_a_page_is_small_and_has_one_script() -> None:
    page = html_page("none", "<p>text</p>")

    assert len(page) < 40_000
    assert page.count("<script") == 1


def test_a_page_tells_the_browser_to_load_nothing_and_to_run_its_own_script_only() -> None:
    page = html_page("title", "")
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))

    assert rules.pop("default-src") == "'none'"
    assert "http" not in policy
    assert rules["script-src"] == hash_of(re.findall(r"<script>(.*?)</script>", page, re.DOTALL))
    assert rules["style-src"] == hash_of(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))


def hash_of(found: list[str]) -> str:
    [text] = found
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize(
    "made",
    [
        html_page(NASTY, ""),
        paragraph(NASTY),
        preformatted(NASTY),
        details(NASTY, ""),
        table((NASTY,), [Line((NASTY,))]),
    ],
    ids=["title", "paragraph", "preformatted", "summary", "table"],
)
def test_text_stays_text(made: str) -> None:
    assert "<script>alert" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in made


def test_a_table_has_its_cells_in_order_and_numbers_on_the_right() -> None:
    made = table(("model", "score"), [Line(("gru", "1"), "winner"), Line(("naive", "2"))], numbers=("score",))

    assert re.findall(r"<th( .*?)?>(.*?)</th>", made) == [("", "model"), (' class="number"', "score")]
    assert re.findall(r"<td(.*?)>(.*?)</td>", made) == [
        ("", "gru"),
        (' class="number"', "1"),
        ("", "naive"),
        (' class="number"', "2"),
    ]
    assert re.findall(r"<tr(.*?)><td", made) == [' class="winner"', ""]


def test_a_line_of_another_length_than_the_head_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        table(("a", "b"), [Line(("1",))])


def test_lines_of_an_architecture_break_between_its_words_only() -> None:
    made = whole_words("word(128) > bi-lstm(54) > <max>")

    assert made == 'word(128) &gt; <span class="whole">bi-lstm(54)</span> &gt; &lt;max&gt;'
    assert f"<td>{made}</td>" in table(("model",), [Line((made,))])
    assert ".whole { white-space: nowrap; }" in html_page("title", "")


def test_a_date_is_on_one_line_and_text_beside_it_stays_text() -> None:
    said = written_on(datetime(2026, 3, 1, 12, tzinfo=UTC))

    made = paragraph(NASTY, said)

    assert said == 'Written on <span class="whole">2026-03-01</span> at 12:00 UTC.'
    assert made == f"<p>{html.escape(NASTY)} {said}</p>\n"


def test_no_sentence_makes_no_paragraph() -> None:
    assert paragraph() == ""
    assert paragraph("One.", "Two.") == "<p>One. Two.</p>\n"


def test_what_is_wide_scrolls_by_itself() -> None:
    assert wide("x", width=700) == '<div class="scroll"><div style="min-width: 700px">x</div></div>'


# --- axes -------------------------------------------------------------------------------------------------------------


@each_row(
    ("values", "above", "lowest", "highest"),
    [
        ([1, 2, 3, 4, 100], 1, 1, 4),
        ([1, 2, 3, 4, 90, 100, 2, 3, 2, 3], 2, 1, 4),
        ([2, 3, 4, 5, -100], 0, None, None),  # an error cannot be too small
        ([1, 2, 3, 4, 5], 0, None, None),
        ([1, 2, 100], 0, None, None),  # too few to say what is usual
        ([1, 1, 1, 1, 1, 9], 0, None, None),  # nothing would be left of the axis
        ([1, 2, 3, 4, float("nan"), float("inf"), 100], 1, 1, 4),
        ([], 0, None, None),
    ],
)
def test_an_axis_of_errors_leaves_out_what_went_astray(
    values: list[float], above: int, lowest: float | None, highest: float | None
) -> None:
    found, mirrored = cut(values), cut([-value for value in values], larger_is_better=True)

    assert (found.above, found.below, found.hidden) == (above, 0, above)
    assert (mirrored.above, mirrored.below, mirrored.hidden) == (0, above, above)
    assert mirrored.span == (None if found.span is None else (-found.span[1], -found.span[0]))
    if lowest is None or highest is None:
        assert found.span is None
    else:
        assert found.span == pytest.approx((lowest - 0.06 * (highest - lowest), highest + 0.06 * (highest - lowest)))


@pytest.mark.parametrize(
    ("span", "value", "expected"),
    [(None, 5, None), ((1, 2), 1.5, (1, 2)), ((1, 2), 4, (1, 4.18)), ((1, 2), 0, (-0.12, 2))],
)
def test_a_cut_axis_can_be_widened_for_a_value(
    span: tuple[float, float] | None, value: float, expected: tuple[float, float] | None
) -> None:
    assert Cut(span).including(value).span == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        ({"above": 1}, "1 trial lies above the plotted range."),
        ({"above": 2}, "2 trials lie above the plotted range."),
        ({"below": 2}, "2 trials lie below the plotted range."),
    ],
)
def test_what_is_left_out_is_said(left_out: dict[str, int], sentence: str) -> None:
    hidden = Cut((0, 1), **left_out)
    assert hidden.sentence("trial" if hidden.hidden == 1 else "trials") == sentence
