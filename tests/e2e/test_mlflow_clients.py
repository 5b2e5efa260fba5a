"""Programs written for MLflow, run by the official clients against our server, see what they see on MLflow's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.compare import check, expected
from tests.clients.run import CLIENTS, programs, run_program
from tests.servers.millstream import MillstreamServer

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.timeout(900)]

# Known without asking MLflow: what went up comes down.
BIG = {"listed": [["large/big.bin", 1024**3]], "size": 1024**3, "same": True}


@pytest.mark.parametrize(
    ("client", "program"),
    [pytest.param(client, program, id=f"{program}-{client}") for client in CLIENTS for program in programs(client)],
)
def test_sees_what_it_sees_on_mlflow(
    client: str, program: str, millstream_server: MillstreamServer, tmp_path: Path
) -> None:
    theirs = BIG if program == "big_artifact" else expected(program, client)
    ours = run_program(program, client, millstream_server.uri, tmp_path)
    check(program, client, ours, theirs, "official mlflow clients on our server")


def test_a_client_from_before_mlflow_2_finds_the_registry(millstream_server: MillstreamServer, tmp_path: Path) -> None:
    # It asks under /api/2.0/preview, where MLflow's own server has nothing any more.
    seen = run_program("registry", "1.27.0", millstream_server.uri, tmp_path)
    assert seen["latest of some"] == [["1", "Archived"], ["2", "Production"]]
    assert seen["registered"]["version"] == "4"
    assert seen["versions are renamed"] == ["1", "2", "4", "5"]
