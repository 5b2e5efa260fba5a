from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.metrics
from sklearn.datasets import load_diabetes, load_iris

import millstream
import millstream.lightgbm
import millstream.sklearn
from millstream.entities import Run
from tests.unit.autolog.logged import files, history, importance, inputs, model_of, signature_of, told

Runs = Callable[[], list[Run]]

X, y = load_iris(return_X_y=True, as_frame=True)
Xd, yd = load_diabetes(return_X_y=True, as_frame=True)
SMALL: dict[str, Any] = {"num_leaves": 4, "verbose": -1, "num_threads": 1}
FAST: dict[str, Any] = {**SMALL, "objective": "regression", "learning_rate": 0.9}
old_words = pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated:FutureWarning")


@pytest.fixture(autouse=True)
def _a_store_of_its_own(tracking: Path) -> None:
    pass


def sets() -> tuple[lightgbm.Dataset, lightgbm.Dataset]:
    return lightgbm.Dataset(Xd[:300], label=yd[:300]), lightgbm.Dataset(Xd[300:], label=yd[300:])


def recorded(results: dict[str, Any]) -> Any:
    return lightgbm.record_evaluation(results)


def test_what_a_training_logs(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.lightgbm.autolog(log_input_examples=True, extra_tags={"team": "a"})
    train, valid = lightgbm.Dataset(X[::2], label=y[::2]), lightgbm.Dataset(X[1::2], label=y[1::2])
    params = {**SMALL, "objective": "multiclass", "num_class": 3, "metric": ["multi_logloss", "multi_error"]}
    results: dict[str, Any] = {}
    booster = lightgbm.train(
        params, train, num_boost_round=4, valid_sets=[train, valid], valid_names=["train", "valid"],
        callbacks=[recorded(results)],
    )
    [run] = runs()
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "objective": "multiclass", "num_class": "3", "num_leaves": "4", "verbose": "-1", "num_threads": "1",
        "metric": "['multi_logloss', 'multi_error']", "num_boost_round": "4", "keep_training_booster": "False",
    }
    assert run.data.tags["mlflow.autologging"] == "lightgbm" and run.data.tags["team"] == "a"
    assert len(run.data.metrics) == 4
    for name in ("train", "valid"):
        for metric in ("multi_logloss", "multi_error"):
            assert history(run, f"{name}-{metric}") == list(enumerate(results[name][metric]))
    assert files(run) == [f"feature_importance_{kind}.{end}" for kind in ("gain", "split") for end in ("json", "png")]
    for kind in ("split", "gain"):
        assert list(importance(run, kind).values()) == booster.feature_importance(kind).tolist()
    assert list(importance(run, "gain")) == booster.feature_name()
    assert inputs(run) == [("dataset", "train"), ("train", "eval"), ("valid", "eval")]
    model = model_of(run)
    loaded = millstream.lightgbm.load_model(model.model_uri)
    np.testing.assert_array_equal(loaded.predict(X), booster.predict(X))
    signature = signature_of(model)
    assert signature.inputs.input_names() == list(X.columns)
    assert signature.outputs.to_dict()[0]["tensor-spec"] == {"dtype": "float64", "shape": [-1, 3]}
    assert {(metric.key, metric.dataset_name) for metric in model.metrics or []} == {
        (f"{name}-{metric}", name) for name in ("train", "valid") for metric in ("multi_logloss", "multi_error")
    }
    example = millstream.pyfunc.load_model(model.model_uri).input_example
    pd.testing.assert_frame_equal(example, X[::2].head().reset_index(drop=True))
    assert told(caplog) == []


@pytest.mark.parametrize("by", ["callback", "parameter"])
def test_early_stopping(by: str, runs: Runs) -> None:
    millstream.lightgbm.autolog(log_models=False)
    train, valid = sets()
    results: dict[str, Any] = {}
    callbacks, params = [recorded(results)], dict(FAST)
    if by == "callback":
        callbacks.append(lightgbm.early_stopping(3, verbose=False))
    else:
        params["early_stopping_round"] = 3
    booster = lightgbm.train(params, train, 60, valid_sets=[valid], callbacks=callbacks)
    [run] = runs()
    measured = results["valid_0"]["l2"]
    best = int(np.argmin(measured))
    assert booster.best_iteration == best + 1 < len(measured) < 60
    assert run.data.metrics == {
        "best_iteration": best + 1, "stopped_iteration": len(measured), "valid_0-l2": measured[best],
    }
    assert history(run, "valid_0-l2") == list(enumerate([*measured, measured[best]]))
    assert inputs(run) == [("dataset", "train"), ("dataset", "eval")]


def test_a_training_that_goes_on_goes_on_counting(runs: Runs) -> None:
    millstream.lightgbm.autolog(log_models=False, log_datasets=False)
    first = lightgbm.train(FAST, sets()[0], 3)
    train, valid = sets()
    stop = lightgbm.early_stopping(2, verbose=False)
    lightgbm.train(FAST, train, 60, valid_sets=valid, init_model=first, callbacks=[stop])  # type: ignore[arg-type]
    points = history(runs()[1], "valid_0-l2")
    assert points[0][0] == 3 and [step for step, _ in points] == list(range(3, 3 + len(points)))
    assert points[-1][1] == min(value for _, value in points)
    assert runs()[1].data.metrics["stopped_iteration"] == 3 + len(points) - 1


def test_training_is_the_same_with_and_without(runs: Runs) -> None:
    def train() -> Any:
        class Mine:
            seen = 0

            def __call__(self, env: Any) -> None:
                self.seen += 1
                if env.iteration == 7:
                    raise lightgbm.callback.EarlyStopException(3, env.evaluation_result_list)

        train_set, valid = sets()
        params = {**FAST, "bagging_fraction": 0.5, "bagging_freq": 1, "seed": 3, "metric": ["l2", "l1"]}
        results: dict[str, Any] = {}
        callbacks, names, listed = [recorded(results), Mine()], ["v"], [valid]
        given = copy.deepcopy(params), list(callbacks), list(names), list(listed)
        booster = lightgbm.train(params, train_set, 20, valid_sets=listed, valid_names=names, callbacks=callbacks)
        assert (params, callbacks, names, listed) == given
        return booster.model_to_string(), booster.best_score, results, callbacks[1].seen, vars(callbacks[1])

    plain = train()
    millstream.lightgbm.autolog()
    assert train() == plain
    assert plain[4] == {"seen": 8, "order": -1}
    assert len(history(runs()[0], "v-l1")) == 9


def test_the_originals_come_back() -> None:
    def originals() -> list[Any]:
        owners = [lightgbm.LGBMModel, lightgbm.LGBMClassifier, lightgbm.LGBMRanker, lightgbm.Dataset]
        return [lightgbm.train, vars(lightgbm.sklearn)["train"], *(dict(vars(owner)) for owner in owners)]

    before = originals()
    millstream.lightgbm.autolog()
    assert lightgbm.train is not before[0]
    millstream.lightgbm.autolog(disable=True)
    assert originals() == before


def test_what_training_raises_is_raised(runs: Runs) -> None:
    millstream.lightgbm.autolog()
    with pytest.raises(lightgbm.basic.LightGBMError, match="nonsense"):
        lightgbm.train({"objective": "nonsense", "verbose": -1}, sets()[0], 2)
    with pytest.raises(TypeError, match="train\\(\\) only accepts Dataset"):
        lightgbm.train(FAST, Xd, 2)
    assert [run.info.status for run in runs()] == ["FAILED", "FAILED"]


def test_trainings_of_several_threads(runs: Runs) -> None:
    millstream.lightgbm.autolog(log_models=False)

    def work(leaves: int) -> None:
        train, valid = sets()
        lightgbm.train({**FAST, "num_leaves": leaves}, train, 5, valid_sets=[valid])

    threads = [threading.Thread(target=work, args=(leaves,)) for leaves in (2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {int(run.data.params["num_leaves"]): [step for step, _ in history(run, "valid_0-l2")] for run in runs()}
    assert found == {leaves: [0, 1, 2, 3, 4] for leaves in (2, 3, 4)}


@pytest.mark.parametrize("kind", ["array", "sparse", "pieces", "kept"])
def test_kinds_of_data(kind: str, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.lightgbm.autolog()
    array = Xd.to_numpy()[:60]
    data: Any = {
        "array": array, "sparse": scipy.sparse.csr_matrix(array), "pieces": [array[:30], array[30:]], "kept": array,
    }[kind]
    dataset = lightgbm.Dataset(data, yd[:60])
    if kind == "kept":  # LightGBM has let the data go, and the program has not
        dataset.construct()
        assert dataset.data is None
    booster = lightgbm.train(FAST, dataset, 2)
    [run] = runs()
    assert inputs(run) == [("dataset", "train")]
    loaded = millstream.pyfunc.load_model(model_of(run).model_uri)
    given = data if kind == "sparse" else array
    np.testing.assert_array_equal(loaded.predict(given), booster.predict(given))
    assert told(caplog) == []


def test_names_of_metrics_that_no_key_may_have(runs: Runs) -> None:
    millstream.lightgbm.autolog(log_models=False)
    data = lightgbm.Dataset(X, label=(y == 1).astype(int), group=[50, 50, 50])
    options = {**SMALL, "objective": "lambdarank", "eval_at": [2]}
    lightgbm.train(options, data, 2, valid_sets=[data])
    assert [step for step, _ in history(runs()[0], "training-ndcg_at_2")] == [0, 1]


# Estimators.


@old_words
def test_what_a_fit_of_an_estimator_logs(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.lightgbm.autolog(log_input_examples=True)
    model = lightgbm.LGBMClassifier(n_estimators=4, num_leaves=4, verbose=-1, n_jobs=1)
    valid = X[1::2], y[1::2]
    assert model.fit(X, y, eval_set=[(X, y), valid], eval_names=["all", "odd"], eval_metric="multi_error") is model
    score = model.score(X, y)
    [run] = runs()
    assert (run.data.params["num_leaves"], run.data.params["num_boost_round"]) == ("4", "4")
    for name in ("all", "odd"):
        for metric in ("multi_logloss", "multi_error"):
            assert history(run, f"{name}-{metric}") == list(enumerate(model.evals_result_[name][metric]))
    assert run.data.metrics["LGBMClassifier_score_X"] == score
    assert inputs(run) == [("dataset", "train"), ("all", "eval"), ("odd", "eval")]
    assert list(importance(run, "split").values()) == model.booster_.feature_importance("split").tolist()
    made = model_of(run)
    loaded = millstream.lightgbm.load_model(made.model_uri)
    assert type(loaded) is lightgbm.LGBMClassifier
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert signature_of(made).inputs.input_names() == list(X.columns)
    assert told(caplog) == []


@pytest.mark.parametrize("kind", [lightgbm.LGBMRegressor, lightgbm.LGBMRanker])
def test_every_estimator_is_one_run(kind: Any, runs: Runs) -> None:
    groups = {"group": [50, 50, 50]} if kind is lightgbm.LGBMRanker else {}

    def fitted() -> Any:
        return kind(n_estimators=2, num_leaves=4, verbose=-1, n_jobs=1).fit(X, y, **groups)

    plain = fitted()
    millstream.lightgbm.autolog()
    model = fitted()
    assert model.booster_.model_to_string() == plain.booster_.model_to_string()
    assert model.get_params() == plain.get_params()
    [run] = runs()
    assert type(millstream.lightgbm.load_model(model_of(run).model_uri)) is kind


def test_scikit_learns_log_alone_leaves_estimators_alone(runs: Runs) -> None:
    millstream.sklearn.autolog()
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y)
    assert runs() == []


def test_both_logs_are_one_run_and_share_what_is_measured_afterwards(runs: Runs) -> None:
    millstream.autolog(log_models=False)
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y)
    guesses = model.predict(X)
    accuracy = sklearn.metrics.accuracy_score(y, guesses)
    [run] = runs()
    assert run.data.tags["mlflow.autologging"] == "lightgbm"
    assert run.data.metrics == {"accuracy_score_X": accuracy}
