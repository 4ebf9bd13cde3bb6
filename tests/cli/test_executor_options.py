"""``--executor``, ``--address`` and ``search.executor``: what is refused, before anything is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.combinations import each_row
from helpers.studies import search_here, write_study


@each_row(
    ("arguments", "words"),
    [
        (("--executor", "processes", "--address", "auto"), "--address is for --executor ray"),
        (("--executor", "rai"), "must be one of auto, in_process, processes, ray but got 'rai'; did you mean 'ray'?"),
        (("--set", "search.executor={kind: ray, adress: auto}"), "but got 'adress'; did you mean 'address'?"),
        (("--set", "search.executor={kind: ray, cpus_per_trial: many}"), "must have a number from 0 as cpus_per_trial"),
        (("--set", "search.executor={kind: in_process}"), "must be the name of an executor, or like {kind: ray"),
        (("--set", "search.executor={kind: processes, start_method: fork}"), "must have spawn as start_method"),
        (
            ("--set", "search.executor={kind: processes, address: auto}"),
            "can have kind, start_method but got 'address'",
        ),
        (("--address", "ray://10.0.0.5:10001"), "has the address 'ray://10.0.0.5:10001' of a Ray client"),
        (("--executor", "ray"), "the package ray is not installed; run pip install 'lstmgru-search[ray]'"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it was not installed
    write_study(tmp_path)
    (tmp_path / "studies").mkdir()
    journal = tmp_path / "studies" / "tiny.journal"
    journal.write_text("what was there")
    result = search_here(tmp_path, "run", "tiny.yaml", "--fresh", *arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert journal.read_text() == "what was there"
