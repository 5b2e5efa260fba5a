"""What runs read and make: datasets and models, in SQL."""

from __future__ import annotations

import json

from sqlalchemy import insert, select

from millstream.entities import Dataset, DatasetInput, RunTag
from millstream.errors import InvalidValue, LimitExceeded
from millstream.operations import LogBatch, LogInputs, LogModel, LogOutputs
from millstream.operations.limits import (
    DATASET_DIGEST_LENGTH,
    DATASET_NAME_LENGTH,
    DATASET_PROFILE_LENGTH,
    DATASET_SCHEMA_LENGTH,
    DATASET_SOURCE_LENGTH,
    INPUTS,
    KEY_LENGTH,
    check_text,
)
from millstream.stores.sql.driver import many
from millstream.stores.sql.logging import log_one
from millstream.stores.sql.schema import dataset_inputs, datasets, run_tags
from millstream.stores.sql.transaction import Transaction, executes, find_run

_CONTEXT_TAG = "mlflow.data.context"
_HISTORY_TAG = "mlflow.log-model.history"
_INSERT_LINK = "INSERT INTO model_links (run, direction, model_id, step) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_UPSERT_TAG = (
    "INSERT INTO dataset_input_tags (input, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (input, key) DO UPDATE SET value = excluded.value"
)


def check_dataset(dataset: Dataset, where: str) -> None:
    """Hold a dataset to the limits. Raises InvalidValue that names the field."""
    for name, limit in (
        ("name", DATASET_NAME_LENGTH),
        ("digest", DATASET_DIGEST_LENGTH),
        ("source", DATASET_SOURCE_LENGTH),
        ("schema", DATASET_SCHEMA_LENGTH),
        ("profile", DATASET_PROFILE_LENGTH),
        ("source_type", KEY_LENGTH),
    ):
        value = getattr(dataset, name)
        if value is None:
            continue
        if not value and name not in ("schema", "profile", "source"):
            raise InvalidValue.of(f"{where}.{name}", value, "it may not be empty")
        check_text(value, limit, f"{where}.{name}")


@executes(LogInputs)
def log_inputs(transaction: Transaction, operation: LogInputs) -> None:
    run = find_run(transaction, operation.run_id, active=True)
    if len(operation.datasets) > INPUTS or len(operation.models) > INPUTS:
        raise LimitExceeded(f"at most {INPUTS} inputs may be logged at once")
    for index, used in enumerate(operation.datasets):
        check_dataset(used.dataset, f"datasets[{index}].dataset")
        _use_dataset(transaction, run.id, run.experiment_id, used)
    many(transaction.connection, _INSERT_LINK, [(run.id, "input", model.model_id, 0) for model in operation.models])


def _use_dataset(transaction: Transaction, run: int, experiment: int, used: DatasetInput) -> None:
    connection, dataset = transaction.connection, used.dataset
    known = connection.execute(
        select(datasets.c.id).where(
            datasets.c.experiment_id == experiment, datasets.c.name == dataset.name, datasets.c.digest == dataset.digest
        )
    ).scalar()
    if known is None:
        known = connection.execute(
            insert(datasets).values(
                experiment_id=experiment,
                name=dataset.name,
                digest=dataset.digest,
                source_type=dataset.source_type,
                source=dataset.source,
                schema=dataset.schema,
                profile=dataset.profile,
            )
        ).inserted_primary_key[0]  # type: ignore[index]
    context = next((tag.value for tag in used.tags if tag.key == _CONTEXT_TAG), None)
    link = connection.execute(
        select(dataset_inputs.c.id).where(dataset_inputs.c.run == run, dataset_inputs.c.dataset == known)
    ).scalar()
    if link is not None:
        return
    link = connection.execute(
        insert(dataset_inputs).values(run=run, dataset=known, context=context)
    ).inserted_primary_key[0]  # type: ignore[index]
    tags = {tag.key: check_text(tag.value, 500, "tags.value") for tag in used.tags}
    many(connection, _UPSERT_TAG, [(link, key, value) for key, value in sorted(tags.items())])


@executes(LogOutputs)
def log_outputs(transaction: Transaction, operation: LogOutputs) -> None:
    run = find_run(transaction, operation.run_id, active=True)
    if len(operation.models) > INPUTS:
        raise LimitExceeded(f"at most {INPUTS} outputs may be logged at once")
    many(
        transaction.connection,
        _INSERT_LINK,
        [(run.id, "output", model.model_id, model.step) for model in operation.models],
    )


@executes(LogModel)
def log_model(transaction: Transaction, operation: LogModel) -> None:
    run = find_run(transaction, operation.run_id, active=True)
    model = _described(operation.model_json)
    key = transaction.enter_keys([_HISTORY_TAG])[_HISTORY_TAG]
    before = transaction.connection.execute(
        select(run_tags.c.value).where(run_tags.c.run == run.id, run_tags.c.key == key)
    ).scalar()
    history = json.loads(before) if before else []
    text = json.dumps([*history, model])
    # Several models' descriptions outgrow a tag's limit; the oldest give way, as nothing reads them by position.
    while len(text) > 8_000 and len(history) > 0:
        history = history[1:]
        text = json.dumps([*history, model])
    log_one(transaction, LogBatch(operation.run_id, tags=[RunTag(_HISTORY_TAG, text)]))


def _described(model_json: str) -> dict[str, object]:
    try:
        model = json.loads(model_json)
    except ValueError:
        raise InvalidValue.of("model_json", model_json, "it is not JSON") from None
    if not isinstance(model, dict):
        raise InvalidValue.of("model_json", model_json, "it is not a JSON object")
    missing = sorted({"artifact_path", "flavors", "utc_time_created", "run_id"} - model.keys())
    if missing:
        raise InvalidValue.of("model_json", model_json, f"the model lacks {', '.join(missing)}")
    return model
