"""The part of the store contract that is about serving endpoints, as tests."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.entities.endpoint import (
    CanaryStep,
    EndpointLimits,
    ServedVersion,
    Share,
)
from millstream.errors import (
    AlreadyExists,
    Conflict,
    InvalidValue,
    RegisteredModelNotFound,
    ServingEndpointNotFound,
)
from millstream.operations import (
    BeatServingHost,
    CreateEndpoint,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteEndpoint,
    DeleteModelVersion,
    DeleteRegisteredModel,
    DisableServing,
    EnableServing,
    EndCanary,
    EndpointAnswer,
    EndServingHost,
    GetEndpoint,
    GetEndpointLogs,
    ListEndpointEvents,
    ListEndpoints,
    ListServingHosts,
    Operation,
    ReadServingPlan,
    RenameRegisteredModel,
    ReplicaReport,
    RestartEndpoint,
    SetRegisteredModelAlias,
    SetRegisteredModelTag,
    StartCanary,
    StepCanary,
    TransitionModelVersionStage,
    UpdateEndpoint,
)
from millstream.stores.contract import Store

TWO_STEPS = [CanaryStep(10, 60), CanaryStep(50, 60)]


def served(store: Store, model: str = "loan", versions: int = 2, **fields: Any) -> EndpointAnswer:
    """An endpoint of the name of a new model with this many versions."""
    store.execute(CreateRegisteredModel(model))
    for number in range(versions):
        store.execute(CreateModelVersion(model, f"s3://bucket/{model}/{number}"))
    return store.execute(CreateEndpoint(model, model, **fields))


def percents(store: Store, name: str = "loan") -> dict[str, float]:
    """Version → percent, of those that an endpoint is to serve."""
    return {one.version: round(one.percent, 6) for one in store.execute(GetEndpoint(name)).versions}


def beat(store: Store, host: str = "h1", **fields: Any) -> None:
    """A host says that it lives."""
    store.execute(BeatServingHost(host, f"http://{host}:7000/", "node", 7, 1, **fields))


def report(version: int, state: str = "READY", number: int = 0, **fields: Any) -> ReplicaReport:
    """What a host says of a replica of the endpoint ``loan``."""
    return ReplicaReport("loan", str(version), number, state, 5, **{"pid": 100 + version, **fields})


def kinds(store: Store, name: str = "loan") -> list[str]:
    """What has happened to an endpoint, the oldest first."""
    return [event.kind for event in store.execute(ListEndpointEvents(name)).events[::-1]]


class _Desired:
    """What is wanted of endpoints."""

    def test_an_endpoint_keeps_what_it_was_created_with(self, store: Store) -> None:
        made = served(
            store, traffic=[Share("1", 90), Share("production", 10)], serves="traffic", workers=2, replicas=3,
            env_manager="local", idle_seconds=60, shadow=["2"], limits=EndpointLimits(1000, 2.5, 7),
        ).endpoint
        assert (made.name, made.model, made.enabled, made.revision) == ("loan", "loan", True, 1)
        assert made.traffic == [Share("1", 90.0), Share("Production", 10.0)]
        assert (made.serves, made.workers, made.replicas, made.env_manager) == ("traffic", 2, 3, "local")
        assert (made.idle_seconds, made.shadow, made.limits) == (60.0, ["2"], EndpointLimits(1000, 2.5, 7))
        assert store.execute(GetEndpoint("loan")).endpoint == made

    def test_names_are_taken_once(self, store: Store) -> None:
        served(store)
        with pytest.raises(AlreadyExists, match="loan"):
            store.execute(CreateEndpoint("loan", "loan"))
        with pytest.raises(RegisteredModelNotFound):
            store.execute(CreateEndpoint("other", "absent"))
        for name in (" ", "a/b", "n" * 257):
            with pytest.raises(InvalidValue, match="name"):
                store.execute(CreateEndpoint(name, "loan"))

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"traffic": [Share("1", 0)]}, "weight"),
            ({"traffic": [Share("1", -1)]}, "weight"),
            ({"traffic": [Share("Prod", 1)]}, "target"),
            ({"traffic": [Share("1", 1), Share("1", 2)]}, "twice"),
            ({"serves": "some"}, "serves"),
            ({"workers": 0}, "workers"),
            ({"replicas": 65}, "replicas"),
            ({"env_manager": "pip"}, "env_manager"),
            ({"idle_seconds": -1.0}, "idle_seconds"),
            ({"shadow": ["@"]}, "target"),
            ({"limits": EndpointLimits(seconds=0)}, "seconds"),
        ],
    )
    def test_settings_that_cannot_be(self, store: Store, fields: dict[str, Any], word: str) -> None:
        served(store)
        for operation in (CreateEndpoint("other", "loan", **fields), UpdateEndpoint("loan", **fields)):
            with pytest.raises(InvalidValue, match=word):
                store.execute(operation)
        assert store.execute(GetEndpoint("loan")).endpoint.revision == 1

    def test_a_version_that_is_not_there_gets_no_traffic(self, store: Store) -> None:
        served(store)
        for operation in (UpdateEndpoint("loan", traffic=[Share("3", 1)]), UpdateEndpoint("loan", shadow=["3"])):
            with pytest.raises(RegisteredModelNotFound, match="version=3"):
                store.execute(operation)

    def test_traffic_goes_to_production_else_to_the_newest(self, store: Store) -> None:
        served(store)
        assert percents(store) == {"1": 0.0, "2": 100.0}
        store.execute(TransitionModelVersionStage("loan", "1", "Production"))
        assert percents(store) == {"1": 100.0, "2": 0.0}
        store.execute(TransitionModelVersionStage("loan", "2", "Production", archive_existing_versions=True))
        assert percents(store) == {"2": 100.0}
        store.execute(DeleteModelVersion("loan", "2"))
        assert percents(store) == {}

    def test_traffic_follows_stages_and_aliases(self, store: Store) -> None:
        served(store, versions=3, traffic=[Share("@champion", 3), Share("Staging", 1)])
        store.execute(SetRegisteredModelAlias("loan", "champion", "1"))
        assert percents(store) == {"1": 100.0, "2": 0.0, "3": 0.0}
        store.execute(TransitionModelVersionStage("loan", "2", "Staging"))
        assert percents(store) == {"1": 75.0, "2": 25.0, "3": 0.0}
        store.execute(SetRegisteredModelAlias("loan", "champion", "3"))
        assert percents(store) == {"1": 0.0, "2": 25.0, "3": 75.0}

    def test_an_update_changes_what_it_names(self, store: Store) -> None:
        before = served(store, env_manager="local").endpoint
        after = store.execute(UpdateEndpoint("loan", workers=4)).endpoint
        assert (after.workers, after.env_manager, after.revision) == (4, before.env_manager, 2)
        assert store.execute(UpdateEndpoint("loan", workers=4)).endpoint.revision == 2
        off = store.execute(UpdateEndpoint("loan", enabled=False)).endpoint
        assert (off.enabled, off.state) == (False, "OFF")
        assert kinds(store) == ["endpoint.created", "endpoint.updated", "endpoint.disabled"]

    def test_two_editors_do_not_overwrite_each_other(self, store: Store) -> None:
        served(store)
        store.execute(UpdateEndpoint("loan", revision=1, workers=2))
        with pytest.raises(Conflict, match="revision 2, not 1"):
            store.execute(UpdateEndpoint("loan", revision=1, workers=3))
        assert store.execute(GetEndpoint("loan")).endpoint.workers == 2

    def test_serving_is_switched_on_and_off_by_the_name_of_a_model(self, store: Store) -> None:
        store.execute(CreateRegisteredModel("loan"))
        store.execute(CreateModelVersion("loan", "s3://bucket/1"))
        made = store.execute(EnableServing("loan", "local")).endpoint
        assert (made.name, made.enabled, made.serves, made.env_manager) == ("loan", True, "all", "local")
        (off,) = store.execute(DisableServing("loan")).endpoints
        assert not off.enabled
        on = store.execute(EnableServing("loan")).endpoint
        assert (on.enabled, on.env_manager) == (True, "local")
        assert store.execute(EnableServing("loan")).endpoint.revision == on.revision
        with pytest.raises(RegisteredModelNotFound):
            store.execute(EnableServing("absent"))

    def test_deleting_an_endpoint(self, store: Store) -> None:
        served(store)
        store.execute(DeleteEndpoint("loan"))
        gone: list[Operation[Any]] = [GetEndpoint("loan"), DeleteEndpoint("loan"), UpdateEndpoint("loan", workers=2)]
        for operation in gone:
            with pytest.raises(ServingEndpointNotFound, match="loan"):
                store.execute(operation)

    def test_an_endpoint_goes_with_its_model(self, store: Store) -> None:
        served(store)
        beat(store, replicas=[report(1)])
        store.execute(RenameRegisteredModel("loan", "credit"))
        assert store.execute(GetEndpoint("loan")).endpoint.model == "credit"
        store.execute(DeleteRegisteredModel("credit"))
        assert store.execute(ListEndpoints()).endpoints == []

    def test_pages_of_endpoints(self, store: Store) -> None:
        served(store)
        for name in ("b", "a", "c"):
            store.execute(CreateEndpoint(name, "loan"))
        served(store, "other")
        first = store.execute(ListEndpoints("loan", 3))
        rest = store.execute(ListEndpoints("loan", 3, first.next_page_token))
        assert [one.name for one in [*first.endpoints, *rest.endpoints]] == ["a", "b", "c", "loan"]
        assert rest.next_page_token is None
        assert len(store.execute(ListEndpoints()).endpoints) == 5

    def test_pages_of_events(self, store: Store) -> None:
        served(store)
        for number in range(2, 5):
            store.execute(UpdateEndpoint("loan", workers=number))
        store.execute(RestartEndpoint("loan"))
        first = store.execute(ListEndpointEvents("loan", 3))
        rest = store.execute(ListEndpointEvents("loan", 3, first.next_page_token))
        assert [one.sequence for one in [*first.events, *rest.events]] == [5, 4, 3, 2, 1]
        assert first.events[0].kind == "endpoint.restarted"


class _Canaries:
    """Versions that take over step by step."""

    def test_a_canary_takes_more_and_more_until_it_has_all(self, store: Store) -> None:
        served(store, traffic=[Share("1", 1)])
        store.execute(StartCanary("loan", "2", TWO_STEPS))
        assert percents(store) == {"1": 90.0, "2": 10.0}
        revision = store.execute(GetEndpoint("loan")).endpoint.revision
        stepped = store.execute(StepCanary("loan", revision)).endpoint
        assert stepped.canary is not None
        assert (stepped.canary.step, percents(store)) == (1, {"1": 50.0, "2": 50.0})
        with pytest.raises(Conflict, match="revision"):
            store.execute(StepCanary("loan", revision))
        with pytest.raises(InvalidValue, match="last step"):
            store.execute(StepCanary("loan", stepped.revision))
        done = store.execute(EndCanary("loan", "PROMOTED")).endpoint
        assert (done.traffic, percents(store)) == ([Share("2", 100.0)], {"1": 0.0, "2": 100.0})
        assert kinds(store) == [
            "endpoint.created", "endpoint.canary_started", "endpoint.canary_stepped", "endpoint.canary_promoted"
        ]

    @pytest.mark.parametrize("outcome", ["ROLLED_BACK", "STOPPED"])
    def test_a_canary_that_ends_leaves_the_traffic_as_it_was(self, store: Store, outcome: str) -> None:
        served(store, traffic=[Share("1", 1)])
        store.execute(StartCanary("loan", "2", TWO_STEPS))
        ended = store.execute(EndCanary("loan", outcome, "3 of 20 answers failed")).endpoint.canary
        assert ended is not None
        assert (ended.state, ended.reason) == (outcome, "3 of 20 answers failed")
        assert percents(store) == {"1": 100.0, "2": 0.0}
        with pytest.raises(Conflict, match="no canary"):
            store.execute(EndCanary("loan", outcome))

    def test_one_canary_at_a_time(self, store: Store) -> None:
        served(store)
        store.execute(StartCanary("loan", "1", TWO_STEPS))
        with pytest.raises(Conflict, match="version 1"):
            store.execute(StartCanary("loan", "2", TWO_STEPS))

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"steps": []}, "at least one step"),
            ({"steps": [CanaryStep(50, 1), CanaryStep(50, 1)]}, "percent"),
            ({"steps": [CanaryStep(0, 1)]}, "percent"),
            ({"steps": [CanaryStep(101, 1)]}, "percent"),
            ({"steps": [CanaryStep(1, -1)]}, "seconds"),
            ({"max_error_rate": 1.5}, "max_error_rate"),
            ({"min_requests": -1}, "min_requests"),
            ({"max_seconds": 0.0}, "max_seconds"),
        ],
    )
    def test_canaries_that_cannot_be(self, store: Store, fields: dict[str, Any], word: str) -> None:
        served(store)
        with pytest.raises(InvalidValue, match=word):
            store.execute(StartCanary("loan", "1", **{"steps": TWO_STEPS, **fields}))
        with pytest.raises(RegisteredModelNotFound):
            store.execute(StartCanary("loan", "9", TWO_STEPS))
        with pytest.raises(InvalidValue, match="outcome"):
            store.execute(EndCanary("loan", "WON"))


class _Observed:
    """What hosts report."""

    def test_hosts_live_while_they_beat(self, store: Store) -> None:
        beat(store)
        (host,) = store.execute(ListServingHosts()).hosts
        assert (host.host, host.address, host.node, host.pid) == ("h1", "http://h1:7000", "node", 7)
        assert host.alive
        beat(store, state="STOPPING")
        (host,) = store.execute(ListServingHosts()).hosts
        assert not host.alive
        store.execute(EndServingHost("h1"))
        store.execute(EndServingHost("h1"))
        assert store.execute(ListServingHosts()).hosts == []
        with pytest.raises(InvalidValue, match="address"):
            store.execute(BeatServingHost("h1", "file:///etc", "node", 7, 1))

    def test_an_address_has_one_host(self, store: Store) -> None:
        beat(store, "h1")
        beat(store, "h2")
        store.execute(BeatServingHost("h3", "http://h1:7000", "node", 8, 1))
        assert {host.host for host in store.execute(ListServingHosts()).hosts} == {"h2", "h3"}

    def test_the_state_of_an_endpoint(self, store: Store) -> None:
        served(store)

        def state() -> str:
            return store.execute(GetEndpoint("loan")).endpoint.state

        assert state() == "WAITING"
        beat(store, replicas=[])
        assert state() == "STARTING"
        beat(store, replicas=[report(1, "STARTING"), report(2, "STARTING")])
        assert state() == "STARTING"
        beat(store, replicas=[report(1, "STARTING"), report(2)])
        assert state() == "DEGRADED"
        beat(store, replicas=[report(1, "IDLE", pid=None), report(2)])
        assert state() == "READY"
        beat(store, replicas=[report(1), report(2, "FAILED", error="no module named x")])
        found = store.execute(GetEndpoint("loan")).endpoint
        assert (found.state, found.reason) == ("FAILED", "version 2: no module named x")
        store.execute(UpdateEndpoint("loan", enabled=False))
        assert state() == "STOPPING"
        beat(store, replicas=[])
        assert state() == "OFF"

    def test_replicas_are_what_was_reported_last(self, store: Store) -> None:
        served(store)
        beat(store, replicas=[report(1, port=81, log="one\n"), report(2, number=1, restarts=3)])
        beat(store)  # nothing new
        first, second = store.execute(GetEndpoint("loan")).versions
        assert [(one.pid, one.port, one.host) for one in first.replicas] == [(101, 81, "h1")]
        assert [(one.number, one.restarts, one.state) for one in second.replicas] == [(1, 3, "READY")]
        beat(store, "h2", replicas=[report(1), ReplicaReport("absent", "1", 0, "READY", 5)])
        assert self._hosts(store.execute(GetEndpoint("loan")).versions) == {"1": ["h1", "h2"], "2": ["h1"]}
        beat(store, replicas=[])
        assert self._hosts(store.execute(GetEndpoint("loan")).versions) == {"1": ["h2"], "2": []}
        store.execute(EndServingHost("h2"))
        assert self._hosts(store.execute(GetEndpoint("loan")).versions) == {"1": [], "2": []}

    @staticmethod
    def _hosts(versions: list[ServedVersion]) -> dict[str, list[str]]:
        return {one.version: [replica.host for replica in one.replicas] for one in versions}

    def test_the_last_lines_of_replicas(self, store: Store) -> None:
        served(store)
        beat(store, replicas=[report(1, log="one\n"), report(2, log="two\n")])
        beat(store, replicas=[report(1), report(2, log="three\n")])
        assert [one.text for one in store.execute(GetEndpointLogs("loan")).logs] == ["one\n", "three\n"]
        (log,) = store.execute(GetEndpointLogs("loan", "2")).logs
        assert (log.host, log.version, log.number, log.text) == ("h1", "2", 0, "three\n")

    def test_what_becomes_of_replicas_is_an_event(self, store: Store) -> None:
        served(store)
        beat(store, replicas=[report(1, "STARTING")])
        beat(store, replicas=[report(1)])
        beat(store, replicas=[report(1)])
        beat(store, replicas=[report(1, "FAILED", restarts=1, error="killed")])
        for restarts in (2, 3):
            beat(store, replicas=[report(1, "STARTING", restarts=restarts)])
            beat(store, replicas=[report(1, "FAILED", restarts=restarts)])
        events = store.execute(ListEndpointEvents("loan")).events[::-1]
        assert [(event.kind, event.version, event.detail) for event in events[1:]] == [
            ("endpoint.replica_ready", "1", None), ("endpoint.replica_failed", "1", "killed")
        ]

    def test_the_plan_is_told_when_it_has_changed(self, store: Store) -> None:
        first = store.execute(ReadServingPlan())
        assert (first.changed, first.endpoints) == (True, [])
        served(store)
        second = store.execute(ReadServingPlan(first.token))
        (planned,) = second.endpoints
        assert second.changed
        assert planned.endpoint.name == "loan"
        assert [one.version for one in planned.versions] == ["1", "2"]
        beat(store, replicas=[report(1)])
        assert not store.execute(ReadServingPlan(second.token)).changed
        token = second.token
        changes: list[Operation[Any]] = [
            TransitionModelVersionStage("loan", "1", "Staging"), SetRegisteredModelAlias("loan", "champion", "2"),
            UpdateEndpoint("loan", workers=2), RestartEndpoint("loan"), CreateModelVersion("loan", "s3://bucket/3"),
            SetRegisteredModelTag("loan", "a", "b"), DeleteEndpoint("loan"),
        ]
        for operation in changes:
            store.execute(operation)
            told = store.execute(ReadServingPlan(token))
            assert told.changed, operation
            token = told.token
            if isinstance(operation, SetRegisteredModelAlias):
                stages = {one.version: (one.stage, one.aliases) for one in told.endpoints[0].versions}
                assert stages == {"1": ("Staging", []), "2": ("None", ["champion"])}
        assert told.endpoints == []

    def test_an_endpoint_that_is_off_is_not_planned(self, store: Store) -> None:
        served(store, enabled=False)
        assert store.execute(ReadServingPlan()).endpoints == []


class EndpointConformance(_Desired, _Canaries, _Observed):
    """What a store promises of endpoints."""
