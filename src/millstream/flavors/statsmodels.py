"""statsmodels: results of fitted models, in its own pickle format, which is read through the gate for pickles."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue, SchemaMismatch
from millstream.flavors import loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.models import pickles, requirements

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.mlmodel import Model

FLAVOR = Flavor("statsmodels", "mlflow.statsmodels", ("statsmodels", "numpy", "scipy", "pandas"))
FILE = "model.statsmodels"


@spelled_out
def save_model(
    statsmodels_model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, mlflow_model: Model | None = None, remove_data: bool = False,
    **options: Unpack[SaveOptions],
) -> None:
    """Save the results of a fitted model of statsmodels as the model in the folder ``path``.

    With ``remove_data`` the arrays of the training data stay out of the file (statsmodels' ``remove_data``); those of
    the results that are given are not touched. Results without ``predict``, such as those of VAR, are no python
    function. Raises InvalidValue for what has no ``save``.
    """
    if not hasattr(statsmodels_model, "save"):
        raise InvalidValue(f"results of statsmodels are expected, not {type(statsmodels_model).__name__}",
                           hint="give what fit() of a model of statsmodels returned")

    def write(folder: Path) -> Written:
        import statsmodels

        # statsmodels removes the data from the object that it saves.
        saved = copy.deepcopy(statsmodels_model) if remove_data else statsmodels_model
        saved.save(str(folder / FILE), remove_data=remove_data)
        block = {"data": FILE, "statsmodels_version": statsmodels.__version__}
        modules = requirements.modules_of_pickle((folder / FILE).read_bytes())
        if not hasattr(statsmodels_model, "predict"):
            return Written(block, None, modules)
        return Written(block, {"data": FILE}, modules, PythonFunction(statsmodels_model).predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    statsmodels_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, remove_data: bool = False, **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save results, see :func:`save_model`, and log them."""
    save = functools.partial(
        save_model, statsmodels_model, conda_env=conda_env, code_paths=code_paths, remove_data=remove_data,
    )
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dst_path: str | None = None) -> Any:
    """The results of the model at ``model_uri``. Raises BadModel, CorruptModel, UntrustedModel."""
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return pickles.load(loading.file_of(folder, block, "data", default=FILE))


def get_default_pip_requirements() -> list[str]:
    """The pins of what every model of statsmodels needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of a model: ``path`` is its file."""
    return PythonFunction(pickles.load(Path(path)))


class PythonFunction:
    """Results of statsmodels that predict."""

    def __init__(self, statsmodels_model: Any) -> None:
        self.statsmodels_model = statsmodels_model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What the results predict for the rows of ``data``; ``params`` change nothing.

        Of a time series, ``data`` is one row whose columns ``start`` and ``end`` say which times to predict, both
        included: dates, or numbers of observations. Raises SchemaMismatch for other data then.
        """
        if not _is_time_series(self.statsmodels_model):
            return self.statsmodels_model.predict(data)
        columns = list(getattr(data, "columns", ()))
        if len(data) != 1 or not {"start", "end"}.issubset(columns):
            raise SchemaMismatch(
                f"a model of a time series predicts one row with the columns start and end; given are {len(data)} rows "
                f"with the columns {', '.join(map(str, columns)) or '(none)'}",
                hint="pandas.DataFrame({'start': [first], 'end': [last]})",
            )
        return self.statsmodels_model.predict(start=data["start"].iloc[0], end=data["end"].iloc[0])

    def get_raw_model(self) -> Any:
        """The results."""
        return self.statsmodels_model


def _is_time_series(results: Any) -> bool:
    from statsmodels.tsa.base.tsa_model import TimeSeriesModel

    return isinstance(getattr(results, "model", None), TimeSeriesModel)
