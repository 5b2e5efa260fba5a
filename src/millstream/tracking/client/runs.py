"""The client's calls on runs: their life, what they log, and how they are found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from millstream.entities import (
    DatasetInput,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    PagedList,
    Param,
    Run,
    RunTag,
    ViewType,
)
from millstream.operations import (
    CreateRun,
    DeleteMetric,
    DeleteRun,
    DeleteTag,
    GetMetricHistory,
    GetRun,
    LogInputs,
    LogMetric,
    LogOutputs,
    LogParam,
    MoveRuns,
    RestoreRun,
    SearchRuns,
    SetTag,
    UpdateRun,
)
from millstream.operations.limits import HISTORY_PAGE, check_run_id
from millstream.operations.paging import pages
from millstream.tracking import checks, recorder
from millstream.tracking.batches import in_batches
from millstream.tracking.client.base import Calls
from millstream.tracking.client.values import listed, status_name, view_name
from millstream.tracking.clock import next_time, times_of
from millstream.tracking.columns import projection
from millstream.tracking.pending import RunOperations
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID, MLFLOW_USER


class RunCalls(Calls):
    """Runs. What is logged here goes to the store before the call returns, unless ``synchronous`` is False."""

    def create_run(
        self, experiment_id: str, start_time: int | None = None, tags: dict[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Start a run in an experiment, without making it active. ``start_time`` is in milliseconds since the epoch.

        Without a name it gets a readable one. Raises ExperimentNotFound.
        """
        texts = checks.tags(tags or {})
        return self._execute(CreateRun(
            str(experiment_id), texts.get(MLFLOW_USER, "unknown"), run_name or None,
            time.time_ns() // 1_000_000 if start_time is None else start_time,
            [RunTag(key, text) for key, text in texts.items()],
        )).run

    def get_run(self, run_id: str) -> Run:
        """The run, deleted or not. Raises RunNotFound, and InvalidValue for what has not the form of an id."""
        return self._execute(GetRun(check_run_id(str(run_id)))).run

    def get_parent_run(self, run_id: str) -> Run | None:
        """The run that this one is nested in; None for a run that is not."""
        parent = self.get_run(run_id).data.tags.get(MLFLOW_PARENT_RUN_ID)
        return self.get_run(parent) if parent else None

    def update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        """Change the status or the name of a run."""
        if status is not None or name is not None:
            status = None if status is None else status_name(status)
            self._execute(UpdateRun(run_id, status=status, run_name=name), run_id)

    def set_terminated(self, run_id: str, status: str | None = None, end_time: int | None = None) -> None:
        """End a run, as FINISHED unless another status is given, now unless another time is."""
        self._execute(UpdateRun(
            run_id, status=status_name(status or "FINISHED"),
            end_time=time.time_ns() // 1_000_000 if end_time is None else end_time,
        ), run_id)

    def delete_run(self, run_id: str) -> None:
        """Move a run to the trash."""
        self._execute(DeleteRun(run_id), run_id)
        recorder.forget(self._tracking_uri, run_id)

    def restore_run(self, run_id: str) -> None:
        """Take a run out of the trash."""
        self._execute(RestoreRun(run_id), run_id)

    def move_runs(self, run_ids: Sequence[str], experiment_id: str) -> int:
        """Move runs with all they hold to another experiment, all or none; returns how many. Artifacts stay in place.

        Beyond MLflow. Raises RunNotFound and ExperimentNotFound.
        """
        return self._execute(MoveRuns(listed(run_ids, "run_ids"), str(experiment_id))).moved

    def search_runs(
        self, experiment_ids: list[str], filter_string: str = "", run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000, order_by: list[str] | None = None, page_token: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> PagedList[Run]:
        """A page of the runs that match; its ``token`` asks for the next.

        ``columns`` (beyond MLflow) limits what is read of each run, for example ``["metrics.loss", "params.*"]``:
        metrics, parameters and tags that it does not name are left out. Raises SearchSyntaxError for a filter or order
        that does not parse.
        """
        metrics, params, tags = projection(columns)
        page = self._execute(SearchRuns(
            listed(experiment_ids, "experiment_ids"), filter_string or None, view_name(run_view_type), max_results,
            listed(order_by, "order_by"), page_token, metrics, params, tags,
        ))
        return PagedList(page.runs, page.next_page_token)

    def get_metric_history(self, run_id: str, key: str) -> PagedList[Metric]:
        """Every point of a metric, in the order of step, timestamp and value; empty for a metric that there is not."""
        asked = GetMetricHistory(run_id, key, HISTORY_PAGE)
        return PagedList([point for page in pages(self._execute, asked) for point in page.metrics])

    def log_metric(
        self, run_id: str, key: str, value: float, timestamp: int | None = None, step: int | None = None,
        synchronous: bool | None = None, dataset_name: str | None = None, dataset_digest: str | None = None,
        model_id: str | None = None,
    ) -> RunOperations | None:
        """Log one point of a metric. ``timestamp`` is in milliseconds since the epoch, now unless given."""
        key, value, step = checks.metric_key(key), checks.number(value, key), checks.step(step)
        point = LogMetric(
            run_id, key, value,
            next_time(times_of(run_id), (key,), step) if timestamp is None else checks.timestamp(timestamp), step,
            model_id, dataset_name, dataset_digest,
        )
        if synchronous is not False:
            self._execute(point, run_id)
            return None
        log = recorder.of(self._tracking_uri, run_id).log
        log.metric(point.key, point.value, point.timestamp, point.step, model_id, dataset_name, dataset_digest)
        return RunOperations([log])

    def log_param(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> Any:
        """Log a parameter and return ``value``. Raises ParameterChanged when it has another value already."""
        if synchronous is False:
            keeper = recorder.of(self._tracking_uri, run_id)
            keeper.log_params({key: value})
            return RunOperations([keeper.log])
        texts = checks.params({key: value})
        self._execute(LogParam(run_id, key, texts[key]), run_id)
        recorder.remember_params(self._tracking_uri, run_id, texts)
        return value

    def set_tag(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> RunOperations | None:
        """Set a tag of a run."""
        if synchronous is False:
            keeper = recorder.of(self._tracking_uri, run_id)
            keeper.set_tags({key: value})
            return RunOperations([keeper.log])
        self._execute(SetTag(run_id, key, checks.tags({key: value})[key]), run_id)
        return None

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag of a run. Raises NotFound when it has none of this key."""
        self._execute(DeleteTag(run_id, key), run_id)

    def delete_metric(self, run_id: str, key: str | None = None, from_step: int | None = None) -> int:
        """Remove the points of a metric from ``from_step`` on, all of them without it; returns how many.

        Without a ``key``, of every metric of the run. Beyond MLflow: what a run does that goes on from a checkpoint.
        """
        return self._execute(DeleteMetric(run_id, key, from_step), run_id).deleted

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[RunTag] = (),
        synchronous: bool | None = None,
    ) -> RunOperations | None:
        """Log many metrics, parameters and tags in as few requests as their number allows, each all or nothing."""
        points = [
            Metric(checks.metric_key(one.key), checks.number(one.value, one.key), checks.timestamp(one.timestamp),
                   checks.step(one.step), one.model_id, one.dataset_name, one.dataset_digest)
            for one in metrics
        ]
        settled = [Param(one.key, checks.params({one.key: one.value})[one.key]) for one in params]
        labels = [RunTag(one.key, checks.tags({one.key: one.value})[one.key]) for one in tags]
        if synchronous is not False:
            for batch in in_batches(run_id, points, settled, labels):
                self._execute(batch, run_id)
            recorder.remember_params(self._tracking_uri, run_id, {one.key: one.value for one in settled})
            return None
        keeper = recorder.of(self._tracking_uri, run_id)
        keeper.log_params({one.key: one.value for one in settled})
        keeper.set_tags({one.key: one.value for one in labels})
        for one in points:
            keeper.log.metric(one.key, one.value, one.timestamp, one.step, one.model_id, one.dataset_name,
                              one.dataset_digest)
        return RunOperations([keeper.log])

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput] | None = None,
        models: Sequence[LoggedModelInput] | None = None,
    ) -> None:
        """Note the datasets and models that a run has read."""
        self._execute(LogInputs(run_id, list(datasets or ()), list(models or ())), run_id)

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        """Note the models that a run has made."""
        self._execute(LogOutputs(run_id, list(models)), run_id)
