"""No route without a declared permission, and none that answers before it was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.errors import PermissionDenied
from millstream.operations import OPERATIONS, Needs, Operation, Permission, Principal
from millstream.server.application import Application
from millstream.server.config import ServerConfig
from millstream.server.policy import STRANGER, Headers, OwnerPolicy, Policy
from millstream.server.routes import API_PREFIXES, ROUTES, Route
from millstream.server.run import open_served_store
from tests.servers import inside
from tests.servers.wire import call

# What may be asked by anybody who reaches the server. Whoever adds to this says why.
PUBLIC = {
    "/health",  # probes have no account
    "/version",
    "/3.0/mlflow/server-info",  # what a client asks before it signs in
    "/openapi.json",  # says nothing that the source does not
    "/docs",
}


# What a reader may do that leaves something behind: speak, and ask for what others decide.
SPEAKING = {"CreateComment", "UpdateComment", "DeleteComment", "CreateTransitionRequest", "DeleteTransitionRequest"}


class Nobody(Policy):
    """Refuses everything, and notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[Needs] = []

    def identify(self, headers: Headers) -> Principal:
        return STRANGER

    def check(self, principal: Principal, needs: Needs, request: object) -> None:
        self.asked.append(needs)
        raise PermissionDenied("nobody may do anything")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Nobody]]:
    place = tmp_path_factory.mktemp("closed")
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    policy = Nobody()
    with inside.served_application(Application(config, open_served_store(config), policy=policy)) as address:
        yield address, policy


def test_the_public_routes_are_these() -> None:
    assert {route.path for route in ROUTES if route.needs.permission is Permission.PUBLIC} == PUBLIC
    assert not [kind for kind in OPERATIONS if kind.endpoint.needs.permission <= Permission.SIGNED_IN]


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_what_writes_needs_more_than_reading(kind: type[Operation[Any]]) -> None:
    needs = kind.endpoint.needs
    assert isinstance(needs, Needs)
    if kind.endpoint.writes:
        assert needs.permission >= (Permission.READ if kind.__name__ in SPEAKING else Permission.EDIT)
    if needs.field is not None:
        assert needs.field in kind.__struct_fields__


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.methods[0]} {route.path}")
def test_a_route_that_changes_something_needs_more_than_reading(route: Route) -> None:
    # A query, or the data of a prediction, is sent and changes nothing.
    asks = route.path == "/graphql" or route.path.endswith("/invocations")
    if set(route.methods) & {"PUT", "POST", "PATCH", "DELETE"} and not asks:
        assert route.needs.permission >= Permission.EDIT


def test_every_path_asks_the_policy_first(closed: tuple[str, Nobody]) -> None:
    address, policy = closed
    asked = 0
    for method, path, needs in everything():
        before = len(policy.asked)
        answer = call(
            address,
            method,
            path,
            None if method in ("GET", "HEAD", "DELETE") else b"{}",
            {"Content-Type": "application/json"},
        )
        assert answer.status in (400, 403), f"{method} {path} answered {answer.status} without leave"
        if answer.status == 403:
            assert policy.asked[before:] == [needs], f"{method} {path} asked for something else than it declares"
            asked += 1
        assert answer.headers["content-type"].startswith("application/json")
    assert asked > 60


def test_no_path_of_the_server_is_outside_of_the_tables(tmp_path: Path) -> None:
    config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination=str(tmp_path / "artifacts"))
    app = Application(config, open_served_store(config))
    try:
        known = {(method, path.partition("?")[0]) for method, path, _ in everything()}
        served = {(method, filled(path)) for path, methods in app.table() for method in methods}
        # Other spellings of the same operations.
        plain = {
            (method, path.replace("/2.0/preview/", "/2.0/").replace("/2.0mlflow/", "/2.0/mlflow/"))
            for method, path in served
        }
        assert {(method, path) for method, path in plain if method != "HEAD"} == known
    finally:
        app.close()


def test_the_owner_is_the_only_one_let_in() -> None:
    policy = OwnerPolicy()
    policy.check(policy.identify([]), Needs(Permission.ADMIN), {})
    policy.check(STRANGER, Needs(Permission.PUBLIC), {})
    for permission in Permission:
        if permission is not Permission.PUBLIC:
            with pytest.raises(PermissionDenied):
                policy.check(Principal("owner", "system"), Needs(permission), {})


def everything() -> Iterator[tuple[str, str, Needs]]:
    """``(method, path, needs)`` of every path that the tables promise; fields are filled in."""
    for kind in OPERATIONS:
        for prefix in API_PREFIXES[1:] if kind.endpoint.ajax_only else API_PREFIXES:
            query = "&".join(f"{name}=x" for name in kind.__struct_fields__) if "GET" in kind.endpoint.methods else ""
            for method in kind.endpoint.methods:
                yield (
                    method,
                    filled(prefix + kind.endpoint.path) + (f"?{query}" if method == "GET" and query else ""),
                    kind.endpoint.needs,
                )
    for route in ROUTES:
        for path in route.paths:
            for method in route.methods:
                yield method, filled(path), route.needs


def filled(path: str) -> str:
    return re.sub(r"\{[a-z_]+\*?\}", "x", path)
