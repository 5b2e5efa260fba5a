"""CatBoost: models in any format that CatBoost saves; those that it also loads predict."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import BadModel, CorruptModel, InvalidValue, NotSupported
from millstream.flavors import loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.mlmodel import Model

FLAVOR = Flavor("catboost", "mlflow.catboost", ("catboost", "numpy", "pandas"))
FILE = "model.cb"
_LOADED = ("cbm", "json", "onnx", "coreml")
_SOURCES = ("cpp", "python", "pmml")
_CLASSES = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")


@spelled_out
def save_model(
    cb_model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, mlflow_model: Model | None = None, format: str = "cbm",
    export_parameters: Mapping[str, Any] | None = None, pool: Any = None, **options: Unpack[SaveOptions],
) -> None:
    """Save a model of CatBoost as the model in the folder ``path``.

    ``format`` is one of CatBoost's: cbm (its binary), json, onnx and coreml can be loaded again; cpp, python and pmml
    are for other programs, so such a model is no python function. ``export_parameters`` and ``pool`` are those of
    CatBoost's ``save_model``. Raises InvalidValue for another format, or for what is no model of CatBoost.
    """
    import catboost

    if not isinstance(cb_model, catboost.CatBoost):
        raise InvalidValue(f"a model of CatBoost is expected, not {type(cb_model).__name__}",
                           hint="give a fitted CatBoost, CatBoostClassifier, CatBoostRegressor or CatBoostRanker")
    if format not in (*_LOADED, *_SOURCES):
        raise InvalidValue.of("format", format, "it is not known", hint=f"choose among {', '.join(_LOADED + _SOURCES)}")

    def write(folder: Path) -> Written:
        place = str(folder / FILE)
        cb_model.save_model(place, format=format, export_parameters=export_parameters, pool=pool)
        # A class derived from one of CatBoost's is read as that one, which has its file format.
        kind = next(one.__name__ for one in type(cb_model).__mro__ if one.__name__ in _CLASSES)
        block = {"data": FILE, "model_type": kind, "save_format": format, "catboost_version": catboost.__version__}
        if format in _SOURCES:
            return Written(block)
        return Written(block, {"data": FILE}, set(), PythonFunction(cb_model).predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    cb_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, format: str = "cbm",
    export_parameters: Mapping[str, Any] | None = None, pool: Any = None, **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a model, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, cb_model, conda_env=conda_env, code_paths=code_paths, format=format,
        export_parameters=export_parameters, pool=pool,
    )
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dst_path: str | None = None) -> Any:
    """The model of CatBoost at ``model_uri``. Raises BadModel, CorruptModel, and NotSupported for the formats that are
    for other programs."""
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(loading.file_of(folder, block, "data", default=FILE), block)


def get_default_pip_requirements() -> list[str]:
    """The pins of what every CatBoost model needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of a model: ``path`` is its file, whose folder's MLmodel says how to read it."""
    from millstream.models.mlmodel import Model

    file = Path(path)
    return PythonFunction(_read(file, Model.load(file.parent).flavors.get(FLAVOR.name) or {}))


class PythonFunction:
    """A model of CatBoost that predicts."""

    def __init__(self, cb_model: Any) -> None:
        self.cb_model = cb_model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What ``predict`` of the model gives for ``data``; ``params`` change nothing."""
        return self.cb_model.predict(data)

    def get_raw_model(self) -> Any:
        """The model of CatBoost."""
        return self.cb_model


def _read(file: Path, block: Mapping[str, Any]) -> Any:
    import catboost

    kind, form = str(block.get("model_type") or "CatBoost"), str(block.get("save_format") or "cbm")
    if kind not in _CLASSES:
        raise BadModel(f"the model is a {kind}, which is no class of models of CatBoost",
                       hint=f"known are {', '.join(_CLASSES)}")
    if form in _SOURCES:
        raise NotSupported(f"{file} is a model in CatBoost's format {form}, which is for other programs",
                           hint=f"compile or run it there; formats that load again are {', '.join(_LOADED)}")
    made = getattr(catboost, kind)()
    try:
        made.load_model(str(file), format=form)
    except catboost.CatBoostError as error:
        raise CorruptModel(f"CatBoost does not read {file}: {error}", hint="fetch or save the model again") from None
    return made
