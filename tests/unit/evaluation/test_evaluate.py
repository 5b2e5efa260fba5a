"""What is evaluated on what, where it is logged, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pytest

import millstream
import millstream.pyfunc
import millstream.sklearn
from millstream.errors import InvalidValue, MillstreamError, MissingValue, NotSupported
from millstream.evaluation import evaluate
from tests.unit.evaluation.conftest import Task

pytestmark = pytest.mark.usefixtures("tracking")

STATIC: dict[str, Any] = {"targets": "target", "predictions": "pred", "model_type": "regressor"}
R2 = 0.5177484222203499


def identity(frame: pd.DataFrame) -> pd.Series[float]:
    return frame["x"]


ROWS = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 2.0, 3.0]})


def test_a_run_is_made_and_ended_and_has_all_that_is_returned(diabetes: Task) -> None:
    returned = evaluate(data=diabetes.predicted, **STATIC)
    assert millstream.active_run() is None
    run = millstream.get_run(str(returned.run_id))
    assert run.info.status == "FINISHED"
    assert run.data.metrics == pytest.approx(returned.metrics)
    assert all(type(value) in (int, float) for value in returned.metrics.values())
    assert run.data.metrics["r2_score"] == pytest.approx(R2) and run.data.metrics["example_count"] == 442
    used, = run.inputs.dataset_inputs
    assert used.dataset.name == "dataset" and used.dataset.profile == '{"num_rows": 442, "num_elements": 884}'


def test_the_active_run_gets_the_metrics_and_goes_on(cancer: Task) -> None:
    with millstream.start_run() as run:
        returned = evaluate(
            data=cancer.predicted, targets="target", predictions="pred", model_type="classifier",
            evaluator_config={"metric_prefix": "held_out_"},
        )
        active = millstream.active_run()
        assert active is not None and active.info.run_id == returned.run_id == run.info.run_id
    client = millstream.MlflowClient()
    assert "held_out_f1_score" in client.get_run(run.info.run_id).data.metrics
    assert [entry.path for entry in client.list_artifacts(run.info.run_id)] == ["held_out_confusion_matrix.png"]
    artifact = returned.artifacts["confusion_matrix"]
    assert artifact.uri.endswith(f"{run.info.run_id}/artifacts/held_out_confusion_matrix.png")
    fetched = millstream.artifacts.download_artifacts(artifact_uri=artifact.uri)
    assert Path(fetched).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert artifact.content.size == (1050, 705)


def test_a_failed_evaluation_fails_its_own_run() -> None:
    def model(frame: pd.DataFrame) -> Any:
        raise RuntimeError("the model is at fault")

    with pytest.raises(RuntimeError, match="the model is at fault"):
        evaluate(model, ROWS, targets="y", model_type="regressor")
    run, = millstream.MlflowClient().search_runs(["0"])
    assert run.info.status == "FAILED" and millstream.active_run() is None


@pytest.mark.parametrize("kind", ["pandas", "polars", "dict", "pandas data set", "polars data set", "hugging face"])
def test_tables_of_every_kind(kind: str) -> None:
    columns = {name: ROWS[name].tolist() for name in ROWS}
    frame = pl.DataFrame(columns)
    data: Any = {
        "pandas": ROWS.set_index(pd.Index([7, 8, 9])),
        "polars": frame,
        "dict": columns,
        "pandas data set": millstream.data.from_pandas(ROWS, targets="y", name="named"),
        "polars data set": millstream.data.from_polars(frame, targets="y", name="named"),
        "hugging face": millstream.data.from_huggingface(
            datasets.Dataset.from_dict(columns), targets="y", name="named"
        ),
    }[kind]
    given: dict[str, Any] = {} if kind.endswith(("set", "face")) else {"targets": "y"}
    returned = evaluate(identity, data, model_type="regressor", **given)
    assert returned.metrics["mean_absolute_error"] == pytest.approx(1 / 3)
    used, = millstream.get_run(str(returned.run_id)).inputs.dataset_inputs
    assert used.dataset.name == ("named" if not given else "dataset")


def test_arrays_and_lists_get_names_of_features() -> None:
    seen = []

    def model(frame: pd.DataFrame) -> Any:
        seen.append(list(frame.columns))
        return frame.iloc[:, 0].to_numpy()

    features, targets = np.arange(20.0).reshape(2, 10), np.array([0.0, 10.0])
    numbered = [f"feature_{number:02d}" for number in range(1, 11)]
    named = list("abcdefghij")
    for data, names in (
        (features, None), (features.tolist(), None), (features, named),
        (millstream.data.from_numpy(features, targets=targets), None),
    ):
        given: dict[str, Any] = {} if isinstance(data, millstream.data.Dataset) else {"targets": targets}
        returned = evaluate(model, data, model_type="regressor", feature_names=names, **given)
        assert returned.metrics["max_error"] == 0
        assert seen.pop() == (names or numbered)
    single = evaluate(model, [1.0, 2.0], targets=[1, 3], model_type="regressor")
    assert single.metrics["max_error"] == 1 and seen.pop() == ["feature_1"]


def test_targets_beside_a_frame_and_features_among_columns() -> None:
    seen = []

    def model(frame: pd.DataFrame) -> Any:
        seen.append(list(frame.columns))
        return frame["x"]

    evaluate(model, ROWS, targets=ROWS["y"], model_type="regressor")
    evaluate(model, ROWS, targets="y", feature_names=["x"], model_type="regressor")
    evaluate(model, ROWS, targets="y", model_type="regressor")
    assert seen == [["x", "y"], ["x"], ["x"]]


@pytest.mark.parametrize(("output", "column"), [
    (lambda frame: frame["x"].tolist(), None),
    (lambda frame: frame[["x"]], None),
    (lambda frame: frame[["x"]].to_numpy(), None),
    (lambda frame: pd.DataFrame({"p": frame["x"].to_numpy(), "spread": 1}, index=[5, 6, 7]), "p"),
    (lambda frame: {"p": frame["x"].to_numpy(), "spread": np.ones(3)}, "p"),
    (lambda frame: [{"p": value, "spread": 1} for value in frame["x"]], "p"),
])
def test_predictions_among_outputs(output: Any, column: str | None) -> None:
    returned = evaluate(output, ROWS, targets="y", predictions=column, model_type="regressor")
    assert returned.metrics["max_error"] == 1


def test_the_source_of_the_data_is_its_path(tracking: Path) -> None:
    file = tracking / "rows.csv"
    ROWS.to_csv(file, index=False)
    returned = evaluate(identity, ROWS, targets="y", model_type="regressor", dataset_path=str(file))
    used, = millstream.get_run(str(returned.run_id)).inputs.dataset_inputs
    assert used.dataset.source_type == "local" and "rows.csv" in used.dataset.source


@pytest.mark.parametrize(("arguments", "kind", "said"), [
    ({"data": None}, MissingValue, "needs data"),
    ({"data": ROWS}, MissingValue, "neither a model nor predictions"),
    ({"data": ROWS, "predictions": "x"}, MissingValue, "without a model_type there is nothing to measure"),
    ({"data": ROWS, "predictions": "x", "model_type": "regressor"}, MissingValue, "is compared with targets"),
    ({"data": ROWS, "predictions": "x", "targets": "z", "model_type": "regressor"}, InvalidValue,
     "no targets column 'z'"),
    ({"data": ROWS, "predictions": "p", "targets": "y", "model_type": "regressor"}, InvalidValue,
     "no predictions column 'p'"),
    ({"data": ROWS, "predictions": "x", "targets": [1], "model_type": "regressor"}, InvalidValue,
     "1 targets for 3 rows"),
    ({"data": ROWS, "model": 7, "targets": "y", "model_type": "regressor"}, InvalidValue, "a int does not predict"),
    ({"data": ROWS, "model": lambda f: [1], "targets": "y", "model_type": "regressor"}, InvalidValue,
     "1 predictions for 3 rows"),
    ({"data": ROWS, "model": lambda f: f, "targets": "y", "model_type": "regressor", "feature_names": ["x", "y"]},
     InvalidValue, "the model gives the columns 'x', 'y'\n"),
    ({"data": ROWS, "model": lambda f: f, "targets": "y", "predictions": "q", "model_type": "regressor"}, InvalidValue,
     "the model gives the columns 'x', and none 'q'"),
    ({"data": ROWS, "model": lambda f: np.ones((3, 2)), "targets": "y", "model_type": "regressor"}, InvalidValue,
     "2 values for each row"),
    ({"data": ROWS, "model": identity, "targets": "y", "feature_names": ["w"], "model_type": "regressor"}, InvalidValue,
     "no feature column 'w'"),
    ({"data": np.ones((2, 2, 2)), "model": identity, "targets": [1, 2], "model_type": "regressor"}, InvalidValue,
     r"shape \(2, 2, 2\)"),
    ({"data": [[1], [1, 2]], "model": identity, "targets": [1, 2], "model_type": "regressor"}, InvalidValue,
     "do not all have the same length"),
    ({"data": np.ones((2, 2)), "model": identity, "targets": [1, 2], "feature_names": ["a"], "model_type": "regressor"},
     InvalidValue, "1 names for 2 columns"),
    ({"data": ROWS, "model": identity, "targets": "y", "model_type": "regressor", "env_manager": "uv"}, InvalidValue,
     "env_manager='uv' is for a model that is given by its address"),
    ({"data": ROWS, "model": identity, "targets": "y", "model_type": "regressor", "inference_params": {"a": 1}},
     InvalidValue, "inference_params are for"),
    ({"data": ROWS, "model": identity, "targets": "y", "model_type": "question-answering"}, NotSupported,
     "no evaluator can evaluate models of the type 'question-answering'"),
    ({"data": ROWS, "model": identity, "targets": "y", "model_type": "regressor", "evaluators": "classifier"},
     NotSupported, r"no evaluator among \['classifier'\]"),
    ({"data": ROWS, "model": identity, "targets": "y", "model_type": "regressor", "evaluators": "mine"}, InvalidValue,
     "no evaluator 'mine'"),
    ({"data": ROWS, "model": identity, "targets": "y", "model_type": "regressor",
      "evaluator_config": {"sample_weights": [1, 2]}}, InvalidValue, r"sample_weights has the shape \(2,\)"),
    ({"data": millstream.data.from_pandas(ROWS, targets="y"), "model": identity, "targets": "x",
      "model_type": "regressor"}, InvalidValue, "targets='x', but the data set 'dataset' says that they are 'y'"),
])
def test_arguments_that_do_not_fit_together(arguments: dict[str, Any], kind: type[MillstreamError], said: str) -> None:
    with pytest.raises(kind, match=said):
        evaluate(**arguments)


def test_an_option_that_is_misspelt_is_told(caplog: pytest.LogCaptureFixture) -> None:
    evaluate(identity, ROWS, targets="y", model_type="regressor", evaluator_config={"metric_prefx": "a", "zzz": 1})
    assert "no option 'metric_prefx'; did you mean 'metric_prefix'?" in caplog.text
    assert "no option 'zzz'\n" in caplog.text


def test_a_logged_model_has_the_metrics_too(cancer: Task) -> None:
    with millstream.start_run():
        info = millstream.sklearn.log_model(cancer.model, name="logit")
    with millstream.start_run() as run:
        returned = evaluate(info.model_uri, cancer.frame, targets="target", model_type="classifier")
    model = millstream.get_logged_model(str(info.model_id))
    measured = {metric.key: metric for metric in model.metrics or ()}
    assert {key: metric.value for key, metric in measured.items()} == pytest.approx(returned.metrics)
    digest = millstream.get_run(run.info.run_id).inputs.dataset_inputs[0].dataset.digest
    assert (measured["roc_auc"].run_id, measured["roc_auc"].dataset_digest) == (run.info.run_id, digest)
    assert [one.model_id for one in millstream.get_run(run.info.run_id).inputs.model_inputs] == [info.model_id]
    loaded = millstream.pyfunc.load_model(info.model_uri)
    again = evaluate(loaded, cancer.frame, targets="target", model_type="classifier")
    assert again.metrics == returned.metrics
    with pytest.raises(InvalidValue, match=f"model_id is m-other, but the model is the logged model {info.model_id}"):
        evaluate(loaded, cancer.frame, targets="target", model_type="classifier", model_id="m-other")


def test_automatic_logging_does_not_log_what_an_evaluation_calls(cancer: Task) -> None:
    millstream.sklearn.autolog()
    returned = evaluate(cancer.model, cancer.frame, targets="target", model_type="classifier")
    assert millstream.get_run(str(returned.run_id)).data.metrics == pytest.approx(returned.metrics)
    files = {entry.path for entry in millstream.MlflowClient().list_artifacts(str(returned.run_id))}
    assert files == {f"{name}.png" for name in returned.artifacts}


def test_predictions_of_a_model_that_is_named(diabetes: Task) -> None:
    with millstream.start_run():
        info = millstream.sklearn.log_model(diabetes.model, name="line")
    evaluate(data=diabetes.predicted, **STATIC, model_id=info.model_id)
    metrics = millstream.get_logged_model(str(info.model_id)).metrics or ()
    assert {metric.key for metric in metrics} >= {"r2_score", "max_error"}


def test_a_model_with_parameters_of_inference(tracking: Path) -> None:
    class Scaled(millstream.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
            return model_input["x"] * (params or {}).get("factor", 1)

    signature = millstream.models.infer_signature(ROWS[["x"]], params={"factor": 1})
    millstream.pyfunc.save_model(tracking / "scaled", python_model=Scaled(), signature=signature)
    given: dict[str, Any] = {"targets": "y", "model_type": "regressor"}
    assert evaluate(str(tracking / "scaled"), ROWS, **given).metrics["max_error"] == 1
    returned = evaluate(str(tracking / "scaled"), ROWS, **given, inference_params={"factor": 10})
    assert returned.metrics["max_error"] == 37
    with pytest.raises(InvalidValue, match="predict in this process"):
        evaluate(str(tracking / "scaled"), ROWS, **given, inference_params={"factor": 10}, env_manager="uv")


@pytest.mark.slow
def test_a_model_in_an_environment_of_its_own(iris: Task, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tracking / "environments"))
    with millstream.start_run():
        info = millstream.sklearn.log_model(iris.model, name="logit")
    given: dict[str, Any] = {"targets": "target", "model_type": "classifier"}
    here = evaluate(info.model_uri, iris.frame, **given)
    there = evaluate(info.model_uri, iris.frame, **given, env_manager="uv")
    assert len(list((tracking / "environments").iterdir())) >= 1
    without_probabilities = {"score", "log_loss", "roc_auc"}
    assert there.metrics == {name: here.metrics[name] for name in here.metrics.keys() - without_probabilities}
    metrics = millstream.get_logged_model(str(info.model_id)).metrics or ()
    assert {metric.run_id for metric in metrics} == {here.run_id, there.run_id}


PLUGIN = '''
from millstream.models import EvaluationResult
from millstream.evaluation import ModelEvaluator

class Counter(ModelEvaluator):
    @classmethod
    def can_evaluate(cls, *, model_type, evaluator_config, **kwargs):
        return model_type in ("counter", "regressor")

    def evaluate(self, *, model_type, dataset, run_id, evaluator_config, model=None, **kwargs):
        rows = len(dataset.features_data) * evaluator_config.get("times", 1)
        return EvaluationResult({"rows": rows, "labels": dataset.has_targets, "named": dataset.name}, {})
'''


def test_evaluators_of_other_distributions(tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from millstream import plugins

    info = tracking / "site" / "counting-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlflow.model_evaluator]\ncounting = counting_rows:Counter\n")
    (tracking / "site" / "counting_rows.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tracking / "site")
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    plugins.forget()
    assert millstream.models.list_evaluators() == ["default", "classifier", "regressor", "shap", "counting"]
    alone = evaluate(identity, ROWS, targets="y", model_type="counter")
    assert alone.metrics == {"rows": 3, "labels": True, "named": "dataset"} and alone.run_id is not None
    both = evaluate(
        identity, ROWS, targets="y", model_type="regressor",
        evaluator_config={"counting": {"times": 2}, "default": {"metric_prefix": "p_"}},
    )
    assert both.metrics["rows"] == 6 and both.metrics["p_max_error"] == 1
    chosen = evaluate(identity, ROWS, targets="y", model_type="regressor", evaluators={"counting": {"times": 5}})
    assert chosen.metrics == {"rows": 15, "labels": True, "named": "dataset"}
    plugins.forget()


@pytest.mark.slow
def test_a_frame_of_spark(spark: Any, caplog: pytest.LogCaptureFixture) -> None:
    frame = spark.createDataFrame([(1.0, 1.0), (2.0, 2.0), (4.0, 3.0)], "x double, y double")
    returned = evaluate(identity, frame, targets="y", model_type="regressor")
    assert returned.metrics["mean_absolute_error"] == pytest.approx(1 / 3)
    many = spark.range(10_005).selectExpr("cast(id as double) x", "cast(id as double) y")
    returned = evaluate(identity, many, targets="y", model_type="regressor")
    assert returned.metrics["example_count"] == 10_000
    assert "more than 10000 rows: the first 10000 are evaluated" in caplog.text
