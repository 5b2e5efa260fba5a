"""Where a project comes from: a folder, a git repository, an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """A project's files on this machine, and where they are from.

    ``folder`` is the project's own, in which commands run; ``version`` is what was asked for (branch, tag or commit),
    ``commit`` the full id of what was found, ``repository`` the address, without credentials, and ``branch`` the name
    where what was asked for is a branch, or where the folder's checkout is on one. ``temporary`` says that the files
    were fetched for this run.
    """

    uri: str
    folder: Path
    version: str | None = None
    commit: str | None = None
    repository: str | None = None
    branch: str | None = None
    subfolder: str = ""
    temporary: bool = False
