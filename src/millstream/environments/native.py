"""Projects in the standard form: ``pyproject.toml``
(https://packaging.python.org/en/latest/specifications/pyproject-toml/), with uv's lock where there is one.

A lock is read by ``uv export``, whose answer is kept by the content of both files, as asking again costs a process.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millstream.environments import interpreters
from millstream.environments.lines import read_requirements
from millstream.environments.places import EXPORTS, environments_folder
from millstream.errors import InvalidValue

__all__ = ["FILE", "LOCK", "PYTHON", "Native", "exported", "locked", "pinned_python", "read", "toml_in"]

FILE = "pyproject.toml"
LOCK = "uv.lock"
PYTHON = ".python-version"


@dataclass(frozen=True)
class Native:
    """The version of Python that a project takes, and its requirements, itself among them where it is a package."""

    python: str | None
    requirements: tuple[str, ...]


def read(path: Path) -> Native | None:
    """What the project of a ``pyproject.toml`` requires; None for a file that describes no project.

    Raises InvalidValue, naming the file, for what cannot be read or is no requirement.
    """
    content = toml_in(path)
    root, project, poetry = path.parent, content.get("project"), _table(content, "tool", "poetry")
    if not isinstance(project, dict) and not poetry:
        return None
    project = project if isinstance(project, dict) else {}
    asked = project.get("requires-python") or _caret(_table(poetry, "dependencies").get("python"))
    python = pinned_python(root) or (str(asked) if asked else None)
    package = _table(content, "tool", "uv").get("package", "build-system" in content)
    has_lock = (root / LOCK).is_file()
    indexes = _indexes(_table(content, "tool", "uv"), has_lock)
    if has_lock:
        lines = ["--no-sources", *exported(root)]
    elif package and poetry.get("package-mode", True):
        lines = ["."]
    elif poetry and "dependencies" not in project:
        raise InvalidValue(f"the project in {path} is no package, and lists its dependencies in Poetry's own form",
                           hint="list them in `dependencies` of [project], or in a requirements.txt")
    else:
        lines = project.get("dependencies") or []
        if not isinstance(lines, list):
            raise InvalidValue(f"`project.dependencies` of {path} are a list of requirements")
    found = read_requirements([*indexes, *lines], local=root)
    return Native(python, tuple(found.lines))


def pinned_python(root: Path) -> str | None:
    """The version that ``.python-version`` names, as pyenv and uv write it; None for another text, or no such file."""
    try:
        words = (root / PYTHON).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return None
    version = words[0].removeprefix("cpython-").removeprefix("cpython@") if words else ""
    return version if re.fullmatch(r"3\.\d{1,3}(\.\d{1,3})?", version) else None


def exported(root: Path) -> list[str]:
    """The lines that uv's lock in ``root`` stands for, with hashes. Raises InvalidValue with what uv says."""
    digest = hashlib.sha256()
    for name in (FILE, LOCK):
        digest.update(hashlib.sha256((root / name).read_bytes()).digest())
    kept = environments_folder() / EXPORTS / digest.hexdigest()
    try:
        return kept.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        pass
    said = locked(root, "--no-dev", "--no-editable")
    lines = [re.sub(r"\s+", " ", line.strip()) for line in re.sub(r"\\\n", " ", said).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=kept.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
        os.replace(unfinished, kept)
    return lines


def locked(root: Path, *options: str) -> str:
    """What ``uv export`` says of the lock in ``root``, as a requirements file. Raises InvalidValue with its error."""
    command = [interpreters.uv(), "export", "--frozen", "--no-header", "--no-annotate",
               "--offline", "--quiet", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          cwd=root)
    if done.returncode:
        raise InvalidValue(f"uv cannot read the lock of {root}: {' '.join(done.stderr.split())}",
                           hint="name groups and extras that its pyproject.toml has, and run `uv lock` again")
    return done.stdout


def _indexes(settings: dict[str, Any], has_lock: bool) -> list[str]:
    """The package indexes that a project names for uv, as pip's options: a lock may pin what only they have.

    Those for single packages count with a lock only, which says what comes from them.
    """
    lines = []
    for index in settings.get("index") or []:
        url = str(index.get("url")) if isinstance(index, dict) else ""
        if url.startswith("-") or (index.get("explicit") and not has_lock):
            continue
        if index.get("format") == "flat":
            lines.append(f"--find-links {url}")
        elif re.match(r"(?:https?|file)://\S+$", url):
            lines.append(f"{'--index-url' if index.get('default') else '--extra-index-url'} {url}")
    return lines


def _caret(asked: object) -> str | None:
    """Poetry's notation of versions as that of PEP 440."""
    match = re.fullmatch(r"([\^~])(\d+)(?:\.(\d+))?(\.\d+)?", str(asked)) if isinstance(asked, str) else None
    if match is None:
        return asked if isinstance(asked, str) and asked != "*" else None
    major, minor = int(match[2]), int(match[3] or 0)
    below = f"{major + 1}" if match[1] == "^" or match[3] is None else f"{major}.{minor + 1}"
    return f">={major}.{minor}{match[4] or ''},<{below}"


def _table(content: Any, *names: str) -> dict[str, Any]:
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def toml_in(path: Path) -> dict[str, Any]:
    """The tables that a TOML file holds. Raises InvalidValue naming the file."""
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        return dict(toml.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError) as error:
        raise InvalidValue(f"the file {path} cannot be read: {error}") from None
