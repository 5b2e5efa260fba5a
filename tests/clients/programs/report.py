"""What every program here leaves behind: one JSON document in which two servers can be compared.

Ids, times and places differ from server to server. A program gives each id a name with :meth:`Report.name`; wherever
the id occurs in a kept value, its name is shown instead. Only the standard library is used, as this runs in the
environment of a foreign client.
"""

from __future__ import annotations

import json
import math
import re
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any


class Report:
    """The document of one program."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex[:12]
        self._names: dict[str, str] = {self.token: "<token>"}
        self._kept: dict[str, Any] = {}

    def name(self, volatile: object, name: str) -> Any:
        """Shows ``volatile`` as ``<name>`` from now on; returns it.

        An id as short as "3" could mean anything in a kept value, so those are only shown by :meth:`called`.
        """
        self._names[str(volatile)] = f"<{name}>"
        return volatile

    def called(self, volatile: object) -> str:
        """The name given to ``volatile``, itself when it has none."""
        return self._names.get(str(volatile), str(volatile))

    def keep(self, key: str, value: object) -> None:
        """Puts ``value`` into the document."""
        key = str(self._normal(key))
        if key in self._kept:
            raise KeyError(f"{key} is kept twice")
        self._kept[key] = self._normal(value)

    def refused(self, key: str, call: Callable[..., object], *args: object, **kwargs: object) -> None:
        """Makes a call that a server may refuse, and keeps the error code, or that it was accepted."""
        try:
            call(*args, **kwargs)
        except Exception as error:
            code = getattr(error, "error_code", None)
            self.keep(key, {"error": type(error).__name__, "error_code": code})
        else:
            self.keep(key, "accepted")

    def _normal(self, value: object) -> Any:
        if isinstance(value, Mapping):
            return {str(self._normal(key)): self._normal(item) for key, item in value.items()}
        if isinstance(value, (set, frozenset)):
            return sorted((self._normal(item) for item in value), key=str)
        if isinstance(value, (list, tuple)):
            return [self._normal(item) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            return f"<{value}>"
        if isinstance(value, (bool, int, float)) or value is None:
            return value
        text = str(value)
        for volatile in sorted(self._names, key=len, reverse=True):
            if len(volatile) >= 8:
                text = text.replace(volatile, self._names[volatile])
        return text

    def show(self) -> None:
        """Writes the document to the file that the command line names; clients print lines of their own to stdout."""
        text = json.dumps(self._kept, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(text + "\n")


def version(text: str) -> tuple[int, int]:
    """``(major, minor)`` of a version, for features that came with one."""
    found = re.match(r"(\d+)\.(\d+)", text)
    assert found, text
    return int(found[1]), int(found[2])
