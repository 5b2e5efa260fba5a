"""A model in the environment that it names: predicting there, and asking for and changing what it needs."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from millstream import settings
from millstream.artifacts.uris import scheme
from millstream.environments import building, preparing
from millstream.environments.building import Built, Environment
from millstream.environments.conda_files import Conda, name_of
from millstream.environments.descriptions import PYTHON_ENV_FILE
from millstream.environments.lines import distribution_in, read_requirements
from millstream.errors import (
    ArtifactNotFound,
    BadModel,
    EnvironmentFailed,
    InvalidValue,
    NotFound,
    UntrustedModel,
    from_wire,
)
from millstream.flavors import changing, loading, prediction
from millstream.models import environment_files, mlmodel, trust
from millstream.models.environment_files import CONDA_FILE, CONSTRAINTS_FILE, REQUIREMENTS_FILE, ModelEnvironment
from millstream.models.mlmodel import PYTHON_FUNCTION, Model

__all__ = [
    "build_model_env", "built_for", "environment_of", "get_model_dependencies", "is_local", "managed", "predict",
    "update_model_requirements",
]

logger = logging.getLogger("millstream")

# A request may hold a table, so that whoever answers it needs pandas, whatever the model needs.
_ALWAYS = ("pandas",)
_OUR_PLACE = frozenset({"mlflow", "mlflow-skinny", "mlflow-tracing", "millstream", "millstream-mlflow"})


def predict(
    model_uri: str, input_data: Any, *, content_type: str = "json",
    output_path: str | os.PathLike[str] | None = None, env_manager: str | None = "virtualenv",
    install_mlflow: bool = False, pip_requirements_override: list[str] | None = None,
    extra_envs: Mapping[str, str] | None = None,
) -> None:
    """Let the model at ``model_uri`` answer one request; see :func:`millstream.models.predict`."""
    if content_type not in ("json", "csv"):
        raise InvalidValue.of("content_type", content_type, "it is neither json nor csv")
    text = prediction.request(input_data, content_type)
    if is_local(env_manager, pip_requirements_override, extra_envs):
        answer = prediction.answer(loading.fetch(model_uri), text, content_type)
    else:
        folder = loading.fetch(model_uri)
        wanted = environment_of(folder, manager=managed(env_manager), override=pip_requirements_override or (),
                                with_mlflow=install_mlflow)
        answer = _elsewhere(folder, built_for(folder, wanted), text, content_type, extra_envs or {})
    if output_path is not None:
        Path(output_path).write_text(answer, encoding="utf-8")
    else:
        print(answer, flush=True)


def is_local(manager: str | None, override: object, variables: object) -> bool:
    """Whether the model predicts in this process. Raises InvalidValue for what that leaves no place for."""
    if manager != "local":
        return False
    for name, value in (("pip_requirements_override", override), ("extra_envs", variables)):
        if value:
            raise InvalidValue(f"{name} has no meaning with env_manager='local', which predicts in this process",
                               hint="leave it out, or use env_manager='uv'")
    return True


def managed(manager: str | None) -> str:
    """The environment manager of that name, virtualenv for None. Raises InvalidValue."""
    return preparing.managed(manager, "virtualenv")


def environment_of(
    folder: Path, *, manager: str = "virtualenv", override: Iterable[str] = (), with_mlflow: bool = False,
    also: Iterable[str] = (),
) -> Environment:
    """What the environment of the model in ``folder`` holds, with ``also`` these.

    Raises NotFound for a model that does not say what it needs.
    """
    block = Model.load(folder).flavors.get(PYTHON_FUNCTION) or {}
    told = environment_files.read_environment(folder, block.get("env"))
    added = read_requirements(override)
    conda = _of_conda(told, manager, {distribution_in(line) for line in added.lines})
    lines = environment_files.merged(told.requirements, added.lines)
    if not with_mlflow:
        lines = [line for line in lines if _distribution(line) not in _OUR_PLACE]
    names = {_distribution(line) for line in lines}
    lines = [placed(line, folder) for line in lines]
    return Environment(
        None if conda else told.python, (*lines, *(name for name in (*_ALWAYS, *also) if name not in names)),
        (*told.constraints, *added.constraints), () if conda else tuple(told.build), millstream=True, conda=conda,
    )


def _distribution(line: str) -> str:
    """What a requirement installs; a wheel is named after it."""
    return distribution_in(line.rpartition("/")[2].partition("-")[0] if line.endswith(".whl") else line)


def placed(line: str, folder: Path) -> str:
    """A requirement that is a file of the model, such as ``wheels/x-1.0-py3-none-any.whl``, with its place."""
    path = (folder / line).resolve()
    with contextlib.suppress(OSError):  # a line may be too long to be a name
        if path.is_file() and path.is_relative_to(folder.resolve()):
            return path.as_uri()
    return line


def _of_conda(told: ModelEnvironment, manager: str, instead: Container[str]) -> Conda | None:
    """What only conda can install of the model's packages; None when it is nothing, or what the model can go without.

    Those named ``instead``, by a requirement, are not asked of conda.
    """
    needed = manager == "conda" or told.only_conda
    try:
        asked = told.asked_of_conda()
    except InvalidValue:  # it is python_env.yaml that counts
        if needed:
            raise
        return None
    if asked is None:
        return None
    asked = replace(asked, packages=tuple(one for one in asked.packages if name_of(one) not in instead))
    if asked.own and needed:
        return asked
    if asked.own:
        logger.warning("The model's conda.yaml names packages that are left out, as %s does without conda: %s; name "
                       "those that it needs in pip_requirements_override, or ask for env_manager='conda'",
                       PYTHON_ENV_FILE, ", ".join(asked.own))
    return None


def built_for(folder: Path, environment: Environment) -> Built:
    """The environment for the model in ``folder``, built if need be. Raises UntrustedModel, EnvironmentFailed."""
    check_origin(folder)
    return building.build(environment)


def check_origin(folder: Path) -> None:
    """Raises UntrustedModel unless the packages that the model in ``folder`` names may be installed."""
    if not trust.knows(folder) and not settings.ALLOW_PICKLE_DESERIALIZATION.get():
        raise UntrustedModel(
            f"the packages that the model at {folder} names run code of their makers when they are installed and used, "
            "and nothing says that its maker is trusted", hint=trust.remedy(),
        )


def _elsewhere(folder: Path, built: Built, text: str, content_type: str, variables: Mapping[str, str]) -> str:
    with built.in_use(), tempfile.TemporaryDirectory(prefix="millstream-predict-") as scratch:
        given, taken = Path(scratch, "request"), Path(scratch, "answer")
        given.write_text(text, encoding="utf-8")
        if trust.knows(folder):  # and so does the other process, which does not see where it came from
            variables = {**variables, prediction.TRUSTED: "1"}
        command = [*map(str, (built.python, "-m", prediction.__name__, folder.resolve(), content_type, given, taken))]
        done = subprocess.run(command, env={**built.variables(), **variables}, stdin=subprocess.DEVNULL, check=False)
        try:
            told = json.loads(taken.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise EnvironmentFailed(f"the process that predicts ended with status {done.returncode} and no answer",
                                    hint=f"its last words are above; it ran in {built.path}") from None
    if "error" in told:
        raise from_wire(told["error"])
    return str(told["answer"])


def build_model_env(
    model_uri: str, save_path: str | os.PathLike[str], env_manager: str | None = "virtualenv"
) -> str:
    """Build the environment of the model at ``model_uri`` and return the path of an archive of it below ``save_path``.

    The archive (``.tar.gz``) may be unpacked anywhere on a machine that has the same interpreter at the same place.
    Raises EnvironmentFailed, PythonNotFound, UntrustedModel, and InvalidValue for "local".
    """
    manager = managed(env_manager)
    if manager == "local":
        raise InvalidValue("env_manager='local' has no environment to build", hint="use env_manager='uv'")
    folder = loading.fetch(model_uri)
    built = built_for(folder, environment_of(folder, manager=manager, also=("pyarrow",)))
    target = Path(save_path)
    target.mkdir(parents=True, exist_ok=True)
    archive = target / f"{built.key}.tar.gz"
    if not archive.exists():
        _pack(built, archive)
    return str(archive)


def _pack(built: Built, archive: Path) -> None:
    unfinished = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        with built.in_use(), tarfile.open(unfinished, "w:gz", compresslevel=1) as packed:
            packed.add(built.path, built.key)
        unfinished.replace(archive)
    finally:
        unfinished.unlink(missing_ok=True)


def get_model_dependencies(model_uri: str, format: str = "pip") -> str:
    """The path of the model's ``requirements.txt`` ("pip") or ``conda.yaml`` ("conda"), on this machine.

    Raises InvalidValue for another format, and NotFound for a model that has no such file.
    """
    if format not in ("pip", "conda"):
        raise InvalidValue.of("format", format, "it is neither pip nor conda")
    folder, references = _environment_files(model_uri)
    if format == "conda":
        path = folder / environment_files.file_names(references)[0]
        if not path.is_file():
            raise NotFound(f"the model at {model_uri} has no conda.yaml", hint="ask for format='pip'")
        return str(path)
    path = environment_files.model_requirements(folder, references)
    logger.info("Install what the model needs with: pip install -r %s", path)
    return str(path)


def _environment_files(model_uri: str) -> tuple[Path, Any]:
    """A folder with the files of the model's environment, and how its MLmodel names them; nothing else is fetched."""
    uri = os.fspath(model_uri)
    store, inside = loading.store_of(uri)
    folder = None if scheme(uri) in ("", "file") else tempfile.mkdtemp(prefix="millstream-environment-")

    def fetched(name: str) -> Path:
        return Path(store.download_artifacts(f"{inside}/{name}".lstrip("/"), folder))

    try:
        described = fetched(mlmodel.FILE)
    except ArtifactNotFound:
        raise BadModel(f"there is no model at {uri}: it holds no file named {mlmodel.FILE}",
                       hint="name what save_model() or log_model() wrote") from None
    references = (Model.load(described).flavors.get(PYTHON_FUNCTION) or {}).get("env")
    wanted = {REQUIREMENTS_FILE, CONSTRAINTS_FILE, *environment_files.file_names(references)}
    for name in sorted(wanted & {os.path.basename(one.path) for one in store.list(inside)}):
        fetched(name)
    return described.parent, references


def update_model_requirements(
    model_uri: str, operation: str, requirement_list: Iterable[str]
) -> None:
    """Add requirements to the model at ``model_uri`` ("add"), or take them out ("remove").

    One that is added takes the place of another of the same distribution; one to remove is named with or without a
    version, and one that the model does not have is told in the log. Its ``requirements.txt`` and ``conda.yaml``
    change. Raises InvalidValue for a line that is no requirement or another operation.
    """
    if operation not in ("add", "remove"):
        raise InvalidValue.of("operation", operation, "it is neither add nor remove")
    asked = read_requirements(requirement_list).lines
    folder, references = _environment_files(model_uri)
    told = environment_files.read_environment(folder, references)
    had = {distribution_in(line) for line in told.requirements}
    named = {distribution_in(line): line for line in asked}
    if operation == "add":
        told.requirements = [named.pop(distribution_in(line), line) for line in told.requirements]
        told.requirements += named.values()
    else:
        for name in named.keys() - had:
            logger.warning("The model does not require %s, so there is nothing to remove", name)
        told.requirements = [line for line in told.requirements if distribution_in(line) not in named]
    texts = told.texts()
    conda = environment_files.file_names(references)[0]
    changing.rewrite(model_uri, {REQUIREMENTS_FILE: texts[REQUIREMENTS_FILE], conda: texts[CONDA_FILE]})
