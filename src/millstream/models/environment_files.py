"""The files that tell a model's environment: ``requirements.txt``, ``constraints.txt``, ``conda.yaml`` and
``python_env.yaml``, in the layout that MLflow 3.17 writes and reads.

``requirements.txt`` is what is installed. ``conda.yaml`` says the same to conda, and ``python_env.yaml`` adds the
version of Python and refers to the requirements.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from millstream import yaml_texts
from millstream.environments.lines import Requirements, read_requirements
from millstream.errors import InvalidValue, NotFound
from millstream.models.distributions import distribution_named

__all__ = [
    "CONDA_FILE", "CONSTRAINTS_FILE", "PYTHON_ENV_FILE", "REFERENCES", "REQUIREMENTS_FILE", "ModelEnvironment",
    "distribution_in", "file_names", "merged", "model_requirements", "read_environment", "resolve",
]

REQUIREMENTS_FILE = "requirements.txt"
CONSTRAINTS_FILE = "constraints.txt"
CONDA_FILE = "conda.yaml"
PYTHON_ENV_FILE = "python_env.yaml"
# The value of ``env`` in the python_function flavor of an MLmodel file.
REFERENCES = {"conda": CONDA_FILE, "virtualenv": PYTHON_ENV_FILE}

_NAME = "mlflow-env"  # what MLflow calls the environments of models that name none
_CHANNELS = ["conda-forge"]
_CONSTRAINED = f"-c {CONSTRAINTS_FILE}"
_NAME_OF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _build_tools() -> list[str]:
    """What a virtual environment starts with, as installed here."""
    return [tool.pin() if (tool := distribution_named(name)) else name for name in ("pip", "setuptools", "wheel")]


@dataclass
class ModelEnvironment:
    """What a model needs: the version of Python, pip's requirements and constraints, and conda's file if it has one.

    ``requirements`` holds PEP 508 requirements and pip's options; ``build`` what is installed before them.
    """

    python: str
    requirements: list[str]
    constraints: list[str] = field(default_factory=list)
    build: list[str] = field(default_factory=_build_tools)
    conda: dict[str, Any] | None = None

    def conda_env(self) -> dict[str, Any]:
        """The content of ``conda.yaml``."""
        if self.conda is not None:
            return _with_pip_section(self.conda, self._lines())
        pip = distribution_named("pip")
        return {
            "channels": list(_CHANNELS),
            "dependencies": [f"python={self.python}", f"pip<={pip.version}" if pip else "pip", {"pip": self._lines()}],
            "name": _NAME,
        }

    @property
    def conda_packages(self) -> list[str]:
        """What the conda file asks of conda itself, beside Python and pip."""
        items = [item for item in _dependencies(self.conda or {}) if isinstance(item, str)]
        return [item for item in items if not re.match(r"(?:[\w-]+::)?(?:python|pip)(?![\w-])", item)]

    def texts(self) -> dict[str, str]:
        """The files by name."""
        files = {
            CONDA_FILE: _yaml_text(self.conda_env()),
            PYTHON_ENV_FILE: _yaml_text(
                {"python": self.python, "build_dependencies": self.build, "dependencies": [f"-r {REQUIREMENTS_FILE}"]}
            ),
            REQUIREMENTS_FILE: "\n".join(self._lines()),
        }
        if self.constraints:
            files[CONSTRAINTS_FILE] = "\n".join(self.constraints)
        return files

    def write(self, folder: str | os.PathLike[str]) -> list[str]:
        """Write the files into ``folder`` and return their names."""
        files = self.texts()
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        return sorted(files)

    def _lines(self) -> list[str]:
        return [*self.requirements, *([_CONSTRAINED] if self.constraints else [])]


def resolve(
    conda_env: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    pip_requirements: Iterable[str] | str | os.PathLike[str] | None = None,
    extra_pip_requirements: Iterable[str] | str | os.PathLike[str] | None = None,
    inferred: Iterable[str] = (),
) -> ModelEnvironment:
    """The environment that the arguments of ``save_model`` ask for; only one of the first three may be given.

    ``conda_env`` is conda's file or its content, ``pip_requirements`` takes the place of what was ``inferred`` from the
    model and ``extra_pip_requirements`` adds to it, a version given there winning over an inferred one. Both are lists,
    or the path of a requirements file. Raises InvalidValue for two of them, or for a line that is no requirement.
    """
    given = {"conda_env": conda_env, "pip_requirements": pip_requirements,
             "extra_pip_requirements": extra_pip_requirements}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise InvalidValue(f"{' and '.join(names)} exclude each other; only one of {', '.join(given)} can be given",
                           hint="list everything in one of them")
    python = ".".join(map(str, sys.version_info[:3]))
    if conda_env is not None:
        content, folder = _conda_content(conda_env)
        listed = _pip_section(content, folder)
        return ModelEnvironment(
            _conda_python(content) or python, listed.lines, listed.constraints, conda=dict(content)
        )
    if pip_requirements is not None:
        listed = read_requirements(pip_requirements)
        return ModelEnvironment(python, listed.lines, listed.constraints)
    extra = read_requirements(extra_pip_requirements) if extra_pip_requirements is not None else Requirements()
    return ModelEnvironment(python, merged(list(inferred), extra.lines), extra.constraints)


def merged(inferred: list[str], extra: list[str]) -> list[str]:
    """Requirements with what was asked for beside them, which wins; a bare name keeps the pin."""
    if not extra:
        return inferred
    pins = {distribution_in(line): line for line in inferred}
    added = []
    for line in extra:
        name = distribution_in(line)
        bare = re.fullmatch(r"[A-Za-z0-9._-]+(\[[^\]]*\])?", line)
        if name in pins and bare:
            pins[name] = pins[name].replace(name, name + bare[1], 1) if bare[1] else pins[name]
        else:
            pins.pop(name, None)
            added.append(line)
    return [*pins.values(), *added]


def distribution_in(line: str) -> str:
    """The normalized name of the distribution that a requirement is about; the line itself for one without a name."""
    name = _NAME_OF.match(line)
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name and "://" not in line.partition("@")[0] else line


def _conda_content(conda_env: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[Mapping[str, Any], Path]:
    if isinstance(conda_env, Mapping):
        return conda_env, Path.cwd()
    path = Path(conda_env)
    content = _read_yaml(path)
    if not isinstance(content, dict):
        raise InvalidValue(f"the conda environment file {path} holds no mapping",
                           hint="it has `dependencies:` with python=…, pip and a `pip:` section")
    return content, path.parent


def _pip_section(content: Mapping[str, Any], folder: Path, *, inside: Path | None = None) -> Requirements:
    found = Requirements()
    for item in _dependencies(content):
        if isinstance(item, Mapping) and isinstance(item.get("pip"), list):
            lines = [_beside(str(line), folder) for line in item["pip"]]
            part = read_requirements(lines, inside=inside)
            found.lines += part.lines
            found.constraints += part.constraints
    return found


def _beside(line: str, folder: Path) -> str:
    """A file that a conda file names lies beside it."""
    named = re.fullmatch(r"(-r|--requirement|-c|--constraint)[ =]*(\S.*)", line.strip())
    return f"{named[1]} {folder / named[2]}" if named else line


def _with_pip_section(content: Mapping[str, Any], lines: list[str]) -> dict[str, Any]:
    others = [item for item in _dependencies(content) if not (isinstance(item, Mapping) and "pip" in item)]
    if lines and not any(isinstance(item, str) and re.match(r"pip\b(?!-)", item) for item in others):
        others.append("pip")
    return {**content, "dependencies": [*others, *([{"pip": lines}] if lines else [])]}


def _dependencies(content: Mapping[str, Any]) -> list[Any]:
    found = content.get("dependencies") or []
    if not isinstance(found, list):
        raise InvalidValue("the `dependencies` of a conda environment are a list")
    return found


def _conda_python(content: Mapping[str, Any]) -> str | None:
    for item in _dependencies(content):
        asked = re.fullmatch(r"python\s*={1,2}\s*(\d+(?:\.\d+){0,2})(?:\.\*)?", item) if isinstance(item, str) else None
        if asked:
            return asked[1]
    return None


def file_names(references: object = None) -> tuple[str, str]:
    """The names of the conda file and the Python file of a model, see :func:`read_environment`."""
    if isinstance(references, str):
        return references, PYTHON_ENV_FILE
    told = references if isinstance(references, Mapping) else {}
    return str(told.get("conda", CONDA_FILE)), str(told.get("virtualenv", PYTHON_ENV_FILE))


def read_environment(folder: str | os.PathLike[str], references: object = None) -> ModelEnvironment:
    """The environment of a saved model.

    ``references`` is ``env`` of the MLmodel's python_function flavor: a dict of file names, or, from old versions, the
    name of the conda file. Raises NotFound for a model that has none of the files.
    """
    root = Path(folder)
    conda_file, python_file = file_names(references)
    conda = _read_yaml(_inside(root, conda_file)) if _inside(root, conda_file).is_file() else None
    if conda is not None and not isinstance(conda, dict):
        raise InvalidValue(f"the file {conda_file} of the model holds no mapping")
    python, build = _conda_python(conda) if conda else None, ["pip", "setuptools", "wheel"]
    if _inside(root, python_file).is_file():
        content = _read_yaml(_inside(root, python_file))
        if not isinstance(content, dict):
            raise InvalidValue(f"the file {python_file} of the model holds no mapping")
        python = str(content["python"]) if content.get("python") is not None else python
        build = read_requirements([str(line) for line in content.get("build_dependencies") or []], inside=root).lines
        lines = [_beside(str(line), root) for line in content.get("dependencies") or []]
        listed = read_requirements(lines, inside=root)
    elif conda is not None:
        listed = _pip_section(conda, root, inside=root)
    elif (root / REQUIREMENTS_FILE).is_file():
        listed = read_requirements(root / REQUIREMENTS_FILE, inside=root)
    else:
        raise NotFound(f"the model in {root} does not say what it needs: it has no {PYTHON_ENV_FILE}, {CONDA_FILE} or "
                       f"{REQUIREMENTS_FILE}", hint="predict with env_manager='local', in an environment that suits it")
    return ModelEnvironment(python or ".".join(map(str, sys.version_info[:3])), listed.lines, listed.constraints, build,
                            conda)


def model_requirements(folder: str | os.PathLike[str], references: object = None) -> Path:
    """The model's ``requirements.txt``, written from its conda file when an old version left none."""
    path = Path(folder, REQUIREMENTS_FILE)
    if not path.is_file():
        environment = read_environment(folder, references)
        path.write_text("\n".join(environment.requirements), encoding="utf-8")
    return path


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise InvalidValue(f"the model names the file {name!r} outside of its folder")
    return path


def _read_yaml(path: Path) -> Any:
    try:
        return yaml_texts.read(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except (OSError, InvalidValue) as error:
        raise InvalidValue(f"the file {path} cannot be read: {error}") from None


def _yaml_text(content: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.dump(dict(content), Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False,
                         default_flow_style=False, allow_unicode=True, width=10_000))
