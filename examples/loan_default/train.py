"""One model of who will default: trained, measured on what it has not seen, and logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import millstream as mlflow


def part(data: Path, name: str) -> tuple[pd.DataFrame, pd.Series]:
    """The features and the answers of train, validation or test."""
    table = pd.read_csv(data / f"{name}.csv")
    return table.drop(columns="default"), table["default"].astype(int)


def made(
    model_type: str, n_estimators: float, max_depth: float, min_samples_leaf: float, learning_rate: float,
    regularization: float,
) -> Any:
    """The estimator; each type takes of the parameters what it knows."""
    trees, depth, leaf = int(n_estimators), int(max_depth), int(min_samples_leaf)
    if model_type == "rf":
        return RandomForestClassifier(
            n_estimators=trees, max_depth=depth, min_samples_leaf=leaf, random_state=0, n_jobs=1
        )
    if model_type == "gb":
        return HistGradientBoostingClassifier(
            max_iter=trees, max_depth=depth, min_samples_leaf=leaf, learning_rate=learning_rate, random_state=0
        )
    return make_pipeline(StandardScaler(), LogisticRegression(C=1 / regularization, max_iter=500))


@click.command(help=__doc__)
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=Path("data"))
@click.option("--model-type", type=click.Choice(["rf", "gb", "lr"]), default="rf")
@click.option("--n-estimators", type=float, default=100)
@click.option("--max-depth", type=float, default=6)
@click.option("--min-samples-leaf", type=float, default=5)
@click.option("--learning-rate", type=float, default=0.1)
@click.option("--regularization", type=float, default=1.0)
def main(data: Path, model_type: str, **numbers: float) -> None:
    features, answers = part(data, "train")
    with mlflow.start_run():
        model = made(model_type, **numbers).fit(features, answers)
        for name in ("validation", "test"):
            unseen, truth = part(data, name)
            probabilities = model.predict_proba(unseen)[:, 1]
            mlflow.log_metric(f"{name}_auc", roc_auc_score(truth, probabilities))
            mlflow.log_metric(f"{name}_log_loss", log_loss(truth, probabilities))
        signature = mlflow.models.infer_signature(features, model.predict(features[:5]))
        mlflow.sklearn.log_model(model, "model", signature=signature)


if __name__ == "__main__":
    main()
