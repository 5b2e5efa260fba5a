from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

import millstream
import millstream.catboost
import millstream.sklearn
from millstream.entities import Run
from tests.unit.autolog.logged import files, history, importance, inputs, model_of, signature_of, told

Runs = Callable[[], list[Run]]

X, y = load_iris(return_X_y=True, as_frame=True)
Xd, yd = load_diabetes(return_X_y=True, as_frame=True)
SMALL: dict[str, Any] = {"depth": 2, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "random_seed": 5}
TRAIN, VALID = (Xd[:300], yd[:300]), (Xd[300:], yd[300:])
LEARN = "feature_importance_PredictionValuesChange"


@pytest.fixture(autouse=True)
def _a_store_of_its_own(tracking: Path) -> None:
    pass


def test_what_a_training_logs(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.catboost.autolog(log_input_examples=True, extra_tags={"team": "a"})
    model = catboost.CatBoostRegressor(iterations=6, custom_metric=["MAE"], **SMALL)
    assert model.fit(*TRAIN, eval_set=VALID, use_best_model=False) is model
    score = model.score(Xd, yd)
    [run] = runs()
    assert run.info.status == "FINISHED"
    # What was asked for, and what CatBoost has chosen.
    params = run.data.params
    assert (params["iterations"], params["depth"], params["loss_function"]) == ("6", "2", "RMSE")
    assert params["learning_rate"] == str(model.get_all_params()["learning_rate"])
    assert params["use_best_model"] == "False" and "X" not in params and "eval_set" not in params
    assert run.data.tags["mlflow.autologging"] == "catboost" and run.data.tags["team"] == "a"
    measured = model.get_evals_result()
    assert set(measured) == {"learn", "validation"} and set(measured["learn"]) == {"MAE", "RMSE"}
    for name, metrics in measured.items():
        for metric, values in metrics.items():
            assert history(run, f"{name}-{metric}") == list(enumerate(values))
    assert run.data.metrics["best_iteration"] == model.get_best_iteration()
    assert run.data.metrics["CatBoostRegressor_score_Xd"] == score
    assert len(run.data.metrics) == 6
    assert files(run) == [f"{LEARN}.json", f"{LEARN}.png", "metric_info.json"]
    assert importance(run, "PredictionValuesChange") == dict(zip(Xd.columns, model.feature_importances_, strict=True))
    assert inputs(run) == [("dataset", "train"), ("validation", "eval")]
    made = model_of(run)
    loaded = millstream.catboost.load_model(made.model_uri)
    assert type(loaded) is catboost.CatBoostRegressor
    np.testing.assert_array_equal(loaded.predict(Xd), model.predict(Xd))
    assert signature_of(made).inputs.input_names() == list(Xd.columns)
    assert {(metric.key, metric.dataset_name) for metric in made.metrics or []} >= {
        ("learn-RMSE", "dataset"), ("validation-RMSE", "validation"),
    }
    example = millstream.pyfunc.load_model(made.model_uri).input_example
    pd.testing.assert_frame_equal(example, Xd.head())
    assert told(caplog) == []


def test_early_stopping(runs: Runs) -> None:
    millstream.catboost.autolog(log_models=False)
    model = catboost.CatBoostRegressor(iterations=60, learning_rate=0.9, early_stopping_rounds=3, **SMALL)
    model.fit(*TRAIN, eval_set=VALID)
    [run] = runs()
    measured = model.get_evals_result()["validation"]["RMSE"]
    best = int(np.argmin(measured))
    assert model.get_best_iteration() == best < len(measured) - 1 < 59
    assert run.data.metrics["best_iteration"] == best
    assert run.data.metrics["stopped_iteration"] == len(measured) - 1
    assert history(run, "validation-RMSE") == list(enumerate([*measured, measured[best]]))


@pytest.mark.parametrize("where", ["model", "fit"])
def test_metrics_of_some_rounds_have_the_steps_of_those(where: str, runs: Runs) -> None:
    millstream.catboost.autolog(log_models=False, log_datasets=False)
    period = {"metric_period": 5}
    model = catboost.CatBoostRegressor(iterations=12, **SMALL, **(period if where == "model" else {}))
    model.fit(*TRAIN, **(period if where == "fit" else {}))
    [run] = runs()
    measured = model.get_evals_result()["learn"]["RMSE"]
    assert history(run, "learn-RMSE") == list(zip([0, 5, 10, 11], measured, strict=True))
    assert inputs(run) == [] and not run.outputs.model_outputs


def test_several_evaluation_sets(runs: Runs) -> None:
    millstream.catboost.autolog(log_models=False)
    catboost.CatBoostRegressor(iterations=3, **SMALL).fit(*TRAIN, eval_set=[VALID, catboost.Pool(Xd[:50], yd[:50])])
    [run] = runs()
    assert inputs(run) == [("dataset", "train"), ("validation_0", "eval"), ("validation_1", "eval")]
    assert len(history(run, "validation_0-RMSE")) == len(history(run, "validation_1-RMSE")) == 3


def test_training_is_the_same_with_and_without(runs: Runs) -> None:
    class Mine:
        seen = 0

        def after_iteration(self, info: Any) -> bool:
            self.seen += 1
            return bool(info.iteration < 8)

    def train() -> Any:
        params = {"iterations": 20, "bootstrap_type": "Bernoulli", "subsample": 0.5, **SMALL}
        callbacks, valid = [Mine()], [VALID]
        given = copy.deepcopy(params), list(callbacks), list(valid)
        model = catboost.CatBoostRegressor(**params).fit(*TRAIN, eval_set=valid, callbacks=callbacks)
        assert (params, callbacks, valid) == given
        return model.predict(Xd).tolist(), model.get_params(), model.get_evals_result(), callbacks[0].seen

    plain = train()
    millstream.catboost.autolog()
    assert train() == plain and plain[3] == 8
    assert len(history(runs()[0], "learn-RMSE")) == 8


def test_the_originals_come_back() -> None:
    kinds = [catboost.CatBoost, catboost.CatBoostClassifier, catboost.CatBoostRegressor, catboost.CatBoostRanker]
    before = [dict(vars(kind)) for kind in (*kinds, catboost.Pool)]
    millstream.catboost.autolog()
    assert catboost.CatBoost.fit is not before[0]["fit"]
    millstream.catboost.autolog(disable=True)
    assert [dict(vars(kind)) for kind in (*kinds, catboost.Pool)] == before


def test_what_training_raises_is_raised(runs: Runs) -> None:
    millstream.catboost.autolog()
    with pytest.raises(catboost.CatBoostError):
        catboost.CatBoostRegressor(iterations=2, **SMALL).fit(Xd, yd[:3])
    [run] = runs()
    assert run.info.status == "FAILED" and run.data.params["iterations"] == "2"
    [model] = millstream.search_logged_models([run.info.experiment_id], output_format="list")
    assert str(model.status) == "FAILED"


def test_trainings_of_several_threads(runs: Runs) -> None:
    millstream.catboost.autolog(log_models=False)

    def work(depth: int) -> None:
        catboost.CatBoostRegressor(iterations=4, **{**SMALL, "depth": depth}).fit(*TRAIN)

    threads = [threading.Thread(target=work, args=(depth,)) for depth in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {int(run.data.params["depth"]): [step for step, _ in history(run, "learn-RMSE")] for run in runs()}
    assert found == {depth: [0, 1, 2, 3] for depth in (1, 2, 3)}


@pytest.mark.parametrize("kind", ["kept", "dropped", "categories"])
def test_pools(kind: str, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.catboost.autolog()
    frame = pd.DataFrame({"colour": ["red", "blue"] * 30, "size": np.arange(60.0)})
    data, cats = (frame, ["colour"]) if kind == "categories" else (Xd[:60], None)
    pool = catboost.Pool(data.copy() if kind == "dropped" else data, label=yd[:60] > 100, cat_features=cats)
    model = catboost.CatBoostClassifier(iterations=2, **SMALL).fit(pool)
    [run] = runs()
    assert inputs(run) == [("dataset", "train")]
    made = model_of(run)
    assert signature_of(made).inputs.input_names() == list(data.columns)
    predicted = millstream.pyfunc.load_model(made.model_uri).predict(data)
    np.testing.assert_array_equal(predicted, model.predict(data))
    assert told(caplog) == []


def test_catboosts_own_train_is_one_run(runs: Runs) -> None:
    millstream.catboost.autolog()
    model = catboost.train(params={"iterations": 3, "loss_function": "MAE", **SMALL}, pool=catboost.Pool(*TRAIN))
    [run] = runs()
    assert run.data.params["loss_function"] == "MAE"
    loaded = millstream.catboost.load_model(model_of(run).model_uri)
    np.testing.assert_array_equal(loaded.predict(Xd), model.predict(Xd))


def test_a_ranking(runs: Runs) -> None:
    millstream.catboost.autolog()
    groups = np.arange(150) // 50
    catboost.CatBoostRanker(iterations=2, bootstrap_type="No", **SMALL).fit(X, (y == 1).astype(int), group_id=groups)
    [run] = runs()
    assert run.data.params["loss_function"] == "YetiRank"
    assert type(millstream.catboost.load_model(model_of(run).model_uri)) is catboost.CatBoostRanker


def test_the_global_switch_logs_it_once(runs: Runs) -> None:
    millstream.autolog(log_models=False)
    catboost.CatBoostClassifier(iterations=2, **SMALL).fit(X, y)
    assert [run.data.tags["mlflow.autologging"] for run in runs()] == ["catboost"]
