"""A real kernel, alone and under a real Jupyter server."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from millstream.tracking.context.notebook import Notebook, notebook_path, notebook_path_from_server

pytestmark = pytest.mark.filterwarnings("default")  # what kernels and servers warn about is not ours

COLLECT = (
    "import json\nfrom millstream.tracking.context import collect_tags, collect_late_tags\n"
    "print(json.dumps([collect_tags(), collect_late_tags(20.0)]))\n"
)


def run_in(client: BlockingKernelClient, code: str) -> str:
    printed: list[str] = []

    def collect(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, timeout=60, output_hook=collect)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(printed)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingKernelClient]:
    for name in ("JPY_SESSION_NAME", "PAPERMILL_OUTPUT_PATH", "PAPERMILL_INPUT_PATH", "MLFLOW_RUN_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    manager: KernelManager
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_outside_of_a_kernel() -> None:
    import ipykernel.connect  # noqa: F401

    assert not Notebook().in_context()
    assert notebook_path() is None
    assert notebook_path_from_server() is None


def test_a_kernel_told_by_its_environment(kernel: BlockingKernelClient) -> None:
    tags, late = json.loads(run_in(kernel, COLLECT))
    assert tags["mlflow.source.type"] == "NOTEBOOK"
    assert "mlflow.source.name" not in late

    run_in(kernel, "import os; os.environ['PAPERMILL_OUTPUT_PATH'] = '/work/out.ipynb'")
    assert json.loads(run_in(kernel, COLLECT))[0]["mlflow.source.name"] == "/work/out.ipynb"
    run_in(kernel, "os.environ['JPY_SESSION_NAME'] = '/work/lab.ipynb'")
    assert json.loads(run_in(kernel, COLLECT))[0]["mlflow.source.name"] == "/work/lab.ipynb"
    run_in(kernel, "__vsc_ipynb_file__ = '/work/code.ipynb'")
    assert json.loads(run_in(kernel, COLLECT))[0]["mlflow.source.name"] == "/work/code.ipynb"


class Server:
    """A Jupyter server of its own, with its notebooks under ``root``."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "notebooks"
        self.root.mkdir()
        self.runtime = folder / "runtime"
        self.token = secrets.token_hex(16)
        home = {"HOME": str(folder), "JUPYTER_RUNTIME_DIR": str(self.runtime), "JUPYTER_CONFIG_DIR": str(folder / "c")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0",
             f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.root}", "--no-browser",
             "--allow-root"],
            env={**os.environ, **home}, stderr=subprocess.PIPE, text=True,
        )
        assert self.process.stderr is not None
        said: list[str] = []
        self.url = ""
        for line in self.process.stderr:
            said.append(line)
            if "http://127.0.0.1" in line:
                self.url = line[line.index("http://127.0.0.1") :].strip().partition("/?")[0]
                break
        address = urllib.parse.urlsplit(self.url)
        while True:  # it says its address a moment before it listens
            assert self.process.poll() is None, "".join(said)
            try:
                socket.create_connection((str(address.hostname), address.port or 0), timeout=60).close()
                return
            except ConnectionRefusedError:
                continue

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/{path}", json.dumps(body).encode(),
            {"Authorization": f"token {self.token}", "Content-Type": "application/json"}, method="POST",
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            made = json.load(answer)
        assert isinstance(made, dict)
        return made

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)


@pytest.mark.slow
def test_a_kernel_of_a_server(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        (server.root / "study").mkdir()
        (server.root / "study/first.ipynb").write_text(
            json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        )
        session = server.post("api/sessions", {
            "path": "study/first.ipynb", "name": "first.ipynb", "type": "notebook", "kernel": {"name": "python3"}
        })
        client = BlockingKernelClient()
        client.load_connection_file(str(server.runtime / f"kernel-{session['kernel']['id']}.json"))
        client.start_channels()
        try:
            while not run_in(client, "print('here')"):  # what a kernel prints is lost until it knows of its reader
                pass
            notebook = str(server.root / "study/first.ipynb")
            tags, late = json.loads(run_in(client, COLLECT))
            assert tags["mlflow.source.name"] == notebook
            assert "mlflow.source.name" not in late
            # An older server does not tell: then it is asked.
            run_in(client, "import os; del os.environ['JPY_SESSION_NAME']")
            tags, late = json.loads(run_in(client, COLLECT))
            assert tags["mlflow.source.type"] == "NOTEBOOK"
            assert late["mlflow.source.name"] == notebook
        finally:
            client.stop_channels()
    finally:
        server.stop()
