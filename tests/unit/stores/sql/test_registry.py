"""What the registry promises beyond the shipped suite: a log that shows what was tampered with, and no deadlock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.entities import LoggedModel, LoggedModelTag
from millstream.errors import AlreadyExists, InvalidState, MillstreamError
from millstream.operations import (
    CreateExperiment,
    CreateLoggedModel,
    CreateModelVersion,
    CreateRegisteredModel,
    CreateRun,
    DeleteRegisteredModel,
    DeleteRun,
    GetLoggedModel,
    GetModelVersionDownloadUri,
    Operation,
    PurgeGarbage,
    SearchModelVersions,
    SetLoggedModelTags,
    SetRegisteredModelTag,
    TransitionModelVersionStage,
    VerifyRegistryActivities,
)
from millstream.stores import Store, open_store
from millstream.stores.sql.store import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path}/store.db", str(tmp_path / "artifacts")) as opened:
        assert isinstance(opened, SqlStore)
        opened.execute(CreateRegisteredModel("loan"))
        for number in range(3):
            opened.execute(CreateModelVersion("loan", f"s3://bucket/{number}"))
            opened.execute(TransitionModelVersionStage("loan", str(number + 1), "Production", True))
        yield opened


def tampered(store: SqlStore, statement: str) -> tuple[bool, int, str | None]:
    """What the check says after somebody has been at the database."""
    with store._database.writing() as connection:
        connection.exec_driver_sql(statement)
    found = store.execute(VerifyRegistryActivities("loan"))
    return found.intact, found.checked, found.reason


@pytest.mark.parametrize(
    ("statement", "checked", "reason"),
    [
        ("UPDATE registry_activities SET user_id = 'nobody' WHERE sequence = 3", 2, "activity 3 is not"),
        ("UPDATE registry_activities SET new_value = 'Staging' WHERE sequence = 7", 6, "activity 7 is not"),
        ("UPDATE registry_activities SET timestamp = timestamp - 1 WHERE sequence = 1", 0, "activity 1 is not"),
        ("UPDATE registry_activities SET others = '1' WHERE sequence = 7", 6, "activity 7 is not"),
        ("DELETE FROM registry_activities WHERE sequence = 4", 3, "activity 4 is missing"),
        ("DELETE FROM registry_activities WHERE sequence = 7", 6, "activities after 6 are missing"),
        ("DELETE FROM registry_activities", 0, "activities after 0 are missing"),
    ],
)
def test_a_log_that_was_tampered_with_shows_it(store: SqlStore, statement: str, checked: int, reason: str) -> None:
    assert store.execute(VerifyRegistryActivities("loan")).checked == 7
    intact, count, why = tampered(store, statement)
    assert (intact, count) == (False, checked)
    assert str(why).startswith(reason)


def test_the_log_of_a_deleted_model_ends_with_its_deletion(store: SqlStore) -> None:
    store.execute(DeleteRegisteredModel("loan"))
    assert store.execute(VerifyRegistryActivities("loan")).intact
    assert tampered(store, "DELETE FROM registry_activities WHERE sequence = 7")[0] is False


def test_a_refused_change_leaves_no_trace_in_the_log(store: SqlStore) -> None:
    refused: tuple[Operation[Any], ...] = (
        SetRegisteredModelTag("loan", "k", "x" * 100_001),
        TransitionModelVersionStage("loan", "9", "Staging"),
        CreateModelVersion("loan", "models:/nobody/1"),
    )
    for operation in refused:
        with pytest.raises(MillstreamError):
            store.execute(operation)
    assert store.execute(VerifyRegistryActivities("loan")).checked == 7


def test_files_below_a_long_root_are_kept_too(tmp_path: Path) -> None:
    root = tmp_path.joinpath(*["a-rather-long-name-of-a-folder"] * 5)
    with open_store(f"sqlite:///{tmp_path}/store.db", str(root)) as store:
        experiment = store.execute(CreateExperiment("other")).experiment_id
        one, two = (store.execute(CreateRun(experiment)).run.info for _ in range(2))
        store.execute(CreateRegisteredModel("loan"))
        store.execute(CreateModelVersion("loan", f"{one.artifact_uri}/model"))
        for run in (one, two):
            store.execute(DeleteRun(run.run_id))
        with pytest.raises(InvalidState, match="version 1 of the registered model loan"):
            store.execute(PurgeGarbage(run_ids=[one.run_id]))
        assert store.execute(PurgeGarbage(run_ids=[two.run_id])).runs == 1


def test_a_place_is_written_as_its_root_is(tmp_path: Path) -> None:
    for root, path in ((tmp_path.as_uri(), "a%20b%23c"), (str(tmp_path), "a b#c")):
        with open_store("sqlite:///:memory:", root) as store:
            store.execute(CreateRegisteredModel("loan"))
            run = store.execute(CreateRun("0")).run.info
            store.execute(CreateModelVersion("loan", f"runs:/{run.run_id}/a b#c"))
            place = store.execute(GetModelVersionDownloadUri("loan", "1")).artifact_uri
            assert place == f"{run.artifact_uri}/{path}"


@pytest.mark.parametrize("text", ["no json", '{"a": 1}', ""])
def test_a_tag_of_a_logged_model_that_is_no_list_is_begun_anew(store: SqlStore, text: str) -> None:
    model = store.execute(CreateLoggedModel("0", "net")).model
    store.execute(SetLoggedModelTags(model.model_id, [LoggedModelTag("mlflow.modelVersions", text)]))
    store.execute(CreateModelVersion("loan", f"models:/{model.model_id}"))
    found: LoggedModel = store.execute(GetLoggedModel(model.model_id)).model
    assert found.tags == {"mlflow.modelVersions": '[{"name": "loan", "version": 4}]'}


def test_servers_that_change_models_in_different_orders_do_not_fail(postgres_uri: str, tmp_path: Path) -> None:
    # Each commits groups: what one operation holds, another of the same group may not be kept waiting for.
    names = "abcd"
    with open_store(postgres_uri, str(tmp_path)) as first, open_store(postgres_uri, str(tmp_path)) as second:
        for name in names:
            first.execute(CreateRegisteredModel(name))
        model_id = first.execute(CreateLoggedModel("0", "net")).model.model_id
        errors: list[BaseException] = []

        def create(index: int) -> None:
            try:
                for step in range(12):
                    name = names[step % 4 if index % 4 < 2 else -1 - step % 4]
                    (first, second)[index % 2].execute(CreateModelVersion(name, f"models:/{model_id}"))
            except MillstreamError as error:
                errors.append(error)

        threads = [threading.Thread(target=create, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        for name in names:
            found = first.execute(SearchModelVersions(f"name = '{name}'")).model_versions
            assert sorted(int(version.version) for version in found) == list(range(1, 25))
            assert first.execute(VerifyRegistryActivities(name)).intact


def test_of_two_servers_that_take_one_name_at_once_one_is_told_that_it_is_taken(
    postgres_uri: str, tmp_path: Path
) -> None:
    with open_store(postgres_uri, str(tmp_path)) as first, open_store(postgres_uri, str(tmp_path)) as second:
        for number in range(10):
            gate = threading.Barrier(2)
            outcomes: list[object] = []

            def create(store: Store, name: str, gate: threading.Barrier, outcomes: list[object]) -> None:
                gate.wait(30)
                try:
                    outcomes.append(store.execute(CreateRegisteredModel(name)).registered_model.name)
                except MillstreamError as error:
                    outcomes.append(type(error))

            threads = [
                threading.Thread(target=create, args=(store, f"raced {number}", gate, outcomes))
                for store in (first, second)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(map(str, outcomes)) == sorted(map(str, [f"raced {number}", AlreadyExists]))
