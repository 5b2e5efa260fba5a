"""Starting, finding and ending runs."""

from __future__ import annotations

import time
from typing import Any

from millstream import settings
from millstream.entities import LifecycleStage, Run, RunTag
from millstream.errors import InvalidState, InvalidValue
from millstream.operations import CreateRun, DeleteMetric, GetRun, UpdateRun
from millstream.operations.limits import check_run_id
from millstream.tracking import checks, context, late, recorder, stores
from millstream.tracking.active import ActiveRun, end_top, local, push
from millstream.tracking.batches import in_batches
from millstream.tracking.client import MlflowClient
from millstream.tracking.client.values import status_name
from millstream.tracking.experiments import experiment_of_new_runs
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE, MLFLOW_USER


def start_run(
    run_id: str | None = None, experiment_id: str | None = None, run_name: str | None = None, nested: bool = False,
    parent_run_id: str | None = None, tags: dict[str, Any] | None = None, description: str | None = None,
    log_system_metrics: bool | None = None, *, resume_from_step: int | None = None,
) -> ActiveRun:
    """Start a run, or resume the one with ``run_id``, and make it the active run of this thread.

    The result is a context manager that ends it. Inside an active run, ``nested=True`` makes it a child; a
    ``parent_run_id`` names any other run as parent. ``description`` becomes the run's note. System metrics are logged
    when ``log_system_metrics`` says so, or the settings. A first run without ``run_id`` resumes the run of the
    environment variable ``MLFLOW_RUN_ID``, if there is one.

    ``resume_from_step`` (beyond MLflow) removes every point from that step on from the resumed run: training goes on
    from a checkpoint and logs them again.

    Raises InvalidState when a run is active already, RunNotFound, ExperimentNotFound, and InvalidValue.
    """
    if local.stack and not nested:
        raise InvalidState(
            f"the run {local.stack[-1].run.info.run_id} is active already",
            hint="end it with end_run(), or start a child of it with start_run(nested=True)",
        )
    uri = stores.get_tracking_uri()
    sample = settings.ENABLE_SYSTEM_METRICS_LOGGING.get() if log_system_metrics is None else log_system_metrics
    texts = checks.tags(tags or {})
    if description is not None:
        if MLFLOW_RUN_NOTE in texts:
            raise InvalidValue(
                f"the description is given twice: as an argument and as the tag {MLFLOW_RUN_NOTE}",
                hint="keep one of them",
            )
        texts |= checks.tags({MLFLOW_RUN_NOTE: description})
    run_id = run_id or _run_of_environment()
    if run_id:
        run = _resume(uri, run_id, run_name, texts, resume_from_step)
        return push(run, uri, sample=sample, first_sample=_next_sample(run) if sample else 0)
    if resume_from_step is not None:
        raise InvalidValue.of("resume_from_step", resume_from_step, "only a run that is resumed has steps",
                              hint="give the run_id as well")
    parent = _parent(uri, nested, parent_run_id)
    if parent:
        texts[MLFLOW_PARENT_RUN_ID] = parent
    experiment = str(experiment_id) if experiment_id is not None else experiment_of_new_runs(uri)
    known = late.known(uri, experiment)
    run = _create(uri, experiment, run_name, {**(known or {}), **texts})
    return push(run, uri, sample=sample, is_known=known is not None)


def _run_of_environment() -> str | None:
    """The run that a parent process started for this one; only the first start_run() resumes it."""
    run_id = settings.RUN_ID.get()
    if run_id:
        settings.RUN_ID.unset()
    return run_id


def _create(uri: str, experiment: str, run_name: str | None, texts: dict[str, str]) -> Run:
    # A name that is given beats one among the tags.
    name = run_name or texts.pop(MLFLOW_RUN_NAME, None)
    texts.pop(MLFLOW_RUN_NAME, None)
    texts = {**checks.tags(context.collect_tags()), **texts}
    return stores.store(uri).execute(CreateRun(
        experiment, texts.get(MLFLOW_USER), name, time.time_ns() // 1_000_000,
        [RunTag(key, text) for key, text in texts.items()],
    )).run


def _resume(uri: str, run_id: str, run_name: str | None, texts: dict[str, str], from_step: int | None) -> Run:
    check_run_id(run_id)
    recorder.flush(uri, run_id)
    store = stores.store(uri)
    run = store.execute(GetRun(run_id)).run
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        raise InvalidState(f"the run {run_id} is deleted", hint=f"restore it first: restore_run({run_id!r})")
    store.execute(UpdateRun(run_id, status="RUNNING", run_name=run_name or texts.pop(MLFLOW_RUN_NAME, None)))
    texts.pop(MLFLOW_RUN_NAME, None)
    for batch in in_batches(run_id, tags=[RunTag(key, text) for key, text in texts.items()]):
        store.execute(batch)
    if from_step is not None:
        store.execute(DeleteMetric(run_id, from_step=checks.step(from_step)))
    return store.execute(GetRun(run_id)).run


def _next_sample(run: Run) -> int:
    from millstream.tracking.system_metrics import next_step

    return next_step(run.data.metric_list)


def _parent(uri: str, nested: bool, parent_run_id: str | None) -> str | None:
    innermost = local.stack[-1].run.info.run_id if local.stack else None
    if parent_run_id is None:
        return innermost if nested else None
    if innermost is not None and innermost != parent_run_id:
        raise InvalidState(
            f"the active run {innermost} is not the parent_run_id {parent_run_id}",
            hint="end the active run first, or leave parent_run_id out",
        )
    if innermost is None:
        parent = stores.store(uri).execute(GetRun(check_run_id(parent_run_id))).run
        if parent.info.lifecycle_stage == LifecycleStage.DELETED:
            raise InvalidState(f"the parent run {parent_run_id} is deleted",
                               hint=f"restore it first: restore_run({parent_run_id!r})")
    return parent_run_id


def end_run(status: str = "FINISHED") -> None:
    """End the active run of this thread; nothing happens when there is none.

    Returns when the store has everything, or after the seconds of EXIT_FLUSH_SECONDS: what is left then is kept and
    sent later. Raises InvalidValue for a status that is none; the run goes on.
    """
    status = status_name(status)
    settings.RUN_ID.unset()
    end_top(status)


def active_run() -> ActiveRun | None:
    """The innermost active run of this thread, as it stood when it became active; None without one."""
    return local.stack[-1].run if local.stack else None


def last_active_run() -> Run | None:
    """The active run of this thread, or else the one that was active last, as it stands now; None without one."""
    if local.stack:
        keeper = local.stack[-1].recorder
        return MlflowClient(keeper.uri).get_run(keeper.run_id)
    if local.last is None:
        return None
    uri, run_id = local.last
    return MlflowClient(uri).get_run(run_id)


def get_run(run_id: str) -> Run:
    """The run with this id, deleted or not. Raises RunNotFound."""
    return MlflowClient().get_run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """The run that this one is nested in; None for a run that is not. Raises RunNotFound."""
    return MlflowClient().get_parent_run(run_id)


def delete_run(run_id: str) -> None:
    """Move a run to the trash. Raises RunNotFound."""
    MlflowClient().delete_run(run_id)


def restore_run(run_id: str) -> None:
    """Take a run out of the trash. Raises RunNotFound."""
    MlflowClient().restore_run(run_id)


def move_runs(run_ids: list[str], experiment_id: str) -> int:
    """Move runs with all they hold to another experiment, all or none; returns how many. Artifacts stay in place.

    Beyond MLflow. Raises RunNotFound and ExperimentNotFound.
    """
    return MlflowClient().move_runs(run_ids, experiment_id)
