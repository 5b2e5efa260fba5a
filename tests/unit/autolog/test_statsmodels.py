from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.tsa.ar_model import AutoReg

import millstream
import millstream.statsmodels
from millstream.entities import Run
from tests.unit.autolog.logged import content, files, inputs, model_of, told

Runs = Callable[[], list[Run]]

longley = sm.datasets.longley.load_pandas()
spector = sm.datasets.spector.load_pandas()
X, y = sm.add_constant(longley.exog), longley.endog
OLS = (
    "aic bic centered_tss condition_number df_model df_resid ess f_pvalue fvalue llf mse_model mse_resid mse_total "
    "rsquared rsquared_adj scale ssr uncentered_tss"
).split()


@pytest.fixture(autouse=True)
def _a_store_of_its_own(tracking: Path) -> None:
    pass


def test_what_a_fit_logs(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.statsmodels.autolog(extra_tags={"team": "a"})
    results = sm.OLS(y, X).fit(cov_type="HC1")
    [run] = runs()
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "method": "pinv", "cov_type": "HC1", "cov_kwds": "None", "use_t": "None",
    }
    assert run.data.tags["mlflow.autologging"] == "statsmodels" and run.data.tags["team"] == "a"
    assert run.data.metrics == {name: pytest.approx(getattr(results, name)) for name in OLS}
    assert files(run) == ["model_summary.txt"]
    summary = content(run, "model_summary.txt").decode()
    assert "OLS Regression Results" in summary and "TOTEMP" in summary
    assert inputs(run) == [("dataset", "train")]
    made = model_of(run)
    loaded = millstream.statsmodels.load_model(made.model_uri)
    pd.testing.assert_series_equal(loaded.predict(X), results.predict(X))
    assert {metric.key for metric in made.metrics or []} == set(OLS)
    assert made.params == run.data.params
    assert told(caplog) == []


@pytest.mark.parametrize(
    ("fit", "some"),
    [
        (lambda: smf.ols("TOTEMP ~ GNP + YEAR", longley.data).fit(), {"rsquared", "fvalue"}),
        (lambda: sm.GLM(spector.endog, spector.exog, family=sm.families.Binomial()).fit(), {"llf", "df_resid"}),
        (lambda: sm.Logit(spector.endog, spector.exog).fit(disp=0), {"aic", "llf"}),
        (lambda: sm.RLM(y, X).fit(), {"scale", "df_model"}),
        (lambda: AutoReg(y.to_numpy(), 1).fit(), {"aic", "bic", "llf"}),
        (lambda: sm.tsa.ARIMA(y.to_numpy(), order=(0, 0, 1)).fit(), {"aic", "llf"}),
        (lambda: sm.tsa.SimpleExpSmoothing(y.to_numpy(), "heuristic").fit(0.5, optimized=False), {"aic"}),
        (lambda: sm.tsa.VAR(longley.exog[["GNP", "UNEMP"]].to_numpy()).fit(1), {"aic", "llf"}),
    ],
    ids=["formula", "GLM", "Logit", "RLM", "AutoReg", "ARIMA", "smoothing", "VAR"],
)
def test_models_of_every_kind(
    fit: Callable[[], Any], some: set[str], runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    plain = fit()
    millstream.statsmodels.autolog()
    results = fit()
    np.testing.assert_array_equal(np.asarray(results.fittedvalues), np.asarray(plain.fittedvalues))
    [run] = runs()
    assert run.data.metrics.keys() >= some
    assert "kwargs" not in run.data.params and "self" not in run.data.params
    assert files(run) == ["model_summary.txt"] and inputs(run) == [("dataset", "train")]
    loaded = millstream.statsmodels.load_model(model_of(run).model_uri)
    np.testing.assert_array_equal(np.asarray(loaded.fittedvalues), np.asarray(results.fittedvalues))
    assert told(caplog) == []


def test_models_that_are_imported_later_are_logged_too(runs: Runs) -> None:
    millstream.statsmodels.autolog(log_models=False, log_datasets=False)
    from statsmodels.regression.quantile_regression import QuantReg

    numbers = np.arange(40.0)
    QuantReg(numbers % 7, sm.add_constant(numbers)).fit(q=0.5)
    [run] = runs()
    assert run.data.params["q"] == "0.5"
    assert inputs(run) == [] and not run.outputs.model_outputs


def test_the_originals_come_back() -> None:
    kinds = [sm.OLS, sm.GLM, sm.Logit, sm.RLM, AutoReg, sm.regression.linear_model.RegressionModel]
    before = [dict(vars(kind)) for kind in kinds]
    millstream.statsmodels.autolog()
    assert sm.GLM.fit is not before[1]["fit"]
    millstream.statsmodels.autolog(disable=True)
    assert [dict(vars(kind)) for kind in kinds] == before


def test_what_a_fit_raises_is_raised(runs: Runs) -> None:
    millstream.statsmodels.autolog()
    with pytest.raises(ValueError, match="method must be one of"):
        sm.OLS(y, X).fit(method="nonsense")
    assert [run.info.status for run in runs()] == ["FAILED"]


def test_fits_of_several_threads_and_an_active_run(runs: Runs) -> None:
    millstream.statsmodels.autolog(log_models=False)

    def work(columns: int) -> None:
        sm.OLS(y, X.iloc[:, :columns]).fit()

    threads = [threading.Thread(target=work, args=(columns,)) for columns in (2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with millstream.start_run(run_name="mine"):
        work(5)
        millstream.log_param("later", 1)
    found = runs()
    assert sorted(run.data.metrics["df_model"] for run in found) == [1, 2, 3, 4]
    [mine] = [run for run in found if run.info.run_name == "mine"]
    assert mine.data.params["later"] == "1" and mine.data.metrics["df_model"] == 4
