"""Rules in a store on this machine: the client reads the signatures that they compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream import MlflowClient
from millstream.errors import InvalidValue, RegisteredModelNotFound, TransitionRefused


@pytest.fixture
def client(tmp_path: Path) -> MlflowClient:
    client = MlflowClient(str(tmp_path / "mlruns"))
    client.create_registered_model("loan")
    return client


def add(client: MlflowClient, *columns: str) -> tuple[str, str]:
    """A version whose model takes these columns; its number and its run."""
    run_id = client.create_run("0").info.run_id
    inputs = json.dumps([{"name": name, "type": "double", "required": True} for name in columns])
    client.log_text(run_id, json.dumps({"flavors": {}, "signature": {"inputs": inputs}}), "model/MLmodel")
    return client.create_model_version("loan", f"runs:/{run_id}/model", run_id).version, run_id


def test_signatures_are_read_when_a_rule_asks(client: MlflowClient) -> None:
    (old, _), (same, _), (more, run_id) = add(client, "age"), add(client, "age"), add(client, "age", "job")
    client.transition_model_version_stage("loan", old, "Production")
    client.set_registered_model_alias("loan", "champion", old)
    client.set_model_rule("loan", "inputs", "signature", ["Production"], ["champion"])
    assert client.check_transition("loan", same, "Production").allowed
    for move in (
        lambda: client.transition_model_version_stage("loan", more, "Production"),
        lambda: client.set_registered_model_alias("loan", "champion", more),
    ):
        with pytest.raises(TransitionRefused, match="the column 'job' is new and required"):
            move()
    client.create_transition_request("loan", more, "Production")
    with pytest.raises(TransitionRefused, match="'job'"):
        client.approve_transition_request("loan", more, "Production")
    # The file counts as it is when the version is to move.
    client.log_text(run_id, json.dumps({"flavors": {}}), "model/MLmodel")
    (verdict,) = client.check_transition("loan", more, "Production").verdicts
    assert verdict.reason == "it has no signature of its inputs"
    client.set_registered_model_alias("loan", "champion", same)
    assert client.get_registered_model("loan").aliases == {"champion": same}


def test_files_that_are_not_there_are_said_to_be_unread(client: MlflowClient, tmp_path: Path) -> None:
    client.set_model_rule("loan", "inputs", "signature", ["Production"])
    client.create_model_version("loan", str(tmp_path / "nowhere"))
    with pytest.raises(TransitionRefused, match="its files could not be read"):
        client.transition_model_version_stage("loan", "1", "Production")


def test_the_operation_itself_says_what_is_wrong(client: MlflowClient) -> None:
    with pytest.raises(RegisteredModelNotFound):
        client.transition_model_version_stage("loan", "9", "Production")
    with pytest.raises(InvalidValue, match="stage"):
        client.check_transition("loan", "1", "Nowhere")


def test_pages_and_states_of_requests(client: MlflowClient) -> None:
    for _ in range(3):
        client.create_model_version("loan", "s3://bucket/x")
    for number in ("1", "2", "3"):
        client.create_transition_request("loan", number, "Staging", f"the {number}.")
    client.reject_transition_request("loan", "2", "Staging", "no")
    first = client.list_transition_requests("loan", state=None, max_results=2)
    rest = client.list_transition_requests("loan", state=None, max_results=2, page_token=first.token)
    assert [(one.version, one.state) for one in [*first, *rest]] == [("3", "OPEN"), ("2", "REJECTED"), ("1", "OPEN")]
    assert [one.version for one in client.list_transition_requests("loan")] == ["3", "1"]
    assert [one.comment for one in client.list_transition_requests("loan", "1")] == ["the 1."]
    client.delete_transition_request("loan", "1", "Staging", comment="later")
    assert client.list_transition_requests("loan", "1").to_list() == []
    comments = [client.create_comment("loan", "1", text).id for text in ("a", "b", "c")]
    page = client.list_comments("loan", "1", max_results=2)
    assert [one.id for one in page] == comments[:0:-1]
    client.delete_comment(comments[0])
    assert client.list_comments("loan", page_token=None).token is None
    assert [rule.name for rule in client.list_model_rules("loan")] == []
