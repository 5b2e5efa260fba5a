"""The files that are predicted: named one by one, by a folder or by a pattern, or standard input."""

from __future__ import annotations

import glob
import gzip
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, cast

from millstream.errors import InvalidValue, NotFound

__all__ = ["KINDS", "Source", "find", "kind_of"]

# By suffix; "json" is the body of one request to a scoring server, "jsonl" a row on each line.
KINDS = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet",
         ".pq": "parquet"}
_BUFFER = 1024 * 1024
_CONTENT_TYPES = {
    "application/json": "json", "application/x-ndjson": "jsonl", "application/jsonl": "jsonl", "ndjson": "jsonl",
    "text/csv": "csv", "application/vnd.apache.parquet": "parquet",
}


@dataclass(frozen=True)
class Source:
    """A file (``path`` None: standard input) of one of the :data:`KINDS`; a name that ends in ``.gz`` is unpacked."""

    path: Path | None
    kind: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return "standard input" if self.path is None else str(self.path)

    def open(self) -> BufferedReader:
        """Its bytes from the beginning. Raises NotFound and InvalidValue for what cannot be read."""
        if self.path is None:
            return BufferedReader(open(os.dup(sys.stdin.fileno()), "rb", buffering=0), _BUFFER)
        try:
            if self.path.suffix == ".gz":
                return BufferedReader(cast("RawIOBase", gzip.open(self.path, "rb")), _BUFFER)
            return BufferedReader(open(self.path, "rb", buffering=0), _BUFFER)
        except FileNotFoundError:
            raise NotFound(f"there is no file {self.path}", hint="name a file, a folder or a pattern") from None
        except OSError as error:
            raise InvalidValue(f"{self.path} cannot be read: {error.strerror}") from None


def kind_of(content_type: str) -> str:
    """One of the kinds, named by itself or by its media type. Raises InvalidValue."""
    kind = _CONTENT_TYPES.get(content_type, content_type)
    if kind not in KINDS.values():
        raise InvalidValue.of("content_type", content_type,
                              f"it is none of {', '.join(dict.fromkeys(KINDS.values()))}")
    return kind


def find(named: Any, content_type: str | None) -> list[Source]:
    """The files of a path, a folder, a pattern (``data/*.csv``) or a list of those, in the order of their names.

    A folder means the files below it whose names end as one of the kinds does (or as the one asked for does); hidden
    ones and those that begin with ``_`` are left out, as engines write their notes there. Without a content type the
    names tell, and a file whose name does not is JSON. Raises NotFound, and InvalidValue for files of several kinds.
    """
    kind = None if content_type is None else kind_of(content_type)
    if named is None:
        return [Source(None, kind or "json")]
    given = [named] if isinstance(named, (str, os.PathLike)) else list(named)
    if not given:
        raise InvalidValue("no file is named", hint="give the path of one")
    found = [Source(path, kind or _kind(path) or "json") for one in given for path in _files(os.fspath(one), kind)]
    kinds = sorted({source.kind for source in found})
    if len(kinds) > 1:
        raise InvalidValue(f"the files are of several kinds: {', '.join(kinds)}",
                           hint="name those of one kind, or say which is meant by a content type")
    return found


def _kind(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return KINDS.get(suffixes[-1]) if suffixes else None


def _files(named: str, kind: str | None) -> Iterable[Path]:
    path = Path(named)
    if path.is_dir():
        below = (one for one in path.rglob("*") if not any(part[0] in "._" for part in one.relative_to(path).parts))
        fitting = (one for one in below if one.is_file() and _kind(one) and kind in (None, _kind(one)))
        found = sorted(fitting, key=_order)
        if not found:
            raise NotFound(f"the folder {path} has no files to predict",
                           hint=f"their names end in one of {', '.join(KINDS)}")
        return found
    if path.exists() or not glob.has_magic(named):
        return [path]
    matched = sorted((Path(one) for one in glob.glob(named, recursive=True) if os.path.isfile(one)), key=_order)
    if not matched:
        raise NotFound(f"no file matches {named}", hint="a folder stands for all files in it")
    return matched


def _order(path: Path) -> list[Any]:
    """Names with numbers in the order of the numbers: part-2 before part-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]
