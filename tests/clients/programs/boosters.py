"""Gradient boosting as its users write it: XGBoost and LightGBM logged by themselves, CatBoost by hand."""

from __future__ import annotations

from typing import Any

import catboost
import lightgbm
import mlflow
import mlflow.catboost
import mlflow.lightgbm
import mlflow.pyfunc
import mlflow.xgboost
import numpy as np
import xgboost
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from tests.clients.programs.report import Report
from tests.clients.programs.stored import keep_run


def main() -> None:
    report = Report()
    mlflow.set_experiment(f"{report.token} boosters")
    mlflow.xgboost.autolog(importance_types=["weight", "gain"], log_input_examples=True)
    mlflow.lightgbm.autolog()
    xgboost_train(report)
    xgboost_estimator(report)
    lightgbm_train(report)
    lightgbm_estimator(report)
    catboost_by_hand(report)
    report.show()


def xgboost_train(report: Report) -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
    dtrain = xgboost.DMatrix(X_train, label=y_train)
    dtest = xgboost.DMatrix(X_test, label=y_test)
    with mlflow.start_run(run_name="xgboost") as run:
        params = {
            "objective": "binary:logistic", "learning_rate": 0.6, "eval_metric": ["logloss", "error"], "max_depth": 3,
            "seed": 42, "nthread": 1,
        }
        model = xgboost.train(
            params, dtrain, num_boost_round=60, evals=[(dtrain, "train"), (dtest, "test")], early_stopping_rounds=4,
            verbose_eval=False,
        )
        probability = model.predict(dtest)
        mlflow.log_metrics({
            "log_loss": log_loss(y_test, probability), "accuracy": accuracy_score(y_test, probability > 0.5),
        })
    uri = keep_run(report, "XGBoost", run.info.run_id)
    loaded = mlflow.pyfunc.load_model(uri)
    report.keep("XGBoost predicts", np.round(loaded.predict(X_test[:4]).astype(float), 6).tolist())
    report.keep("XGBoost class", type(mlflow.xgboost.load_model(uri)).__name__)


def xgboost_estimator(report: Report) -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1)
    model.fit(X, y, eval_set=[(X[::3], y[::3])], verbose=False)
    uri = keep_run(report, "XGBClassifier", mlflow.last_active_run().info.run_id)
    report.keep("XGBClassifier predicts", mlflow.pyfunc.load_model(uri).predict(X[::30]).tolist())
    report.keep("XGBClassifier class", type(mlflow.xgboost.load_model(uri)).__name__)


def lightgbm_train(report: Report) -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    train_set = lightgbm.Dataset(X_train, label=y_train)
    params: dict[str, Any] = {
        "objective": "multiclass", "num_class": 3, "learning_rate": 0.3, "metric": "multi_logloss", "seed": 42,
        "verbose": -1, "num_threads": 1,
    }
    with mlflow.start_run(run_name="lightgbm") as run:
        model = lightgbm.train(
            params, train_set, num_boost_round=60, valid_sets=[train_set, lightgbm.Dataset(X_test, label=y_test)],
            valid_names=["train", "test"], callbacks=[lightgbm.early_stopping(3, verbose=False)],
        )
        classes = np.argmax(model.predict(X_test), axis=1)
        mlflow.log_metric("accuracy", accuracy_score(y_test, classes))
    uri = keep_run(report, "LightGBM", run.info.run_id)
    report.keep("LightGBM predicts", np.round(mlflow.pyfunc.load_model(uri).predict(X_test[:3]), 9).tolist())
    report.keep("LightGBM class", type(mlflow.lightgbm.load_model(uri)).__name__)


def lightgbm_estimator(report: Report) -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = lightgbm.LGBMRegressor(n_estimators=5, num_leaves=7, verbose=-1, n_jobs=1, random_state=1)
    model.fit(X, y)
    uri = keep_run(report, "LGBMRegressor", mlflow.last_active_run().info.run_id)
    report.keep("LGBMRegressor predicts", np.round(mlflow.pyfunc.load_model(uri).predict(X[:4]), 6).tolist())
    report.keep("LGBMRegressor class", type(mlflow.lightgbm.load_model(uri)).__name__)


def catboost_by_hand(report: Report) -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    params = {"iterations": 8, "depth": 3, "learning_rate": 0.5, "random_seed": 7}
    with mlflow.start_run(run_name="catboost") as run:
        mlflow.log_params(params)
        model = catboost.CatBoostClassifier(**params, verbose=False, allow_writing_files=False, thread_count=1)
        model.fit(X_train, y_train, eval_set=(X_test, y_test))
        for step, value in enumerate(model.get_evals_result()["validation"]["MultiClass"]):
            mlflow.log_metric("validation-MultiClass", value, step=step)
        signature = infer_signature(X_test, model.predict(X_test))
        mlflow.catboost.log_model(model, name="model", signature=signature)
    uri = keep_run(report, "CatBoost", run.info.run_id)
    report.keep("CatBoost predicts", mlflow.pyfunc.load_model(uri).predict(X_test[:5]).tolist())
    report.keep("CatBoost class", type(mlflow.catboost.load_model(uri)).__name__)


if __name__ == "__main__":
    main()
