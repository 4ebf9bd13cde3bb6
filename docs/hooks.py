"""What the documentation site adds to mkdocs: its pages are those of the repository, at the same relative places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = ("*.md", "docs/**/*.md", "studies/*.md", "benchmarks/*.md")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
CHINESE = "README.zh.md"
SHOWN = (".svg", ".png", ".ipynb")
"""Endings of files that a browser shows as they are, or saves for another program."""


def repository_pages() -> list[Path]:
    """Every page, relative to the repository."""
    return sorted(page.relative_to(ROOT) for pattern in PAGES for page in ROOT.glob(pattern))


def address(path: Path) -> str:
    """The file of the site for a page or another file of the repository."""
    within = path if path == Path("docs/README.md") or path.parts[0] != "docs" else path.relative_to("docs")
    if path.suffix == ".md":
        folder = within.parent if path.name == "README.md" else within.with_suffix("")
        return (folder / "index.html").as_posix()
    return within.as_posix() + ("" if path.suffix in SHOWN else ".txt")  # a browser shows any text


def linked_files(page: Path) -> Iterator[Path]:
    """The files, other than pages, that a page links to or shows, relative to the repository."""
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s#]+)", text):
        file = (ROOT / page.parent / target).resolve()
        if "://" not in target and file.suffix != ".md" and file.is_file():
            yield file.relative_to(ROOT)


def on_config(config: Any) -> None:
    """List every decision."""
    (inside,) = (section["How it works"] for section in config.nav if "How it works" in section)
    (decisions,) = (entry["Decisions"] for entry in inside if "Decisions" in entry)
    decisions += [f"docs/decisions/{page.name}" for page in sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))]


def on_files(files: Files, config: Any) -> Files:
    """Replace the files of ``docs/`` by those of the repository, so that relative links lead to the same pages."""
    for file in list(files):
        if file.src_dir == config.docs_dir and file.src_uri != "site.css":
            files.remove(file)
    pages = repository_pages()
    for path in dict.fromkeys([*pages, *(file for page in pages for file in linked_files(page))]):
        file = File.generated(config, path.as_posix(), abs_src_path=str(ROOT / path))
        file.dest_uri = address(path)
        files.append(file)
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Write ``|`` in the code of a table cell without the backslash that a repository browser needs."""
    return "\n".join(
        CODE.sub(lambda code: code[0].replace(r"\|", "|"), line) if line.startswith("|") else line
        for line in markdown.splitlines()
    )


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Name the language of the Chinese page, and for screen readers the search of the theme."""
    dialog = 'data-md-component="search" role="dialog"'
    output = output.replace(dialog, f'{dialog} aria-label="Search"', 1)
    return output.replace('<html lang="en"', '<html lang="zh"', 1) if page.file.src_uri == CHINESE else output
