"""Two people and a model: one asks, the rule wants another to approve, he does, and the history tells both.

A real server behind a real proxy that signs them in; their programs know the proxy's address and their passwords.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import millstream as mlflow
from millstream import MlflowClient
from millstream.errors import PermissionDenied, TransitionRefused, Unauthenticated
from tests.servers.millstream import MillstreamServer
from tests.servers.proxy import HEADER, signing_in
from tests.servers.wire import call

PASSWORDS = {"anna": "river", "ben": "stone"}
At = Callable[[str], str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MillstreamServer]:
    started = MillstreamServer(tmp_path, options=("--user-header", HEADER))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def at(server: MillstreamServer) -> Iterator[At]:
    """The address of the proxy with the credentials of a user."""
    with signing_in(server.uri, PASSWORDS) as place:
        yield lambda name: f"http://{name}:{PASSWORDS.get(name, 'wrong')}@{place}"


def log_model(auc: float, columns: list[str]) -> str:
    """Log a model with a signature and a metric of its run, register it, and give its version."""
    import pandas
    from sklearn.linear_model import LogisticRegression

    data = pandas.DataFrame({name: [0.0, 1.0, 2.0, 3.0] for name in columns})
    model = LogisticRegression().fit(data, [0, 0, 1, 1])
    with mlflow.start_run():
        mlflow.log_metric("auc", auc)
        info = mlflow.sklearn.log_model(
            model, name="net", registered_model_name="loan", signature=mlflow.models.infer_signature(data)
        )
    return str(info.registered_model_version)


def test_one_asks_and_another_approves(at: At, server: MillstreamServer) -> None:
    anna, ben = (MlflowClient(at(name)) for name in ("anna", "ben"))
    mlflow.set_tracking_uri(at("anna"))
    assert log_model(0.8, ["age", "income"]) == "1"
    anna.transition_model_version_stage("loan", "1", "Production")
    anna.set_model_rule("loan", "four eyes", "approvals", ["Production"])
    anna.set_model_rule("loan", "better", "metric", ["Production"], metric="auc", min_absolute_change=0.05)
    anna.set_model_rule("loan", "same inputs", "signature", ["Production"])

    assert log_model(0.82, ["age", "income", "job"]) == "2"
    check = anna.check_transition("loan", "2", "Production")
    assert {verdict.rule: (verdict.met, verdict.value, verdict.required) for verdict in check.verdicts} == {
        "better": (False, 0.82, 0.85), "four eyes": (False, 0.0, 1.0), "same inputs": (False, None, None)
    }
    assert "the column 'job' is new and required" in next(
        verdict.reason for verdict in check.verdicts if verdict.rule == "same inputs"
    )

    assert log_model(0.85, ["age"]) == "3"
    said = anna.create_comment("loan", "3", "fewer columns, better")
    anna.create_transition_request("loan", "3", "Production", "please")
    with pytest.raises(TransitionRefused, match=r"four eyes: 0 of 1 approvals") as caught:
        anna.approve_transition_request("loan", "3", "Production")
    assert "let somebody else approve it" in str(caught.value.hint)
    with pytest.raises(TransitionRefused, match="four eyes"):
        anna.transition_model_version_stage("loan", "3", "Production")
    with pytest.raises(PermissionDenied, match="by anna"):
        ben.update_comment(said.id, "mine")

    (request,) = ben.list_transition_requests("loan", "3")
    assert (request.user_id, request.comment, request.version) == ("anna", "please", "3")
    done = ben.approve_transition_request("loan", "3", "Production", True, "well done")
    assert (done.user_id, done.activity_type, done.system_comment) == ("ben", "APPROVED_REQUEST", None)
    assert ben.get_versions_holding("loan", stage="Production") == ["3"]
    assert ben.get_versions_holding("loan", stage="Archived") == ["1"]

    history = [
        (one.kind, one.user_id, one.version, one.comment) for one in ben.list_registry_activities("loan", max_results=5)
    ]
    assert history == [
        ("model_version.transitioned", "ben", "3", None),
        ("transition_request.approved", "ben", "3", "well done"),
        ("transition_request.created", "anna", "3", "please"),
        ("comment.created", "anna", "3", None),
        ("model_version.created", "anna", "3", None),
    ]
    assert ben.verify_registry_activities("loan").intact
    assert anna.get_model_version("loan", "3").user_id == "anna"
    # A rollback goes where the version was before, whatever the rules say by now.
    assert ben.roll_back_registered_model("loan", stage="Production") == ["1"]


def test_who_is_not_signed_in_gets_nothing(at: At, server: MillstreamServer) -> None:
    with pytest.raises(Unauthenticated):
        MlflowClient(at("carl")).search_registered_models()
    answer = call(server.uri, "GET", "/api/2.0/mlflow/registered-models/search")
    assert (answer.status, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")


def test_the_same_on_the_command_line(at: At, tmp_path: Path) -> None:
    def type_(who: str, *words: str, status: int = 0) -> str:
        clean = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "millstream", "registry", *words, "--registry-uri", at(who)],
            cwd=tmp_path, env=clean, capture_output=True, text=True, check=False,
        )
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout + done.stderr

    anna = MlflowClient(at("anna"))
    anna.create_registered_model("loan")
    run = anna.create_run("0")
    for _ in range(2):
        anna.create_model_version("loan", f"runs:/{run.info.run_id}/model", run.info.run_id)
    asked = type_("anna", "rules", "set", "loan", "better", "--kind", "metric", "--metric", "auc", "--threshold", "0.9",
                  "--stage", "production")
    assert asked == "Rule better of loan: auc ≥ 0.9\n"
    type_("anna", "rules", "set", "loan", "four eyes", "--kind", "approvals", "--stage", "Production")
    assert "1 by others" in type_("ben", "rules", "list", "loan")
    shown = type_("ben", "check", "loan", "1", "--stage", "Production", status=1)
    assert "it has no metric auc" in shown
    type_("anna", "rules", "delete", "loan", "better")
    type_("ben", "comment", "loan", "1", "looks fine")
    assert json.loads(type_("anna", "comments", "loan", "1", "--json"))[0]["comment"] == "looks fine"
    assert type_("anna", "request", "loan", "1", "--stage", "Production", "--comment", "now") == (
        "Asked that version 1 of loan move to Production\n"
    )
    refused = type_("anna", "approve", "loan", "1", "--stage", "Production", status=1)
    assert refused.startswith("error: version 1 of loan may not have the stage Production:\n  four eyes: 0 of 1")
    assert "hint: " in refused
    assert "now" in type_("ben", "requests", "loan")
    type_("ben", "approve", "loan", "1", "--stage", "Production", "--comment", "go")
    type_("anna", "request", "loan", "2", "--stage", "Staging")
    assert type_("ben", "reject", "loan", "2", "--stage", "Staging", "--comment", "not yet").startswith("Rejected")
    type_("anna", "request", "loan", "2", "--stage", "Staging")
    assert type_("anna", "withdraw", "loan", "2", "--stage", "Staging").startswith("Withdrawn")
    decided = json.loads(type_("anna", "requests", "loan", "--all", "--json"))
    states = [(one["state"], one.get("reason")) for one in decided]
    assert states == [("WITHDRAWN", None), ("REJECTED", "not yet"), ("APPROVED", "go")]
    history = type_("anna", "history", "loan")
    assert "transition request approved" in history and "go" in history
