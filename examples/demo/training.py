"""Real models on real data that ships with scikit-learn, logged as anyone would log them.

Each data set is a parent run; each candidate is a run nested in it, with its parameters, the history of its metrics, a
figure, a table and the data that it saw.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from sklearn import datasets, metrics
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import millstream as mlflow

mpl.use("Agg")
import matplotlib.pyplot as plt

SEED = 20


@dataclass(frozen=True)
class Split:
    """A data set in two parts."""

    name: str
    train_x: pd.DataFrame
    test_x: pd.DataFrame
    train_y: pd.Series
    test_y: pd.Series

    @classmethod
    def of(cls, name: str, load: Any) -> Split:
        """A quarter of the data for testing, always the same quarter."""
        x, y = load(return_X_y=True, as_frame=True)
        return cls(name, *train_test_split(x, y, test_size=0.25, random_state=SEED))

    def log(self) -> None:
        """Note both parts as inputs of the active run."""
        for context, x, y in (("training", self.train_x, self.train_y), ("test", self.test_x, self.test_y)):
            frame = x.assign(target=y)
            mlflow.log_input(mlflow.data.from_pandas(frame, name=self.name, targets="target"), context=context)


def classify_digits() -> None:
    """Handwritten digits: three classifiers, each with its learning curve."""
    split = Split.of("digits", datasets.load_digits)
    classes = list(range(10))
    with mlflow.start_run(run_name="digits", tags={"task": "classification"}):
        split.log()
        for width in (16, 64):
            with mlflow.start_run(run_name=f"network-{width}", nested=True):
                mlflow.log_params({"model": "network", "hidden": width, "learning_rate": 0.01, "epochs": 30})
                network = MLPClassifier((width,), learning_rate_init=0.01, random_state=SEED)
                scale = StandardScaler().fit(split.train_x)
                for epoch in range(30):
                    network.partial_fit(scale.transform(split.train_x), split.train_y, classes=classes)
                    mlflow.log_metric("loss", network.loss_, step=epoch)
                    mlflow.log_metric(
                        "accuracy", network.score(scale.transform(split.test_x), split.test_y), step=epoch
                    )
                _report_classes(split, network.predict(scale.transform(split.test_x)))
        with mlflow.start_run(run_name="forest", nested=True):
            mlflow.log_params({"model": "forest", "trees": 120})
            forest = RandomForestClassifier(warm_start=True, random_state=SEED)
            for trees in range(20, 121, 20):
                forest.set_params(n_estimators=trees).fit(split.train_x, split.train_y)
                mlflow.log_metric("accuracy", forest.score(split.test_x, split.test_y), step=trees)
            _report_classes(split, forest.predict(split.test_x))
        for strength in (0.01, 1.0):
            with mlflow.start_run(run_name=f"logistic-{strength}", nested=True):
                mlflow.log_params({"model": "logistic", "C": strength})
                logistic = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
                logistic.fit(split.train_x, split.train_y)
                mlflow.log_metric("accuracy", logistic.score(split.test_x, split.test_y))
                _report_classes(split, logistic.predict(split.test_x))


def _report_classes(split: Split, predicted: Any) -> None:
    mlflow.log_metric("macro_f1", float(metrics.f1_score(split.test_y, predicted, average="macro")))
    mlflow.log_dict(metrics.classification_report(split.test_y, predicted, output_dict=True), "report.json")
    display = metrics.ConfusionMatrixDisplay.from_predictions(split.test_y, predicted, colorbar=False)
    mlflow.log_figure(display.figure_, "confusion.png")
    plt.close(display.figure_)


def predict_diabetes() -> None:
    """Progress of a disease: three regressors; boosting logs its error after each tree."""
    split = Split.of("diabetes", datasets.load_diabetes)
    with mlflow.start_run(run_name="diabetes", tags={"task": "regression"}):
        split.log()
        for alpha in (0.1, 1.0):
            with mlflow.start_run(run_name=f"ridge-{alpha}", nested=True):
                mlflow.log_params({"model": "ridge", "alpha": alpha})
                _report_errors(split, Ridge(alpha=alpha).fit(split.train_x, split.train_y))
        for depth in (2, 4):
            with mlflow.start_run(run_name=f"boosting-{depth}", nested=True):
                mlflow.log_params({"model": "boosting", "depth": depth, "trees": 200, "learning_rate": 0.05})
                boosting = GradientBoostingRegressor(
                    max_depth=depth, n_estimators=200, learning_rate=0.05, subsample=0.7, random_state=SEED
                )
                boosting.fit(split.train_x, split.train_y)
                for tree, (train, test) in enumerate(_staged(boosting, split)):
                    mlflow.log_metrics({"train_mse": train, "mse": test}, step=tree)
                _report_errors(split, boosting)
                importance = pd.DataFrame(
                    {
                        "feature": split.train_x.columns,
                        "importance": boosting.feature_importances_,
                    }
                )
                mlflow.log_table(importance.sort_values("importance", ascending=False), "importance.json")
        with mlflow.start_run(run_name="forest", nested=True):
            mlflow.log_params({"model": "forest", "trees": 200})
            forest = RandomForestRegressor(200, min_samples_leaf=5, random_state=SEED)
            _report_errors(split, forest.fit(split.train_x, split.train_y))


def _staged(model: GradientBoostingRegressor, split: Split) -> Iterator[tuple[float, float]]:
    for train, test in zip(model.staged_predict(split.train_x), model.staged_predict(split.test_x), strict=True):
        yield (
            float(metrics.mean_squared_error(split.train_y, train)),
            float(metrics.mean_squared_error(split.test_y, test)),
        )


def _report_errors(split: Split, model: Any) -> None:
    predicted = model.predict(split.test_x)
    mlflow.log_metrics(
        {
            "rmse": float(metrics.root_mean_squared_error(split.test_y, predicted)),
            "r2": float(metrics.r2_score(split.test_y, predicted)),
        }
    )
    figure, axes = plt.subplots(figsize=(5, 4))
    axes.scatter(split.test_y, predicted, s=12)
    axes.set(xlabel="measured", ylabel="predicted")
    axes.axline((150, 150), slope=1, linewidth=1)
    mlflow.log_figure(figure, "predictions.png")
    plt.close(figure)


def autolog_diabetes() -> None:
    """The same data once more, without a line of logging but for the figure that decides."""
    split = Split.of("diabetes", datasets.load_diabetes)
    candidates = {
        "ridge": make_pipeline(StandardScaler(), Ridge(alpha=10.0)),
        "forest": RandomForestRegressor(100, min_samples_leaf=5, random_state=SEED),
        "boosting": GradientBoostingRegressor(max_depth=2, learning_rate=0.05, random_state=SEED),
    }
    mlflow.sklearn.autolog(log_input_examples=True)
    for name, model in candidates.items():
        with mlflow.start_run(run_name=name):
            model.fit(split.train_x, split.train_y)
            error = metrics.root_mean_squared_error(split.test_y, model.predict(split.test_x))
            mlflow.log_metric("test_rmse", float(error))
    mlflow.sklearn.autolog(disable=True)


def train() -> None:
    """Train and log everything."""
    warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
    mlflow.set_experiment("demo-digits")
    classify_digits()
    mlflow.set_experiment("demo-diabetes")
    predict_diabetes()
    mlflow.set_experiment("demo-autolog")
    autolog_diabetes()
