"""The queries that MLflow's pages send, and what is too much."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.servers.wire import call


def ask(address: str, query: str, **variables: Any) -> Any:
    answer = call(address, "POST", "/graphql", {"query": query, "variables": variables})
    assert answer.status == 200, answer.text
    return answer.json()


def test_an_experiment(address: str) -> None:
    query = """query GetExperiment($input: MlflowGetExperimentInput!) {
      mlflowGetExperiment(input: $input) {
        apiError { code message }
        experiment { experimentId name artifactLocation lifecycleStage creationTime tags { key value } }
      }
    }"""
    made = ask(address, query, input={"experimentId": "0"})
    assert made["errors"] is None
    found = made["data"]["mlflowGetExperiment"]
    assert found["apiError"] is None
    assert (found["experiment"]["name"], found["experiment"]["tags"]) == ("Default", [])
    assert found["experiment"]["creationTime"].isdigit(), "whole numbers of 64 bits are text"


def test_a_run_with_all_it_holds(address: str, run_id: str) -> None:
    point = {"run_id": run_id, "key": "loss", "timestamp": 5, "step": 2}
    call(address, "POST", "/api/2.0/mlflow/runs/log-metric", {**point, "value": 0.5})
    call(address, "POST", "/api/2.0/mlflow/runs/log-metric", {**point, "key": "odd", "value": "NaN"})
    call(address, "PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/a/b.txt", b"12345")
    query = """query GetRun($data: MlflowGetRunInput!) {
      mlflowGetRun(input: $data) { run { ...Facts experiment { name } modelVersions { name } } }
      files: mlflowListArtifacts(input: {runId: "RUN", path: "a"}) { rootUri files { path isDir fileSize } }
    }
    fragment Facts on MlflowRunExtension {
      info { runId runUuid status startTime endTime }
      data { metrics { key value step timestamp } params { key } tags { key } }
      inputs { datasetInputs { dataset { name } } } outputs { modelOutputs { modelId } }
    }""".replace("RUN", run_id)
    made = ask(address, query, data={"runId": run_id})
    assert made["errors"] is None
    run = made["data"]["mlflowGetRun"]["run"]
    assert run["info"] == {"runId": run_id, "runUuid": run_id, "status": "RUNNING", "startTime": "1", "endTime": None}
    assert {metric["key"]: (metric["value"], metric["step"]) for metric in run["data"]["metrics"]} == {
        "loss": (0.5, "2"),
        "odd": (None, "2"),
    }
    assert (run["experiment"]["name"], run["modelVersions"]) == ("Default", [])
    assert (run["data"]["params"], run["inputs"]["datasetInputs"], run["outputs"]["modelOutputs"]) == ([], [], [])
    assert made["data"]["files"]["files"] == [{"path": "a/b.txt", "isDir": False, "fileSize": "5"}]


def test_a_search_by_pages(address: str, run_id: str) -> None:
    query = """mutation { mlflowSearchRuns(input: {experimentIds: ["0"], maxResults: 1, runViewType: ACTIVE_ONLY}) {
      nextPageToken runs { info { runId } } } }"""
    made = ask(address, query)
    assert [run["info"]["runId"] for run in made["data"]["mlflowSearchRuns"]["runs"]]
    assert len(made["data"]["mlflowSearchRuns"]["runs"]) == 1


def test_histories(address: str, run_id: str) -> None:
    for step in range(3):
        point = {"run_id": run_id, "key": "loss", "timestamp": step, "step": step, "value": step / 4}
        call(address, "POST", "/api/2.0/mlflow/runs/log-metric", point)
    query = """query ($input: MlflowGetMetricHistoryBulkIntervalInput) {
      mlflowGetMetricHistoryBulkInterval(input: $input) { metrics { runId step value } } }"""
    made = ask(address, query, input={"runIds": [run_id], "metricKey": "loss", "maxResults": 100})
    assert made["data"]["mlflowGetMetricHistoryBulkInterval"]["metrics"] == [
        {"runId": run_id, "step": str(step), "value": step / 4} for step in range(3)
    ]


def test_an_error_of_an_operation_is_part_of_its_answer(address: str) -> None:
    made = ask(
        address, '{ mlflowGetRun(input: {runId: "nobody"}) { apiError { code message } run { info { runId } } } }'
    )
    assert made["errors"] is None
    assert made["data"]["mlflowGetRun"]["run"] is None
    assert made["data"]["mlflowGetRun"]["apiError"]["code"] == "RESOURCE_DOES_NOT_EXIST"


def test_versions_of_registered_models(address: str, run_id: str) -> None:
    api = "/api/2.0/mlflow"
    assert call(address, "POST", f"{api}/registered-models/create", {"name": f"net {run_id}"}).status == 200
    for path in ("a", "b"):
        version = {"name": f"net {run_id}", "source": f"runs:/{run_id}/{path}"}
        assert call(address, "POST", f"{api}/model-versions/create", version).status == 200
    query = """query ($run: MlflowGetRunInput!, $search: MlflowSearchModelVersionsInput) {
      mlflowGetRun(input: $run) { run { modelVersions { name version currentStage runId aliases } } }
      mlflowSearchModelVersions(input: $search) { modelVersions { version creationTimestamp } nextPageToken }
    }"""
    search = {"filter": f"name = 'net {run_id}'", "maxResults": "1", "orderBy": ["version_number"]}
    made = ask(address, query, run={"runId": run_id}, search=search)
    assert made["errors"] is None
    common = {"name": f"net {run_id}", "currentStage": "None", "runId": run_id, "aliases": []}
    found = made["data"]["mlflowGetRun"]["run"]["modelVersions"]
    assert sorted(found, key=str) == sorted([{**common, "version": "1"}, {**common, "version": "2"}], key=str)
    page = made["data"]["mlflowSearchModelVersions"]
    assert [one["version"] for one in page["modelVersions"]] == ["1"]
    assert page["nextPageToken"] and page["modelVersions"][0]["creationTimestamp"].isdigit()
    made = ask(address, "{ mlflowSearchModelVersions(input: {filter: \"name = 'a'\"}) { modelVersions { name } } }")
    assert made["data"]["mlflowSearchModelVersions"]["modelVersions"] == []


FIELD = 'mlflowGetRun(input: {runId: "a"}) { apiError { code } }'


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ nothing }", "Cannot query field"),
        ("{ mlflowGetRun(input: {nothing: 1}) { apiError { code } } }", "nothing"),
        ("{ mlflowGetRun", "Syntax Error"),
        ("{ " + " ".join(f"a{number}: {FIELD}" for number in range(11)) + " }", "too much"),
        ("{ " + " ".join(FIELD for _ in range(11)) + " }", "too much"),
        ("{ ...R } fragment R on Query { " + " ".join(FIELD for _ in range(11)) + " }", "too much"),
        ("{ " + "a " * 3000 + "}", "token"),
        (
            "query { __schema { types { fields { type " + "{ ofType " * 8 + "{ name }" + " }" * 12,
            "too much",
        ),
        (
            "{ ...F0 } "
            + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
            + " fragment F60 on Query { "
            + FIELD
            + " }",
            "too much",
        ),
        ("{ ...F } fragment F on Query { ...F }", "Cannot spread fragment"),
        ("subscription { mlflowGetRun { apiError { code } } }", "subscription"),
        ("query A { " + FIELD + " } query B { " + FIELD + " }", "operation name"),
    ],
)
def test_what_is_refused(address: str, query: str, said: str) -> None:
    made = ask(address, query)
    assert made["data"] is None
    assert said in made["errors"][0]


def test_by_get_only_queries(address: str) -> None:
    made = call(address, "GET", f"/graphql?query={quote('{ ' + FIELD + ' }')}").json()
    assert made["data"]["mlflowGetRun"]["apiError"]["code"] == "RESOURCE_DOES_NOT_EXIST"
    written = call(address, "GET", f"/graphql?query={quote('mutation { mlflowSearchRuns { nextPageToken } }')}").json()
    assert written["data"] is None
    assert "POST" in written["errors"][0]
    assert call(address, "GET", "/graphql").status == 400
    assert call(address, "GET", f"/graphql?query={quote('{ ' + FIELD + ' }')}&variables=x").status == 400


@pytest.mark.parametrize(
    "body", [b"x", b"[]", b"{}", b'{"query": 5}', b'{"query": ""}', b"\xff", b'{"query": "{a}", "variables": []}']
)
def test_what_is_no_request(address: str, body: bytes) -> None:
    assert call(address, "POST", "/graphql", body, {"Content-Type": "application/json"}).status == 400
    assert call(address, "POST", "/graphql", body, {"Content-Type": "text/plain"}).status == 400
