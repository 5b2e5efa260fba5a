"""A server that is killed in the middle of its work loses nothing that it has answered for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from millstream.errors import MillstreamError
from millstream.operations import CreateRun, GetMetricHistory, GetRun, LogMetric, LogParam
from millstream.stores import open_store
from millstream.stores.http.store import HttpStore
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import wait_until

WRITERS = 6


def test_every_acknowledged_write_survives_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    acknowledged: list[set[int]] = [set() for _ in range(WRITERS)]
    runs: list[str] = []
    with MillstreamServer(tmp_path) as server:
        with open_store(server.uri) as store:
            runs = [store.execute(CreateRun("0")).run.info.run_id for _ in range(WRITERS)]

        def write(number: int) -> None:
            with HttpStore(server.uri) as store:
                for step in range(1_000_000):
                    try:
                        store.execute(LogMetric(runs[number], "loss", float(step), step, step))
                        store.execute(LogParam(runs[number], f"p{step}", str(step)))
                    except MillstreamError:
                        return
                    acknowledged[number].add(step)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(len(done) > 40 for done in acknowledged), 60, "some writes", server.process)
        server.kill()
        for thread in threads:
            thread.join(60)
        server.start()
        with open_store(server.uri) as store:
            for run_id, done in zip(runs, acknowledged, strict=True):
                steps = [metric.step for metric in store.execute(GetMetricHistory(run_id, "loss")).metrics]
                params = store.execute(GetRun(run_id)).run.data.params
                assert done <= set(steps)
                assert len(steps) == len(set(steps)) <= len(done) + 1
                assert {f"p{step}" for step in done} <= params.keys()
