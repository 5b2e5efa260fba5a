"""What importing costs, and the names that programs written for MLflow import."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream._aliases import ALIASES
from millstream.errors import CODE_NUMBERS, InvalidValue, MillstreamError, NotFound

HEAVY = ("sqlalchemy", "alembic", "pandas", "numpy", "polars", "pyarrow", "starlette", "uvicorn", "obstore", "fsspec",
         "yaml", "rich", "click", "psutil", "asyncio", "matplotlib", "PIL")


def loaded(program: str, place: Path, **environment: str) -> set[str]:
    """The modules that a program has imported when it ends."""
    text = f"{program}\nimport sys; sys.stdout.write(chr(10) + ' '.join(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=place, timeout=60,
        env={**os.environ, "MILLSTREAM_OUTBOX_DIR": str(place / "outbox"), **environment},
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_next_to_nothing(tmp_path: Path) -> None:
    modules = loaded("import millstream", tmp_path)
    ours = {name for name in modules if name.startswith("millstream")}
    assert ours == {"millstream", "millstream._aliases", "millstream._version"}
    assert not modules & {*HEAVY, "importlib.metadata", "typing", "msgspec", "logging"}


def test_a_program_that_logs_to_a_server_imports_nothing_heavy(tmp_path: Path, millstream_server: Any) -> None:
    modules = loaded(
        "import millstream as mlflow\n"
        "with mlflow.start_run():\n"
        "    mlflow.log_metric('loss', 0.5, step=1)\n"
        "    mlflow.log_param('depth', 3)\n"
        "    mlflow.set_tag('color', 'red')\n",
        tmp_path, MLFLOW_TRACKING_URI=millstream_server.uri, MILLSTREAM_CAPTURE_ENVIRONMENT="false",
    )
    assert not modules & set(HEAVY)


def test_a_program_that_logs_to_a_folder_imports_no_pandas(tmp_path: Path) -> None:
    modules = loaded("import millstream as mlflow\nmlflow.log_metric('loss', 0.5)\nmlflow.end_run()", tmp_path)
    assert not modules & {"pandas", "numpy", "starlette", "obstore", "pyarrow", "rich"}
    assert "sqlalchemy" in modules


def test_a_frame_says_what_it_needs(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['pandas'] = None\n"
        "import millstream\n"
        "try:\n"
        "    millstream.search_runs()\n"
        "except ImportError as error:\n"
        "    print(type(error).__name__, error, '|', error.hint)\n"
        "assert millstream.search_runs(output_format='list') == []"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == (
        "MissingLibrary search_runs() as a DataFrame needs pandas, which is not installed | install it: pip install "
        "pandas; or ask for a list: search_runs(output_format='list')\n"
    )


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(millstream.__all__) == sorted({*millstream.__all__})
    rooms = {"autolog"}  # a package that can be called
    assert set(millstream._WHERE) == set(millstream.__all__) - {"__version__"} - rooms
    assert set(millstream.__all__) <= set(dir(millstream))
    for name in millstream.__all__:
        assert getattr(millstream, name) is getattr(millstream, name)
        if name != "__version__":
            assert getattr(millstream, name).__doc__, name


def test_the_names_for_type_checkers_are_the_names_at_run_time() -> None:
    stub = ast.parse(Path(millstream.__file__).with_suffix(".pyi").read_text())
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom) and node.module != "typing"]
    told = {name.asname: node.module for node in imports for name in node.names}
    assert told == {**millstream._WHERE, "autolog": "millstream.autolog"}


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(AttributeError, match="langchain"):
        millstream.langchain  # noqa: B018
    with pytest.raises(AttributeError):
        millstream.tracking.nothing  # noqa: B018
    with pytest.raises(AttributeError):
        millstream.utils.nothing  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("millstream.utils.nothing")


@pytest.mark.parametrize("alias", ALIASES)
def test_every_alias_can_be_imported(alias: str) -> None:
    module = importlib.import_module(f"millstream.{alias}")
    target = ALIASES[alias]
    assert target is None or module is importlib.import_module(target)
    found: Any = millstream
    for part in alias.split("."):
        found = getattr(found, part)
    assert found is module


# What programs that use MLflow really import: their own, and those of the libraries that log to it.
IMPORTS = """
from millstream import MlflowClient, MlflowException, ActiveRun
from millstream.artifacts import download_artifacts, list_artifacts, load_dict, load_image, load_text
from millstream.client import MlflowClient
from millstream.config import enable_async_logging
from millstream.entities import Dataset, DatasetInput, Experiment, ExperimentTag, FileInfo, InputTag, LifecycleStage
from millstream.entities import LoggedModel, LoggedModelInput, LoggedModelOutput, LoggedModelParameter
from millstream.entities import LoggedModelStatus, LoggedModelTag, Metric, Param, Run, RunData, RunInfo, RunInputs
from millstream.entities import RunOutputs, RunStatus, RunTag, SourceType, ViewType
from millstream.entities.dataset_input import DatasetInput
from millstream.entities.experiment import Experiment
from millstream.entities.file_info import FileInfo
from millstream.entities.lifecycle_stage import LifecycleStage
from millstream.entities.logged_model import LoggedModel
from millstream.entities.metric import Metric
from millstream.entities.param import Param
from millstream.entities.run import Run
from millstream.entities.run_data import RunData
from millstream.entities.run_info import RunInfo
from millstream.entities.run_status import RunStatus
from millstream.entities.run_tag import RunTag
from millstream.entities.view_type import ViewType
from millstream.environment_variables import MLFLOW_RUN_CONTEXT, MLFLOW_TRACKING_URI, MLFLOW_TRUNCATE_LONG_VALUES
from millstream.exceptions import ExecutionException, MissingConfigException, MlflowException, RestException
from millstream.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode
from millstream.store.entities import PagedList
from millstream.store.entities.paged_list import PagedList
from millstream.store.tracking import SEARCH_MAX_RESULTS_DEFAULT, SEARCH_MAX_RESULTS_THRESHOLD
from millstream.system_metrics import enable_system_metrics_logging
from millstream.tracking import MlflowClient, fluent, set_tracking_uri
from millstream.tracking.client import MlflowClient
from millstream.tracking.context.registry import resolve_tags
from millstream.tracking.fluent import ActiveRun, _get_experiment_id, start_run
from millstream.utils.async_logging.run_operations import RunOperations
from millstream.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_USER
from millstream.utils.time import get_current_time_millis
from millstream.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAM_VAL_LENGTH, MAX_PARAMS_TAGS_PER_BATCH
from millstream.version import VERSION
from millstream.models import ModelConfig, ModelInputExample, ModelSignature, infer_signature, validate_schema
from millstream.models.model_config import ModelConfig
from millstream.models.signature import ModelSignature, infer_signature
from millstream.models.utils import ModelInputExample, PyFuncInput, PyFuncOutput
from millstream.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from millstream.types.schema import AnyType, Array, ColSpec, DataType, Map, Object, ParamSchema, Property, Schema
from millstream.types.type_hints import TypeFromExample
"""


@pytest.mark.parametrize("line", IMPORTS.strip().splitlines())
def test_an_import_of_a_program_written_for_mlflow(line: str) -> None:
    names: dict[str, object] = {}
    module, _, imported = line.removeprefix("from ").partition(" import ")
    for name in imported.split(", "):
        names[name] = getattr(importlib.import_module(module), name)
    assert None not in names.values()


def test_attributes_of_the_package_are_its_modules() -> None:
    assert millstream.utils.mlflow_tags.MLFLOW_RUN_NAME == "mlflow.runName"
    assert millstream.tracking.fluent.start_run is millstream.start_run
    assert millstream.tracking.MlflowClient is millstream.client.MlflowClient is millstream.MlflowClient
    assert millstream.entities.ViewType.ALL == 3


def test_errors_are_caught_as_programs_catch_them() -> None:
    from millstream import exceptions

    error = exceptions.MlflowException("gone", error_code=exceptions.RESOURCE_DOES_NOT_EXIST)
    assert error.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert error.get_http_status_code() == 404
    assert error.json["error_code"] == exceptions.ErrorCode.Name(exceptions.RESOURCE_DOES_NOT_EXIST)
    with pytest.raises(exceptions.RestException):
        raise NotFound("gone")
    with pytest.raises(exceptions.MlflowException):
        raise InvalidValue("bad")
    assert isinstance(MillstreamError.invalid_parameter_value("bad"), exceptions.MlflowException)


def test_codes_and_numbers_go_both_ways() -> None:
    from millstream import exceptions

    for name, number in CODE_NUMBERS.items():
        assert exceptions.ErrorCode.Name(number) == name
        assert exceptions.ErrorCode.Value(name) == number == getattr(exceptions, name)
        assert name in dir(exceptions)
    with pytest.raises(ValueError, match="99999"):
        exceptions.ErrorCode.Name(99999)
    with pytest.raises(ValueError, match="NOTHING"):
        exceptions.ErrorCode.Value("NOTHING")
    with pytest.raises(AttributeError):
        exceptions.NOTHING  # noqa: B018


def test_settings_under_their_old_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from millstream import environment_variables

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    assert environment_variables.MLFLOW_HTTP_REQUEST_TIMEOUT.get() == 7
    assert "MLFLOW_TRACKING_URI" in dir(environment_variables)
    with pytest.raises(AttributeError):
        environment_variables.MLFLOW_NOTHING  # noqa: B018
