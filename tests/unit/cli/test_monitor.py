"""``millstream monitor`` at a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.cli import main
from millstream.entities.monitoring import AlertChange, Finding, MonitorWindow, RequestRecord
from millstream.operations import RecordFindings, RecordRequests, SearchRequests, SetMonitor
from millstream.stores.sql.store import SqlStore
from tests.isolation import isolated


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlStore]:
    with isolated(tmp_path, monkeypatch):
        uri = f"sqlite:///{tmp_path}/store.db"
        monkeypatch.setenv("MILLSTREAM_REGISTRY_URI", uri)
        with SqlStore(uri, str(tmp_path / "files")) as store:
            yield store


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["monitor", *words]) == 0
    return capsys.readouterr().out


def test_settings_are_given_bit_by_bit(store: SqlStore, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "set", "-e", "loan", "--window-rows", "200", "--threshold", "psi:income=0.2", "--tag", "retrain=yes")
    told(capsys, "set", "-e", "loan", "--no-bodies", "--no-webhook", "--ignore", "id")
    (monitor,) = json.loads(told(capsys, "list", "--json"))
    settings = monitor["settings"]
    assert settings["thresholds"] == [{"statistic": "psi", "limit": 0.2, "column": "income"}]
    assert settings["actions"] == [{"kind": "tag", "key": "retrain", "value": "yes"}]
    assert (settings["window_rows"], settings["keep_bodies"], settings["ignored_columns"]) == (200, False, ["id"])
    told(capsys, "set", "-e", "loan", "--webhook", "--disable")
    assert "loan" in told(capsys, "list")
    told(capsys, "delete", "-e", "loan")
    assert json.loads(told(capsys, "list", "--json")) == []


@pytest.mark.parametrize(("words", "problem"), [
    (["set", "-e", "loan", "--threshold", "psi"], "a limit is a number"),
    (["set", "-e", "loan", "--threshold", "luck=1"], "luck"),
    (["check", "-e", "nobody"], "nothing watches"),
    (["delete", "-e", "nobody"], "nothing watches"),
])
def test_what_is_wrong_is_told(
    store: SqlStore, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    assert main(["monitor", *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert problem in error
    assert "hint: " in error


def test_requests_outcomes_findings_and_alerts_are_shown(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.execute(SetMonitor("loan"))
    store.execute(RecordRequests([
        RequestRecord("loan", f"r{number}", 1_700_000_000_000 + number, "loan", "3", 200 + number, 0.5, 1,
                      request='{"inputs": [1]}') for number in range(3)
    ]))
    window = MonitorWindow(1_700_000_000_000, 1_700_000_000_002, 1, 3, "loan", "3", 3, 3)
    store.execute(RecordFindings("loan", window, [Finding("psi", 0.5, "exceeded", "income", 0.1)],
                                 [AlertChange("psi", "psi of income is 0.5", "income", 0.5, 0.1)]))
    shown = told(capsys, "requests", "-e", "loan", "--least-status", "201", "--bodies")
    assert "r2" in shown
    assert "r0" not in shown
    assert '{"inputs": [1]}' in shown
    (tmp_path / "outcomes.csv").write_text("request_id,outcome\nr0,yes\nr1,1\nnobody,1\n")
    assert told(capsys, "outcomes", "-e", "loan", str(tmp_path / "outcomes.csv")) == "nobody\n"
    (tmp_path / "outcomes.jsonl").write_text('{"request_id": "r2", "outcome": [0, null]}\n')
    assert told(capsys, "outcomes", "-e", "loan", str(tmp_path / "outcomes.jsonl")) == ""
    found = {one.request_id: one.outcome for one in store.execute(SearchRequests("loan")).requests}
    assert found == {"r0": '"yes"', "r1": "1", "r2": "[0, null]"}
    assert "income" in told(capsys, "report", "-e", "loan", "--version", "3")
    assert json.loads(told(capsys, "report", "-e", "loan", "--json"))[0]["findings"][0]["value"] == 0.5
    assert "psi of income is 0.5" in told(capsys, "alerts", "--open")
    (tmp_path / "bad.csv").write_text("id\n1\n")
    assert main(["monitor", "outcomes", "-e", "loan", str(tmp_path / "bad.csv")]) == 1
