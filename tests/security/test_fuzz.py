"""Every operation of the OpenAPI document, with what schemathesis thinks of: no 5xx, no traceback, nothing of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, Response
from schemathesis.checks import not_a_server_error

from millstream.server.config import ServerConfig
from millstream.server.openapi import build
from tests.servers import inside

# Read in this process: only the requests go over the wire.
SCHEMA = schemathesis.openapi.from_dict(build())


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    place = tmp_path_factory.mktemp("fuzzed")
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    with inside.served(config) as address:
        yield address, place


def nothing_leaks(ctx: Any, response: Response, case: Case) -> None:
    """No traceback, no path of a source file."""
    text = response.text
    for tell in ("Traceback (most recent call last)", 'File "', "/site-packages/", "/src/millstream/", ".py\", line"):
        assert tell not in text, f"the answer tells {tell!r}: {text[:500]}"


@SCHEMA.parametrize()
@settings(
    max_examples=20, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
)
def test_no_request_brings_the_server_down(case: Case, fuzzed: tuple[str, Path]) -> None:
    address, place = fuzzed
    response = case.call(base_url=address)
    if response.status_code != 501:  # what this server says it does not have
        case.validate_response(response, checks=[not_a_server_error, nothing_leaks])
    assert str(place) not in response.text
