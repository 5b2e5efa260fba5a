"""Operations on the life of runs, in SQL."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, select, update

from millstream.entities import Run, RunData, RunInfo, RunStatus, RunTag
from millstream.errors import InvalidValue, MillstreamError, NotFound
from millstream.names import random_name
from millstream.operations import (
    CreateRun,
    DeleteRun,
    DeleteTag,
    GetRun,
    Moved,
    MoveRuns,
    RestoreRun,
    RunAnswer,
    RunInfoAnswer,
    SetTag,
    UpdateRun,
)
from millstream.operations.limits import RUN_NAME_LENGTH, check_text
from millstream.stores.sql.driver import many
from millstream.stores.sql.logging import RUN_NAME_TAG, UPSERT_TAG, checked_tags, log_one
from millstream.stores.sql.records import find_rows, load_runs, run_info
from millstream.stores.sql.schema import (
    dataset_inputs,
    datasets,
    logged_models,
    metrics,
    params,
    run_tags,
    runs,
)
from millstream.stores.sql.transaction import (
    Transaction,
    deleted_run,
    executes,
    find_experiment,
    find_run,
    no_run,
    now_ms,
    under,
)

_INSERT = (
    "INSERT INTO runs (run_id, experiment_id, run_name, user_id, status, start_time, artifact_uri)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_CHUNK = 500


@executes(CreateRun)
def create(transaction: Transaction, operation: CreateRun) -> RunAnswer:
    made = create_many(transaction, [operation])[0]
    if isinstance(made, MillstreamError):
        raise made
    return made


def create_many(transaction: Transaction, operations: Sequence[CreateRun]) -> list[RunAnswer | MillstreamError]:
    """Create runs in their order; what became of each: its answer, or the error that it is answered with."""
    experiments: dict[str, Row[Any] | MillstreamError] = {}
    outcomes: list[RunAnswer | MillstreamError] = []
    for operation in operations:
        place = experiments.get(operation.experiment_id)
        try:
            if place is None:
                place = find_experiment(transaction, operation.experiment_id, active=True)
            if isinstance(place, MillstreamError):
                raise place
            outcomes.append(RunAnswer(_new_run(operation, str(place.id), place.artifact_location)))
        except MillstreamError as error:
            place = error if place is None else place
            outcomes.append(error)
        experiments[operation.experiment_id] = place
    _insert(transaction, [outcome.run for outcome in outcomes if isinstance(outcome, RunAnswer)])
    return outcomes


def _new_run(operation: CreateRun, experiment_id: str, artifact_location: str) -> Run:
    tags = checked_tags(operation.tags, "tags")
    named = tags.get(RUN_NAME_TAG)
    if operation.run_name and named and operation.run_name != named:
        raise InvalidValue(
            f"Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
            f"(run_name={operation.run_name!r}, mlflow.runName={named!r}).",
            hint="give one of them",
        )
    name = check_text(operation.run_name or named or random_name(), RUN_NAME_LENGTH, "run_name")
    tags[RUN_NAME_TAG] = name
    run_id = uuid.uuid4().hex
    info = RunInfo(
        run_id=run_id,
        experiment_id=experiment_id,
        user_id=operation.user_id or "",
        status="RUNNING",
        start_time=operation.start_time or now_ms(),
        artifact_uri=under(artifact_location, run_id, "artifacts"),
        run_name=name,
    )
    return Run(info, RunData([], [], [RunTag(key, value) for key, value in tags.items()]))


def _insert(transaction: Transaction, made: Sequence[Run]) -> None:
    connection = transaction.connection
    many(
        connection,
        _INSERT,
        [
            (
                run.info.run_id,
                int(run.info.experiment_id),
                run.info.run_name,
                run.info.user_id,
                RunStatus.RUNNING,
                run.info.start_time,
                run.info.artifact_uri,
            )
            for run in made
        ],
    )
    number: dict[str, int] = {}
    for start in range(0, len(made), _CHUNK):
        query = select(runs.c.run_id, runs.c.id).where(
            runs.c.run_id.in_([run.info.run_id for run in made[start : start + _CHUNK]])
        )
        number.update({run_id: id_ for run_id, id_ in connection.execute(query)})
    keys = transaction.enter_keys({tag.key for run in made for tag in run.data.tag_list})
    many(
        connection,
        UPSERT_TAG,
        [
            (number[run.info.run_id], keys[tag.key], int(run.info.experiment_id), tag.value)
            for run in made
            for tag in run.data.tag_list
        ],
    )


@executes(GetRun)
def get(transaction: Transaction, operation: GetRun) -> RunAnswer:
    return RunAnswer(load_runs(transaction, [find_run(transaction, operation.run_id)])[0])


@executes(UpdateRun)
def change(transaction: Transaction, operation: UpdateRun) -> RunInfoAnswer:
    row = find_run(transaction, operation.run_id, active=True)
    values: dict[str, object] = {}
    if operation.status is not None:
        try:
            values["status"] = RunStatus.from_string(operation.status)
        except KeyError:
            raise InvalidValue.of(
                "status", operation.status, "it is none of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED"
            ) from None
        if RunStatus.is_terminated(int(str(values["status"]))):
            values["lease_until"] = None
    if operation.end_time is not None:
        values["end_time"] = operation.end_time
    if values:
        transaction.connection.execute(update(runs).where(runs.c.id == row.id).values(**values))
    if operation.run_name:
        log_one(transaction, SetTag(operation.run_id, RUN_NAME_TAG, operation.run_name))
    return RunInfoAnswer(run_info(find_run(transaction, operation.run_id)))


@executes(DeleteRun)
def remove(transaction: Transaction, operation: DeleteRun) -> None:
    row = find_run(transaction, operation.run_id)
    if row.deleted_time is None:
        transaction.connection.execute(update(runs).where(runs.c.id == row.id).values(deleted_time=now_ms()))


@executes(RestoreRun)
def restore(transaction: Transaction, operation: RestoreRun) -> None:
    row = find_run(transaction, operation.run_id)
    find_experiment(transaction, str(row.experiment_id), active=True)
    transaction.connection.execute(
        update(runs).where(runs.c.id == row.id).values(deleted_time=None, deleted_with_experiment=False)
    )


@executes(DeleteTag)
def delete_tag(transaction: Transaction, operation: DeleteTag) -> None:
    row = find_run(transaction, operation.run_id, active=True)
    number = transaction.key(operation.key)
    gone = 0
    if number is not None:
        gone = transaction.connection.execute(
            delete(run_tags).where(run_tags.c.run == row.id, run_tags.c.key == number)
        ).rowcount
    if not gone:
        raise NotFound(f"No tag with name: {operation.key} in run with id {operation.run_id}")


@executes(MoveRuns)
def move(transaction: Transaction, operation: MoveRuns) -> Moved:
    target = find_experiment(transaction, operation.experiment_id, active=True).id
    rows = find_rows(transaction, operation.run_ids)
    missing = set(operation.run_ids) - {row.run_id for row in rows}
    if missing:
        raise no_run(sorted(missing)[0])
    connection = transaction.connection
    moved = 0
    for row in rows:
        if row.deleted_time is not None:
            raise deleted_run(row.run_id)
        if row.experiment_id == target:
            continue
        connection.execute(update(runs).where(runs.c.id == row.id).values(experiment_id=target))
        for table in (metrics, params, run_tags):
            connection.execute(update(table).where(table.c.run == row.id).values(experiment_id=target))
        connection.execute(
            update(logged_models).where(logged_models.c.source_run_id == row.run_id).values(experiment_id=target)
        )
        _move_datasets(transaction, row.id, target)
        moved += 1
    return Moved(moved)


def _move_datasets(transaction: Transaction, run: int, experiment: int) -> None:
    """Datasets belong to an experiment: point the run's inputs to the target's copies, made where they are absent."""
    connection = transaction.connection
    used = select(dataset_inputs.c.id, datasets).join(datasets, datasets.c.id == dataset_inputs.c.dataset)
    for row in connection.execute(used.where(dataset_inputs.c.run == run)).all():
        same = select(datasets.c.id).where(
            datasets.c.experiment_id == experiment, datasets.c.name == row.name, datasets.c.digest == row.digest
        )
        copy = connection.execute(same).scalar()
        if copy is None:
            copy = connection.execute(
                datasets.insert().values(
                    experiment_id=experiment,
                    name=row.name,
                    digest=row.digest,
                    source_type=row.source_type,
                    source=row.source,
                    schema=row.schema,
                    profile=row.profile,
                )
            ).inserted_primary_key[0]  # type: ignore[index]
        connection.execute(update(dataset_inputs).where(dataset_inputs.c.id == row[0]).values(dataset=copy))
