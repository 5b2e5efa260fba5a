"""Who asks: the header that a proxy names users by is believed where it is set, as one plain name, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.errors import InvalidValue, Unauthenticated
from millstream.operations import OWNER, Needs, Permission, Principal
from millstream.server.config import ServerConfig
from millstream.server.policy import STRANGER, HeaderPolicy, policy_of
from tests.security.conftest import Target
from tests.servers import inside
from tests.servers.wire import Answer, call

HEADER = "X-Forwarded-User"
MODELS = "/api/2.0/mlflow/registered-models"


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("users")
    config = ServerConfig(
        f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"), user_header=HEADER
    )
    with inside.served(config) as address:
        yield address


def create(address: str, name: str, headers: dict[str, str]) -> Answer:
    return call(
        address, "POST", f"{MODELS}/create", {"name": name}, {"Content-Type": "application/json", **headers}
    )


def creator(address: str, name: str, headers: dict[str, str]) -> str:
    """Who a server says has created a model."""
    found = call(address, "GET", f"/api/v1/registered-models/activities?name={name}", None, headers)
    assert found.status == 200, found.text
    user: str = found.json()["activities"][-1]["user_id"]
    return user


def test_the_header_means_nothing_unless_it_is_set(target: Target) -> None:
    for name, user in (("one", "anna"), ("two", "a\tb"), ("three", "")):
        assert create(target.address, name, {HEADER: user}).status == 200
        assert creator(target.address, name, {HEADER: user}) == "owner"


@pytest.mark.parametrize("user", ["anna", "anna@example.com", "EXAMPLE+anna", "auth0|5f7c8", "system:job", "x" * 128])
def test_the_header_names_who_asks(behind_proxy: str, user: str) -> None:
    headers = {HEADER.lower(): user}
    name = f"by-{abs(hash(user))}"
    assert create(behind_proxy, name, headers).status == 200
    assert creator(behind_proxy, name, headers) == user


CYRILLIC = "\u0430nna".encode().decode("latin-1")  # it looks like anna


@pytest.mark.parametrize(
    "user", ["", " ", "a b", "a,b", "a;b", "a\tb", "<b>", "anna/..", "'", '"', "x" * 129, "\xe4", CYRILLIC]
)
def test_odd_names_are_refused(behind_proxy: str, user: str) -> None:
    answer = create(behind_proxy, "never", {HEADER: user})
    assert (answer.status, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert "<b>" not in answer.text


def test_without_the_header_only_what_is_public_answers(behind_proxy: str) -> None:
    for other in ({}, {"X-User": "anna"}, {"X_Forwarded_User": "anna"}, {"Authorization": "Basic YW5uYTp4"}):
        answer = create(behind_proxy, "never", other)
        assert (answer.status, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
        assert HEADER in answer.json()["hint"]
    assert call(behind_proxy, "GET", "/metrics").status == 401
    assert call(behind_proxy, "GET", "/").status == 401
    for path in ("/health", "/version", "/openapi.json"):
        assert call(behind_proxy, "GET", path).status == 200


def test_two_headers_name_nobody() -> None:
    policy = HeaderPolicy(HEADER)
    with pytest.raises(Unauthenticated, match="2 times"):
        policy.identify([(b"x-forwarded-user", b"anna"), (b"X-Forwarded-User", b"ben")])


def test_the_policy_of_a_configuration() -> None:
    owner, proxied = policy_of(None), policy_of(HEADER)
    assert owner.identify([(b"x-forwarded-user", b"anna")]) is OWNER
    assert proxied.identify([]) is STRANGER
    user = proxied.identify([(b"x-forwarded-user", b"anna")])
    assert user == Principal("anna", "user")
    proxied.check(user, Needs(Permission.ADMIN), {})
    proxied.check(STRANGER, Needs(Permission.PUBLIC), {})
    for permission in set(Permission) - {Permission.PUBLIC}:
        with pytest.raises(Unauthenticated):
            proxied.check(STRANGER, Needs(permission), {})


@pytest.mark.parametrize("header", ["", "a b", "X:Y", "-x", "Host", "authorization", "Cookie", "x\n", "X" * 65])
def test_a_header_that_can_name_nobody_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(InvalidValue, match="user_header"):
        ServerConfig(f"sqlite:///{tmp_path}/store.db", user_header=header)


def test_beyond_loopback_the_header_does_not_replace_consent(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="full access"):
        ServerConfig(f"sqlite:///{tmp_path}/store.db", host="0.0.0.0", user_header=HEADER)
