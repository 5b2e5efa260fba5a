"""Registered models brought in by operation: what they were, what stays, where their files are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.entities.approval import ModelRule
from millstream.entities.model_registry import (
    ModelVersion,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)
from millstream.errors import InvalidValue
from millstream.operations import (
    CreateModelVersion,
    CreateRun,
    CreateWebhook,
    GetModelVersion,
    GetModelVersionDownloadUri,
    GetRegisteredModel,
    ImportedModelVersion,
    ImportedRegisteredModel,
    ImportRegisteredModels,
    ListWebhookDeliveries,
    SearchRegisteredModels,
    SetModelRule,
    VerifyRegistryActivities,
)
from millstream.stores import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "mlruns")) as opened:
        yield opened


def loan(stage: str, description: str, **fields: Any) -> ImportRegisteredModels:
    """The import of a registered model with two versions, the second in this stage."""
    versions = [
        ModelVersion("loan", str(number), 10 + number, 20 + number, description, "anna", where, "s3://bucket/m", "")
        for number, where in ((1, "Archived"), (2, stage))
    ]
    aliases = [RegisteredModelAlias("champion", "2"), RegisteredModelAlias("gone", "7")]
    model = RegisteredModel("loan", 5, 30, description, [], [RegisteredModelTag("team", description)], aliases)
    sent = ImportedRegisteredModel(model, [ImportedModelVersion(one) for one in versions], 7)
    return ImportRegisteredModels([sent], **fields)


def test_registered_models_keep_what_they_were(store: Store) -> None:
    for _ in range(2):
        store.execute(loan("Production", "first"))
    model = store.execute(GetRegisteredModel("loan")).registered_model
    assert (model.creation_timestamp, model.last_updated_timestamp, model.description) == (5, 30, "first")
    assert (model.tags, model.aliases) == ({"team": "first"}, {"champion": "2"})
    version = store.execute(GetModelVersion("loan", "2")).model_version
    assert (version.creation_timestamp, version.last_updated_timestamp, version.user_id) == (12, 22, "anna")
    assert (version.current_stage, version.description) == ("Production", "first")
    assert store.execute(VerifyRegistryActivities("loan")).checked == 6
    assert store.execute(CreateModelVersion("loan", "s3://bucket/next")).model_version.version == "8"


def test_webhooks_are_not_told_what_happened_elsewhere(store: Store) -> None:
    store.execute(CreateWebhook("all", "https://ci.example.com/hook", ["*"]))
    store.execute(loan("Production", "first"))
    assert not store.execute(ListWebhookDeliveries()).deliveries
    store.execute(CreateModelVersion("loan", "s3://bucket/next"))
    assert [one.event for one in store.execute(ListWebhookDeliveries()).deliveries] == ["model_version.created"]


def test_what_is_here_stays_unless_it_is_overwritten(store: Store) -> None:
    store.execute(loan("Production", "first"))
    store.execute(SetModelRule("loan", ModelRule("never", "tag", ["Staging"], tag="no")))
    store.execute(loan("Staging", "second"))
    assert store.execute(GetModelVersion("loan", "2")).model_version.current_stage == "Production"
    assert store.execute(GetRegisteredModel("loan")).registered_model.description == "first"
    store.execute(loan("Staging", "second", overwrite=True))  # rules are not asked
    version = store.execute(GetModelVersion("loan", "2")).model_version
    assert (version.current_stage, version.description) == ("Staging", "second")
    model = store.execute(GetRegisteredModel("loan")).registered_model
    assert (model.description, model.tags) == ("second", {"team": "second"})
    assert store.execute(VerifyRegistryActivities("loan")).intact


def test_the_files_of_a_version_are_where_its_run_has_them(store: Store) -> None:
    run = store.execute(CreateRun("0")).run.info
    for number, (source, location, place) in enumerate((
        (f"runs:/{run.run_id}/m", None, f"{run.artifact_uri}/m"), ("models:/nobody/1", None, "models:/nobody/1"),
        ("models:/nobody/1", "s3://bucket/x", "s3://bucket/x"), ("s3://old/x", "s3://new/x", "s3://new/x"),
    ), 1):
        version = ModelVersion("loan", str(number), 1, source=source)
        sent = ImportedRegisteredModel(RegisteredModel("loan"), [ImportedModelVersion(version, location)])
        store.execute(ImportRegisteredModels([sent]))
        assert store.execute(GetModelVersionDownloadUri("loan", str(number))).artifact_uri == place


@pytest.mark.parametrize(
    ("name", "version", "stage"),
    [("a/b", "1", "None"), ("fine", "0", "None"), ("fine", "x", "None"), ("fine", "1", "Up")],
)
def test_a_registered_model_that_cannot_be_is_refused_whole(store: Store, name: str, version: str, stage: str) -> None:
    made = ModelVersion(name, version, 1, current_stage=stage, source="s3://bucket/x")
    with pytest.raises(InvalidValue):
        sent = ImportedRegisteredModel(RegisteredModel(name), [ImportedModelVersion(made)])
        store.execute(ImportRegisteredModels([sent]))
    assert store.execute(SearchRegisteredModels()).registered_models == []
