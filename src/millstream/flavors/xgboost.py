"""XGBoost: boosters and the estimators of its scikit-learn interface, in XGBoost's own formats."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import BadModel, CorruptModel, InvalidValue
from millstream.flavors import arrays, loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.models import pickles

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.mlmodel import Model

FLAVOR = Flavor("xgboost", "mlflow.xgboost", ("xgboost", "numpy", "scipy", "pandas"))
BOOSTER = "xgboost.core.Booster"
_ENDINGS = ("ubj", "json")


@spelled_out
def save_model(
    xgb_model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, mlflow_model: Model | None = None, model_format: str = "ubj",
    **options: Unpack[SaveOptions],
) -> None:
    """Save a ``Booster``, or an estimator such as ``XGBClassifier``, as the model in the folder ``path``.

    ``model_format`` is the ending of the model's file: ubj (binary JSON), json (text), or another word such as xgb,
    which XGBoost 3 writes as ubj. Raises InvalidValue for what is no model of XGBoost.
    """
    import xgboost

    if not isinstance(xgb_model, (xgboost.Booster, xgboost.XGBModel)):
        raise InvalidValue(f"a Booster or an estimator of XGBoost is expected, not {type(xgb_model).__name__}",
                           hint="give what xgboost.train() returned, or a fitted XGBClassifier, XGBRegressor, …")
    if not str(model_format).isalnum():
        raise InvalidValue.of("model_format", model_format, "it is the ending of a file", hint="choose ubj or json")
    kind = type(xgb_model)
    name = f"model.{model_format}"

    def write(folder: Path) -> Written:
        # XGBoost goes by the ending, and warns of one that it does not know.
        written = folder / (name if model_format in _ENDINGS else "model.ubj")
        xgb_model.save_model(str(written))
        written.rename(folder / name)
        block = {"data": name, "model_class": f"{kind.__module__}.{kind.__qualname__}", "model_format": model_format,
                 "xgb_version": xgboost.__version__}
        modules = {kind.__module__.partition(".")[0]} | ({"sklearn"} if _is_estimator(xgb_model) else set())
        return Written(block, {"data": name}, modules, PythonFunction(xgb_model).predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    xgb_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, model_format: str = "ubj", **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a model, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, xgb_model, conda_env=conda_env, code_paths=code_paths, model_format=model_format,
    )
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dst_path: str | None = None) -> Any:
    """The ``Booster`` or estimator of the model at ``model_uri``. Raises BadModel, CorruptModel, UntrustedModel."""
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(loading.file_of(folder, block, "data", default="model.xgb"), block)


def get_default_pip_requirements() -> list[str]:
    """The pins of what every XGBoost model needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of a model: ``path`` is its file, whose folder's MLmodel says what it holds."""
    from millstream.models.mlmodel import Model

    file = Path(path)
    return PythonFunction(_read(file, Model.load(file.parent).flavors.get(FLAVOR.name) or {}))


class PythonFunction:
    """A booster or an estimator that predicts."""

    def __init__(self, xgb_model: Any) -> None:
        self.xgb_model = xgb_model
        self._known = inspect.signature(xgb_model.predict).parameters

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What ``predict`` of the model gives; ``params`` are its further arguments (``output_margin``,
        ``iteration_range``, …), those that it does not have are passed over."""
        known = {name: value for name, value in (params or {}).items() if name in self._known}
        if _is_estimator(self.xgb_model):
            return self.xgb_model.predict(data, **known)
        import xgboost

        return self.xgb_model.predict(xgboost.DMatrix(data, enable_categorical=True), **known)

    def on_arrays(self, names: Sequence[str]) -> Callable[[Any], Any] | None:
        """``predict`` for arrays of doubles with these columns, the same to the last bit; None where nobody knows."""
        if _is_estimator(self.xgb_model):
            made = getattr(arrays.plain(self.xgb_model, names), "predict", None)
        else:
            made = _of_booster(arrays.on_one_thread(self.xgb_model), names)
        return made if made is not None and arrays.proven(self.predict, made, names) else None

    def get_raw_model(self) -> Any:
        """The booster or estimator."""
        return self.xgb_model


def _of_booster(booster: Any, names: Sequence[str]) -> Callable[[Any], Any]:
    """``predict`` of a booster for arrays."""
    from xgboost import DMatrix

    return lambda array: booster.predict(DMatrix(array, feature_names=list(names), nthread=1))


def _is_estimator(xgb_model: Any) -> bool:
    import xgboost

    return not isinstance(xgb_model, xgboost.Booster)


def _read(file: Path, block: Mapping[str, Any]) -> Any:
    import xgboost

    named = str(block.get("model_class") or BOOSTER)  # MLflow before 1.19 has boosters only, and does not say so
    module, _, name = named.rpartition(".")
    if module.partition(".")[0] != "xgboost":
        pickles.allow(file)  # a class of the model's own code
    try:
        kind: Any = importlib.import_module(module)
        for part in name.split("."):
            kind = getattr(kind, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadModel(f"the model is a {named}, which cannot be imported: {error}",
                       hint="install what the model's requirements.txt names, or save it with its code_paths") from None
    if not (isinstance(kind, type) and issubclass(kind, (xgboost.Booster, xgboost.XGBModel))):
        raise BadModel(f"the model is a {named}, which is no class of models of XGBoost",
                       hint="a model like this was not made by save_model(); do not trust it")
    made = kind()
    try:
        made.load_model(str(file) if file.suffix[1:] in _ENDINGS else bytearray(file.read_bytes()))
    except xgboost.core.XGBoostError as error:
        raise CorruptModel(f"XGBoost does not read {file}: {str(error).splitlines()[0]}",
                           hint="fetch or save the model again") from None
    return made
