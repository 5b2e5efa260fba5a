"""The code of a model: copied beside it when it is saved, importable again when it is loaded.

Modules in the ``code`` folder are imported under their own names. Two models may bring different modules of one name,
so a module of that name that is loaded already, and is another one, makes room for the model's own; what was made with
it keeps it. Code that imports such a module only while it predicts sees the one of the model that was loaded last.
"""

from __future__ import annotations

import filecmp
import importlib
import os
import shutil
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from millstream.errors import AlreadyExists, InvalidPath, InvalidValue, NotFound
from millstream.models.distributions import is_installed, place_of
from millstream.models.imports import imported_by

__all__ = ["CODE_FOLDER", "copy_code", "infer_code_paths", "use_code"]

CODE_FOLDER = "code"
_LEFT_OUT = frozenset({
    "__pycache__", ".git", ".hg", ".svn", ".venv", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache", ".pytest_cache",
    ".DS_Store",
})
_lock = threading.RLock()


def copy_code(code_paths: Iterable[str | os.PathLike[str]] | None, folder: str | os.PathLike[str]) -> str | None:
    """Copy files and folders below ``folder``/code and return ``"code"``, or None when there is nothing to copy.

    Each goes there under its own last name. Byte code and the folders of version control are left out. Raises NotFound
    for a path that is not there, AlreadyExists for two of one name, and InvalidPath for a symbolic link that leads out
    of its folder.
    """
    if isinstance(code_paths, (str, os.PathLike)):
        raise InvalidValue(f"code_paths is a list of paths, not {type(code_paths).__name__}: {code_paths!r}",
                           hint=f"write code_paths=[{os.fspath(code_paths)!r}]")
    sources: dict[str, Path] = {}
    for given in code_paths or ():
        source = Path(os.path.abspath(Path(given).expanduser()))
        if not source.exists():
            raise NotFound(f"the code path {os.fspath(given)!r} does not exist (looked for {source})",
                           hint="paths are taken from the working directory")
        if source.name in sources and sources[source.name] != source:
            raise AlreadyExists(
                f"two code paths have the name {source.name!r}: {sources[source.name]} and {source}",
                hint="they would be one file in the model; rename one, or put them into packages",
            )
        sources[source.name] = source
    if not sources:
        return None
    target = Path(folder).resolve() / CODE_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        _copy(source.resolve(), target / name, source.resolve(), target.parent, ())
    return CODE_FOLDER


def _copy(source: Path, target: Path, root: Path, model: Path, above: tuple[Path, ...]) -> None:
    place = source.resolve()
    if not place.is_relative_to(root):
        raise InvalidPath(f"the code path {root} has a symbolic link that leads out of it: {source}",
                          hint="copy the file there, or give its own path in code_paths")
    if place in above:
        raise InvalidPath(f"the code path {root} has a symbolic link to a folder that it lies in: {source}")
    if source.is_dir():
        if place == model:  # saved into a folder of its own code
            return
        target.mkdir(exist_ok=True)
        for entry in sorted(source.iterdir()):
            if entry.name not in _LEFT_OUT and entry.suffix != ".pyc":
                _copy(entry, target / entry.name, root, model, (*above, place))
    elif source.is_file():
        shutil.copyfile(source, target)
    else:
        raise InvalidPath(f"the code path {source} is neither a file nor a folder")


def use_code(folder: str | os.PathLike[str]) -> list[str]:
    """Make the modules in the code folder importable before all others, and return their names.

    Modules that are loaded under these names from elsewhere and differ are forgotten first, so that the next import
    finds the model's own; equal ones stay, so that a class keeps its identity. Modules of Python itself and those with
    compiled parts stay in any case.
    """
    root = Path(folder).resolve()
    names = _modules_in(root)
    with _lock:
        for name in names:
            _forget_others(name, root)
        place = str(root)
        if sys.path[:1] != [place]:
            sys.path[:] = [place, *(entry for entry in sys.path if entry != place)]
        importlib.invalidate_caches()
    return names


def _modules_in(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    entries = (entry for entry in root.iterdir() if entry.name not in _LEFT_OUT)
    found = {entry.stem if entry.is_file() else entry.name for entry in entries
             if entry.suffix == ".py" or (entry.is_dir() and any(entry.rglob("*.py")))}
    return sorted(name for name in found if name.isidentifier())


def _forget_others(name: str, root: Path) -> None:
    loaded = {key: module for key, module in list(sys.modules.items())
              if (key == name or key.startswith(f"{name}.")) and isinstance(module, ModuleType)}
    if not loaded or name in sys.stdlib_module_names or name == __package__.partition(".")[0]:
        return
    files = {key: getattr(module, "__file__", None) for key, module in loaded.items()}
    if any(file and not file.endswith((".py", ".pyc")) for file in files.values()):
        return
    if all(_same(key, file, root) for key, file in files.items()):
        return
    for key in loaded:
        sys.modules.pop(key, None)


def _same(module: str, file: str | None, root: Path) -> bool:
    place = root.joinpath(*module.split("."))
    own = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if file is None:  # a namespace package has no content of its own
        return place.is_dir() and not own.exists()
    try:
        return os.path.samefile(file, own) or filecmp.cmp(file, own, shallow=False)
    except OSError:
        return False


def infer_code_paths(modules: Iterable[str]) -> list[str]:
    """The files and folders of this project that the model uses, as code paths.

    ``modules`` are those that the model names; what they import is followed. Only what is not installed counts, and a
    package counts as a whole. The paths are absolute and sorted.
    """
    found: dict[str, str] = {}
    waiting = sorted({name.partition(".")[0] for name in modules})
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        path = _local(name)
        if path is None:
            continue
        found[name] = str(path)
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        for file in files:
            for imported in sorted({dotted.partition(".")[0] for dotted in imported_by(file)} - seen):
                seen.add(imported)
                waiting.append(imported)
    return sorted(found.values())


def _local(name: str) -> Path | None:
    if name in sys.stdlib_module_names or name in ("__main__", __package__.partition(".")[0]):
        return None
    file = place_of(name)
    if file is None or is_installed(file) or not file.endswith(".py"):
        return None
    path = Path(file)
    return path.parent if path.name == "__init__.py" else path
