"""``millstream endpoints``: what is desired, said on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.cli import main
from millstream.cli.endpoint_options import shares, steps
from millstream.cli.host import local
from millstream.entities.endpoint import CanaryStep, EndpointLimits, Share
from millstream.errors import InvalidValue
from millstream.tracking.client import MlflowClient
from tests.isolation import isolated


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
        client = MlflowClient()
        client.create_registered_model("loan")
        for number in range(2):
            client.create_model_version("loan", f"s3://bucket/{number}")
        yield client


def told(client: MlflowClient, name: str = "loan") -> Any:
    return client.get_endpoint(name).endpoint


def test_traffic_rules() -> None:
    assert shares("Production=90, 7=10") == [Share("Production", 90.0), Share("7", 10.0)]
    assert shares("@champion") == [Share("@champion", 100.0)]
    assert shares("default") == []
    with pytest.raises(InvalidValue, match="a=b=c"):
        shares("a=b=c")


def test_steps_of_canaries() -> None:
    assert steps("5:60,25:300") == [CanaryStep(5.0, 60.0), CanaryStep(25.0, 300.0)]
    assert steps("50") == [CanaryStep(50.0, 0.0)]
    with pytest.raises(InvalidValue, match="half"):
        steps("half:60")


def test_an_endpoint_from_its_creation_to_its_end(client: MlflowClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["endpoints", "create", "risk", "--model", "loan", "--env-manager", "local", "--traffic", "1=3,2=1",
                 "--max-body", "1000"]) == 0
    assert "millstream endpoints host" in capsys.readouterr().err
    assert main(["endpoints", "update", "risk", "--timeout", "2", "--idle", "60"]) == 0
    found = told(client, "risk")
    assert (found.limits, found.idle_seconds, found.revision) == (EndpointLimits(1000, 2.0), 60.0, 2)
    assert main(["endpoints", "update", "risk", "--revision", "1", "--workers", "2"]) == 1
    assert "revision 2, not 1" in capsys.readouterr().err
    assert main(["endpoints", "update", "risk"]) == 2
    assert main(["endpoints", "traffic", "risk", "default"]) == 0
    assert "version 2 100 %" in capsys.readouterr().err
    assert main(["endpoints", "shadow", "risk", "1"]) == 0
    assert main(["endpoints", "scale", "risk", "--workers", "3", "--replicas", "2"]) == 0
    assert main(["endpoints", "restart", "risk"]) == 0
    found = told(client, "risk")
    assert (found.traffic, found.shadow, found.workers, found.replicas, found.generation) == ([], ["1"], 3, 2, 1)
    capsys.readouterr()
    assert main(["endpoints", "describe", "risk"]) == 0
    shown = capsys.readouterr().out
    assert "WAITING" in shown
    assert main(["endpoints", "describe", "risk", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["endpoint"]["name"] == "risk"
    assert main(["endpoints", "history", "risk", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["kind"] == "endpoint.created"
    assert main(["endpoints", "list"]) == 0
    assert "risk" in capsys.readouterr().out
    assert main(["endpoints", "logs", "risk"]) == 0
    assert main(["endpoints", "delete", "risk"]) == 0
    assert main(["endpoints", "describe", "risk"]) == 1
    assert "hint: " in capsys.readouterr().err


def test_serving_is_switched_on_and_off(client: MlflowClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["endpoints", "on", "loan", "--env-manager", "local"]) == 0
    assert told(client).enabled
    assert main(["endpoints", "off", "loan"]) == 0
    assert not told(client).enabled
    assert main(["endpoints", "on", "absent"]) == 1
    assert "absent" in capsys.readouterr().err


def test_a_canary_is_started_and_ended(client: MlflowClient) -> None:
    client.create_endpoint("loan", traffic={"1": 1})
    assert main(["endpoints", "canary", "start", "loan", "2", "--steps", "10:60,50:60", "--max-seconds", "0.5"]) == 0
    canary = told(client).canary
    assert (canary.version, canary.percent, canary.max_seconds) == ("2", 10.0, 0.5)
    assert main(["endpoints", "canary", "roll-back", "loan", "--reason", "it is slow"]) == 0
    assert (told(client).canary.state, told(client).canary.reason) == ("ROLLED_BACK", "it is slow")
    assert main(["endpoints", "canary", "start", "loan", "2"]) == 0
    assert main(["endpoints", "canary", "promote", "loan"]) == 0
    assert told(client).traffic == [Share("2", 100.0)]


def test_nobody_is_there_to_ask(client: MlflowClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.create_endpoint("loan")
    assert main(["endpoints", "query", "loan", "-d", "{}"]) == 1
    assert "no serving host lives" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "reached"),
    [("http://0.0.0.0:5000/mlflow", "http://127.0.0.1:5000/mlflow"), ("http://[::]:5000", "http://[::1]:5000"),
     ("http://127.0.0.1:5000", "http://127.0.0.1:5000")],
)
def test_a_server_on_all_addresses_is_reached_on_this_machine(address: str, reached: str) -> None:
    assert local(address) == reached
