"""What paths mean to a host."""

from __future__ import annotations

import pytest

from millstream.errors import InvalidValue
from millstream.serving.endpoints.requests import way_of
from millstream.serving.endpoints.run import HostConfig


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        (b"/ping", ("ping", "", "", b"")),
        (b"/", ("list", "", "", b"")),
        (b"/endpoints/loan", ("status", "loan", "", b"")),
        (b"/endpoints/loan/invocations", ("endpoint", "loan", "", b"/invocations")),
        (b"/endpoints/loan/openapi.json", ("endpoint", "loan", "", b"/openapi.json")),
        (b"/endpoints/my%20model/invocations", ("endpoint", "my model", "", b"/invocations")),
        (b"/endpoints/m%C3%A9/invocations", ("endpoint", "mé", "", b"/invocations")),
        (b"/model/loan/3/invocations", ("model", "loan", "3", b"/invocations")),
        (b"/model/loan/%40best/openapi.json", ("model", "loan", "@best", b"/openapi.json")),
    ],
)
def test_paths(path: bytes, meaning: tuple[str, str, str, bytes]) -> None:
    way = way_of(path)
    assert way is not None
    assert (way.kind, way.name, way.target, way.rest) == meaning


@pytest.mark.parametrize(
    "path",
    [b"/endpoints", b"/endpoints/", b"/endpoints/a/b", b"/endpoints/a/metrics", b"/endpoints/a/invocations/",
     b"/endpoints/%ff/invocations", b"/model/a/1", b"/model/a/1/2/invocations", b"/model/a/invocations", b"//a/b", b"",
     b"endpoints/a/invocations", b"/endpoints/a/../b/invocations"],
)
def test_other_paths_are_nobodys(path: bytes) -> None:
    assert way_of(path) is None


@pytest.mark.parametrize(
    ("given", "word"),
    [({"port": 65536}, "port"), ({"workers_max": 0}, "workers_max"), ({"start_seconds": 0}, "start_seconds"),
     ({"address": "scoring"}, "address"), ({"address": "ftp://a"}, "address"), ({"host": "10.0.0.1"}, "10.0.0.1"),
     ({"host": "0.0.0.0", "no_sign_in": True}, "0.0.0.0")],
)
def test_hosts_that_cannot_be(given: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidValue, match=word):
        HostConfig(**given)  # type: ignore[arg-type]


def test_a_host_that_others_reach_says_where() -> None:
    config = HostConfig(host="0.0.0.0", no_sign_in=True, address="http://scoring.example.com:5002")
    assert config.address == "http://scoring.example.com:5002"
