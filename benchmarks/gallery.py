"""Looks at pages in Chromium: accessibility (axe), size, requests, errors, and width, in two color schemes.

Without pages, those of five studies are made: one series, a panel, a Pareto study, texts, comparisons.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

WIDTHS = (1440, 1280, 390)
SCHEMES = ("light", "dark")
MOST_BYTES = 500_000
_HEIGHT = 900
# Everything that a reader can bring on: folded parts, and a pinned trial.
_UNFOLD = """() => {
  for (const each of document.querySelectorAll("details:not(.data)")) each.open = true;
  // All data tables are alike, and thousands of cells take axe minutes.
  for (const each of [...document.querySelectorAll("details.data")].slice(0, 2)) each.open = true;
  document.querySelector("[data-pins]")?.click();
}"""
_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > width + 1 && !each.closest(".scroll, pre, svg, code"))
    .map((each) => each.outerHTML.slice(0, 80)).slice(-3);
}"""


@dataclass(frozen=True)
class Problem:
    """Something on a page that should not be.

    Attributes:
        page: Name of the file.
        width: Of the window in pixels; 0: at all widths.
        scheme: ``light`` or ``dark``; empty: in both.
        text: What it is, and where.
    """

    page: str
    width: int
    scheme: str
    text: str


def look(
    paths: Sequence[Path],
    *,
    views: Sequence[tuple[int, str]] = tuple((width, scheme) for scheme in SCHEMES for width in WIDTHS),
    screenshots: Path | None = None,
) -> list[Problem]:
    """Open every page at several widths and color schemes.

    Args:
        paths: HTML files.
        views: Width in pixels and color scheme of each look.
        screenshots: Folder for a picture of each view; ``None``: none is taken.
    """
    from helpers.mlflow_ui import browser_page

    found = [
        Problem(path.name, 0, "", f"has {size:,} bytes, more than {MOST_BYTES:,}")
        for path in paths
        if (size := path.stat().st_size) > MOST_BYTES
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
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(path.resolve().as_uri())
    yield from _too_wide(page, "")
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=screenshots / f"{path.stem}-{width}-{scheme}.png", full_page=True)
    page.evaluate(_UNFOLD)
    yield from _too_wide(page, ", unfolded")
    yield from violations(page)


def _too_wide(page: Page, how: str) -> Iterator[str]:
    for each in page.evaluate(_TOO_WIDE):
        yield f"is wider than the window{how}: {each}"


def violations(page: Page) -> Iterator[str]:
    """What axe finds, with the places."""
    from axe_playwright_python.sync_playwright import Axe

    for violation in Axe().run(page).response["violations"]:
        places = "; ".join(str(node["target"][0]) for node in violation["nodes"][:3])
        why = violation["nodes"][0]["failureSummary"].splitlines()[-1].strip()
        yield f"axe {violation['id']}, {len(violation['nodes'])} places: {places}: {why}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="HTML files; none: those of five studies are made")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="keep a picture of each view")
    parser.add_argument("--json", action="store_true", help="print the problems as JSON")
    options = parser.parse_args()
    missing = [path for path in options.pages if not path.is_file()]
    if missing:
        parser.error(f"{missing[0]} is not a file")
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        paths = options.pages
        if not paths:
            from helpers.gallery_pages import write_pages

            paths = write_pages(Path(folder))
        found = look(paths, screenshots=options.screenshots)
        sizes = {path.name: path.stat().st_size for path in paths}
    if options.json:
        print(json.dumps({"sizes": sizes, "problems": [asdict(problem) for problem in found]}, indent=2))
    else:
        for name, size in sizes.items():
            print(f"{name}: {size / 1000:.0f} kB")
        for each in found:
            print(f"{each.page} at {each.width} px, {each.scheme}: {each.text}")
        print(f"{len(paths)} pages, {len(found)} problems, {time.perf_counter() - begin:.0f} s")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
