"""Metrics, scores and artifacts of the user's own functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import millstream
from millstream.errors import FunctionFailed, InvalidPath, InvalidValue, NotFound, UntrustedModel
from millstream.evaluation import EvaluationMetric, EvaluationResult, MetricValue, evaluate, make_metric
from millstream.evaluation.standard import (
    f1_score,
    mae,
    mape,
    max_error,
    mse,
    precision_score,
    r2_score,
    recall_score,
    rmse,
)

pytestmark = pytest.mark.usefixtures("tracking")

ROWS = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 2.0, 3.0], "weight": [1, 1, 2]})


def metric(function: Any, name: str = "m", **options: Any) -> EvaluationMetric:
    return make_metric(eval_fn=function, greater_is_better=True, name=name, **options)


def measured(*extra: EvaluationMetric, model_type: str | None = "regressor", **options: Any) -> EvaluationResult:
    return evaluate(
        data=ROWS, targets="y", predictions="x", model_type=model_type, extra_metrics=list(extra), **options
    )


def test_functions_of_a_frame_and_the_metrics_so_far() -> None:
    calls = []

    def biggest(eval_df: pd.DataFrame, builtin_metrics: dict[str, float]) -> Any:
        calls.append((list(eval_df.columns), len(eval_df), builtin_metrics["max_error"]))
        eval_df["prediction"] = 0  # what a function does to its copy is nobody else's
        builtin_metrics.clear()
        return np.float32(2.5)

    returned = measured(make_metric(eval_fn=biggest, greater_is_better=True), metric(lambda a, b: b["biggest"], "next"))
    assert calls == [(["prediction", "target"], 3, 1.0)]
    assert returned.metrics["biggest"] == returned.metrics["next"] == 2.5
    assert millstream.get_run(str(returned.run_id)).data.metrics["biggest"] == 2.5


def test_functions_that_name_what_they_need() -> None:
    def all_of_it(predictions: Any, targets: Any, metrics: Any, weight: Any, ratio: float = 0.5) -> float:
        assert isinstance(predictions, pd.Series) and predictions.tolist() == [1, 2, 4]
        assert targets.tolist() == [1, 2, 3]
        assert metrics["max_error"] == MetricValue(aggregate_results={"max_error": 1.0})
        return float((weight * (predictions - targets)).sum()) * ratio

    def mapped(truth: Any, factor: int) -> float:
        return float(truth.sum()) * factor

    def derived(base: MetricValue) -> float:
        assert base.aggregate_results is not None
        return base.aggregate_results["base"] + 1

    returned = measured(
        metric(all_of_it, "weighted"), metric(mapped, "mapped"), metric(derived, "derived"),
        metric(lambda targets: 10, "base"), metric(lambda *parts: len(parts), "parts"),
        evaluator_config={"col_mapping": {"truth": "y", "factor": 3}, "metric_prefix": "v_"},
    )
    own = {name: value for name, value in returned.metrics.items() if "error" not in name and "_on_" not in name}
    assert {name: own[f"v_{name}"] for name in ("weighted", "mapped", "derived", "base", "parts")} == {
        "weighted": 1.0, "mapped": 18.0, "derived": 11, "base": 10, "parts": 2,
    }


def test_without_a_model_type_only_what_was_asked_for() -> None:
    returned = measured(mae(), mse(), rmse(), mape(), max_error(), r2_score(), model_type=None)
    assert returned.metrics == pytest.approx({
        "mean_absolute_error": 1 / 3, "mean_squared_error": 1 / 3, "root_mean_squared_error": 3**-0.5,
        "mean_absolute_percentage_error": 1 / 9, "max_error": 1, "r2_score": 0.5,
    })
    classes = pd.DataFrame({"t": [0, 1, 1], "p": [1, 1, 0]})
    returned = evaluate(
        data=classes, targets="t", predictions="p", extra_metrics=[recall_score(), precision_score(), f1_score()]
    )
    assert returned.metrics == {"recall_score": 0.5, "precision_score": 0.5, "f1_score": 0.5}
    assert returned.artifacts == {}


def test_scores_by_row_become_a_table() -> None:
    def distance(predictions: Any, targets: Any) -> MetricValue:
        scores = (predictions - targets).abs().tolist()
        return MetricValue(scores=scores, justifications=["near" if one == 0 else "far" for one in scores])

    returned = measured(metric(distance, "distance", version="v2"))
    own = {name: value for name, value in returned.metrics.items() if name.startswith("distance")}
    assert own == pytest.approx({"distance/v2/mean": 1 / 3, "distance/v2/variance": 2 / 9, "distance/v2/p90": 0.8})
    table = returned.tables["eval_results_table"]
    assert list(table.columns) == ["weight", "y", "x", "distance/v2/score", "distance/v2/justification"]
    assert table["distance/v2/justification"].tolist() == ["near", "near", "far"]
    stored = millstream.artifacts.load_dict(f"runs:/{returned.run_id}/eval_results_table.json")
    assert stored == returned.artifacts["eval_results_table"].content


def test_answers_that_are_no_numbers_are_told(caplog: pytest.LogCaptureFixture) -> None:
    returned = measured(metric(lambda a, b: None, "nothing"), metric(lambda a, b: "text", "word"))
    assert not {"nothing", "word"} & set(returned.metrics)
    assert "the metric 'nothing' is not logged: it returned NoneType" in caplog.text
    assert "the metric 'word' is not logged: it returned str" in caplog.text


@pytest.mark.parametrize(("extra", "kind", "said"), [
    (metric(lambda a, b: 1 / 0, "boom"), FunctionFailed, "the metric 'boom' failed: ZeroDivisionError: division"),
    (metric(lambda nothere: 1), InvalidValue, "'m' asks for 'nothere', which is neither a column nor a metric"),
    (metric(lambda m: 1), InvalidValue, "'m' asks for 'm'"),
    (metric(lambda a, b: MetricValue(scores=[1])), InvalidValue, "'m' gave 1 scores or justifications for 3 rows"),
    (lambda a, b: 1, InvalidValue, r"extra_metrics\[0\] is function, expected a metric"),
])
def test_metrics_that_fail_are_named(extra: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        measured(extra)


def test_what_a_metric_is() -> None:
    with pytest.raises(InvalidValue, match="a metric of a lambda has no name"):
        make_metric(eval_fn=lambda a, b: 1, greater_is_better=True)
    with pytest.raises(InvalidValue, match="eval_fn is a function, not int"):
        make_metric(eval_fn=1, greater_is_better=True)  # type: ignore[arg-type]
    made = metric(len, "size", long_name="Size", metric_details="how many")
    assert (made.long_name, made.metric_details, repr(made)) == (
        "Size", "how many", "EvaluationMetric(name='size', greater_is_better=True)"
    )


def test_artifacts_of_every_kind(tracking: Path) -> None:
    def everything(eval_df: pd.DataFrame, builtin_metrics: dict[str, float], artifacts_dir: str) -> dict[str, Any]:
        assert list(eval_df.columns) == ["prediction", "target"] and builtin_metrics["max_error"] == 1
        text, table = Path(artifacts_dir) / "a.txt", Path(artifacts_dir) / "b.parquet"
        text.write_text("hello")
        eval_df.to_parquet(table)
        figure = Figure()
        figure.add_subplot().plot([1, 2])
        return {
            "text": str(text), "rows": table, "figure": figure, "frame": eval_df, "array": np.arange(3),
            "facts": {"n": np.int64(3), "day": pd.Timestamp("2026-01-02")}, "items": [1, 2],
            "json": '{"x": 1}', "object": complex(1, 2),
        }

    returned = measured(custom_artifacts=[everything], evaluator_config={"metric_prefix": "p_"})
    files = {entry.path for entry in millstream.MlflowClient().list_artifacts(str(returned.run_id))}
    assert files == {
        "text.txt", "rows.parquet", "figure.png", "frame.csv", "array.npy", "facts.json", "items.json", "json.json",
        "object.pickle",
    }
    contents = {name: one.content for name, one in returned.artifacts.items()}
    assert contents["text"] == "hello" and contents["json"] == {"x": 1} and contents["object"] == complex(1, 2)
    assert contents["rows"].equals(contents["frame"]) and contents["figure"].format == "PNG"

    returned.save(tracking / "saved")
    back = EvaluationResult.load(tracking / "saved")
    assert back.metrics == returned.metrics and back.run_id is None
    read = {name: one.content for name, one in back.artifacts.items() if name != "object"}
    assert read["frame"].equals(contents["frame"]) and read["array"].tolist() == [0, 1, 2]
    assert (read["facts"], read["items"], read["text"]) == (
        {"n": 3, "day": "2026-01-02T00:00:00"}, [1, 2], "hello",
    )
    with pytest.raises(UntrustedModel):
        assert back.artifacts["object"].content
    with pytest.raises(NotFound, match="no evaluation result is saved in"):
        EvaluationResult.load(tracking)


def test_artifact_functions_that_fail_are_named(tracking: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(frame: Any, metrics: Any, folder: str) -> Any:
        raise KeyError("residuals")

    with pytest.raises(FunctionFailed, match=r"artifact function 'broken' \(custom_artifacts\[0\]\) failed: KeyError"):
        measured(custom_artifacts=[broken])
    run, = millstream.MlflowClient().search_runs(["0"])
    assert run.info.status == "FAILED" and run.data.metrics["max_error"] == 1  # what was measured is kept
    with pytest.raises(InvalidPath, match="'../x' is no name"):
        measured(custom_artifacts=[lambda a, b, c: {"../x": [1]}])
    with pytest.raises(InvalidValue, match="neither the path of a file nor JSON"):
        measured(custom_artifacts=[lambda a, b, c: {"z": "/nowhere.png"}])
    (tracking / "plain").write_text("x")
    with pytest.raises(InvalidValue, match="expected one that ends in .png"):
        measured(custom_artifacts=[lambda a, b, c: {"z": str(tracking / "plain")}])
    with pytest.raises(InvalidValue, match=r"custom_artifacts\[0\] is int, expected a function"):
        measured(custom_artifacts=[7])
    assert measured(custom_artifacts=lambda a, b, c: None).artifacts == {}
    assert "it returned NoneType, expected a dictionary" in caplog.text
