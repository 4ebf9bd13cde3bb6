"""Texts of charts in a browser that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_LOOK = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("figure.chart .plot > svg")) {
    const name = svg.getAttribute("aria-label"), figure = svg.closest("figure").getBoundingClientRect();
    const texts = [...svg.querySelectorAll(".axes text")].filter((text) => text.getClientRects().length)
      .map((text) => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([text, box], number) => {
      if (box.left < figure.left - 1) found.push(`${name}: ${text} is cut`);
      for (const [other, its] of texts.slice(number + 1)) {
        const across = box.left < its.right - 1 && its.left < box.right - 1;
        if (across && box.top < its.bottom - 2 && its.top < box.bottom - 2) found.push(`${name}: ${text} on ${other}`);
      }
    });
  }
  return found;
}"""


def unreadable(page: Page) -> list[str]:
    """Ticks of charts that overlap each other or are cut off."""
    found: list[str] = page.evaluate(_LOOK)
    return found
