"""Results of statsmodels as folders: what is written, what comes back, and what runs code only with leave."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.tsa.ar_model import AutoReg

import millstream.pyfunc
import millstream.statsmodels
from millstream.errors import CorruptModel, InvalidValue, SchemaMismatch, UntrustedModel
from millstream.models.mlmodel import Model
from tests.isolation import isolated

data = sm.datasets.longley.load_pandas()
X, y = sm.add_constant(data.exog), data.endog


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield


@pytest.fixture(scope="module")
def results() -> Any:
    return sm.OLS(y, X).fit()


@pytest.fixture(scope="module")
def series() -> Any:
    numbers = sm.datasets.sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()[:60]
    return AutoReg(pd.Series(numbers, pd.date_range("1900", periods=60, freq="YS")), 2).fit()


def test_results_come_back_as_they_were(results: Any) -> None:
    millstream.statsmodels.save_model(results, "model", input_example=X[:3], metadata={"owner": "me"})
    loaded = millstream.statsmodels.load_model("model")
    pd.testing.assert_series_equal(loaded.params, results.params)
    told = Model.load("model")
    assert told.metadata == {"owner": "me"}
    assert told.flavors["statsmodels"] == {
        "code": None, "data": "model.statsmodels", "statsmodels_version": statsmodels.__version__,
    }
    assert told.flavors["python_function"]["loader_module"] == "mlflow.statsmodels"
    function = millstream.pyfunc.load_model("model")
    pd.testing.assert_series_equal(function.predict(X), results.predict(X))
    assert type(function.get_raw_model()) is type(results)
    assert "statsmodels==" in Path("model/requirements.txt").read_text()


def test_results_of_a_formula_predict_frames() -> None:
    frame = data.data
    fitted = smf.ols("TOTEMP ~ GNP + YEAR", frame).fit()
    millstream.statsmodels.save_model(fitted, "model")
    predicted = millstream.pyfunc.load_model("model").predict(frame[["GNP", "YEAR"]])
    pd.testing.assert_series_equal(predicted, fitted.predict(frame))


def test_without_data_the_file_is_smaller_and_the_results_keep_theirs() -> None:
    many = np.random.default_rng(0).random((2_000, 4))
    fitted = sm.OLS(many[:, 0], many[:, 1:]).fit()
    millstream.statsmodels.save_model(fitted, "whole")
    millstream.statsmodels.save_model(fitted, "light", remove_data=True)
    size = {name: Path(name, "model.statsmodels").stat().st_size for name in ("whole", "light")}
    assert size["light"] < size["whole"] / 5
    assert fitted.model.exog is not None and len(fitted.fittedvalues) == 2_000
    predicted = millstream.pyfunc.load_model("light").predict(many[:5, 1:])
    np.testing.assert_array_equal(predicted, fitted.predict(many[:5, 1:]))


@pytest.mark.parametrize("ends", [("1958", "1961"), (58, 61), (pd.Timestamp("1958"), pd.Timestamp("1961"))])
def test_a_time_series_predicts_from_start_to_end(ends: tuple[Any, Any], series: Any) -> None:
    millstream.statsmodels.save_model(series, "model")
    asked = pd.DataFrame({"start": [ends[0]], "end": [ends[1]]})
    predicted = millstream.pyfunc.load_model("model").predict(asked)
    pd.testing.assert_series_equal(predicted, series.predict(58, 61))


@pytest.mark.parametrize(
    "wrong",
    [pd.DataFrame({"start": [1, 2], "end": [3, 4]}), pd.DataFrame({"start": [1]}), np.array([[1, 2]])],
    ids=["two rows", "no end", "no columns"],
)
def test_a_time_series_says_what_it_wants(wrong: Any, series: Any) -> None:
    millstream.statsmodels.save_model(series, "model")
    with pytest.raises(SchemaMismatch, match="one row with the columns start and end"):
        millstream.pyfunc.load_model("model").predict(wrong)


class Bomb:
    """Runs a command when it is unpickled, and looks like results until then."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("load", [millstream.statsmodels.load_model, millstream.pyfunc.load_model])
@pytest.mark.parametrize("setting", ["", "false"])
def test_the_file_of_a_stranger_runs_nothing(
    load: Any, setting: str, results: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2026-96804: MLflow's statsmodels flavor unpickled whatever the setting said."""
    millstream.statsmodels.save_model(results, "model")
    Path("model/model.statsmodels").write_bytes(pickle.dumps(Bomb()))
    Path("model/manifest.json").unlink()
    if setting:
        monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", setting)
    with pytest.raises(UntrustedModel, match=r"model\.statsmodels runs code"):
        load("model")
    assert not Path("exploded").exists()


def test_a_changed_file_is_noticed_before_it_is_read(results: Any) -> None:
    millstream.statsmodels.save_model(results, "model")
    Path("model/model.statsmodels").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CorruptModel, match=r"model\.statsmodels"):
        millstream.statsmodels.load_model("model")
    assert not Path("exploded").exists()


def test_what_are_no_results_is_refused() -> None:
    with pytest.raises(InvalidValue, match="results of statsmodels are expected, not OLS"):
        millstream.statsmodels.save_model(sm.OLS(y, X), "model")
    assert not Path("model").exists()


def test_results_are_logged(results: Any) -> None:
    with millstream.start_run() as run:
        info = millstream.statsmodels.log_model(results, name="line", remove_data=True)
    assert (info.name, info.run_id) == ("line", run.info.run_id)
    loaded = millstream.statsmodels.load_model(info.model_uri)
    pd.testing.assert_series_equal(loaded.predict(X), results.predict(X))
    assert loaded.model.endog is None
    assert millstream.statsmodels.get_default_conda_env()["name"] == "mlflow-env"
    assert any(line.startswith("statsmodels==") for line in millstream.statsmodels.get_default_pip_requirements())
