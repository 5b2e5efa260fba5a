"""Programs whose trainings are logged by themselves: what the official client and ours store of them, row by row."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.clients.compare import check, expected
from tests.clients.run import ROOT, TRAININGS, run_program
from tests.servers.millstream import MillstreamServer

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.timeout(900)]

# `import mlflow` is Millstream in this environment, which has all libraries.
OURS = f"{ROOT / 'compat' / 'mlflow' / 'src'}:{ROOT}"


@pytest.mark.parametrize("program", TRAININGS)
def test_the_official_client_sees_what_it_sees_on_mlflow(
    program: str, millstream_server: MillstreamServer, tmp_path: Path
) -> None:
    theirs = expected(program, "3.17.2")
    ours = run_program(program, "3.17.2", millstream_server.uri, tmp_path)
    check(program, "3.17.2", ours, theirs, "official mlflow clients on our server")


@pytest.mark.parametrize("program", TRAININGS)
def test_ours_stores_what_the_official_client_stores(
    program: str, millstream_server: MillstreamServer, tmp_path: Path
) -> None:
    theirs = expected(program, "3.17.2")
    python = Path(sys.executable)
    ours = run_program(program, "3.17.2", millstream_server.uri, tmp_path, python=python, PYTHONPATH=OURS)
    check(f"{program}, ours", "3.17.2", ours, theirs, "trainings: Millstream beside the official client")
