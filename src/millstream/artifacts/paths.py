"""The one place where a relative artifact path is checked, whoever names it: a client, a server, a listing.

A path is text with ``/`` between names, decoded once by whatever carried it, and meant exactly as it reads. Anything
that a later reader could take for something else is refused instead of repaired: a path that passes means the same
file to a URL parser, an object store and a disk. What passes here is then confined by the store itself (see
:mod:`millstream.artifacts.local`): the check is the first wall, not the only one.

Spaces, letters of any script and ``= + @ & ( ) [ ] , ! ~ ' $ % :`` are ordinary characters of names. A ``%`` is refused
only before two hexadecimal digits, where something behind us could decode it a second time; the one exception are the
names that some of MLflow's clients give to images.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NoReturn

from millstream.errors import InvalidPath

MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255

# Names that stores keep for files on their way in; no artifact is called so, and no listing shows one.
PARTIAL = re.compile(r"\.millstream-[0-9a-f]{16,64}\.part")

_NAME = r"[A-Za-z0-9_\-=+@,()\[\]!~'$& ][A-Za-z0-9_\-=+@,()\[\]!~'$& .]*"
_ORDINARY = re.compile(rf"{_NAME}(?:/{_NAME})*")
# What MLflow's clients from 2.11 to 2.14 call an image logged under a key. Decoding its ``%`` once more may spoil the
# name, but cannot lead out: the only free part is the key, which holds none.
_IMAGE_OF_MLFLOW = re.compile(
    r"(?:[^%]+/)?images/[^%/]+%step%-?\d+%timestamp%\d+%[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:%compressed)?"
    r"\.(?:png|webp)",
    re.IGNORECASE,  # of what looks like an escape, some clients make capitals on the way
)
_DECODABLE = re.compile(r"%[0-9A-Fa-f]{2}|%u[0-9A-Fa-f]{4}")
_SCHEME_OR_DRIVE = re.compile(r"[A-Za-z]:|[A-Za-z][A-Za-z0-9+.\-]*:(?:/|$)")
_FORBIDDEN = {
    "\\": "it holds a backslash, which some systems read as a separator",
    ";": "it holds ';', which ends the path in some URLs",
    "?": "it holds '?', which ends the path of a URL",
    "#": "it holds '#', which ends the path of a URL",
}


def check(path: str) -> str:
    """``path`` itself, when it names a file or folder below a root in exactly one way.

    Raises InvalidPath, with the reason, for everything else; the empty path too: it names the root.
    """
    if not isinstance(path, str):
        raise InvalidPath(f"an artifact path is text, not {type(path).__name__}")
    if len(path) < 256 and _ORDINARY.fullmatch(path):
        return path
    if not path:
        _refuse(path, "it is empty", hint="name a file or a folder below the artifact root")
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        _refuse(path, "it is not valid Unicode text")
    if len(encoded) > MAX_PATH_BYTES:
        _refuse(path, f"it has {len(encoded)} bytes; {MAX_PATH_BYTES} is the limit")
    for character in path:
        if character in _FORBIDDEN:
            _refuse(path, _FORBIDDEN[character])
        # Cc: control characters, NUL among them; Zl, Zp: line ends; Cs: halves of characters.
        if not character.isprintable() and unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs"):
            _refuse(path, f"it holds the control character U+{ord(character):04X}")
    if (decodable := _DECODABLE.search(path)) and not _IMAGE_OF_MLFLOW.fullmatch(path):
        _refuse(path, f"'{decodable.group()}' in it could be decoded once more",
                hint="send the name itself, decoded; a name that really holds such a sequence cannot be stored")
    if path.startswith("/"):
        _refuse(path, "it is absolute", hint="give the path relative to the artifact root")
    if _SCHEME_OR_DRIVE.match(path):
        _refuse(path, "it begins like a drive or a URI", hint="give the path relative to the artifact root")
    for name in path.split("/"):
        _check_name(path, name)
    return path


def check_folder(path: str | None) -> str:
    """``path`` as :func:`check` allows it; None and the empty path name the root, and come back as ``""``."""
    return check(path) if path else ""


def join(folder: str, name: str) -> str:
    """``name`` inside ``folder``; either may be empty."""
    return f"{folder}/{name}" if folder and name else folder or name


def _check_name(path: str, name: str) -> None:
    if name == "":
        _refuse(path, "it holds an empty name", hint=f"write {re.sub('/+', '/', path).strip('/')!r}")
    if name in (".", ".."):
        _refuse(path, f"it holds {name!r}", hint="name the file by its place below the artifact root")
    if len(name.encode()) > MAX_NAME_BYTES:
        _refuse(path, f"a name in it is longer than {MAX_NAME_BYTES} bytes")
    if not name.isascii():
        # Full-width dots and slashes fold to the plain ones on systems that normalise names.
        folded = unicodedata.normalize("NFKC", name)
        if folded in (".", "..") or "/" in folded or "\\" in folded:
            _refuse(path, f"the name {name!r} folds to {folded!r} where Unicode is normalised")
    if PARTIAL.fullmatch(name):
        _refuse(path, f"the name {name!r} is kept for files on their way in")


def _refuse(path: str, reason: str, *, hint: str | None = None) -> NoReturn:
    raise InvalidPath.of("path", path, reason, hint=hint)
