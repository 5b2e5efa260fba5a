"""Operations on experiments, in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from millstream.entities import DatasetSummary, Experiment, ExperimentTag
from millstream.errors import AlreadyExists, ExperimentNotFound, InvalidState, InvalidValue, NotFound
from millstream.operations import (
    CreateExperiment,
    DatasetSummaries,
    DeleteExperiment,
    DeleteExperimentTag,
    ExperimentAnswer,
    ExperimentCreated,
    GetExperiment,
    GetExperimentByName,
    RestoreExperiment,
    SearchDatasets,
    SetExperimentTag,
    UpdateExperiment,
)
from millstream.operations.limits import (
    ARTIFACT_LOCATION_LENGTH,
    EXPERIMENT_NAME_LENGTH,
    EXPERIMENT_TAG_LENGTH,
    check_key,
    check_text,
)
from millstream.stores.sql.driver import many
from millstream.stores.sql.schema import (
    dataset_input_tags,
    dataset_inputs,
    datasets,
    experiment_tags,
    experiments,
    runs,
)
from millstream.stores.sql.transaction import (
    Transaction,
    executes,
    experiment_number,
    find_experiment,
    no_experiment,
    now_ms,
    under,
)

_DATASETS_LISTED = 1_000
_UPSERT_TAG = (
    "INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value"
)


def load_experiments(transaction: Transaction, rows: Sequence[Row[Any]]) -> list[Experiment]:
    """The experiments of these rows of ``experiments``, in their order."""
    tags: dict[int, list[ExperimentTag]] = defaultdict(list)
    numbers = [row.id for row in rows]
    for start in range(0, len(numbers), 500):
        query = select(experiment_tags).where(experiment_tags.c.experiment_id.in_(numbers[start : start + 500]))
        for tag in transaction.connection.execute(query):
            tags[tag.experiment_id].append(ExperimentTag(tag.key, tag.value))
    return [
        Experiment(
            experiment_id=str(row.id),
            name=row.name,
            artifact_location=row.artifact_location,
            lifecycle_stage="active" if row.deleted_time is None else "deleted",
            tag_list=tags.get(row.id, []),
            creation_time=row.creation_time,
            last_update_time=row.last_update_time,
        )
        for row in rows
    ]


def check_name(name: str) -> str:
    """A name that an experiment may have."""
    if not name.strip():
        raise InvalidValue.of("name", name, "the name of an experiment may not be empty")
    return check_text(name, EXPERIMENT_NAME_LENGTH, "name")


def _refuse_taken(transaction: Transaction, name: str) -> None:
    query = select(experiments.c.id, experiments.c.deleted_time).where(experiments.c.name == name)
    taken = transaction.connection.execute(query).one_or_none()
    if taken is None:
        return
    if taken.deleted_time is None:
        raise AlreadyExists(
            f"Experiment(name={name}) already exists.",
            hint="take another name, or set_experiment(…) to use the one that is there",
        )
    raise AlreadyExists(
        f"Experiment(name={name}) already exists. It is in the deleted state.",
        hint=f"restore it: `millstream experiments restore --experiment-id {taken.id}`, or remove it for good: "
        f"`millstream gc --experiment-ids {taken.id}`",
    )


@executes(CreateExperiment)
def create(transaction: Transaction, operation: CreateExperiment) -> ExperimentCreated:
    name = check_name(operation.name)
    location = check_text(operation.artifact_location or "", ARTIFACT_LOCATION_LENGTH, "artifact_location")
    tags = {
        check_key(tag.key, f"tags[{index}].key"): check_text(tag.value, EXPERIMENT_TAG_LENGTH, f"tags[{index}].value")
        for index, tag in enumerate(operation.tags)
    }
    _refuse_taken(transaction, name)
    now = now_ms()
    connection = transaction.connection
    made = connection.execute(
        insert(experiments).values(
            name=name,
            artifact_location=location,
            creation_time=now,
            last_update_time=now,
            creator=transaction.principal.name,
        )
    )
    number = made.inserted_primary_key[0]  # type: ignore[index]
    if not location:
        connection.execute(
            update(experiments)
            .where(experiments.c.id == number)
            .values(artifact_location=under(transaction.artifact_root, str(number)))
        )
    many(connection, _UPSERT_TAG, [(number, key, value) for key, value in tags.items()])
    return ExperimentCreated(str(number))


@executes(GetExperiment)
def get(transaction: Transaction, operation: GetExperiment) -> ExperimentAnswer:
    return ExperimentAnswer(load_experiments(transaction, [find_experiment(transaction, operation.experiment_id)])[0])


@executes(GetExperimentByName)
def get_by_name(transaction: Transaction, operation: GetExperimentByName) -> ExperimentAnswer:
    query = select(experiments).where(experiments.c.name == operation.experiment_name)
    row = transaction.connection.execute(query).one_or_none()
    if row is None:
        raise ExperimentNotFound(f"Could not find experiment with name '{operation.experiment_name}'")
    return ExperimentAnswer(load_experiments(transaction, [row])[0])


def _in_stage(transaction: Transaction, experiment_id: str, *, deleted: bool) -> int:
    row = find_experiment(transaction, experiment_id)
    if (row.deleted_time is not None) != deleted:
        raise no_experiment(experiment_id)
    return int(row.id)


@executes(DeleteExperiment)
def remove(transaction: Transaction, operation: DeleteExperiment) -> None:
    number, now = _in_stage(transaction, operation.experiment_id, deleted=False), now_ms()
    connection = transaction.connection
    connection.execute(
        update(experiments).where(experiments.c.id == number).values(deleted_time=now, last_update_time=now)
    )
    connection.execute(
        update(runs)
        .where(runs.c.experiment_id == number, runs.c.deleted_time.is_(None))
        .values(deleted_time=now, deleted_with_experiment=True)
    )


@executes(RestoreExperiment)
def restore(transaction: Transaction, operation: RestoreExperiment) -> None:
    number = _in_stage(transaction, operation.experiment_id, deleted=True)
    connection = transaction.connection
    connection.execute(
        update(experiments).where(experiments.c.id == number).values(deleted_time=None, last_update_time=now_ms())
    )
    connection.execute(
        update(runs)
        .where(runs.c.experiment_id == number, runs.c.deleted_with_experiment)
        .values(deleted_time=None, deleted_with_experiment=False)
    )


@executes(UpdateExperiment)
def rename(transaction: Transaction, operation: UpdateExperiment) -> None:
    row = find_experiment(transaction, operation.experiment_id)
    if operation.new_name is None:
        return
    if row.deleted_time is not None:
        raise InvalidState(
            "Cannot rename a non-active experiment.",
            hint=f"restore it: `millstream experiments restore --experiment-id {row.id}`",
        )
    name = check_name(operation.new_name)
    if name == row.name:
        return
    _refuse_taken(transaction, name)
    transaction.connection.execute(
        update(experiments).where(experiments.c.id == row.id).values(name=name, last_update_time=now_ms())
    )


@executes(SetExperimentTag)
def set_tag(transaction: Transaction, operation: SetExperimentTag) -> None:
    number = find_experiment(transaction, operation.experiment_id, active=True).id
    key = check_key(operation.key)
    value = check_text(operation.value, EXPERIMENT_TAG_LENGTH, "value")
    many(transaction.connection, _UPSERT_TAG, [(number, key, value)])
    _touch(transaction, number)


@executes(DeleteExperimentTag)
def delete_tag(transaction: Transaction, operation: DeleteExperimentTag) -> None:
    number = find_experiment(transaction, operation.experiment_id, active=True).id
    gone = transaction.connection.execute(
        delete(experiment_tags).where(experiment_tags.c.experiment_id == number, experiment_tags.c.key == operation.key)
    )
    if not gone.rowcount:
        raise NotFound(f"No tag with name: {operation.key} in experiment with id {operation.experiment_id}")
    _touch(transaction, number)


def _touch(transaction: Transaction, number: int) -> None:
    transaction.connection.execute(
        update(experiments).where(experiments.c.id == number).values(last_update_time=now_ms())
    )


@executes(SearchDatasets)
def search_datasets(transaction: Transaction, operation: SearchDatasets) -> DatasetSummaries:
    numbers = [experiment_number(experiment_id) for experiment_id in operation.experiment_ids]
    context = func.coalesce(dataset_input_tags.c.value, dataset_inputs.c.context)
    query = (
        select(datasets.c.experiment_id, datasets.c.name, datasets.c.digest, context, func.max(dataset_inputs.c.id))
        .join(dataset_inputs, dataset_inputs.c.dataset == datasets.c.id)
        .join(
            dataset_input_tags,
            (dataset_input_tags.c.input == dataset_inputs.c.id) & (dataset_input_tags.c.key == "mlflow.data.context"),
            isouter=True,
        )
        .where(datasets.c.experiment_id.in_(numbers))
        .group_by(datasets.c.experiment_id, datasets.c.name, datasets.c.digest, context)
        .order_by(func.max(dataset_inputs.c.id).desc())
        .limit(_DATASETS_LISTED)
    )
    return DatasetSummaries(
        [DatasetSummary(str(row[0]), row[1], row[2], row[3]) for row in transaction.connection.execute(query)]
    )
