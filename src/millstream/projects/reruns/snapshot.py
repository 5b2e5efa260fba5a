"""The code of a run, kept as an artifact of it where no commit of a repository holds it."""

from __future__ import annotations

import gzip
import io
import logging
import os
import posixpath
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.entities import RunTag
from millstream.errors import CannotRerun, IntegrityError
from millstream.operations import LogBatch
from millstream.projects.pipelines.code import Code, counted_files, is_counted, read
from millstream.tracking.context.git import DIRTY
from millstream.tracking.files import artifacts_of_run
from millstream.tracking.stores import store

if TYPE_CHECKING:
    from millstream.projects.sources import Source

__all__ = ["ARTIFACT", "DIGEST", "LARGEST", "has_changes", "keep", "note", "restore"]

logger = logging.getLogger("millstream")

ARTIFACT = "project/code.tar.gz"
DIGEST = "millstream.project.code"  # of the code that a run was started with, whether it is kept or not
# Bytes of code that are kept with a run.
LARGEST = 32 << 20


def has_changes(folder: Path) -> bool | None:
    """Whether files of ``folder`` that count differ from the commit that is checked out; None where git cannot say."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "status.relativePaths=false", "status", "--porcelain", "-z",
               "--untracked-files=all", "--no-renames", "--", "."]
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=True,
                              env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):
        return None
    return any(is_counted(os.fsdecode(entry[3:])) for entry in done.stdout.split(b"\0") if entry)


def note(source: Source, run_id: str, uri: str, code: Code | None = None) -> None:
    """Record what no commit has of the code that a run is started with: whether there is anything, and that code.

    ``code`` is what counts of the source's folder, unless given all of it. Code with data among it is left alone.
    """
    changed = has_changes(source.folder) if source.commit else None
    if changed is not None:
        store(uri).execute(LogBatch(run_id, tags=[RunTag(DIRTY, str(changed).lower())]))
    if changed is False:
        return
    if code is None:
        paths = counted_files(source.folder)
        if sum(os.lstat(source.folder / path).st_size for path in paths) > LARGEST:
            return
        code = read(source.folder, paths)
    keep(code, run_id, uri)


def keep(code: Code, run_id: str, uri: str) -> None:
    """Keep the code with the run: its digest as a tag, and itself as an artifact unless it is larger than
    :data:`LARGEST`."""
    size = sum(os.lstat(code.folder / path).st_size for path in code.files)
    if size <= LARGEST:
        artifacts_of_run(run_id, uri).write(ARTIFACT, [_packed(code)])
    else:
        logger.warning("the code of the run %s is not kept with it: it has %.0f MB, and %.0f are the most", run_id,
                       size / 1e6, LARGEST / 1e6)
    store(uri).execute(LogBatch(run_id, tags=[RunTag(DIGEST, code.digest)]))


def restore(run_id: str, digest: str, to: Path, uri: str) -> Code:
    """Unpack the code that was kept with a run into the folder ``to``.

    Raises ArtifactNotFound where none was kept, CannotRerun for an archive that leads out of the folder, and
    IntegrityError when the code is not the one with this digest.
    """
    packed = artifacts_of_run(run_id, uri).open(ARTIFACT).read()
    to.mkdir(parents=True, exist_ok=True)
    links: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            for member in archive:
                if member.issym():
                    links.append(member)
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise _led_astray(run_id, member.name)
                place = to / _confined(run_id, member.name)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read())
                place.chmod(0o755 if member.mode & 0o100 else 0o644)
    except tarfile.TarError as error:
        raise IntegrityError(f"the code kept with the run {run_id} cannot be unpacked: {error}") from None
    for member in links:  # last, so that nothing is written through one
        place = to / _confined(run_id, member.name)
        if not place.parent.resolve().is_relative_to(to.resolve()):
            raise _led_astray(run_id, member.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(member.linkname)
    code = read(to)
    if code.digest != digest:
        raise IntegrityError(f"the code kept with the run {run_id} is not what the run was started with")
    return code


def _packed(code: Code) -> bytes:
    """A tar file that is the same for the same files."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(code.files):
            member = archive.gettarinfo(code.folder / path, path)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = 0
            if member.issym():
                archive.addfile(member)
                continue
            member.type = tarfile.REGTYPE  # two names of one file are two files
            member.size = os.stat(code.folder / path).st_size
            with open(code.folder / path, "rb") as file:
                archive.addfile(member, file)
    return packed.getvalue()


def _confined(run_id: str, path: str) -> str:
    normal = posixpath.normpath(path)
    if normal.startswith(("/", "../")) or normal in ("..", ".") or "\\" in normal:
        raise _led_astray(run_id, path)
    return normal


def _led_astray(run_id: str, path: str) -> CannotRerun:
    return CannotRerun(f"the code kept with the run {run_id} holds what is no file of a project: {path!r}",
                       hint="it was not written by Millstream; do not run it")
