"""Projects without an ``MLproject``: what ``pyproject.toml`` says, and scripts by their names."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from millstream.errors import EntryPointNotFound, InvalidValue
from millstream.projects.files import EntryPoint, ProjectFile, find_file, parse, project_of

__all__ = ["entry_point_of", "project_in", "scripts_in"]

FILE_NAME = "pyproject.toml"
# What runs a script, by the end of its name.
_PROGRAMS = {".py": "python", ".sh": "bash", ".R": "Rscript"}
_OBJECT = re.compile(r"(?P<module>[\w.]+):(?P<object>[\w.]+)(?:\s*\[.*\])?")


def project_in(folder: Path) -> ProjectFile:
    """The project in a folder: of its ``MLproject``, else of the tables ``[tool.millstream]`` and ``[project.scripts]``
    of its ``pyproject.toml``, else one without entry points of its own.

    Raises InvalidValue naming the field that is wrong.
    """
    file = find_file(folder)
    if file is not None:
        try:
            return parse(file.read_bytes(), file)
        except OSError as error:
            raise InvalidValue(f"{file} cannot be read: {error}") from None
    native = folder / FILE_NAME
    return _native(native) if native.is_file() else ProjectFile()


def _native(path: Path) -> ProjectFile:
    content = _toml(path)
    project = _table(content, "project", path)
    tool = _table(_table(content, "tool", path), "millstream", path)
    fields = {name.replace("-", "_"): value for name, value in tool.items()}
    known = fields.get("entry_points")
    scripts = _table(project, "scripts", path)
    entry_points = {
        **{name: _command_of_script(name, target, path) for name, target in scripts.items()},
        **(known if isinstance(known, dict) else {}),
    }
    given: dict[str, Any] = {"name": project.get("name"), **fields}
    return project_of({**given, "entry_points": entry_points if known is None or isinstance(known, dict) else known},
                      f"{path} [tool.millstream]", path)


def _toml(path: Path) -> dict[str, Any]:
    toml: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        found: dict[str, Any] = toml.loads(path.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError) as error:
        raise InvalidValue(f"{path} cannot be read: {error}", hint="correct the line that it names") from None


def _table(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    found = content.get(name, {})
    if not isinstance(found, dict):
        raise InvalidValue(f"{path}: {name} is no table", hint=f"write it as [{name}]")
    return found


def _command_of_script(name: str, target: Any, path: Path) -> str:
    """A command for an entry of ``[project.scripts]`` that works whether or not the project itself is installed."""
    match = _OBJECT.fullmatch(target) if isinstance(target, str) else None
    if match is None:
        raise InvalidValue(f"{path}: project.scripts.{name}: {target!r} is no `module:function`",
                           hint="write it like train = \"package.train:main\"")
    first, _, rest = match["object"].partition(".")
    program = (f"import sys; sys.path[:1] = ['', 'src']; sys.argv[0] = {name!r}; "
               f"from {match['module']} import {first} as run; sys.exit(run{'.' + rest if rest else ''}())")
    return "python -c " + shlex.quote(program).replace("{", "{{").replace("}", "}}")


def entry_point_of(project: ProjectFile, name: str, folder: Path) -> EntryPoint:
    """The entry point of this name, or the script in the folder that has it.

    A project that has no entry points and names the file of a Databricks Spark job has that one as ``main``. Raises
    EntryPointNotFound naming those there are.
    """
    found = project.entry_points.get(name)
    if found is not None:
        return found
    described = project.databricks_spark_job
    if name == "main" and described is not None and described.python_file and not project.entry_points:
        return EntryPoint(name, _template(["python", described.python_file, *described.parameters]))
    script = _script(name, folder)
    if script is not None:
        return script
    listed = ", ".join(project.entry_points) or "none"
    scripts = scripts_in(folder)
    more = f", and the scripts {', '.join(scripts)}" if scripts else ""
    raise EntryPointNotFound(f"the project in {folder} has no entry point {name!r}; there are {listed}{more}",
                             hint="name one of these with -e, or a script (.py, .sh, .R) of the project's folder")


def _script(name: str, folder: Path) -> EntryPoint | None:
    path = (folder / name).resolve()
    program = _PROGRAMS.get(path.suffix)
    if program is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    if program == "bash":
        program = os.environ.get("SHELL") or program
    # A name such as -c.py would be an option.
    named = name if not name.startswith("-") else f"./{name}"
    return EntryPoint(name, _template([program, named]))


def _template(words: Sequence[str]) -> str:
    """The template of a command without parameters."""
    return shlex.join(words).replace("{", "{{").replace("}", "}}")


def scripts_in(folder: Path) -> list[str]:
    """The names of the scripts directly in a folder."""
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix in _PROGRAMS and entry.is_file())
