"""The ground that other tests stand on: each real server answers, and none outlives its session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.ceph import S3Server
from tests.servers.processes import listens, wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("fixture", ["postgres_uri", "debian_postgres_uri"])
def test_postgres_has_an_empty_database(fixture: str, request: pytest.FixtureRequest) -> None:
    import psycopg

    with psycopg.connect(request.getfixturevalue(fixture)) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert row == (0,)


def test_s3_refuses_a_wrong_secret(s3: S3Server, s3_bucket: str) -> None:
    from botocore.exceptions import ClientError

    s3.client().put_object(Bucket=s3_bucket, Key="k", Body=b"value")
    assert s3.client().get_object(Bucket=s3_bucket, Key="k")["Body"].read() == b"value"
    stranger = S3Server(s3.endpoint, secret_key="another").client()
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.put_object(Bucket=s3_bucket, Key="k", Body=b"other")


_SESSION = """
import os, signal, sys
from tests.servers import keeper
keeper.begin()
print(keeper.session_folder(), keeper.shared("postgres")["uri"], flush=True)
signal.pause()
"""


def test_servers_end_with_a_session_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _SESSION], cwd=ROOT, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        folder, uri = session.stdout.readline().split()
        port = int(uri.rsplit(":", 1)[1].split("/")[0])
        assert listens(port)
        os.kill(session.pid, signal.SIGKILL)
    wait_until(lambda: not listens(port) and not Path(folder).exists(), 30, "the end of an orphaned server")
