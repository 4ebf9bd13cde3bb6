"""Data sets of labeled sequences and texts that ship with packages."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lstmgru.data.sequences.table import Roles
from lstmgru.data.tables.archives import LabeledTable, read_archives
from lstmgru.data.tables.datasets import Dataset, find_dataset, locate

LANGUAGES = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fr": "French",
    "ja": "Japanese",
    "nl": "Dutch",
    "pt": "Portuguese",
    "ru": "Russian",
    "sk": "Slovak",
    "sv": "Swedish",
    "uk": "Ukrainian",
}
"""Four scripts, and in three of them pairs that are easily confused: Czech and Slovak, Danish and Swedish, Dutch and
German, Spanish and Portuguese; Russian and Ukrainian; Arabic and Persian. Japanese stands alone."""


def _read_vowels(path: Path) -> LabeledTable:
    return read_archives(path, path.with_name(path.name.replace("TRAIN", "TEST")))


def _read_languages(path: Path) -> LabeledTable:
    """The names that one language alone has: of a name that several share nobody could tell whose it is."""
    # The files are pickled objects of the package, so that only the package can read them; it is small.
    from babel import Locale

    rows = []
    for code, language in LANGUAGES.items():
        locale = Locale.parse(code)
        names = {**locale.languages, **locale.territories}
        # Austrian German is kept together with German: its name says it too.
        rows += [(names[key], language, key.partition("_")[0]) for key in sorted(names)]
    frame = pd.DataFrame(rows, columns=["text", "language", "code"])
    shared = frame.groupby("text")["language"].transform("nunique") > 1
    frame = frame[~shared].drop_duplicates("text").reset_index(drop=True)
    return LabeledTable(frame, None, Roles(layout="text", target="language", text="text", group="code"))


LABELLED_DATASETS: dict[str, Dataset[LabeledTable]] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="vowels",
            package="sktime",
            file="datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts",
            license=(
                "Japanese Vowels (M. Kudo, J. Toyama, M. Shimbo, UCI Machine Learning Repository, 1999, "
                "doi:10.24432/C5NS47), CC BY 4.0; as in the UEA archive (Bagnall et al. 2018), distributed with sktime "
                "(BSD-3-Clause)"
            ),
            description=(
                "Which of nine men says two Japanese vowels: 270 utterances to learn from and 370 to test, of 7 to 29 "
                "steps with 12 coefficients each, in long format: sequence, step, channel_1 to channel_12 (no unit), "
                "label (1 to 9)"
            ),
            read=_read_vowels,
            extra="studies",
        ),
        Dataset(
            name="languages",
            package="babel",
            file="locale-data/ja.dat",
            license="Unicode CLDR, Unicode License v3, as distributed with Babel (BSD-3-Clause)",
            description=(
                "Names of places and languages in the 15 languages "
                f"{', '.join(sorted(LANGUAGES.values()))}, each a row: text, language, and code, what is named (ISO "
                "3166 or UN M.49 for a place, ISO 639 for a language). Names that several of the languages share are "
                "left out; of Portuguese it is that of Brazil"
            ),
            read=_read_languages,
            extra="studies",
        ),
    )
}


def load_labeled(name: str) -> LabeledTable:
    """A data set of labeled sequences or texts by name.

    Raises:
        DataError: The name is unknown, or the package is not installed, or in a version without the data.
    """
    dataset = find_dataset(name, LABELLED_DATASETS)
    return dataset.read(locate(dataset))
