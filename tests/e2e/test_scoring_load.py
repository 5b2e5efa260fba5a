"""The limits of the scoring server, reached: large bodies, a thousand clients, slow ones, and an end under load."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import millstream.pyfunc
import millstream.sklearn
from millstream.models.signature import infer_signature
from tests.servers.mlflow import answers
from tests.servers.processes import wait_until
from tests.servers.scoring import Scoring

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process as Linux tells it")

MEGABYTE = 2**20
CLIENTS = 1000
DATA, TARGET = load_diabetes(return_X_y=True, as_frame=True)
COLUMNS = list(DATA.columns)
ROW = json.dumps({"dataframe_split": {"columns": COLUMNS, "data": [DATA.iloc[0].tolist()]}}).encode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("load")


@pytest.fixture(scope="module")
def pipeline(place: Path) -> Path:
    """A model that takes rows of doubles."""
    fitted = make_pipeline(StandardScaler(), LinearRegression()).fit(DATA, TARGET)
    millstream.sklearn.save_model(fitted, place / "pipeline", signature=infer_signature(DATA, fitted.predict(DATA)))
    return place / "pipeline"


@pytest.fixture
def gated(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A model that waits, at its first prediction that is not of 0, until somebody opens its pipe for writing; that
    pipe, and a file that is there when it waits."""
    pipe, begun = tmp_path / "gate", tmp_path / "begun"
    os.mkfifo(pipe)
    where, told = str(pipe), str(begun)

    def predict(model_input):  # type: ignore[no-untyped-def]  # a hint would be checked
        import os

        if 0 not in list(model_input["x"]) and not os.path.exists(told):
            open(told, "w").close()
            with open(where) as gate:
                gate.read()
        return list(model_input["x"])

    millstream.pyfunc.save_model(tmp_path / "gated", python_model=predict, pip_requirements=["pandas"])
    return tmp_path / "gated", pipe, begun


class Memory:
    """The resident memory of a server from now on, in bytes."""

    def __init__(self, running: Scoring) -> None:
        self._process = Path(f"/proc/{running.process.pid}")
        (self._process / "clear_refs").write_text("5")  # its highest mark is where it stands
        self._before = self._of("VmRSS")

    def _of(self, name: str) -> int:
        lines = (self._process / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024

    @property
    def grown(self) -> int:
        """What it has grown at most."""
        return self._of("VmHWM") - self._before


class Told:
    """An answer as it came over the wire."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1])
        self.headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def posted(body: bytes, *, close: bool = True) -> bytes:
    """A request that asks for a prediction."""
    return (b"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%sContent-Length: %d"
            b"\r\n\r\n%s" % (b"Connection: close\r\n" if close else b"", len(body), body))


async def asked(port: int, request: bytes) -> Told:
    """The answer to one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return Told(await reader.read())
    finally:
        writer.close()


def together(*work: Any) -> list[Any]:
    """What all of these give, within a minute."""

    async def run() -> list[Any]:
        return await asyncio.wait_for(asyncio.gather(*work), 60)

    return asyncio.run(run())


def large(size: int) -> tuple[bytes, int]:
    """A body of about ``size`` bytes with rows of doubles, and the number of its rows."""
    row = json.dumps(DATA.iloc[0].tolist())
    rows = size // (len(row) + 1)
    columns = json.dumps(COLUMNS)
    return f'{{"dataframe_split":{{"columns":{columns},"data":[{",".join([row] * rows)}]}}}}'.encode(), rows


def test_64_megabytes_are_served_where_the_setting_allows_them(place: Path, pipeline: Path) -> None:
    body, rows = large(64 * MEGABYTE - 1000)
    assert 63 * MEGABYTE < len(body) < 64 * MEGABYTE
    with Scoring(place, pipeline) as running:
        memory = Memory(running)
        told = running.invoke(body)
        assert told.status == 200, told.body[:300]
        predictions = told.json["predictions"]
        assert len(predictions) == rows and len(set(predictions)) == 1
        assert memory.grown < 8 * len(body), f"{memory.grown // MEGABYTE} MB for {len(body) // MEGABYTE}"


def test_64_megabytes_are_refused_where_it_does_not(place: Path, pipeline: Path) -> None:
    limit = 16 * MEGABYTE
    body, _ = large(64 * MEGABYTE)
    head = b"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with Scoring(place, pipeline, MILLSTREAM_SCORING_SERVER_MAX_BODY_BYTES=str(limit)) as running:
        memory = Memory(running)
        told = [
            *together(asked(running.port, head + b"Content-Length: %d\r\n\r\n" % len(body))),
            # A client that sends everything before it listens hears it too, whether it tells the length or does not.
            sent_first(running.port, head + b"Content-Length: %d\r\n\r\n" % len(body), body),
            sent_first(running.port, head + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n" % (len(body), body)),
        ]
        for one in told:
            assert one.status == 413 and one.headers[b"connection"] == b"close"
            assert str(limit) in one.json["message"]
            assert "MILLSTREAM_SCORING_SERVER_MAX_BODY_BYTES" in one.json["hint"]
        assert memory.grown < 3 * limit, f"{memory.grown // MEGABYTE} MB"
        assert together(asked(running.port, posted(ROW)))[0].status == 200


def sent_first(port: int, head: bytes, body: bytes) -> Told:
    """The answer to a request that is sent whole before anybody looks for one."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
        raw.sendall(head)
        raw.sendall(body)
        with raw.makefile("rb") as answer:
            return Told(answer.read())


def test_bodies_that_wait_hold_no_more_memory_than_they_may(tmp_path: Path, gated: tuple[Path, Path, Path]) -> None:
    model, pipe, begun = gated
    limit = MEGABYTE
    with Scoring(tmp_path, model, MILLSTREAM_SCORING_SERVER_MAX_BODY_BYTES=str(limit)) as running:
        body = json.dumps({"dataframe_records": [{"x": "y" * (limit - 100)}]}).encode()
        assert running.invoke({"dataframe_records": [{"x": 0}]}).status == 200  # what is imported then is there
        memory = Memory(running)

        async def open_gate() -> None:
            while not begun.exists() or (await figures(running))["millstream_scoring_requests_active"] > 5:
                await asyncio.sleep(0)  # until those that are too many were told
            await asyncio.to_thread(pipe.write_text, "go")

        *told, _ = together(*[asked(running.port, posted(body)) for _ in range(40)], open_gate())
        statuses = Counter(one.status for one in told)
        assert set(statuses) == {200, 429} and 1 <= statuses[200] <= 4 + 1, statuses
        assert all(one.headers[b"retry-after"] == b"1" for one in told if one.status == 429)
        assert memory.grown < 40 * limit, f"{memory.grown // MEGABYTE} MB"


async def figures(running: Scoring) -> dict[str, float]:
    told = await asked(running.port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    lines = (line.rsplit(" ", 1) for line in told.body.decode().splitlines() if not line.startswith("#"))
    return {name: float(number) for name, number in lines}


@pytest.mark.parametrize("queue", [64, 2 * CLIENTS])
def test_a_thousand_clients_are_answered_or_told_to_come_back(
    place: Path, pipeline: Path, queue: int
) -> None:
    with Scoring(place, pipeline, MILLSTREAM_SCORING_SERVER_QUEUE=str(queue)) as running:
        expected = together(asked(running.port, posted(ROW)))[0].json
        memory, seconds = Memory(running), list[float]()
        start = asyncio.Event()

        async def client() -> list[Told]:
            """Three requests on one connection, all clients at one moment."""
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            try:
                await start.wait()
                told = []
                for _ in range(3):
                    began = time.perf_counter()
                    writer.write(posted(ROW, close=False))
                    head = await reader.readuntil(b"\r\n\r\n")
                    told.append(one := Told(head))
                    one.body = await reader.readexactly(int(one.headers[b"content-length"]))
                    seconds.append(time.perf_counter() - began)
                return told
            finally:
                writer.close()

        async def release() -> list[Told]:
            while (await figures(running))["process_open_fds"] < CLIENTS:
                continue
            start.set()
            return []

        told = list(itertools.chain(*together(*[client() for _ in range(CLIENTS)], release())))
        p99 = statistics.quantiles(seconds, n=100)[98]
        statuses = Counter(one.status for one in told)
        said = f"{statuses}, p99 {p99:.2f} s, {memory.grown // MEGABYTE} MB"
        assert len(told) == 3 * CLIENTS and set(statuses) <= {200, 429} and statuses[200] >= 64, said
        assert queue < CLIENTS or set(statuses) == {200}, said
        for one in told:
            assert one.json == expected if one.status == 200 else one.headers[b"retry-after"] == b"1", said
        assert memory.grown < 128 * MEGABYTE, said


def test_a_body_that_does_not_come_is_not_waited_for(place: Path, pipeline: Path) -> None:
    with Scoring(place, pipeline, "-t", "1") as running:

        async def trickle() -> Told:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            try:
                answer = asyncio.ensure_future(reader.read())
                writer.write(b"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                             b"Content-Length: 1000000\r\n\r\n")
                while not answer.done():  # a byte now and then, for ever
                    writer.write(b" ")
                    await asyncio.wait([answer], timeout=0.05)
                return Told(await answer)
            finally:
                writer.close()

        for told in together(*[trickle() for _ in range(50)]):
            assert told.status == 408 and told.headers[b"connection"] == b"close"
        assert together(asked(running.port, posted(ROW)))[0].status == 200


def test_a_deadline_frees_the_way_for_those_behind(tmp_path: Path, gated: tuple[Path, Path, Path]) -> None:
    model, pipe, begun = gated
    with Scoring(tmp_path, model, "-t", "2") as running:
        row = posted(json.dumps({"dataframe_records": [{"x": 1}]}).encode())

        async def later() -> list[Told]:
            while not begun.exists():
                await asyncio.sleep(0)
            return await asyncio.gather(*[asked(running.port, row) for _ in range(100)])

        first, behind = together(asked(running.port, row), later())
        assert first.status == 504
        # Those that waited as long as the first are told so; the model is free for what comes then.
        assert {one.status for one in behind} <= {200, 504}
        assert together(asked(running.port, row))[0].json == {"predictions": [1]}
        pipe.write_text("go")


def test_nothing_under_way_is_lost_at_the_end(tmp_path: Path, gated: tuple[Path, Path, Path]) -> None:
    model, pipe, begun = gated
    with Scoring(tmp_path, model) as running:
        bodies = [json.dumps({"dataframe_records": [{"x": number}]}).encode() for number in range(1, 101)]

        async def end() -> None:
            while not begun.exists() or (await figures(running))["millstream_scoring_requests_active"] < 100:
                await asyncio.sleep(0)
            running.process.send_signal(signal.SIGTERM)
            while await asyncio.to_thread(answers, f"http://127.0.0.1:{running.port}/ping"):
                continue
            await asyncio.to_thread(pipe.write_text, "go")

        *told, _ = together(*[asked(running.port, posted(body)) for body in bodies], end())
        assert [one.status for one in told] == [200] * 100
        assert [one.json["predictions"] for one in told] == [[number] for number in range(1, 101)]
        wait_until(lambda: running.process.returncode() is not None, 30, "the end")
        assert running.process.stop() == 0


def test_connections_that_are_cut_leave_nothing_behind(place: Path, pipeline: Path) -> None:
    with Scoring(place, pipeline) as running:
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", running.port)) as raw:
                raw.sendall(posted(ROW)[:-10])

        def all_gone() -> bool:
            told = together(figures(running))[0]
            return bool(told["millstream_scoring_requests_active"] == 1)  # the one that asks

        wait_until(all_gone, 30, "the end of what was cut", running.process)
        assert together(asked(running.port, posted(ROW)))[0].status == 200
