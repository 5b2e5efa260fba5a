"""A served model that is watched: requests, outcomes, drift raised and cleared, events; and without a host."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import millstream
import millstream.sklearn
from millstream import monitoring
from millstream.entities.monitoring import AlertAction
from millstream.stores.http.store import HttpStore
from millstream.tracking.client import MlflowClient
from tests.clients.run import CLIENTS, python_of
from tests.isolation import isolated
from tests.servers.host import Host
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import wait_until
from tests.servers.scoring import Scoring

DATA, LABELS = load_breast_cancer(return_X_y=True, as_frame=True)
BATCH = 25


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("monitoring")


@pytest.fixture(scope="module")
def store_uri(place: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, isolated(place, patch):
        uri = f"sqlite:///{place}/store.db"
        millstream.set_tracking_uri(uri)
        yield uri


@pytest.fixture(scope="module")
def model(store_uri: str) -> str:
    """An autologged pipeline, registered; nothing is said about monitoring."""
    millstream.sklearn.autolog(registered_model_name="tumor", silent=True)
    try:
        make_pipeline(StandardScaler(), LogisticRegression()).fit(DATA, LABELS)
    finally:
        millstream.sklearn.autolog(disable=True)
    return "tumor"


class Traffic:
    """Requests to an endpoint with rows of the data, by their ids."""

    def __init__(self, host: Host, name: str) -> None:
        self._host, self._path = host, f"/endpoints/{name}/invocations"
        self._rng = np.random.default_rng(1)
        self.rows: dict[str, pd.DataFrame] = {}

    def send(self, rows: int, shift: float = 0.0) -> list[str]:
        """Ask about so many rows, whose mean radius is ``shift`` standard deviations larger; the ids."""
        made = []
        for _ in range(rows // BATCH):
            some = DATA.iloc[self._rng.choice(len(DATA), BATCH, replace=False)].copy()
            some["mean radius"] += shift * DATA["mean radius"].std()
            name = f"request-{len(self.rows)}"
            body = json.dumps({"dataframe_split": {"columns": list(some.columns), "data": some.to_numpy().tolist()}})
            answer = self._host.ask(self._path, body, x_request_id=name)
            assert answer.status == 200, answer.body
            self.rows[name] = some
            made.append(name)
        return made


def test_drift_is_raised_told_and_cleared(place: Path, store_uri: str, model: str) -> None:
    client = MlflowClient()
    client.create_webhook("drift", "https://drift.example.com/hook", ["monitor.alert_raised", "monitor.alert_cleared"])
    client.set_monitor(
        model, window_rows=150, minimum_rows=50, every_seconds=0.2, thresholds={"psi": 0.2, "accuracy": 0.9},
        actions=["webhook", AlertAction("tag", "retrain", "drift")],
    )
    client.enable_serving(model, "local")
    host = Host(place, store_uri)
    try:
        host.wait(model, "1")
        traffic = Traffic(host, model)

        def windows(count: int) -> None:
            host.until(lambda: len(client.list_findings(model)) >= count, f"{count} windows that were looked at")

        first = traffic.send(300)
        windows(2)
        assert client.list_alerts(model) == []

        # Outcomes come later, by the ids of the requests; one of them was never asked.
        happened = {name: LABELS.loc[traffic.rows[name].index].tolist() for name in first}
        assert client.log_outcomes(model, {**happened, "nobody": 1}) == ["nobody"]

        traffic.send(300, shift=2.0)
        windows(4)
        host.until(lambda: client.list_alerts(model, only_open=True), "an alert")
        opened = {(alert.statistic, alert.column) for alert in client.list_alerts(model, only_open=True)}
        assert {("psi", "mean radius"), ("ks", "mean radius")} <= opened
        assert client.get_registered_model(model).tags == {"retrain": "drift"}
        metrics = host.ask("/metrics", method="GET").body.decode()
        assert f'millstream_monitoring_exceeded{{column="mean radius",endpoint="{model}"' in metrics

        traffic.send(300)
        windows(6)
        host.until(lambda: not client.list_alerts(model, only_open=True), "the end of the alerts")
        assert client.get_registered_model(model).tags == {}
        assert {(alert.statistic, alert.column) for alert in client.list_alerts(model)} == opened

        # Every alert is an event in the outbox, raised before it is cleared.
        events = [one.event for one in client.list_webhook_deliveries()]
        assert events.count("monitor.alert_raised") == events.count("monitor.alert_cleared") == len(opened)
        accuracy = client.list_findings(model, statistic="accuracy", max_results=1)[0].findings[0]
        assert accuracy.value > 0.95
        assert accuracy.state == "ok"

        found = client.search_requests(model, with_bodies=True, request_id=first[0])[0]
        assert (found.version, found.rows, found.status_code) == ("1", BATCH, 200)
        assert json.loads(str(found.request))["dataframe_split"]["columns"] == list(DATA.columns)
        assert json.loads(str(found.outcome)) == happened[first[0]]
        host.until(lambda: _requests(client, model) == len(traffic.rows), "the figures of every request")
    finally:
        host.process.stop()
    told = subprocess.run(
        [sys.executable, "-m", "millstream", "monitor", "alerts", "-e", model, "--json", "--registry-uri", store_uri],
        capture_output=True, text=True, check=True,
    )
    assert {(alert["statistic"], alert.get("column", "")) for alert in json.loads(told.stdout)} == opened


def _requests(client: MlflowClient, model: str) -> int:
    times = [one.time for one in client.search_requests(model, max_results=1_000)]
    return sum(one.requests for one in client.get_service_figures(model, min(times), max(times) + 1))


def test_a_scoring_server_is_watched_without_a_host(place: Path, store_uri: str, model: str) -> None:
    client = MlflowClient()
    client.set_monitor("scored", window_rows=400, minimum_rows=200, raise_after=1)
    recorder = monitoring.Recorder(client._registry)
    folder = Path(millstream.artifacts.download_artifacts(f"models:/{model}/1"))
    rng = np.random.default_rng(2)
    with Scoring(place, folder) as server:
        for number in range(10):
            some = DATA.iloc[rng.choice(len(DATA), BATCH, replace=False)]
            body = json.dumps({"dataframe_records": (some * 1.5 if number else some).to_dict(orient="records")})
            answer = server.invoke(body)
            recorder.record("scored", "1", f"s-{number}", body.encode(), "application/json", answer.body,
                            answer.status, 0.01, model=model)
    recorder.close()
    assert (recorder.recorded, recorder.dropped) == (10, 0)
    done = subprocess.run(
        [sys.executable, "-m", "millstream", "monitor", "check", "-e", "scored", "--fail", "--json", "--registry-uri",
         store_uri], capture_output=True, text=True, check=False,
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["windows"][0]["window"]["rows"] == 250
    drifted = {alert.get("column", "") for alert in told["alerts"]}
    assert len(drifted & set(DATA.columns)) > 20


def test_files_are_held_against_a_profile(model: str, store_uri: str) -> None:
    known = monitoring.get_profile(f"models:/{model}/1")
    assert known is not None
    assert [column.name for column in known.columns] == list(DATA.columns)
    assert known.rows == len(DATA)
    same = monitoring.compare(known, DATA.sample(200, random_state=3))
    assert same.drifted == [], str(same)
    moved = DATA.sample(200, random_state=4)
    moved["worst area"] = moved["worst area"] + 2 * DATA["worst area"].std()
    report = monitoring.compare(known, moved)
    assert report.drifted == ["worst area"]
    frame = report.to_frame().set_index(["column", "statistic"])
    assert frame.loc[("worst area", "ks"), "value"] > frame.loc[("worst area", "ks"), "limit"]


def test_a_version_gets_another_profile(model: str, store_uri: str) -> None:
    before = monitoring.get_profile(f"models:/{model}/latest")
    made = monitoring.set_profile(f"models:/{model}/1", DATA.iloc[:100], LABELS.iloc[:100])
    assert monitoring.get_profile(f"models:/{model}/1") == made
    assert made.predictions[0].kind == "category"
    assert before is not None
    assert before.rows == len(DATA)


@pytest.mark.clients
def test_mlflow_loads_a_model_with_a_profile(place: Path, store_uri: str, model: str) -> None:
    folder = millstream.artifacts.download_artifacts(f"models:/{model}/1")
    code = (
        "import sys, mlflow, pandas as pd\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "print(len(model.predict(pd.read_json(sys.argv[2], orient='split'))), model.metadata.flavors['sklearn'] != {})"
    )
    (place / "rows.json").write_text(DATA.iloc[:5].to_json(orient="split"))
    done: Any = subprocess.run(
        [str(python_of(CLIENTS[-1])), "-c", code, folder, str(place / "rows.json")], capture_output=True, text=True,
        check=False, cwd=place,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["5", "True"]


def test_requests_wait_for_a_store_that_is_gone_and_what_does_not_fit_is_dropped(place: Path) -> None:
    server = MillstreamServer(place)
    MlflowClient(server.uri).set_monitor("e")
    server.kill()
    recorder = monitoring.Recorder(HttpStore(server.uri), waiting=5, every=0.01)
    for number in range(20):
        recorder.record("e", "1", f"r{number}", b"{}", "application/json", b"{}", 200, 0.01)
    assert recorder.dropped == 15
    server.start()
    try:
        wait_until(lambda: recorder.recorded == 5, 60, "the requests that waited are in the store")
        recorder.record("e", "1", "last", b"{}", "application/json", b"{}", 200, 0.01)
        recorder.close(30)
    finally:
        server.stop()
    assert (recorder.recorded, recorder.dropped) == (6, 15)
