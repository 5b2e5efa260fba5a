"""The same evaluations by the official mlflow and by ours: the same metrics and artifacts.

What differs, on purpose:

====================================  ==============================================  =================================
case                                  MLflow 3.17                                     Millstream
====================================  ==============================================  =================================
`pos_label` that is no label          evaluates as if there were three classes        InvalidValue
`average=None`                        fails when it logs an array                     InvalidValue
`average="micro"`                     no `roc_auc`                                    `roc_auc` over all classes
rows of fewer classes than the model  ValueError of scikit-learn                      all but `roc_auc` over all classes
bounds met exactly in decimals        missed: 0.3 - 0.2 < 0.1 in binary               met
a metric that is NaN                  decimal.InvalidOperation                        listed as missed
metric functions                      called twice, first with one row                called once
an artifact named `../x`              written outside of its folder                   InvalidPath
model                                 URI, loaded model, function                     and any estimator
`score`                               of scikit-learn's own estimators                of every estimator that has one
probabilities                         of scikit-learn's and XGBoost's estimators      of every estimator that has them
CatBoost with several classes         ValueError of numpy                             evaluated
targets                               a column                                        and an array beside a frame
output of shape (rows, 1), softmax    ValueError                                      values, classes with probabilities
SHAP                                  whenever it is installed                        when `log_model_explainability`
numbers of `eval_results_table`       ten digits                                      all
tag `mlflow.datasets`                 set on the run                                  the run's inputs say the same
calibration of several classes        one curve over bins of the predicted labels     a curve of probabilities for each
====================================  ==============================================  =================================
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import millstream
import millstream.sklearn
from millstream.errors import InvalidValue
from tests.flavors.foreign import Foreign
from tests.unit.evaluation.conftest import Task

pytestmark = [pytest.mark.usefixtures("tracking"), pytest.mark.clients]



def evaluated(evaluate: Any, get_run: Any, case: dict[str, Any]) -> dict[str, Any]:
    """What there is after an evaluation. It runs on both sides, `evaluate` being either's."""
    returned = evaluate(**case)
    run = get_run(returned.run_id)
    used = run.inputs.dataset_inputs[0].dataset
    per_class = returned.artifacts.get("per_class_metrics")
    return {
        "metrics": {name: float(value) for name, value in returned.metrics.items()},
        "logged": dict(run.data.metrics),
        "artifacts": {name: type(one).__name__ for name, one in returned.artifacts.items()},
        "files": {one.uri.rsplit("/", 1)[1] for one in returned.artifacts.values()},
        "per_class": None if per_class is None else per_class.content,
        "tables": {name: list(table.columns) for name, table in returned.tables.items()},
        "dataset": (used.name, used.digest, used.source_type, used.schema, used.profile),
        "status": run.info.status,
    }


PROGRAM = f"""
from typing import Any
{inspect.getsource(evaluated)}
import os
import warnings
import mlflow
os.makedirs(place, exist_ok=True)
mlflow.set_tracking_uri(f"sqlite:///{{place}}/runs.db")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    result = {{name: evaluated(mlflow.models.evaluate, mlflow.get_run, case) for name, case in cases.items()}}
"""
N = {"log_model_explainability": False}


def cases(diabetes: Task, cancer: Task, iris: Task, folder: Path) -> dict[str, dict[str, Any]]:
    """Arguments of evaluate by the name of the case."""
    static = {"targets": "target", "predictions": "pred"}
    regressor = {"model_type": "regressor", **static, "data": diabetes.predicted}
    classifier = {"model_type": "classifier", **static}
    words = cancer.predicted.replace({0: "bad", 1: "good"})
    models = {
        name: {"model": str(folder / name), "targets": "target", "data": task.frame, "model_type": kind}
        for name, task, kind in (
            ("diabetes", diabetes, "regressor"), ("cancer", cancer, "classifier"), ("iris", iris, "classifier"),
        )
    }
    weights = {len(task.frame): np.arange(len(task.frame)) % 5 + 1.0 for task in (diabetes, cancer, iris)}
    return {
        "regressor": regressor,
        "regressor, prefix": {**regressor, "evaluator_config": {"metric_prefix": "val_"}},
        "regressor, weights": {**regressor, "evaluator_config": {"sample_weights": weights[442]}},
        "regressor, nested configuration": {
            **regressor, "evaluators": ["default"], "evaluator_config": {"default": {"metric_prefix": "q_"}},
        },
        "arrays": {
            "model_type": "regressor", "data": diabetes.features.to_numpy(), "targets": diabetes.targets.to_numpy(),
            "model": str(folder / "plain"), "evaluator_config": N,
        },
        "binary": {**classifier, "data": cancer.predicted},
        "binary, prefix": {**classifier, "data": cancer.predicted, "evaluator_config": {"metric_prefix": "v_"}},
        "binary, the other label": {**classifier, "data": cancer.predicted, "evaluator_config": {"pos_label": 0}},
        "binary, weights": {
            **classifier, "data": cancer.predicted, "evaluator_config": {"sample_weights": weights[569]},
        },
        "binary, words": {**classifier, "data": words},
        "binary, truth": {**classifier, "data": cancer.predicted.astype(bool)},
        "several classes": {**classifier, "data": iris.predicted},
        "several classes, macro": {**classifier, "data": iris.predicted, "evaluator_config": {"average": "macro"}},
        "several classes, a fourth": {
            **classifier, "data": iris.predicted, "evaluator_config": {"label_list": [0, 1, 2, 3]},
        },
        **{f"model of {name}": {**case, "evaluator_config": N} for name, case in models.items()},
        **{
            f"model of {name}, weights": {
                **case, "evaluator_config": {**N, "sample_weights": weights[len(case["data"])]},
            }
            for name, case in models.items()
        },
        "model of cancer, the other label": {**models["cancer"], "evaluator_config": {**N, "pos_label": 0}},
        "model of iris, few curves": {
            **models["iris"], "evaluator_config": {**N, "max_classes_for_multiclass_roc_pr": 2},
        },
        "model that gives probabilities": {
            **models["cancer"], "model": str(folder / "probabilities"), "evaluator_config": N,
        },
    }


@pytest.mark.slow
def test_the_same_metrics_and_artifacts(
    diabetes: Task, cancer: Task, iris: Task, foreign: Foreign, tracking: Path
) -> None:
    folder = tracking / "models"
    for name, task in (("diabetes", diabetes), ("cancer", cancer), ("iris", iris)):
        millstream.sklearn.save_model(task.model, folder / name)
    names = [f"feature_{number:02d}" for number in range(1, 11)]
    plain = LinearRegression().fit(diabetes.features.set_axis(names, axis=1), diabetes.targets)
    millstream.sklearn.save_model(plain, folder / "plain")
    millstream.sklearn.save_model(cancer.model, folder / "probabilities", pyfunc_predict_fn="predict_proba")

    given = cases(diabetes, cancer, iris, folder)
    theirs = foreign.run(PROGRAM, cases=given, place=str(tracking / "theirs"))
    for name, case in given.items():
        ours = evaluated(millstream.evaluate, millstream.get_run, case)
        expected = theirs[name]
        assert ours["metrics"] == pytest.approx(expected["metrics"], rel=1e-12), name
        assert ours["logged"] == pytest.approx(expected["logged"], rel=1e-12), name
        if expected["per_class"] is None:
            assert ours["per_class"] is None, name
        else:
            frame, reference = ours["per_class"], expected["per_class"]
            assert list(frame.columns) == list(reference.columns), name
            assert np.allclose(frame.to_numpy(float), reference.to_numpy(float), rtol=1e-12), name
        for part in ("artifacts", "files", "tables", "dataset", "status"):
            assert ours[part] == expected[part], (name, part)


def test_results_are_read_on_either_side(cancer: Task, foreign: Foreign, tracking: Path) -> None:
    returned = millstream.evaluate(
        cancer.model, cancer.frame, targets="target", model_type="classifier",
        custom_artifacts=[lambda frame, metrics, folder: {"frame": frame.head(3), "facts": {"a": 1}, "line": "[1]"}],
    )
    returned.save(tracking / "ours")
    read = foreign.run("""
        from mlflow.models import EvaluationResult
        loaded = EvaluationResult.load(place)
        loaded.save(again)
        result = loaded.metrics, {name: (type(one).__name__, one.uri) for name, one in loaded.artifacts.items()}
    """, place=str(tracking / "ours"), again=str(tracking / "theirs"))
    described = {name: (type(one).__name__, one.uri) for name, one in returned.artifacts.items()}
    assert read == (returned.metrics, described)
    back = millstream.models.EvaluationResult.load(tracking / "theirs")
    assert back.metrics == returned.metrics
    assert {name: (type(one).__name__, one.uri) for name, one in back.artifacts.items()} == described
    assert back.artifacts["facts"].content == {"a": 1} and back.artifacts["line"].content == [1]
    assert back.artifacts["confusion_matrix"].content.size == returned.artifacts["confusion_matrix"].content.size
    assert back.artifacts["frame"].content.equals(returned.artifacts["frame"].content)


def test_the_signature_takes_what_theirs_takes(foreign: Foreign) -> None:
    theirs = foreign.run("""
        import inspect
        import mlflow
        result = {
            function.__name__: [name for name in inspect.signature(function).parameters if not name.startswith("_")]
            for function in (
                mlflow.models.evaluate, mlflow.validate_evaluation_results, mlflow.models.make_metric,
                mlflow.models.MetricThreshold, mlflow.models.EvaluationResult,
            )
        }, mlflow.models.list_evaluators()
    """)
    ours = [
        millstream.evaluate, millstream.validate_evaluation_results, millstream.models.make_metric,
        millstream.models.MetricThreshold, millstream.models.EvaluationResult,
    ]
    named = {one.__name__: list(inspect.signature(one).parameters) for one in ours}
    assert (named, millstream.models.list_evaluators()) == theirs


def test_what_differs_is_refused_clearly(cancer: Task, iris: Task) -> None:
    static: dict[str, Any] = {"targets": "target", "predictions": "pred", "model_type": "classifier"}
    with pytest.raises(InvalidValue, match="'pos_label' supplied: the labels are 0, 1"):
        millstream.evaluate(data=cancer.predicted, **static, evaluator_config={"pos_label": 7})
    with pytest.raises(InvalidValue, match="'average' supplied: expected one of weighted, macro, micro"):
        millstream.evaluate(data=iris.predicted, **static, evaluator_config={"average": None})
