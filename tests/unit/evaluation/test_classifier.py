"""Labels, probabilities and curves of classifiers where the comparison with MLflow does not go."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from millstream.errors import InvalidValue
from millstream.evaluation import EvaluationResult, evaluate, plots
from millstream.evaluation.classifier import labels_of
from millstream.evaluation.options import Options
from millstream.evaluation.predicting import Predicted
from tests.unit.evaluation.conftest import Task

pytestmark = pytest.mark.usefixtures("tracking")


def classify(model: Any, data: pd.DataFrame, **config: Any) -> EvaluationResult:
    return evaluate(model, data, targets="target", model_type="classifier", evaluator_config=config)


def test_an_estimator_is_evaluated_as_it_is(cancer: Task) -> None:
    returned = classify(cancer.model, cancer.frame)
    probability = cancer.model.predict_proba(cancer.features)[:, 1]
    assert returned.metrics["roc_auc"] == pytest.approx(metrics.roc_auc_score(cancer.targets, probability))
    assert returned.metrics["log_loss"] == pytest.approx(metrics.log_loss(cancer.targets, probability))
    assert returned.metrics["score"] == returned.metrics["accuracy_score"]


def test_estimators_of_other_libraries(iris: Task, caplog: pytest.LogCaptureFixture) -> None:
    # CatBoost predicts an array of shape (rows, 1), and its score takes no weights.
    made = CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(iris.features, iris.targets)
    returned = classify(made, iris.frame)
    expected = metrics.roc_auc_score(iris.targets, made.predict_proba(iris.features), multi_class="ovr")
    assert returned.metrics["roc_auc"] == pytest.approx(expected)
    assert returned.metrics["score"] == returned.metrics["accuracy_score"]
    weighted = classify(made, iris.frame, sample_weights=np.ones(150))
    assert weighted.metrics == pytest.approx({k: v for k, v in returned.metrics.items() if k != "score"})
    assert "no score: TypeError" in caplog.text


def test_averages_and_areas_over_all_classes(iris: Task) -> None:
    expected = metrics.roc_auc_score(
        iris.targets, iris.model.predict_proba(iris.features), multi_class="ovr", average="micro"
    )
    assert classify(iris.model, iris.frame, average="micro").metrics["roc_auc"] == pytest.approx(expected)


def test_rows_of_some_of_the_classes(iris: Task, caplog: pytest.LogCaptureFixture) -> None:
    returned = classify(iris.model, iris.frame[iris.targets < 2])
    assert "roc_auc" not in returned.metrics and returned.metrics["log_loss"] > 0
    assert "the data has no row with the label 2" in caplog.text
    table = returned.artifacts["per_class_metrics"].content
    assert table["positive_class"].tolist() == [0, 1, 2]
    assert table["roc_auc"].isna().tolist() == [False, False, True]
    assert set(returned.artifacts) >= {"roc_curve_plot", "calibration_curve_plot", "confusion_matrix"}


def test_labels_that_the_model_has_never_seen(iris: Task) -> None:
    model = LogisticRegression(max_iter=500).fit(iris.features[iris.targets < 2], iris.targets[iris.targets < 2])
    returned = classify(model, iris.frame)
    assert returned.metrics["accuracy_score"] == pytest.approx(2 / 3)
    assert returned.artifacts["per_class_metrics"].content["true_positives"].tolist() == [50, 50, 0]


def test_a_network_that_gives_probabilities(iris: Task) -> None:
    def network(frame: pd.DataFrame) -> Any:
        return iris.model.predict_proba(frame).astype("float32")

    returned = classify(network, iris.frame)
    expected = classify(iris.model, iris.frame).metrics
    assert returned.metrics == pytest.approx({k: v for k, v in expected.items() if k != "score"}, rel=1e-5)
    words = iris.frame.assign(target=iris.targets.map({0: "a", 1: "b", 2: "c"}))
    assert classify(network, words).metrics == pytest.approx(returned.metrics)
    with pytest.raises(InvalidValue, match="3 probabilities for 2 labels"):
        classify(network, words[words.target != "c"])
    assert classify(network, words[words.target != "c"], label_list=["a", "b", "c"]).metrics["accuracy_score"] == 0.97


def test_a_model_without_probabilities(cancer: Task, caplog: pytest.LogCaptureFixture) -> None:
    model = SVC().fit(cancer.features, cancer.targets)
    returned = classify(model, cancer.frame)
    assert "roc_auc" not in returned.metrics and list(returned.artifacts) == ["confusion_matrix"]
    assert "score" in returned.metrics


def test_one_class_alone(cancer: Task, caplog: pytest.LogCaptureFixture) -> None:
    good = cancer.predicted[(cancer.predicted.target == 1) & (cancer.predicted.pred == 1)]
    given: dict[str, Any] = {"data": good, "targets": "target", "predictions": "pred", "model_type": "classifier"}
    with pytest.raises(InvalidValue, match="the one label 1"):
        evaluate(**given)
    returned = evaluate(**given, evaluator_config={"label_list": [0, 1]})
    assert (returned.metrics["true_positives"], returned.metrics["recall_score"]) == (len(good), 1)
    only = classify(cancer.model, cancer.frame[cancer.targets == 1])
    assert "roc_auc" not in only.metrics and "no ROC for the label 1" in caplog.text


@pytest.mark.parametrize("kind", ["Int64", "boolean", "string", "category", "object"])
def test_labels_of_every_type_of_pandas(cancer: Task, kind: str) -> None:
    frame = cancer.predicted.astype(bool).astype(kind) if kind == "boolean" else cancer.predicted.astype(kind)
    returned = evaluate(data=frame, targets="target", predictions="pred", model_type="classifier")
    assert (returned.metrics["true_positives"], returned.metrics["false_positives"]) == (348, 15)


def test_numbers_that_are_no_classes(diabetes: Task) -> None:
    with pytest.raises(InvalidValue, match="the predictions are numbers with fractions"):
        evaluate(data=diabetes.predicted, targets="target", predictions="pred", model_type="classifier")
    mixed = pd.DataFrame({"target": ["a", "b"], "pred": [1, 2]}).astype({"target": object})
    with pytest.raises(InvalidValue, match="no common order: int, str"):
        evaluate(data=mixed, targets="target", predictions="pred", model_type="classifier")


def test_a_score_that_fails_costs_only_the_score(cancer: Task, caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        def predict(self, frame: pd.DataFrame) -> Any:
            return cancer.model.predict(frame)

        def score(self, frame: pd.DataFrame, labels: Any) -> float:
            raise TypeError("of no use")

    returned = classify(Odd(), cancer.frame)
    assert "score" not in returned.metrics and returned.metrics["true_positives"] == 348
    assert "no score: TypeError: of no use" in caplog.text


def test_lift_and_calibration_are_what_they_say() -> None:
    # Half of the rows are positive, and the model ranks them perfectly: lift is 2 in the first half, then falls to 1.
    true = np.repeat([1, 0], 500)
    probability = np.where(true == 1, 0.9, 0.1)
    predicted = Predicted(true, np.column_stack([1 - probability, probability]), np.array([0, 1]))
    labels = labels_of(true, predicted, Options())
    positive = next(line for line in plots.lift_curve(labels).axes[0].lines if "positive" in str(line.get_label()))
    share, lift = np.asarray(positive.get_data(), float)
    assert np.allclose(lift[share <= 0.5], 2) and lift[-1] == 1
    curve = plots.calibration_curve(labels, Options()).axes[0].lines[1]
    assert np.allclose(np.asarray(curve.get_data(), float), [[0.1, 0.9], [0.0, 1.0]])
    roc = plots.roc_curve(labels).axes[0].lines[0]
    assert roc.get_label() == "AUC=1.000"


def test_pyplot_is_not_touched(cancer: Task) -> None:
    import subprocess

    program = (
        "import sys\nimport pandas as pd\nimport millstream\n"
        "frame = pd.DataFrame({'t': [0, 1, 1], 'p': [0, 1, 0]})\n"
        "millstream.evaluate(data=frame, targets='t', predictions='p', model_type='classifier')\n"
        "assert 'matplotlib.figure' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


# SHAP, where it is installed, calls what matplotlib will deprecate.
@pytest.mark.filterwarnings("ignore:The set_.* function will be deprecated:PendingDeprecationWarning")
def test_shap_is_asked_for_and_not_needed(cancer: Task, caplog: pytest.LogCaptureFixture) -> None:
    import importlib.util

    small = cancer.frame.iloc[:40, [0, 1, 2, 3, -1]]
    model = LogisticRegression(max_iter=5000).fit(small.iloc[:, :4], small["target"])
    returned = classify(model, small, log_model_explainability=True, explainability_nsamples=5)
    explained = [name for name in returned.artifacts if name.startswith("shap_")]
    if importlib.util.find_spec("shap") is None:
        assert caplog.text.count("no explanations of the model: shap is not installed") == 1 and not explained
    else:
        assert explained == ["shap_beeswarm_plot", "shap_summary_plot", "shap_feature_importance_plot"]
