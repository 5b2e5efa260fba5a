"""What a folder says of the environment that its code needs.

Read are ``python_env.yaml`` (MLflow's), ``conda.yaml``, ``requirements.txt`` and ``pyproject.toml`` with or without
uv's lock. Nothing is installed, and nothing of the folder is run: see :mod:`millstream.environments.preparing`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from millstream import yaml_texts
from millstream.environments import conda_files, native
from millstream.environments.conda_files import Conda
from millstream.environments.lines import Requirements, read_requirements
from millstream.errors import InvalidValue, NotFound

__all__ = ["PYTHON_ENV_FILE", "Description", "Kind", "describe", "mapping_in", "python_env"]

Kind = Literal["python_env", "conda", "requirements", "pyproject"]
PYTHON_ENV_FILE = "python_env.yaml"
_CONDA_FILES = ("conda.yaml", "conda.yml")
_OTHER_CONDA_FILES = ("environment.yml", "environment.yaml")  # conda's own names, which MLflow does not look for
_REQUIREMENTS_FILE = "requirements.txt"


@dataclass(frozen=True)
class Description:
    """What an environment is to hold, as the file ``source`` says it.

    ``python`` is a version or bounds (None: any); ``requirements`` are PEP 508 requirements and options of pip, and
    folders and archives of this machine as ``file:`` addresses; ``constraints`` bound them; ``build`` is installed
    before them. ``conda`` is what a conda file asks of conda itself, and ``variables`` are the environment variables
    that it sets.
    """

    kind: Kind
    source: Path
    python: str | None = None
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    conda: Conda | None = None
    variables: tuple[tuple[str, str], ...] = ()


def describe(
    folder: str | os.PathLike[str], *, python_env: str | None = None, conda_env: str | None = None
) -> Description | None:
    """The environment that the code in ``folder`` asks for; None when no file there says.

    ``python_env`` and ``conda_env`` are the files that an MLproject file names, relative to the folder. Without them it
    is the first of ``python_env.yaml``, ``conda.yaml``, ``pyproject.toml`` beside ``uv.lock``, ``requirements.txt``,
    ``environment.yml`` and a ``pyproject.toml`` with a ``[project]``. Raises NotFound for a named file that is not
    there, and InvalidValue, with the file's name, for what cannot be read or is no requirement.
    """
    root = Path(folder).resolve()
    if python_env is not None:
        return _python_env(_named(root, python_env, "python_env"), root)
    if conda_env is not None:
        return _conda(_named(root, conda_env, "conda_env"), root)
    if (root / PYTHON_ENV_FILE).is_file():
        return _python_env(root / PYTHON_ENV_FILE, root)
    conda = _first(root, _CONDA_FILES)
    if conda:
        return _conda(conda, root)
    project = root / native.FILE
    if project.is_file() and (root / native.LOCK).is_file():
        return _native(project)
    if (root / _REQUIREMENTS_FILE).is_file():
        found = read_requirements(root / _REQUIREMENTS_FILE, local=root)
        return Description("requirements", root / _REQUIREMENTS_FILE, native.pinned_python(root),
                           tuple(found.lines), tuple(found.constraints))
    conda = _first(root, _OTHER_CONDA_FILES)
    if conda:
        return _conda(conda, root)
    return _native(project) if project.is_file() else None


def _first(root: Path, names: Iterable[str]) -> Path | None:
    return next((root / name for name in names if (root / name).is_file()), None)


def _named(root: Path, name: str, field: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise InvalidValue.of(field, name, "it is not inside of the project's folder")
    if not path.is_file():
        raise NotFound(f"the project names the environment file {name}, which is not in {root}",
                       hint=f"correct `{field}` of the MLproject file, or add the file")
    return path


def _python_env(path: Path, root: Path) -> Description:
    content = mapping_in(path)
    python, build, found = python_env(content, path, beside=path.parent, local=root)
    return Description("python_env", path, python, tuple(found.lines), tuple(found.constraints), tuple(build))


def python_env(
    content: Mapping[str, Any], path: Path, *, beside: Path, inside: Path | None = None,
    local: Path | None = None,
) -> tuple[str | None, list[str], Requirements]:
    """The version of Python, the build requirements and the requirements of a ``python_env.yaml``."""
    python = content.get("python")
    if isinstance(python, float):  # 3.10 without quotes is the number 3.1
        written = re.search(r"^['\"]?python['\"]?\s*:\s*(\d[\d.]*)", path.read_text(encoding="utf-8-sig"), re.MULTILINE)
        python = written[1] if written else python
    parts = []
    for name in ("build_dependencies", "dependencies"):
        lines = content.get(name) or []
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise InvalidValue(f"the `{name}` of {path} are a list of requirements",
                               hint=f"write each on a line of its own:\n  {name}:\n    - scikit-learn==1.5.0")
        parts.append(read_requirements(lines, beside=beside, inside=inside, local=local))
    return None if python is None else str(python), parts[0].lines, parts[1]


def _conda(path: Path, root: Path) -> Description:
    content = mapping_in(path)
    found = conda_files.pip_section(content, path.parent, local=root)
    return Description("conda", path, conda_files.python_version(content), tuple(found.lines),
                       tuple(found.constraints), tuple(conda_files.build_tools(content)), Conda.of(content, str(path)),
                       conda_files.variables_in(content, str(path)))


def _native(path: Path) -> Description | None:
    found = native.read(path)
    if found is None:
        return None
    return Description("pyproject", path, found.python, found.requirements)


def mapping_in(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds. Raises InvalidValue naming the file, and NotFound."""
    try:
        content = yaml_texts.read(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except (OSError, InvalidValue) as error:
        raise InvalidValue(f"the file {path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InvalidValue(f"the environment file {path} holds no mapping",
                           hint="it has `dependencies:`, and `python:` or a `pip:` list among them")
    return content
