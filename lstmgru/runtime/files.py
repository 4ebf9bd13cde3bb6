"""The files of a saved bundle: their names, and their content, which must be what was written."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.errors import BundleError, LstmGruError
from lstmgru.runtime.versions import READABLE_VERSIONS, upgraded

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTION = "bundle.json"
"""The file that makes a directory a bundle."""
WEIGHTS = "weights.safetensors"
VOCABULARY = "vocabulary.json"
ONNX = "model.onnx"
NETWORKS = "networks.onnx"
"""The networks of a blend that cannot stand in ONNX as a whole."""
CARD = "MODEL_CARD.md"
EXAMPLE = "example.json"
MANIFEST = "manifest.json"
"""The digest of every other file."""

EXPORT_AGAIN = "export the model again"
"""What to do about a damaged bundle."""


@dataclass(frozen=True)
class BundleFiles:
    """The directory of a saved bundle.

    Attributes:
        folder: The directory.
        digests: Digest of each file; empty in a bundle of an earlier version, which has no manifest.
    """

    folder: Path
    digests: dict[str, Any]

    @classmethod
    def of(cls, directory: Path | str) -> Self:
        """Find a bundle, and read its manifest.

        Raises:
            BundleError: The directory does not exist, or the manifest is damaged.
        """
        given = Path(directory)
        folder = present(given)
        if not folder.is_dir():
            what = "is a file, not the directory of a bundle" if folder.exists() else "does not exist"
            raise BundleError(f"{given} {what}; pass the directory of an exported model")
        path = folder / MANIFEST
        if not path.exists():
            return cls(folder, {})
        found = _parse(path, cls(folder, {}).read(MANIFEST)).get("sha256")
        if not isinstance(found, dict) or not found:
            raise BundleError(f"{path} is damaged: it has no digests under 'sha256'; {EXPORT_AGAIN}")
        return cls(folder, found)

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            BundleError: It is missing or cannot be read, or is not the one of the manifest.
        """
        path = self.folder / name
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise BundleError(f"{path.parent} is not a complete bundle: {name} is missing; {EXPORT_AGAIN}") from error
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror}") from error
        if self.digests:
            self.check_digest(name, content, self.digests.get(name), MANIFEST)
        return content

    def check_digest(self, name: str, content: bytes, expected: object, source: str = DESCRIPTION) -> None:
        """Refuse content that is not the one that another file describes.

        Raises:
            BundleError: Its digest differs.
        """
        if digest(content) != expected:
            raise BundleError(
                f"{self.folder / name} is not the file that {source} describes (SHA-256): it was changed; "
                f"{EXPORT_AGAIN}"
            )

    def description(self) -> dict[str, Any]:
        """The content of ``bundle.json``, in the form of the current version.

        Raises:
            BundleError: The file is missing or damaged, or of an unknown version, or the manifest is missing.
        """
        path = self.folder / DESCRIPTION
        description = _parse(path, self.read(DESCRIPTION))
        version = description.get("format_version")
        if version not in READABLE_VERSIONS:
            raise BundleError(
                f"{path} has format version {version!r}, but this version of lstmgru reads "
                f"{', '.join(map(str, READABLE_VERSIONS))}; load it with the version that wrote it, or {EXPORT_AGAIN}"
            )
        if "manifest" in description and not self.digests:
            raise BundleError(f"{self.folder} is not a complete bundle: {MANIFEST} is missing; {EXPORT_AGAIN}")
        with self.described():
            return upgraded(description)

    def vocabularies(self, description: dict[str, Any]) -> list[dict[str, Any]]:
        """The content of each vocabulary file.

        Args:
            description: The content of ``bundle.json``.

        Raises:
            BundleError: A file is missing or damaged.
            KeyError, TypeError: A key is missing or a value is invalid.
        """
        found = []
        for number, described in enumerate(description["vocabularies"]):
            name = vocabulary_name(number)
            content = self.read(name)
            self.check_digest(name, content, described["sha256"])
            found.append(_parse(self.folder / name, content))
        return found

    def arrays(self, description: dict[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
        """The arrays beside the weights, by name; a bundle of an earlier version has none.

        Args:
            description: The content of ``bundle.json``.

        Raises:
            BundleError: A file is missing or damaged.
            KeyError, TypeError: A key is missing or a value is invalid.
        """
        found = {}
        for name, described in description.get("arrays", {}).items():
            content = self.read(array_name(name))
            self.check_digest(array_name(name), content, described["sha256"])
            try:
                found[name] = np.load(io.BytesIO(content), allow_pickle=False)
            except (ValueError, EOFError) as error:
                path = self.folder / array_name(name)
                raise BundleError(f"{path} is damaged: {one_line(error)}; {EXPORT_AGAIN}") from error
        return found

    def example(self) -> pd.DataFrame | None:
        """The example table; ``None`` if there is no file, as it is optional.

        Raises:
            BundleError: The file is damaged.
        """
        import pandas as pd

        path = self.folder / EXAMPLE
        if not path.exists():
            return None
        try:
            content = _parse(path, self.read(EXAMPLE))
            return pd.DataFrame(content["data"], columns=content["columns"])
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path} is damaged: {one_line(error)}; {EXPORT_AGAIN}") from error

    @contextmanager
    def described(self) -> Iterator[None]:
        """Report what is missing or invalid in ``bundle.json``.

        Raises:
            BundleError: Instead of the error of the block.
        """
        try:
            yield
        except BundleError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, LstmGruError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else f"holds an invalid value ({one_line(error)})"
            raise BundleError(f"{self.folder / DESCRIPTION} {what}; {EXPORT_AGAIN}") from error


def present(directory: Path) -> Path:
    """Where a bundle is: usually ``directory``; its backup if a process was killed between the two renames."""
    previous = backup_of(directory.resolve())
    return previous if not directory.exists() and previous.exists() else directory


def backup_of(directory: Path) -> Path:
    """Where a bundle is kept while another one takes its place."""
    return directory.with_name(f".{directory.name}.previous")


def vocabulary_name(number: int) -> str:
    """The file of a vocabulary: ``vocabulary.json``, ``vocabulary-2.json``, …

    Args:
        number: Its position among the vocabularies, from 0.
    """
    return VOCABULARY if number == 0 else f"{Path(VOCABULARY).stem}-{number + 1}.json"


def array_name(name: str) -> str:
    """The file of an array beside the weights: ``normal_scores.npy``."""
    return f"{name}.npy"


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split())


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {one_line(error)}; {EXPORT_AGAIN}") from error
    if not isinstance(parsed, dict):
        raise BundleError(f"{path} must hold a JSON object but holds a {type(parsed).__name__}; {EXPORT_AGAIN}")
    return parsed
