"""Small studies of labels on small tables, for tests that run the whole program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

WAVES = """\
name: waves
task: classification
data:
  path: waves.csv
  id: wave
  time: step
  target: kind
splits:
  folds: 2
search:
  trials: 3
  jobs: 1
space:
  preset: small
  hidden_size: [8, 16]
  learning_rate: 0.01
  batch_size: 8
training:
  max_epochs: 12
  accelerator: cpu
"""
"""Sequences of two channels and unequal lengths, in three classes."""

NOTES = """\
name: notes
task: classification
data:
  path: notes.csv
  text: note
  target: mood
  group: author
labels:
  metric: macro_f1
splits:
  folds: 2
search:
  trials: 2
  jobs: 1
space:
  preset: small
  hidden_size: 16
  learning_rate: 0.01
  batch_size: 8
training:
  max_epochs: 10
  accelerator: cpu
"""
"""Texts in two classes, by 12 authors."""

SUMS = """\
name: sums
task: regression
data:
  path: sums.csv
  target: total
splits:
  folds: 2
search:
  trials: 2
  jobs: 1
space:
  preset: small
  hidden_size: 16
  learning_rate: 0.01
training:
  max_epochs: 12
  accelerator: cpu
"""
"""A sequence a row, and what it adds up to."""

_GOOD, _BAD = ("bright", "warm", "lovely", "calm"), ("gray", "cold", "dreadful", "loud")
_NEUTRAL = ("the", "day", "was", "a", "walk", "we", "had", "in", "town")


def wave_table(count: int = 60) -> pd.DataFrame:
    """Slow, fast and no waves, of 8 to 14 steps."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        kind = ("fast", "flat", "slow")[number % 3]
        steps = np.arange(generator.integers(8, 15))
        rate = {"fast": 2.0, "slow": 0.5, "flat": 0.0}[kind]
        values = np.sin(rate * steps + generator.uniform(0, 6)) * (rate > 0) + generator.normal(0, 0.1, len(steps))
        rows += [(f"w{number}", step, value, -value, kind) for step, value in zip(steps, values, strict=True)]
    frame = pd.DataFrame(rows, columns=["wave", "step", "left", "right", "kind"])
    return frame.round({"left": 4, "right": 4})


def note_table(count: int = 96) -> pd.DataFrame:
    """Two words of a mood among others that say nothing."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        words = [*generator.choice(_NEUTRAL, 4), *generator.choice(_GOOD if number % 2 else _BAD, 2)]
        generator.shuffle(words)
        rows.append((" ".join(words).capitalize() + ".", "good" if number % 2 else "bad", f"author {number // 8}"))
    return pd.DataFrame(rows, columns=["note", "mood", "author"])


def sum_table(count: int = 60) -> pd.DataFrame:
    """Six numbers, and their sum."""
    values = np.random.default_rng(0).normal(0, 1, (count, 6)).round(3)
    frame = pd.DataFrame(values, columns=[f"t{step}" for step in range(1, 7)])
    return frame.assign(total=values.sum(axis=1).round(3))


def write_label_study(folder: Path, text: str = WAVES, table: pd.DataFrame | None = None) -> Path:
    """The study and its table in a folder; returns the study file."""
    name = text.partition("name: ")[2].partition("\n")[0]
    tables = {"waves": wave_table, "notes": note_table, "sums": sum_table}
    (tables[name]() if table is None else table).to_csv(folder / f"{name}.csv", index=False)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path
