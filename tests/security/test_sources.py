"""What a version may be registered from: no source leads to anything but the files of a run or logged model.

The sources of MLflow's own advisories are among them: CVE-2023-1177, 2023-2356, 2023-6977, 2024-1558, 2023-6974.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.errors import PermissionDenied
from millstream.operations import Needs, Permission, Principal, Resource
from millstream.server.application import Application
from millstream.server.config import ServerConfig
from millstream.server.policy import Headers, OwnerPolicy
from millstream.server.run import open_served_store
from tests.servers import inside
from tests.servers.wire import Answer, call

API = "/api/2.0/mlflow"
_LETTERS = "abcdefghijklmnopqrstu"
SECRET = b"the secret outside of every root"


class Server:
    """A server with a run whose files a version may point at, and a secret beside it."""

    def __init__(self, address: str, place: Path) -> None:
        self.address = address
        self.place = place
        (place / "secret.txt").write_bytes(SECRET)
        self.run = self.post("runs/create", {"experiment_id": "0"})["run"]["info"]
        self.other = self.post("runs/create", {"experiment_id": "0"})["run"]["info"]
        model = {"experiment_id": "0", "name": "net", "source_run_id": self.run["run_id"]}
        self.model = self.post("logged-models", model)["model"]["info"]
        self.post("registered-models/create", {"name": "loan"})
        path = f"/api/2.0/mlflow-artifacts/artifacts/{self.run['artifact_uri'].partition(':/')[2]}/model/MLmodel"
        assert call(address, "PUT", path, b"fine").status == 200

    def post(self, path: str, body: object) -> Any:
        answer = call(self.address, "POST", f"{API}/{path}", body)
        assert answer.status == 200, answer.text
        return answer.json()

    def create(self, source: str, **fields: Any) -> Answer:
        body = {"name": "loan", "source": source, **fields}
        return call(self.address, "POST", f"{API}/model-versions/create", body)

    def file(self, version: str, path: str) -> Answer:
        query = f"name=loan&version={version}&path={quote(path, safe='')}"
        return call(self.address, "GET", f"/model-versions/get-artifact?{query}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("sources")
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    with inside.served(config) as address:
        yield Server(address, place)


def test_what_may_be_registered(server: Server) -> None:
    run, model = server.run, server.model
    for source, fields, path in (
        (f"{run['artifact_uri']}/model", {"run_id": run["run_id"]}, "MLmodel"),
        (f"runs:/{run['run_id']}/model", {}, "MLmodel"),
        (run["artifact_uri"], {"run_id": run["run_id"]}, "model/MLmodel"),
    ):
        made = server.create(source, **fields)
        assert made.status == 200, made.text
        answer = server.file(made.json()["model_version"]["version"], path)
        assert (answer.status, answer.body) == (200, b"fine")
        assert answer.headers["content-security-policy"].startswith("sandbox")
    for source in (f"models:/{model['model_id']}", model["artifact_uri"]):
        assert server.create(source, model_id=model["model_id"]).status == 200
    assert server.create("s3://bucket/some/where").status == 200
    listed = call(server.address, "GET", "/api/v1/model-versions/artifacts?name=loan&version=1").json()
    assert [file["path"] for file in listed["files"]] == ["MLmodel"]
    assert server.file("1", "../../secret.txt").status == 400
    assert server.file("99", "MLmodel").status == 404


def refused_sources(server: Server) -> list[tuple[str, dict[str, str]]]:
    run, other, model = server.run, server.other, server.model
    root, mine = run["artifact_uri"], {"run_id": run["run_id"]}
    place = server.place
    return [
        (f"{place}", {}), (f"{place}/secret.txt", mine), (f"file://{place}", mine), (f"file:{place}", {}),
        (f"FILE://{place}", {}), ("file:///proc/self/environ", mine), ("//proc/self/root", mine), ("//proc/self", {}),
        ("/proc/self/root", mine), ("~", mine), (".", mine), ("model", mine), (str(place / "artifacts"), mine),
        (f"{root}/../../..", mine), (f"{root}/%2e%2e/x", mine), (f"{root}/%252e%252e/x", mine),
        (f"{root}/a/../../x", mine), (f"{root}\\..\\x", mine), (f"{root}/%5c..%5cx", mine), (f"{root}/a?b", mine),
        (f"{root}/a#b", mine), (f"{root}//a", mine), (f"{root}-other", mine), (root[:-3], mine),
        (f"{root}/model", {}), (f"{root}/model", {"run_id": other["run_id"]}), (f"{root}/model", {"run_id": "0" * 32}),
        (model["artifact_uri"], mine), (f"{root}/m", {"model_id": model["model_id"]}),
        ("mlflow-artifacts:/", {}), ("mlflow-artifacts:/0", mine), ("mlflow-artifacts://host/0/x", mine),
        ("mlflow-artifacts:///0/x", mine), ("http://169.254.169.254/latest", {}), ("https://somewhere/x", mine),
        ("dbfs:/x", {}), ("ftp://host/x", {}), ("sftp://host/x", {}), ("hdfs://host/x", {}), ("gopher://x", {}),
        ("s3://", {}), ("s3:///x", {}), ("s3://bucket/../x", {}), ("s3://bucket/%2e%2e/x", {}),
        ("runs:/" + "0" * 32 + "/model", {}), (f"runs:/{run['run_id']}/../x", {}),
        (f"runs:/{run['run_id']}/%2e%2e/x", {}), (f"runs://host/{run['run_id']}/x", {}),
        (f"runs:/{run['run_id']}/model", {"run_id": other["run_id"]}), ("runs:", {}), ("models:", {}),
        ("models:/m-" + "0" * 32, {}), (f"models://host/{model['model_id']}", {}),
        (f"models:/{model['model_id']}/../x", {}), ("models:/loan/Nowhere", {}), ("models:/loan@nobody", {}),
    ]


def test_what_may_not_be_registered(server: Server) -> None:
    for source, fields in refused_sources(server):
        answer = server.create(source, **fields)
        assert answer.status == 400, f"{source} {fields}: {answer.status} {answer.text}"
        assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
        assert SECRET not in answer.body and str(server.place).encode() not in answer.body.replace(source.encode(), b"")


SCHEMES = ["", "file:", "file://", "FILE:///", "mlflow-artifacts:/", "runs:/", "models:/", "http://", "dbfs:", "s3://b"]
STEPS = ["..", ".", "%2e%2e", "%252E%252e", "a", "model", "", "proc", "self", "\\", "%2f", "%00", "secret.txt", "~"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_source_leads_to_what_lies_outside(server: Server, data: st.DataObject) -> None:
    scheme = data.draw(st.sampled_from([*SCHEMES, server.run["artifact_uri"], f"runs:/{server.run['run_id']}"]))
    steps = data.draw(st.lists(st.sampled_from([*STEPS, str(server.place)]), max_size=6))
    run_id = data.draw(st.sampled_from(["", server.run["run_id"], server.other["run_id"]]))
    path = data.draw(st.sampled_from(["secret.txt", "../secret.txt", "MLmodel", "../../../secret.txt"]))
    made = server.create("/".join([scheme, *steps]), run_id=run_id)
    assert made.status in (200, 400, 404), made.text
    if made.status == 200 and not made.json()["model_version"]["source"].startswith("s3:"):
        assert SECRET not in server.file(made.json()["model_version"]["version"], path).body


def test_further_schemes_are_the_operators_to_allow(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_SERVER_ARTIFACT_SCHEMES", "hdfs")
    assert server.create("hdfs://host/x").status == 200
    assert server.create("dbfs:/x").status == 400


class Blind(OwnerPolicy):
    """Lets the owner do everything but read one kind of thing."""

    hidden: Resource | None = None

    def check(self, principal: Principal, needs: Needs, request: object) -> None:
        if needs.on is self.hidden and needs.permission is Permission.READ:
            raise PermissionDenied(f"no {needs.field} for you")
        super().check(principal, needs, request)

    def identify(self, headers: Headers) -> Principal:
        return super().identify(headers)


def test_a_source_is_what_the_caller_may_read(tmp_path: Path) -> None:
    config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination=str(tmp_path / "artifacts"))
    policy = Blind()
    with inside.served_application(Application(config, open_served_store(config), policy=policy)) as address:
        server = Server(address, tmp_path)
        assert server.create("s3://bucket/x").status == 200
        run, model = server.run, server.model
        for hidden, source, fields in (
            (Resource.RUN, f"runs:/{run['run_id']}/model", {}),
            (Resource.RUN, f"{run['artifact_uri']}/model", {"run_id": run["run_id"]}),
            (Resource.LOGGED_MODEL, f"models:/{model['model_id']}", {}),
            (Resource.LOGGED_MODEL, model["artifact_uri"], {"model_id": model["model_id"]}),
            (Resource.REGISTERED_MODEL, "models:/loan/1", {}),
        ):
            policy.hidden = hidden
            assert server.create(source, **fields).status == 403
            policy.hidden = None
            assert server.create(source, **fields).status == 200


def test_a_run_of_another_server_is_taken_from_whoever_names_it_twice(server: Server) -> None:
    elsewhere = "0123456789abcdef0123456789abcdef"
    refused = server.create(f"runs:/{elsewhere}/model")
    assert refused.status == 400 and "not found" in refused.text
    assert server.create(f"runs:/{elsewhere}/../../secret.txt", run_id=elsewhere).status == 400
    taken = server.create(f"runs:/{elsewhere}/model", run_id=elsewhere)
    assert taken.status == 200
    made = taken.json()["model_version"]
    query = f"name=loan&version={made['version']}"
    where = call(server.address, "GET", f"{API}/model-versions/get-download-uri?{query}")
    assert where.json()["artifact_uri"] == f"runs:/{elsewhere}/model", "whoever loads it looks it up"
    assert server.file(made["version"], "MLmodel").status in (400, 404)


@pytest.mark.parametrize(
    "place",
    ["/etc", "file:///etc", "mlruns/../../etc", "mlflow-artifacts://other/0", "mlflow-artifacts:/0/../..", "http://x/y",
     "dbfs:/x", "s3://bucket/../x", "/etc#", "runs:/../etc", "models:/m-0/../../x"],
)
def test_an_import_leads_nowhere_else(server: Server, place: str) -> None:
    for version in (
        {"version": {"name": "in", "version": "1", "creation_timestamp": 1, "source": place}},
        {"version": {"name": "in", "version": "1", "creation_timestamp": 1, "source": "s3://a/b"}, "location": place},
    ):
        body = {"models": [{"model": {"name": "in"}, "versions": [version]}]}
        answer = call(server.address, "POST", "/api/v1/import/registered-models", body)
        assert (answer.status, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text
    found = call(server.address, "GET", f"{API}/registered-models/get?name=in")
    assert found.status == 404


def test_signatures_are_read_as_text_and_bounded(server: Server) -> None:
    """A rule makes the server read the MLmodel file of whoever registered it."""
    files = f"/api/2.0/mlflow-artifacts/artifacts/{server.run['artifact_uri'].partition(':/')[2]}"
    laughs = "a: &a [x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}]\n" for before, name in zip(_LETTERS, _LETTERS[1:], strict=False)
    )
    server.post("registered-models/create", {"name": "gated"})
    rule = {"name": "r", "kind": "signature", "stages": ["Production"]}
    assert call(
        server.address, "POST", "/api/v1/registered-models/rules/set", {"name": "gated", "rule": rule}
    ).status == 200
    for number, content in enumerate((
        laughs + "signature: {inputs: *u}\n", "signature: [1]\n", "[" * 100_000, "a: 2001-99-99\n", "- x\n",
        "signature: {inputs: '" + "x" * 3_000_000 + "'}\n", "!!python/object/apply:os.system ['true']\n", "\x00",
    ), 1):
        folder = f"odd{number}"
        assert call(server.address, "PUT", f"{files}/{folder}/MLmodel", content.encode()).status == 200
        server.post("model-versions/create", {"name": "gated", "source": f"runs:/{server.run['run_id']}/{folder}"})
        query = f"name=gated&version={number}&stage=Production"
        answer = call(server.address, "GET", f"/api/v1/model-versions/check-transition?{query}")
        assert answer.status == 200, answer.text
        (verdict,) = answer.json()["verdicts"]
        assert "could not be read" in verdict["reason"]
