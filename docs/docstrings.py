"""What the documentation site changes in docstrings."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":[a-z]+:`(~?)([\w.]+)`")


class Roles(griffe.Extension):
    """The roles of Sphinx become code: the name alone where the role says so with ``~``."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(
                lambda role: f"`{role[2].rpartition('.')[2] if role[1] else role[2]}`", obj.docstring.value
            )
