from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.metrics
import xgboost
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV

import millstream
import millstream.sklearn
import millstream.xgboost
from millstream.entities import Run
from millstream.tracking import stores
from tests.unit.autolog.logged import content, files, history, importance, inputs, model_of, signature_of, told

Runs = Callable[[], list[Run]]

X, y = load_iris(return_X_y=True, as_frame=True)
Xd, yd = load_diabetes(return_X_y=True, as_frame=True)
THREE = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2, "nthread": 1}
FAST = {"max_depth": 3, "eta": 0.9, "nthread": 1}


@pytest.fixture(autouse=True)
def _a_store_of_its_own(tracking: Path) -> None:
    pass


def matrices() -> tuple[xgboost.DMatrix, xgboost.DMatrix]:
    return xgboost.DMatrix(Xd[:300], label=yd[:300]), xgboost.DMatrix(Xd[300:], label=yd[300:])


def test_what_a_training_logs(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.xgboost.autolog(importance_types=["weight", "gain"], log_input_examples=True, extra_tags={"team": "a"})
    train, valid = xgboost.DMatrix(X[::2], label=y[::2]), xgboost.DMatrix(X[1::2], label=y[1::2])
    params = {**THREE, "eval_metric": ["mlogloss", "merror"]}
    results: dict[str, Any] = {}
    booster = xgboost.train(
        params, train, num_boost_round=4, evals=[(train, "train"), (valid, "valid")], evals_result=results,
        verbose_eval=False,
    )
    [run] = runs()
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "objective": "multi:softprob", "num_class": "3", "max_depth": "2", "nthread": "1",
        "eval_metric": "['mlogloss', 'merror']", "num_boost_round": "4", "maximize": "None",
        "early_stopping_rounds": "None", "verbose_eval": "False", "custom_metric": "None",
    }
    assert run.data.tags["mlflow.autologging"] == "xgboost" and run.data.tags["team"] == "a"
    assert run.data.metrics.keys() == {"train-mlogloss", "train-merror", "valid-mlogloss", "valid-merror"}
    for name in ("train", "valid"):
        for metric in ("mlogloss", "merror"):
            assert history(run, f"{name}-{metric}") == list(enumerate(results[name][metric]))
    assert files(run) == [f"feature_importance_{kind}.{end}" for kind in ("gain", "weight") for end in ("json", "png")]
    assert importance(run, "weight") == booster.get_score(importance_type="weight")
    assert importance(run, "gain") == booster.get_score(importance_type="gain")
    assert inputs(run) == [("dataset", "train"), ("train", "eval"), ("valid", "eval")]
    model = model_of(run)
    loaded = millstream.xgboost.load_model(model.model_uri)
    assert loaded.save_raw("json") == booster.save_raw("json")
    signature = signature_of(model)
    assert signature.inputs.to_dict()[0] == {"type": "double", "name": "sepal length (cm)", "required": True}
    assert signature.outputs.to_dict()[0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 3]}
    assert (model.name, model.params) == ("model", run.data.params)
    # The metrics are the model's too, each of the data that it was measured on.
    assert {(metric.key, metric.dataset_name) for metric in model.metrics or []} == {
        (f"{name}-{metric}", name) for name in ("train", "valid") for metric in ("mlogloss", "merror")
    }
    example = millstream.pyfunc.load_model(model.model_uri).input_example
    pd.testing.assert_frame_equal(example, X[::2].head().reset_index(drop=True))
    assert told(caplog) == []


@pytest.mark.parametrize("by", ["argument", "callback", "callback that keeps the best"])
def test_early_stopping(by: str, runs: Runs) -> None:
    millstream.xgboost.autolog(log_models=False)
    train, valid = matrices()
    options: dict[str, Any] = {"early_stopping_rounds": 3}
    if by != "argument":
        options = {"callbacks": [xgboost.callback.EarlyStopping(rounds=3, save_best="keeps" in by)]}
    results: dict[str, Any] = {}
    booster = xgboost.train(
        {**FAST, "max_depth": 2}, train, 60, evals=[(valid, "v")], verbose_eval=False, evals_result=results, **options
    )
    [run] = runs()
    measured = results["v"]["rmse"]
    best = int(np.argmin(measured))
    assert booster.best_iteration == best < len(measured) - 1 < 59
    assert run.data.metrics == {
        "best_iteration": best, "stopped_iteration": len(measured) - 1, "v-rmse": measured[best],
    }
    # The best once more, as the last.
    assert history(run, "v-rmse") == list(enumerate([*measured, measured[best]]))


def test_training_is_the_same_with_and_without(runs: Runs) -> None:
    def train() -> Any:
        class Mine(xgboost.callback.TrainingCallback):  # type: ignore[misc, unused-ignore]
            rounds = 0

            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                self.rounds += 1
                return epoch == 7

        matrix, valid = matrices()
        params: dict[str, Any] = {**FAST, "subsample": 0.5, "seed": 3, "eval_metric": ["rmse", "mae"]}
        callbacks, evals, results = [Mine()], [(valid, "v")], {}  # type: ignore[var-annotated]
        given = copy.deepcopy(params), list(callbacks), list(evals)
        booster = xgboost.train(
            params, matrix, 20, evals=evals, callbacks=callbacks, evals_result=results, verbose_eval=False
        )
        assert (params, callbacks, evals) == given
        return booster.save_raw("json"), booster.attributes(), results, callbacks[0].rounds

    plain = train()
    millstream.xgboost.autolog()
    assert train() == plain
    assert len(runs()) == 1


def test_the_originals_come_back() -> None:
    def originals() -> list[Any]:
        owners = [xgboost.XGBModel, xgboost.XGBClassifier, xgboost.XGBRanker, xgboost.DMatrix, xgboost.QuantileDMatrix]
        return [xgboost.train, vars(xgboost.sklearn)["train"], *(dict(vars(owner)) for owner in owners)]

    before = originals()
    millstream.xgboost.autolog()
    assert xgboost.train is not before[0]
    millstream.xgboost.autolog(disable=True)
    assert originals() == before


def test_what_training_raises_is_raised(runs: Runs) -> None:
    millstream.xgboost.autolog()
    with pytest.raises(xgboost.core.XGBoostError, match="nonsense"):
        xgboost.train({"objective": "nonsense"}, matrices()[0], 2)
    with pytest.raises(TypeError):
        xgboost.train()
    assert [run.info.status for run in runs()] == ["FAILED", "FAILED"]


def test_a_store_that_is_away_does_not_keep_anybody_from_training(caplog: pytest.LogCaptureFixture) -> None:
    train, _ = matrices()
    plain = xgboost.train(FAST, train, 2).save_raw()
    millstream.xgboost.autolog()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        stores.set_tracking_uri("http://127.0.0.1:9")
        assert xgboost.train(FAST, train, 2).save_raw() == plain
    [line] = told(caplog)
    assert line.startswith("autologging of xgboost misses the call xgboost.train: Unreachable: the server at http")


def test_trainings_of_several_threads(runs: Runs) -> None:
    millstream.xgboost.autolog(log_models=False)
    made: dict[int, Any] = {}

    def work(depth: int) -> None:
        train, valid = matrices()
        made[depth] = xgboost.train({**FAST, "max_depth": depth}, train, 5, evals=[(valid, "v")], verbose_eval=False)

    threads = [threading.Thread(target=work, args=(depth,)) for depth in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {int(run.data.params["max_depth"]): run for run in runs()}
    assert found.keys() == {1, 2, 3}
    valid = matrices()[1]
    for depth, run in found.items():
        points = history(run, "v-rmse")
        assert [step for step, _ in points] == [0, 1, 2, 3, 4]
        expected = np.sqrt(np.mean((made[depth].predict(valid) - yd[300:]) ** 2))
        assert points[-1][1] == pytest.approx(expected, rel=1e-4)


def test_an_active_run_takes_it_and_stays_open(runs: Runs) -> None:
    millstream.xgboost.autolog(log_models=False, log_datasets=False)
    with millstream.start_run(run_name="mine"):
        xgboost.train(FAST, matrices()[0], 2)
        millstream.log_param("later", 1)
    [run] = runs()
    assert (run.info.run_name, run.data.params["later"], inputs(run)) == ("mine", "1", [])
    assert run.data.params["max_depth"] == "3" and not run.outputs.model_outputs


@pytest.mark.parametrize("kind", ["array", "sparse", "list", "categories", "before", "before, with columns"])
def test_kinds_of_data(kind: str, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    if kind != "before" and kind != "before, with columns":
        millstream.xgboost.autolog()
    array = Xd.to_numpy()[:60]
    colours = pd.DataFrame({"colour": pd.Categorical(["red", "blue"] * 30), "size": np.arange(60.0)})
    data: Any = {
        "array": array, "sparse": scipy.sparse.csr_matrix(array), "list": array.tolist(), "categories": colours,
        "before": array, "before, with columns": Xd[:60],
    }[kind]
    matrix = xgboost.DMatrix(data, label=yd[:60], enable_categorical=True)
    millstream.xgboost.autolog()
    booster = xgboost.train(FAST, matrix, 2)
    [run] = runs()
    assert inputs(run) == [("dataset", "train")]
    model = model_of(run)
    loaded = millstream.pyfunc.load_model(model.model_uri)
    given = np.asarray(data, "float64") if kind == "list" else data
    if kind == "before":
        given = given.astype("float32")
    if kind == "before, with columns":
        given = given.astype("float32")
        assert signature_of(model).inputs.input_names() == list(Xd.columns)
    np.testing.assert_array_equal(loaded.predict(given), booster.predict(matrix))
    assert told(caplog) == []


def test_params_are_also_pairs(runs: Runs) -> None:
    millstream.xgboost.autolog(log_models=False)
    pairs: Any = [("max_depth", 3), ("eta", 0.9), ("eval_metric", "rmse")]
    xgboost.train(pairs, matrices()[0], 2)
    assert runs()[0].data.params["eta"] == "0.9"


def test_names_of_metrics_that_no_key_may_have(runs: Runs) -> None:
    millstream.xgboost.autolog(log_models=False)
    matrix = xgboost.DMatrix(X, label=(y == 1).astype(int), qid=np.arange(150) // 50)
    options = {"objective": "rank:ndcg", "eval_metric": "ndcg@3", "nthread": 1}
    xgboost.train(options, matrix, 2, evals=[(matrix, "x")], verbose_eval=False)
    assert len(history(runs()[0], "x-ndcg_at_3")) == 2


def test_an_importance_that_there_is_not_is_one_warning(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.xgboost.autolog(importance_types=["nonsense", "cover"], log_models=False)
    xgboost.train(FAST, matrices()[0], 2)
    assert importance(runs()[0], "cover")
    [line] = told(caplog)
    assert line.startswith("autologging of xgboost misses feature_importance_nonsense.json")


# Estimators.


def test_what_a_fit_of_an_estimator_logs(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.xgboost.autolog(log_input_examples=True, model_format="json")
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=2, n_jobs=1)
    assert model.fit(X, y, eval_set=[(X[::2], y[::2]), (X[1::2], y[1::2])], verbose=False) is model
    score = model.score(X, y)
    [run] = runs()
    given = run.data.params
    assert (given["max_depth"], given["num_boost_round"], given["num_class"]) == ("2", "4", "3")
    assert (given["objective"], given["verbose_eval"]) == ("multi:softprob", "False")
    for name in ("validation_0", "validation_1"):
        assert history(run, f"{name}-mlogloss") == list(enumerate(model.evals_result()[name]["mlogloss"]))
    assert run.data.metrics["XGBClassifier_score_X"] == score
    assert inputs(run) == [("dataset", "train"), ("validation_0", "eval"), ("validation_1", "eval")]
    assert importance(run, "weight") == model.get_booster().get_score(importance_type="weight")
    made = model_of(run)
    loaded = millstream.xgboost.load_model(made.model_uri)
    assert type(loaded) is xgboost.XGBClassifier
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert signature_of(made).inputs.input_names() == list(X.columns)
    assert millstream.models.get_model_info(made.model_uri).flavors["xgboost"]["data"] == "model.json"
    assert told(caplog) == []


@pytest.mark.parametrize("kind", [xgboost.XGBRegressor, xgboost.XGBRFClassifier, xgboost.XGBRFRegressor])
def test_every_estimator_is_one_run(kind: Any, runs: Runs) -> None:
    plain = kind(n_estimators=2, n_jobs=1, random_state=1).fit(X, y)
    millstream.xgboost.autolog()
    model = kind(n_estimators=2, n_jobs=1, random_state=1).fit(X, y)
    assert model.get_booster().save_raw("json") == plain.get_booster().save_raw("json")
    assert model.get_params() == plain.get_params()
    [run] = runs()
    assert type(millstream.xgboost.load_model(model_of(run).model_uri)) is kind


def test_scikit_learns_log_alone_leaves_estimators_alone(runs: Runs) -> None:
    millstream.sklearn.autolog()
    xgboost.XGBClassifier(n_estimators=2).fit(X, y)
    assert runs() == []


def test_both_logs_are_one_run_and_share_what_is_measured_afterwards(runs: Runs) -> None:
    millstream.sklearn.autolog()
    millstream.xgboost.autolog(log_models=False)
    model = xgboost.XGBClassifier(n_estimators=2).fit(X, y)
    guesses = model.predict(X)
    accuracy = sklearn.metrics.accuracy_score(y, guesses)
    [run] = runs()
    assert run.data.tags["mlflow.autologging"] == "xgboost"
    assert run.data.metrics == {"accuracy_score_X": accuracy}


def test_a_search_over_estimators_is_scikit_learns(runs: Runs) -> None:
    millstream.sklearn.autolog(log_models=False)
    millstream.xgboost.autolog(log_models=False)
    GridSearchCV(xgboost.XGBClassifier(n_estimators=2), {"max_depth": [1, 2]}, cv=2).fit(X, y)
    found = runs()
    assert {run.data.tags["mlflow.autologging"] for run in found} == {"sklearn"}
    assert sum("mlflow.parentRunId" in run.data.tags for run in found) == 2 and len(found) == 3


def test_a_fit_that_is_not_logged_logs_no_rounds(runs: Runs) -> None:
    millstream.xgboost.autolog(exclusive=True)
    with millstream.start_run():
        xgboost.XGBRegressor(n_estimators=2).fit(X, y, eval_set=[(X, y)], verbose=False)
    [run] = runs()
    assert (run.data.params, run.data.metrics, files(run)) == ({}, {}, [])


def test_a_fit_that_fails_is_raised(runs: Runs) -> None:
    millstream.xgboost.autolog()
    with pytest.raises(ValueError, match="nonsense"):
        xgboost.XGBRegressor(n_estimators=2, objective="nonsense").fit(X, y)
    [run] = runs()
    assert run.info.status == "FAILED"
    [model] = millstream.search_logged_models([run.info.experiment_id], output_format="list")
    assert str(model.status) == "FAILED"
    xgboost.train(FAST, matrices()[0], 1)
    assert len(runs()) == 2


def test_the_global_switch(runs: Runs) -> None:
    millstream.autolog(log_models=False)
    xgboost.XGBRegressor(n_estimators=2).fit(X, y)
    assert [run.data.tags["mlflow.autologging"] for run in runs()] == ["xgboost"]
    assert b'"petal' in content(runs()[0], "feature_importance_weight.json")
