"""Interpreters of Python on this machine, found wherever people keep them.

This process's own comes first, then the folders of ``PATH``, those that uv installed, pyenv's, asdf's and mise's, and
the environments of conda. A name or folder that tells a version only says where to look: what counts is what the
interpreter answers when it is run, so that the shims of pyenv, which refuse, are seen through.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from millstream import settings
from millstream.environments.places import cache_folder
from millstream.errors import EnvironmentFailed, InvalidValue, PythonNotFound

__all__ = ["Interpreter", "ask", "conda_roots", "find", "installed", "uv"]

logger = logging.getLogger("millstream")

_ASK = "import json, platform, sys; print(json.dumps([list(sys.version_info[:3]), sys.implementation.name, " \
       "platform.machine(), sys.executable]))"
_NAMED = re.compile(r"python(\d(\.\d+)?)?")
_MEMORY = "interpreters.json"
_Stamp = tuple[int, int, int]
_SECONDS = 20  # for one to answer; a disk may sleep
_VERSION = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}")
_IN_NAME = re.compile(r"(?<![\d.])([23](?:\.\d{1,3}){1,2})(?![\d.]*\.?\d)")


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs: its path, its version and what it was built for."""

    path: str
    version: tuple[int, int, int]
    implementation: str = "cpython"
    machine: str = ""

    @property
    def text(self) -> str:
        """The version as text, such as ``3.11.7``."""
        return ".".join(map(str, self.version))


def find(asked: str | None = None) -> Interpreter:
    """The interpreter of the version ``asked``: ``3.11``, ``3.11.7``, or specifiers such as ``>=3.9,<3.12``.

    This process's own is taken when it fits, and when nothing is asked. Where a patch version is missing, the newest of
    the same minor version stands in, which a log line says. Nothing is downloaded, unless ALLOW_PYTHON_DOWNLOADS is
    set. Raises PythonNotFound, listing those that are there, and InvalidValue for what is no version.
    """
    wanted = (asked or "").strip()
    found = _fitting(wanted)
    if found is None and settings.ALLOW_PYTHON_DOWNLOADS.get():
        _download(wanted)
        found = _fitting(wanted)
    if found is None:
        here = ", ".join(f"{one.text} ({one.path})" for one in installed()) or "none"
        raise PythonNotFound(
            f"there is no Python {wanted} on this machine; found: {here}",
            hint=f"install it (`uv python install '{wanted}'`), or let that happen with "
                 f"{settings.ALLOW_PYTHON_DOWNLOADS.variables[0]}=true",
        )
    return found


def installed() -> list[Interpreter]:
    """Every interpreter that was found, newest first, one a version; those that do not answer are left out.

    Shims are not asked, as what they start lies in the folders too.
    """
    found: dict[tuple[int, int, int], Interpreter] = {}
    for path in (path for path, _ in _candidates() if not _is_shim(path)):
        one = ask(path)
        if one is not None:
            found.setdefault(one.version, one)
    return [found[version] for version in sorted(found, reverse=True)]


def _fitting(wanted: str) -> Interpreter | None:
    this = _this()
    if not wanted:
        return this
    if not _VERSION.fullmatch(wanted):
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            specifiers = SpecifierSet(wanted)
        except InvalidSpecifier:
            raise InvalidValue.of("python", wanted, "it is no version of Python",
                                  hint="write 3.11, 3.11.7 or >=3.9,<3.12") from None
        if specifiers.contains(this.text):
            return this
        return next((one for one in installed() if specifiers.contains(one.text)), None)
    parts = tuple(int(part) for part in wanted.split("."))
    if this.version[: len(parts)] == parts:
        return this
    near = [this] if len(parts) == 3 and this.version[:2] == parts[:2] else []
    for path, hint in _candidates():
        if hint and hint[: len(parts)][:2] != parts[:2][: len(hint)]:
            continue
        if hint is None and near:  # to ask those would take longer than they are likely to help
            break
        one = ask(path)
        if one is None:
            continue
        if one.version[: len(parts)] == parts:
            return one
        if len(parts) == 3 and one.version[:2] == parts[:2]:
            near.append(one)
    if not near:
        return None
    best = max(near, key=lambda one: one.version)
    logger.info("There is no Python %s on this machine; %s stands in", wanted, best.text)
    return best


def _candidates() -> Iterator[tuple[str, tuple[int, ...] | None]]:
    """Paths of interpreters with the version that their place tells; those whose place tells none come last."""
    seen: set[str] = set()
    unhinted: list[str] = []
    # A shim starts a shell to find what lies in the folders.
    found = sorted((*_on_path(), *_in_folders()), key=_is_shim)
    for path in found:
        if path in seen or not os.access(path, os.X_OK) or os.path.isdir(path):
            continue
        seen.add(path)
        place = path if re.search(r"python\d", os.path.basename(path)) else path.rpartition("/bin/")[0]
        told = _IN_NAME.findall(os.path.basename(place))
        if told:
            yield path, tuple(int(part) for part in told[-1].split("."))
        else:
            unhinted.append(path)
    for path in unhinted:
        yield path, None


def _is_shim(path: str) -> bool:
    return os.path.basename(os.path.dirname(path)) == "shims"


def _on_path() -> Iterator[str]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            names = os.listdir(folder) if folder else []
        except OSError:
            continue
        for name in sorted(names, reverse=True):
            if name.startswith("python") and _NAMED.fullmatch(name):
                yield os.path.join(folder, name)


def _in_folders() -> Iterator[str]:
    home = Path.home()
    variable = os.environ.get
    data = Path(variable("XDG_DATA_HOME") or home / ".local" / "share")
    folders = [
        Path(variable("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python"),
        Path(variable("PYENV_ROOT") or home / ".pyenv") / "versions",
        Path(variable("ASDF_DATA_DIR") or home / ".asdf") / "installs" / "python",
        Path(variable("MISE_DATA_DIR") or data / "mise") / "installs" / "python",
    ]
    for root in conda_roots():
        yield str(root / "bin" / "python")
        folders.append(root / "envs")
    for folder in folders:
        try:
            entries = sorted(folder.iterdir(), reverse=True)
        except OSError:
            continue
        for entry in entries:
            yield str(entry / "bin" / "python")
    try:
        listed = (home / ".conda" / "environments.txt").read_text().split("\n")
    except OSError:
        return
    yield from (os.path.join(line, "bin", "python") for line in listed if line)


def conda_roots() -> list[Path]:
    """Folders in which conda and its kin may be installed."""
    named = settings.CONDA_HOME.get()
    roots = [Path(named).expanduser()] if named else []
    if os.environ.get("CONDA_EXE"):
        roots.append(Path(os.environ["CONDA_EXE"]).parent.parent)
    roots += [Path.home() / name for name in ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")]
    if os.environ.get("MAMBA_ROOT_PREFIX"):
        roots.append(Path(os.environ["MAMBA_ROOT_PREFIX"]))
    return [*roots, Path("/opt/conda")]


@functools.cache
def _this() -> Interpreter:
    return Interpreter(sys.executable, sys.version_info[:3], sys.implementation.name, platform.machine())


_answers: dict[str, tuple[_Stamp, Interpreter | None]] = {}
_asking = threading.Lock()


def ask(path: str) -> Interpreter | None:
    """What an interpreter says of itself; None for one that does not run.

    Asked once while its file is the same: the answers of those that run are kept in the user's cache folder, as to ask
    takes longer than all else that an environment which is there already needs.
    """
    stamp = _stamp(path)
    if stamp is None:
        return None
    with _asking:
        if not _answers:
            _answers.update(_remembered())
        known = _answers.get(path)
        if known is None or known[0] != stamp:
            _answers[path] = known = (stamp, _answer(path))
            _remember()
        return known[1]


def _stamp(path: str) -> _Stamp | None:
    """What changes with the file; None for one that is not there."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino)


def _remembered() -> Iterator[tuple[str, tuple[_Stamp, Interpreter | None]]]:
    try:
        told = json.loads((cache_folder() / _MEMORY).read_bytes())
        for path, (first, second, third), answer, executable in told:
            one = Interpreter(str(answer[0]), (int(answer[1][0]), int(answer[1][1]), int(answer[1][2])), *answer[2:])
            if _stamp(one.path) == tuple(executable):
                yield path, ((first, second, third), one)
    except (OSError, ValueError, TypeError, IndexError):
        return


def _remember() -> None:
    told = [[path, stamp, [one.path, one.version, one.implementation, one.machine], executable]
            for path, (stamp, one) in _answers.items() if one is not None and (executable := _stamp(one.path))]
    with contextlib.suppress(OSError):
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(prefix=".interpreters-", dir=folder)
        with os.fdopen(handle, "w") as file:
            json.dump(told, file)
        os.replace(unfinished, folder / _MEMORY)


def _answer(path: str) -> Interpreter | None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        # As a program of its own, not of the folder that we are in: -I is not known to Python 2.
        done = subprocess.run([path, "-c", _ASK], capture_output=True, timeout=_SECONDS, cwd=os.sep, env=clean,
                              stdin=subprocess.DEVNULL, check=True)
        version, implementation, machine, executable = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if implementation != sys.implementation.name:
        return None
    return Interpreter(executable or path, (version[0], version[1], version[2]), implementation, machine)


@functools.cache
def uv() -> str:
    """The path of uv: of the installed package, else the one on ``PATH``. Raises EnvironmentFailed without either."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        import shutil

        found = shutil.which("uv")
        if found is None:
            raise EnvironmentFailed("uv, which builds environments, is not installed",
                                    hint="run `pip install uv`") from None
        return found


def _download(wanted: str) -> None:
    logger.info("Downloading Python %s with uv", wanted)
    done = subprocess.run([uv(), "python", "install", "--no-bin", "--color", "never", "--", wanted],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                          env={**os.environ, "UV_PYTHON_DOWNLOADS": "manual"})
    if done.returncode:
        said = done.stderr.strip().removeprefix("error: ") or f"uv ended with status {done.returncode}"
        raise PythonNotFound(f"Python {wanted} cannot be downloaded: {said}",
                             hint="install it by the system's package manager")
