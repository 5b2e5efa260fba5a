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

from millstream.environments import conda_files
from millstream.environments.building import SEEDS
from millstream.environments.conda_files import Conda
from millstream.environments.descriptions import PYTHON_ENV_FILE, mapping_in, python_env
from millstream.environments.lines import Requirements, distribution_in, read_requirements
from millstream.errors import InvalidValue, NotFound
from millstream.models.distributions import distribution_named

__all__ = [
    "CONDA_FILE", "CONSTRAINTS_FILE", "PYTHON_ENV_FILE", "REFERENCES", "REQUIREMENTS_FILE", "ModelEnvironment",
    "file_names", "merged", "model_requirements", "read_environment", "resolve",
]

REQUIREMENTS_FILE = "requirements.txt"
CONSTRAINTS_FILE = "constraints.txt"
CONDA_FILE = "conda.yaml"
# The value of ``env`` in the python_function flavor of an MLmodel file.
REFERENCES = {"conda": CONDA_FILE, "virtualenv": PYTHON_ENV_FILE}

_NAME = "mlflow-env"  # what MLflow calls the environments of models that name none
_CHANNELS = ["conda-forge"]
_CONSTRAINED = f"-c {CONSTRAINTS_FILE}"


def _build_tools() -> list[str]:
    """What a virtual environment starts with, as installed here."""
    return [tool.pin() if (tool := distribution_named(name)) else name for name in SEEDS]


@dataclass
class ModelEnvironment:
    """What a model needs: the version of Python, pip's requirements and constraints, and conda's file if it has one.

    ``requirements`` holds PEP 508 requirements and pip's options; ``build`` what is installed before them. With
    ``only_conda``, no file but conda's says what the model needs.
    """

    python: str
    requirements: list[str]
    constraints: list[str] = field(default_factory=list)
    build: list[str] = field(default_factory=_build_tools)
    conda: dict[str, Any] | None = None
    only_conda: bool = False

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

    def asked_of_conda(self) -> Conda | None:
        """What the conda file asks of conda itself; None where a virtual environment would have all of it as well."""
        asked = Conda.of(self.conda, f"the model's {CONDA_FILE}") if self.conda else None
        return asked if asked and asked.own else None

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
        listed = conda_files.pip_section(content, folder)
        asked = conda_files.python_version(content) or ""
        return ModelEnvironment(
            asked if re.fullmatch(r"[\d.]+", asked) else python, listed.lines, listed.constraints, conda=dict(content)
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


def _conda_content(conda_env: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[Mapping[str, Any], Path]:
    if isinstance(conda_env, Mapping):
        return conda_env, Path.cwd()
    path = Path(conda_env)
    return mapping_in(path), path.parent


def _with_pip_section(content: Mapping[str, Any], lines: list[str]) -> dict[str, Any]:
    others = [item for item in conda_files.dependencies(content) if not (isinstance(item, Mapping) and "pip" in item)]
    if lines and not any(isinstance(item, str) and re.match(r"pip\b(?!-)", item) for item in others):
        others.append("pip")
    return {**content, "dependencies": [*others, *([{"pip": lines}] if lines else [])]}


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
    conda = mapping_in(_inside(root, conda_file)) if _inside(root, conda_file).is_file() else None
    python, build, only_conda = conda_files.python_version(conda) if conda else None, list(SEEDS), False
    if _inside(root, python_file).is_file():
        path = _inside(root, python_file)
        told, build, listed = python_env(mapping_in(path), path, beside=root, inside=root)
        python = told or python
    elif conda is not None:
        listed, only_conda = conda_files.pip_section(conda, root, inside=root), True
    elif (root / REQUIREMENTS_FILE).is_file():
        listed = read_requirements(root / REQUIREMENTS_FILE, inside=root)
    else:
        raise NotFound(f"the model in {root} does not say what it needs: it has no {PYTHON_ENV_FILE}, {CONDA_FILE} or "
                       f"{REQUIREMENTS_FILE}", hint="predict with env_manager='local', in an environment that suits it")
    return ModelEnvironment(python or ".".join(map(str, sys.version_info[:3])), listed.lines, listed.constraints, build,
                            conda, only_conda)


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


def _yaml_text(content: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.dump(dict(content), Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False,
                         default_flow_style=False, allow_unicode=True, width=10_000))
