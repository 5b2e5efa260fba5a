"""The requirements of a model from a project that uv has locked, and the files that tell them, taken along.

Format of the lock: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from millstream.environments import native
from millstream.errors import InvalidValue

FILES = (native.FILE, native.LOCK, native.PYTHON)


def requirements_of(
    project: str | os.PathLike[str], groups: Iterable[str] | None = None, extras: Iterable[str] | None = None
) -> list[str]:
    """What the lock of a project pins: its dependencies, and those of these groups and extras.

    Raises InvalidValue for a folder that is no locked project, and for a group or extra that it does not have.
    """
    folder = Path(project)
    missing = [name for name in FILES[:2] if not (folder / name).is_file()]
    if missing:
        raise InvalidValue(f"{folder} is no project that uv has locked: it has no {' and no '.join(missing)}",
                           hint="run `uv lock` in the project")
    options = ["--no-hashes", "--no-emit-project", "--no-default-groups"]
    for name in groups or ():
        options += ["--group", name]
    for name in extras or ():
        options += ["--extra", name]
    return [line for line in native.locked(folder, *options).splitlines() if line.strip()]


def take_along(project: str | os.PathLike[str], folder: Path) -> None:
    """Copy the files that tell the project's requirements into a model folder."""
    for name in FILES:
        if (Path(project) / name).is_file():
            shutil.copyfile(Path(project) / name, folder / name)
