"""Work on models that is the same for both systems: run by the interpreter of either, it prints one JSON document.

python client_models.py millstream|mlflow WORK [ARGUMENT …]
"""

from __future__ import annotations

import importlib
import json
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def milliseconds(times: int, work: Callable[[], Any]) -> float:
    """The median duration of ``work``, after one run that does not count."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def small() -> tuple[Any, pd.DataFrame, pd.Series]:
    """A fitted pipeline with the data that it was fitted on."""
    data, target = load_diabetes(return_X_y=True, as_frame=True)
    return make_pipeline(StandardScaler(), LinearRegression()).fit(data, target), data, target


def log_model(api: Any, times: str) -> dict[str, float]:
    """``sklearn.log_model`` of a small pipeline with an input example, in a run."""
    model, data, _ = small()
    flavor = importlib.import_module(f"{api.__name__}.sklearn")
    # The default of MLflow 3.17 refuses some estimators; both write what both can read.
    options = {"name": "model", "input_example": data[:3], "serialization_format": "cloudpickle"}
    with api.start_run():
        return {"log_model": milliseconds(int(times), lambda: flavor.log_model(model, **options))}


def autolog(api: Any, times: str) -> dict[str, float]:
    """A fit of a model that takes some milliseconds, plain and with ``sklearn.autolog()``, each in a run of its own."""
    _, data, target = small()
    flavor = importlib.import_module(f"{api.__name__}.sklearn")

    def fit() -> None:
        make_pipeline(StandardScaler(), LinearRegression()).fit(data, target)

    plain = milliseconds(20, fit)
    flavor.autolog(silent=True)
    return {"plain": plain, "autologged": milliseconds(int(times), fit)}


def loop(api: Any, steps: str) -> dict[str, float]:
    """``xgboost.train`` of so many rounds, each with a metric, plain and with ``xgboost.autolog()``."""
    import xgboost

    _, data, target = small()
    matrix = xgboost.DMatrix(data[:50], target[:50])
    rounds = int(steps)

    def train() -> float:
        began = time.perf_counter()
        xgboost.train({"max_depth": 1, "nthread": 1, "eta": 0.001}, matrix, rounds, evals=[(matrix, "train")],
                      verbose_eval=False)
        return time.perf_counter() - began

    plain = min(train() for _ in range(3))
    flavor = importlib.import_module(f"{api.__name__}.xgboost")
    flavor.autolog(log_models=False, log_datasets=False, importance_types=[], silent=True)
    with api.start_run():
        logged = train()
    return {"plain": plain, "logged": logged, "microseconds": (logged - plain) / rounds * 1e6}


def predict(api: Any, times: str) -> dict[str, float]:
    """``pyfunc.predict`` of a model with a signature: one row, and a million."""
    model, data, target = small()
    flavor = importlib.import_module(f"{api.__name__}.sklearn")
    info = flavor.log_model(model, name="model", input_example=data[:3], serialization_format="cloudpickle")
    loaded = importlib.import_module(f"{api.__name__}.pyfunc").load_model(info.model_uri)
    row = data[:1]
    many = data.iloc[np.arange(1_000_000) % len(data)].reset_index(drop=True)
    assert np.allclose(loaded.predict(many[:10]), model.predict(many[:10]))
    return {
        "row": milliseconds(int(times), lambda: loaded.predict(row)),
        "row bare": milliseconds(int(times), lambda: model.predict(row)),
        "million": milliseconds(5, lambda: loaded.predict(many)),
        "million bare": milliseconds(5, lambda: model.predict(many)),
    }


def save(api: Any, kind: str, folder: str) -> dict[str, Any]:
    """A model with a signature in ``folder``, for a scoring server; its columns."""
    model, data, target = small()
    options = {"serialization_format": "cloudpickle"}
    if kind == "xgboost":
        import xgboost

        model, options = xgboost.XGBRegressor(n_estimators=100, max_depth=4, n_jobs=1).fit(data, target), {}
    importlib.import_module(f"{api.__name__}.{kind}").save_model(model, folder, input_example=data[:3], **options)
    return {"columns": list(data.columns)}


def file(api: Any, rows: str, path: str) -> dict[str, Any]:
    """A CSV file of so many rows for the models of :func:`save`."""
    _, data, _ = small()
    chance = np.random.default_rng(0)
    values = chance.normal(0.0, 0.05, (int(rows), len(data.columns)))
    pd.DataFrame(values, columns=data.columns).to_csv(path, index=False)
    return {"rows": int(rows)}


WORK = {"save": save, "file": file, "log_model": log_model, "autolog": autolog, "loop": loop, "predict": predict}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(json.dumps(WORK[sys.argv[2]](importlib.import_module(sys.argv[1]), *sys.argv[3:])))
