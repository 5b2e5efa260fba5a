"""Endpoints under the names of MLflow's deployment clients, and the bodies of requests."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from millstream.errors import InvalidValue, NotServing, NotSupported, ServingEndpointNotFound
from millstream.tracking.client import MlflowClient
from millstream.tracking.client.endpoints import payload
from millstream.tracking.deployments import DeployClient, get_deploy_client
from tests.isolation import isolated


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeployClient]:
    with isolated(tmp_path, monkeypatch):
        uri = f"sqlite:///{tmp_path}/store.db"
        registry = MlflowClient(uri, uri)
        registry.create_registered_model("loan")
        for number in range(2):
            registry.create_model_version("loan", f"s3://bucket/{number}")
        yield get_deploy_client(uri)


def test_endpoints(client: DeployClient) -> None:
    made = client.create_endpoint("loan", {"traffic": {"1": 3, "2": 1}, "limits": {"seconds": 2.0}})
    assert (made["name"], made["model"], made["limits"]) == ("loan", "loan", {"seconds": 2.0})
    assert [one["percent"] for one in made["versions"]] == [75.0, 25.0]
    client.create_endpoint("risk", {"model": "loan", "enabled": False})
    assert [one["name"] for one in client.list_endpoints()] == ["loan", "risk"]
    assert client.update_endpoint("risk", {"workers": 2})["workers"] == 2
    client.delete_endpoint("loan")
    with pytest.raises(ServingEndpointNotFound):
        client.get_endpoint("loan")
    for config in ({"worker": 2}, {"model": "other"}):
        with pytest.raises(InvalidValue):
            client.update_endpoint("risk", config)


@pytest.mark.parametrize(("uri", "target"), [("models:/loan/2", "2"), ("models:/loan@best", "@best"),
                                            ("models:/loan/Production", "Production")])
def test_deployments_are_endpoints_of_one_version(client: DeployClient, uri: str, target: str) -> None:
    made = client.create_deployment("prod", uri, config={"env_manager": "local"})
    assert (made["name"], made["model"], made["serves"]) == ("prod", "loan", "traffic")
    assert made["traffic"] == [{"target": target, "weight": 100.0}]
    assert client.update_deployment("prod", "models:/loan/1")["traffic"] == [{"target": "1", "weight": 100.0}]
    assert [one["name"] for one in client.list_deployments()] == ["prod"]
    assert client.get_deployment("prod")["name"] == "prod"
    client.delete_deployment("prod")
    assert client.list_deployments() == []


def test_what_cannot_be_deployed(client: DeployClient) -> None:
    with pytest.raises(InvalidValue, match="register"):
        client.create_deployment("prod", "runs:/abc/model")
    with pytest.raises(NotSupported, match="explain"):
        client.explain("prod", [1.0])
    with pytest.raises(InvalidValue, match="no endpoint"):
        client.predict(inputs=[1.0])
    client.create_endpoint("loan")
    with pytest.raises(NotServing, match="no serving host"):
        client.predict(endpoint="loan", inputs=[1.0])


@pytest.mark.parametrize(
    ("inputs", "body"),
    [
        (pd.DataFrame({"a": [1.5, 2.0], "b": ["x", None]}),
         {"dataframe_split": {"columns": ["a", "b"], "index": [0, 1], "data": [[1.5, "x"], [2.0, None]]}}),
        (pd.Series([1, 2], name="a"), {"dataframe_split": {"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}}),
        (np.array([[1.0, 2.0]]), {"inputs": [[1.0, 2.0]]}),
        ({"a": np.array([1, 2])}, {"inputs": {"a": [1, 2]}}),
        ({"instances": [1, 2]}, {"instances": [1, 2]}),
        ({"dataframe_records": [{"a": 1}], "params": {"k": 2}}, {"dataframe_records": [{"a": 1}], "params": {"k": 2}}),
        ([1, 2], {"inputs": [1, 2]}),
        ('{"inputs": 3}', {"inputs": 3}),
        (b'{"inputs": 3}', {"inputs": 3}),
    ],
)
def test_bodies_of_requests(inputs: Any, body: dict[str, Any]) -> None:
    assert json.loads(payload(inputs)) == body


def test_they_are_found_where_mlflow_has_them() -> None:
    assert importlib.import_module("millstream.deployments").get_deploy_client is get_deploy_client
