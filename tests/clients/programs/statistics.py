"""Statistics as users of statsmodels write them, logged by themselves: on data that come with the library."""

from __future__ import annotations

import mlflow
import mlflow.pyfunc
import mlflow.statsmodels
import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

from tests.clients.programs.report import Report
from tests.clients.programs.stored import keep_run


def main() -> None:
    report = Report()
    mlflow.set_experiment(f"{report.token} statistics")
    mlflow.statsmodels.autolog()

    # A line through the longley data, in a run of the program's own.
    longley = sm.datasets.longley.load_pandas()
    X, y = sm.add_constant(longley.exog), longley.endog
    with mlflow.start_run(run_name="OLS") as run:
        mlflow.log_param("data", "longley")
        results = sm.OLS(y, X).fit()
        mlflow.log_metric("rmse", float(np.sqrt(np.mean((results.predict(X) - y) ** 2))))
    uri = keep_run(report, "OLS", run.info.run_id)
    report.keep("OLS predicts", np.round(mlflow.pyfunc.load_model(uri).predict(X), 3).tolist())
    report.keep("OLS class", type(mlflow.statsmodels.load_model(uri)).__name__)

    # By a formula, and a run that is made for it.
    smf.ols("TOTEMP ~ GNP + YEAR", data=longley.data).fit(cov_type="HC1")
    uri = keep_run(report, "formula", mlflow.last_active_run().info.run_id)
    report.keep("formula predicts", np.round(mlflow.pyfunc.load_model(uri).predict(longley.data), 3).tolist())

    spector = sm.datasets.spector.load_pandas()
    sm.Logit(spector.endog, sm.add_constant(spector.exog)).fit(disp=0)
    keep_run(report, "Logit", mlflow.last_active_run().info.run_id)

    sunspots = sm.datasets.sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()
    series = pd.Series(sunspots[:80], index=pd.date_range("1700", periods=80, freq="YS"))
    sm.tsa.ARIMA(series, order=(1, 0, 0)).fit()
    uri = keep_run(report, "ARIMA", mlflow.last_active_run().info.run_id)
    period = pd.DataFrame({"start": ["1780"], "end": ["1783"]})
    report.keep("ARIMA predicts", np.round(mlflow.pyfunc.load_model(uri).predict(period), 4).tolist())
    report.show()


if __name__ == "__main__":
    main()
