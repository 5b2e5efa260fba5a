"""Our signatures against those of the official package, as record_mlflow_signatures.py wrote them down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.tracking.record_mlflow_signatures import signatures

RECORDED = json.loads(Path(__file__).with_name("mlflow_signatures.json").read_text())["signatures"]

# Parameters of theirs that are not ours: traces and workspaces are no part of this system.
LEFT_OUT = {
    "set_experiment": {"trace_location"},
    "create_experiment": {"trace_location"},
    "tracking.MlflowClient.__init__": {"workspace_store_uri"},
}
# Parameters of ours that are not theirs; each comes after all of theirs, and has a default.
BEYOND = {
    "start_run": {"resume_from_step"},
    "search_runs": {"columns"},
    "tracking.MlflowClient.search_runs": {"columns"},
    "tracking.MlflowClient.create_webhook": {
        "model_name", "payload_format", "authorization", "enable_ssl_verification"
    },
    "tracking.MlflowClient.update_webhook": {"payload_format", "authorization", "enable_ssl_verification"},
}


def test_the_surface_is_whole() -> None:
    assert len(RECORDED) > 130
    assert set(signatures("millstream")) == set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_a_call_written_for_mlflow_fits(name: str) -> None:
    ours = signatures("millstream")[name]
    theirs = [one for one in RECORDED[name] if one[0] not in LEFT_OUT.get(name, ())]
    assert ours[:len(theirs)] == theirs
    more = ours[len(theirs):]
    assert {one[0] for one in more} == BEYOND.get(name, set())
    assert all(one[2] is not None for one in more)


def test_the_tables_name_what_exists() -> None:
    assert set(LEFT_OUT) | set(BEYOND) <= set(RECORDED)
    for name, parameters in LEFT_OUT.items():
        assert parameters <= {one[0] for one in RECORDED[name]}
