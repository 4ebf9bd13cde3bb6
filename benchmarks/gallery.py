"""Looks at pages in Chromium, in two color schemes and on paper: accessibility (axe), size, requests, errors, width.

Without pages, those of seven studies are made: one series, a panel, a Pareto study, texts, comparisons, a study of 300
trials and a panel of 320 series. The first paint is the median of three loads; it is reported and not judged.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

WIDTHS = (1440, 1280, 390)
SCHEMES = ("light", "dark")
PRINT = "print"
PAPER_WIDTH = 695
"""What the margins leave of A4, in pixels."""
VIEWS = (*((width, scheme) for scheme in SCHEMES for width in WIDTHS), (PAPER_WIDTH, PRINT))
LONG_VIEWS = ((1440, "light"), (390, "dark"), (PAPER_WIDTH, PRINT))
"""Of pages with thousands of elements, for which axe takes long."""
MOST_BYTES, MOST_LONG_BYTES = 500_000, 650_000
"""Of a report of 30 trials, also of a panel of 320 series, and of one of 300 trials."""
MOST_TAB_STOPS, SMALLEST_TEXT = 40, 8
"""Elements that the Tab key reaches, and pixels."""
_HEIGHT, _LOADS = 900, 3
# Everything that a reader can bring on: folded parts, and a pinned trial.
_UNFOLD = """() => {
  for (const each of document.querySelectorAll("details:not(.data)")) each.open = true;
  // All data tables are alike, and thousands of cells take axe minutes.
  for (const each of [...document.querySelectorAll("details.data")].slice(0, 2)) each.open = true;
  document.querySelector("[data-pins]")?.click();
}"""
_TOO_WIDE = """(exempt) => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > width + 1 && !each.closest(exempt))
    .map((each) => each.outerHTML.slice(0, 80)).slice(-3);
}"""
_TOO_SMALL = """(least) => [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility()
    && [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())
    && parseFloat(getComputedStyle(each).fontSize) * each.currentCSSZoom < least)
  .map((each) => each.outerHTML.slice(0, 80)).slice(0, 3)"""
_TAB_STOPS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
  .filter((each) => each.tabIndex >= 0 && !each.disabled && each.checkVisibility({ visibilityProperty: true }))
  .length"""
_FIRST_PAINT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  for (const each of list.getEntriesByName("first-contentful-paint")) resolve(each.startTime);
}).observe({ type: "paint", buffered: true }))"""


@dataclass(frozen=True)
class Measures:
    """Figures of a page.

    Attributes:
        page: Name of the file.
        size: In bytes.
        first_paint: Milliseconds until the first content is painted, the median of three loads from the disk.
        tab_stops: Number of elements that the Tab key reaches, in the widest window.
        printed_pages: Number of pages on A4.
    """

    page: str
    size: int
    first_paint: float
    tab_stops: int
    printed_pages: int


@dataclass(frozen=True)
class Problem:
    """Something on a page that should not be.

    Attributes:
        page: Name of the file.
        width: Of the window in pixels; 0: at all widths.
        scheme: ``light``, ``dark`` or ``print``; empty: in all.
        text: What it is, and where.
    """

    page: str
    width: int
    scheme: str
    text: str


def look(
    paths: Sequence[Path],
    *,
    views: Sequence[tuple[int, str]] = VIEWS,
    most_bytes: int = MOST_BYTES,
    screenshots: Path | None = None,
) -> list[Problem]:
    """Open every page at several widths and color schemes, and as it is printed.

    Args:
        paths: HTML files.
        views: Width in pixels and color scheme of each look, or ``print``.
        most_bytes: Largest size of a page.
        screenshots: Folder for a picture of each view and the printed pages; ``None``: none is taken.
    """
    from helpers.mlflow_ui import browser_page

    found = [
        Problem(path.name, 0, "", f"has {size:,} bytes, more than {most_bytes:,}")
        for path in paths
        if (size := path.stat().st_size) > most_bytes
    ]
    with browser_page() as page:
        said: list[str] = []
        page.on("request", lambda request: said.append(f"requests {request.url}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        for path in paths:
            own = f"requests {path.resolve().as_uri()}"
            for width, scheme in views:
                said.clear()
                texts = list(_problems(page, path, width, scheme, screenshots))
                texts += [each for each in said if each != own]
                found += [Problem(path.name, width, scheme, text) for text in texts]
    return found


def _problems(page: Page, path: Path, width: int, scheme: str, screenshots: Path | None) -> Iterator[str]:
    page.set_viewport_size({"width": width, "height": _HEIGHT})
    media: Literal["print", "screen"] = "print" if scheme == PRINT else "screen"
    page.emulate_media(media=media, color_scheme="dark" if scheme == "dark" else "light")
    page.goto(path.resolve().as_uri())
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
    if scheme == PRINT:
        yield from _on_paper(page)
        if screenshots:
            page.pdf(path=screenshots / f"{path.stem}-print.pdf", prefer_css_page_size=True)
        return
    yield from _too_wide(page, "window")
    if width == WIDTHS[0] and (stops := page.evaluate(_TAB_STOPS)) > MOST_TAB_STOPS:
        yield f"has {stops} stops of the Tab key, more than {MOST_TAB_STOPS}"
    if screenshots:
        page.screenshot(path=screenshots / f"{path.stem}-{width}-{scheme}.png", full_page=True)
    page.evaluate(_UNFOLD)
    yield from _too_wide(page, "window, unfolded")
    yield from violations(page)


def _on_paper(page: Page) -> Iterator[str]:
    # Nothing can be scrolled on paper.
    yield from _too_wide(page, "paper", exempt="svg")
    for each in page.evaluate(_TOO_SMALL, SMALLEST_TEXT):
        yield f"has text below {SMALLEST_TEXT} px on paper: {each}"


def _too_wide(page: Page, where: str, *, exempt: str = ".scroll, pre, svg, code") -> Iterator[str]:
    for each in page.evaluate(_TOO_WIDE, exempt):
        yield f"is wider than the {where}: {each}"


def violations(page: Page) -> Iterator[str]:
    """What axe finds, with the places."""
    from axe_playwright_python.sync_playwright import Axe

    for violation in Axe().run(page).response["violations"]:
        places = "; ".join(str(node["target"][0]) for node in violation["nodes"][:3])
        why = violation["nodes"][0]["failureSummary"].splitlines()[-1].strip()
        yield f"axe {violation['id']}, {len(violation['nodes'])} places: {places}: {why}"


def measure(paths: Sequence[Path]) -> list[Measures]:
    """Size, first paint, stops of the Tab key and printed pages of every page.

    Args:
        paths: HTML files.
    """
    from helpers.mlflow_ui import browser_page

    found = []
    with browser_page() as page:
        page.set_viewport_size({"width": WIDTHS[0], "height": _HEIGHT})
        for path in paths:
            paints = []
            for _ in range(_LOADS):
                page.goto(path.resolve().as_uri())
                paints.append(page.evaluate(_FIRST_PAINT))
            stops = page.evaluate(_TAB_STOPS)
            printed = len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))
            found.append(Measures(path.name, path.stat().st_size, statistics.median(paints), stops, printed))
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="HTML files; none: those of seven studies are made")
    parser.add_argument(
        "--screenshots", type=Path, metavar="FOLDER", help="keep a picture of each view and the printed pages"
    )
    parser.add_argument("--json", action="store_true", help="print figures and problems as JSON")
    options = parser.parse_args()
    missing = [path for path in options.pages if not path.is_file()]
    if missing:
        parser.error(f"{missing[0]} is not a file")
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        paths, long_pages = options.pages, dict[Path, int]()
        if not paths:
            import optuna
            from helpers.gallery_pages import write_long_pages, write_pages

            optuna.logging.set_verbosity(optuna.logging.WARNING)
            paths = write_pages(Path(folder))
            long_pages = dict(zip(write_long_pages(Path(folder)), (MOST_LONG_BYTES, MOST_BYTES), strict=True))
        found = look(paths, screenshots=options.screenshots)
        for path, most in long_pages.items():
            found += look([path], views=LONG_VIEWS, most_bytes=most, screenshots=options.screenshots)
        measures = measure([*paths, *long_pages])
    if options.json:
        print(
            json.dumps({"pages": [asdict(each) for each in measures], "problems": list(map(asdict, found))}, indent=2)
        )
    else:
        print(f"{'page':32} {'kB':>5} {'first paint':>12} {'tab stops':>10} {'A4 pages':>9}")
        for one in measures:
            paint = f"{one.first_paint:.0f} ms"
            print(f"{one.page:32} {one.size / 1000:5.0f} {paint:>12} {one.tab_stops:10} {one.printed_pages:9}")
        for each in found:
            print(f"{each.page} at {each.width} px, {each.scheme}: {each.text}")
        print(f"{len(measures)} pages, {len(found)} problems, {time.perf_counter() - begin:.0f} s")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
