"""The part of the store contract that is about registered models, as tests."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from millstream.entities import LoggedModelTag
from millstream.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelTag,
    RegistryActivity,
)
from millstream.errors import (
    AlreadyExists,
    InvalidState,
    InvalidValue,
    LimitExceeded,
    RegisteredModelNotFound,
)
from millstream.operations import (
    CreateExperiment,
    CreateLoggedModel,
    CreateModelVersion,
    CreateRegisteredModel,
    CreateRun,
    DeleteExperiment,
    DeleteLoggedModel,
    DeleteModelVersion,
    DeleteModelVersionTag,
    DeleteRegisteredModel,
    DeleteRegisteredModelAlias,
    DeleteRegisteredModelTag,
    DeleteRun,
    FindArtifactPin,
    FindGarbage,
    GetHolders,
    GetLatestVersions,
    GetLoggedModel,
    GetModelVersion,
    GetModelVersionByAlias,
    GetModelVersionDownloadUri,
    GetRegisteredModel,
    ListRegistryActivities,
    PurgeGarbage,
    RenameRegisteredModel,
    RollBack,
    SearchModelVersions,
    SearchRegisteredModels,
    SetLoggedModelTags,
    SetModelVersionTag,
    SetRegisteredModelAlias,
    SetRegisteredModelTag,
    TransitionModelVersionStage,
    UpdateModelVersion,
    UpdateRegisteredModel,
    VerifyRegistryActivities,
)
from millstream.stores.contract import Store

BUCKET = "s3://bucket/models"


def register(store: Store, name: str, versions: int = 0, **fields: Any) -> RegisteredModel:
    """A registered model with this many versions."""
    made = store.execute(CreateRegisteredModel(name, **fields)).registered_model
    for number in range(1, versions + 1):
        assert add(store, name, f"{BUCKET}/{number}").version == str(number)
    return made


def add(store: Store, name: str, source: str = BUCKET, **fields: Any) -> ModelVersion:
    """The version that was just created."""
    return store.execute(CreateModelVersion(name, source, **fields)).model_version


def read(store: Store, name: str, version: object) -> ModelVersion:
    """The version as it stands."""
    return store.execute(GetModelVersion(name, str(version))).model_version


def move(store: Store, name: str, version: object, stage: str, archive: bool = False) -> ModelVersion:
    """The version after its move."""
    return store.execute(TransitionModelVersionStage(name, str(version), stage, archive)).model_version


def stages(store: Store, name: str) -> dict[str, str | None]:
    """Version → stage."""
    found = store.execute(SearchModelVersions(f"name = '{name}'", order_by=["version_number"])).model_versions
    return {version.version: version.current_stage for version in found}


def log(store: Store, name: str, **fields: Any) -> list[RegistryActivity]:
    """What has happened, the oldest first."""
    return store.execute(ListRegistryActivities(name, **fields)).activities[::-1]


def now(store: Store, name: str, stage: str | None = None, alias: str | None = None) -> list[str]:
    """Who holds a stage or an alias."""
    return store.execute(GetHolders(name, stage, alias)).versions


class RegisteredModels:
    """Registered models by themselves."""

    def test_a_model_keeps_what_it_was_created_with(self, store: Store) -> None:
        made = register(store, "loan", tags=[RegisteredModelTag("team", "risk")], description="who may borrow")
        assert (made.name, made.tags, made.description) == ("loan", {"team": "risk"}, "who may borrow")
        assert made.creation_timestamp == made.last_updated_timestamp
        assert made.latest_versions == []
        assert store.execute(GetRegisteredModel("loan")).registered_model == made

    @pytest.mark.parametrize("name", ["  ", "a/b", "a:b", ".", "..", "n" * 257, "m-" + "0" * 32])
    def test_a_name_stands_in_addresses(self, store: Store, name: str) -> None:
        with pytest.raises(InvalidValue, match="name"):
            store.execute(CreateRegisteredModel(name))
        register(store, "loan")
        with pytest.raises(InvalidValue, match="name"):
            store.execute(RenameRegisteredModel("loan", name))

    @pytest.mark.parametrize("name", ["a b", "ключ", "it's", 'a"b', "100%", "a.b-c_d", "n" * 256])
    def test_other_names_are_fine(self, store: Store, name: str) -> None:
        register(store, name)
        assert add(store, name).name == name
        found = store.execute(SearchRegisteredModels(f"name = '{name}'" if "'" not in name else f'name = "{name}"'))
        assert [model.name for model in found.registered_models] == [name]

    def test_a_name_is_taken_once_until_its_model_is_deleted(self, store: Store) -> None:
        register(store, "loan", 2)
        with pytest.raises(AlreadyExists, match="already exists"):
            register(store, "loan")
        store.execute(DeleteRegisteredModel("loan"))
        with pytest.raises(RegisteredModelNotFound):
            store.execute(GetRegisteredModel("loan"))
        with pytest.raises(RegisteredModelNotFound):
            read(store, "loan", 1)
        register(store, "loan", 1)
        assert stages(store, "loan") == {"1": "None"}

    def test_rename_takes_the_versions_along(self, store: Store) -> None:
        register(store, "loan", 2)
        register(store, "taken")
        store.execute(SetRegisteredModelAlias("loan", "champion", "2"))
        with pytest.raises(AlreadyExists):
            store.execute(RenameRegisteredModel("loan", "taken"))
        renamed = store.execute(RenameRegisteredModel("loan", "credit")).registered_model
        assert (renamed.name, renamed.aliases) == ("credit", {"champion": "2"})
        assert stages(store, "credit") == {"1": "None", "2": "None"}
        assert store.execute(GetModelVersionByAlias("credit", "champion")).model_version.name == "credit"
        with pytest.raises(RegisteredModelNotFound):
            store.execute(GetRegisteredModel("loan"))
        assert store.execute(RenameRegisteredModel("credit", "credit")).registered_model.name == "credit"

    def test_descriptions_and_tags(self, store: Store) -> None:
        register(store, "loan")
        assert store.execute(UpdateRegisteredModel("loan", "new")).registered_model.description == "new"
        assert store.execute(UpdateRegisteredModel("loan")).registered_model.description is None
        for value in ("risk", "credit"):
            store.execute(SetRegisteredModelTag("loan", "team", value))
        store.execute(SetRegisteredModelTag("loan", "long", "x" * 100_000))
        with pytest.raises(LimitExceeded):
            store.execute(SetRegisteredModelTag("loan", "long", "x" * 100_001))
        with pytest.raises(InvalidValue, match="key"):
            store.execute(SetRegisteredModelTag("loan", "a#b", "x"))
        for _ in range(2):
            store.execute(DeleteRegisteredModelTag("loan", "long"))
        assert store.execute(GetRegisteredModel("loan")).registered_model.tags == {"team": "credit"}

    @pytest.mark.parametrize(
        "operation",
        [
            GetRegisteredModel("no"),
            RenameRegisteredModel("no", "other"),
            UpdateRegisteredModel("no", "x"),
            DeleteRegisteredModel("no"),
            GetLatestVersions("no"),
            SetRegisteredModelTag("no", "k", "v"),
            DeleteRegisteredModelTag("no", "k"),
            SetRegisteredModelAlias("no", "a", "1"),
            DeleteRegisteredModelAlias("no", "a"),
            GetModelVersionByAlias("no", "a"),
            CreateModelVersion("no", BUCKET),
            GetModelVersion("no", "1"),
            GetModelVersionDownloadUri("no", "1"),
            UpdateModelVersion("no", "1"),
            TransitionModelVersionStage("no", "1", "None"),
            DeleteModelVersion("no", "1"),
            SetModelVersionTag("no", "1", "k", "v"),
            DeleteModelVersionTag("no", "1", "k"),
            ListRegistryActivities("no"),
            VerifyRegistryActivities("no"),
            GetHolders("no", stage="None"),
            RollBack("no", stage="Production"),
        ],
        ids=lambda operation: type(operation).__name__,
    )
    def test_an_unknown_model_is_not_found(self, store: Store, operation: Any) -> None:
        with pytest.raises(RegisteredModelNotFound):
            store.execute(operation)

    def test_search(self, store: Store) -> None:
        for index in range(5):
            register(store, f"m{index}", index, tags=[RegisteredModelTag("parity", "odd" if index % 2 else "even")])

        def found(clause: str | None = None, order: list[str] | None = None, **fields: Any) -> list[str]:
            asked = SearchRegisteredModels(clause, order_by=order or [], **fields)
            return [model.name for model in store.execute(asked).registered_models]

        everything = ["m0", "m1", "m2", "m3", "m4"]
        assert found() == found("name LIKE 'm%'") == everything
        assert found("tags.parity = 'odd'") == found("tags.parity != 'even'") == ["m1", "m3"]
        assert found("name ILIKE 'M_' AND NOT (name = 'm1' OR name IN ('m2', 'm3'))") == ["m0", "m4"]
        assert found("tag.`mlflow.prompt.is_prompt` != 'true' AND name != 'm0'") == everything[1:]
        assert found(order=["name DESC"], max_results=2) == ["m4", "m3"]
        store.execute(UpdateRegisteredModel("m2", "now"))
        assert found(order=["last_updated_timestamp DESC"])[0] == "m2"
        pages, token = [], None
        while True:
            page = store.execute(SearchRegisteredModels(max_results=2, page_token=token))
            pages.append([model.name for model in page.registered_models])
            token = page.next_page_token
            if token is None:
                break
        assert pages == [["m0", "m1"], ["m2", "m3"], ["m4"]]
        whole = store.execute(SearchRegisteredModels("name = 'm3'")).registered_models[0]
        assert [version.version for version in whole.latest_versions] == ["3"]

    @pytest.mark.parametrize("size", [0, 1_001])
    def test_the_size_of_a_page_of_models_has_limits(self, store: Store, size: int) -> None:
        with pytest.raises(InvalidValue, match="max_results"):
            store.execute(SearchRegisteredModels(max_results=size))


class ModelVersions:
    """Versions, their stages and aliases."""

    def test_a_version_keeps_what_it_was_created_with(self, store: Store) -> None:
        register(store, "loan")
        made = add(
            store, "loan", f"{BUCKET}/x", tags=[ModelVersionTag("k", "v")], run_link="http://x/y", description="first"
        )
        assert (made.name, made.version, made.current_stage, made.status) == ("loan", "1", "None", "READY")
        assert (made.source, made.run_id, made.run_link, made.description) == (f"{BUCKET}/x", "", "http://x/y", "first")
        assert (made.tags, made.aliases, made.model_id) == ({"k": "v"}, [], None)
        assert made.creation_timestamp == made.last_updated_timestamp
        assert read(store, "loan", 1) == made
        assert store.execute(GetModelVersionDownloadUri("loan", "1")).artifact_uri == f"{BUCKET}/x"
        assert store.execute(GetRegisteredModel("loan")).registered_model.latest_versions == [made]

    def test_numbers_are_given_once(self, store: Store) -> None:
        register(store, "loan", 3)
        store.execute(DeleteModelVersion("loan", "3"))
        store.execute(DeleteModelVersion("loan", "1"))
        assert add(store, "loan").version == "4"
        with pytest.raises(RegisteredModelNotFound, match="version=3"):
            read(store, "loan", 3)
        with pytest.raises(RegisteredModelNotFound):
            store.execute(DeleteModelVersion("loan", "3"))

    @pytest.mark.parametrize("version", ["0", "-1", "99", str(10**30)])
    def test_a_version_that_is_not_there(self, store: Store, version: str) -> None:
        register(store, "loan", 1)
        with pytest.raises(RegisteredModelNotFound):
            read(store, "loan", version)
        with pytest.raises(RegisteredModelNotFound):
            store.execute(SetRegisteredModelAlias("loan", "a", version))

    @pytest.mark.parametrize("version", ["abc", "1.5", "latest"])
    def test_a_version_is_a_number(self, store: Store, version: str) -> None:
        register(store, "loan", 1)
        with pytest.raises(InvalidValue, match="integer"):
            read(store, "loan", version)

    def test_sources_are_looked_up_once(self, store: Store) -> None:
        register(store, "loan")
        run = store.execute(CreateRun("0")).run.info
        model = store.execute(CreateLoggedModel("0", "net", source_run_id=run.run_id)).model
        store.execute(SetLoggedModelTags(model.model_id, [LoggedModelTag("mine", "kept")]))

        def place(source: str, **fields: Any) -> tuple[str, str | None, str | None]:
            made = add(store, "loan", source, **fields)
            assert made.source == source
            where = store.execute(GetModelVersionDownloadUri("loan", made.version)).artifact_uri
            return where, made.run_id, made.model_id

        assert place(f"runs:/{run.run_id}/a/b") == (f"{run.artifact_uri}/a/b", run.run_id, None)
        assert place(f"{run.artifact_uri}/a", run_id=run.run_id) == (f"{run.artifact_uri}/a", run.run_id, None)
        of_model = (model.artifact_location, run.run_id, model.model_id)
        assert place(f"models:/{model.model_id}", model_id=model.model_id) == of_model
        assert place(f"runs:/{run.run_id}/net") == of_model
        assert place(model.artifact_location, model_id=model.model_id) == of_model
        assert place("models:/loan/1") == (f"{run.artifact_uri}/a/b", run.run_id, None)
        store.execute(DeleteLoggedModel(model.model_id))
        assert store.execute(GetModelVersionDownloadUri("loan", "3")).artifact_uri == model.artifact_location

    def test_a_logged_model_knows_its_versions(self, store: Store) -> None:
        register(store, "loan")
        model = store.execute(CreateLoggedModel("0", "net")).model
        for _ in range(2):
            add(store, "loan", f"models:/{model.model_id}")
        add(store, "loan", "models:/loan/1")
        tags = store.execute(GetLoggedModel(model.model_id)).model.tags
        assert tags["mlflow.modelVersions"] == '[{"name": "loan", "version": 1}, {"name": "loan", "version": 2}]'

    def test_copies_are_of_what_an_address_means_now(self, store: Store) -> None:
        register(store, "loan", 3)
        register(store, "credit")
        store.execute(SetRegisteredModelAlias("loan", "champion", "1"))
        move(store, "loan", 2, "Production")
        for source, version in (("loan@champion", 1), ("loan/production", 2), ("loan/latest", 3), ("loan/2", 2)):
            copy = add(store, "credit", f"models:/{source}")
            assert copy.source == f"models:/loan/{version}"
            where = store.execute(GetModelVersionDownloadUri("credit", copy.version)).artifact_uri
            assert where == f"{BUCKET}/{version}"
        for source in ("loan/9", "nobody/1", "loan/Staging"):
            with pytest.raises(RegisteredModelNotFound):
                add(store, "credit", f"models:/{source}")

    @pytest.mark.parametrize("source", ["runs:/", "runs:abc", "models:/", "models:/a/b/c/d", "models:/loan/nowhere"])
    def test_an_address_must_be_one(self, store: Store, source: str) -> None:
        register(store, "loan", 1)
        with pytest.raises(InvalidValue):
            add(store, "loan", source)

    @pytest.mark.parametrize("path", ["../x", "a/../../x", "%2e%2e/x", "a/%252e%252e/x", "a\\..\\x", "a/%2fetc"])
    def test_a_source_leads_down_only(self, store: Store, path: str) -> None:
        register(store, "loan")
        run_id = store.execute(CreateRun("0")).run.info.run_id
        with pytest.raises(InvalidValue):
            add(store, "loan", f"runs:/{run_id}/{path}")

    def test_a_source_and_an_id_that_do_not_agree(self, store: Store) -> None:
        register(store, "loan")
        one, two = (store.execute(CreateRun("0")).run.info.run_id for _ in range(2))
        with pytest.raises(InvalidValue, match="run_id"):
            add(store, "loan", f"runs:/{one}/model", run_id=two)

    def test_stages(self, store: Store) -> None:
        register(store, "loan", 4)
        assert move(store, "loan", 1, "production").current_stage == "Production"
        assert move(store, "loan", 2, "PRODUCTION").current_stage == "Production"
        move(store, "loan", 3, "Staging")
        assert stages(store, "loan") == {"1": "Production", "2": "Production", "3": "Staging", "4": "None"}
        moved = move(store, "loan", 3, "Production", archive=True)
        assert (moved.current_stage, moved.aliases) == ("Production", [])
        assert stages(store, "loan") == {"1": "Archived", "2": "Archived", "3": "Production", "4": "None"}
        latest = store.execute(GetLatestVersions("loan")).model_versions
        assert [(one.version, one.current_stage) for one in latest] == [
            ("2", "Archived"), ("3", "Production"), ("4", "None")
        ]
        some = store.execute(GetLatestVersions("loan", ["staging", "none"])).model_versions
        assert [one.version for one in some] == ["4"]
        with pytest.raises(InvalidValue, match="stage"):
            move(store, "loan", 1, "nowhere")
        with pytest.raises(InvalidValue, match="archive"):
            move(store, "loan", 1, "Archived", archive=True)

    def test_aliases(self, store: Store) -> None:
        register(store, "loan", 2)
        for alias, version in (("champion", "1"), ("Champion", "2"), ("b-1_x", "2"), ("champion", "2"), ("12", "1")):
            store.execute(SetRegisteredModelAlias("loan", alias, version))
        model = store.execute(GetRegisteredModel("loan")).registered_model
        assert model.aliases == {"12": "1", "Champion": "2", "b-1_x": "2", "champion": "2"}
        assert read(store, "loan", 2).aliases == ["Champion", "b-1_x", "champion"]
        for _ in range(2):
            store.execute(DeleteRegisteredModelAlias("loan", "Champion"))
        store.execute(DeleteModelVersion("loan", "2"))
        assert store.execute(GetRegisteredModel("loan")).registered_model.aliases == {"12": "1"}
        with pytest.raises(InvalidValue, match="alias champion not found"):
            store.execute(GetModelVersionByAlias("loan", "champion"))

    @pytest.mark.parametrize("alias", ["latest", "Latest", "v1", "V22", "a b", "a.b", "a/b", "x" * 256])
    def test_an_alias_must_be_one(self, store: Store, alias: str) -> None:
        register(store, "loan", 1)
        with pytest.raises(InvalidValue):
            store.execute(SetRegisteredModelAlias("loan", alias, "1"))

    def test_descriptions_and_tags_of_versions(self, store: Store) -> None:
        register(store, "loan", 1)
        assert store.execute(UpdateModelVersion("loan", "1", "new")).model_version.description == "new"
        assert store.execute(UpdateModelVersion("loan", "1")).model_version.description is None
        for value in ("a", "b"):
            store.execute(SetModelVersionTag("loan", "1", "k", value))
        store.execute(SetModelVersionTag("loan", "1", "gone", ""))
        for _ in range(2):
            store.execute(DeleteModelVersionTag("loan", "1", "gone"))
        assert read(store, "loan", 1).tags == {"k": "b"}

    def test_search_of_versions(self, store: Store) -> None:
        register(store, "loan", 5)
        register(store, "credit", 2)
        run_id = store.execute(CreateRun("0")).run.info.run_id
        add(store, "credit", f"runs:/{run_id}/model", tags=[ModelVersionTag("good", "yes")])

        def found(clause: str | None = None, order: list[str] | None = None, **fields: Any) -> list[tuple[str, int]]:
            asked = SearchModelVersions(clause, order_by=order or ["name", "version_number"], **fields)
            return [(one.name, int(one.version)) for one in store.execute(asked).model_versions]

        credit = [("credit", number) for number in (1, 2, 3)]
        loan = [("loan", number) for number in (1, 2, 3, 4, 5)]
        assert found() == credit + loan
        assert found("name = 'loan' AND version_number > 3") == loan[3:]
        assert found("name = 'loan' AND version_number IN (1, '5')") == [loan[0], loan[4]]
        for clause in (f"run_id = '{run_id}'", "tags.good = 'yes'", "NOT source_path LIKE 's3%'"):
            assert found(clause) == credit[2:]
        assert found("name ILIKE 'CRED%'", ["version_number DESC"]) == credit[::-1]
        store.execute(UpdateModelVersion("loan", "2", "changed last"))
        newest = store.execute(SearchModelVersions(max_results=1)).model_versions
        assert [(one.name, one.version) for one in newest] == [("loan", "2")]

    def test_pages_of_versions_are_complete_while_others_write(self, store: Store) -> None:
        register(store, "loan", 7)
        seen: list[str] = []
        token = None
        for _ in range(10):
            page = store.execute(SearchModelVersions("name = 'loan'", 2, ["version_number DESC"], token))
            seen += [one.version for one in page.model_versions]
            token = page.next_page_token
            add(store, "loan")
            if token is None:
                break
        assert seen == ["7", "6", "5", "4", "3", "2", "1"]
        with pytest.raises(InvalidValue, match="page token"):
            store.execute(SearchModelVersions("name = 'other'", page_token=page.next_page_token or "x"))

    def test_creators_at_once_get_different_numbers(self, store: Store) -> None:
        register(store, "loan")
        made: list[str] = []

        def create() -> None:
            for _ in range(5):
                made.append(add(store, "loan").version)

        _at_once([create] * 4)
        assert sorted(map(int, made)) == list(range(1, 21))
        assert store.execute(VerifyRegistryActivities("loan")).intact

    def test_of_creators_of_one_name_at_once_one_wins(self, store: Store) -> None:
        refused: list[AlreadyExists] = []

        def create() -> None:
            try:
                register(store, "loan")
            except AlreadyExists as error:
                refused.append(error)

        _at_once([create] * 5)
        assert len(refused) == 4
        assert len(log(store, "loan")) == 1

    def test_a_move_to_where_a_version_is_changes_nothing(self, store: Store) -> None:
        register(store, "loan", 2)
        move(store, "loan", 1, "Production")
        before = log(store, "loan")
        assert move(store, "loan", 1, "Production", archive=True).current_stage == "Production"
        assert log(store, "loan") == before
        move(store, "loan", 2, "Production")
        move(store, "loan", 2, "Production", archive=True)
        assert stages(store, "loan") == {"1": "Archived", "2": "Production"}
        assert store.execute(RollBack("loan", stage="Production")).versions == ["1", "2"]
        assert store.execute(RollBack("loan", stage="Production")).versions == ["1"]

    def test_of_moves_to_production_at_once_one_is_left(self, store: Store) -> None:
        register(store, "loan", 6)
        _at_once([partial(move, store, "loan", number, "Production", archive=True) for number in range(1, 7)])
        assert sorted(stages(store, "loan").values(), key=str) == ["Archived"] * 5 + ["Production"]
        check = store.execute(VerifyRegistryActivities("loan"))
        assert (check.intact, check.checked) == (True, 13)


class History:
    """What has happened, and how it is taken back."""

    def test_every_change_is_written_down(self, store: Store) -> None:
        register(store, "loan", 2, description="d")
        store.execute(SetRegisteredModelTag("loan", "t", "1"))
        store.execute(SetModelVersionTag("loan", "1", "t", "2"))
        store.execute(SetRegisteredModelAlias("loan", "a", "1"))
        store.execute(SetRegisteredModelAlias("loan", "a", "1"))
        move(store, "loan", 1, "Production")
        move(store, "loan", 2, "Production", archive=True)
        store.execute(UpdateModelVersion("loan", "2", "text"))
        store.execute(DeleteModelVersion("loan", "1"))
        store.execute(RenameRegisteredModel("loan", "credit"))
        found = [
            (one.sequence, one.kind, one.version, one.key, one.before, one.after, one.others)
            for one in log(store, "credit")
        ]
        assert found == [
            (1, "registered_model.created", None, None, None, "d", []),
            (2, "model_version.created", "1", None, None, f"{BUCKET}/1", []),
            (3, "model_version.created", "2", None, None, f"{BUCKET}/2", []),
            (4, "registered_model_tag.set", None, "t", None, "1", []),
            (5, "model_version_tag.set", "1", "t", None, "2", []),
            (6, "model_version_alias.created", "1", "a", None, "1", []),
            (7, "model_version.transitioned", "1", None, "None", "Production", []),
            (8, "model_version.transitioned", "2", None, "None", "Production", ["1"]),
            (9, "model_version.updated", "2", None, "", "text", []),
            (10, "model_version.deleted", "1", "a", "Archived", None, []),
            (11, "registered_model.renamed", None, None, "loan", "credit", []),
        ]
        assert [one.sequence for one in log(store, "credit", version="1")] == [2, 5, 6, 7, 8, 10]
        assert {one.user_id for one in log(store, "credit")} == {"owner"}
        times = [one.timestamp for one in log(store, "credit")]
        assert times == sorted(times)

    def test_the_chain_outlives_its_model(self, store: Store) -> None:
        register(store, "loan", 3)
        chain = log(store, "loan")
        assert chain[0].previous_hash == ""
        assert [one.previous_hash for one in chain[1:]] == [one.hash for one in chain[:-1]]
        store.execute(DeleteRegisteredModel("loan"))
        check = store.execute(VerifyRegistryActivities("loan"))
        assert (check.intact, check.checked, check.reason) == (True, 5, None)
        assert log(store, "loan")[:4] == chain
        register(store, "loan")
        assert [one.kind for one in log(store, "loan")] == ["registered_model.created"]

    def test_pages_of_activities(self, store: Store) -> None:
        register(store, "loan", 4)
        first = store.execute(ListRegistryActivities("loan", max_results=3))
        rest = store.execute(ListRegistryActivities("loan", max_results=3, page_token=first.next_page_token))
        assert [one.sequence for one in [*first.activities, *rest.activities]] == [5, 4, 3, 2, 1]
        assert rest.next_page_token is None

    def test_who_held_what_when(self, store: Store) -> None:
        register(store, "loan", 3)

        def at(time: int, stage: str | None = None, alias: str | None = None) -> list[str]:
            return store.execute(GetHolders("loan", stage, alias, time)).versions

        def settled() -> int:
            """The time of the last activity, once the clock has moved on from it."""
            time, later = log(store, "loan")[-1].timestamp, 0
            while later <= time:
                later = store.execute(UpdateModelVersion("loan", "3")).model_version.last_updated_timestamp or 0
            return time

        move(store, "loan", 1, "Production")
        store.execute(SetRegisteredModelAlias("loan", "champion", "1"))
        one = settled()
        move(store, "loan", 2, "Production", archive=True)
        store.execute(SetRegisteredModelAlias("loan", "champion", "2"))
        two = settled()
        store.execute(DeleteModelVersion("loan", "2"))
        three = settled()
        assert (at(one, stage="Production"), at(one, alias="champion")) == (["1"], ["1"])
        assert (at(two, stage="Production"), at(two, alias="champion")) == (["2"], ["2"])
        assert (at(two, stage="Archived"), at(two, stage="none")) == (["1"], ["3"])
        assert (at(three, stage="Production"), at(three, alias="champion")) == ([], [])
        assert (now(store, "loan", stage="Archived"), now(store, "loan", alias="champion")) == (["1"], [])
        assert store.execute(GetHolders("loan", stage="None", timestamp=1)).versions == []
        for wrong in (GetHolders("loan"), GetHolders("loan", "None", "champion")):
            with pytest.raises(InvalidValue, match="exactly one"):
                store.execute(wrong)

    def test_stages_roll_back_step_by_step(self, store: Store) -> None:
        register(store, "loan", 3)
        for number in (1, 2, 3):
            move(store, "loan", number, "Production", archive=True)
        back = RollBack("loan", stage="production")
        assert store.execute(back).versions == ["2"]
        assert stages(store, "loan") == {"1": "Archived", "2": "Production", "3": "None"}
        assert store.execute(back).versions == ["1"]
        assert store.execute(back).versions == []
        with pytest.raises(InvalidState, match="nothing"):
            store.execute(back)
        assert stages(store, "loan") == dict.fromkeys("123", "None")
        last = log(store, "loan")[-1]
        assert (last.kind, last.version, last.before, last.after) == (
            "model_version.rolled_back", "1", "Production", "None"
        )
        assert store.execute(VerifyRegistryActivities("loan")).intact
        move(store, "loan", 3, "Production", archive=True)
        assert store.execute(back).versions == []
        with pytest.raises(InvalidValue, match="rolled back"):
            store.execute(RollBack("loan", stage="Archived"))

    def test_aliases_roll_back_step_by_step(self, store: Store) -> None:
        register(store, "loan", 3)
        for number in "123":
            store.execute(SetRegisteredModelAlias("loan", "champion", number))
        back = RollBack("loan", alias="champion")
        assert [store.execute(back).versions for _ in range(3)] == [["2"], ["1"], []]
        with pytest.raises(InvalidState, match="nothing"):
            store.execute(back)

    def test_what_is_deleted_does_not_come_back(self, store: Store) -> None:
        register(store, "loan", 2)
        for number in "12":
            move(store, "loan", number, "Production", archive=True)
            store.execute(SetRegisteredModelAlias("loan", "champion", number))
        store.execute(DeleteModelVersion("loan", "1"))
        for back in (RollBack("loan", stage="Production"), RollBack("loan", alias="champion")):
            with pytest.raises(InvalidState, match="version 1 is deleted"):
                store.execute(back)
        assert stages(store, "loan") == {"2": "Production"}


class Pins:
    """Versions hold on to the files they point at."""

    def test_what_a_version_points_at_is_not_thrown_away(self, store: Store) -> None:
        experiment = store.execute(CreateExperiment("churn")).experiment_id
        run = store.execute(CreateRun(experiment)).run.info
        model = store.execute(CreateLoggedModel(experiment, "net")).model
        register(store, "loan")
        add(store, "loan", f"{run.artifact_uri}/model", run_id=run.run_id)
        add(store, "loan", f"models:/{model.model_id}")
        store.execute(DeleteRun(run.run_id))
        store.execute(DeleteLoggedModel(model.model_id))
        reasons = {item.id: item.kept_because for item in store.execute(FindGarbage()).items}
        assert "version 1 of the registered model loan" in str(reasons[run.run_id])
        assert "version 2 of the registered model loan" in str(reasons[model.model_id])
        store.execute(DeleteExperiment(experiment))
        wanted = (
            PurgeGarbage(run_ids=[run.run_id]),
            PurgeGarbage(logged_model_ids=[model.model_id]),
            PurgeGarbage(experiment_ids=[experiment]),
        )
        for purge in wanted:
            with pytest.raises(InvalidState, match="must stay"):
                store.execute(purge)
        store.execute(DeleteModelVersion("loan", "1"))
        with pytest.raises(InvalidState, match="must stay"):
            store.execute(wanted[2])
        store.execute(DeleteRegisteredModel("loan"))
        gone = store.execute(wanted[2])
        assert (gone.experiments, gone.runs, gone.logged_models) == (1, 1, 1)


    def test_files_around_and_inside_of_a_version_are_pinned(self, store: Store) -> None:
        run = store.execute(CreateRun("0")).run.info
        root = str(run.artifact_uri)
        register(store, "loan")
        add(store, "loan", f"runs:/{run.run_id}/a/model")

        def kept(uri: str, path: str | None = None) -> bool:
            reason = store.execute(FindArtifactPin(uri, path)).kept_because
            assert reason is None or "version 1 of the registered model loan" in reason
            return reason is not None

        for path in (None, "a", "a/model", "a/model/MLmodel", "a/model/b/c"):
            assert kept(root, path)
        for path in ("b", "a/mode", "a/model2", "a/other", "model"):
            assert not kept(root, path)
        assert kept(root.rpartition("/")[0], f"{root.rpartition('/')[2]}/a")
        assert not kept(f"{root}2")
        store.execute(DeleteModelVersion("loan", "1"))
        assert not kept(root)


def _at_once(calls: list[Any]) -> None:
    errors: list[BaseException] = []
    gate = threading.Barrier(len(calls))

    def run(call: Any) -> None:
        try:
            gate.wait(30)
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


class RegistryConformance(RegisteredModels, ModelVersions, History, Pins):
    """What a store promises of its registry."""
