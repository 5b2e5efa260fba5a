"""The store contract as tests.

class TestMyStore(StoreConformance):
    @pytest.fixture
    def store(self): ...   # a fresh store each time, see millstream.stores.contract
"""

from __future__ import annotations

import json
import math
import threading
import time
from typing import Any

import pytest

from millstream.entities import (
    Dataset,
    DatasetInput,
    ExperimentTag,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    LoggedModelTag,
    Metric,
    Param,
    Run,
    RunTag,
)
from millstream.errors import (
    AlreadyExists,
    ExperimentNotFound,
    InvalidState,
    InvalidValue,
    LimitExceeded,
    LoggedModelNotFound,
    MillstreamError,
    NotFound,
    ParameterChanged,
    RunNotFound,
)
from millstream.operations import (
    BeatRun,
    CreateExperiment,
    CreateLoggedModel,
    CreateRun,
    DeleteExperiment,
    DeleteExperimentTag,
    DeleteLoggedModel,
    DeleteLoggedModelTag,
    DeleteMetric,
    DeleteRun,
    DeleteTag,
    FinalizeLoggedModel,
    FindGarbage,
    GetExperiment,
    GetExperimentByName,
    GetLoggedModel,
    GetMetricHistory,
    GetMetricHistoryBulk,
    GetMetricHistoryBulkInterval,
    GetRun,
    GetSeries,
    LogBatch,
    LogInputs,
    LogLoggedModelParams,
    LogMetric,
    LogModel,
    LogOutputs,
    LogParam,
    MoveRuns,
    Operation,
    PurgeGarbage,
    RestoreExperiment,
    RestoreLoggedModel,
    RestoreRun,
    SearchDatasets,
    SearchExperiments,
    SearchLoggedModels,
    SearchRuns,
    SetExperimentTag,
    SetLoggedModelTags,
    SetTag,
    UpdateExperiment,
    UpdateRun,
)
from millstream.stores.contract import Store
from millstream.testing.endpoints import EndpointConformance
from millstream.testing.many_runs import ManyRunsConformance
from millstream.testing.monitoring import MonitoringConformance
from millstream.testing.registry import RegistryConformance
from millstream.testing.tables import TableConformance
from millstream.testing.webhooks import WebhookConformance

BAD_KEYS = ["", "a" * 251, "a#b", "../up", "/absolute", "a//b", "a/./b", "semi;colon", "."]
GOOD_KEYS = ["loss", "val/loss", "a.b-c_d e:f", "ключ", "a" * 250]


def new_run(store: Store, experiment_id: str = "0", **fields: Any) -> str:
    """The id of a run that was just created."""
    return store.execute(CreateRun(experiment_id, **fields)).run.info.run_id


def read(store: Store, run_id: str) -> Run:
    """The run as it stands."""
    return store.execute(GetRun(run_id)).run


def points(store: Store, run_id: str, key: str) -> list[tuple[int, int, float]]:
    """The whole history of a metric as (step, timestamp, value)."""
    history = store.execute(GetMetricHistory(run_id, key)).metrics
    return [(metric.step, metric.timestamp, metric.value) for metric in history]


class _Experiments:
    def test_a_new_store_has_the_default_experiment(self, store: Store) -> None:
        experiment = store.execute(GetExperiment("0")).experiment
        assert (experiment.name, experiment.lifecycle_stage, experiment.tags) == ("Default", "active", {})
        assert store.execute(GetExperimentByName("Default")).experiment == experiment

    def test_an_experiment_keeps_what_it_was_created_with(self, store: Store) -> None:
        made = store.execute(CreateExperiment("churn", tags=[ExperimentTag("team", "growth")]))
        experiment = store.execute(GetExperiment(made.experiment_id)).experiment
        assert (experiment.name, experiment.tags) == ("churn", {"team": "growth"})
        assert experiment.artifact_location.endswith(f"/{made.experiment_id}")
        assert experiment.creation_time is not None
        assert experiment.creation_time == experiment.last_update_time
        assert abs(experiment.creation_time / 1000 - time.time()) < 60

    @pytest.mark.parametrize("name", ["", "  ", "n" * 501])
    def test_a_name_must_be_one(self, store: Store, name: str) -> None:
        with pytest.raises(InvalidValue, match="name"):
            store.execute(CreateExperiment(name))

    def test_a_name_is_taken_once_even_by_a_deleted_experiment(self, store: Store) -> None:
        made = store.execute(CreateExperiment("churn")).experiment_id
        with pytest.raises(AlreadyExists, match="already exists"):
            store.execute(CreateExperiment("churn"))
        store.execute(DeleteExperiment(made))
        with pytest.raises(AlreadyExists, match="deleted state"):
            store.execute(CreateExperiment("churn"))

    @pytest.mark.parametrize("experiment_id", ["nope", "1e3"])
    def test_what_cannot_be_the_id_of_an_experiment_is_refused(self, store: Store, experiment_id: str) -> None:
        with pytest.raises(InvalidValue, match="experiment_id"):
            store.execute(GetExperiment(experiment_id))

    @pytest.mark.parametrize("experiment_id", ["12345", "-1", "9" * 30])
    def test_an_unknown_experiment_is_not_found(self, store: Store, experiment_id: str) -> None:
        with pytest.raises(ExperimentNotFound):
            store.execute(GetExperiment(experiment_id))
        with pytest.raises(ExperimentNotFound):
            store.execute(CreateRun(experiment_id))

    def test_rename(self, store: Store) -> None:
        first = store.execute(CreateExperiment("first")).experiment_id
        store.execute(CreateExperiment("second"))
        store.execute(UpdateExperiment(first, "third"))
        assert store.execute(GetExperimentByName("third")).experiment.experiment_id == first
        with pytest.raises(AlreadyExists):
            store.execute(UpdateExperiment(first, "second"))
        with pytest.raises(ExperimentNotFound):
            store.execute(GetExperimentByName("first"))
        store.execute(DeleteExperiment(first))
        with pytest.raises(InvalidState, match="non-active"):
            store.execute(UpdateExperiment(first, "fourth"))

    def test_deleting_takes_the_runs_along_and_restoring_brings_them_back(self, store: Store) -> None:
        experiment = store.execute(CreateExperiment("churn")).experiment_id
        kept, gone = new_run(store, experiment), new_run(store, experiment)
        store.execute(DeleteRun(gone))
        store.execute(DeleteExperiment(experiment))
        assert store.execute(GetExperiment(experiment)).experiment.lifecycle_stage == "deleted"
        assert read(store, kept).info.lifecycle_stage == "deleted"
        with pytest.raises(ExperimentNotFound):
            store.execute(DeleteExperiment(experiment))
        with pytest.raises(InvalidValue, match="'active' state"):
            store.execute(CreateRun(experiment))
        store.execute(RestoreExperiment(experiment))
        assert read(store, kept).info.lifecycle_stage == "active"
        assert read(store, gone).info.lifecycle_stage == "deleted"
        with pytest.raises(ExperimentNotFound):
            store.execute(RestoreExperiment(experiment))

    def test_tags_are_set_changed_and_removed(self, store: Store) -> None:
        experiment = store.execute(CreateExperiment("churn")).experiment_id
        store.execute(SetExperimentTag(experiment, "note", "a"))
        store.execute(SetExperimentTag(experiment, "note", "b" * 20_000))
        assert store.execute(GetExperiment(experiment)).experiment.tags == {"note": "b" * 20_000}
        with pytest.raises(LimitExceeded):
            store.execute(SetExperimentTag(experiment, "note", "b" * 20_001))
        store.execute(DeleteExperimentTag(experiment, "note"))
        assert store.execute(GetExperiment(experiment)).experiment.tags == {}
        with pytest.raises(NotFound):
            store.execute(DeleteExperimentTag(experiment, "note"))

    def test_search_pages_through_everything_once(self, store: Store) -> None:
        for number in range(12):
            store.execute(CreateExperiment(f"e{number:02}", tags=[ExperimentTag("even", str(number % 2 == 0))]))
        store.execute(DeleteExperiment(store.execute(GetExperimentByName("e11")).experiment.experiment_id))
        names: list[str] = []
        token = None
        while True:
            page = store.execute(SearchExperiments(5, token, order_by=["name ASC"]))
            names += [experiment.name for experiment in page.experiments]
            token = page.next_page_token
            if not token:
                break
        assert names == ["Default", *(f"e{number:02}" for number in range(11))]

    @pytest.mark.parametrize(
        ("clause", "expected"),
        [
            ("name = 'e1'", ["e1"]),
            ("name LIKE 'e%'", ["e0", "e1", "e2"]),
            ("name ILIKE 'E%' AND tags.kind = 'b'", ["e1"]),
            ("tags.kind != 'b'", ["e0"]),
            ("name = 'e0' OR tags.kind = 'b'", ["e0", "e1"]),
            ("NOT name LIKE 'e%'", ["Default"]),
            ("name IN ('e0', 'e2')", ["e0", "e2"]),
        ],
    )
    def test_search_filters(self, store: Store, clause: str, expected: list[str]) -> None:
        store.execute(CreateExperiment("e0", tags=[ExperimentTag("kind", "a")]))
        store.execute(CreateExperiment("e1", tags=[ExperimentTag("kind", "b")]))
        store.execute(CreateExperiment("e2"))
        found = store.execute(SearchExperiments(filter=clause, order_by=["name"])).experiments
        assert [experiment.name for experiment in found] == expected

    def test_search_shows_the_stage_asked_for(self, store: Store) -> None:
        gone = store.execute(CreateExperiment("gone")).experiment_id
        store.execute(DeleteExperiment(gone))
        by_view = {
            view: {experiment.name for experiment in store.execute(SearchExperiments(view_type=view)).experiments}
            for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")
        }
        assert by_view == {"ACTIVE_ONLY": {"Default"}, "DELETED_ONLY": {"gone"}, "ALL": {"Default", "gone"}}


class _Runs:
    def test_a_run_keeps_what_it_was_created_with(self, store: Store) -> None:
        made = store.execute(CreateRun("0", "ada", "first", 1234, [RunTag("kind", "trial")])).run
        run = read(store, made.info.run_id)
        assert run == made
        assert (run.info.user_id, run.info.run_name, run.info.start_time) == ("ada", "first", 1234)
        assert (run.info.status, run.info.end_time, run.info.lifecycle_stage) == ("RUNNING", None, "active")
        assert run.data.tags == {"kind": "trial", "mlflow.runName": "first"}
        assert str(run.info.artifact_uri).endswith(f"/0/{run.info.run_id}/artifacts")

    def test_a_run_without_a_name_gets_a_readable_one(self, store: Store) -> None:
        run = read(store, new_run(store))
        assert run.info.run_name
        assert run.info.run_name.count("-") == 2
        assert run.data.tags["mlflow.runName"] == run.info.run_name

    def test_two_names_at_once_are_refused(self, store: Store) -> None:
        with pytest.raises(InvalidValue, match="different values"):
            store.execute(CreateRun("0", run_name="a", tags=[RunTag("mlflow.runName", "b")]))

    @pytest.mark.parametrize(
        "operation",
        [
            GetRun("absent"),
            UpdateRun("absent", "FINISHED"),
            DeleteRun("absent"),
            RestoreRun("absent"),
            LogMetric("absent", "k", 1.0, 1),
            LogParam("absent", "k", "v"),
            SetTag("absent", "k", "v"),
            DeleteTag("absent", "k"),
            LogBatch("absent"),
            LogInputs("absent"),
            LogOutputs("absent"),
            BeatRun("absent", 1.0),
            DeleteMetric("absent"),
            GetMetricHistory("absent", "k"),
        ],
        ids=lambda operation: type(operation).__name__,
    )
    def test_an_unknown_run_is_not_found(self, store: Store, operation: Any) -> None:
        with pytest.raises(RunNotFound):
            store.execute(operation)

    def test_update_changes_status_end_and_name(self, store: Store) -> None:
        run_id = new_run(store)
        info = store.execute(UpdateRun(run_id, "FINISHED", 99, "renamed")).run_info
        assert (info.status, info.end_time, info.run_name) == ("FINISHED", 99, "renamed")
        assert read(store, run_id).info == info
        assert read(store, run_id).data.tags["mlflow.runName"] == "renamed"
        store.execute(SetTag(run_id, "mlflow.runName", "again"))
        assert read(store, run_id).info.run_name == "again"
        with pytest.raises(InvalidValue, match="status"):
            store.execute(UpdateRun(run_id, "DREAMING"))

    def test_a_deleted_run_is_read_but_not_written(self, store: Store) -> None:
        run_id = new_run(store)
        store.execute(DeleteRun(run_id))
        store.execute(DeleteRun(run_id))
        assert read(store, run_id).info.lifecycle_stage == "deleted"
        refused: list[Operation[Any]] = [
            LogMetric(run_id, "k", 1.0, 1),
            LogParam(run_id, "k", "v"),
            SetTag(run_id, "k", "v"),
            UpdateRun(run_id, "FINISHED"),
            LogBatch(run_id),
            DeleteTag(run_id, "k"),
        ]
        for operation in refused:
            with pytest.raises(InvalidValue, match="'active' state"):
                store.execute(operation)
        store.execute(RestoreRun(run_id))
        store.execute(LogMetric(run_id, "k", 1.0, 1))
        assert read(store, run_id).data.metrics == {"k": 1.0}

    def test_moving_runs_takes_everything_along(self, store: Store) -> None:
        target = store.execute(CreateExperiment("target")).experiment_id
        run_id = new_run(store)
        store.execute(LogBatch(run_id, [Metric("m", 1.0, 1, 0)], [Param("p", "x")], [RunTag("t", "y")]))
        store.execute(LogInputs(run_id, [DatasetInput(Dataset("d", "1", "local", "{}"))]))
        before = read(store, run_id)
        assert store.execute(MoveRuns([run_id], target)).moved == 1
        after = read(store, run_id)
        assert after.info.experiment_id == target
        assert (after.data, after.inputs) == (before.data, before.inputs)
        found = store.execute(SearchRuns([target], "metrics.m = 1 AND params.p = 'x' AND tags.t = 'y'")).runs
        assert [run.info.run_id for run in found] == [run_id]
        assert store.execute(SearchRuns(["0"])).runs == []
        with pytest.raises(RunNotFound):
            store.execute(MoveRuns([run_id, "absent"], "0"))
        assert read(store, run_id).info.experiment_id == target

    def test_a_lease_that_ends_in_time_changes_nothing(self, store: Store) -> None:
        run_id = new_run(store)
        store.execute(BeatRun(run_id, 60.0))
        store.execute(BeatRun(run_id, 0.0))
        assert read(store, run_id).info.status == "RUNNING"
        with pytest.raises(InvalidValue, match="seconds"):
            store.execute(BeatRun(run_id, -1.0))


class _Logging:
    def test_everything_that_is_logged_is_read_back(self, store: Store) -> None:
        run_id = new_run(store)
        store.execute(LogMetric(run_id, "loss", 0.5, 10, 1))
        store.execute(LogParam(run_id, "depth", "7"))
        store.execute(SetTag(run_id, "kind", "trial"))
        store.execute(LogBatch(run_id, [Metric("loss", 0.25, 11, 2)], [Param("leaf", "ü")], [RunTag("kind", "final")]))
        data = read(store, run_id).data
        assert data.metrics == {"loss": 0.25}
        assert data.params == {"depth": "7", "leaf": "ü"}
        assert data.tags["kind"] == "final"
        assert points(store, run_id, "loss") == [(1, 10, 0.5), (2, 11, 0.25)]

    @pytest.mark.parametrize("key", GOOD_KEYS)
    def test_good_keys(self, store: Store, key: str) -> None:
        run_id = new_run(store)
        store.execute(LogBatch(run_id, [Metric(key, 1.0, 1, 1)], [Param(key, "v")], [RunTag(key, "t")]))
        data = read(store, run_id).data
        assert (data.metrics[key], data.params[key], data.tags[key]) == (1.0, "v", "t")

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_bad_keys_are_refused_everywhere(self, store: Store, key: str) -> None:
        run_id = new_run(store)
        for operation in (
            LogMetric(run_id, key, 1.0, 1),
            LogParam(run_id, key, "v"),
            SetTag(run_id, key, "v"),
            LogBatch(run_id, [Metric(key, 1.0, 1, 1)]),
            LogBatch(run_id, params=[Param(key, "v")]),
            LogBatch(run_id, tags=[RunTag(key, "v")]),
        ):
            with pytest.raises(InvalidValue, match="key"):
                store.execute(operation)

    def test_a_time_before_the_epoch_is_refused(self, store: Store) -> None:
        run_id = new_run(store)
        for operation in (LogMetric(run_id, "k", 1.0, -1), LogBatch(run_id, [Metric("k", 1.0, -1, 0)])):
            with pytest.raises(InvalidValue, match="timestamp"):
                store.execute(operation)

    def test_a_parameter_keeps_its_value(self, store: Store) -> None:
        run_id = new_run(store)
        store.execute(LogParam(run_id, "depth", "7"))
        store.execute(LogParam(run_id, "depth", "7"))
        with pytest.raises(ParameterChanged, match="'depth' was logged with '7'"):
            store.execute(LogParam(run_id, "depth", "8"))
        with pytest.raises(ParameterChanged):
            store.execute(LogBatch(run_id, [Metric("m", 1.0, 1, 1)], [Param("new", "1"), Param("depth", "8")]))
        data = read(store, run_id).data
        assert (data.params, data.metrics) == ({"depth": "7"}, {})

    def test_one_parameter_twice_in_a_batch_is_refused(self, store: Store) -> None:
        run_id = new_run(store)
        with pytest.raises(InvalidValue, match="Duplicate parameter keys"):
            store.execute(LogBatch(run_id, params=[Param("p", "1"), Param("p", "1")]))

    def test_batches_have_limits(self, store: Store) -> None:
        run_id = new_run(store)
        metric, param, tag = Metric("m", 1.0, 1, 1), Param("p", "v"), RunTag("t", "v")
        for operation in (
            LogBatch(run_id, [metric] * 1001),
            LogBatch(run_id, params=[param] * 101),
            LogBatch(run_id, tags=[tag] * 101),
            LogBatch(run_id, [metric] * 1000, [param]),
        ):
            with pytest.raises(LimitExceeded, match="at most"):
                store.execute(operation)
        store.execute(LogBatch(run_id, [Metric("m", 1.0, step, step) for step in range(1000)]))
        assert len(points(store, run_id, "m")) == 1000

    def test_long_values_are_cut_or_refused_as_the_setting_says(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = new_run(store)
        store.execute(LogBatch(run_id, params=[Param("p", "x" * 6001)], tags=[RunTag("t", "y" * 8001)]))
        data = read(store, run_id).data
        assert (data.params["p"], data.tags["t"]) == ("x" * 6000, "y" * 8000)
        monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
        with pytest.raises(LimitExceeded, match="6000"):
            store.execute(LogParam(run_id, "q", "x" * 6001))

    def test_numbers_that_json_does_not_have(self, store: Store) -> None:
        run_id = new_run(store)
        values = [math.nan, math.inf, -math.inf, 0.0, 1e-308, 1.7976931348623157e308]
        store.execute(LogBatch(run_id, [Metric("m", value, 1, step) for step, value in enumerate(values)]))
        store.execute(LogMetric(run_id, "nan", math.nan, 1, 1))
        history = [value for _, _, value in points(store, run_id, "m")]
        assert math.isnan(history[0])
        assert history[1:] == values[1:]
        assert math.isnan(read(store, run_id).data.metrics["nan"])

    def test_the_last_point_is_that_of_the_greatest_step_then_time_then_value(self, store: Store) -> None:
        run_id = new_run(store)
        for step, timestamp, value in [(3, 1, 9.0), (5, 7, 1.0), (5, 6, 8.0), (5, 7, 2.0), (-4, 99, 7.0)]:
            store.execute(LogMetric(run_id, "m", value, timestamp, step))
        assert read(store, run_id).data.metrics == {"m": 2.0}
        assert points(store, run_id, "m") == [(-4, 99, 7.0), (3, 1, 9.0), (5, 6, 8.0), (5, 7, 1.0), (5, 7, 2.0)]

    def test_a_point_sent_twice_is_there_once(self, store: Store) -> None:
        run_id = new_run(store)
        batch = LogBatch(run_id, [Metric("m", float(step), step, step) for step in range(100)])
        store.execute(batch)
        store.execute(batch)
        store.execute(LogMetric(run_id, "m", math.nan, 5, 5))
        store.execute(LogMetric(run_id, "m", math.nan, 5, 5))
        assert len(points(store, run_id, "m")) == 101

    def test_tags_are_removed(self, store: Store) -> None:
        run_id = new_run(store)
        store.execute(SetTag(run_id, "t", "v"))
        store.execute(DeleteTag(run_id, "t"))
        assert "t" not in read(store, run_id).data.tags
        for key in ("t", "never"):
            with pytest.raises(NotFound, match="No tag with name"):
                store.execute(DeleteTag(run_id, key))

    def test_the_notes_of_old_clients_about_models_pile_up(self, store: Store) -> None:
        run_id = new_run(store)
        for path in ("first", "second"):
            model: dict[str, Any] = {"artifact_path": path, "flavors": {}, "utc_time_created": "", "run_id": run_id}
            store.execute(LogModel(run_id, json.dumps(model)))
        history = read(store, run_id).data.tags["mlflow.log-model.history"]
        assert history.index("first") < history.index("second")
        for text in ("{", "[]", "{}"):
            with pytest.raises(InvalidValue, match="model"):
                store.execute(LogModel(run_id, text))

    def test_threads_that_log_at_once_lose_nothing(self, store: Store) -> None:
        run_id = new_run(store)
        problems: list[BaseException] = []

        def work(thread: int) -> None:
            try:
                for step in range(25):
                    store.execute(LogMetric(run_id, f"m{thread}", float(step), step, step))
                    store.execute(LogParam(run_id, f"p{thread}.{step}", "v"))
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        data = read(store, run_id).data
        assert (len(data.metrics), len(data.params)) == (8, 200)
        assert all(len(points(store, run_id, f"m{number}")) == 25 for number in range(8))

    def test_of_two_values_of_a_parameter_logged_at_once_one_wins_and_one_is_refused(self, store: Store) -> None:
        run_id = new_run(store)
        outcomes: list[str] = []
        ready = threading.Barrier(8)

        def work(number: int) -> None:
            ready.wait()
            try:
                store.execute(LogParam(run_id, "p", str(number)))
                outcomes.append(str(number))
            except ParameterChanged:
                outcomes.append("refused")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("refused") == 7
        assert read(store, run_id).data.params["p"] in outcomes


class _Histories:
    def test_pages_are_complete_and_without_doubles(self, store: Store) -> None:
        run_id = new_run(store)
        store.execute(LogBatch(run_id, [Metric("m", float(step % 7), step // 3, step // 2) for step in range(900)]))
        expected = points(store, run_id, "m")
        found: list[tuple[int, int, float]] = []
        token = None
        while True:
            page = store.execute(GetMetricHistory(run_id, "m", 97, token))
            found += [(metric.step, metric.timestamp, metric.value) for metric in page.metrics]
            token = page.next_page_token
            if not token:
                break
        assert found == expected

    @pytest.mark.parametrize("size", [0, -1, 25_001])
    def test_the_size_of_a_page_has_limits(self, store: Store, size: int) -> None:
        with pytest.raises(InvalidValue, match="max_results"):
            run_id = new_run(store)
            store.execute(LogMetric(run_id, "m", 1.0, 1))
            store.execute(GetMetricHistory(run_id, "m", size))

    def test_a_token_that_is_none_is_refused(self, store: Store) -> None:
        run_id = new_run(store)
        store.execute(LogMetric(run_id, "m", 1.0, 1))
        with pytest.raises(InvalidValue, match="page_token"):
            store.execute(GetMetricHistory(run_id, "m", 10, "rubbish"))

    def test_a_metric_that_was_never_logged_has_no_history(self, store: Store) -> None:
        assert points(store, new_run(store), "never") == []

    def test_several_runs_at_once(self, store: Store) -> None:
        runs = [new_run(store) for _ in range(3)]
        for run_id in runs:
            store.execute(LogBatch(run_id, [Metric("m", float(step), step, step) for step in range(5)]))
        found = store.execute(GetMetricHistoryBulk(runs, "m", 12)).metrics
        assert len(found) == 12
        assert {metric.run_id for metric in found} == set(runs)
        with pytest.raises(InvalidValue, match="run"):
            store.execute(GetMetricHistoryBulkInterval([], "m"))
        with pytest.raises(InvalidValue, match="max_results"):
            store.execute(GetMetricHistoryBulkInterval(runs, "m", max_results=2501))
        window = store.execute(GetMetricHistoryBulkInterval(runs[:1], "m", 1, 3)).metrics
        assert [metric.step for metric in window] == [1, 2, 3]

    def test_a_spike_is_seen_at_every_zoom(self, store: Store) -> None:
        run_id, size, spike = new_run(store), 20_000, 7_777
        for start in range(0, size, 1000):
            store.execute(
                LogBatch(
                    run_id,
                    [
                        Metric("m", 55.0 if step == spike else math.sin(step / 500), step * 10, step)
                        for step in range(start, start + 1000)
                    ],
                )
            )
        for by in ("step", "time"):
            for zoom in (1, 2, 4, 8, 16):
                low, high = max(0, spike - size // zoom // 2), min(size - 1, spike + size // zoom // 2)
                scale = 10 if by == "time" else 1
                found = store.execute(GetSeries([run_id], "m", 40, by, low * scale, high * scale)).series[0]
                assert found.sampled
                assert max(found.values) == 55.0
                assert found.steps[found.values.index(55.0)] == spike
                assert (found.steps[0], found.steps[-1]) == (low, high)
                assert found.steps == sorted(found.steps)
                assert len(found.steps) <= 41 * 4

    def test_a_short_series_is_whole(self, store: Store) -> None:
        run_id = new_run(store)
        store.execute(LogBatch(run_id, [Metric("m", float(step), step, step) for step in range(10)]))
        found = store.execute(GetSeries([run_id], "m")).series[0]
        assert (found.steps, found.values, found.sampled) == (list(range(10)), [float(s) for s in range(10)], False)
        assert store.execute(GetSeries([run_id], "other")).series == []

    def test_points_are_removed_from_a_step_on(self, store: Store) -> None:
        run_id = new_run(store)
        for start in range(0, 3000, 1000):
            store.execute(
                LogBatch(run_id, [Metric("m", float(step), step, step) for step in range(start, start + 1000)])
            )
        store.execute(LogMetric(run_id, "other", 1.0, 1, 5000))
        assert store.execute(DeleteMetric(run_id, "m", 1500)).deleted == 1500
        assert read(store, run_id).data.metrics == {"m": 1499.0, "other": 1.0}
        assert max(store.execute(GetSeries([run_id], "m", 5)).series[0].values) == 1499.0
        found = store.execute(SearchRuns(["0"], "max(metrics.m) = 1499 AND min(metrics.m) = 0")).runs
        assert [run.info.run_id for run in found] == [run_id]
        assert store.execute(DeleteMetric(run_id)).deleted == 1501
        assert read(store, run_id).data.metrics == {}


class _Inputs:
    def test_datasets_and_models_of_a_run(self, store: Store) -> None:
        run_id = new_run(store)
        dataset = Dataset("iris", "abc123", "local", '{"uri": "iris.csv"}', '{"s": 1}', '{"rows": 150}')
        used = DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
        store.execute(LogInputs(run_id, [used], [LoggedModelInput("m-1")]))
        store.execute(LogInputs(run_id, [used]))
        store.execute(LogOutputs(run_id, [LoggedModelOutput("m-2", 5)]))
        run = read(store, run_id)
        assert run.inputs.dataset_inputs == [used]
        assert run.inputs.model_inputs == [LoggedModelInput("m-1")]
        assert run.outputs.model_outputs == [LoggedModelOutput("m-2", 5)]
        summary = store.execute(SearchDatasets(["0"])).dataset_summaries
        assert [(item.name, item.digest, item.context) for item in summary] == [("iris", "abc123", "training")]
        found = store.execute(SearchRuns(["0"], "dataset.name = 'iris' AND dataset.context = 'training'")).runs
        assert [run.info.run_id for run in found] == [run_id]

    @pytest.mark.parametrize(
        "dataset",
        [
            Dataset("", "d", "local", "{}"),
            Dataset("n" * 501, "d", "local", "{}"),
            Dataset("n", "d" * 37, "local", "{}"),
            Dataset("n", "d", "local", "s" * 65_536),
        ],
    )
    def test_datasets_have_limits(self, store: Store, dataset: Dataset) -> None:
        with pytest.raises(InvalidValue, match="dataset"):
            store.execute(LogInputs(new_run(store), [DatasetInput(dataset)]))


class _LoggedModels:
    def test_a_model_from_its_creation_to_the_trash_and_back(self, store: Store) -> None:
        run_id = new_run(store)
        model = store.execute(
            CreateLoggedModel(
                "0", "forest", "classifier", run_id, [LoggedModelParameter("depth", "3")], [LoggedModelTag("a", "b")]
            )
        ).model
        assert (model.name, model.status, model.params, model.tags) == ("forest", "PENDING", {"depth": "3"}, {"a": "b"})
        assert model.model_id.startswith("m-")
        assert model.artifact_location.endswith(f"/0/models/{model.model_id}/artifacts")
        assert store.execute(FinalizeLoggedModel(model.model_id, "LOGGED_MODEL_READY")).model.status == "READY"
        store.execute(LogLoggedModelParams(model.model_id, [LoggedModelParameter("leaf", "2")]))
        store.execute(SetLoggedModelTags(model.model_id, [LoggedModelTag("a", "c")]))
        store.execute(LogMetric(run_id, "acc", 0.5, 1, 1, model.model_id, "iris", "abc"))
        store.execute(LogMetric(run_id, "acc", 0.75, 2, 2, model.model_id, "iris", "abc"))
        now = store.execute(GetLoggedModel(model.model_id)).model
        assert (now.params, now.tags) == ({"depth": "3", "leaf": "2"}, {"a": "c"})
        assert [(m.key, m.value, m.step, m.dataset_name, m.run_id) for m in now.metrics] == [
            ("acc", 0.75, 2, "iris", run_id)
        ]
        store.execute(DeleteLoggedModelTag(model.model_id, "a"))
        with pytest.raises(NotFound, match="No tag"):
            store.execute(DeleteLoggedModelTag(model.model_id, "a"))
        store.execute(DeleteLoggedModel(model.model_id))
        with pytest.raises(LoggedModelNotFound):
            store.execute(GetLoggedModel(model.model_id))
        store.execute(RestoreLoggedModel(model.model_id))
        assert store.execute(GetLoggedModel(model.model_id)).model.name == "forest"

    @pytest.mark.parametrize("name", ["", "a/b", "a:b", "a.b", "n" * 251])
    def test_names(self, store: Store, name: str) -> None:
        with pytest.raises(InvalidValue, match="name"):
            store.execute(CreateLoggedModel("0", name))

    def test_an_unknown_status_is_refused(self, store: Store) -> None:
        model = store.execute(CreateLoggedModel("0")).model
        assert model.name
        with pytest.raises(InvalidValue, match="status"):
            store.execute(FinalizeLoggedModel(model.model_id, "DONE"))
        with pytest.raises(LoggedModelNotFound):
            store.execute(GetLoggedModel("m-absent"))

    def test_search(self, store: Store) -> None:
        run_id = new_run(store)
        made = []
        for number in range(5):
            model = store.execute(CreateLoggedModel("0", f"m{number}", source_run_id=run_id)).model
            store.execute(LogMetric(run_id, "acc", number / 10, 1, number, model.model_id))
            made.append(model.model_id)
        found = store.execute(SearchLoggedModels(["0"], "metrics.acc >= 0.2 AND name != 'm3'")).models
        assert {model.model_id for model in found} == {made[2], made[4]}
        store.execute(DeleteLoggedModel(made[0]))
        first = store.execute(SearchLoggedModels(["0"], max_results=3))
        rest = store.execute(SearchLoggedModels(["0"], max_results=3, page_token=first.next_page_token))
        assert [model.model_id for model in [*first.models, *rest.models]] == list(reversed(made[1:]))


class _Trash:
    def test_only_what_is_deleted_and_free_is_removed_for_good(self, store: Store) -> None:
        run_id = new_run(store)
        model = store.execute(CreateLoggedModel("0", "m", source_run_id=run_id)).model
        with pytest.raises(InvalidState, match="not deleted"):
            store.execute(PurgeGarbage(run_ids=[run_id]))
        store.execute(DeleteRun(run_id))
        item = store.execute(FindGarbage()).items[0]
        assert (item.kind, item.id) == ("run", run_id)
        assert model.model_id in str(item.kept_because)
        with pytest.raises(InvalidState, match="must stay"):
            store.execute(PurgeGarbage(run_ids=[run_id]))
        store.execute(DeleteLoggedModel(model.model_id))
        assert store.execute(FindGarbage(deleted_before=1)).items == []
        gone = store.execute(PurgeGarbage(run_ids=[run_id], logged_model_ids=[model.model_id]))
        assert (gone.runs, gone.logged_models, gone.experiments) == (1, 1, 0)
        with pytest.raises(RunNotFound):
            store.execute(GetRun(run_id))

    def test_a_purged_experiment_takes_everything_along_and_frees_its_name(self, store: Store) -> None:
        experiment = store.execute(CreateExperiment("churn")).experiment_id
        run_id = new_run(store, experiment)
        store.execute(LogBatch(run_id, [Metric("m", 1.0, 1, 500)], [Param("p", "v")], [RunTag("t", "v")]))
        store.execute(LogInputs(run_id, [DatasetInput(Dataset("d", "1", "local", "{}"))]))
        store.execute(DeleteExperiment(experiment))
        assert store.execute(PurgeGarbage(experiment_ids=[experiment])).runs == 1
        with pytest.raises(RunNotFound):
            store.execute(GetRun(run_id))
        with pytest.raises(ExperimentNotFound):
            store.execute(GetExperiment(experiment))
        assert store.execute(CreateExperiment("churn")).experiment_id != experiment


class _RunSearch:
    @pytest.fixture
    def runs(self, store: Store) -> list[str]:
        made = []
        for number in range(10):
            run_id = new_run(store, start_time=1000 + number, run_name=f"run-{number}")
            metrics = [Metric("acc", number / 10, number, 0), Metric("acc", 1 - number / 10, number, 1)]
            if number == 9:
                metrics.append(Metric("rare", math.nan, 1, 1))
            elif number % 3 == 0:
                metrics.append(Metric("rare", float(number), 1, 1))
            store.execute(
                LogBatch(
                    run_id,
                    metrics,
                    [Param("depth", str(number % 3)), Param("Name", f"N{number}")],
                    [RunTag("kind", "even" if number % 2 == 0 else "odd")],
                )
            )
            made.append(run_id)
        return made

    @pytest.mark.parametrize(
        ("clause", "expected"),
        [
            (None, range(10)),
            ("metrics.acc > 0.65", [0, 1, 2, 3]),
            ("metrics.acc <= 0.1 and params.depth = '0'", [9]),
            ("params.depth != '0'", [1, 2, 4, 5, 7, 8]),
            ("params.Name LIKE 'N%' AND tags.kind = 'odd'", [1, 3, 5, 7, 9]),
            ("params.Name LIKE 'n%'", []),
            ("params.Name ILIKE 'n%'", range(10)),
            ("attributes.run_name = 'run-3'", [3]),
            ("attributes.run_name IN ('run-3', 'run-4')", [3, 4]),
            ("attributes.start_time >= 1008", [8, 9]),
            ("attributes.status = 'RUNNING' AND tags.kind = 'even'", [0, 2, 4, 6, 8]),
            ("metrics.rare >= 0", [0, 3, 6]),
            ("metrics.rare IS NULL", [1, 2, 4, 5, 7, 8]),
            ("tags.absent IS NULL AND params.depth IS NOT NULL", range(10)),
            ("params.depth = '0' OR tags.kind = 'odd'", [0, 1, 3, 5, 6, 7, 9]),
            ("NOT (params.depth = '0' OR tags.kind = 'odd')", [2, 4, 8]),
            ("metrics.acc BETWEEN 0.25 AND 0.45", [6, 7]),
            ("params.depth NOT IN ('0', '1')", [2, 5, 8]),
            ("params.Name MATCHES '^N[2-4]$'", [2, 3, 4]),
            ("max(metrics.acc) >= 0.9", [0, 1, 9]),
            ("min(metrics.acc) < 0.05", [0]),
            ("first(metrics.acc) = 0.4", [4]),
            ("last(metrics.acc) = 0.6", [4]),
            ("best_step(metrics.acc) = 0 AND tags.kind = 'even'", [6, 8]),
        ],
    )
    def test_filters(self, store: Store, runs: list[str], clause: str | None, expected: Any) -> None:
        found = store.execute(SearchRuns(["0"], clause)).runs
        assert sorted(runs.index(run.info.run_id) for run in found) == list(expected)

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ([], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
            (["attributes.start_time ASC"], list(range(10))),
            (["metrics.acc"], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
            (["metrics.acc DESC"], list(range(10))),
            (["params.depth DESC", "metrics.acc DESC"], [2, 5, 8, 1, 4, 7, 0, 3, 6, 9]),
            (["metrics.rare DESC"], [6, 3, 0, 9, 8, 7, 5, 4, 2, 1]),
            (["metrics.rare ASC"], [0, 3, 6, 9, 8, 7, 5, 4, 2, 1]),
            (["max(metrics.acc) DESC", "start_time ASC"], [0, 1, 9, 2, 8, 3, 7, 4, 6, 5]),
        ],
    )
    def test_orders_and_pages_agree(self, store: Store, runs: list[str], order: list[str], expected: list[int]) -> None:
        for size in (3, 10, 50):
            found: list[int] = []
            token = None
            while True:
                page = store.execute(SearchRuns(["0"], max_results=size, order_by=order, page_token=token))
                found += [runs.index(run.info.run_id) for run in page.runs]
                token = page.next_page_token
                if not token:
                    break
            assert found == expected

    def test_pages_stay_complete_while_others_write(self, store: Store, runs: list[str]) -> None:
        first = store.execute(SearchRuns(["0"], max_results=4))
        new_run(store, start_time=9000)
        store.execute(DeleteRun(first.runs[0].info.run_id))
        second = store.execute(SearchRuns(["0"], max_results=50, page_token=first.next_page_token))
        assert [runs.index(run.info.run_id) for run in second.runs] == [5, 4, 3, 2, 1, 0]

    def test_views(self, store: Store, runs: list[str]) -> None:
        store.execute(DeleteRun(runs[4]))
        by_view = {
            view: len(store.execute(SearchRuns(["0"], run_view_type=view)).runs)
            for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")
        }
        assert by_view == {"ACTIVE_ONLY": 9, "DELETED_ONLY": 1, "ALL": 10}

    def test_projection(self, store: Store, runs: list[str]) -> None:
        asked = SearchRuns(["0"], max_results=1, metrics=["acc"], params=[], tags=["kind", "absent"])
        data = store.execute(asked).runs[0].data
        assert (list(data.metrics), data.params, data.tags) == (["acc"], {}, {"kind": "odd"})

    @pytest.mark.parametrize(
        "clause", ["metrics.acc >", "metrics.acc = 'x'", "nothing.at = 1", "params.a > 'b'", "(", "a"]
    )
    def test_bad_filters_say_where(self, store: Store, clause: str) -> None:
        with pytest.raises(InvalidValue):
            store.execute(SearchRuns(["0"], clause))

    @pytest.mark.parametrize("size", [0, -1, 50_001])
    def test_the_size_of_a_page_has_limits(self, store: Store, size: int) -> None:
        with pytest.raises(InvalidValue, match="max_results"):
            store.execute(SearchRuns(["0"], max_results=size))

    def test_a_token_that_is_none_is_refused(self, store: Store) -> None:
        with pytest.raises(InvalidValue, match="page_token"):
            store.execute(SearchRuns(["0"], page_token="rubbish"))

    def test_an_unknown_experiment_has_no_runs(self, store: Store, runs: list[str]) -> None:
        assert store.execute(SearchRuns(["4711"])).runs == []
        assert store.execute(SearchRuns([])).runs == []


class StoreConformance(
    _Experiments, _Runs, _Logging, _Histories, _Inputs, _LoggedModels, _Trash, _RunSearch, RegistryConformance,
    EndpointConformance, MonitoringConformance, WebhookConformance, TableConformance, ManyRunsConformance,
):
    """Every promise of the contract. A subclass gives the fixture ``store``: a fresh store for each test."""

    def test_errors_are_of_the_tree(self, store: Store) -> None:
        with pytest.raises(MillstreamError) as caught:
            store.execute(GetRun("absent"))
        assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
        assert caught.value.get_http_status_code() == 404
