from __future__ import annotations

import csv
import io
import json
import logging
import pickle
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.metrics
import sklearn.model_selection
from sklearn import datasets
from sklearn.base import clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import millstream
import millstream.sklearn
from millstream.autolog import LIBRARIES
from millstream.entities import Run
from millstream.tracking import stores

Runs = Callable[[], list[Run]]

X, y = (part[::3] for part in datasets.load_iris(return_X_y=True))
Xd, yd = (part[:60] for part in datasets.load_diabetes(return_X_y=True))
Xb, yb = (part[:80] for part in datasets.load_breast_cancer(return_X_y=True))


@pytest.fixture(autouse=True)
def _a_store_of_its_own(tracking: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "millstream")


def artifacts(run: Run) -> set[str]:
    return {file.path for file in millstream.artifacts.list_artifacts(run_id=run.info.run_id)}


def read(run: Run, path: str) -> bytes:
    return Path(millstream.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=path)).read_bytes()


def models_of(run: Run) -> dict[str, Any]:
    found = millstream.search_logged_models([run.info.experiment_id], output_format="list")
    assert isinstance(found, list)
    return {model.name: model for model in found if model.source_run_id == run.info.run_id}


def own_tags(run: Run) -> dict[str, str]:
    return {
        key: value for key, value in run.data.tags.items()
        if not key.startswith(("mlflow.source", "mlflow.user", "mlflow.runName", "mlflow.project", "millstream."))
    }


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_classifier_of_two_classes(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.sklearn.autolog(extra_tags={"team": "blue"})
    model = LogisticRegression(solver="liblinear").fit(Xb, yb)
    millstream.sklearn.autolog(disable=True)
    [run] = runs()
    assert run.info.status == "FINISHED"
    assert run.data.params == {name: str(value) for name, value in model.get_params().items()}
    assert own_tags(run) == {
        "mlflow.autologging": "sklearn", "team": "blue", "estimator_name": "LogisticRegression",
        "estimator_class": "sklearn.linear_model._logistic.LogisticRegression",
    }
    predicted, chances = model.predict(Xb), model.predict_proba(Xb)
    assert run.data.metrics == pytest.approx({
        "training_precision_score": sklearn.metrics.precision_score(yb, predicted, average="weighted"),
        "training_recall_score": sklearn.metrics.recall_score(yb, predicted, average="weighted"),
        "training_f1_score": sklearn.metrics.f1_score(yb, predicted, average="weighted"),
        "training_accuracy_score": sklearn.metrics.accuracy_score(yb, predicted),
        "training_log_loss": sklearn.metrics.log_loss(yb, chances),
        "training_roc_auc": sklearn.metrics.roc_auc_score(yb, chances[:, 1]),
        "training_score": model.score(Xb, yb),
    }, abs=1e-12)
    assert artifacts(run) >= {
        "estimator.html", "training_confusion_matrix.png", "training_roc_curve.png",
        "training_precision_recall_curve.png",
    }
    assert read(run, "training_roc_curve.png").startswith(b"\x89PNG")
    assert b"LogisticRegression" in read(run, "estimator.html")
    [used] = run.inputs.dataset_inputs
    assert json.loads(used.dataset.profile or "")["features_shape"] == [80, 30]
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "train")]
    logged = models_of(run)["model"]
    assert str(logged.status) == "READY"
    assert [made.model_id for made in run.outputs.model_outputs] == [logged.model_id]
    assert {metric.key for metric in logged.metrics} >= {"training_score", "training_log_loss"}
    assert {metric.dataset_digest for metric in logged.metrics} == {used.dataset.digest}
    loaded = millstream.sklearn.load_model(f"models:/{logged.model_id}")
    np.testing.assert_array_equal(loaded.predict(Xb), predicted)
    assert told(caplog) == []


def test_pos_label_and_weights(runs: Runs) -> None:
    millstream.sklearn.autolog(pos_label=0, log_models=False)
    weights = np.arange(len(yb)) + 1.0
    model = LogisticRegression(solver="liblinear").fit(Xb, yb, sample_weight=weights)
    [run] = runs()
    predicted = model.predict(Xb)
    assert run.data.metrics["training_f1_score"] == pytest.approx(
        sklearn.metrics.f1_score(yb, predicted, pos_label=0, sample_weight=weights))
    assert run.data.metrics["training_score"] == pytest.approx(model.score(Xb, yb, sample_weight=weights))
    assert models_of(run) == {}


def test_plots_of_a_classifier_without_probabilities(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.sklearn.autolog(log_models=False, pos_label=0)
    SVC().fit(Xb, yb)
    [run] = runs()
    assert artifacts(run) >= {"training_roc_curve.png", "training_precision_recall_curve.png"}
    assert "training_roc_auc" not in run.data.metrics
    assert told(caplog) == []


def test_a_regressor(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.autolog()
    targets = np.c_[yd, yd**2]
    weights = np.linspace(1, 2, len(yd))
    model = LinearRegression().fit(pd.DataFrame(Xd, columns=list("abcdefghij")), targets, sample_weight=weights)
    [run] = runs()
    predicted = model.predict(pd.DataFrame(Xd, columns=list("abcdefghij")))
    expected = {
        f"training_{name}": getattr(sklearn.metrics, name)(targets, predicted, sample_weight=weights)
        for name in ("mean_squared_error", "mean_absolute_error", "r2_score")
    }
    expected["training_root_mean_squared_error"] = expected["training_mean_squared_error"] ** 0.5
    expected["training_score"] = expected["training_r2_score"]
    assert run.data.metrics == pytest.approx(expected)
    assert {path for path in artifacts(run) if path.endswith(".png")} == set()
    info = millstream.models.get_model_info(f"models:/{models_of(run)['model'].model_id}")
    assert info.signature is not None
    assert info.signature.inputs.input_names() == list("abcdefghij")
    assert told(caplog) == []


@pytest.mark.parametrize(("estimator", "features", "targets"), [
    (make_pipeline(StandardScaler(), LogisticRegression()), X, y),
    (KMeans(3, n_init=1, random_state=0), X, None),
    (DBSCAN(), X, None),
    (PCA(2), X, None),
    (GaussianMixture(2, random_state=0), X, None),
    (IsolationForest(n_estimators=3, random_state=0), X, None),
    (VotingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier())]), X, y),
    (StackingClassifier([("a", GaussianNB())], DecisionTreeClassifier(random_state=0)), X, y),
    (OneVsRestClassifier(SVC()), X, y),
    (MultiOutputRegressor(Ridge()), Xd, np.c_[yd, yd]),
    (MultiOutputClassifier(GaussianNB()), X, np.c_[y, y]),
    (TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp), Xd, yd),
    (KNeighborsClassifier(), scipy.sparse.csr_matrix(X), y),
    (GaussianNB(), X.tolist(), y.tolist()),
    (make_pipeline(CountVectorizer(), SGDClassifier(random_state=0)), ["good day", "bad day"] * 5, ["p", "n"] * 5),
    (Pipeline([("p", ColumnTransformer([("o", OneHotEncoder(), ["c"])])), ("m", Ridge())]),
     pd.DataFrame({"c": ["a", "b", "a"], "d": [1, 2, 3]}), pd.Series([1.0, 2.0, 3.0])),
], ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "")
def test_estimators_of_every_kind(
    estimator: Any, features: Any, targets: Any, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    plain = clone(estimator).fit(features, targets)
    millstream.autolog()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(estimator).fit(features, targets)
    [run] = runs()
    assert told(caplog) == []
    assert set(run.data.params) == set(plain.get_params(deep=True))
    if targets is not None:
        assert run.data.metrics["training_score"] == pytest.approx(plain.score(features, targets))
    assert str(models_of(run)["model"].status) == "READY"
    assert len(run.inputs.dataset_inputs) == 1
    assert run.data.tags["estimator_name"] == type(estimator).__name__


@pytest.mark.parametrize("estimator", [
    RandomForestClassifier(5), BaggingClassifier(DecisionTreeClassifier(), 3), MLPClassifier((4,), max_iter=5),
    SGDClassifier(loss="log_loss", max_iter=5, tol=None),
    GridSearchCV(DecisionTreeClassifier(splitter="random"), {"max_depth": [1, 2]}),
    RandomizedSearchCV(RandomForestClassifier(3), {"max_depth": [1, 2, 3]}, n_iter=2),
    make_pipeline(PCA(2, svd_solver="randomized"), DecisionTreeClassifier(splitter="random")),
    RandomForestClassifier(5, random_state=np.random.RandomState(3), warm_start=True),
], ids=lambda estimator: type(estimator).__name__)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # a few epochs are enough here
def test_a_training_is_the_same_bit_by_bit(estimator: Any, caplog: pytest.LogCaptureFixture) -> None:
    def trained() -> tuple[Any, ...]:
        np.random.seed(7)
        random.seed(7)
        model = pickle.loads(pickle.dumps(estimator)).fit(X, y)  # noqa: S301
        drawn = np.random.random(3).tolist(), random.random()
        results = vars(model).pop("cv_results_", {})
        scores = [str(value) for name, value in results.items() if not name.endswith("_time")]
        vars(model).pop("refit_time_", None)  # the clock is not the training
        return model.predict(X).tobytes(), model.predict_proba(X).tobytes(), joblib.hash(model), scores, drawn

    plain = trained()
    millstream.autolog()
    assert trained() == plain
    assert told(caplog) == []


def test_data_that_a_fit_overwrites_is_described_as_it_was(runs: Runs) -> None:
    features = Xd.copy()
    millstream.sklearn.autolog(log_input_examples=True)
    LinearRegression(copy_X=False).fit(features, yd)
    [run] = runs()
    assert not np.array_equal(features, Xd)
    [used] = run.inputs.dataset_inputs
    assert used.dataset.digest == millstream.data.from_numpy(Xd, targets=yd).digest
    folder = millstream.artifacts.download_artifacts(f"models:/{models_of(run)['model'].model_id}")
    example = millstream.models.Model.load(folder).load_input_example(folder)
    np.testing.assert_allclose(example, Xd[:5])


def test_a_search_and_its_candidates(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.sklearn.autolog(extra_tags={"team": "blue"})
    grid = {"C": [0.1, 0.5, 1, 2, 5, 10, 20], "kernel": ["linear"]}
    search = GridSearchCV(SVC(), grid, cv=3).fit(X, y)
    parent, *children = sorted(runs(), key=lambda run: "mlflow.parentRunId" in run.data.tags)
    assert parent.data.params == {
        **{name: str(value) for name, value in search.get_params(deep=False).items()},
        "best_C": str(search.best_params_["C"]), "best_kernel": "linear",
    }
    assert parent.data.metrics["best_cv_score"] == search.best_score_
    assert parent.data.metrics["training_score"] == search.score(X, y)
    assert set(models_of(parent)) == {"model", "best_estimator"}
    assert models_of(parent)["best_estimator"].params["C"] == str(search.best_params_["C"])
    rows = list(csv.DictReader(io.StringIO(read(parent, "cv_results.csv").decode())))
    assert [float(row["mean_test_score"]) for row in rows] == search.cv_results_["mean_test_score"].tolist()
    assert [row["params"] for row in rows] == [str(params) for params in search.cv_results_["params"]]
    assert len(children) == 5
    ranks = sorted(search.cv_results_["rank_test_score"])[:5]
    assert sorted(int(child.data.metrics["rank_test_score"]) for child in children) == ranks
    for child in children:
        assert own_tags(child) == {
            "mlflow.autologging": "sklearn", "mlflow.parentRunId": parent.info.run_id, "team": "blue",
            "estimator_name": "SVC", "estimator_class": "sklearn.svm._classes.SVC",
        }
        at = [str(C) for C in (0.1, 0.5, 1, 2, 5, 10, 20)].index(child.data.params["C"])
        assert set(child.data.params) == set(SVC().get_params())
        assert child.data.metrics["mean_test_score"] == search.cv_results_["mean_test_score"][at]
        assert set(child.data.metrics) == {
            f"{part}_{name}" for part in ("mean", "std") for name in ("fit_time", "score_time", "test_score")
        } | {"rank_test_score"}
        assert child.info.status == "FINISHED"
        assert child.info.end_time is not None and child.info.start_time is not None
        assert child.info.start_time <= child.info.end_time
        assert child.inputs.dataset_inputs[0].dataset == parent.inputs.dataset_inputs[0].dataset
    assert "5 of the search's 7 candidates" in caplog.text
    assert told(caplog) == []


@pytest.mark.parametrize(("most", "expected"), [(None, 6), (0, 0), (3, 3)])
def test_how_many_candidates(most: int | None, expected: int, runs: Runs) -> None:
    millstream.sklearn.autolog(max_tuning_runs=most, log_models=False)
    pipeline = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    GridSearchCV(
        pipeline, {"decisiontreeclassifier__max_depth": [1, 2, 3, 4, 5, 6]}, cv=2, scoring=["accuracy", "f1_macro"],
        refit="f1_macro",
    ).fit(X, y)
    children = [run for run in runs() if "mlflow.parentRunId" in run.data.tags]
    assert len(children) == expected
    if expected == 3:
        assert all(child.data.metrics["rank_test_f1_macro"] <= 3 for child in children)
        assert "mean_test_accuracy" in children[0].data.metrics


def test_max_tuning_runs_is_a_count() -> None:
    with pytest.raises(ValueError, match="max_tuning_runs"):
        millstream.sklearn.autolog(max_tuning_runs=-1)


def test_a_halving_search(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    millstream.sklearn.autolog(max_tuning_runs=None)
    search = HalvingGridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, cv=2,
                                 random_state=0).fit(X, y)
    children = [run for run in runs() if "mlflow.parentRunId" in run.data.tags]
    assert len(children) == len(search.cv_results_["params"])
    assert told(caplog) == []


def test_a_search_without_a_refit(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.autolog()
    search = GridSearchCV(SVC(), {"C": [1, 2]}, refit=False, cv=2).fit(X, y)
    [parent] = [run for run in runs() if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.metrics == {"best_cv_score": search.best_score_}
    assert set(models_of(parent)) == {"model"}
    assert told(caplog) == []


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # joblib's multiprocessing forks
def test_workers_log_nothing(backend: str, runs: Runs) -> None:
    millstream.sklearn.autolog(log_models=False)
    with joblib.parallel_backend(backend, n_jobs=2):
        GridSearchCV(LogisticRegression(solver="liblinear"), {"C": [1, 2]}, cv=2, scoring="accuracy").fit(Xb, yb)
        VotingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier())]).fit(X, y)
    found = runs()
    assert len(found) == 4
    assert sum("mlflow.parentRunId" in run.data.tags for run in found) == 2


def test_what_the_library_fits_itself_is_no_training(runs: Runs) -> None:
    millstream.autolog()
    cross_val_score(LogisticRegression(solver="liblinear"), Xb, yb, cv=2)
    StandardScaler().fit_transform(X)
    ColumnTransformer([("s", StandardScaler(), [0])]).fit(X)
    assert runs() == []


def test_metrics_after_the_training(runs: Runs) -> None:
    millstream.sklearn.autolog(log_models=True)
    X_test, y_test = X[:20], y[:20]
    with millstream.start_run():
        model = GaussianNB().fit(X, y)
        model.score(X_test, y_test)
        model.score(X=X, y=y)
        predicted = model.predict(X_test)
        sklearn.metrics.accuracy_score(y_test, predicted)
        sklearn.metrics.accuracy_score(y_test, model.predict(X_test[:20]), normalize=False)
        sklearn.metrics.f1_score(y_true=y_test, y_pred=predicted, average="macro")
        sklearn.metrics.log_loss(y, model.predict_proba(X))
        sklearn.metrics.accuracy_score(y_test, predicted.copy())  # nobody knows whose it is
        sklearn.metrics.confusion_matrix(y_test, predicted)  # not a number
        X_test = X[5:]
        model.score(X_test, y[5:])
    sklearn.metrics.accuracy_score(y, model.predict(X))  # the run has ended, and gets it all the same
    [run] = runs()
    after = {key: value for key, value in run.data.metrics.items() if not key.startswith("training_")}
    assert after == pytest.approx({
        "GaussianNB_score_X_test": model.score(X[:20], y_test),
        "GaussianNB_score-2_X": model.score(X, y),
        "accuracy_score_X_test": 1.0,
        "accuracy_score-2_unknown_dataset": 20,
        "f1_score_X_test": 1.0,
        "log_loss_X": sklearn.metrics.log_loss(y, model.predict_proba(X).copy()),
        "GaussianNB_score-3_X_test-2": model.score(X[5:], y[5:]),
        "accuracy_score-3_X": model.score(X, y),
    })
    info = json.loads(read(run, "metric_info.json"))
    assert info["accuracy_score_X_test"] == "accuracy_score(y_true=y_test, y_pred=predicted)"
    assert info["f1_score_X_test"] == "f1_score(y_true=y_test, y_pred=predicted, average='macro')"
    assert info["GaussianNB_score-3_X_test-2"] == "GaussianNB.score(X=X_test, y=<ndarray>)"
    logged = models_of(run)["model"]
    assert {metric.key for metric in logged.metrics} >= set(after)


def test_metrics_after_a_search_and_a_pipeline(runs: Runs) -> None:
    millstream.sklearn.autolog(log_models=False, max_tuning_runs=0)
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=2).fit(X, y)
    search.score(X, y)
    sklearn.metrics.accuracy_score(y, search.predict(X))
    pipeline = make_pipeline(StandardScaler(), GaussianNB()).fit(X, y)
    sklearn.metrics.accuracy_score(y, pipeline.predict(X))
    first, second = (set(run.data.metrics) for run in runs())
    assert first >= {"GridSearchCV_score_X", "accuracy_score_X"}
    assert second >= {"accuracy_score_X"}


def test_metrics_after_the_training_may_be_switched_off(runs: Runs) -> None:
    millstream.sklearn.autolog(log_post_training_metrics=False, log_models=False)
    model = GaussianNB().fit(X, y)
    model.score(X, y)
    sklearn.metrics.accuracy_score(y, model.predict(X))
    [run] = runs()
    assert all(key.startswith("training_") for key in run.data.metrics)
    assert "metric_info.json" not in artifacts(run)


@pytest.mark.filterwarnings("ignore:The y_prob values do not sum to one:UserWarning")  # MLflow logs that loss too
@pytest.mark.parametrize("labels", [2, 3])
def test_several_labels_a_sample(labels: int, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.sklearn.autolog(log_models=False)
    targets = np.c_[y > 0, y > 1, y < 1].astype(int)[:, :labels]
    model = ClassifierChain(GaussianNB()).fit(X, targets)
    millstream.sklearn.autolog(disable=True)
    [run] = runs()
    assert run.data.metrics["training_roc_auc"] == pytest.approx(
        sklearn.metrics.roc_auc_score(targets, model.predict_proba(X), average="weighted"))
    assert told(caplog) == []


def test_what_a_fit_raises(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.autolog()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticRegression().fit(X, y[:5])
    [run] = runs()
    assert run.info.status == "FAILED"
    assert run.data.params["C"] == "1.0"
    assert models_of(run) == {}
    assert told(caplog) == []


def test_a_store_that_is_gone_stops_no_training(tracking: Path, caplog: pytest.LogCaptureFixture) -> None:
    stores.set_tracking_uri(f"sqlite:///{tracking / 'nowhere' / 'at' / 'all' / 'x.db'}")
    (tracking / "nowhere").write_text("in the way")
    millstream.autolog()
    model = GaussianNB().fit(X, y)
    assert model.score(X, y) > 0.9
    [line] = told(caplog)
    assert line.startswith("autologging of sklearn misses the call")
    assert millstream.active_run() is None


def test_files_that_cannot_be_stored_stop_no_training(
    tracking: Path, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    (tracking / "taken").write_text("in the way")
    experiment = millstream.create_experiment("no files", artifact_location=str(tracking / "taken" / "artifacts"))
    millstream.set_experiment(experiment_id=experiment)
    millstream.autolog()
    model = GaussianNB().fit(X, y)
    assert model.score(X, y) > 0.9
    [run] = runs()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["training_score"] == pytest.approx(model.score(X, y))
    assert any("misses the model" in line for line in told(caplog))
    assert any("misses estimator.html" in line for line in told(caplog))


def test_two_fits_in_one_run(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.sklearn.autolog(log_models=False)
    with millstream.start_run():
        Ridge(alpha=1.0).fit(Xd, yd)
        Ridge(alpha=2.0).fit(Xd, yd)
    [run] = runs()
    assert run.data.params["alpha"] == "1.0"
    assert run.data.metrics["training_score"] == pytest.approx(Ridge(alpha=2.0).fit(Xd, yd).score(Xd, yd))
    [line] = told(caplog)
    assert "alpha" in line


def test_disable_puts_everything_back() -> None:
    owners = [
        LogisticRegression, GridSearchCV, Pipeline, KMeans, RandomForestRegressor, GradientBoostingRegressor,
        sklearn.metrics, StandardScaler, RandomForestClassifier.__mro__[1],
    ]
    before = [dict(vars(owner)) for owner in owners]
    millstream.sklearn.autolog()
    assert vars(LogisticRegression)["fit"] is not before[0]["fit"]
    assert vars(StandardScaler)["fit"] is before[7]["fit"]
    millstream.sklearn.autolog(disable=True)
    for owner, attributes in zip(owners, before, strict=True):
        now = dict(vars(owner))
        assert now.keys() == attributes.keys(), owner
        assert all(now[name] is attributes[name] for name in attributes), owner


def test_a_subclass_of_the_program_s_own(runs: Runs) -> None:
    class Mine(GaussianNB):  # type: ignore[misc]
        pass

    millstream.sklearn.autolog(log_models=False)
    Mine().fit(X, y)
    millstream.sklearn.autolog(disable=True)
    Mine().fit(X, y)
    [run] = runs()
    assert run.data.tags["estimator_name"] == "Mine"


def test_patched_methods_are_there_when_the_originals_are() -> None:
    millstream.autolog()
    assert not hasattr(make_pipeline(StandardScaler()), "predict")
    assert hasattr(make_pipeline(StandardScaler(), GaussianNB()), "predict")
    assert not hasattr(SVC(), "predict_proba") or hasattr(LIBRARIES["sklearn"], "settings")
    assert not hasattr(GridSearchCV(PCA(), {}), "predict_proba")
    assert "X" in str(__import__("inspect").signature(Pipeline.fit_predict))
    model = pickle.loads(pickle.dumps(GaussianNB().fit(X, y)))  # noqa: S301
    np.testing.assert_array_equal(model.predict(X), GaussianNB().fit(X, y).predict(X))


def test_scikit_learn_imported_later(tmp_path: Path) -> None:
    program = (
        "import sys, millstream\n"
        f"millstream.set_tracking_uri({str(tmp_path / 'later')!r})\n"
        "millstream.autolog(log_models=False)\n"
        "import millstream.sklearn\n"
        "assert 'sklearn' not in sys.modules\n"
        "from sklearn.tree import DecisionTreeClassifier\n"
        "DecisionTreeClassifier(max_depth=2).fit([[0], [1], [2]], [0, 1, 1])\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import sklearn.ensemble\n"
        "sklearn.ensemble.RandomForestRegressor(2).fit([[0], [1], [2]], [0, 1, 1])\n"
        "print(sorted(run.data.tags['estimator_name'] for run in millstream.search_runs(output_format='list')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['DecisionTreeClassifier', 'RandomForestRegressor']"
    assert "WARNING" not in done.stderr and "misses" not in done.stderr


def test_metrics_of_two_models_of_one_run_stay_apart(runs: Runs) -> None:
    millstream.autolog()
    with millstream.start_run():
        first, second = GaussianNB().fit(X, y), GaussianNB(var_smoothing=0.5).fit(X, y)
        sklearn.metrics.accuracy_score(y, first.predict(X))
        second.score(X, y)
    [run] = runs()
    of_models = [
        {metric.key for metric in millstream.get_logged_model(made.model_id).metrics if "training" not in metric.key}
        for made in run.outputs.model_outputs
    ]
    assert sorted(of_models, key=sorted) == [{"GaussianNB_score_X"}, {"accuracy_score_X"}]


def test_what_is_registered_is_the_search(runs: Runs) -> None:
    millstream.sklearn.autolog(registered_model_name="best of two", max_tuning_runs=0)
    GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 0.5]}, cv=2).fit(X, y)
    [run] = runs()
    [version] = millstream.MlflowClient().search_model_versions("name = 'best of two'")
    assert version.source == f"models:/{models_of(run)['model'].model_id}"


def test_trainings_in_threads(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.autolog()
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda n: GaussianNB(var_smoothing=10.0**-n).fit(X, y), range(1, 9)))
    found = {run.data.params["var_smoothing"]: run for run in runs()}
    assert len(found) == 8
    for model in models:
        run = found[str(model.var_smoothing)]
        assert run.info.status == "FINISHED"
        assert run.data.metrics["training_score"] == pytest.approx(model.score(X, y))
        assert len(run.outputs.model_outputs) == 1
    assert told(caplog) == []
