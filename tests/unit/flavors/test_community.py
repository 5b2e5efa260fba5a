"""Flavors that others have written for MLflow: their imports work, and their models are logged and loaded."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
import yaml

import millstream
from millstream.errors import AlreadyExists, InvalidValue
from tests.isolation import isolated

# As such packages are written, but for the name that is imported.
FLAVOR = '''
import os
import yaml
import millstream as mlflow
from millstream import pyfunc
from millstream.models import Model
from millstream.models.model import MLMODEL_FILE_NAME
from millstream.models.utils import _save_example
from millstream.tracking._model_registry import DEFAULT_AWAIT_MAX_SLEEP_SECONDS
from millstream.tracking.artifact_utils import _download_artifact_from_uri
from millstream.utils.docstring_utils import LOG_MODEL_PARAM_DOCS, format_docstring
from millstream.utils.environment import (
    _CONDA_ENV_FILE_NAME, _CONSTRAINTS_FILE_NAME, _PYTHON_ENV_FILE_NAME, _REQUIREMENTS_FILE_NAME, _mlflow_conda_env,
    _process_conda_env, _process_pip_requirements, _PythonEnv, _validate_env_arguments,
)
from millstream.utils.file_utils import TempDir, get_total_file_size, write_to
from millstream.utils.model_utils import (
    _add_code_from_conf_to_system_path, _get_flavor_configuration, _validate_and_copy_code_paths,
    _validate_and_prepare_target_save_path,
)
from millstream.utils.requirements_utils import _get_pinned_requirement

FLAVOR_NAME = "words"


def get_default_pip_requirements():
    return [_get_pinned_requirement("pandas")]


def get_default_conda_env():
    return _mlflow_conda_env(additional_pip_deps=get_default_pip_requirements())


@format_docstring(LOG_MODEL_PARAM_DOCS.format(package_name=FLAVOR_NAME))
def save_model(words, path, conda_env=None, code_paths=None, mlflow_model=None, signature=None, input_example=None,
               pip_requirements=None, extra_pip_requirements=None):
    _validate_env_arguments(conda_env, pip_requirements, extra_pip_requirements)
    _validate_and_prepare_target_save_path(path)
    code = _validate_and_copy_code_paths(code_paths, path)
    mlflow_model = mlflow_model or Model()
    mlflow_model.signature = signature
    if input_example is not None:
        _save_example(mlflow_model, input_example, path)
    write_to(os.path.join(path, "words.txt"), " ".join(words))
    pyfunc.add_to_model(mlflow_model, loader_module="words_flavor", data="words.txt", code=code,
                        conda_env=_CONDA_ENV_FILE_NAME, python_env=_PYTHON_ENV_FILE_NAME)
    mlflow_model.add_flavor(FLAVOR_NAME, data="words.txt", code=code)
    mlflow_model.model_size_bytes = get_total_file_size(path)
    mlflow_model.save(os.path.join(path, MLMODEL_FILE_NAME))
    if conda_env is None:
        conda_env, pins, constraints = _process_pip_requirements(
            get_default_pip_requirements(), pip_requirements, extra_pip_requirements)
    else:
        conda_env, pins, constraints = _process_conda_env(conda_env)
    with open(os.path.join(path, _CONDA_ENV_FILE_NAME), "w") as f:
        yaml.safe_dump(conda_env, stream=f, default_flow_style=False)
    if constraints:
        write_to(os.path.join(path, _CONSTRAINTS_FILE_NAME), "\\n".join(constraints))
    write_to(os.path.join(path, _REQUIREMENTS_FILE_NAME), "\\n".join(pins))
    _PythonEnv.current().to_yaml(os.path.join(path, _PYTHON_ENV_FILE_NAME))


def log_model(words, artifact_path, registered_model_name=None,
              await_registration_for=DEFAULT_AWAIT_MAX_SLEEP_SECONDS, **kwargs):
    return Model.log(artifact_path=artifact_path, flavor=importlib_self(), words=words,
                     registered_model_name=registered_model_name, await_registration_for=await_registration_for,
                     **kwargs)


def importlib_self():
    import sys
    return sys.modules[__name__]


def load_model(model_uri, dst_path=None):
    local = _download_artifact_from_uri(artifact_uri=model_uri, output_path=dst_path)
    conf = _get_flavor_configuration(model_path=local, flavor_name=FLAVOR_NAME)
    _add_code_from_conf_to_system_path(local, conf)
    with open(os.path.join(local, conf["data"])) as f:
        return f.read().split()


class _Wrapper:
    def __init__(self, words):
        self.words = words

    def predict(self, dataframe, params=None):
        return dataframe["word"].isin(self.words)


def _load_pyfunc(path):
    with open(path) as f:
        return _Wrapper(f.read().split())
'''


@pytest.fixture
def flavor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "words_flavor.py").write_text(FLAVOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
    with isolated(tmp_path, monkeypatch):
        yield importlib.import_module("words_flavor")
    sys.modules.pop("words_flavor")


def test_a_model_of_such_a_flavor_is_logged_registered_and_loaded(flavor: Any) -> None:
    frame = pandas.DataFrame({"word": ["one", "three"]})
    with millstream.start_run():
        info = flavor.log_model(
            ["one", "two"], "words", registered_model_name="words", input_example=frame,
            signature=millstream.models.infer_signature(frame, frame["word"].isin(["one"])),
        )
    assert info.registered_model_version == 1
    assert flavor.load_model(info.model_uri) == ["one", "two"]
    for uri in (info.model_uri, "models:/words/1"):
        model = millstream.pyfunc.load_model(uri)
        assert model.predict(frame).tolist() == [True, False]
        assert model.input_example.word.tolist() == ["one", "three"]


def test_its_environment_files(flavor: Any, tmp_path: Path) -> None:
    flavor.save_model(["one"], str(tmp_path / "model"), extra_pip_requirements=["six>=1"])
    pins = (tmp_path / "model" / "requirements.txt").read_text().splitlines()
    assert [pin.partition("=")[0].partition(">")[0] for pin in pins] == ["pandas", "six"]
    conda = yaml.safe_load((tmp_path / "model" / "conda.yaml").read_text())
    assert conda["dependencies"][-1]["pip"] == pins
    assert yaml.safe_load((tmp_path / "model" / "python_env.yaml").read_text())["dependencies"] == [
        "-r requirements.txt"
    ]
    assert flavor.get_default_conda_env()["dependencies"][-1]["pip"] == pins[:1]
    with pytest.raises(AlreadyExists):
        flavor.save_model(["one"], str(tmp_path / "model"))
    with pytest.raises(InvalidValue, match="exclude each other"):
        flavor.save_model(["one"], str(tmp_path / "other"), pip_requirements=["six"], extra_pip_requirements=["six"])


def test_the_parts_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from millstream.flavors import community

    monkeypatch.chdir(tmp_path)
    with community.TempDir(chdr=True) as scratch:
        community.write_yaml(scratch.path(), "facts.yaml", {"b": 1, "a": 2})
        assert community.read_yaml(scratch.path(), "facts.yaml") == {"a": 2, "b": 1}
        with pytest.raises(AlreadyExists):
            community.write_yaml(scratch.path(), "facts.yaml", {})
        inside = Path.cwd()
    assert Path.cwd() == tmp_path
    assert not inside.exists()
    assert community._mlflow_conda_env(str(tmp_path / "conda.yaml"), ["gcc"], ["six"], ["bioconda"]) is None
    written = yaml.safe_load((tmp_path / "conda.yaml").read_text())
    assert written["channels"] == ["conda-forge", "bioconda"]
    assert written["dependencies"][-2:] == ["gcc", {"pip": ["six"]}]
    with pytest.raises(InvalidValue, match="no distribution 'nowhere'"):
        community._get_pinned_requirement("nowhere")
