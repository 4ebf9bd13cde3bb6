"""Damages of files."""

from __future__ import annotations

from pathlib import Path


def seem_encrypted(path: Path) -> None:
    """Set the bits of a ZIP file that say that its first member is encrypted."""
    content = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1
    path.write_bytes(content)
