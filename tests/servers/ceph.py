"""Ceph's S3 server: one monitor, one store in memory, one gateway; real signatures, real errors, real multipart."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.processes import Process, free_port, listens, wait_until

ACCESS_KEY = "MILLSTREAMTEST"
SECRET_KEY = "secret-of-the-tests-only"

_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor_port},v1:127.0.0.1:{legacy_port}]
public network = 127.0.0.0/8
run dir = {place}/run
log file = {place}/$name.log
admin socket = {place}/run/$name.$pid.asok
pid file =
keyring = {place}/keyring
mon data = {place}/mon
osd data = {place}/osd
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 0
mon data avail warn = 0
osd crush chooseleaf type = 0
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd objectstore = memstore
memstore device bytes = 8589934592
osd memory target = 939524096
ms bind ipv6 = false

[client.rgw.a]
rgw data = {place}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
"""


@dataclass(frozen=True)
class S3Server:
    """Where an S3 server is, and its one account."""

    endpoint: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    def client(self) -> Any:
        """A boto3 client of it."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}),
        )

    def environment(self) -> dict[str, str]:
        """The variables by which Millstream, MLflow and AWS's own tools find it."""
        return {
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextlib.contextmanager
def running(place: Path) -> Iterator[dict[str, str]]:
    """The server, below ``place``; yields ``{"endpoint": …}``."""
    for folder in ("run", "mon", "osd", "rgw"):
        (place / folder).mkdir()
    port = free_port()
    fsid = str(uuid.uuid4())
    settings = {"monitor_port": free_port(), "legacy_port": free_port(), "port": port, "fsid": fsid, "place": place}
    configuration = place / "ceph.conf"
    configuration.write_text(_CONFIGURATION.format(**settings))
    chosen = ["-c", str(configuration)]

    def run(*command: str | Path) -> str:
        done = subprocess.run([str(word) for word in command], cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command[0]} failed:\n{done.stderr}"
        return done.stdout

    keyring = place / "keyring"
    everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"]
    # All keys before the monitor's mkfs, which imports them.
    run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *everything)
    run(
        "ceph-authtool",
        keyring,
        "--gen-key",
        "-n",
        "osd.0",
        "--cap",
        "mon",
        "allow profile osd",
        "--cap",
        "osd",
        "allow *",
    )
    run(
        "ceph-authtool",
        keyring,
        "--gen-key",
        "-n",
        "client.rgw.a",
        "--cap",
        "mon",
        "allow rw",
        "--cap",
        "osd",
        "allow rwx",
    )
    addresses = f"[v2:127.0.0.1:{settings['monitor_port']},v1:127.0.0.1:{settings['legacy_port']}]"
    run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", addresses, place / "monmap")
    run("ceph-mon", *chosen, "--mkfs", "-i", "a", "--monmap", place / "monmap", "--keyring", keyring)

    with contextlib.ExitStack() as stack:

        def start(*command: str) -> Process:
            process = Process([*command, *chosen], log=place / f"{command[0]}.out", cwd=place)
            stack.callback(process.stop, 5)
            return process

        monitor = start("ceph-mon", "-f", "-i", "a")
        wait_until(lambda: listens(settings["monitor_port"]), 60, "ceph-mon", monitor)  # type: ignore[arg-type]
        osd = str(uuid.uuid4())
        run("ceph", *chosen, "osd", "new", osd)
        run("ceph-osd", *chosen, "-i", "0", "--mkfs", "--osd-uuid", osd)
        store = start("ceph-osd", "-f", "-i", "0")
        wait_until(lambda: "1 up" in run("ceph", *chosen, "osd", "stat"), 60, "ceph-osd", store)
        gateway = start("radosgw", "-f", "-n", "client.rgw.a")
        wait_until(lambda: listens(port), 120, "radosgw", gateway)
        run(
            "radosgw-admin",
            *chosen,
            "user",
            "create",
            "--uid=test",
            "--display-name=test",
            f"--access-key={ACCESS_KEY}",
            f"--secret-key={SECRET_KEY}",
        )
        # Pools are made by the first bucket and object, which takes seconds that no test should have to wait for.
        server = S3Server(f"http://127.0.0.1:{port}")
        client = server.client()
        client.create_bucket(Bucket="warm-up")
        client.put_object(Bucket="warm-up", Key="object", Body=b"x")
        yield {"endpoint": server.endpoint}
