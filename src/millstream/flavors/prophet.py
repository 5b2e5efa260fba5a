"""Prophet: forecasting models, as Prophet's own JSON."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import CorruptModel, InvalidValue
from millstream.flavors import loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.mlmodel import Model

FLAVOR = Flavor("prophet", "mlflow.prophet", ("prophet", "numpy", "pandas"))
FILE = "model.pr"


@spelled_out
def save_model(
    pr_model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, mlflow_model: Model | None = None, **options: Unpack[SaveOptions],
) -> None:
    """Save a fitted Prophet as the model in the folder ``path``. Raises InvalidValue for one that is not fitted."""
    import prophet
    from prophet.serialize import model_to_json

    if not isinstance(pr_model, prophet.Prophet) or pr_model.history is None:
        raise InvalidValue(f"a fitted Prophet is expected, not {type(pr_model).__name__}",
                           hint="call fit(frame) with the columns ds and y first")

    def write(folder: Path) -> Written:
        # The format is MLflow's: the text of Prophet's JSON as one JSON string.
        (folder / FILE).write_text(json.dumps(model_to_json(pr_model)), encoding="utf-8")
        block = {"data": FILE, "model_type": type(pr_model).__name__, "prophet_version": prophet.__version__}
        return Written(block, {"data": FILE}, set(), PythonFunction(pr_model).predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    pr_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a fitted Prophet, see :func:`save_model`, and log it."""
    save = functools.partial(save_model, pr_model, conda_env=conda_env, code_paths=code_paths)
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dst_path: str | None = None) -> Any:
    """The Prophet of the model at ``model_uri``. Raises BadModel and CorruptModel."""
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(loading.file_of(folder, block, "data", default=FILE))


def get_default_pip_requirements() -> list[str]:
    """The pins of what every Prophet needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of a model: ``path`` is its file."""
    return PythonFunction(_read(Path(path)))


class PythonFunction:
    """A Prophet that forecasts."""

    def __init__(self, pr_model: Any) -> None:
        self.pr_model = pr_model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The forecast for the times in the column ``ds`` of ``data``, a frame with ``yhat`` and what it is made of."""
        return self.pr_model.predict(data)

    def get_raw_model(self) -> Any:
        """The Prophet."""
        return self.pr_model


def _read(file: Path) -> Any:
    from prophet.serialize import model_from_json

    try:
        return model_from_json(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptModel(f"Prophet does not read {file}: {type(error).__name__}: {error}",
                           hint="fetch or save the model again") from None
