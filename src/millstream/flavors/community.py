"""What flavors that others have written import from MLflow's inner modules, under the names that it has there.

Such a flavor writes its model's files by itself and builds MLmodel, environment files and code folder from these. Its
models are logged by :meth:`millstream.models.Model.log`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from millstream import yaml_texts
from millstream.errors import AlreadyExists, InvalidValue
from millstream.flavors import loading
from millstream.models import code, environment_files, examples, trust
from millstream.models.distributions import distribution_named, distribution_of
from millstream.models.environment_files import CONDA_FILE, CONSTRAINTS_FILE, PYTHON_ENV_FILE, REQUIREMENTS_FILE
from millstream.models.examples import (
    ModelInputExample,
    PyFuncInput,
    PyFuncOutput,
    convert_input_example_to_serving_input,
)
from millstream.models.mlmodel import Model
from millstream.models.requirements import read_requirements

__all__ = ["ModelInputExample", "PyFuncInput", "PyFuncOutput", "convert_input_example_to_serving_input"]

Function = TypeVar("Function", bound=Callable[..., Any])

# mlflow.utils.environment
_CONDA_ENV_FILE_NAME = CONDA_FILE
_REQUIREMENTS_FILE_NAME = REQUIREMENTS_FILE
_CONSTRAINTS_FILE_NAME = CONSTRAINTS_FILE
_PYTHON_ENV_FILE_NAME = PYTHON_ENV_FILE

# mlflow.tracking._model_registry
DEFAULT_AWAIT_MAX_SLEEP_SECONDS = 300

# mlflow.models.model
MLMODEL_FILE_NAME = "MLmodel"


def _mlflow_conda_env(
    path: str | None = None, additional_conda_deps: list[str] | None = None,
    additional_pip_deps: list[str] | None = None, additional_conda_channels: list[str] | None = None,
    install_mlflow: bool = True,
) -> dict[str, Any] | None:
    """The content of a conda.yaml with these dependencies; written to ``path`` instead, if one is given.

    Whoever restores an environment adds what loads the model, so ``install_mlflow`` changes nothing.
    """
    made = environment_files.resolve(inferred=additional_pip_deps or []).conda_env()
    pip = made["dependencies"].pop()
    made["dependencies"] += [*(additional_conda_deps or []), *([pip] if pip["pip"] else [])]
    made["channels"] += additional_conda_channels or []
    if path is None:
        return made
    write_yaml(os.path.dirname(path), os.path.basename(path), made, overwrite=True, sort_keys=False)
    return None


def _validate_env_arguments(conda_env: Any, pip_requirements: Any, extra_pip_requirements: Any) -> None:
    """Raises InvalidValue when more than one of them is given."""
    environment_files.resolve(conda_env, pip_requirements, extra_pip_requirements)


def _process_conda_env(conda_env: Mapping[str, Any] | str) -> tuple[dict[str, Any], list[str], list[str]]:
    """The content of a conda.yaml, with the requirements and the constraints of its pip section."""
    made = environment_files.resolve(conda_env=conda_env)
    return made.conda_env(), made.requirements, made.constraints


def _process_pip_requirements(
    default_pip_requirements: list[str], pip_requirements: Any = None, extra_pip_requirements: Any = None
) -> tuple[dict[str, Any], list[str], list[str]]:
    """The content of a conda.yaml, the requirements and the constraints, of what was given and of the defaults."""
    made = environment_files.resolve(None, pip_requirements, extra_pip_requirements, default_pip_requirements)
    return made.conda_env(), made.requirements, made.constraints


class _PythonEnv:
    """The content of a python_env.yaml."""

    def __init__(
        self, python: str | None = None, build_dependencies: list[str] | None = None,
        dependencies: list[str] | None = None,
    ) -> None:
        made = environment_files.resolve()
        self.python = python or made.python
        self.build_dependencies = made.build if build_dependencies is None else build_dependencies
        self.dependencies = dependencies or []

    def to_dict(self) -> dict[str, Any]:
        """The mapping that the file holds."""
        return {"python": self.python, "build_dependencies": self.build_dependencies,
                "dependencies": self.dependencies}

    def to_yaml(self, path: str) -> None:
        """Write the file ``path``."""
        write_yaml(os.path.dirname(path), os.path.basename(path), self.to_dict(), overwrite=True, sort_keys=False)

    @classmethod
    def current(cls) -> _PythonEnv:
        """This Python, with the requirements in ``requirements.txt``."""
        return cls(dependencies=[f"-r {REQUIREMENTS_FILE}"])


# mlflow.utils.model_utils


def _validate_and_prepare_target_save_path(path: str) -> None:
    """Make the folder of a new model. Raises AlreadyExists when something is in it."""
    if os.path.exists(path) and (not os.path.isdir(path) or os.listdir(path)):
        raise AlreadyExists(f"there is something at {path} already", hint="name a new folder, or remove that one")
    os.makedirs(path, exist_ok=True)


def _validate_and_copy_code_paths(
    code_paths: Iterable[str] | None, path: str, default_subpath: str = "code"
) -> str | None:
    """Copy code into a model folder; returns the name of the folder in it, None without code."""
    return code.copy_code(code_paths, path)


def _get_flavor_configuration(model_path: str, flavor_name: str) -> dict[str, Any]:
    """The block of a flavor of the model in a local folder. Raises BadModel."""
    return loading.block_of(Model.load(model_path), flavor_name, model_path)


def _get_flavor_configuration_from_uri(model_uri: str, flavor_name: str, logger: Any = None) -> dict[str, Any]:
    """The block of a flavor of the model at an address; only MLmodel is fetched. Raises BadModel."""
    return _get_flavor_configuration(str(loading.fetch_file(model_uri, MLMODEL_FILE_NAME)), flavor_name)


def _add_code_from_conf_to_system_path(
    local_path: str, conf: Mapping[str, Any], code_key: str = "code"
) -> None:
    """Let the code that a block names be imported. Raises UntrustedModel."""
    if conf.get(code_key):
        _add_code_to_system_path(os.path.join(local_path, conf[code_key]))


def _add_code_to_system_path(code_path: str) -> None:
    """Let the modules in a model's code folder be imported. Raises UntrustedModel."""
    trust.check(Path(code_path))
    code.use_code(code_path)


# mlflow.models.utils


def _save_example(mlflow_model: Model, input_example: Any, path: str) -> Any:
    """Write an input example into a model folder, and into the description."""
    prepared = examples.prepare(input_example)
    mlflow_model.saved_input_example_info = prepared.save(Path(path))
    return prepared


def _read_example(mlflow_model: Model, uri_or_path: str) -> Any:
    """The input example of the model at an address, None without one."""
    return mlflow_model.load_input_example(str(loading.fetch(uri_or_path)))


# mlflow.utils.requirements_utils


def _get_installed_version(package: str, module: str | None = None) -> str:
    """The installed version of a distribution, by its name or that of a module. Raises InvalidValue."""
    found = distribution_named(package) or distribution_of(module or package)
    if found is None:
        raise InvalidValue(f"no distribution {package!r} is installed", hint=f"pip install {package}")
    return found.version


def _get_pinned_requirement(req_str: str, version: str | None = None, module: str | None = None) -> str:
    """``name==version`` of an installed distribution, without the label of a local build."""
    name, _, extras = req_str.partition("[")
    pinned = (version or _get_installed_version(name, module)).partition("+")[0]
    return f"{name}{'[' + extras if extras else ''}=={pinned}"


def _parse_requirements(requirements: Any, is_constraint: bool, base_dir: str | None = None) -> list[str]:
    """The lines of a requirements file, or its constraints."""
    found = read_requirements(requirements)
    return found.constraints if is_constraint else found.lines


# mlflow.utils.file_utils


def write_to(filename: str, data: str) -> None:
    """Write a text (UTF-8)."""
    Path(filename).write_text(data, encoding="utf-8")


def read_yaml(root: str, file_name: str) -> Any:
    """The content of a YAML file. Raises FileNotFoundError, and InvalidValue for what is no YAML."""
    return yaml_texts.read(Path(root, file_name).read_text(encoding="utf-8"))


def write_yaml(
    root: str, file_name: str, data: Mapping[str, Any], overwrite: bool = False, sort_keys: bool = True,
    ensure_yaml_extension: bool = False,
) -> None:
    """Write a YAML file. Raises AlreadyExists unless ``overwrite``."""
    import yaml

    path = Path(root, file_name)
    if ensure_yaml_extension and path.suffix != ".yaml":
        path = path.with_name(f"{path.name}.yaml")
    if path.exists() and not overwrite:
        raise AlreadyExists(f"there is something at {path} already", hint="overwrite=True replaces it")
    text = yaml.safe_dump(dict(data), default_flow_style=False, sort_keys=sort_keys, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def get_total_file_size(path: str | Path) -> int | None:
    """Bytes of all files below a folder; None for what is no folder."""
    folder = Path(path)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else None


class TempDir(contextlib.AbstractContextManager["TempDir"]):
    """A temporary folder, removed at the end unless told otherwise; with ``chdr`` it is the current one meanwhile."""

    def __init__(self, chdr: bool = False, remove_on_exit: bool = True) -> None:
        self._chdr = chdr
        self._remove = remove_on_exit
        self._path = ""
        self._before = ""

    def path(self, *parts: str) -> str:
        """The path of something in the folder."""
        return os.path.join("." if self._chdr else self._path, *parts)

    def __enter__(self) -> TempDir:
        self._path = os.path.abspath(tempfile.mkdtemp())
        if self._chdr:
            self._before = os.getcwd()
            os.chdir(self._path)
        return self

    def __exit__(self, *error: object) -> None:
        if self._chdr:
            os.chdir(self._before)
        if self._remove:
            shutil.rmtree(self._path, ignore_errors=True)


# mlflow.utils.docstring_utils


class _Docs(str):
    """A text about parameters that flavors put into their docstrings."""

    def format(self, *arguments: object, **keywords: object) -> _Docs:
        """The same text: it names no package."""
        return self


LOG_MODEL_PARAM_DOCS = _Docs("See millstream.flavors.contract.LogOptions.")


def format_docstring(param_docs: object) -> Callable[[Function], Function]:
    """A decorator that leaves a docstring as it is."""

    def same(function: Function) -> Function:
        return function

    return same


def docstring_version_compatibility_warning(integration_name: str) -> Callable[[Function], Function]:
    """A decorator that leaves a docstring as it is."""
    return format_docstring(integration_name)


def __getattr__(name: str) -> Any:
    # MLflow's users import these from here; they live in rooms behind this one.
    if name in {"add_libraries_to_model"}:
        return getattr(importlib.import_module("millstream.models"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
