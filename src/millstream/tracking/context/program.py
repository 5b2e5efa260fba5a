"""How the program of a run was started, so that it can be started again: file, arguments, folder.

Nothing that looks like a password or a token is recorded, and nothing at all where CAPTURE_PROGRAM is off.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import sys
from pathlib import Path

from millstream import settings
from millstream.tracking.context.git import Checkout
from millstream.tracking.context.source import started_module

PROGRAM = "millstream.program"

# The value of an option with such a name is not recorded; in its place stands null.
_SECRET = re.compile(r"(^|[-_.])(password|passwd|pwd|secret|token|credentials?|(api|access|private)[-_.]?key)$", re.I)
_CREDENTIALS = re.compile(r"://[^/\s]*:[^/\s]*@")
_LONGEST = 7_000  # characters; a tag that is cut off is no JSON


class Program:
    """The provider for a program that is a file or a module of the user's."""

    def __init__(self) -> None:
        self.file = program_file()

    def in_context(self) -> bool:
        """Whether there is such a file, and it may be recorded."""
        return self.file is not None and settings.CAPTURE_PROGRAM.get()

    def tags(self) -> dict[str, str]:
        """One tag: a JSON object with ``path``, ``sha256``, ``module`` (after ``-m``), ``arguments``, ``folder`` and
        ``repository``, the folder of the checkout that the file lies in.

        ``arguments`` holds null for each that is not recorded.
        """
        if self.file is None:
            return {}
        checkout = Checkout.containing(Path(self.file).parent)
        started = {"path": self.file, "sha256": _sha256(self.file), "module": started_module(),
                   "arguments": without_secrets(sys.argv[1:]), "folder": os.getcwd(),
                   "repository": str(checkout.root) if checkout else None}
        text = json.dumps(started)
        return {PROGRAM: text} if len(text) <= _LONGEST else {PROGRAM: json.dumps({**started, "arguments": [None]})}


def program_file() -> str | None:
    """The absolute path of the file that was started; None at a prompt, in a kernel and for installed programs."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file or not os.path.isfile(file):
        return None
    path = Path(os.path.abspath(file))
    if path.is_relative_to(sys.prefix) or path.is_relative_to(sys.base_prefix):
        return None
    return str(path)


def without_secrets(arguments: list[str]) -> list[str | None]:
    """The arguments, with None for the values of options that are named like secrets, and for addresses with
    credentials."""
    kept: list[str | None] = []
    is_secret = False
    for argument in arguments:
        option, equals, _ = argument.partition("=")
        names_secret = bool(_SECRET.search(option.lstrip("-")))
        if is_secret or (names_secret and equals) or _CREDENTIALS.search(argument):
            kept.append(None)
            is_secret = False
        else:
            kept.append(argument)
            is_secret = names_secret and argument.startswith("-")
    return kept


@functools.cache
def _sha256(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
