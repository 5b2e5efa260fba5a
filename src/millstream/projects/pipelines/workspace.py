"""The folders that steps run in: each its own, with the code, the data and the outputs that the step says it needs.

So a step cannot use what it does not name, steps that run at the same time do not see each other's files, and whatever
is killed leaves no half-written file where somebody would look for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from millstream.errors import BadPipeline
from millstream.projects.pipelines.code import Code

__all__ = ["furnish", "work_folder"]

_PREFIX = "millstream-pipeline-"
_LOCK = ".lock"


@contextlib.contextmanager
def work_folder(root: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """A folder for one pipeline, in ``root`` or among the temporary files; removed at the end.

    Those of pipelines that were killed are removed first: a lock that nobody holds tells them.
    """
    place = Path(root or tempfile.gettempdir()).absolute()
    place.mkdir(parents=True, exist_ok=True)
    _sweep(place)
    made = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=place))
    folder = made.with_name(made.name[1:])
    try:
        with open(made / _LOCK, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made.rename(folder)  # whoever sweeps sees it when it is locked
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def furnish(
    place: Path, code: Code, data: Iterable[str], project: Path, inputs: Mapping[Path, str], makes: Iterable[str]
) -> None:
    """Make the folder of a step: copies of the code and of ``inputs`` (file or folder → path in the new folder), links
    to the ``data`` of the project, and the folders around what it ``makes``.

    Raises BadPipeline for data in the place of an input.
    """
    place.mkdir(parents=True)
    code.copy(place)
    for path in makes:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
    for source, path in inputs.items():
        to = place / path
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(source, to)
    for path in data:
        if "://" in path or os.path.isabs(path):
            continue
        link = place / os.path.normpath(path)
        if not link.parent.resolve().is_relative_to(place.resolve()):
            raise BadPipeline(f"the data {path!r} lies outside of the project", hint="give its absolute path")
        if os.path.lexists(link):
            raise BadPipeline(f"the data {path!r} lies where a step that is needed puts an output",
                              hint="name as data what no entry point makes")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to((project / path).resolve())


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with open(folder / _LOCK, "a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
