"""The best parameters of a model, found by Hyperopt: each trial is a run of the entry point `train`, a child of this.

Data that is not there yet is made first, by the steps `load` and `preprocess`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import hyperopt
import numpy as np
from hyperopt import hp
from load import load
from preprocess import PARTS, preprocess

import millstream as mlflow

SPACES: dict[str, dict[str, Any]] = {
    "rf": {
        "n_estimators": hp.quniform("n_estimators", 20, 120, 10),
        "max_depth": hp.quniform("max_depth", 2, 12, 1),
        "min_samples_leaf": hp.quniform("min_samples_leaf", 1, 40, 1),
    },
    "gb": {
        "n_estimators": hp.quniform("n_estimators", 20, 120, 10),
        "max_depth": hp.quniform("max_depth", 2, 8, 1),
        "learning_rate": hp.loguniform("learning_rate", np.log(0.02), np.log(0.4)),
    },
    "lr": {"regularization": hp.loguniform("regularization", np.log(1e-3), np.log(1e3))},
}


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"))
@click.option("--model-type", type=click.Choice(sorted(SPACES)), default="rf")
@click.option("--max-evals", type=click.FloatRange(min=1), default=10)
@click.option("--seed", type=float, default=7)
@click.option("--register", default="loan_default", help="the registered model that the best becomes; empty for none")
def main(data: Path, model_type: str, max_evals: float, seed: float, register: str) -> None:
    if not all((data / f"{name}.csv").exists() for name in PARTS):
        load(5000, 2023, data / "loans.csv")
        preprocess(data / "loans.csv", data)
    client = mlflow.MlflowClient()
    with mlflow.start_run() as search:

        def loss(config: dict[str, float]) -> dict[str, Any]:
            trial = mlflow.projects.run(
                ".", "train", parameters={"data": str(data.resolve()), "model_type": model_type, **config},
                experiment_id=search.info.experiment_id, env_manager="local", synchronous=False,
            )
            if not trial.wait():
                return {"status": hyperopt.STATUS_FAIL}
            auc = client.get_run(trial.run_id).data.metrics["validation_auc"]
            return {"status": hyperopt.STATUS_OK, "loss": 1 - auc, "auc": auc, "run_id": trial.run_id}

        trials = hyperopt.Trials()
        hyperopt.fmin(
            loss, SPACES[model_type], algo=hyperopt.tpe.suggest, max_evals=int(max_evals), trials=trials,
            rstate=np.random.default_rng(int(seed)), show_progressbar=False, verbose=False,
        )
        best = trials.best_trial["result"]
        mlflow.log_metric("best_validation_auc", best["auc"])
        mlflow.set_tag("best_run_id", best["run_id"])
    if register:
        version = mlflow.register_model(f"runs:/{best['run_id']}/model", register)
        click.echo(f"models:/{register}/{version.version} has the AUC {best['auc']:.3f}")


if __name__ == "__main__":
    main()
