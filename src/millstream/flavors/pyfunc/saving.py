"""Saving Python code of the user as a model: a class, a function, a script, or files with a module that loads them."""

from __future__ import annotations

import functools
import inspect
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue
from millstream.flavors import logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.flavors.pyfunc.loading import PYTHON_MODEL_LOADER, SCRIPT_LOADER, read_config
from millstream.flavors.pyfunc.python_model import Calling, FunctionModel, PythonModelContext, streams
from millstream.flavors.pyfunc.scripts import run
from millstream.models import code, hints, pickles, requirements, uv_project
from millstream.models.mlmodel import PYTHON_FUNCTION, Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.signature import ModelSignature

PICKLE = "python_model.pkl"


@spelled_out
def save_model(
    path: str | os.PathLike[str], loader_module: str | None = None, data_path: str | os.PathLike[str] | None = None,
    code_paths: Iterable[str] | None = None, infer_code_paths: bool = False,
    conda_env: Mapping[str, Any] | str | None = None, mlflow_model: Model | None = None, python_model: Any = None,
    artifacts: Mapping[str, str] | None = None, model_config: Mapping[str, Any] | str | None = None,
    streamable: bool | None = None, resources: Any = None, auth_policy: Any = None,
    uv_project_path: str | os.PathLike[str] | None = None, uv_groups: list[str] | None = None,
    uv_extras: list[str] | None = None, **options: Unpack[SaveOptions],
) -> None:
    """Save Python code as the model in the folder ``path``.

    ``python_model`` is a PythonModel, a function of one argument, or the path of a script that calls ``set_model``;
    ``artifacts`` maps names to addresses of files that it finds in its context. Instead, ``loader_module`` names a
    module whose ``_load_pyfunc(path)`` loads the files of ``data_path``. ``code_paths`` go along and are imported from
    the model; with ``infer_code_paths`` the modules of the working directory that it uses go along by themselves.

    ``uv_project_path`` names a project that uv has locked: what it pins, with these ``uv_groups`` and ``uv_extras``, is
    what the model needs, beside cloudpickle. ``resources`` and ``auth_policy`` are kept in MLmodel as they are, for
    platforms that know them.
    """
    if (python_model is None) == (loader_module is None):
        raise InvalidValue("a python function is either a python_model or a loader_module",
                           hint="give python_model=…, or loader_module='module' with data_path='…'")
    if loader_module is not None:
        flavor = Flavor(PYTHON_FUNCTION, loader_module, ())
        write = functools.partial(_write_data, data_path, loader_module)
    elif isinstance(python_model, (str, os.PathLike)):
        flavor = Flavor(PYTHON_FUNCTION, SCRIPT_LOADER, ("cloudpickle",))
        made = run(Path(python_model), read_config(model_config) if model_config else None)  # type: ignore[arg-type]
        write = functools.partial(_write_script, Path(python_model), made, artifacts, model_config, streamable)
        options = _with_hints(made, options)
    else:
        flavor = Flavor(PYTHON_FUNCTION, PYTHON_MODEL_LOADER, ("cloudpickle",))
        write = functools.partial(_write_pickle, python_model, artifacts, model_config, streamable)
        options = _with_hints(python_model, options)
    if uv_project_path is not None:
        pins = uv_project.requirements_of(uv_project_path, uv_groups, uv_extras)
        if options.get("pip_requirements") is None and conda_env is None:
            options = {**options, "pip_requirements": [*flavor.default_requirements(), *pins]}
        write = functools.partial(_with_project, uv_project_path, write)
    if resources is not None or auth_policy is not None:
        mlflow_model = mlflow_model if mlflow_model is not None else Model()
        kept = {"resources": _as_written(resources), "auth_policy": _as_written(auth_policy)}
        mlflow_model.others.update({key: value for key, value in kept.items() if value is not None})
    if infer_code_paths:
        made_of = python_model if not isinstance(python_model, (str, os.PathLike)) else made
        code_paths = [*(code_paths or ()), *code.infer_code_paths(_modules_used(made_of, loader_module))]
    saving.save(flavor, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    artifact_path: str | None = None, loader_module: str | None = None,
    data_path: str | os.PathLike[str] | None = None, code_paths: Iterable[str] | None = None,
    infer_code_paths: bool = False, conda_env: Mapping[str, Any] | str | None = None, python_model: Any = None,
    artifacts: Mapping[str, str] | None = None, model_config: Mapping[str, Any] | str | None = None,
    streamable: bool | None = None, resources: Any = None, auth_policy: Any = None,
    uv_project_path: str | os.PathLike[str] | None = None, uv_groups: list[str] | None = None,
    uv_extras: list[str] | None = None, **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save Python code as a model, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, loader_module=loader_module, data_path=data_path, code_paths=code_paths,
        infer_code_paths=infer_code_paths, conda_env=conda_env, python_model=python_model, artifacts=artifacts,
        model_config=model_config, streamable=streamable, resources=resources, auth_policy=auth_policy,
        uv_project_path=uv_project_path, uv_groups=uv_groups, uv_extras=uv_extras,
    )
    return logging.log(save, artifact_path, **options)


def add_to_model(
    model: Model, loader_module: str, data: str | None = None, code: str | None = None,
    conda_env: str | None = None, python_env: str | None = None, model_config: Mapping[str, Any] | None = None,
    **block: Any,
) -> Model:
    """Add the block of the python function to a description, for flavors of users that write their own files."""
    import platform

    env = {key: name for key, name in (("conda", conda_env), ("virtualenv", python_env)) if name}
    named = {"data": data, "code": code, "env": env or None, "config": dict(model_config) if model_config else None}
    return model.add_flavor(PYTHON_FUNCTION, loader_module=loader_module, python_version=platform.python_version(),
                            **{key: value for key, value in named.items() if value is not None}, **block)


def _with_project(project: str | os.PathLike[str], write: Callable[[Path], Written], folder: Path) -> Written:
    uv_project.take_along(project, folder)
    return write(folder)


def _as_written(given: Any) -> Any:
    """What MLmodel holds of resources or a policy: their dictionaries; a file is read."""
    if given is None or isinstance(given, dict):
        return given
    if isinstance(given, (str, os.PathLike)):
        return read_config(given)
    if isinstance(given, (list, tuple)):
        return [_as_written(one) for one in given]
    if not hasattr(given, "to_dict"):
        raise InvalidValue(f"a {type(given).__name__} is no description", hint="give a dictionary, or a YAML file")
    return given.to_dict()


def _write_data(data_path: str | os.PathLike[str] | None, loader_module: str, folder: Path) -> Written:
    block: dict[str, Any] = {}
    modules = {loader_module.partition(".")[0]}
    if data_path is not None:
        source = Path(data_path)
        if not source.exists():
            raise InvalidValue.of("data_path", str(data_path), "nothing is there")
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / "data")
        block["data"] = "data"
    return Written({}, block, modules)


def _write_pickle(
    python_model: Any, artifacts: Mapping[str, str] | None, model_config: Mapping[str, Any] | str | None,
    streamable: bool | None, folder: Path,
) -> Written:
    import cloudpickle

    written = python_model
    if not hasattr(python_model, "predict"):
        if not callable(python_model):
            raise InvalidValue.of("python_model", python_model, "it is neither a PythonModel nor a function",
                                  hint="derive its class from millstream.pyfunc.PythonModel, or give a function")
        _check_function(python_model)
        written = FunctionModel(python_model)
    text = pickles.dumps(written)
    (folder / PICKLE).write_bytes(text)
    block = {"python_model": PICKLE, "cloudpickle_version": cloudpickle.__version__}
    modules = requirements.modules_of_pickle(text)
    return _with_artifacts(written, block, modules, artifacts, model_config, streamable, folder)


def _write_script(
    script: Path, made: Any, artifacts: Mapping[str, str] | None, model_config: Mapping[str, Any] | str | None,
    streamable: bool | None, folder: Path,
) -> Written:
    import cloudpickle

    shutil.copy2(script, folder / script.name)
    written = made if hasattr(made, "predict") else FunctionModel(made)
    block = {"model_code_path": script.name, "cloudpickle_version": cloudpickle.__version__}
    modules = requirements.modules_of_code(folder / script.name)
    return _with_artifacts(written, block, modules, artifacts, model_config, streamable, folder)


def _with_artifacts(
    python_model: Any, block: dict[str, Any], modules: set[str], artifacts: Mapping[str, str] | None,
    model_config: Mapping[str, Any] | str | None, streamable: bool | None, folder: Path,
) -> Written:
    configured = read_config(model_config) if model_config else {}  # type: ignore[arg-type]
    brought = _bring_artifacts(artifacts or {}, folder)
    if brought:
        block["artifacts"] = brought
    if configured:
        block["config"] = configured
    block["streamable"] = streams(python_model) if streamable is None else bool(streamable)
    context = PythonModelContext({name: str(folder / one["path"]) for name, one in brought.items()}, configured)

    def predict(data: Any, params: dict[str, Any] | None) -> Any:
        if hasattr(python_model, "load_context"):
            python_model.load_context(context)
        return Calling(python_model, context).predict(data, params)

    return Written({}, block, modules, predict)


def _bring_artifacts(artifacts: Mapping[str, str], folder: Path) -> dict[str, dict[str, str]]:
    from millstream.tracking.files import download_artifacts

    brought: dict[str, dict[str, str]] = {}
    taken: set[str] = set()
    for name, uri in artifacts.items():
        if not isinstance(uri, (str, os.PathLike)):
            raise InvalidValue.of("artifacts", uri, f"the artifact {name!r} is no address")
        found = Path(download_artifacts(os.fspath(uri)))
        # Two artifacts may have one file name: the second lies in a folder of its own.
        inside = Path("artifacts") / (found.name if found.name not in taken else f"{name}/{found.name}")
        taken.add(found.name)
        (folder / inside).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if found.is_dir() else shutil.copy2)(found, folder / inside)
        brought[name] = {"path": inside.as_posix(), "uri": os.fspath(uri)}
    return brought


def _check_function(function: Callable[..., Any]) -> None:
    needed = [
        one for one in inspect.signature(function).parameters.values()
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    total = len(inspect.signature(function).parameters)
    if len(needed) != 1 or total != 1:
        raise InvalidValue(f"a function as a model takes exactly one argument, the input; this one takes {total}",
                           hint="write a class with predict(self, context, model_input, params=None) for more")


def _with_hints(python_model: Any, options: Any) -> Any:
    """The options with the signature of the type hints, where the code has some and no signature is given."""
    found: ModelSignature | None = hints.signature_from(getattr(python_model, "predict", python_model),
                                                        options.get("input_example"))
    if found is None or options.get("signature"):
        return options
    return {**options, "signature": found}


def _modules_used(made_of: Any, loader_module: str | None) -> set[str]:
    if loader_module is not None:
        return {loader_module}
    return requirements.modules_of_pickle(pickles.dumps(made_of))
