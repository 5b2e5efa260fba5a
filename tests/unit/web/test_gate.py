"""Whose name the server answers to, and whose pages may call it."""

from __future__ import annotations

import pytest

from millstream.errors import BadRequest, InvalidValue, PermissionDenied
from millstream.web.gate import Gate


def passes(gate: Gate, host: str, local: str | None = "127.0.0.1") -> bool:
    try:
        gate.check_host(host.encode(), local)
    except PermissionDenied:
        return False
    return True


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5000",
        "LOCALHOST:1",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.8.9.1:5000",
        "[::1]",
        "[::1]:5000",
        "localhost.",
    ],
)
def test_names_of_this_machine_pass(host: str) -> None:
    assert passes(Gate("127.0.0.1"), host)


@pytest.mark.parametrize(
    "host",
    [
        "10.evil.example",
        "192.168.evil.example:5000",
        "172.16.evil.example",
        "fc00.evil.example",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "192.168.0.1:5000",
        "[fc00::1]",
        "[::ffff:10.0.0.1]",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "127.1",
        "user@localhost",
        "localhost:5000:80",
        "localhost:99999",
        "local host",
        "localhost/",
        "localhost#",
        "",
        "[::1",
        "::1",
        "[::1]x",
    ],
)
def test_other_names_do_not(host: str) -> None:
    assert not passes(Gate("127.0.0.1"), host)


def test_no_host_is_a_broken_request() -> None:
    with pytest.raises(BadRequest):
        Gate("127.0.0.1").check_host(None, "127.0.0.1")


@pytest.mark.parametrize(
    ("entry", "host", "expected"),
    [
        ("mlflow.example.com", "mlflow.example.com", True),
        ("mlflow.example.com", "MLFLOW.example.COM:8080", True),
        ("mlflow.example.com", "mlflow.example.com.evil.example", False),
        ("mlflow.example.com", "xmlflow.example.com", False),
        ("mlflow.example.com:80", "mlflow.example.com:80", True),
        ("mlflow.example.com:80", "mlflow.example.com:81", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com:5000", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "aexample.com", False),
        ("10.0.0.0/8", "10.1.2.3:5000", True),
        ("10.0.0.0/8", "10.evil.example", False),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.5:5000", "10.0.0.5:5000", True),
        ("10.0.0.5:5000", "10.0.0.5:5001", False),
        ("fd00::/8", "[fd00::7]:5000", True),
        ("[fd00::7]:5000", "[fd00::7]:5000", True),
        ("*", "anything.example", True),
    ],
)
def test_allowed_hosts(entry: str, host: str, expected: bool) -> None:
    assert passes(Gate("127.0.0.1", [entry]), host) is expected


@pytest.mark.parametrize("entry", ["192.168.*", "app-*.internal", "http://x", "a b", "x:port"])
def test_a_pattern_that_means_too_much_is_refused(entry: str) -> None:
    with pytest.raises(InvalidValue, match="allowed_hosts"):
        Gate("127.0.0.1", [entry])


def test_a_server_on_all_interfaces_answers_to_the_address_that_was_called() -> None:
    gate = Gate("0.0.0.0")
    assert passes(gate, "192.168.7.7:5000", local="192.168.7.7")
    assert not passes(gate, "192.168.7.8:5000", local="192.168.7.7")
    assert not passes(gate, "192.168.evil.example", local="192.168.7.7")


def test_a_server_answers_to_the_name_it_was_bound_to() -> None:
    assert passes(Gate("10.0.0.5"), "10.0.0.5:80")
    assert passes(Gate("tracking.local"), "tracking.local:5000")


def test_verdicts_are_remembered_within_bounds() -> None:
    gate = Gate("127.0.0.1")
    for number in range(2000):
        assert not passes(gate, f"n{number}.example")
    assert passes(gate, "localhost:5000")


@pytest.mark.parametrize(
    ("origin", "site", "navigation", "expected"),
    [
        (None, None, False, False),  # no browser
        (None, "same-origin", False, False),
        (None, "none", False, False),  # typed into the address bar
        ("http://localhost:5000", "same-origin", False, False),
        ("https://localhost:5000", "same-origin", False, False),  # behind a proxy that speaks TLS
        (None, "cross-site", True, False),  # a link to a page
        ("https://notebooks.example", "cross-site", False, True),
        (None, "cross-site", False, PermissionDenied),
        (None, "same-site", False, PermissionDenied),
        ("http://evil.example", "cross-site", False, PermissionDenied),
        ("http://evil.example", "same-origin", False, PermissionDenied),
        ("http://evil.example", None, True, PermissionDenied),
        ("http://localhost:3000", "same-site", False, PermissionDenied),
        ("http://localhost", None, False, PermissionDenied),
        ("http://notebooks.example", None, False, PermissionDenied),
        ("https://notebooks.example.evil.example", None, False, PermissionDenied),
        ("null", "cross-site", False, PermissionDenied),
        ("file://localhost:5000", None, False, PermissionDenied),
        ("localhost:5000", None, False, PermissionDenied),
    ],
)
def test_origins(origin: str | None, site: str | None, navigation: bool, expected: object) -> None:
    gate = Gate("127.0.0.1", allowed_origins=["https://notebooks.example"])
    encoded = (origin and origin.encode(), site and site.encode())

    def check() -> bool:
        return gate.check_origin(b"localhost:5000", *encoded, navigation=navigation)  # type: ignore[arg-type]

    if expected is PermissionDenied:
        with pytest.raises(PermissionDenied):
            check()
    else:
        assert check() is expected
