"""Every operation of the OpenAPI document, with what schemathesis thinks of: no 5xx, no traceback, no path of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, Response

from millstream.server.config import ServerConfig
from millstream.server.openapi import build
from tests.servers import inside
from tests.servers.wire import call

API = "/api/2.0/mlflow"

# Read in this process: only the requests go over the wire.
SCHEMA = schemathesis.openapi.from_dict(build())


class Fuzzed(NamedTuple):
    """A server, the folder it lives in, and the ids of what is in it, by the name of the field that names them."""

    address: str
    place: Path
    ids: dict[str, Any]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    place = tmp_path_factory.mktemp("fuzzed")
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    with inside.served(config) as address:
        run = call(address, "POST", f"{API}/runs/create", {"experiment_id": "0"}).json()["run"]["info"]["run_id"]
        model = call(address, "POST", f"{API}/logged-models", {"experiment_id": "0"}).json()["model"]["info"][
            "model_id"
        ]
        point = {"run_id": run, "key": "loss", "value": 1, "timestamp": 1}
        assert call(address, "POST", f"{API}/runs/log-metric", point).status == 200
        yield Fuzzed(
            address,
            place,
            {
                "run_id": run,
                "run_uuid": run,
                "run_ids": [run],
                "model_id": model,
                "experiment_id": "0",
                "experiment_ids": ["0"],
                "metric_key": "loss",
                "key": "loss",
                "filter": "metrics.loss > 0",
            },
        )


def at_home(case: Case[Any], ids: dict[str, Any]) -> None:
    """Every other request names what is there, so that it gets further than to 'not found'."""
    size = len(repr(case.body)) + len(repr(case.query))
    for part in (case.body, case.query, case.path_parameters):
        if isinstance(part, dict):
            for name in set(part) & set(ids):
                if (size + len(name)) % 2:
                    part[name] = ids[name]


# What MLflow's protocol answers with a 5xx although the server is well: the wrong moment, no such thing here.
WELL = {"INVALID_STATE", "NOT_IMPLEMENTED"}


def nothing_broke(ctx: Any, response: Response, case: Case[Any]) -> None:
    """No 5xx but those."""
    if response.status_code >= 500:
        told = response.json()
        # Nobody is there to predict: what a server says that has no serving host.
        assert told["error_code"] in WELL or told.get("error_class") == "NotServing", response.text[:500]


def nothing_leaks(ctx: Any, response: Response, case: Case[Any]) -> None:
    """No traceback, no path of a source file."""
    text = response.text
    for tell in ("Traceback (most recent call last)", 'File "', "/site-packages/", "/src/millstream/", '.py", line'):
        assert tell not in text, f"the answer tells {tell!r}: {text[:500]}"


@SCHEMA.parametrize()
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_no_request_brings_the_server_down(case: Case[Any], fuzzed: Fuzzed) -> None:
    at_home(case, fuzzed.ids)
    response = case.call(base_url=fuzzed.address)
    case.validate_response(response, checks=[nothing_broke, nothing_leaks])
    assert str(fuzzed.place) not in response.text
