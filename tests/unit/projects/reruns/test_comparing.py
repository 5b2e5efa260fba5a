"""What counts as equal between two runs, and what is said of the rest."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.projects.reruns.comparing import Comparison, compare
from millstream.tracking.stores import get_tracking_uri

pytestmark = pytest.mark.usefixtures("tracking")


def logged(metrics: dict[str, list[float]], params: dict[str, Any] | None = None,
           files: dict[str, str] | None = None, status: str = "FINISHED") -> str:
    run = millstream.start_run()
    for key, values in metrics.items():
        for step, value in enumerate(values):
            millstream.log_metric(key, value, step=step)
    millstream.log_params(params or {})
    for path, text in (files or {}).items():
        millstream.log_text(text, path)
    millstream.end_run(status)
    return run.info.run_id


def compared(before: str, after: str, **options: Any) -> Comparison:
    return compare(before, after, uri=get_tracking_uri(), **options)


def told(found: Comparison) -> dict[str, str]:
    return {f"{row.kind} {row.name}": row.note for row in found.differences}


def test_what_is_the_same_is_equal() -> None:
    same: dict[str, Any] = {"metrics": {"loss": [0.5, math.nan, math.inf]}, "params": {"a": 1}, "files": {"a/b": "x"}}
    found = compared(logged(**same), logged(**same))
    assert found.equal
    assert [(row.kind, row.name) for row in found.rows] == [
        ("status", "status"), ("parameter", "a"), ("metric", "loss"), ("artifact", "a/b")]
    assert found.to_dict()["rows"][2]["before"] == "inf"


def test_every_point_of_a_metric_counts() -> None:
    before = logged({"loss": [3, 2, 1], "single": [1], "gone": [1], "short": [1, 2]})
    after = logged({"loss": [3, 2.5, 1], "single": [1.001], "new": [1], "short": [1, 2, 2]})
    assert told(compared(before, after)) == {
        "metric loss": "0.5 apart at step 1", "metric single": "0.001 apart", "metric gone": "only the old run has it",
        "metric new": "only the new run has it", "metric short": "3 points instead of 2"}


@pytest.mark.parametrize(("before", "after", "tolerance", "equal"), [
    (1.0, 1.0 + 1e-9, 1e-8, True), (1.0, 1.1, 0.05, False), (1000.0, 1001.0, 0.01, True), (0.0, 1e-3, 1e-2, True),
    (math.nan, 1.0, 1.0, False), (math.inf, -math.inf, 1.0, False), (math.inf, math.inf, 0.0, True),
])
def test_numbers_are_equal_within_the_tolerance(before: float, after: float, tolerance: float, equal: bool) -> None:
    assert compared(logged({"m": [before]}), logged({"m": [after]}), tolerance=tolerance).equal is equal


def test_parameters_status_and_files() -> None:
    before = logged({}, {"a": 1, "b": 2}, {"x.txt": "1", "y.txt": "2"})
    after = logged({}, {"a": 1, "b": 3}, {"x.txt": "1", "y.txt": "3"}, "FAILED")
    assert set(told(compared(before, after))) == {"status status", "parameter b", "artifact y.txt"}
    assert not set(told(compared(before, after, ignore=["b", "*.txt"]))) - {"status status"}


def test_what_any_two_runs_differ_in_does_not_count() -> None:
    before = logged({"system/cpu": [1]}, files={"logs/project.log": "1", "project/code.tar.gz": "1"})
    after = logged({"system/cpu": [2]}, files={"logs/project.log": "2", "rerun/comparison.json": "x"})
    assert compared(before, after).equal


def test_models_are_compared_by_what_they_are(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    def trained(slope: float) -> str:
        with millstream.start_run() as run:
            model = LinearRegression().fit([[0.0], [1.0]], [0.0, slope])
            millstream.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
        return run.info.run_id

    first, second, other = trained(1), trained(1), trained(2)
    found = compared(first, second)
    assert found.equal
    assert "artifact model/MLmodel" in {f"{row.kind} {row.name}" for row in found.rows}
    different = set(told(compared(first, other)))
    assert different >= {"artifact model/manifest.json"}
    assert all(name.startswith("artifact model/") for name in different)


def test_data_sets_are_compared_by_digest() -> None:
    import numpy as np

    def read(values: list[float]) -> str:
        with millstream.start_run() as run:
            millstream.log_input(millstream.data.from_numpy(np.array(values), name="train"))
        return run.info.run_id

    assert compared(read([1, 2]), read([1, 2])).equal
    assert set(told(compared(read([1, 2]), read([1, 3])))) == {"dataset train"}
