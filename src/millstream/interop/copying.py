"""Artifacts of the source go into artifact stores of the destination, and are compared by SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from millstream import settings
from millstream.artifacts.contract import ArtifactStore
from millstream.errors import MillstreamError

Advance = Callable[[int], None]


class Copied(NamedTuple):
    """What became of one file: its bytes, and why it is not whole here (None: its checksum is the same)."""

    path: str
    size: int
    problem: str | None


def copy_files(source: ArtifactStore, destination: ArtifactStore, advance: Advance) -> Iterator[Copied]:
    """Copy every file below the root of ``source`` that ``destination`` lacks; each is read back and compared.

    A file that is there with the same checksum is left alone. ``advance`` is told how many more bytes are done.
    """
    there = {entry.path: entry.file_size for entry in destination.walk()}

    def copy(wanted: tuple[str, int]) -> Copied:
        path, size = wanted
        try:
            problem = _copy(source, destination, path, there.get(path) == size)
        except MillstreamError as error:
            problem = error.message
        advance(size)
        return Copied(path, size, problem)

    files = [(entry.path, entry.file_size or 0) for entry in source.walk()]
    with ThreadPoolExecutor(max(1, settings.TRANSFER_THREADS.get()), thread_name_prefix="millstream-copy") as pool:
        yield from pool.map(copy, files)


def _copy(source: ArtifactStore, destination: ArtifactStore, path: str, is_there: bool) -> str | None:
    if is_there and _sha256(source, path) == _sha256(destination, path):
        return None
    digest = hashlib.sha256()
    with source.open(path) as content:
        made = destination.write(path, _digested(content, digest.update), content.file_size)
    arrived = made.sha256 or _sha256(destination, path)
    if arrived == digest.hexdigest():
        return None
    return f"its SHA-256 is {digest.hexdigest()} in the source and {arrived} here"


def _digested(chunks: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk


def _sha256(store: ArtifactStore, path: str) -> str:
    digest = hashlib.sha256()
    with store.open(path) as content:
        for chunk in content:
            digest.update(chunk)
    return digest.hexdigest()
