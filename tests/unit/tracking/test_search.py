from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

import millstream
from millstream.entities import Metric, Param, Run, RunData, RunInfo, RunTag, ViewType
from millstream.errors import InvalidValue, SearchSyntaxError
from millstream.tracking.search import frame

INFO = ["run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"]


@pytest.fixture
def runs(tracking: object) -> list[str]:
    """Three runs of the default experiment, oldest first: bare, with one metric and parameter, with two."""
    made = []
    for number in range(3):
        with millstream.start_run(run_name=f"run {number}") as run:
            made.append(run.info.run_id)
            if number:
                millstream.log_metric("score", number)
                millstream.log_param("depth", number)
            if number == 2:
                millstream.log_metric("odd", math.nan)
                millstream.log_param("extra", "x")
                millstream.set_tag("color", "red")
    return made


def listed(**arguments: Any) -> list[Run]:
    found = millstream.search_runs(output_format="list", **arguments)
    assert isinstance(found, list)
    return found


def names(**arguments: Any) -> list[str | None]:
    return [run.info.run_name for run in listed(**arguments)]


def framed(**arguments: Any) -> pd.DataFrame:
    found = millstream.search_runs(**arguments)
    assert isinstance(found, pd.DataFrame)
    return found


def test_runs_are_rows_with_the_columns_of_mlflow(runs: list[str]) -> None:
    found = framed(order_by=["attributes.run_name ASC"])
    assert list(found.columns[:6]) == INFO
    assert {"metrics.score", "metrics.odd", "params.depth", "params.extra", "tags.mlflow.runName", "tags.color"} <= set(
        found.columns
    )
    assert list(found["run_id"]) == runs
    assert list(found["tags.mlflow.runName"]) == ["run 0", "run 1", "run 2"]
    assert found["metrics.score"].dtype == "float64"
    assert list(found["metrics.score"].fillna(-1)) == [-1.0, 1.0, 2.0]
    assert found["metrics.odd"].isna().all()
    assert list(found["params.depth"].isna()) == [True, False, False]
    assert list(found["params.depth"][1:]) == ["1", "2"]
    assert found["tags.color"][2] == "red"
    assert str(found["start_time"].dtype.tz) == "UTC"
    assert (found["end_time"] >= found["start_time"]).all()
    groups = [column.partition(".")[0] for column in found.columns[6:]]
    assert groups == sorted(groups, key=["metrics", "params", "tags"].index)


def test_a_run_that_goes_on_has_no_end(runs: list[str]) -> None:
    with millstream.start_run(run_name="live"):
        found = framed()
    assert found["end_time"].isna().sum() == 1
    assert found["status"][0] == "RUNNING"


def test_nothing_found_has_its_columns_too(tracking: object) -> None:
    found = framed()
    assert (len(found), list(found.columns)) == (0, INFO)
    assert framed(experiment_names=["nobody"]).empty
    assert listed() == []


def test_filters_and_orders(runs: list[str]) -> None:
    assert names(order_by=["metrics.score DESC"]) == ["run 2", "run 1", "run 0"]
    order: Any = "metrics.score ASC"
    assert names(order_by=order)[:2] == ["run 1", "run 2"]
    assert names(filter_string="metrics.score > 1") == ["run 2"]
    either = "params.depth = '1' OR tags.color = 'red'"
    assert names(filter_string=either, order_by=["params.depth"]) == ["run 1", "run 2"]
    assert len(names(filter_string=None)) == 3
    with pytest.raises(SearchSyntaxError):
        listed(filter_string="nonsense")
    millstream.delete_run(runs[0])
    assert names(run_view_type=ViewType.DELETED_ONLY) == ["run 0"]
    assert len(names(run_view_type=ViewType.ALL)) == 3
    assert len(names()) == 2


def test_limits(runs: list[str]) -> None:
    assert len(listed(max_results=2)) == 2
    assert listed(max_results=0) == listed(max_results=-1) == []
    assert len(listed(max_results=10**9)) == 3


def test_more_than_a_page(tracking: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millstream.tracking.search._PAGE", 7)
    client = millstream.MlflowClient()
    made = {client.create_run("0").info.run_id for _ in range(30)}
    assert {run.info.run_id for run in listed()} == made
    assert len(listed(max_results=20)) == 20


def test_experiments_by_id_by_name_or_all(runs: list[str]) -> None:
    millstream.set_experiment("other")
    with millstream.start_run(run_name="elsewhere"):
        pass
    other = millstream.set_experiment("other").experiment_id
    assert names() == ["elsewhere"]
    assert len(names(experiment_ids=["0", other])) == 4
    one: Any = "0"
    number: Any = [0]
    assert len(names(experiment_ids=one)) == len(names(experiment_ids=number)) == 3
    assert names(experiment_names=["other", "nobody"]) == ["elsewhere"]
    assert len(names(search_all_experiments=True)) == 4
    assert names(experiment_ids=[]) == ["elsewhere"]
    with pytest.raises(InvalidValue, match="not both"):
        listed(experiment_ids=["0"], experiment_names=["other"])


def test_formats_that_are_none(tracking: object) -> None:
    with pytest.raises(ValueError, match="output_format"):
        millstream.search_runs(output_format="json")  # type: ignore[arg-type]


def test_only_what_is_asked_for(runs: list[str]) -> None:
    wanted = ["run_name", "metrics.score", "params.*", "params.none"]
    found = framed(columns=wanted, order_by=["attributes.run_name ASC"])
    assert list(found.columns) == ["run_name", "metrics.score", "params.depth", "params.extra", "params.none"]
    assert list(found["run_name"]) == ["run 0", "run 1", "run 2"]
    assert found["params.none"].isna().all()
    assert all(not run.data.tags for run in listed(columns=["metrics.*"]))
    assert list(framed(columns=["start_time", "end_time"]).columns) == ["start_time", "end_time"]
    with pytest.raises(InvalidValue, match="hint|columns"):
        framed(columns=["score"])


def test_a_frame_of_many_runs_is_built_by_columns() -> None:
    runs = [
        Run(
            RunInfo(str(number), "0", start_time=number, end_time=None if number % 2 else number),
            RunData(
                [Metric(f"m{number % 3}", float(number), 0, 0)], [Param("p", str(number))],
                [RunTag("t", "x")] if number else [],
            ),
        )
        for number in range(3000)
    ]
    found = frame(runs)
    assert found.shape == (3000, 11)
    assert found["metrics.m1"].sum() == sum(range(1, 3000, 3))
    assert list(found["params.p"][-2:]) == ["2998", "2999"]
    assert found["tags.t"].isna().sum() == 1
    assert found["end_time"].isna().sum() == 1500
    assert found["start_time"][1] == pd.Timestamp(1, unit="ms", tz="UTC")
