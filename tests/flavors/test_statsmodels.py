"""Results of statsmodels, and Prophet, across the border: each side predicts the same with what the other saved."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import prophet
import pytest
import statsmodels.api as sm
from statsmodels.tsa.ar_model import AutoReg

import millstream.prophet
import millstream.pyfunc
import millstream.statsmodels
from millstream.errors import UntrustedModel
from tests.flavors.foreign import Foreign

data = sm.datasets.longley.load_pandas()
X, y = sm.add_constant(data.exog), data.endog
SAVE = """
    import importlib

    importlib.import_module(f"mlflow.{door}").save_model(model, folder, pip_requirements=[door], **options)
"""


@pytest.fixture(scope="module")
def results() -> Any:
    return sm.OLS(y, X).fit()


@pytest.fixture(scope="module")
def series() -> Any:
    numbers = sm.datasets.sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()[:60]
    return AutoReg(pd.Series(numbers, pd.date_range("1900", periods=60, freq="YS")), 2).fit()


@pytest.fixture(scope="module")
def forecast() -> Any:
    logging.getLogger("cmdstanpy").setLevel(logging.WARNING)
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=60), "y": np.sin(np.arange(60) / 7)})
    options: dict[str, Any] = {
        "weekly_seasonality": False, "yearly_seasonality": False, "daily_seasonality": False, "uncertainty_samples": 0,
    }
    return prophet.Prophet(**options).fit(frame)


ahead = pd.DataFrame({"ds": pd.date_range("2020-03-01", periods=5)})
period = pd.DataFrame({"start": [pd.Timestamp("1958")], "end": [pd.Timestamp("1961")]})


@pytest.mark.parametrize("remove", [False, True])
def test_mlflow_predicts_the_same_with_results_saved_here(
    remove: bool, results: Any, tmp_path: Path, foreign: Foreign
) -> None:
    folder = tmp_path / "model"
    millstream.statsmodels.save_model(results, str(folder), remove_data=remove, input_example=X[:3])
    pd.testing.assert_series_equal(foreign.predict(folder, X), results.predict(X))
    pd.testing.assert_series_equal(foreign.predict(folder, X, "mlflow.statsmodels"), results.predict(X))


@pytest.mark.parametrize("remove", [False, True])
def test_results_saved_by_mlflow_predict_the_same_here(
    remove: bool, results: Any, tmp_path: Path, foreign: Foreign, trusting: None
) -> None:
    folder = str(tmp_path / "model")
    options = {"remove_data": remove, "input_example": X[:3]}
    foreign.run(SAVE, door="statsmodels", model=results, folder=folder, options=options)
    pd.testing.assert_series_equal(millstream.pyfunc.load_model(folder).predict(X), results.predict(X))
    pd.testing.assert_series_equal(millstream.statsmodels.load_model(folder).predict(X), results.predict(X))


def test_a_time_series_predicts_the_same_on_both_sides(
    series: Any, tmp_path: Path, foreign: Foreign, trusting: None
) -> None:
    millstream.statsmodels.save_model(series, str(tmp_path / "ours"))
    foreign.run(SAVE, door="statsmodels", model=series, folder=str(tmp_path / "theirs"), options={})
    expected = series.predict(58, 61)
    pd.testing.assert_series_equal(foreign.predict(tmp_path / "ours", period), expected)
    pd.testing.assert_series_equal(millstream.pyfunc.load_model(str(tmp_path / "theirs")).predict(period), expected)


def test_results_saved_by_mlflow_are_no_more_trusted_than_their_folder(
    results: Any, tmp_path: Path, foreign: Foreign, tracking: Path
) -> None:
    foreign.run(SAVE, door="statsmodels", model=results, folder=str(tmp_path / "model"), options={})
    with pytest.raises(UntrustedModel, match=r"model\.statsmodels"):
        millstream.statsmodels.load_model(str(tmp_path / "model"))


# Prophet reads its JSON with a word that pandas 3 wants to drop.
@pytest.mark.filterwarnings("ignore:The 'convert_dates' keyword in read_json:DeprecationWarning")
def test_a_forecast_is_the_same_on_both_sides(forecast: Any, tmp_path: Path, foreign: Foreign) -> None:
    millstream.prophet.save_model(forecast, str(tmp_path / "ours"), signature=False)
    foreign.run(SAVE, door="prophet", model=forecast, folder=str(tmp_path / "theirs"), options={})
    expected = forecast.predict(ahead)
    pd.testing.assert_frame_equal(foreign.predict(tmp_path / "ours", ahead), expected)
    pd.testing.assert_frame_equal(millstream.pyfunc.load_model(str(tmp_path / "theirs")).predict(ahead), expected)
