"""A model with the packages that it needs: their wheels lie in it, so that no package index is asked for them again."""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from millstream.artifacts.uris import parse_model_uri, scheme
from millstream.environments import building
from millstream.environments.building import Environment
from millstream.errors import EnvironmentFailed, InvalidValue
from millstream.flavors import changing, isolated, loading
from millstream.flavors import logging as models
from millstream.models import environment_files, manifest, mlmodel
from millstream.models.environment_files import CONDA_FILE, CONSTRAINTS_FILE, REQUIREMENTS_FILE, ModelEnvironment
from millstream.models.info import ModelInfo
from millstream.models.mlmodel import PYTHON_FUNCTION, Model

__all__ = ["add_libraries_to_model"]

logger = logging.getLogger("millstream")

FOLDER = "wheels"
ORIGINAL = "original_requirements.txt"


def add_libraries_to_model(
    model_uri: str, run_id: str | None = None, registered_model_name: str | None = None
) -> ModelInfo:
    """Log a copy of the model at ``model_uri`` that carries the wheels of all that it requires.

    They are fetched by pip, for the Python that the model names and for this machine's platform, into ``wheels/`` of
    the copy, whose requirements name these files; ``original_requirements.txt`` keeps what they were. The copy is
    logged as ``<name>_wheels`` in the run ``run_id``, the model's own unless given. It becomes the next version of the
    registered model that ``registered_model_name`` or the address names, if one of them does.

    Raises InvalidValue for a model that carries wheels already, UntrustedModel for one of unknown origin, and
    EnvironmentFailed when a requirement has no wheel.
    """
    folder = loading.fetch(model_uri)
    model = Model.load(folder)
    if FOLDER in model.others or (folder / FOLDER).is_dir():
        raise InvalidValue(f"the model at {model_uri} carries its wheels already",
                           hint=f"name the model that it was made from, which has no folder {FOLDER}")
    isolated.check_origin(folder)
    logged = changing.logged_model_of(model)
    if registered_model_name is None and scheme(model_uri) == "models":
        registered_model_name = parse_model_uri(model_uri).name
    if run_id is None and scheme(model_uri) in ("runs", "models"):
        run_id = model.run_id

    def save(path: str, mlflow_model: Model, **_: Any) -> None:
        _copy(folder, Path(path), model, mlflow_model)

    return models.log(
        save, name=f"{logged.name}_{FOLDER}" if logged is not None else None, run_id=run_id,
        registered_model_name=registered_model_name, params=logged.params if logged is not None else None,
        model_type=logged.model_type if logged is not None else None,
    )


def _copy(folder: Path, target: Path, model: Model, copy: Model) -> None:
    """Copy the model in ``folder`` to ``target`` with its wheels; ``copy`` becomes its description."""
    left_out = shutil.ignore_patterns("__pycache__", manifest.FILE, "registered_model_meta")
    shutil.copytree(folder, target, ignore=left_out)
    references = (model.flavors.get(PYTHON_FUNCTION) or {}).get("env")
    told = environment_files.read_environment(target, references)
    wheels = _fetch(told, folder, target / FOLDER)

    before = target / REQUIREMENTS_FILE
    if before.is_file():
        before.rename(target / ORIGINAL)
    told.requirements, told.constraints = [f"{FOLDER}/{name}" for name in wheels], []
    (target / CONSTRAINTS_FILE).unlink(missing_ok=True)
    texts = told.texts()
    (target / REQUIREMENTS_FILE).write_text(texts[REQUIREMENTS_FILE], encoding="utf-8")
    (target / environment_files.file_names(references)[0]).write_text(texts[CONDA_FILE], encoding="utf-8")

    copy.flavors, copy.signature, copy.metadata = model.flavors, model.signature, model.metadata
    copy.saved_input_example_info = model.saved_input_example_info
    copy.others = {**model.others, FOLDER: {"platform": platform.platform()}}
    copy.model_size_bytes = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    copy.save(target / mlmodel.FILE)
    manifest.write(target, sealed=manifest.is_own(folder))


def _fetch(told: ModelEnvironment, folder: Path, into: Path) -> list[str]:
    """Fetch the wheels of a model's requirements into ``into``, and return their names, sorted."""
    into.mkdir()
    lines = [isolated.placed(line, folder) for line in told.requirements]
    if not lines:
        return []
    built = building.build(Environment(told.python, build=("pip",)))
    with built.in_use(), tempfile.TemporaryDirectory(prefix="millstream-wheels-") as scratch:
        listed, limits = Path(scratch, REQUIREMENTS_FILE), Path(scratch, CONSTRAINTS_FILE)
        listed.write_text("\n".join(lines), encoding="utf-8")
        limits.write_text("\n".join(told.constraints), encoding="utf-8")
        command = [str(built.python), "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check",
                   "--only-binary", ":all:", "--dest", str(into), "-r", str(listed), "-c", str(limits)]
        # Whatever pip is told by the variables and files of this user counts here too: it knows his package index.
        done = subprocess.run(command, env=built.variables(), cwd=scratch, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        said = [re.sub(r" \(from (?:versions|-r)[^)]*\)", "", line) for line in said]
        raise EnvironmentFailed(f"the wheels of the model cannot be fetched: {' '.join(said) or done.stderr[-2000:]}",
                                hint="every requirement needs a wheel for this platform; change those of the model "
                                "with millstream.models.update_model_requirements(model_uri, 'add', […])")
    logger.info("Fetched %d wheels for Python %s", len(os.listdir(into)), built.python_version)
    return sorted(os.listdir(into))
