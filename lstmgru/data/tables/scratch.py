"""Temporary files without a name, of which nothing is left when a process is killed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from lstmgru.errors import DataError


@contextmanager
def scratch_file() -> Iterator[IO[bytes]]:
    """Yield an empty file.

    Raises:
        DataError: It cannot be written, as the disk is full.
    """
    with naming_scratch(), tempfile.TemporaryFile() as file:
        yield file


@contextmanager
def naming_scratch() -> Iterator[None]:
    """Name the folder of temporary files in errors of writing one, which name no file."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise DataError(
            f"{tempfile.gettempdir()}: a temporary file cannot be written: {error.strerror}; set TMPDIR to a folder "
            "with more space"
        ) from error
